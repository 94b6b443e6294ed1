package ledger_test

import (
	"testing"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/economy/ledger"
	"github.com/farshore/farshore/protocol"
)

func TestProjection(t *testing.T) {
	for _, x := range []struct {
		name  string
		days  []uint64 // before today, the last one yesterday; the first of all is the day on which it came
		today uint64
		known bool
		want  uint64
	}{
		{"came today", nil, 500, false, 0},
		{"came yesterday", []uint64{900}, 500, false, 0},
		{"one full day", []uint64{900, 100}, 50, true, 1050 + 100*11},
		{"a week", []uint64{900, 10, 100, 100, 100, 100, 100, 5000}, 0, true, 6410 + 100*11},
		{"older days do not count", []uint64{0, 9000, 9000, 100, 100, 100, 100, 100, 100, 100}, 0, true, 18_700 + 100*11},
		{"days of nothing count", []uint64{900, 0, 0, 0, 0, 700, 0, 700}, 0, true, 2300 + 140*11},
	} {
		b := newBooks(t, "2026-11-20T00:00:00Z", &protocol.Budget{Day: 1})
		link := b.links[pump]
		link.Tariff = economy.Tariff{PerMB: 1_000_000, Included: 1000}
		b.links[pump] = link
		for i, n := range x.days {
			if n > 0 {
				b.says(1, b.day(i-len(x.days), protocol.ClassPull, 0, n))
			}
		}
		b.saw(protocol.ClassSession, x.today, 0)
		f := b.figures()
		if f.Known != x.known || x.known && f.Projected != x.want {
			t.Errorf("%s: %d (known: %v), want %d", x.name, f.Projected, f.Known, x.want)
		}
		if x.known && f.ProjectedCost() != x.want-1000 {
			t.Errorf("%s: at the end it costs %d", x.name, f.ProjectedCost())
		}
	}
}

// An alert is told once in a cycle; it ends when its reason does, but not at its edge.
func TestCapsAreToldOnce(t *testing.T) {
	budget := &protocol.Budget{Day: 1, Soft: 1_000_000, Hard: 2_000_000}
	b := newBooks(t, "2026-11-22T10:00:00Z", budget)
	b.saw(protocol.ClassPull, 0, 999_999)
	if b.alerts() != "" || len(b.told) != 0 {
		t.Fatalf("below the cap: %s, told %v", b.alerts(), b.told)
	}
	b.saw(protocol.ClassPull, 0, 1)
	if b.alerts() != "soft-cap" || b.toldOf(ledger.SoftCap, "1.0 MB is reached") != 1 {
		t.Fatalf("at the cap: %s, told %v", b.alerts(), b.told)
	}
	b.die() // what was told is remembered
	b.look()
	budget.Soft = 1_040_000 // a little above
	b.look()
	if b.alerts() != "soft-cap" {
		t.Errorf("just below the cap: %s", b.alerts())
	}
	budget.Lift = &protocol.Lift{Cycle: b.figures().Cycle.First, Extra: 500_000}
	b.look()
	if b.alerts() != "" {
		t.Errorf("after a lift: %s", b.alerts())
	}
	budget.Lift = nil
	budget.Soft = 1_000_000
	b.look()
	if b.alerts() != "soft-cap" || b.toldOf(ledger.SoftCap, "") != 1 {
		t.Errorf("again in the same cycle: %s, told %v", b.alerts(), b.told)
	}
	b.saw(protocol.ClassPull, 0, 1_000_000)
	if b.alerts() != "soft-cap hard-cap" || b.toldOf(ledger.HardCap, "2026-12-01") != 1 {
		t.Errorf("at the hard cap: %s, told %v", b.alerts(), b.told)
	}
	b.now = at(t, "2026-12-01T00:00:30Z")
	b.look()
	if b.alerts() != "" {
		t.Errorf("in the next cycle: %s", b.alerts())
	}
	b.saw(protocol.ClassPull, 0, 1_000_000)
	if b.toldOf(ledger.SoftCap, "") != 2 {
		t.Errorf("in the next cycle told are %v", b.told)
	}
}

func TestProjectedOverrun(t *testing.T) {
	b := newBooks(t, "2026-11-11T00:00:00Z", &protocol.Budget{Day: 1, Soft: 5_000_000, Hard: 6_000_000})
	var days []protocol.UsageDay
	for n := range 9 {
		days = append(days, b.day(n-9, protocol.ClassSnapshot, 250_000, 0))
	}
	b.says(1, days...)
	if b.alerts() != "projected" || b.toldOf(ledger.Projected, "2026-12-01 with 7.2 MB, above the hard cap of 6.0 MB") != 1 {
		t.Errorf("%s, told %v", b.alerts(), b.told)
	}
	b.links[pump] = ledger.Link{Rules: &protocol.LinkRules{Budget: &protocol.Budget{Day: 1, Soft: 5_000_000}}}
	b.look()
	if b.alerts() != "projected" {
		t.Errorf("above the soft cap: %s", b.alerts())
	}
	b.links[pump] = ledger.Link{}
	b.look()
	if b.alerts() != "" {
		t.Errorf("without a budget: %s", b.alerts())
	}
}

func TestUnusualUse(t *testing.T) {
	b := newBooks(t, "2026-11-22T10:00:00Z", nil)
	for n := range 10 {
		b.says(1, b.day(n-10, protocol.ClassTunnel, 0, 100_000))
	}
	b.saw(protocol.ClassTunnel, 0, 299_999)
	b.saw(protocol.ClassOutput, 99_999, 0) // it usually costs nothing
	if b.alerts() != "" {
		t.Errorf("below three times: %s", b.alerts())
	}
	b.saw(protocol.ClassTunnel, 1, 0)
	if b.alerts() != "unusual" || b.toldOf(ledger.Unusual, "class tunnel has cost 300.0 kB today, 3 times its usual day of 100.0 kB") != 1 {
		t.Errorf("three times: %s, told %v", b.alerts(), b.told)
	}
	b.saw(protocol.ClassOutput, 1, 0)
	b.saw(protocol.ClassTunnel, 500_000, 0)
	if b.alerts() != "unusual unusual" || len(b.told) != 2 {
		t.Errorf("two classes: %s, told %v", b.alerts(), b.told)
	}
	b.now = b.now.Add(24 * time.Hour)
	b.look()
	if b.alerts() != "" {
		t.Errorf("on the next day: %s", b.alerts())
	}
}

func TestStagesAreTold(t *testing.T) {
	b := newBooks(t, "2026-11-22T10:00:00Z", &protocol.Budget{Day: 1, Soft: 1_000_000})
	cycle := economy.CycleAt(b.links[pump].Rules.Budget, b.now).First
	for range 2 {
		if err := b.report(1, protocol.Usage{Cycle: cycle, Stage: protocol.SpendingSaving, Rate: 900}); err != nil {
			t.Fatal(err)
		}
	}
	if f := b.figures(); f.Stage != protocol.SpendingSaving || f.Rate != 900 || b.toldOf(ledger.Staged, "saving, was free") != 1 {
		t.Errorf("%v, told %v", f, b.told)
	}
	b.now = at(t, "2026-12-02T00:00:00Z")
	b.look()
	if f := b.figures(); f.Stage != protocol.SpendingFree {
		t.Errorf("of the cycle before it had said %v", f.Stage)
	}
}

// A device that reaches its hard cap cannot say so: its last word and what the hub has counted since do.
func TestTheStageOfADeviceThatFellSilent(t *testing.T) {
	budget := &protocol.Budget{Day: 1, Soft: 4_000_000, Hard: 5_000_000}
	b := newBooks(t, "2026-11-22T10:00:00Z", budget)
	cycle := economy.CycleAt(budget, b.now).First
	is := func(want protocol.Spending, told int, when string) {
		t.Helper()
		if f := b.figures(); f.Stage != want || b.stages[pump] != want || b.toldOf(ledger.Staged, "") != told {
			t.Errorf("%s: %v, the fleet has %v, want %v; told %v", when, f.Stage, b.stages[pump], want, b.told)
		}
	}
	b.saw(protocol.ClassBlob, 0, 6_000_000)
	is(protocol.SpendingFree, 0, "of an agent that knows no budgets")

	b = newBooks(t, "2026-11-22T10:00:00Z", budget)
	says := func(spent uint64, stage protocol.Spending) {
		t.Helper()
		day := b.day(0, protocol.ClassPull, 0, spent)
		if err := b.report(1, protocol.Usage{Cycle: cycle, Spent: spent, Stage: stage, Days: []protocol.UsageDay{day}}); err != nil {
			t.Fatal(err)
		}
		b.look()
	}
	says(4_100_000, protocol.SpendingSaving)
	is(protocol.SpendingSaving, 1, "by its word")
	b.saw(protocol.ClassResults, 300_000, 0)
	is(protocol.SpendingSaving, 1, "below the reserve")
	b.saw(protocol.ClassResults, 400_000, 0)
	is(protocol.SpendingLast, 2, "in the reserve")
	b.die() // and what was told is remembered
	b.saw(protocol.ClassResults, 180_000, 0)
	is(protocol.SpendingSilent, 3, "what is left is kept for a contact")
	b.look()
	is(protocol.SpendingSilent, 3, "a minute later")
	says(4_900_000, protocol.SpendingLast)
	is(protocol.SpendingLast, 4, "it says that it is not there yet")
	b.saw(protocol.ClassResults, 80_000, 0)
	is(protocol.SpendingSilent, 5, "and then it is")
	budget.Lift = &protocol.Lift{Cycle: cycle, Extra: 1_000_000}
	b.look()
	is(protocol.SpendingLast, 6, "after a lift of which it has not heard")
	b.now = at(t, "2026-12-01T00:01:00Z")
	b.look()
	is(protocol.SpendingFree, 7, "in the next cycle")
	b.saw(protocol.ClassResults, 5_000_000, 0)
	is(protocol.SpendingSilent, 8, "before its first word of the cycle")
}

// Of a device with two days of history nobody knows what is usual.
func TestNothingIsUnusualOfANewDevice(t *testing.T) {
	b := newBooks(t, "2026-11-22T10:00:00Z", &protocol.Budget{Day: 1, Soft: 50_000_000, Hard: 60_000_000})
	b.says(1, b.day(-2, protocol.ClassTunnel, 0, 1000), b.day(-1, protocol.ClassTunnel, 0, 1000))
	b.saw(protocol.ClassTunnel, 0, 10_000_000)
	if b.alerts() != "" || len(b.told) != 0 {
		t.Errorf("after two days: %s, told %v", b.alerts(), b.told)
	}
}
