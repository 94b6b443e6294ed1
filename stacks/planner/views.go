package planner

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

// Overview is a stack with its latest version and how far its devices are.
type Overview struct {
	stacks.Stack
	// Current is the newest version.
	Current stacks.Version `json:"current"`
	// Manner is how new versions are rolled out.
	Manner Manner `json:"manner"`
	// Rollout is the latest that was begun, and Next the one that waits for it. Nil: none.
	Rollout *RolloutView `json:"rollout,omitempty"`
	Next    *RolloutView `json:"next,omitempty"`
	// Devices is how many shall have the stack, or still have to give it up.
	Devices int `json:"devices"`
	// States has the number of devices by the state they are in; states without devices are left out.
	States map[protocol.StackState]int `json:"states"`
}

// DeviceStatus is where a stack stands on a device, as far as the hub knows.
type DeviceStatus struct {
	Device protocol.DeviceID `json:"device"`
	Stack  uint64            `json:"stack"`
	// Name of the stack.
	Name string `json:"name"`
	// State with regard to what the device shall have.
	State protocol.StackState `json:"state"`
	// Version that the device shall have. 0: it shall not have the stack (any more).
	Version uint64 `json:"version,omitempty"`
	// Running is the version that runs there, as the device said last. 0: none, or not known.
	Running uint64 `json:"running,omitempty"`
	// Code and Detail are the reason.
	Code   string `json:"code,omitempty"`
	Detail string `json:"detail,omitempty"`
	// Done of Total bytes are on the device while it fetches. 0: not known.
	Done  int64 `json:"done,omitempty"`
	Total int64 `json:"total,omitempty"`
	// Hold is what HeldBy at the device decided about the stack. 0: nothing.
	Hold   protocol.Hold `json:"hold,omitempty"`
	HeldBy string        `json:"held_by,omitempty"`
	// At is when the device entered the state, Unix seconds. 0: it has said nothing about it.
	At int64 `json:"at,omitempty"`
}

// Get returns one stack by its name. The error wraps stacks.ErrNotFound.
func (p *Planner) Get(name string) (Overview, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	s := p.byName[name]
	if s == nil {
		return Overview{}, notFound(name)
	}
	return s.overview(), nil
}

// Named returns a stack's record by its name; false where there is none.
func (p *Planner) Named(name string) (stacks.Stack, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if s := p.byName[name]; s != nil {
		return s.rec, true
	}
	return stacks.Stack{}, false
}

// Record returns a stack's record by its id; false where there is none.
func (p *Planner) Record(id uint64) (stacks.Stack, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if s := p.byID[id]; s != nil {
		return s.rec, true
	}
	return stacks.Stack{}, false
}

// List returns all stacks, those that are being removed included, by name.
func (p *Planner) List() []Overview {
	p.mu.RLock()
	defer p.mu.RUnlock()
	out := make([]Overview, 0, len(p.byID))
	for _, s := range p.byID {
		out = append(out, s.overview())
	}
	slices.SortFunc(out, func(a, b Overview) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func (s *stack) overview() Overview {
	o := Overview{Stack: s.rec, Current: *s.latest(), Devices: len(s.devices), States: map[protocol.StackState]int{}}
	if n := len(s.refused); n > 0 {
		o.Devices += n
		o.States[protocol.StackFailed] = n
	}
	for state, n := range s.counts {
		if n > 0 {
			o.States[protocol.StackState(state)] += n
		}
	}
	o.Manner = s.manner
	if r := s.begun(); r != nil {
		o.Rollout = s.view(r)
	}
	if r := s.waiting(); r != nil {
		o.Next = s.view(r)
	}
	return o
}

// Versions returns the versions of a stack that are kept, the latest first. The error wraps stacks.ErrNotFound.
func (p *Planner) Versions(name string) ([]stacks.Version, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	s := p.byName[name]
	if s == nil {
		return nil, notFound(name)
	}
	out := make([]stacks.Version, 0, len(s.versions))
	for _, v := range slices.Backward(s.versions) {
		out = append(out, *v)
	}
	return out, nil
}

// Bundle returns the files of a version by path; number 0 is the latest. The error wraps stacks.ErrNotFound.
func (p *Planner) Bundle(name string, number uint64) (map[string][]byte, error) {
	versions, err := p.Versions(name)
	if err != nil {
		return nil, err
	}
	i := 0
	if number != 0 {
		i = slices.IndexFunc(versions, func(v stacks.Version) bool { return v.Number == number })
	}
	if i < 0 {
		return nil, fmt.Errorf("%w: version %d of %q is not kept; the latest is %d", stacks.ErrNotFound, number, name,
			versions[0].Number)
	}
	return p.files(name, &versions[i])
}

// files reads the files of a version by path.
func (p *Planner) files(name string, v *stacks.Version) (map[string][]byte, error) {
	out := make(map[string][]byte, len(v.Files))
	for _, f := range v.Files {
		data, err := p.cfg.Store.Blob(f.Hash)
		if err != nil {
			return nil, fmt.Errorf("read file %q of stack %q: %w", f.Path, name, err)
		}
		out[f.Path] = data
	}
	return out, nil
}

// Statuses returns where a stack stands on each of its devices, by device. The error wraps stacks.ErrNotFound.
func (p *Planner) Statuses(name string) ([]DeviceStatus, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	s := p.byName[name]
	if s == nil {
		return nil, notFound(name)
	}
	out := make([]DeviceStatus, 0, len(s.devices))
	for dev, a := range s.devices {
		out = append(out, s.status(dev, a))
	}
	for dev := range s.refused {
		out = append(out, s.refusedStatus(dev))
	}
	slices.SortFunc(out, func(a, b DeviceStatus) int { return cmp.Compare(a.Device, b.Device) })
	return out, nil
}

// DeviceStacks returns where the stacks of a device stand, by name.
func (p *Planner) DeviceStacks(dev protocol.DeviceID) []DeviceStatus {
	p.mu.RLock()
	defer p.mu.RUnlock()
	out := make([]DeviceStatus, 0, len(p.byDevice[dev]))
	for s, a := range p.byDevice[dev] {
		out = append(out, s.status(dev, a))
	}
	if p.refusals[dev] > 0 {
		for _, s := range p.byID {
			if s.refused[dev].code != "" {
				out = append(out, s.refusedStatus(dev))
			}
		}
	}
	slices.SortFunc(out, func(a, b DeviceStatus) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func (s *stack) status(dev protocol.DeviceID, a *assigned) DeviceStatus {
	said := a.status
	d := DeviceStatus{Device: dev, Stack: s.id, Name: s.name, State: s.shown(a), Running: said.Running}
	version, _, _ := s.due(a)
	if s.shall(a) {
		d.Version = version
	}
	d.Hold, d.HeldBy = said.Hold, said.HeldBy
	if d.Running == 0 && (said.State == protocol.StackRunning || said.State == protocol.StackDegraded) {
		d.Running = said.Version
	}
	switch {
	case d.State == said.State:
		d.Code, d.Detail, d.At, d.Done, d.Total = said.Code, said.Detail, said.At, said.Done, said.Total
	case d.State == protocol.StackDeferred && a.withheld.code != "":
		d.Code, d.Detail = a.withheld.code, a.withheld.text
	case d.State == protocol.StackDeferred:
		d.Code, d.Detail = stacks.CodeBatch, "its batch of the rollout has not begun"
	case d.State == protocol.StackPending:
		d.Code, d.Detail = stacks.CodeAwaitingContact, "the device is told at its next contact"
	case d.State == protocol.StackRemoving:
		d.Code, d.Detail = stacks.CodeAwaitingContact, "the device has not said yet that the stack is gone"
	}
	return d
}

// Readable returns the whole hash of a file that the device may read: one of a version that it shall have, or that it
// could have been given since it got the stack.
func (p *Planner) Readable(dev protocol.DeviceID, blob protocol.ShortHash) (protocol.Hash, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for s, a := range p.byDevice[dev] {
		f, ok := s.files[blob]
		if ok && s.shall(a) && a.known && f.newest >= a.first && p.meant(f, dev) {
			return f.hash, true
		}
	}
	return protocol.Hash{}, false
}

// meant reports whether a file is meant for a device: overlays of others are not.
func (p *Planner) meant(f file, dev protocol.DeviceID) bool {
	if f.forAll {
		return true
	}
	target, _ := p.cfg.Fleet.Target(dev)
	return slices.ContainsFunc(f.overlays, func(o stacks.Overlay) bool { return o.Counts(dev, target) })
}

func sortEntries(entries []protocol.Entry) {
	slices.SortFunc(entries, func(a, b protocol.Entry) int { return protocol.CompareKeys(a.EntryKey, b.EntryKey) })
}
