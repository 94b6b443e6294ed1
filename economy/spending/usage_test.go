package spending

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/protocol"
)

// The hub is told of days that are over, of the present one when it is worth it, and of nothing twice; what was not
// acknowledged is told again, through starts too.
func TestUsageIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := &protocol.LinkRules{Budget: &protocol.Budget{Hard: 50_000_000}}
		b := newBox(t, rules)
		tell := func() protocol.Usage {
			t.Helper()
			u, ok := b.Usage()
			if !ok {
				t.Fatal("nothing is told")
			}
			if err := b.Reported(u); err != nil {
				t.Fatal(err)
			}
			return u
		}
		if err := b.send(20_000); err != nil {
			t.Fatal(err)
		}
		if u := tell(); len(u.Days) != 1 || u.Spent < 20_000 || u.Cycle == 0 {
			t.Errorf("told %+v", u)
		}
		if err := b.send(500); err != nil {
			t.Fatal(err)
		}
		if u, ok := b.Usage(); ok {
			t.Errorf("a few bytes more are told: %+v", u)
		}
		if err := b.send(20_000); err != nil {
			t.Fatal(err)
		}
		if u, ok := b.Usage(); ok {
			t.Errorf("told right after it was told: %+v", u)
		}
		time.Sleep(10 * time.Second)
		b.watch.set(date(11, 11, 1))
		yesterday, ok := b.Usage()
		if !ok || len(yesterday.Days) != 1 || yesterday.Days[0].Counts[0].Up < 40_500 {
			t.Errorf("the day is over, and told is %+v", yesterday)
		}
		b.stop()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b.boot(rules)
		defer b.stop()
		if u := tell(); len(u.Days) != 1 || u.Days[0].Day != yesterday.Days[0].Day {
			t.Errorf("it was not acknowledged, and after a start told is %+v", u)
		}
		if u, ok := b.Usage(); ok {
			t.Errorf("told again: %+v", u)
		}
	})
}

// Names that are looked up and attempts that fail cost something although no connection sees it.
func TestAttemptsCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, nil)
		defer b.stop()
		slow := func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := b.Attempts(slow)(ctx, "tcp", "hub.example:9443"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		r := b.Report()
		if len(r.Cycle) != 2 || r.Cycle[0].Class != "session" || r.Cycle[0].Up != 4*60 || r.Cycle[1].Class != "other" || r.Cycle[1].Down < 150 {
			t.Errorf("counted is %+v", r.Cycle)
		}
	})
}

// At the cap, attempts that reach nobody do not go on for ever.
func TestFewAttemptsForThePingOfTheDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, &protocol.LinkRules{Budget: &protocol.Budget{Hard: 1_000_000, DailyPing: true}})
		defer b.stop()
		for b.send(10_000) == nil {
		}
		b.watch.set(date(11, 11, 1))
		tried := 0
		for range 100 {
			_, err := b.Attempts(func(context.Context, string, string) (net.Conn, error) {
				tried++
				return nil, errors.New("no route")
			})(t.Context(), "tcp", "127.0.0.1:1")
			if err == nil {
				t.Fatal("connected to nobody")
			}
			time.Sleep(10 * time.Minute)
		}
		if tried != pingAttempts {
			t.Errorf("%d attempts in a day", tried)
		}
	})
}

// What comes down one after the other says how fast the link is; pauses do not.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, nil)
		defer b.stop()
		near, far := b.hub()
		go func() {
			for range 300 {
				time.Sleep(100 * time.Millisecond)
				if _, err := far.Write(make([]byte, 1000)); err != nil {
					return
				}
			}
			_ = far.Close()
		}()
		buf := make([]byte, 4096)
		var err error
		for err == nil {
			_, err = near.Read(buf)
		}
		time.Sleep(time.Hour)
		if r := b.Report().Rate; r < 9_900 || r > 10_100 {
			t.Errorf("measured %d bytes a second", r)
		}
	})
}

// Many connections at once never pass the cap, and the count stays whole.
func TestManyConnections(t *testing.T) {
	b := newBox(t, capped(2_000_000))
	defer b.stop()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 20 {
				if i%2 == 0 {
					_ = b.send(30_000)
					b.Sent(protocol.ClassResults)
				} else {
					_, _ = b.fetch(30_000)
				}
				_, _ = b.Usage()
				_ = b.Report()
			}
		})
	}
	all.Wait()
	r := b.Report()
	total := uint64(0)
	for _, c := range r.Cycle {
		total += c.Up + c.Down
	}
	if total != r.Spent || r.Spent > 2_000_000 || r.Stage == protocol.SpendingFree {
		t.Errorf("%d spent, %d by classes, %v", r.Spent, total, r.Stage)
	}
	if b.held != 0 {
		t.Errorf("%d bytes are held for nobody", b.held)
	}
}
