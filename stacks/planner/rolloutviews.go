package planner

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/rollout"
)

// RolloutView is a rollout as people see it, without its devices.
type RolloutView struct {
	Rollout
	// Name of the stack.
	Name string
	// Counts are devices by where they stand.
	Counts map[rollout.Status]int
	// Batches are those that were begun, by number.
	Batches []BatchView
	// Why says what it waits for, and Next when something happens by itself. "" and the zero time: nothing is known.
	Why  string
	Next time.Time
	// Queued: it waits for the one before it.
	Queued bool
}

// Unapproved reports that devices apply it only when somebody approves it, and nobody did yet.
func (r *Rollout) Unapproved() bool {
	return r.Approve && r.Approved == 0 && r.State.Phase != rollout.Aborted && r.State.Phase != rollout.Failed
}

// BatchView is one batch of a rollout.
type BatchView struct {
	Number uint32
	Counts map[rollout.Status]int
}

// RolloutDevice is one device in a rollout.
type RolloutDevice struct {
	Device protocol.DeviceID
	// State in the rollout.
	State rollout.Device
	// Why says why it is not changed now, and Next when it could be. "": nothing stands in its way.
	Why  string
	Next time.Time
	// Status of the stack there.
	Stack DeviceStatus
}

// begun is the latest rollout that was begun, nil for none. The caller holds mu.
func (s *stack) begun() *run {
	if r := s.active(); r != nil {
		return r
	}
	if len(s.runs) == 0 {
		return nil
	}
	return s.runs[len(s.runs)-1]
}

// tally counts the devices of a rollout. What it makes is never changed. The caller holds mu, or the Planner is new.
func (r *run) tally() {
	r.counts, r.batches = map[rollout.Status]int{}, nil
	batches := map[uint32]map[rollout.Status]int{}
	for _, d := range r.State.Devices {
		r.counts[d.Status]++
		if d.Batch == 0 {
			continue
		}
		of := batches[d.Batch]
		if of == nil {
			of = map[rollout.Status]int{}
			batches[d.Batch] = of
		}
		of[d.Status]++
	}
	for n, counts := range batches {
		r.batches = append(r.batches, BatchView{n, counts})
	}
	slices.SortFunc(r.batches, func(a, b BatchView) int { return cmp.Compare(a.Number, b.Number) })
}

// view shows a rollout. The caller holds mu.
func (s *stack) view(r *run) *RolloutView {
	v := &RolloutView{
		Rollout: r.Rollout, Name: s.name, Counts: r.counts, Batches: r.batches, Why: r.why, Next: r.next, Queued: r == s.waiting(),
	}
	v.State.Devices = nil
	v.Spent, v.Reported = s.accountOf(r)
	switch {
	case v.Queued:
		v.Why = fmt.Sprintf("rollout %d is under way", s.active().Number)
	case r.State.Phase == rollout.Aborted, r.State.Phase == rollout.Failed, r.State.Phase == rollout.Paused:
		v.Why, v.Next = r.State.Reason, time.Time{}
	case r.Unapproved() && r.State.Phase != rollout.Planned:
		v.Why = fmt.Sprintf("devices apply it when somebody approves it; %d have all they need", s.counts[protocol.StackFetched])
	case r.over():
		v.Why, v.Next = "", time.Time{}
	}
	return v
}

// Rollouts are those of a stack that are kept, the latest first. The error wraps stacks.ErrNotFound.
func (p *Planner) Rollouts(name string) ([]RolloutView, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	s := p.byName[name]
	if s == nil {
		return nil, notFound(name)
	}
	out := make([]RolloutView, 0, len(s.runs))
	for _, r := range slices.Backward(s.runs) {
		out = append(out, *s.view(r))
	}
	return out, nil
}

// Rollout is one of a stack; number 0 is the latest that was begun. Errors wrap stacks.ErrNotFound or ErrNoRollout.
func (p *Planner) Rollout(name string, number uint64) (RolloutView, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	s, r, err := p.findRun(name, number)
	if err != nil {
		return RolloutView{}, err
	}
	return *s.view(r), nil
}

// findRun finds a rollout. The caller holds mu.
func (p *Planner) findRun(name string, number uint64) (*stack, *run, error) {
	s := p.byName[name]
	if s == nil {
		return nil, nil, notFound(name)
	}
	r := s.run(number)
	if number == 0 {
		r = s.begun()
	}
	if r == nil {
		return nil, nil, fmt.Errorf("%w: %d of stack %q: only the latest %d are kept", ErrNoRollout, number, name, KeepRollouts)
	}
	return s, r, nil
}

// RolloutDevices are the devices of a rollout, by batch and id, those that wait last. Errors are those of Rollout.
func (p *Planner) RolloutDevices(name string, number uint64) ([]RolloutDevice, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	s, r, err := p.findRun(name, number)
	if err != nil {
		return nil, err
	}
	out := make([]RolloutDevice, 0, len(r.State.Devices))
	for dev, d := range r.State.Devices {
		x := RolloutDevice{Device: dev, State: d}
		if a := s.devices[dev]; a != nil {
			x.Stack = s.status(dev, a)
		}
		if seen, ok := r.seen[dev]; ok && seen.Standing != rollout.Ended && !r.over() {
			x.Why, x.Next = seen.Code, seen.Next
		}
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b RolloutDevice) int {
		return cmp.Or(cmp.Compare(a.State.Batch-1, b.State.Batch-1), cmp.Compare(a.Device, b.Device))
	})
	return out, nil
}

// GroupCounts are devices of a stack by group and state. The error wraps stacks.ErrNotFound.
func (p *Planner) GroupCounts(name string) (map[string]map[protocol.StackState]int, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	s := p.byName[name]
	if s == nil {
		return nil, notFound(name)
	}
	out := make(map[string]map[protocol.StackState]int, len(s.groups))
	for group, of := range s.groups {
		states := map[protocol.StackState]int{}
		for state, n := range of {
			if n > 0 {
				states[protocol.StackState(state)] = n
			}
		}
		out[group] = states
	}
	return out, nil
}

// DeviceBundle is what one device is given of a version of a stack; number 0 is the one that it shall have.
type DeviceBundle struct {
	Version uint64
	Files   map[string][]byte
	// Env are the variables that are not secret, Secret the names of those that are, sorted.
	Env    map[string]string
	Secret []string
	// Code and Why say why the device cannot be given it. "": it can.
	Code, Why string
}

// DeviceBundle shows what one device is given. Errors wrap stacks.ErrNotFound.
func (p *Planner) DeviceBundle(name string, number uint64, dev protocol.DeviceID) (DeviceBundle, error) {
	target, there := p.cfg.Fleet.Target(dev)
	p.mu.RLock()
	s := p.byName[name]
	if s == nil || !there {
		p.mu.RUnlock()
		return DeviceBundle{}, fmt.Errorf("%w: %.80q for device %s", stacks.ErrNotFound, name, dev)
	}
	a := s.devices[dev]
	if a == nil {
		a = &assigned{dev: dev, group: target.Group}
	}
	if number == 0 {
		if number, _, _ = s.due(a); number == stacks.None {
			number = s.rec.Latest
		}
	}
	v := s.version(number)
	if v == nil {
		p.mu.RUnlock()
		return DeviceBundle{}, fmt.Errorf("%w: version %d of %q is not kept", stacks.ErrNotFound, number, name)
	}
	plain, secret, _ := p.variables(v, dev, target)
	why := p.fits(s, a, target, want{version: number})
	p.mu.RUnlock()
	out := DeviceBundle{Version: number, Env: plain, Code: why.code, Why: why.text}
	for n := range secret {
		out.Secret = append(out.Secret, n)
	}
	slices.Sort(out.Secret)
	own := *v
	own.Files = stacks.FilesOf(v.Files, dev, target)
	var err error
	out.Files, err = p.files(name, &own)
	return out, err
}
