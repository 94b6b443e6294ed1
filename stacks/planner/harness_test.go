package planner_test

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/hub/vault"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/compose"
	"github.com/farshore/farshore/stacks/planner"
)

// fakeFleet knows devices by their labels; a selector is "" or "key=value", and the label group is the group.
type fakeFleet struct {
	mu      sync.Mutex
	devices map[protocol.DeviceID]map[string]string
	quiet   map[protocol.DeviceID]bool
}

func (f *fakeFleet) Reachable(d protocol.DeviceID) (bool, time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.quiet[d], time.Time{}
}

func (f *fakeFleet) Check(selector string) error {
	if selector != "" && !strings.Contains(selector, "=") {
		return fmt.Errorf("selector %q: want key=value", selector)
	}
	return nil
}

func (f *fakeFleet) Matching(r stacks.Reach) (out []protocol.DeviceID, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for d := range f.devices {
		if f.matches(r, d) {
			out = append(out, d)
		}
	}
	slices.Sort(out)
	return out, f.Check(r.Selector)
}

func (f *fakeFleet) Matches(r stacks.Reach, d protocol.DeviceID) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.matches(r, d), f.Check(r.Selector)
}

func (f *fakeFleet) matches(r stacks.Reach, d protocol.DeviceID) bool {
	labels, ok := f.devices[d]
	k, v, _ := strings.Cut(r.Selector, "=")
	return ok && (r.Selector == "" || labels[k] == v) && (r.Group == "" || labels["group"] == r.Group)
}

func (f *fakeFleet) Target(d protocol.DeviceID) (stacks.Target, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	labels, ok := f.devices[d]
	return stacks.Target{Name: "name of " + string(d), Labels: labels, Group: labels["group"], Confirmed: labels["confirmed"] != "no", Spent: labels["spent"] == "yes"}, ok
}

var errPolicy = errors.New("the policy does not allow it")

// hub is a planner on a real store and vault, which can be stopped and started.
type hub struct {
	*planner.Planner
	t      testing.TB
	dir    string
	keep   int
	refuse error // what the validator says
	env    map[string]string
	forbid map[string]stacks.Rule // by group
	takes  []stacks.Take          // what the validator says that a bundle takes, and which variables it uses
	uses   []string
	varies []compose.Varied
	real   bool // bundles are validated as the hub does
	seal   planner.DeviceSealer
	own    map[protocol.DeviceID]map[string]planner.Variable
	// accepted is what the session knows that devices hold.
	accepted map[protocol.DeviceID][]protocol.Entry
	db       *store.Store
	fleet    *fakeFleet
	mu       sync.Mutex
	told     map[protocol.DeviceID]int
	events   []planner.Notice
}

func start(t testing.TB, devices map[protocol.DeviceID]map[string]string) *hub {
	t.Helper()
	h := &hub{t: t, dir: t.TempDir(), keep: 4, accepted: map[protocol.DeviceID][]protocol.Entry{}, fleet: &fakeFleet{devices: devices, quiet: map[protocol.DeviceID]bool{}}, told: map[protocol.DeviceID]int{}}
	h.open()
	t.Cleanup(func() { _ = h.db.Close() })
	return h
}

func (h *hub) open() {
	h.t.Helper()
	v, err := vault.Open(h.dir)
	h.must(err)
	h.db, err = store.Open(h.dir)
	h.must(err)
	h.Planner, err = planner.New(planner.Config{
		Store: h.db, Fleet: h.fleet, Vault: v, Log: slog.New(slog.DiscardHandler), KeepVersions: h.keep,
		Notify: func(d protocol.DeviceID) { h.mu.Lock(); h.told[d]++; h.mu.Unlock() },
		Events: func(n planner.Notice) { h.mu.Lock(); h.events = append(h.events, n); h.mu.Unlock() },
		Validate: func(files map[string][]byte, env map[string]string) (compose.Summary, error) {
			h.env = maps.Clone(env)
			if h.real {
				return compose.Validate(files, env)
			}
			if strings.Contains(string(files["compose.yml"]), "harmless") {
				return compose.Summary{}, h.refuse
			}
			return compose.Summary{
				Asks: []stacks.Asks{{Service: "web", Wants: []stacks.Want{{Rule: stacks.RulePrivileged}}}}, Takes: h.takes, Variables: h.uses, Varies: h.varies,
			}, h.refuse
		},
		Accepted: func(dev protocol.DeviceID) ([]protocol.Entry, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.accepted[dev], nil
		},
		Seal: h.seal, Variables: func(dev protocol.DeviceID, _ string) map[string]planner.Variable { return h.own[dev] },
		Allows: func(group string, asks []stacks.Asks) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			for _, a := range asks {
				for _, w := range a.Wants {
					if h.forbid[group] == w.Rule {
						return fmt.Errorf("%w: rule %s of %q", errPolicy, w.Rule, group)
					}
				}
			}
			return nil
		},
	})
	h.must(err)
}

func (h *hub) restart() {
	h.t.Helper()
	h.must(h.db.Close())
	h.open()
}

func (h *hub) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *hub) apply(spec planner.ApplySpec) (stacks.Stack, stacks.Version) {
	h.t.Helper()
	s, v, err := h.Apply(spec)
	h.must(err)
	return s, v
}

func (h *hub) redeploy(name string) {
	h.t.Helper()
	_, err := h.Deploy(planner.DeploySpec{Stack: name, Force: true, By: "ada"})
	h.must(err)
}

func (h *hub) exists(name string) bool {
	_, err := h.Get(name)
	if err != nil && !errors.Is(err, stacks.ErrNotFound) {
		h.t.Fatal(err)
	}
	return err == nil
}

func (h *hub) state(name string, dev protocol.DeviceID) planner.DeviceStatus {
	h.t.Helper()
	list, err := h.Statuses(name)
	h.must(err)
	i := slices.IndexFunc(list, func(s planner.DeviceStatus) bool { return s.Device == dev })
	if i < 0 {
		return planner.DeviceStatus{}
	}
	return list[i]
}

func bundle(content string) map[string][]byte {
	return map[string][]byte{"compose.yml": []byte(content)}
}

// device does what an edge agent does with orders, as far as the planner can tell.
type device struct {
	id     protocol.DeviceID
	rev    uint64
	set    []protocol.Entry
	runs   map[uint64]protocol.Entry       // what it has containers of
	outbox map[uint64]protocol.StackStatus // the latest for each stack, until the hub has acknowledged it
	said   map[uint64]protocol.StackStatus // the latest that reached the hub
	repeat []protocol.StackStatus          // all that did
}

func newDevice(id protocol.DeviceID) *device {
	return &device{
		id: id, runs: map[uint64]protocol.Entry{}, outbox: map[uint64]protocol.StackStatus{},
		said: map[uint64]protocol.StackStatus{},
	}
}

func (d *device) say(stack uint64, s protocol.StackState, e protocol.Entry) {
	d.rev++
	d.outbox[stack] = protocol.StackStatus{Stack: stack, Version: e.Version, Nonce: e.Nonce, State: s, Rev: d.rev, At: int64(d.rev)}
}

// accept takes over a desired set.
func (d *device) accept(set []protocol.Entry) {
	for _, e := range d.set {
		if _, begun := d.runs[e.ID]; !begun && !slices.ContainsFunc(set, func(n protocol.Entry) bool { return n.ID == e.ID }) {
			d.say(e.ID, protocol.StackRemoved, e)
		}
	}
	d.set = set
}

// work brings every stack one step on; it ends when it has nothing left to do.
func (d *device) work(outcome func() protocol.StackState) (busy bool) {
	return d.workAs(func(protocol.Entry) protocol.StackState { return outcome() })
}

// workAs is work whose outcome depends on the entry. What was rolled back runs as it was.
func (d *device) workAs(outcome func(protocol.Entry) protocol.StackState) (busy bool) {
	want := map[uint64]protocol.Entry{}
	for _, e := range d.set {
		want[e.ID] = e
		has, begun := d.runs[e.ID]
		if !begun || has.Hash() != e.Hash() {
			state := outcome(e)
			if state == protocol.StackRolledBack {
				if d.said[e.ID].Version == e.Version && d.said[e.ID].State == state {
					continue // it was tried
				}
				d.say(e.ID, state, e)
				busy = true
				continue
			}
			d.runs[e.ID] = e
			d.say(e.ID, state, e)
			busy = true
		}
	}
	for id, e := range d.runs {
		if _, ok := want[id]; !ok {
			delete(d.runs, id)
			d.say(id, protocol.StackRemoved, e)
			busy = true
		}
	}
	return busy
}

// report hands what is in the outbox to the hub, oldest first, until lost says that the link broke. An item may reach
// the hub without its acknowledgement reaching the device.
func (d *device) report(h *hub, lost func() bool) {
	items := slices.SortedFunc(maps.Values(d.outbox), func(a, b protocol.StackStatus) int { return cmp.Compare(a.Rev, b.Rev) })
	for _, s := range items {
		if lost() {
			return
		}
		h.must(h.Status(d.id, s))
		d.said[s.Stack] = s
		d.repeat = append(d.repeat, s)
		if lost() {
			return
		}
		delete(d.outbox, s.Stack)
	}
}

// contact is a whole exchange on a good link.
func (d *device) contact(h *hub) {
	d.report(h, func() bool { return false })
	d.accept(h.Desired(d.id))
	h.mu.Lock()
	h.accepted[d.id] = d.set
	h.mu.Unlock()
	h.must(h.Holds(d.id, protocol.DesiredHash(d.set)))
}
