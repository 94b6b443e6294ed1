// Package planner is the hub's half of stacks: it keeps stacks and their versions, works out from selectors which
// device shall have which of them, and knows of each device how far it is and why.
//
// It never talks to a device: the session asks for the desired set and passes on what devices say. It never reads a
// device's labels on its own: the assembly tells it when a device changed. DESIGN.md says what is kept where, and why
// a removal reaches devices that were away.
//
// A Planner is safe for concurrent use. What an operator does, and changes of devices, are done one at a time; what
// devices say is done in order for each device, and the store is written before memory is.
package planner

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/farshore/farshore/internal/keylock"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/compose"
)

// Planner plans stacks.
//
// Lock order: change, then a device's lock in devices, then mu. Store, Fleet and callbacks are called without mu.
type Planner struct {
	cfg     Config // immutable
	devices *keylock.Locks

	// change is held while stacks or the set of their devices change.
	change sync.Mutex

	mu       sync.RWMutex
	byID     map[uint64]*stack                          // guarded by mu
	byName   map[string]*stack                          // guarded by mu
	byDevice map[protocol.DeviceID]map[*stack]*assigned // guarded by mu
	refusals map[protocol.DeviceID]int                  // how many stacks are refused to a device; guarded by mu

	starting bool // New is not done yet

	wake chan struct{} // wakes Run
}

// stack is a stack in memory. All but id and name is guarded by Planner.mu, and rec and versions change under
// Planner.change as well.
type stack struct {
	id       uint64 // immutable
	name     string // immutable
	rec      stacks.Stack
	versions []*stacks.Version // ascending by number; the versions themselves are immutable
	devices  map[protocol.DeviceID]*assigned
	// former are devices that the hub let go, with the Rev of their last word; one that says otherwise later is taken
	// back until it says that the stack is gone. Kept in memory only.
	former map[protocol.DeviceID]uint64
	// refused are devices that it is meant for and that must not get it, with the reason.
	refused map[protocol.DeviceID]reason
	manner  Manner
	runs    []*run // rollouts that are kept, ascending by number; at most two are not over: the active one and the next
	grants  map[protocol.DeviceID]stacks.Grant
	counts  counts                      // devices by the state that is shown
	groups  map[string]*counts          // the same by group
	spent   map[uint64]spent            // by the version that devices spoke of last
	files   map[protocol.ShortHash]file // of all versions
}

// counts are numbers of devices by state.
type counts [protocol.StackRolledBack + 1]int

// reason is why something is not done.
type reason struct{ code, text string }

// file is a file of some versions of a stack.
type file struct {
	hash   protocol.Hash
	newest uint64 // version that has it
	// forAll: some version has it for all devices. Else it is in overlays only.
	forAll   bool
	overlays []stacks.Overlay
}

func newStack(rec stacks.Stack) *stack {
	return &stack{
		id: rec.ID, name: rec.Name, rec: rec,
		devices: map[protocol.DeviceID]*assigned{}, former: map[protocol.DeviceID]uint64{},
		refused: map[protocol.DeviceID]reason{}, grants: map[protocol.DeviceID]stacks.Grant{}, groups: map[string]*counts{}, spent: map[uint64]spent{},
	}
}

// assigned is a stack on a device.
type assigned struct {
	dev protocol.DeviceID // immutable
	// group of the device.
	group string
	// withheld: it cannot be given what it shall have; what it has stays. The zero value: it can.
	withheld reason
	// wanted: the device shall have it. Worked out from selectors, never stored.
	wanted bool
	// known: there is a device record, because the device may have been told.
	known bool
	// first is the oldest version the device may read.
	first uint64
	// status is what the device said last; State 0: nothing, or gone.
	status protocol.StackStatus
	// holds: the device was told of the version and nonce that it shall have. In memory only.
	holds bool
}

// never is a first version that allows no reading.
const never = math.MaxUint64

// New returns a Planner with what the store has. A selector that cannot be worked out leaves the devices that have
// the stack as they are.
func New(cfg Config) (*Planner, error) {
	if cfg.Validate == nil {
		cfg.Validate = func(map[string][]byte, map[string]string) (compose.Summary, error) { return compose.Summary{}, nil }
	}
	if cfg.Allows == nil {
		cfg.Allows = func(string, []stacks.Asks) error { return nil }
	}
	if cfg.Notify == nil {
		cfg.Notify = func(protocol.DeviceID) {}
	}
	if cfg.Events == nil {
		cfg.Events = func(Notice) {}
	}
	if cfg.Variables == nil {
		cfg.Variables = func(protocol.DeviceID, string) map[string]Variable { return nil }
	}
	if cfg.Credentials == nil {
		cfg.Credentials = func(string, []string) []protocol.RegistryAuth { return nil }
	}
	if cfg.Accepted == nil {
		cfg.Accepted = func(protocol.DeviceID) ([]protocol.Entry, error) { return nil, nil }
	}
	if cfg.Beside == nil {
		cfg.Beside = func(protocol.DeviceID) []protocol.Entry { return nil }
	}
	if cfg.Seal == nil {
		cfg.Seal = noSealer{}
	}
	if cfg.KeepVersions == 0 {
		cfg.KeepVersions = DefaultKeepVersions
	}
	p := &Planner{
		cfg: cfg, devices: keylock.New(), byID: map[uint64]*stack{}, byName: map[string]*stack{},
		byDevice: map[protocol.DeviceID]map[*stack]*assigned{}, refusals: map[protocol.DeviceID]int{},
		wake: make(chan struct{}, 1),
	}
	saved, err := cfg.Store.LoadStacks()
	if err != nil {
		return nil, fmt.Errorf("read stacks: %w", err)
	}
	if err := p.load(saved); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Planner) load(saved Saved) error {
	for _, rec := range saved.Stacks {
		s := newStack(rec)
		p.byID[rec.ID], p.byName[rec.Name] = s, s
	}
	for _, v := range saved.Versions {
		s := p.byID[v.Stack]
		if s == nil {
			return fmt.Errorf("read stacks: version %d of stack %d: %w; restore a backup", v.Number, v.Stack, stacks.ErrNotFound)
		}
		if err := p.unseal(&v); err != nil {
			return fmt.Errorf("read stack %q: %w", s.rec.Name, err)
		}
		s.versions = append(s.versions, &v)
	}
	if err := p.loadRollouts(saved); err != nil {
		return err
	}
	for _, r := range saved.Devices {
		s := p.byID[r.Stack]
		target, there := p.cfg.Fleet.Target(r.Device)
		if s == nil || !there {
			// The device was removed, and the hub stopped before it came to this.
			if err := p.cfg.Store.DropStackDevice(r.Stack, r.Device); err != nil {
				return fmt.Errorf("drop device %s of stack %d: %w", r.Device, r.Stack, err)
			}
			continue
		}
		p.put(s, &assigned{dev: r.Device, group: target.Group, known: true, first: r.First, status: r.Status, holds: s.told(r.Device)})
	}
	p.starting = true
	defer func() { p.starting = false }()
	for _, s := range p.byID {
		if len(s.versions) == 0 || s.latest().Number != s.rec.Latest {
			return fmt.Errorf("read stacks: the latest version of stack %q is missing; restore a backup", s.rec.Name)
		}
		wanted, err := p.matching(&s.rec)
		if err != nil {
			p.cfg.Log.Error("devices of a stack cannot be worked out; those that have it keep it", "stack", s.rec.Name, "error", err)
			wanted = s.holders()
		}
		s.index()
		p.refuse(s, p.sift(s, wanted))
		p.assign(s, wanted)
	}
	return p.finishAll()
}

// matching returns the devices that shall have the stack.
func (p *Planner) matching(rec *stacks.Stack) (map[protocol.DeviceID]bool, error) {
	if rec.Removed != 0 {
		return nil, nil
	}
	list, err := p.cfg.Fleet.Matching(rec.Reach())
	if err != nil {
		return nil, fmt.Errorf("selector %q: %w", rec.Selector, err)
	}
	out := make(map[protocol.DeviceID]bool, len(list))
	for _, d := range list {
		out[d] = true
	}
	return out, nil
}

func (s *stack) latest() *stacks.Version { return s.versions[len(s.versions)-1] }

// holders are the devices that may have the stack.
func (s *stack) holders() map[protocol.DeviceID]bool {
	out := map[protocol.DeviceID]bool{}
	for d, a := range s.devices {
		if a.known {
			out[d] = true
		}
	}
	return out
}

// index makes files anew. The caller holds mu, or the Planner is new.
func (s *stack) index() {
	s.files = map[protocol.ShortHash]file{}
	for _, v := range s.versions {
		for _, f := range v.Files {
			x := s.files[f.Hash.Short()]
			x.hash, x.newest = f.Hash, v.Number
			if o, _, err := stacks.SplitOverlay(f.Path); err == nil && o != (stacks.Overlay{}) {
				x.overlays = append(slices.Clip(x.overlays), o)
			} else {
				x.forAll = true
			}
			s.files[f.Hash.Short()] = x
		}
	}
}

// put makes a an assignment of the stack to its device. The caller holds mu, or the Planner is new.
func (p *Planner) put(s *stack, a *assigned) {
	dev := a.dev
	of := p.byDevice[dev]
	if of == nil {
		of = map[*stack]*assigned{}
		p.byDevice[dev] = of
	}
	of[s], s.devices[dev] = a, a
	a.status.Rev = max(a.status.Rev, s.former[dev])
	delete(s.former, dev)
	s.count(a, 1)
}

// count counts an assignment in or out. The caller holds mu, or the Planner is new.
func (s *stack) count(a *assigned, n int) {
	state := s.shown(a)
	s.counts[state] += n
	of := s.groups[a.group]
	if of == nil {
		of = &counts{}
		s.groups[a.group] = of
	}
	if of[state] += n; *of == (counts{}) {
		delete(s.groups, a.group)
	}
	s.addSpent(a, n)
}

// drop ends an assignment. The caller holds mu.
func (p *Planner) drop(s *stack, dev protocol.DeviceID) {
	a := s.devices[dev]
	s.count(a, -1)
	delete(s.devices, dev)
	of := p.byDevice[dev]
	if delete(of, s); len(of) == 0 {
		delete(p.byDevice, dev)
	}
}

// edit changes an assignment and keeps the counts. The caller holds mu.
func (s *stack) edit(a *assigned, fn func()) {
	s.count(a, -1)
	fn()
	s.count(a, 1)
}

// recount counts anew after the stack itself changed. The caller holds mu.
func (s *stack) recount() {
	s.counts, s.groups, s.spent = counts{}, map[string]*counts{}, map[uint64]spent{}
	for _, a := range s.devices {
		s.count(a, 1)
	}
}

// shown is the state that people see: what the device said, as far as it is about what the device shall have. The caller
// holds mu.
func (s *stack) shown(a *assigned) protocol.StackState {
	said := a.status.State
	version, nonce, _ := s.due(a)
	switch {
	case a.wanted && version == stacks.None && !a.known:
		return protocol.StackDeferred
	case !a.wanted || version == stacks.None:
		if said == protocol.StackFailed || said == protocol.StackWaiting {
			return said // it cannot be removed for the reason it gives
		}
		return protocol.StackRemoving
	case stacks.Reported(said) && said != protocol.StackRemoving && said != protocol.StackRemoved &&
		a.status.Version == version && a.status.Nonce == nonce:
		return said
	case a.withheld.code != "":
		return protocol.StackDeferred
	case a.holds:
		return protocol.StackOffered
	}
	return protocol.StackPending
}
