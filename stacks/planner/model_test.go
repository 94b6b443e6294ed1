package planner_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
)

// model is a naive account of the same fleet: it keeps what operators did and asks every device for the rest.
type model struct {
	*hub
	r       *rand.Rand
	devices map[protocol.DeviceID]*device
	flight  map[protocol.DeviceID][]protocol.Entry // orders that are on their way
	stacks  map[string]*plan
	blobs   map[protocol.Hash]bool // every file there ever was
	made    int
	// crossing: orders travel on their own, so that they cross statuses; else a contact is one exchange, with losses.
	crossing bool
}

// plan is what operators want of a stack.
type plan struct {
	id       uint64
	selector string
	versions []string // content, from version 1
	nonce    uint64
	rollouts uint64
	removed  bool
}

// TestRandomFleets does random things to a hub and its devices and compares with the naive account after each.
func TestRandomFleets(t *testing.T) {
	seeds := 12
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			m := &model{
				hub: start(t, map[protocol.DeviceID]map[string]string{}), r: rand.New(rand.NewPCG(uint64(seed), 7)),
				devices: map[protocol.DeviceID]*device{}, flight: map[protocol.DeviceID][]protocol.Entry{},
				stacks: map[string]*plan{}, blobs: map[protocol.Hash]bool{}, crossing: seed%3 == 2,
			}
			for i := range 250 {
				what := m.step()
				if t.Failed() {
					t.Fatalf("seed %d, step %d: %s", seed, i, what)
				}
				m.check()
				if t.Failed() {
					t.Fatalf("seed %d, after step %d: %s", seed, i, what)
				}
			}
			m.settle()
		})
	}
}

func (m *model) step() string {
	switch n := m.r.IntN(100); {
	case n < 6:
		return m.addDevice()
	case n < 8:
		return m.removeDevice()
	case n < 16:
		return m.relabel()
	case n < 28:
		return m.applyStack()
	case n < 32:
		return m.removeStack()
	case n < 34:
		return m.redeploy()
	case n < 37:
		m.hubRestarts()
		return "hub restarts"
	case n < 40:
		return m.nonsense()
	}
	d := m.anyDevice()
	if d == nil {
		return "nothing"
	}
	switch m.r.IntN(3) {
	case 0:
		d.work(m.outcome)
		return "device works " + string(d.id)
	case 1:
		d.report(m.hub, func() bool { return m.r.IntN(5) == 0 })
		return "device reports " + string(d.id)
	}
	return m.order(d)
}

func (m *model) outcome() protocol.StackState {
	return []protocol.StackState{
		protocol.StackFetching, protocol.StackRunning, protocol.StackRunning, protocol.StackFailed,
		protocol.StackWaiting, protocol.StackDegraded,
	}[m.r.IntN(6)]
}

// order is an exchange in which the device is told its desired set.
func (m *model) order(d *device) string {
	if m.crossing {
		if set, ok := m.flight[d.id]; ok {
			delete(m.flight, d.id)
			d.accept(set)
			m.must(m.Holds(d.id, protocol.DesiredHash(set)))
			return "order arrives at " + string(d.id)
		}
		m.flight[d.id] = m.desired(d)
		return "order leaves for " + string(d.id)
	}
	d.report(m.hub, func() bool { return false })
	set := m.desired(d)
	if m.r.IntN(5) == 0 {
		return "order is lost " + string(d.id)
	}
	d.accept(set)
	if m.r.IntN(5) == 0 {
		return "acknowledgement of an order is lost " + string(d.id)
	}
	m.must(m.Holds(d.id, protocol.DesiredHash(set)))
	return "order is taken by " + string(d.id)
}

// desired asks the planner and compares with the naive answer.
func (m *model) desired(d *device) []protocol.Entry {
	got := m.Desired(d.id)
	var want []string
	for _, name := range slices.Sorted(maps.Keys(m.stacks)) {
		p := m.stacks[name]
		if p.removed || !m.fleet.matches(stacks.Reach{Selector: p.selector}, d.id) {
			continue
		}
		content := p.versions[len(p.versions)-1]
		env := ""
		if v, ok := m.fleet.devices[d.id]["k"]; ok && content[0] == 'L' {
			env = v
		}
		want = append(want, fmt.Sprintf("%d %s v%d n%d %s %q", p.id, name, len(p.versions), p.nonce,
			protocol.HashOf([]byte(content)), env))
	}
	var have []string
	for _, e := range got {
		have = append(have, fmt.Sprintf("%d %s v%d n%d %s %q", e.ID, e.Name, e.Version, e.Nonce, e.Files[0].Hash,
			e.Env["FARSHORE_LABEL_K"]))
		for _, f := range e.Files {
			if _, ok := m.Readable(d.id, f.Hash.Short()); !ok {
				m.t.Errorf("%s shall have stack %s and may not read its files", d.id, e.Name)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(have, want) {
		m.t.Errorf("desired set of %s:\n got %v\nwant %v", d.id, have, want)
	}
	return got
}

func (m *model) anyDevice() *device {
	if len(m.devices) == 0 {
		return nil
	}
	ids := slices.Sorted(maps.Keys(m.devices))
	return m.devices[ids[m.r.IntN(len(ids))]]
}

func (m *model) labels() map[string]string {
	return map[string]string{"k": fmt.Sprint(m.r.IntN(3)), "x": fmt.Sprint(m.r.IntN(2))}
}

func (m *model) addDevice() string {
	m.made++
	id := protocol.DeviceID(fmt.Sprintf("device%010d", m.made))
	m.devices[id], m.fleet.devices[id] = newDevice(id), m.labels()
	m.must(m.DeviceChanged(id))
	return "device is admitted " + string(id)
}

func (m *model) removeDevice() string {
	d := m.anyDevice()
	if d == nil {
		return "nothing"
	}
	delete(m.devices, d.id)
	delete(m.fleet.devices, d.id)
	delete(m.flight, d.id)
	if m.r.IntN(3) == 0 { // the hub is killed before it came to it
		m.hubRestarts()
	} else {
		m.must(m.DeviceChanged(d.id))
	}
	return "device is removed " + string(d.id)
}

func (m *model) relabel() string {
	d := m.anyDevice()
	if d == nil {
		return "nothing"
	}
	m.fleet.devices[d.id] = m.labels()
	m.must(m.DeviceChanged(d.id))
	return "labels change on " + string(d.id)
}

func (m *model) anyStack() string { return fmt.Sprintf("stack%d", m.r.IntN(4)) }

func (m *model) applyStack() string {
	name := m.anyStack()
	content := fmt.Sprintf("C%d", m.r.IntN(8))
	if m.r.IntN(3) == 0 {
		content = fmt.Sprintf("L%d ${FARSHORE_LABEL_K}", m.r.IntN(3))
	}
	selector := []string{"", "k=0", "k=1", "x=1", "k=none"}[m.r.IntN(5)]
	m.blobs[protocol.HashOf([]byte(content))] = true
	s, v := m.apply(planner.ApplySpec{Name: name, Selector: &selector, Files: bundle(content)})
	p := m.stacks[name]
	if p == nil {
		p = &plan{id: s.ID}
		for _, other := range m.stacks {
			if other.id == s.ID {
				m.t.Errorf("id %d is used again", s.ID)
			}
		}
		m.stacks[name] = p
	}
	p.selector, p.removed = selector, false
	if n := len(p.versions); n == 0 || p.versions[n-1] != content {
		p.versions = append(p.versions, content)
		p.rollouts++
	}
	if s.ID != p.id || v.Number != uint64(len(p.versions)) {
		m.t.Errorf("%s: id %d version %d, want %d and %d", name, s.ID, v.Number, p.id, len(p.versions))
	}
	return fmt.Sprintf("apply %s %q to %q", name, content, selector)
}

func (m *model) removeStack() string {
	name := m.anyStack()
	p := m.stacks[name]
	err := m.Remove(name, "ada")
	if (err == nil) != (p != nil && !p.removed) {
		m.t.Errorf("remove %s: %v", name, err)
	}
	if p != nil {
		p.removed = true
	}
	return "remove " + name
}

func (m *model) redeploy() string {
	name := m.anyStack()
	if p := m.stacks[name]; p != nil && !p.removed {
		m.hub.redeploy(name)
		p.rollouts++
		p.nonce = p.rollouts << 6
	}
	return "redeploy " + name
}

// hubRestarts closes and opens the hub. Of a stack that a device gave up nothing is kept, so a device must not repeat
// words from before that, and an agent does not: its outbox has the latest word only.
func (m *model) hubRestarts() {
	m.restart()
	for _, d := range m.devices {
		d.repeat = nil
	}
}

// nonsense is what confused or hostile devices say; none of it may change anything.
func (m *model) nonsense() string {
	d := m.anyDevice()
	if d == nil {
		return "nothing"
	}
	m.must(m.Status(d.id, protocol.StackStatus{Stack: 1000, Version: 1, State: protocol.StackRunning, Rev: 1 << 50}))
	m.must(m.Status("strangerstranger", protocol.StackStatus{Stack: 1, Version: 1, State: protocol.StackRunning, Rev: 1 << 50}))
	for _, s := range d.repeat {
		m.must(m.Status(d.id, s))
	}
	return "nonsense from " + string(d.id)
}

// check compares what people see with the naive account.
func (m *model) check() {
	for name, p := range m.stacks {
		if p.removed && !m.exists(name) {
			delete(m.stacks, name)
			if !m.crossing {
				m.checkNobodyHas(name, p.id)
			}
		}
	}
	list := m.List()
	if len(list) != len(m.stacks) {
		m.t.Errorf("%d stacks, want %d", len(list), len(m.stacks))
	}
	kept := map[protocol.Hash]bool{}
	for _, o := range list {
		m.checkStack(o)
		versions, err := m.Versions(o.Name)
		m.must(err)
		// Those that some device has are kept beyond the latest.
		least := min(len(m.stacks[o.Name].versions), m.keep)
		if len(versions) < least || len(versions) > least+len(m.devices) {
			m.t.Errorf("%s: %d versions kept, want %d and those that %d devices have", o.Name, len(versions), least, len(m.devices))
		}
		for _, v := range versions {
			for _, f := range v.Files {
				kept[f.Hash] = true
			}
		}
	}
	for h := range m.blobs {
		if _, err := m.db.Blob(h); (err == nil) != kept[h] {
			m.t.Errorf("blob %s: kept by a version: %v, in the store: %v", h, kept[h], err)
		}
	}
	for id := range m.devices {
		var want planner.Tally
		for _, s := range m.DeviceStacks(id) {
			want.All++
			switch s.State {
			case protocol.StackRunning:
				want.Running++
			case protocol.StackFailed, protocol.StackDegraded:
				want.Failed++
			}
		}
		if got := m.Tally(id); got != want {
			m.t.Errorf("%s: tally %+v, its stacks give %+v", id, got, want)
		}
	}
}

// checkStack counts by hand what the roll-up says, and works out each device's state from what it said last.
func (m *model) checkStack(o planner.Overview) {
	statuses, err := m.Statuses(o.Name)
	m.must(err)
	p := m.stacks[o.Name]
	counted := map[protocol.StackState]int{}
	seen := map[protocol.DeviceID]planner.DeviceStatus{}
	for _, s := range statuses {
		counted[s.State]++
		seen[s.Device] = s
	}
	if !maps.Equal(counted, o.States) || o.Devices != len(statuses) {
		m.t.Errorf("%s: roll-up %v of %d, counted %v", o.Name, o.States, o.Devices, counted)
	}
	for id, d := range m.devices {
		s, listed := seen[id]
		wanted := !p.removed && m.fleet.matches(stacks.Reach{Selector: p.selector}, id)
		if wanted != (s.Version != 0) {
			m.t.Errorf("%s: %s shall have it: %v, says %+v", o.Name, id, wanted, s)
		}
		_, runs := d.runs[p.id]
		if runs && !listed && !m.crossing {
			m.t.Errorf("%s: %s has it and is not listed", o.Name, id)
		}
		said := d.said[p.id]
		if !wanted || !stacks.Reported(said.State) || said.State == protocol.StackRemoved || m.crossing {
			continue
		}
		current := said.Version == uint64(len(p.versions)) && said.Nonce == p.nonce
		if current && s.State != said.State {
			m.t.Errorf("%s: %s said %s of the wanted version, shown is %s", o.Name, id, said.State, s.State)
		}
		if !current && s.State != protocol.StackPending && s.State != protocol.StackOffered {
			m.t.Errorf("%s: %s has said nothing of the wanted version, shown is %s", o.Name, id, s.State)
		}
	}
	for id := range seen {
		if m.devices[id] == nil {
			m.t.Errorf("%s: lists %s, which is not in the fleet", o.Name, id)
		}
	}
}

func (m *model) checkNobodyHas(name string, id uint64) {
	for _, d := range m.devices {
		_, runs := d.runs[id]
		told := slices.ContainsFunc(d.set, func(e protocol.Entry) bool { return e.ID == id })
		if runs || told {
			m.t.Errorf("%s is deleted and %s still has it (told %v, runs %v)", name, d.id, told, runs)
		}
	}
}

// settle gives every device good contacts until nothing changes: all is then as desired, and what was removed is gone.
func (m *model) settle() {
	for id, set := range m.flight {
		m.devices[id].accept(set)
	}
	for range 4 {
		for _, d := range m.devices {
			d.contact(m.hub)
			d.work(running)
			d.contact(m.hub)
		}
	}
	m.check()
	for name, p := range m.stacks {
		if p.removed {
			m.t.Errorf("%s was removed and stays: %+v", name, m.List())
		}
	}
	for _, d := range m.devices {
		if got := m.desired(d); protocol.DesiredHash(got) != protocol.DesiredHash(d.set) || len(d.runs) != len(got) {
			m.t.Errorf("%s runs %d stacks, shall have %d", d.id, len(d.runs), len(got))
		}
		for _, s := range m.DeviceStacks(d.id) {
			if s.State != protocol.StackRunning && s.State != d.said[s.Stack].State {
				m.t.Errorf("%s: %+v after all has settled", d.id, s)
			}
		}
	}
}
