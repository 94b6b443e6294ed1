package planner

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/rollout"
)

// Errors about rollouts that callers tell apart.
var (
	// ErrUnderWay: a rollout of the stack is not over, and nobody said whether to replace it or to wait for it.
	ErrUnderWay = errors.New("a rollout of the stack is under way")
	// ErrNoRollout: there is no such rollout.
	ErrNoRollout = errors.New("no such rollout")
)

// During says what becomes of a new rollout while another of the same stack is under way.
type During string

// What can become of it.
const (
	Ask     During = ""        // ErrUnderWay
	Replace During = "replace" // the one under way ends where it is
	Queue   During = "queue"   // it waits until the one under way is over, or only waits for devices that cannot change
)

// Manner is how new versions of a stack are rolled out where nobody says otherwise. It is the stored record.
type Manner struct {
	Stack uint64 `cbor:"1,keyasint" json:"-"`
	// Plan says in which steps. The zero value: all devices at once.
	Plan rollout.Plan `cbor:"2,keyasint,omitzero" json:"plan,omitzero"`
	// Order says in which order devices go, for Plan.ByOrder.
	Order Order `cbor:"3,keyasint,omitzero" json:"order,omitzero"`
}

// AtOnce reports whether all devices are changed at once, so that there is nothing to watch.
func (m *Manner) AtOnce() bool { return m.Plan.IsZero() }

// Order says in which order devices go: by a label.
type Order struct {
	// Label whose value decides. "": there is no order.
	Label string `cbor:"1,keyasint,omitempty" json:"label,omitempty" doc:"Label whose value says in which order devices go"`
	// Values in their order, such as canary, early. None: the values are numbers. What has none of them goes last.
	Values []string `cbor:"2,keyasint,omitempty" json:"values,omitempty" maxItems:"32" doc:"Values of the label, those that go first in front; absent: they are numbers, the lowest first"`
}

// IsZero reports whether there is no order.
func (o Order) IsZero() bool { return o.Label == "" && len(o.Values) == 0 }

// of gives the order key of a device.
func (o Order) of(labels map[string]string) uint32 {
	const last = 1 << 31
	value, has := labels[o.Label]
	if o.Label == "" || !has {
		return last
	}
	if len(o.Values) > 0 {
		if i := slices.Index(o.Values, value); i >= 0 {
			return uint32(i)
		}
		return last
	}
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return last
	}
	return uint32(n)
}

func (m *Manner) check() error {
	if err := m.Plan.Check(); err != nil {
		return fmt.Errorf("%w: %w", stacks.ErrInvalid, err)
	}
	switch {
	case m.Plan.ByOrder && m.Order.Label == "":
		return fmt.Errorf("%w: to go by order, the plan needs the label that has the order", stacks.ErrInvalid)
	case !m.Plan.ByOrder && !m.Order.IsZero():
		return fmt.Errorf("%w: the plan has an order and does not go by it: set by_order, or leave the order out", stacks.ErrInvalid)
	case repeated(m.Order.Values) != "":
		return fmt.Errorf("%w: value %q of label %q has two places in the order: it can have one", stacks.ErrInvalid,
			repeated(m.Order.Values), m.Order.Label)
	case len(m.Order.Values) > 32:
		return fmt.Errorf("%w: %d values of label %q are ordered, at most 32", stacks.ErrInvalid, len(m.Order.Values), m.Order.Label)
	}
	return nil
}

// repeated gives a value that is there twice; "": none is.
func repeated(values []string) string {
	for i, v := range values {
		if slices.Contains(values[:i], v) {
			return v
		}
	}
	return ""
}

// Rollout brings one version of a stack to its devices. It is the stored record.
type Rollout struct {
	Stack uint64 `cbor:"1,keyasint"`
	// Number is from 1 within the stack.
	Number uint64 `cbor:"2,keyasint"`
	// Version that devices shall have.
	Version uint64 `cbor:"3,keyasint"`
	// Force: devices that have the version apply it again.
	Force bool `cbor:"4,keyasint,omitempty"`
	// Plan and Order as they were when it began.
	Plan  rollout.Plan `cbor:"5,keyasint,omitzero"`
	Order Order        `cbor:"6,keyasint,omitzero"`
	// By and Message are who began it, and why.
	By      string `cbor:"7,keyasint,omitempty"`
	Message string `cbor:"8,keyasint,omitempty"`
	// Created, Begun and Ended in Unix seconds. 0: not yet.
	Created int64 `cbor:"9,keyasint"`
	Begun   int64 `cbor:"10,keyasint,omitempty"`
	Ended   int64 `cbor:"11,keyasint,omitempty"`
	// Approved is when ApprovedBy said that devices may apply it, Unix seconds. 0: nobody did.
	Approved   int64  `cbor:"12,keyasint,omitempty"`
	ApprovedBy string `cbor:"13,keyasint,omitempty"`
	// Approve: devices wait for that.
	Approve bool `cbor:"14,keyasint,omitempty"`
	// Tries is how often it was tried again after it had reached all.
	Tries uint32 `cbor:"16,keyasint,omitempty"`
	// State is where it stands. One to all devices at once is done when it begins.
	State rollout.State `cbor:"15,keyasint"`
	// Estimate is how many bytes Estimated devices were thought to spend on it, before it began. 0 devices: nobody thought.
	Estimate  uint64 `cbor:"17,keyasint,omitempty"`
	Estimated uint32 `cbor:"18,keyasint,omitempty"`
	// Spent is what Reported devices have spent on its version, as they said before a later rollout took its place.
	Spent    uint64 `cbor:"19,keyasint,omitempty"`
	Reported uint32 `cbor:"20,keyasint,omitempty"`
}

// maxAttempts bounds how often a rollout can be tried again, so that each attempt has a nonce of its own.
const maxAttempts = 63

// nonce is what devices repeat in an attempt of the rollout.
func (r *Rollout) nonce(attempt uint32) uint64 {
	return r.Number<<6 | uint64(min(attempt, maxAttempts))
}

func (r *Rollout) over() bool { return r.State.Phase.Over() }

// run is a rollout in memory. Guarded by Planner.mu; it changes under Planner.change as well.
type run struct {
	Rollout
	seen map[protocol.DeviceID]rollout.Seen // as the last look saw the devices
	why  string                             // what it waits for
	next time.Time                          // when to look again; zero: when something happens
	// counts and batches say where its devices stand.
	counts  map[rollout.Status]int
	batches []BatchView
}

// KeepRollouts is how many rollouts of a stack are kept, the latest.
const KeepRollouts = 20

// active is the rollout that is under way, nil for none. The caller holds mu.
func (s *stack) active() *run {
	for _, r := range s.runs {
		if !r.over() {
			return r
		}
	}
	return nil
}

// waiting is the rollout that waits for the active one, nil for none. The caller holds mu.
func (s *stack) waiting() *run {
	if n := len(s.runs); n > 1 && !s.runs[n-1].over() && s.runs[n-1] != s.active() {
		return s.runs[n-1]
	}
	return nil
}

// run gives a rollout by its number, nil for none. The caller holds mu.
func (s *stack) run(number uint64) *run {
	i := slices.IndexFunc(s.runs, func(r *run) bool { return r.Number == number })
	if i < 0 {
		return nil
	}
	return s.runs[i]
}

// opening is what begins a rollout.
type opening struct {
	version     uint64
	force       bool
	manner      Manner
	during      During
	begin       time.Time
	by, message string
}

// open makes a rollout part of a change. The caller holds change.
func (p *Planner) open(s *stack, c *Change, o opening) error {
	now := time.Now()
	var active, waiting *run
	if s != nil {
		p.mu.RLock()
		active, waiting = s.active(), s.waiting()
		c.DropRollouts = s.surplus()
		p.mu.RUnlock()
	}
	if active != nil {
		switch o.during {
		case Replace, Queue:
		case Ask:
			return fmt.Errorf("stack %q: %w: rollout %d to version %d is %s: say whether to replace it, or to queue behind it",
				c.Stack.Name, ErrUnderWay, active.Number, active.Version, active.State.Phase)
		default:
			return fmt.Errorf("%w: during %.20q: want replace or queue", stacks.ErrInvalid, o.during)
		}
	}
	c.Stack.Rollouts++
	r := &Rollout{
		Stack: c.Stack.ID, Number: c.Stack.Rollouts, Version: o.version, Force: o.force, Plan: o.manner.Plan, Order: o.manner.Order,
		By: o.by, Message: o.message, Created: now.Unix(), Approve: c.Stack.Change.Approve,
	}
	var err error
	if r.State, err = rollout.New(o.manner.Plan, o.begin); err != nil {
		return fmt.Errorf("%w: %w", stacks.ErrInvalid, err)
	}
	c.Rollout = r
	if waiting != nil { // the newest says what comes next
		c.Ended = append(c.Ended, ended(waiting, r, now))
	}
	if active != nil && o.during == Queue {
		return nil
	}
	if active != nil {
		out := ended(active, r, now)
		c.Ended = append(c.Ended, out)
		p.mu.RLock()
		c.Grants = append(c.Grants, s.takeBack(active, &out.State)...)
		p.mu.RUnlock()
	}
	if s != nil {
		p.mu.RLock()
		s.account(c)
		p.mu.RUnlock()
	}
	if begin(&c.Stack, r, now); s != nil && r.over() && !r.Force {
		c.Grants = append(c.Grants, p.onceMore(s, r, 0)...)
	}
	return nil
}

// ended is a rollout that another one takes the place of.
func ended(r *run, by *Rollout, now time.Time) *Rollout {
	out := r.Rollout
	out.State = r.State.Clone()
	out.State.Phase, out.State.Reason, out.Ended = rollout.Aborted, fmt.Sprintf("replaced by rollout %d", by.Number), now.Unix()
	return &out
}

// begin begins a rollout: one that goes to all at once has reached them with that, as far as it depends on the hub.
func begin(rec *stacks.Stack, r *Rollout, now time.Time) {
	r.Begun = now.Unix()
	if r.Plan.IsZero() && r.State.Begin == 0 {
		r.State.Phase, r.Ended = rollout.Done, r.Begun
		settle(rec, r)
		return
	}
	if rec.Current == 0 { // so far there was one version for all, or none
		rec.Current = stacks.None
	}
}

// settle makes a rollout's version what all devices shall have.
func settle(rec *stacks.Stack, r *Rollout) {
	rec.Current, rec.Settled = r.Version, r.Number
	if r.Force {
		rec.Nonce = r.nonce(0)
	}
}

// due is the version and nonce that a device shall have, and the rollout that says so. None: it shall not have the stack.
// The caller holds mu.
func (s *stack) due(a *assigned) (version, nonce, by uint64) {
	g := s.grants[a.dev]
	if g.Rollout > s.rec.Settled {
		return g.Version, g.Nonce, g.Rollout
	}
	return s.rec.Deployed(), max(s.rec.Nonce, g.Nonce), s.rec.Settled
}

// shall reports whether a device shall have the stack, in whatever version. The caller holds mu.
func (s *stack) shall(a *assigned) bool {
	version, _, _ := s.due(a)
	return a.wanted && version != stacks.None
}

// version gives a version by its number, nil for one that is not kept. The caller holds mu, or change.
func (s *stack) version(number uint64) *stacks.Version {
	i, found := slices.BinarySearchFunc(s.versions, number, func(v *stacks.Version, n uint64) int { return cmp.Compare(v.Number, n) })
	if !found {
		return nil
	}
	return s.versions[i]
}

// used are the versions that some device has, shall have, or may be brought back to. The caller holds mu.
func (s *stack) used() map[uint64]bool {
	out := map[uint64]bool{s.rec.Deployed(): true, s.rec.Latest: true}
	for _, r := range s.runs {
		if !r.over() {
			out[r.Version] = true
		}
	}
	for _, a := range s.devices {
		version, _, _ := s.due(a)
		out[version], out[a.status.Version], out[a.status.Running] = true, true, true
		if g := s.grants[a.dev]; g.Rollout > s.rec.Settled {
			out[g.Before] = true
		}
	}
	return out
}

// loadRollouts takes over what the store has of rollouts.
func (p *Planner) loadRollouts(saved Saved) error {
	for _, m := range saved.Manners {
		if s := p.byID[m.Stack]; s != nil {
			s.manner = m
		}
	}
	for _, r := range saved.Rollouts {
		if s := p.byID[r.Stack]; s != nil {
			s.add(r)
		}
	}
	gone := map[protocol.DeviceID][]uint64{}
	for _, g := range saved.Grants {
		if _, there := p.cfg.Fleet.Target(g.Device); !there {
			gone[g.Device] = append(gone[g.Device], g.Stack)
		} else if s := p.byID[g.Stack]; s != nil {
			s.grants[g.Device] = g
		}
	}
	for dev, of := range gone {
		if err := p.cfg.Store.DropGrants(dev, of); err != nil {
			return fmt.Errorf("forget what rollouts granted to device %s: %w", dev, err)
		}
	}
	return nil
}

// told reports whether a device may have been told what it shall have, as far as the store knows. The caller holds mu, or
// the Planner is new.
func (s *stack) told(dev protocol.DeviceID) bool {
	r, g := s.active(), s.grants[dev]
	return r != nil && g.Rollout == r.Number && g.Attempt != stacks.Withdrawn
}

// installRollouts takes over what a change has of rollouts, and reports whether devices may be given something else with
// the same version. The caller holds mu.
func (s *stack) installRollouts(c Change) (others bool) {
	if c.Manner != nil {
		s.manner = *c.Manner
	}
	for _, changed := range c.Ended {
		if r := s.run(changed.Number); r != nil {
			others = others || r.Approved != changed.Approved
			r.Rollout = *changed
			r.tally()
		}
	}
	if c.Rollout != nil {
		r := *c.Rollout
		r.Stack = s.id
		s.add(r)
	}
	s.runs = slices.DeleteFunc(s.runs, func(r *run) bool { return slices.Contains(c.DropRollouts, r.Number) })
	for _, g := range c.Grants {
		s.grants[g.Device] = g
	}
	return others
}

func (s *stack) add(r Rollout) {
	x := &run{Rollout: r}
	x.tally()
	s.runs = append(s.runs, x)
}

// surplus are the rollouts that are not kept any more when one is added. The caller holds mu.
func (s *stack) surplus() (out []uint64) {
	for _, r := range s.runs[:max(0, len(s.runs)+1-KeepRollouts)] {
		if r.over() && r.Number != s.rec.Settled {
			out = append(out, r.Number)
		}
	}
	return out
}
