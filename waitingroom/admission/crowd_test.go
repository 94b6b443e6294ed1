package admission_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

func TestHoldingEndsInTimeAndIsBounded(t *testing.T) {
	f := newFixture(t)
	f.cfg.MaxHeld = 1
	f.restart()
	k := f.key(admission.KeySpec{})
	a, b := newDevice(t), newDevice(t)
	f.knock(a, k)
	f.knock(b, k)
	a.hold, b.hold = true, true
	if err := errors.Join(f.Close(), f.store.Close()); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		f.open()
		defer func() {
			if err := f.store.Close(); err != nil {
				t.Error(err)
			}
		}()
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- f.Run(ctx) }()
		first := make(chan protocol.KnockAnswer)
		go func() { x, _ := f.Knock(t.Context(), a.request(k)); first <- x }()
		synctest.Wait()
		start := time.Now()
		if x := f.knock(b, k); x.State != protocol.KnockWaiting || x.RetryAfter != 60 || time.Since(start) != 0 {
			t.Errorf("beyond the bound: %+v after %v, want an answer at once that says 60 s", x, time.Since(start))
		}
		if x := <-first; x.State != protocol.KnockWaiting || x.RetryAfter != 1 || time.Since(start) != admission.DefaultHoldTime {
			t.Errorf("held: %+v after %v", x, time.Since(start))
		}
		go func() { x, _ := f.Knock(t.Context(), a.request(k)); first <- x }()
		synctest.Wait()
		cancel()
		if x := <-first; x.State != protocol.KnockWaiting {
			t.Errorf("when the hub stops: %+v", x)
		}
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	f.open()
	if got := f.List(); got[0].Count != 3 && got[1].Count != 3 {
		t.Errorf("counts were not stored: %+v", got)
	}
}

func TestDevicesThatStoppedKnockingGiveWay(t *testing.T) {
	f := newFixture(t)
	k := f.key(admission.KeySpec{MaxWaiting: 1})
	gone := newDevice(t)
	f.knock(gone, k)
	w := f.List()[0]
	w.Last -= 15 * 24 * 3600
	if err := errors.Join(f.Close(), f.store.PutWaiting(w)); err != nil {
		t.Fatal(err)
	}
	f.restart()
	d := newDevice(t)
	f.want(f.knock(d, k), protocol.KnockWaiting, 0)
	if l := f.List(); len(l) != 1 || l[0].ID != d.id() {
		t.Fatalf("%+v", l)
	}
}

// Pairing codes are dear: who has one edge key must not keep the hub busy with any number of newcomers.
func TestNewcomersQueueIsBounded(t *testing.T) {
	f := newFixture(t)
	k := f.key(admission.KeySpec{})
	f.cfg.MaxQueue = 2
	f.restart()
	const knocks = 40
	answers := make(chan protocol.KnockAnswer, knocks)
	for range knocks {
		r := newDevice(t).request(k)
		go func() {
			a, err := f.Knock(t.Context(), r)
			if err != nil {
				t.Error(err)
			}
			answers <- a
		}()
	}
	states := map[protocol.KnockState]int{}
	for range knocks {
		a := <-answers
		states[a.State]++
		if a.State == protocol.KnockRefused && (a.Code != protocol.CodeBusy || a.RetryAfter == 0) {
			t.Errorf("%+v", a)
		}
	}
	if states[protocol.KnockWaiting] == 0 || states[protocol.KnockRefused] == 0 {
		t.Errorf("of %d at once: %v; want some in the waiting room and some sent away for a moment", knocks, states)
	}
	f.want(f.knock(newDevice(t), k), protocol.KnockWaiting, 0)
}

// counting counts what is written to the disk.
type counting struct {
	admission.Store
	puts atomic.Int32
}

func (c *counting) PutWaiting(w ...waitingroom.Waiting) error {
	c.puts.Add(1)
	return c.Store.PutWaiting(w...)
}

// A knock costs a stranger with an edge key nothing, so it must not cost the hub a write each.
func TestKnockingOnAndOnDoesNotWearTheDisk(t *testing.T) {
	f := newFixture(t)
	k := f.key(admission.KeySpec{})
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	c := &counting{Store: f.store}
	f.cfg.Store = c
	desk, err := admission.New(f.cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.Desk = desk
	d := newDevice(t)
	for i := range 200 {
		d.facts.Hostname = fmt.Sprintf("gw-%d", i)
		f.want(f.knock(d, k), protocol.KnockWaiting, 0)
	}
	if n := c.puts.Load(); n > 20 {
		t.Errorf("%d writes for 200 knocks", n)
	}
	if got := f.List()[0]; got.Facts.Hostname != "gw-199" || got.Count != 200 {
		t.Errorf("shown as %+v", got)
	}
	f.cfg.Store = f.store
	f.restart()
	if got := f.List()[0]; got.Facts.Hostname != "gw-199" {
		t.Errorf("after a stop it is shown as %q", got.Facts.Hostname)
	}
}
