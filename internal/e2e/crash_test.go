package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// TestKilledAtAnyPoint kills hub and agent, each at a random point of a device's life, five times.
func TestKilledAtAnyPoint(t *testing.T) {
	t.Parallel()
	killRounds(t, 5, "hub", "agent")
}

// killRounds lets a device live once undisturbed, to know how long that takes, and then so many times with each of the
// victims killed at some point. FARSHORE_E2E_SEED repeats the choice of points.
func killRounds(t *testing.T, rounds int, victims ...string) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("FARSHORE_E2E_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	e := newEngine(t)
	h := newHub(t, hubConfig{})
	key := h.key("field")
	life := &life{t: t, h: h, e: e, key: key, shop: newShop(t, h, e)}
	t.Cleanup(life.killers.Wait)
	began := time.Now()
	life.round("undisturbed", "mqtt", func() {})
	span := time.Since(began)
	t.Logf("undisturbed it takes %s", span.Round(time.Millisecond))
	for i := 0; i < rounds && !t.Failed(); i++ {
		carrier := [...]string{"https", "mqtt"}[i%2]
		life.round(fmt.Sprintf("round-%d", i), carrier, func() {
			for _, victim := range victims {
				at := time.Duration(random.Int64N(int64(span)))
				t.Logf("round %d, %s: the %s is killed after %s", i, carrier, victim, at.Round(time.Millisecond))
				life.killAfter(at, victim)
			}
		})
	}
}

// life is what the rounds share.
type life struct {
	t    *testing.T
	h    *hub
	e    *engine
	key  string
	shop *shop
	a    *agent // of the round

	killers sync.WaitGroup
}

// killAfter lets the victim be killed at a time from now, or as soon as it runs after that. It starts again at once.
func (l *life) killAfter(at time.Duration, victim string) {
	d := l.h.daemon
	if victim == "agent" {
		d = l.a.daemon
	}
	l.killers.Go(func() {
		for next := time.After(at); ; next = time.After(10 * time.Millisecond) {
			select {
			case <-l.t.Context().Done():
				return
			case <-next:
			}
			if done, err := d.crash(); err != nil || done {
				if err != nil {
					l.t.Error(err)
				}
				return
			}
		}
	})
}

// round is a device's life: it joins, gets the stack, gets a change of it while commands come, and loses it while it
// is off.
func (l *life) round(name, carrier string, disturb func()) {
	t, h, s := l.t, l.h, l.shop
	t.Helper()
	l.a = newAgent(t, carrier, l.e)
	a := l.a
	a.join(l.key)
	disturb()
	device := l.admit(name)

	s.apply(device, "open")
	h.runs(s.name, device, 1)
	s.shows("open")
	before := l.e.mustRuns(s.name)

	given := 0
	restart := func() {
		h.cli("command", "container-restart", device, s.name+"-till-1")
		given++
	}
	restart()
	s.apply(device, "closed")
	restart()
	h.runs(s.name, device, 2)
	restart()
	s.shows("closed")
	l.commandsEnded(device, given)
	if now := l.e.mustRuns(s.name); now["till"].ID != before["till"].ID || now["clock"] != before["clock"] {
		t.Errorf("services that did not change were touched: they were %v and are %v", before, now)
	}

	a.stop()
	s.remove()
	a.start()
	until(t, "the containers are gone", func() error { return l.e.gone(s.name) })
	h.hasNo(s.name)
	until(t, "the snapshot is what the engine says", func() error { return snapshotIs(h, device, l.e) })
	l.killers.Wait() // the round may have been quicker than the last one
	h.connected(device, carrier)
	h.cli("devices", "rm", device, "--yes")
	a.stop()
}

// admit lets the round's device in, whatever dies meanwhile.
func (l *life) admit(name string) (device string) {
	l.h.t.Helper()
	until(l.h.t, "the device is let in", func() error {
		s, err := l.a.status()
		if err != nil {
			return err
		}
		device = s.ID
		if s.Approved {
			return nil
		}
		if r := l.h.try("waiting", "approve", s.ID, "--name", name); r.code != exitOK {
			return fmt.Errorf("farshore waiting approve: %v", r)
		}
		return fmt.Errorf("it does not know yet")
	})
	return device
}

// commandsEnded waits until each restart that was asked for has ended, and compares with what was done: a restart that
// is "done" was done once, one that was "interrupted" once or not at all, and there is no other end.
func (l *life) commandsEnded(device string, given int) {
	t := l.t
	t.Helper()
	var all []commandShown
	until(t, "all commands have ended", func() error {
		all = nil
		if err := l.h.ask(&all, "command", "ls", device); err != nil {
			return err
		}
		for _, c := range all {
			if !c.Final {
				return fmt.Errorf("%s is %s", c.ID, c.State)
			}
		}
		return nil
	})
	ends := map[string]int{}
	for _, c := range all {
		ends[c.State]++
	}
	if len(all) < given || ends["done"]+ends["interrupted"] != len(all) {
		t.Errorf("%d commands were given; they ended as %+v", given, all)
	}
	starts, err := l.e.starts(l.shop.name, "till")
	if err != nil {
		t.Fatal(err)
	}
	if least, most := 1+ends["done"], 1+ends["done"]+ends["interrupted"]; starts < least || starts > most {
		t.Errorf("the container was started %d times; the commands ended as %v", starts, ends)
	}
	if ends["interrupted"] > 0 {
		t.Logf("%d of %d commands were interrupted", ends["interrupted"], len(all))
	}
}
