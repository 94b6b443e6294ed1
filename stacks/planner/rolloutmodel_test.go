package planner_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/hub/vault"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/stacks/rollout"
)

// world is a hub with its rollouts under way, the boxes that it has, and operators.
type world struct {
	*planner.Planner
	*books
	t     *testing.T
	r     *rand.Rand
	dir   string
	store *faultyStore
	end   func() // ends the running planner
	boxes map[protocol.DeviceID]*box
	made  int
	calm  bool // nothing goes wrong any more
}

// TestRandomRollouts does random things to a hub, its devices and its rollouts, in virtual time, and holds what is stored
// and what devices are given to the books. A seed that fails is run again by its name.
func TestRandomRollouts(t *testing.T) {
	n := 50
	if testing.Short() {
		n = 10
	}
	for seed := range n {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomRollouts(t, uint64(seed)) })
	}
}

// lastSteps are those that a failure shows.
const lastSteps = 25

func randomRollouts(t *testing.T, seed uint64) {
	synctest.Test(t, func(t *testing.T) {
		dir, err := os.MkdirTemp(memory(t), "planner")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		w := &world{t: t, r: rand.New(rand.NewPCG(seed, 11)), dir: dir, boxes: map[protocol.DeviceID]*box{}}
		w.books = newBooks(t, &fakeFleet{devices: map[protocol.DeviceID]map[string]string{}, quiet: map[protocol.DeviceID]bool{}})
		w.open()
		defer func() { w.close() }()
		for range 4 + w.r.IntN(8) {
			w.addBox()
		}
		var trace []string
		for i := range 300 {
			what := w.step()
			w.pass()
			trace = append(trace, fmt.Sprintf("%d: %s", i, what))
			if !t.Failed() {
				w.check()
			}
			if t.Failed() {
				t.Fatalf("seed %d:\n%s", seed, strings.Join(trace[max(0, len(trace)-lastSteps):], "\n"))
			}
		}
		w.settle()
		if t.Failed() {
			t.Fatalf("seed %d, when nothing went wrong any more", seed)
		}
	})
}

// memory is a folder in memory where the system has such: what is tested here is not the disk.
func memory(t *testing.T) string {
	if _, err := os.Stat("/dev/shm"); err == nil {
		return "/dev/shm"
	}
	return t.TempDir()
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil && !errors.Is(err, errFault) {
		w.t.Fatal(err)
	}
}

func (w *world) open() {
	w.t.Helper()
	v, err := vault.Open(w.dir)
	w.must(err)
	db, err := store.Open(w.dir)
	w.must(err)
	w.store = &faultyStore{Store: db, books: w.books}
	w.Planner, err = planner.New(planner.Config{
		Store: w.store, Fleet: w.fleet, Vault: v, Log: slog.New(slog.DiscardHandler), KeepVersions: 4,
		Seal: plainSealer{},
	})
	w.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func(p *planner.Planner) { done <- p.Run(ctx) }(w.Planner)
	w.end = func() {
		cancel()
		w.must(<-done)
	}
}

func (w *world) close() {
	w.t.Helper()
	w.end()
	w.must(w.store.Close())
}

// hubRestarts closes and opens the hub, as it is.
func (w *world) hubRestarts() string {
	w.close()
	w.open()
	return "hub restarts"
}

// pass lets time go on, and starts the hub again if its power is gone.
func (w *world) pass() {
	time.Sleep([]time.Duration{0, 0, time.Second, 3 * time.Second, 20 * time.Second, time.Minute}[w.r.IntN(6)])
	synctest.Wait()
	if w.store.powerless() {
		w.hubRestarts()
	}
	synctest.Wait()
}

func (w *world) step() string {
	switch n := w.r.IntN(100); {
	case n < 2:
		return w.addBox()
	case n < 3:
		return w.removeBox()
	case n < 5:
		return w.relabel()
	case n < 10:
		return w.quiet()
	case n < 11:
		return w.confirm()
	case n < 14:
		return w.apply()
	case n < 15:
		return w.deploy()
	case n < 25:
		return w.operate()
	case n < 26 && w.r.IntN(3) == 0:
		return w.remove()
	case n < 28:
		return w.hubRestarts()
	case n < 32:
		f := fault(1 + w.r.IntN(3))
		w.store.arm(f)
		return fmt.Sprintf("the next write has fault %d", f)
	}
	b := w.anyBox()
	if b == nil {
		return "nothing"
	}
	if quiet := w.fleet.quiet[b.id]; quiet || w.r.IntN(3) == 0 {
		if w.r.IntN(12) == 0 {
			return b.technician(w.r)
		}
		for b.work(w.r, w.broken(b)) && w.r.IntN(3) > 0 {
		}
		return "works " + string(b.id)
	}
	return w.contact(b, func() bool { return w.r.IntN(10) == 0 })
}

func (w *world) broken(b *box) func(protocol.Entry) bool {
	return func(e protocol.Entry) bool {
		content, known := w.content(e.Name, e.Version)
		return !known || brokenBy(content, b.id)
	}
}

// contact is an exchange of a device with the hub, until lost says that the link broke.
func (w *world) contact(b *box, lost func() bool) string {
	if b.told && w.r.IntN(2) == 0 { // an order that crossed what the device says
		set := b.flight
		b.told, b.flight = false, nil
		b.accept(set)
		w.must(w.Holds(b.id, protocol.DesiredHash(set)))
		return "order arrives at " + string(b.id)
	}
	for _, st := range b.waiting() {
		if lost() {
			return "link of " + string(b.id) + " breaks"
		}
		if err := w.Status(b.id, st); err != nil {
			w.must(err)
			return "what " + string(b.id) + " says is not kept"
		}
		synctest.Wait()
		if lost() {
			return "link of " + string(b.id) + " breaks"
		}
		delete(b.outbox, st.Stack)
	}
	synctest.Wait() // the planner may be at a look that an earlier contact has called for
	faults := w.store.faults()
	set := w.Desired(b.id)
	if w.store.faults() == faults {
		w.compare(b, set)
	}
	switch {
	case lost():
		return "order to " + string(b.id) + " is lost"
	case lost():
		b.flight, b.told = set, true
		return "order leaves for " + string(b.id)
	}
	b.told, b.flight = false, nil
	b.accept(set)
	if lost() {
		return "acknowledgement of " + string(b.id) + " is lost"
	}
	w.must(w.Holds(b.id, protocol.DesiredHash(set)))
	return "contact of " + string(b.id)
}

// compare holds what a device is given to the books: one version of each stack that it is meant for, and the one that was
// granted to it, or else the one for all.
func (w *world) compare(b *box, set []protocol.Entry) {
	w.books.mu.Lock()
	defer w.books.mu.Unlock()
	given := map[uint64]protocol.Entry{}
	for _, e := range set {
		if _, twice := given[e.ID]; twice {
			w.t.Errorf("%s is given stack %s twice", b.id, e.Name)
		}
		given[e.ID] = e
	}
	target, _ := w.fleet.Target(b.id)
	for id, l := range w.ids {
		e, has := given[id]
		delete(given, id)
		version, nonce := l.due(b.id)
		switch {
		case !l.meant(w.fleet, b.id) || version == stacks.None:
			if has {
				w.t.Errorf("%s is given %s, version %d, which it shall not have", b.id, e.Name, e.Version)
			}
		case l.secret[version] && !target.Confirmed:
			if h := l.heard[b.id]; has && (e.Version == version || e.Version != h.Running && e.Version != h.Version || l.secret[e.Version]) {
				w.t.Errorf("%s is not confirmed, and is given %s, version %d, which has secrets, or which it did not have: %+v", b.id, e.Name, e.Version, h)
			}
		case !has:
			w.t.Errorf("%s is not given %s, version %d", b.id, l.rec.Name, version)
		case e.Version != version || e.Nonce != nonce || e.Files[0].Hash != protocol.HashOf([]byte(l.contents[version])):
			w.t.Errorf("%s is given %s, version %d nonce %d, and shall have version %d nonce %d", b.id, e.Name, e.Version, e.Nonce, version, nonce)
		}
	}
	for _, e := range given {
		w.t.Errorf("%s is given %s, which there is not", b.id, e.Name)
	}
}

// check holds what people see to the books.
func (w *world) check() {
	w.t.Helper()
	for _, o := range w.List() {
		l := w.ledger(o.Name)
		if l == nil {
			w.t.Errorf("there is a stack %s, which was never stored", o.Name)
			continue
		}
		list, err := w.Rollouts(o.Name)
		w.must(err)
		for _, v := range list {
			if c := l.courses[v.Number]; c.State.Phase != v.State.Phase || c.Version != v.Version {
				w.t.Errorf("%s: rollout %d is %s and shown as %s", o.Name, v.Number, c.State.Phase, v.State.Phase)
			}
		}
		states, err := w.Statuses(o.Name)
		w.must(err)
		seen := map[protocol.DeviceID]bool{}
		for _, s := range states {
			if seen[s.Device] {
				w.t.Errorf("%s: %s is listed twice", o.Name, s.Device)
			}
			seen[s.Device] = true
			if s.State == protocol.StackDeferred && s.Code == "" {
				w.t.Errorf("%s: %s is deferred, and nobody says why", o.Name, s.Device)
			}
		}
		for id := range w.boxes {
			if l.meant(w.fleet, id) && !seen[id] {
				w.t.Errorf("%s: %s is not listed", o.Name, id)
			}
		}
	}
}

// settle ends all that goes wrong, lets devices work and operators go on, until nothing changes: then every rollout is over,
// and every device is where nothing more happens, or says why.
func (w *world) settle() {
	w.calm = true
	w.store.arm(sound)
	w.hubRestarts()
	for _, id := range slices.Sorted(maps.Keys(w.boxes)) {
		w.fleet.mu.Lock()
		w.fleet.quiet[id] = false
		w.fleet.mu.Unlock()
		for _, x := range w.boxes[id].bays {
			if x.hold != 0 {
				x.hold = 0
				w.boxes[id].say(x.entry.ID, x, x.state)
			}
		}
	}
	idle := 0
	for range 3000 {
		busy, open := false, false
		for _, id := range slices.Sorted(maps.Keys(w.boxes)) {
			b := w.boxes[id]
			w.contact(b, func() bool { return false })
			busy = b.work(w.r, w.broken(b)) || len(b.outbox) > 0 || b.told || busy
		}
		for _, o := range w.List() {
			if o.Removed != 0 || o.Rollout == nil {
				continue
			}
			if r := o.Rollout; r.Approve && r.Approved == 0 && w.act(o.Name, r.Number, planner.ActionApprove) == nil {
				busy = true
			}
			if o.Rollout.State.Phase.Over() {
				continue
			}
			if o.Rollout.State.Phase == rollout.Paused {
				_ = w.act(o.Name, o.Rollout.Number, rollout.ActionContinue)
				busy = true
			}
			open = true
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if idle++; busy {
			idle = 0
		}
		switch {
		case w.t.Failed():
			return
		case !open && idle > 0:
			w.settled()
			return
		case idle > 110: // longer than any window takes to come
			if !w.waitForPeople() {
				return
			}
			idle = 0
		}
	}
	for _, o := range w.List() {
		w.t.Errorf("%s never ends: %+v, %+v", o.Name, o.Stack, o.Rollout)
		devices, _ := w.RolloutDevices(o.Name, 0)
		for _, d := range devices {
			w.t.Logf("%+v", d)
		}
	}
}

// waitForPeople holds that what is not over waits for devices that nobody has confirmed, and confirms them all. It is false
// when something else is the matter.
func (w *world) waitForPeople() bool {
	for _, o := range w.List() {
		if o.Rollout == nil || o.Rollout.State.Phase.Over() {
			continue
		}
		devices, err := w.RolloutDevices(o.Name, o.Rollout.Number)
		w.must(err)
		if o.Rollout.Why == "" || !slices.ContainsFunc(devices, func(d planner.RolloutDevice) bool { return d.Why == stacks.CodeUnconfirmed }) {
			w.t.Errorf("%s: rollout %d stands still: %+v", o.Name, o.Rollout.Number, o.Rollout)
			for _, d := range devices {
				w.t.Logf("%+v", d)
			}
			return false
		}
	}
	some := false
	for _, id := range slices.Sorted(maps.Keys(w.boxes)) {
		labels := maps.Clone(w.fleet.devices[id])
		if labels["confirmed"] != "" {
			delete(labels, "confirmed")
			w.relabelTo(id, labels)
			some = true
		}
	}
	if !some {
		w.t.Error("nobody is left to be confirmed, and something is still open")
	}
	return some
}

func (w *world) settled() {
	w.check()
	for _, o := range w.List() {
		if o.Removed != 0 {
			w.t.Errorf("%s was removed and stays", o.Name)
			continue
		}
		states, err := w.Statuses(o.Name)
		w.must(err)
		for _, s := range states {
			if !final(s.State) && s.Code == "" {
				w.t.Errorf("%s: %s is %s in the end, and nobody says why: %+v", o.Name, s.Device, s.State, s)
			}
			x := w.boxes[s.Device].bays[s.Stack]
			if s.State == protocol.StackRunning && (x == nil || x.good == nil || x.good.Version != s.Version) {
				w.t.Errorf("%s: %s is shown as running version %d: %+v", o.Name, s.Device, s.Version, x)
			}
		}
	}
	w.books.mu.Lock()
	defer w.books.mu.Unlock()
	for _, b := range w.boxes {
		for id := range b.bays {
			if w.ids[id] == nil {
				w.t.Errorf("%s still has stack %d, which there is not", b.id, id)
			}
		}
	}
}
