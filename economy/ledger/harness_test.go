package ledger_test

import (
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/economy/ledger"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
)

const pump protocol.DeviceID = "pump000000000000"

// books are a ledger on a real store, with a clock and connections that the test moves.
type books struct {
	*ledger.Ledger
	t     *testing.T
	dir   string
	store *store.Store
	now   time.Time
	links map[protocol.DeviceID]ledger.Link
	spent map[protocol.DeviceID]meter.Counts
	told  []ledger.Notice
	// stages are those that followed from looks.
	stages map[protocol.DeviceID]protocol.Spending
}

func newBooks(t *testing.T, now string, b *protocol.Budget) *books {
	t.Helper()
	out := &books{t: t, dir: t.TempDir(), now: at(t, now), links: map[protocol.DeviceID]ledger.Link{}, spent: map[protocol.DeviceID]meter.Counts{}}
	out.stages = map[protocol.DeviceID]protocol.Spending{}
	out.links[pump] = ledger.Link{Profile: "ship", Rules: &protocol.LinkRules{Budget: b}}
	out.open()
	t.Cleanup(func() { _ = out.store.Close() }) // closed twice it says nothing
	return out
}

func (b *books) open() {
	b.t.Helper()
	var err error
	if b.store, err = store.Open(b.dir); err != nil {
		b.t.Fatal(err)
	}
	b.Ledger, err = ledger.New(ledger.Config{
		Store: b.store,
		Link:  func(id protocol.DeviceID) (ledger.Link, bool) { l, ok := b.links[id]; return l, ok },
		Spent: func(fn func(protocol.DeviceID, meter.Counts)) {
			for id, c := range b.spent {
				fn(id, c)
			}
		},
		Tell:  func(n ledger.Notice) { b.told = append(b.told, n) },
		Stage: func(id protocol.DeviceID, s protocol.Spending) { b.stages[id] = s },
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// die ends the hub without its being told, and starts another, whose connections have cost nothing yet.
func (b *books) die() {
	b.t.Helper()
	if err := b.store.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.spent = map[protocol.DeviceID]meter.Counts{}
	b.open()
}

// saw has the hub's connections of the pump cost more, and the ledger look.
func (b *books) saw(class protocol.Class, up, down uint64) {
	b.t.Helper()
	c := b.spent[pump]
	c[class].Up += up
	c[class].Down += down
	b.spent[pump] = c
	b.look()
}

func (b *books) look() {
	b.t.Helper()
	if err := b.Look(b.now); err != nil {
		b.t.Fatal(err)
	}
}

func (b *books) says(boot byte, days ...protocol.UsageDay) {
	b.t.Helper()
	if err := b.report(boot, protocol.Usage{Days: days}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *books) report(boot byte, u protocol.Usage) error {
	return b.Report(ledger.Report{Device: pump, Boot: [8]byte{boot}, At: b.now, Usage: u})
}

// day is what a device says of one class on the day n days from now, in UTC.
func (b *books) day(n int, class protocol.Class, up, down uint64) protocol.UsageDay {
	return protocol.UsageDay{
		Day: uint32(int(economy.Day(b.now, time.UTC)) + n), Counts: []protocol.UsageCount{{Class: class, Up: up, Down: down}},
	}
}

// kept gives what is stored of the pump on the day n days from now.
func (b *books) kept(n int) (out meter.Counts) {
	b.t.Helper()
	day := ledger.Slot{Step: ledger.Day, At: uint32(int(economy.Day(b.now, time.UTC)) + n)}
	err := b.Device(pump, day, ledger.Slot{Step: ledger.Day, At: day.At + 1}, func(_ ledger.Slot, c meter.Counts) { out = c })
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func (b *books) figures() ledger.Figures {
	b.t.Helper()
	f, ok := b.Figures(pump)
	if !ok {
		b.t.Fatal("nothing is known of the pump")
	}
	return f
}

// toldOf counts the notices of a kind with a text in them.
func (b *books) toldOf(kind ledger.AlertKind, text string) (n int) {
	for _, x := range b.told {
		if x.Kind == kind && strings.Contains(x.Text, text) {
			n++
		}
	}
	return n
}

func (b *books) alerts() string {
	var kinds []string
	for _, a := range b.figures().Alerts {
		kinds = append(kinds, string(a.Kind))
	}
	return strings.Join(kinds, " ")
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}
