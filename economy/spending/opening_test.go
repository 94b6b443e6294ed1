package spending

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/protocol"
)

func windowed() *protocol.LinkRules {
	return &protocol.LinkRules{Contact: &protocol.Contact{Windows: []protocol.ContactWindow{{Start: "0 */6 * * *", Seconds: 600, Zone: "UTC"}}}}
}

// Outside of an opening connections carry nothing, in either direction; who waits goes on when it begins.
func TestNothingOutsideOfOpenings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, windowed())
		defer b.stop()
		near, far := b.hub()
		defer far.Close()
		if _, err := near.Write(make([]byte, 100)); err != nil {
			t.Fatalf("at noon: %v", err)
		}
		time.Sleep(10 * time.Minute)
		before := b.Report().Spent
		if _, err := near.Write(make([]byte, 100)); !errors.Is(err, ErrNotNow) {
			t.Errorf("after the window: %v", err)
		}
		if _, err := near.Read(make([]byte, 1)); err == nil {
			t.Error("something was read after the window")
		}
		if _, err := b.fetch(1); !errors.Is(err, ErrNotNow) {
			t.Errorf("images after the window: %v", err)
		}
		if after := b.Report().Spent; after != before {
			t.Errorf("%d bytes after the window", after-before)
		}
		if err := far.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the hub was told that the connection ended: %v", err)
		}
		if b.May(protocol.ClassResults, 1, true) {
			t.Error("urgent work may not open a window")
		}
		started := time.Now()
		if err := b.Await(t.Context(), protocol.ClassPull, 1000); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(started); waited != 4*time.Hour+50*time.Minute {
			t.Errorf("the next window begins after %s", waited)
		}
		select {
		case <-b.Changed():
		default:
			t.Error("nobody is told that it has begun")
		}
	})
}

func TestSomebodyAtTheDeviceOpensContact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, &protocol.LinkRules{Contact: windowed().Contact, Budget: &protocol.Budget{Hard: 200_000}})
		defer b.stop()
		time.Sleep(time.Hour)
		if b.May(protocol.ClassSession, 1, false) {
			t.Fatal("open at one o'clock")
		}
		if err := b.Local(time.Now().Add(5*time.Minute), "kim"); err != nil {
			t.Fatal(err)
		}
		if o, ok := b.Opening(); !ok || o.End.Sub(o.Start) != 5*time.Minute || !b.disk.said("contact-opened") {
			t.Errorf("opening %v", o)
		}
		for b.send(5000) == nil {
		}
		if spent := b.Report().Spent; spent > 200_000 {
			t.Errorf("contact was opened, and %d spent", spent)
		}
		time.Sleep(5 * time.Minute)
		if o, ok := b.Opening(); !ok || o.Start.Hour() != 18 {
			t.Errorf("afterwards the next opening is %v", o)
		}
	})
}

// Without the time, a table of windows says nothing: the device asks for the time when it starts, and once a day.
func TestWindowsWithoutAClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, windowed())
		if err := b.send(100); err != nil {
			t.Fatal(err)
		}
		b.stop()
		b.watch.doubt(true)
		b.watch.set(time.Unix(0, 0))
		b.boot(windowed())
		defer b.stop()
		if err := b.send(100); err != nil {
			t.Errorf("to ask for the time: %v", err)
		}
		time.Sleep(lostFor)
		if b.send(100) == nil {
			t.Error("it is in contact although it does not know the time")
		}
		time.Sleep(lostEvery - lostFor)
		if err := b.send(100); err != nil {
			t.Errorf("the next day: %v", err)
		}
	})
}

// A time of contact takes as long as the windows let it.
func TestContactTakesItsOpenings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, windowed()) // at noon, where a window of ten minutes begins
		defer b.stop()
		for contact, want := range map[time.Duration]time.Duration{
			5 * time.Minute:  5 * time.Minute,
			15 * time.Minute: 6*time.Hour + 5*time.Minute,
			24 * time.Hour:   12*time.Hour + 10*time.Minute,
		} {
			if got := b.Takes(contact); got != want {
				t.Errorf("at noon %s of contact take %s, want %s", contact, got, want)
			}
		}
		time.Sleep(time.Hour)
		if got := b.Takes(5 * time.Minute); got != 5*time.Hour+5*time.Minute {
			t.Errorf("an hour later five minutes take %s", got)
		}
		b.Rules(nil)
		if got := b.Takes(time.Hour); got != time.Hour {
			t.Errorf("without rules an hour takes %s", got)
		}
	})
}

// What is silent at its cap has no contact before its cycle ends, and then when a window opens.
func TestContactOfASilentDeviceTakesItsCycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			contact *protocol.Contact
			want    time.Duration // after the end of the cycle
		}{
			"at any time": {nil, 5 * time.Minute},
			"in windows":  {windowed().Contact, 5 * time.Minute}, // one opens at midnight
		} {
			rules := capped(1_000_000)
			b := newBox(t, rules)
			for b.send(10_000) == nil {
			}
			rules.Contact = c.contact
			b.Rules(rules)
			if b.Stage() != protocol.SpendingSilent {
				t.Fatalf("%s: stage %v", name, b.Stage())
			}
			now, _ := b.watch.now()
			end := time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, time.UTC)
			if got := b.Takes(5 * time.Minute); got.Round(time.Second) != end.Sub(now).Round(time.Second)+c.want {
				t.Errorf("%s: it takes %s, want %s after %s", name, got, c.want, end.Sub(now))
			}
			b.stop()
		}
	})
}
