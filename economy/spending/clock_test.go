package spending

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/protocol"
)

func date(month time.Month, day, hour int) time.Time {
	return time.Date(2026, month, day, hour, 0, 0, 0, time.UTC)
}

// A clock that goes back gives nothing back, however far; nor does one that was ahead.
func TestClockThatGoesBack(t *testing.T) {
	for _, back := range []time.Time{date(11, 30, 23), date(11, 10, 0), date(7, 1, 0), time.Unix(0, 0)} {
		synctest.Test(t, func(t *testing.T) {
			b := newBox(t, capped(5_000_000))
			defer b.stop()
			b.watch.set(date(12, 1, 1))
			if err := b.send(100_000); err != nil {
				t.Fatal(err)
			}
			spent := b.Report().Spent
			b.watch.set(back)
			if got := b.Report().Spent; got < spent {
				t.Errorf("back to %s: %d of %d are counted", back, got, spent)
			}
			if err := b.send(100_000); err != nil {
				t.Fatal(err)
			}
			b.watch.set(date(12, 1, 2))
			if back.Equal(date(11, 30, 23)) && b.Report().Spent < 2*spent {
				t.Errorf("it was December all the time, and %d are counted", b.Report().Spent)
			}
		})
	}
}

// A clock that jumps across the end of the cycle and back, again and again, gives each cycle its budget once.
func TestClockThatJumpsBackAndForth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hard, piece = 500_000, 20_000
		b := newBox(t, capped(hard))
		defer b.stop()
		sent := 0
		for range 6 {
			for _, now := range []time.Time{date(11, 30, 23), date(12, 1, 1)} {
				b.watch.set(now)
				for b.send(piece) == nil && sent <= 3*hard {
					sent += piece
				}
			}
		}
		if sent < hard/2 || sent > 2*hard {
			t.Errorf("%d bytes were sent in two cycles of %d", sent, hard)
		}
	})
}

// After a start, a clock that nobody has vouched for begins no cycle.
func TestClockThatNobodyVouchesFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, capped(1_000_000))
		for b.send(10_000) == nil {
		}
		b.stop()
		b.watch.doubt(true)
		b.watch.set(date(12, 3, 0))
		b.boot(capped(1_000_000))
		defer b.stop()
		if b.Stage() != protocol.SpendingSilent {
			t.Fatalf("its own clock says December, and it is %v", b.Stage())
		}
		if !b.May(protocol.ClassSession, 2000, false) {
			t.Fatal("it may not even ask what time it is")
		}
		if err := b.send(1000); err != nil {
			t.Fatalf("to ask what time it is: %v", err)
		}
		if b.send(1000) == nil {
			t.Error("it asks twice a day")
		}
		if spent := b.Report().Spent; spent > 1_000_000 {
			t.Errorf("%d spent", spent)
		}
		b.watch.doubt(false)
		if b.Stage() != protocol.SpendingFree || b.send(1000) != nil {
			t.Errorf("the hub has said that it is December: %v", b.Stage())
		}
	})
}

func TestFirstClockWasWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, nil)
		b.stop()
		b.disk.record = Record{}
		b.watch.doubt(true)
		b.watch.set(time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC))
		b.boot(capped(5_000_000))
		defer b.stop()
		if err := b.send(50_000); err != nil {
			t.Fatal(err)
		}
		b.watch.set(date(11, 10, 12))
		b.watch.doubt(false)
		r := b.Report()
		if r.Spent < 50_000 || r.CycleStart.Year() != 2026 || len(r.Today) == 0 {
			t.Errorf("%d spent in the cycle from %s", r.Spent, r.CycleStart)
		}
		if u, ok := b.Usage(); !ok || len(u.Days) != 1 || u.Cycle != b.cycle.First {
			t.Errorf("the hub is told %+v", u)
		}
	})
}

// What a changed budget makes the cycle counts what was spent in it, the same by zone and by day.
func TestChangedBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, capped(5_000_000))
		defer b.stop()
		for day := range 20 {
			b.watch.set(date(11, 3+day, 12))
			if err := b.send(10_000); err != nil {
				t.Fatal(err)
			}
		}
		all := b.Report().Spent
		for _, c := range []struct {
			day  uint8
			zone string
			days uint64
		}{{1, "", 20}, {15, "", 8}, {22, "Asia/Tokyo", 1}, {31, "Europe/Oslo", 20}, {23, "America/New_York", 20}, {1, "", 20}} {
			b.Rules(&protocol.LinkRules{Budget: &protocol.Budget{Day: c.day, Zone: c.zone, Hard: 5_000_000}})
			want := all / 20 * c.days
			if got := b.Report().Spent; got < want*97/100 || got > want*103/100 {
				t.Errorf("cycle from day %d in %q: %d spent, want %d", c.day, c.zone, got, want)
			}
		}
		b.Rules(&protocol.LinkRules{Budget: &protocol.Budget{Hard: all - 20_000}})
		if b.Stage() != protocol.SpendingSilent {
			t.Errorf("the cap is below what is spent: %v", b.Stage())
		}
		b.Rules(&protocol.LinkRules{Budget: &protocol.Budget{Hard: all - 20_000, Lift: &protocol.Lift{Cycle: b.cycle.First, Extra: 200_000}}})
		if b.Stage() != protocol.SpendingFree || b.send(1000) != nil {
			t.Errorf("lifted: %v", b.Stage())
		}
		b.watch.set(date(12, 1, 0))
		if err := b.send(1000); err != nil {
			t.Error(err)
		}
	})
}

// What power cuts and starts leave is the same stage, said once.
func TestStagesOutliveRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := &protocol.LinkRules{Budget: &protocol.Budget{Hard: 1_000_000, DailyPing: true}}
		b := newBox(t, rules)
		for b.send(10_000) == nil {
		}
		synctest.Wait()
		for range 3 {
			b.stop()
			b.boot(rules)
			synctest.Wait()
			if b.Stage() != protocol.SpendingSilent {
				t.Errorf("after a start: %v", b.Stage())
			}
		}
		b.stop()
		n := 0
		for _, e := range b.disk.events {
			if e == "spending-silent" {
				n++
			}
		}
		if n != 1 {
			t.Errorf("it was said %d times: %v", n, b.disk.events)
		}
	})
}

// At the cap there is one contact a day, which fits below the cap until the cycle ends.
func TestDailyPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, &protocol.LinkRules{Budget: &protocol.Budget{Hard: 1_000_000, DailyPing: true}})
		defer b.stop()
		for b.send(10_000) == nil {
		}
		start := date(11, 10, 12)
		pinged := 0
		for hour := range 19 * 24 {
			b.watch.set(start.Add(time.Duration(hour+24) * time.Hour))
			if !b.May(protocol.ClassSession, 2000, false) {
				continue
			}
			if b.May(protocol.ClassResults, 10, true) {
				t.Fatal("more than a ping may be sent")
			}
			if err := b.send(2500); err != nil {
				t.Errorf("the ping of hour %d: %v", hour, err)
			}
			pinged++
			if b.send(100) == nil {
				t.Errorf("a second one in hour %d", hour)
			}
		}
		if pinged < 18 || pinged > 20 {
			t.Errorf("%d pings in 19 days", pinged)
		}
		if spent := b.Report().Spent; spent > 1_000_000 {
			t.Errorf("%d spent", spent)
		}
	})
}
