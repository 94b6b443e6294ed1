package reconciler_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/reconciler"
)

// Whatever happens to a device, in whatever order: each change of a status is a lawful one, and
// when all is well again the device has what it shall have.
func TestAnythingInAnyOrderEndsWell(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.boot()
				defer func() { r.stop() }()
				c := &chaos{rig: r, rand: rand.New(rand.NewPCG(seed, 1)), want: map[uint64]protocol.Entry{}}
				for range 60 {
					c.happen()
					pass(time.Duration(c.rand.Int64N(int64(2 * time.Minute))))
				}
				c.mend()
			})
		})
	}
}

// chaos is what happens to a device.
type chaos struct {
	*rig
	rand    *rand.Rand
	want    map[uint64]protocol.Entry
	version uint64
	log     []string
}

func (c *chaos) order() {
	var set []protocol.Entry
	for _, e := range c.want {
		set = append(set, e)
	}
	slices.SortFunc(set, func(a, b protocol.Entry) int { return protocol.CompareKeys(a.EntryKey, b.EntryKey) })
	c.desire(set...)
}

func (c *chaos) happen() {
	id := 1 + c.rand.Uint64N(3)
	what := c.rand.IntN(14)
	c.log = append(c.log, fmt.Sprintf("%s: %d to %d", time.Now().Format(time.TimeOnly), what, id))
	switch what {
	case 0, 1, 2, 3:
		c.version++
		kinds := []string{"web good", "web good\ndb good", "web sick", "web gone", "web away", "???", "web port", "web hang", "web good\ninit job"}
		e := c.entry(id, c.version, kinds[c.rand.IntN(len(kinds))]+fmt.Sprintf("\nx%d good", c.version))
		e.Verify, e.Retries, e.Stay = uint32(c.rand.IntN(3))*30, uint32(c.rand.IntN(3)), c.rand.IntN(4) == 0
		switch c.rand.IntN(4) {
		case 0:
			e.Change = &protocol.ChangeRule{Windows: atTwo.Windows, FetchLate: c.rand.IntN(2) == 0}
		case 1:
			e.Change = &protocol.ChangeRule{Hold: true, FetchLate: c.rand.IntN(2) == 0}
		}
		c.want[id] = e
		c.order()
	case 4:
		delete(c.want, id)
		c.order()
	case 5:
		if e, ok := c.want[id]; ok { // approved
			e.Change = nil
			c.want[id] = e
			c.order()
		}
	case 6, 7:
		c.boot()
	case 8:
		c.engine.with(func() { c.engine.absent = !c.engine.absent })
	case 9:
		c.reach(c.rand.IntN(2) == 0)
	case 10:
		c.engine.with(func() {
			for name, x := range c.engine.containers {
				x.State, x.ExitCode = protocol.ContainerExited, 1
				c.engine.containers[name] = x
				if c.rand.IntN(2) == 0 {
					delete(c.engine.containers, name)
				}
				return
			}
		})
	case 11:
		c.engine.mu.Lock()
		c.engine.took[fmt.Sprintf("s%d", id)] = time.Duration(c.rand.IntN(3)) * time.Minute
		c.engine.mu.Unlock()
	case 12, 13:
		deeds := []reconciler.Deed{reconciler.DeedHold, reconciler.DeedStop, reconciler.DeedRollback, reconciler.DeedResume}
		d := reconciler.Decision{Stack: fmt.Sprint(id), Deed: deeds[c.rand.IntN(len(deeds))], By: "kim"}
		go func() { _ = c.Decide(c.t.Context(), d) }()
	}
}

// mend makes all well again, and checks that the device gets there.
func (c *chaos) mend() {
	c.t.Helper()
	c.reach(true)
	c.engine.with(func() { c.engine.absent = false; clear(c.engine.took) })
	pass(time.Hour)
	for id, e := range c.want {
		c.version++
		good := c.entry(id, c.version, "web good\ndb good")
		good.Nonce = e.Nonce
		c.want[id] = good
	}
	for id := range uint64(3) {
		_ = c.Decide(c.t.Context(), reconciler.Decision{Stack: fmt.Sprint(id + 1), Deed: reconciler.DeedResume})
	}
	c.order()
	pass(2 * time.Hour)
	var containers []string
	for id := range uint64(3) {
		if e, ok := c.want[id+1]; ok {
			c.expect(id+1, fmt.Sprintf("running v%d running:0", e.Version))
			containers = append(containers, fmt.Sprintf("s%d-db-1", id+1), fmt.Sprintf("s%d-web-1", id+1))
		}
	}
	c.expectContainers(containers...)
	for _, a := range c.store.Applied() {
		if a.Phase != reconciler.PhaseApplied || a.Held != nil {
			c.t.Errorf("the journal ends with %+v", a)
		}
	}
	if c.t.Failed() {
		for _, l := range c.log {
			c.t.Log(l)
		}
	}
}
