package doorway

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// peer is a connection that remembers whether it was closed.
type peer struct{ closed atomic.Bool }

func (p *peer) Close() error { p.closed.Store(true); return nil }

func enter(t *testing.T, d *Door) (*peer, *Guest) {
	t.Helper()
	p := new(peer)
	g, err := d.Enter(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return p, g
}

func TestStrangerIsDroppedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(Config{})
		p, _ := enter(t, d)
		q, g := enter(t, d)
		time.Sleep(9 * time.Second)
		g.Leave()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !p.closed.Load() {
			t.Error("a stranger is still there after 11 s")
		}
		if q.closed.Load() {
			t.Error("one that authenticated was dropped")
		}
		g.Return()
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if !q.closed.Load() {
			t.Error("one that became a stranger again is still there after 11 s")
		}
		if d.Strangers() != 0 {
			t.Errorf("%d strangers left", d.Strangers())
		}
	})
}

func TestIdleStrangersCannotLockOthersOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(Config{Max: 3})
		var idle []*peer
		for range 3 {
			p, _ := enter(t, d)
			idle = append(idle, p)
			time.Sleep(time.Millisecond)
		}
		start := time.Now()
		_, g := enter(t, d)
		if w := time.Since(start); w > DefaultPatience {
			t.Errorf("waited %s behind idle strangers", w)
		}
		synctest.Wait()
		if !idle[0].closed.Load() || idle[1].closed.Load() {
			t.Error("it is the oldest that makes room")
		}
		if d.Strangers() != 3 {
			t.Errorf("%d strangers, at most 3", d.Strangers())
		}
		g.Leave()
	})
}

func TestStormOfHonestPeersLosesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(Config{Max: 4})
		var dropped atomic.Int32
		done := make(chan struct{})
		const n = 200
		for range n {
			go func() {
				p := new(peer)
				g, err := d.Enter(t.Context(), p)
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(100 * time.Millisecond) // authenticates
				g.Leave()
				if p.closed.Load() {
					dropped.Add(1)
				}
				done <- struct{}{}
			}()
		}
		start := time.Now()
		for range n {
			<-done
		}
		if dropped.Load() != 0 {
			t.Errorf("%d honest peers were dropped", dropped.Load())
		}
		if d := time.Since(start); d > 6*time.Second {
			t.Errorf("took %s, 4 at a time in 100 ms each make 5 s", d)
		}
	})
}

func TestEnterEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(Config{Max: 1})
		enter(t, d)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.Enter(ctx, new(peer)); err == nil {
			t.Error("entered a full door")
		}
	})
}

func TestPortInUseIsSaid(t *testing.T) {
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Listen(t.Context(), l.Addr().String()); err == nil || !strings.Contains(err.Error(), "in use: stop the program") {
		t.Errorf("got %v", err)
	}
}
