package economy

import (
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func TestCycles(t *testing.T) {
	for _, c := range []struct {
		day        uint8
		zone, now  string
		start, end string
	}{
		{1, "", "2026-11-22T10:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"},
		{15, "", "2026-11-15T00:00:00Z", "2026-11-15T00:00:00Z", "2026-12-15T00:00:00Z"},
		{15, "", "2026-11-14T23:59:59Z", "2026-10-15T00:00:00Z", "2026-11-15T00:00:00Z"},
		{31, "", "2027-02-27T12:00:00Z", "2027-01-31T00:00:00Z", "2027-02-28T00:00:00Z"},
		{31, "", "2027-02-28T12:00:00Z", "2027-02-28T00:00:00Z", "2027-03-31T00:00:00Z"},
		{31, "", "2028-02-29T12:00:00Z", "2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z"},
		{30, "", "2027-01-05T12:00:00Z", "2026-12-30T00:00:00Z", "2027-01-30T00:00:00Z"},
		{31, "Europe/Oslo", "2027-02-27T22:59:59Z", "2027-01-30T23:00:00Z", "2027-02-27T23:00:00Z"},
		{31, "Europe/Oslo", "2027-02-27T23:00:00Z", "2027-02-27T23:00:00Z", "2027-03-30T22:00:00Z"}, // in summer time
		{31, "Europe/Oslo", "2027-11-01T12:00:00Z", "2027-10-30T22:00:00Z", "2027-11-29T23:00:00Z"},
		{1, "Europe/Oslo", "2026-10-31T23:30:00Z", "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"},
	} {
		got := CycleAt(&protocol.Budget{Day: c.day, Zone: c.zone}, at(t, c.now))
		if !got.Start().Equal(at(t, c.start)) || !got.End().Equal(at(t, c.end)) {
			t.Errorf("cycle of day %d at %s: %v to %v, want %s to %s", c.day, c.now, got.Start(), got.End(), c.start, c.end)
		}
	}
}

// Whatever the day, each moment is in one cycle, and the next begins where it ends.
func TestCyclesFollowEachOther(t *testing.T) {
	for day := uint8(1); day <= 31; day++ {
		b := &protocol.Budget{Day: day, Zone: "America/New_York"}
		c := CycleAt(b, at(t, "2027-01-01T12:00:00Z"))
		for range 40 {
			next := CycleAt(b, c.End())
			if next.First != c.Next || CycleAt(b, c.End().Add(-time.Second)).First != c.First {
				t.Fatalf("day %d: cycle %v is followed by %v", day, c, next)
			}
			if n := next.Next - next.First; n < 28 || n > 31 {
				t.Fatalf("day %d: a cycle of %d days", day, n)
			}
			c = next
		}
	}
}

func TestStages(t *testing.T) {
	b := &protocol.Budget{Soft: 4_000_000, Hard: 5_000_000, Lift: &protocol.Lift{Cycle: 20758, Extra: 1_000_000}}
	caps := CapsOf(b, 20700)
	for spent, want := range map[uint64]protocol.Spending{
		0: protocol.SpendingFree, 3_999_999: protocol.SpendingFree, 4_000_000: protocol.SpendingSaving,
		4_749_999: protocol.SpendingSaving, 4_750_000: protocol.SpendingLast, 4_999_999: protocol.SpendingLast,
		5_000_000: protocol.SpendingSilent, 1 << 60: protocol.SpendingSilent,
	} {
		if got := caps.Stage(spent); got != want {
			t.Errorf("%d spent: %v, want %v", spent, got, want)
		}
	}
	if got := CapsOf(b, 20758).Stage(5_500_000); got != protocol.SpendingSaving {
		t.Errorf("with a million more in this cycle: %v", got)
	}
	if left, bounded := caps.Left(3_000_000, protocol.ClassPull, false); !bounded || left != 1_750_000 {
		t.Errorf("images may take %d", left)
	}
	if left, _ := caps.Left(3_000_000, protocol.ClassOutput, false); left != 1_000_000 {
		t.Errorf("output may take %d", left)
	}
	if left, _ := caps.Left(4_900_000, protocol.ClassBlob, true); left != 100_000 {
		t.Errorf("urgent work may take %d", left)
	}
	if left, _ := caps.Left(4_900_000, protocol.ClassOutput, true); left != 100_000 {
		t.Errorf("output of urgent work may take %d", left)
	}
	if _, bounded := CapsOf(nil, 0).Left(1<<50, protocol.ClassPull, false); bounded {
		t.Error("without a budget something is bounded")
	}
}

func TestSavingIsSlower(t *testing.T) {
	s := protocol.Settings{Ping: 60, Snapshot: protocol.FrequencyPush, Command: protocol.FrequencyPush}
	if got := At(s, protocol.SpendingSaving); got.Ping != 240 || got.Snapshot != 240 || got.Command != protocol.FrequencyPush {
		t.Errorf("saving: %+v", got)
	}
	if got := At(s, protocol.SpendingLast); got.Ping != protocol.DefaultFloor || got.Snapshot != protocol.FrequencyOff {
		t.Errorf("near the cap: %+v", got)
	}
	s.Ping = 12 * 3600
	if got := At(s, protocol.SpendingSaving); got.Ping != 12*3600 {
		t.Errorf("what is slow already: %+v", got)
	}
}

func TestContact(t *testing.T) {
	c := NewContact(&protocol.Contact{
		Windows: []protocol.ContactWindow{{Start: "0 */6 * * *", Seconds: 600, Zone: "UTC"}},
		Passes:  []protocol.Pass{{Start: at(t, "2026-11-22T12:05:00Z").Unix(), Seconds: 600}, {Start: at(t, "2026-11-22T15:00:00Z").Unix(), Seconds: 60, Bytes: 5}},
	})
	for _, x := range []struct{ now, start, end string }{
		{"2026-11-22T06:00:00Z", "2026-11-22T06:00:00Z", "2026-11-22T06:10:00Z"},
		{"2026-11-22T06:10:00Z", "2026-11-22T12:00:00Z", "2026-11-22T12:15:00Z"}, // window and pass are one
		{"2026-11-22T12:14:59Z", "2026-11-22T12:05:00Z", "2026-11-22T12:15:00Z"},
		{"2026-11-22T12:15:00Z", "2026-11-22T15:00:00Z", "2026-11-22T15:01:00Z"},
		{"2026-11-22T15:01:00Z", "2026-11-22T18:00:00Z", "2026-11-22T18:10:00Z"},
	} {
		got, ok := c.Next(at(t, x.now))
		if !ok || !got.Start.Equal(at(t, x.start)) || !got.End.Equal(at(t, x.end)) {
			t.Errorf("at %s: %v to %v, want %s to %s", x.now, got.Start, got.End, x.start, x.end)
		}
	}
}

// What a hub says that does not check: each look at the clock goes through all of it, many times a second.
func TestTooMuchContactIsLeftOut(t *testing.T) {
	var rule protocol.Contact
	for range 16384 {
		rule.Windows = append(rule.Windows, protocol.ContactWindow{Start: "0 0 30 1 *", Seconds: 10})
		rule.Passes = append(rule.Passes, protocol.Pass{Start: int64(len(rule.Passes)) * 60, Seconds: 10})
	}
	if c := NewContact(&rule); len(c.windows) != MaxWindows || len(c.passes) != protocol.MaxPasses {
		t.Errorf("%d windows and %d passes are gone through", len(c.windows), len(c.passes))
	}
	far := NewContact(&protocol.Contact{Passes: []protocol.Pass{{Start: 1<<63 - 1, Seconds: 60}, {Start: -1 << 63, Seconds: 60}}})
	far.Upcoming(at(t, "2026-11-22T12:00:00Z"), 10)
}

func TestAfterTheLastPass(t *testing.T) {
	pass := []protocol.Pass{{Start: at(t, "2026-11-22T12:00:00Z").Unix(), Seconds: 600}}
	later := at(t, "2026-11-25T00:00:00Z")
	daily := NewContact(&protocol.Contact{Passes: pass})
	if got, ok := daily.Next(later); !ok || !got.Start.Equal(at(t, "2026-11-25T12:10:00Z")) || got.End.Sub(got.Start) != 5*time.Minute {
		t.Errorf("by default: %v %v", got, ok)
	}
	silent := NewContact(&protocol.Contact{Passes: pass, After: protocol.AfterSilent})
	if _, ok := silent.Next(later); ok {
		t.Error("silent, and yet there is another")
	}
	if _, ok := silent.Now(at(t, "2026-11-22T12:01:00Z")); !ok {
		t.Error("the pass itself is left out")
	}
	open := NewContact(&protocol.Contact{Passes: pass, After: protocol.AfterOpen})
	if _, ok := open.Now(later); !ok {
		t.Error("open, and yet it is closed")
	}
	if _, ok := open.Now(at(t, "2026-11-22T11:00:00Z")); ok {
		t.Error("open before the first pass")
	}
}

func TestWhatCannotBeKept(t *testing.T) {
	now := at(t, "2026-11-22T00:00:00Z")
	for want, c := range map[string]*protocol.Contact{
		"want five":    {Windows: []protocol.ContactWindow{{Start: "noon", Seconds: 60}}},
		"want 10 s":    {Windows: []protocol.ContactWindow{{Start: "0 1 * * *", Seconds: 3}}},
		"never opens":  {Windows: []protocol.ContactWindow{{Start: "0 1 31 2 *", Seconds: 60}}},
		"Mars/Olympus": {Windows: []protocol.ContactWindow{{Start: "0 1 * * *", Seconds: 60, Zone: "Mars/Olympus"}}},
		"are over":     {Passes: []protocol.Pass{{Start: 1_700_000_000, Seconds: 60}}},
		"in seconds":   {Passes: []protocol.Pass{{Start: 1_795_305_600_000, Seconds: 60}}},
	} {
		if err := CheckContact(c, now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for want, b := range map[string]protocol.Budget{
		"293512 bytes a day × 31": {Hard: 5_000_000},
		"never count":             {Soft: 20_000_000, Hard: 10_000_000},
		"at least":                {Hard: 10},
		"1 to 31":                 {Hard: 50_000_000, Day: 32},
		"half of":                 {Hard: 50_000_000, Reserve: 40_000_000},
	} {
		s := protocol.Settings{Ping: protocol.Frequency(86400 / 1400), Link: &protocol.LinkRules{Budget: &b}}
		if err := CheckBudget(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestPrice(t *testing.T) {
	tariff := Tariff{PerMB: 2_500_000, Included: 10_000_000}
	if got := tariff.Price(9_000_000, 3_000_000); got != 5_000_000 {
		t.Errorf("two megabytes beyond what is included cost %d", got)
	}
	if got := tariff.Price(0, 1); got != 0 {
		t.Errorf("what is included costs %d", got)
	}
}

func TestIdleWindowsPayForConnections(t *testing.T) {
	s := protocol.Settings{Ping: 3600, KeyExchange: protocol.KeyExchangeClassic, Link: &protocol.LinkRules{
		Contact: &protocol.Contact{Windows: []protocol.ContactWindow{{Start: "0 */6 * * *", Seconds: 600}}},
	}}
	if got := IdleDay(s); got != 4*ConnectCost {
		t.Errorf("four windows a day cost %d bytes", got)
	}
}

func TestWarnings(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	window := func(start string, seconds uint32) protocol.ContactWindow {
		return protocol.ContactWindow{Start: start, Seconds: seconds}
	}
	pass := func(after time.Duration, seconds uint32, bytes uint64) protocol.Pass {
		return protocol.Pass{Start: now.Add(after).Unix(), Seconds: seconds, Bytes: bytes}
	}
	for name, c := range map[string]struct {
		rule *protocol.Contact
		want []string // parts of each
	}{
		"none":                  {nil, nil},
		"windows apart":         {&protocol.Contact{Windows: []protocol.ContactWindow{window("0 */6 * * *", 600), window("30 3 * * 1", 600)}}, nil},
		"windows that overlap":  {&protocol.Contact{Windows: []protocol.ContactWindow{window("0 */6 * * *", 600), window("5 12 * * *", 60)}}, []string{`"0 */6 * * *" and "5 12 * * *" overlap`}},
		"in another zone":       {&protocol.Contact{Windows: []protocol.ContactWindow{window("0 12 * * *", 600), {Start: "0 13 * * *", Seconds: 60, Zone: "Europe/Oslo"}}}, []string{"overlap"}},
		"rarely":                {&protocol.Contact{Windows: []protocol.ContactWindow{window("0 0 * * *", 3600), window("59 23 * * 0", 120)}}, []string{"overlap"}},
		"a window without end":  {&protocol.Contact{Windows: []protocol.ContactWindow{window("*/5 * * * *", 300)}}, []string{"it never closes"}},
		"a brief window":        {&protocol.Contact{Windows: []protocol.ContactWindow{window("0 * * * *", 15)}}, []string{"lasts 15 s"}},
		"passes, some are past": {&protocol.Contact{Passes: []protocol.Pass{pass(-2*time.Hour, 600, 0), pass(20*24*time.Hour, 600, 0)}}, []string{"1 of 2 passes are over already: 2026-11-22 08:00 UTC. Leave"}},
		"passes that overlap": {
			&protocol.Contact{Passes: []protocol.Pass{pass(20*24*time.Hour, 600, 0), pass(20*24*time.Hour+time.Minute, 600, 0)}},
			[]string{"2026-12-12 10:01 UTC with 2026-12-12 10:00 UTC"},
		},
		"brief and small passes": {
			&protocol.Contact{Passes: []protocol.Pass{pass(20*24*time.Hour, 20, 3000), pass(30*24*time.Hour, 20, 0)}},
			[]string{"2 of 2 passes last less than 30 s: 2026-12-12 10:00 UTC (20 s) and 1 more", "fewer bytes than a connection costs (4979): 2026-12-12 10:00 UTC (3000)"},
		},
		"a table that ends": {&protocol.Contact{Passes: []protocol.Pass{pass(24*time.Hour, 600, 0)}}, []string{"The last pass ends at 2026-11-23 10:10 UTC: after it the device is in contact five minutes a day. Give the next table before."}},
	} {
		got := Warnings(c.rule, now)
		if len(got) != len(c.want) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i := range got {
			if !strings.Contains(got[i], c.want[i]) {
				t.Errorf("%s: %q, want %q", name, got[i], c.want[i])
			}
		}
	}
}

// Sums and prices of what cannot be stay the most there is, and do not turn over.
func TestNothingTurnsOver(t *testing.T) {
	const most = 1<<64 - 1
	if got := Sum(most-1, 2); got != most {
		t.Errorf("a sum: %d", got)
	}
	if got := (Tariff{PerMB: 1 << 40}).Price(1<<63, 1<<63); got != most {
		t.Errorf("a price: %d", got)
	}
	if got := (Tariff{PerMB: 4_200_000}).Price(0, 1<<50); got != 4_728_779_608_739_020 {
		t.Errorf("the price of 2^50 bytes: %d", got)
	}
	c := meter.Counts{{Up: most}}
	c.Add(meter.Counts{{Up: 5, Down: most}})
	if c[0] != (meter.Bytes{Up: most, Down: most}) || c.Total() != c[0] {
		t.Errorf("counts: %v", c)
	}
}
