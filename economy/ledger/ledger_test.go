package ledger_test

import (
	"errors"
	"testing"
	"time"

	"github.com/farshore/farshore/economy/ledger"
	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
)

// What counts of a day is what the device says of it, and what the hub has counted since.
func TestTheDeviceKnowsBetter(t *testing.T) {
	b := newBooks(t, "2026-11-22T10:00:00Z", nil)
	b.saw(protocol.ClassSession, 1000, 500)
	if got := b.kept(0)[protocol.ClassSession]; got != (meter.Bytes{Up: 1000, Down: 500}) {
		t.Errorf("before its word: %v", got)
	}
	today := b.day(0, 0, 0, 0).Day
	says := func(up, down, pulled uint64) {
		b.says(1, protocol.UsageDay{Day: today, Counts: []protocol.UsageCount{
			{Class: protocol.ClassSession, Up: up, Down: down}, {Class: protocol.ClassPull, Down: pulled},
		}})
	}
	says(970, 480, 5_000_000)
	want := meter.Counts{protocol.ClassSession: {Up: 970, Down: 480}, protocol.ClassPull: {Down: 5_000_000}}
	if got := b.kept(0); got != want {
		t.Errorf("by its word: %v, want %v", got, want)
	}
	// The hub sends what the device never reads: until it says so that counts, and survives a restart of the hub.
	b.saw(protocol.ClassBlob, 0, 70_000)
	b.die()
	b.saw(protocol.ClassBlob, 0, 7)
	want[protocol.ClassBlob].Down = 70_007
	if got := b.kept(0); got != want {
		t.Errorf("what was counted since: %v, want %v", got, want)
	}
	says(970, 480, 5_000_000) // the same once more, which was under way
	if got := b.kept(0); got != want {
		t.Errorf("the same word twice: %v, want %v", got, want)
	}
	says(975, 480, 5_000_000)
	want = meter.Counts{protocol.ClassSession: {Up: 975, Down: 480}, protocol.ClassPull: {Down: 5_000_000}}
	if got, all := b.figures().Spent, uint64(975+480+5_000_000); b.kept(0) != want || got != all {
		t.Errorf("its next word: %v, spent %d, want %v, %d", b.kept(0), got, want, all)
	}
}

// A device cannot talk away what the hub has seen.
func TestADeviceThatSaysTooLittle(t *testing.T) {
	b := newBooks(t, "2026-11-22T10:00:00Z", nil)
	b.saw(protocol.ClassBlob, 0, 10_000_000)
	b.says(1, b.day(0, protocol.ClassBlob, 0, 500_000))
	if got := b.figures().Spent; got != 10_000_000 {
		t.Errorf("spent are %d, and the hub has seen 10 MB", got)
	}
	b.says(1, b.day(0, protocol.ClassBlob, 0, 9_600_000))
	if got := b.figures().Spent; got != 9_600_000 {
		t.Errorf("spent are %d, and the device has read 9.6 MB", got)
	}
}

// The device was away, and its own days come afterwards; the hub's hours have what it saw.
func TestLateDays(t *testing.T) {
	b := newBooks(t, "2026-11-22T10:00:00Z", nil)
	b.saw(protocol.ClassSession, 100, 100)
	b.says(1, b.day(-5, protocol.ClassPull, 0, 7000), b.day(-20, protocol.ClassPull, 0, 3000), b.day(-22, protocol.ClassPull, 0, 90))
	if got := b.kept(-5)[protocol.ClassPull].Down; got != 7000 {
		t.Errorf("five days ago: %d", got)
	}
	if got := b.figures().Spent; got != 10_200 {
		t.Errorf("spent since the first of the month: %d", got)
	}
	b.says(1, b.day(-5, protocol.ClassPull, 0, 7500))
	b.says(1, b.day(-5, protocol.ClassPull, 0, 7500))
	if got := b.figures().Spent; got != 10_700 {
		t.Errorf("after the same day came twice, with more: %d", got)
	}
	hour := ledger.HourOf(b.now)
	err := b.Device(pump, hour, ledger.Slot{Step: ledger.Hour, At: hour.At + 1}, func(_ ledger.Slot, c meter.Counts) {
		if c.Total() != (meter.Bytes{Up: 100, Down: 100}) {
			t.Errorf("this hour: %v", c)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

func TestCountsOnlyGrow(t *testing.T) {
	b := newBooks(t, "2026-11-22T10:00:00Z", nil)
	b.says(1, b.day(0, protocol.ClassPull, 0, 5000))
	b.says(1, b.day(0, protocol.ClassPull, 0, 4000))
	if got := b.kept(0)[protocol.ClassPull].Down; got != 5000 {
		t.Errorf("the same run says less: %d", got)
	}
	b.says(2, b.day(0, protocol.ClassPull, 0, 6000))
	if got := b.kept(0)[protocol.ClassPull].Down; got != 6000 {
		t.Errorf("another run goes on: %d", got)
	}
	b.says(3, b.day(0, protocol.ClassPull, 0, 1000))
	b.says(3, b.day(0, protocol.ClassPull, 0, 1000))
	b.says(3, b.day(0, protocol.ClassPull, 0, 1500))
	if got := b.kept(0)[protocol.ClassPull].Down; got != 7500 {
		t.Errorf("a run that has lost its books: %d, want what was before and its own", got)
	}
}

// What a device was acknowledged is there after the hub was killed; what the hub counted goes on where it was stored.
func TestKilledInTheMiddle(t *testing.T) {
	b := newBooks(t, "2026-11-22T10:00:00Z", nil)
	b.saw(protocol.ClassSession, 1000, 0)
	b.says(1, protocol.UsageDay{Day: b.day(0, 0, 0, 0).Day, Counts: []protocol.UsageCount{{Up: 1000}, {Class: protocol.ClassPull, Down: 5000}}},
		b.day(-1, protocol.ClassPull, 0, 70))
	b.die()
	b.now = b.now.Add(time.Minute)
	b.saw(protocol.ClassSession, 200, 0)
	if got := b.figures().Spent; got != 1200+5070 {
		t.Errorf("%d are spent, want 6270", got)
	}
	b.says(2, b.day(0, protocol.ClassPull, 0, 10))
	if got := b.kept(0)[protocol.ClassPull].Down; got != 5010 {
		t.Errorf("the hub has forgotten which run reported last: %d", got)
	}
}

func TestWhatCannotBeIsNotKept(t *testing.T) {
	b := newBooks(t, "2026-11-22T10:00:00Z", nil)
	many := make([]protocol.UsageDay, protocol.MaxUsageDays+1)
	for name, u := range map[string]protocol.Usage{
		"too many days":     {Days: many},
		"a class twice":     {Days: []protocol.UsageDay{{Day: b.day(0, 0, 0, 0).Day, Counts: []protocol.UsageCount{{Class: 1, Up: 1}, {Class: 1, Up: 1}}}}},
		"more than exists":  {Days: []protocol.UsageDay{b.day(0, 1, 1<<60, 0)}},
		"no such stage":     {Stage: 77},
		"more in all, down": {Days: []protocol.UsageDay{b.day(0, 1, 0, 1<<51)}},
	} {
		if err := b.report(1, u); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.says(1, b.day(3, 1, 5, 0), b.day(-401, 1, 5, 0), protocol.UsageDay{Day: 1<<32 - 1, Counts: []protocol.UsageCount{{Up: 5}}}, b.day(0, 200, 5, 0))
	if got := b.figures().Spent; got != 5 {
		t.Errorf("%d are spent, want the 5 of today", got)
	}
	if got := b.kept(0)[protocol.ClassOther].Up; got != 5 {
		t.Errorf("a class that is not known here: %d in class other", got)
	}
	for _, n := range []int{3, -401} {
		if got := b.kept(n); got != (meter.Counts{}) {
			t.Errorf("day %d: %v", n, got)
		}
	}
	// Runs without end cannot make the counts turn over.
	for boot := range byte(200) {
		for _, up := range []uint64{1 << 50, 0} {
			b.now = b.now.Add(time.Second)
			if err := b.report(boot, protocol.Usage{Days: []protocol.UsageDay{b.day(-1, 1, up, 0)}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := b.kept(-1)[1].Up; got < 1<<50 || got > 1<<51 {
		t.Errorf("after 200 runs that lost their books: %d", got)
	}
}

func TestOldRecordsGo(t *testing.T) {
	b := newBooks(t, "2026-11-22T10:00:00Z", nil)
	b.saw(protocol.ClassSession, 100, 0)
	b.says(1, b.day(-400, protocol.ClassPull, 0, 7), b.day(-399, protocol.ClassPull, 0, 8))
	hour := ledger.HourOf(b.now)
	for _, x := range []struct {
		after            time.Duration
		hours, old, next uint64
	}{{0, 100, 7, 8}, {48 * time.Hour, 100, 0, 0}, {49 * time.Hour, 0, 0, 0}} {
		if err := b.Prune(t.Context(), b.now.Add(x.after)); err != nil {
			t.Fatal(err)
		}
		var got uint64
		if err := b.Device(pump, hour, ledger.Slot{Step: ledger.Hour, At: hour.At + 1}, func(_ ledger.Slot, c meter.Counts) { got = c.Total().Up }); err != nil {
			t.Fatal(err)
		}
		if got != x.hours || b.kept(-400)[protocol.ClassPull].Down != x.old || b.kept(-399)[protocol.ClassPull].Down != x.next {
			t.Errorf("after %v: %d in the hour, %v and %v on the oldest days", x.after, got, b.kept(-400), b.kept(-399))
		}
	}
}

func TestRemovedDevices(t *testing.T) {
	b := newBooks(t, time.Now().UTC().Format(time.RFC3339), nil)
	b.saw(protocol.ClassSession, 100, 0)
	b.says(1, b.day(-300, protocol.ClassPull, 0, 7), b.day(2, protocol.ClassPull, 0, 7))
	if err := b.Forget(pump); err != nil {
		t.Fatal(err)
	}
	b.die()
	for _, n := range []int{-300, 0, 2} {
		if got := b.kept(n); got != (meter.Counts{}) {
			t.Errorf("day %d of a removed device: %v", n, got)
		}
	}
	strays, err := b.store.Strays(func(protocol.DeviceID) bool { return false })
	if err != nil || len(strays) > 0 {
		t.Errorf("left are %v, %v", strays, err)
	}
}

// The billing cycle begins by the calendar of the budget's zone; on the 31st, or the last day of a shorter month.
func TestCycles(t *testing.T) {
	b := newBooks(t, "2027-02-27T22:30:00Z", &protocol.Budget{Day: 31, Zone: "Europe/Oslo"})
	b.saw(protocol.ClassSession, 100, 0)
	if got := b.figures(); got.Spent != 100 || !got.Cycle.Start().Equal(at(t, "2027-01-30T23:00:00Z")) {
		t.Errorf("on the last evening: %d since %v", got.Spent, got.Cycle.Start())
	}
	b.now = b.now.Add(time.Hour) // midnight in Oslo has passed, in UTC it has not
	b.saw(protocol.ClassSession, 7, 0)
	if got := b.figures(); got.Spent != 7 || !got.Cycle.End().Equal(at(t, "2027-03-30T22:00:00Z")) {
		t.Errorf("in the new cycle: %d until %v", got.Spent, got.Cycle.End())
	}
}

// A device that reports without end is not written for each time, and nothing is lost by that: the next report has all.
func TestADeviceThatReportsWithoutEnd(t *testing.T) {
	b := newBooks(t, "2026-11-22T10:00:00Z", nil)
	taken, refused := 0, 0
	for i := range uint64(1000) {
		err := b.report(1, protocol.Usage{Days: []protocol.UsageDay{b.day(0, protocol.ClassSession, i+1, 0)}})
		switch {
		case err == nil:
			taken++
		case errors.Is(err, protocol.ErrTooLarge):
			refused++
		default:
			t.Fatal(err)
		}
	}
	if taken > 100 || refused == 0 {
		t.Errorf("%d of 1000 reports were taken", taken)
	}
	b.now = b.now.Add(5 * time.Second)
	if err := b.report(1, protocol.Usage{Days: []protocol.UsageDay{b.day(0, protocol.ClassSession, 1001, 0)}}); err != nil {
		t.Error(err)
	}
	if got := b.kept(0)[protocol.ClassSession].Up; got != 1001 {
		t.Errorf("kept are %d", got)
	}
	if err := b.report(1, protocol.Usage{Spent: 1 << 60}); !errors.Is(err, protocol.ErrMalformed) {
		t.Errorf("more was spent than there is: %v", err)
	}
}
