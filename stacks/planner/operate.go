package planner

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/rollout"
)

// DeploySpec says which version of a stack its devices shall have.
type DeploySpec struct {
	Stack string
	// Version that is kept. 0: the one that they shall have already.
	Version uint64
	// Force: devices that have it apply it again.
	Force bool
	// Manner is how, for this once. Nil: as the stack's changes are rolled out.
	Manner *Manner
	// During says what becomes of it while a rollout is under way, and Begin when it begins; the zero time: at once.
	During During
	Begin  time.Time
	// Exempt: policies do not bind whoever wants it there. Others bring back what somebody exempt has made only where it is
	// what the devices shall have already.
	Exempt bool
	// Abroad is as in ApplySpec.
	Abroad bool
	// Sees reports whether who wants it may be told of a device. Nil: of all.
	Sees func(protocol.DeviceID) bool
	// By and Message are who wants it, and why.
	By, Message string
}

// Deploy brings a version to the devices of a stack, and returns the number of its rollout. Errors wrap
// stacks.ErrNotFound, stacks.ErrInvalid, ErrRemoving or ErrUnderWay, or are those of policies.
func (p *Planner) Deploy(spec DeploySpec) (uint64, error) {
	if spec.Manner != nil {
		if err := spec.Manner.check(); err != nil {
			return 0, err
		}
	}
	if len(spec.Message) > MaxMessage {
		return 0, fmt.Errorf("%w: the message has %d bytes, at most %d", stacks.ErrInvalid, len(spec.Message), MaxMessage)
	}
	c, tell, err := p.deploy(spec)
	if err != nil {
		return 0, err
	}
	n := Notice{Kind: KindRedeployed, Stack: c.Stack.Name, Group: c.Stack.Group, Owner: c.Stack.Owner, Version: c.Rollout.Version, By: spec.By, Text: spec.Message}
	if !spec.Force {
		n.Kind = KindApplied
	}
	p.cfg.Events(n)
	p.tell(tell)
	p.poke()
	return c.Rollout.Number, nil
}

func (p *Planner) deploy(spec DeploySpec) (Change, []protocol.DeviceID, error) {
	p.change.Lock()
	defer p.change.Unlock()
	s, err := p.standing(spec.Stack)
	if err != nil {
		return Change{}, nil, err
	}
	c := Change{Stack: s.rec} // changes under change only
	version := spec.Version
	if version == 0 {
		if version = s.rec.Deployed(); version == stacks.None {
			version = s.rec.Latest
		}
	}
	v := s.version(version)
	if v == nil {
		return c, nil, fmt.Errorf("%w: version %d of %q is not kept; the latest is %d", stacks.ErrNotFound, version, spec.Stack, s.rec.Latest)
	}
	judged := *v
	judged.Exempt = v.Exempt && (spec.Exempt || version == s.rec.Deployed())
	wanted, err := p.matching(&c.Stack)
	if err == nil {
		err = p.judge(&c.Stack, &judged, wanted, spec.Sees)
	}
	if err != nil {
		return c, nil, err
	}
	c.Stack.Current, c.Stack.Updated = s.rec.Deployed(), time.Now().Unix()
	manner := s.manner
	if spec.Manner != nil {
		manner = *spec.Manner
	}
	err = p.open(s, &c, opening{
		version: version, force: spec.Force, manner: manner, during: spec.During, begin: spec.Begin, by: spec.By, message: spec.Message,
	})
	if err != nil {
		return c, nil, err
	}
	var notices []Notice
	tell, err := p.commit(s, c, &notices)
	return c, tell, err
}

// ActionApprove says that devices may apply what they have fetched.
const ActionApprove rollout.Action = "approve"

// Act does what an operator says of a rollout of a stack; number 0 is the latest. Errors wrap stacks.ErrNotFound,
// ErrNoRollout or rollout.ErrNotNow.
func (p *Planner) Act(name string, number uint64, action rollout.Action, by string) error {
	var notices []Notice
	tell, err := p.act(name, number, action, by, &notices)
	for _, n := range notices {
		p.cfg.Events(n)
	}
	p.tell(tell)
	p.poke()
	return err
}

func (p *Planner) act(name string, number uint64, action rollout.Action, by string, notices *[]Notice) ([]protocol.DeviceID, error) {
	p.change.Lock()
	defer p.change.Unlock()
	s, err := p.standing(name)
	if err != nil {
		return nil, err
	}
	p.mu.RLock()
	r := s.run(number)
	if number == 0 && len(s.runs) > 0 {
		r = s.runs[len(s.runs)-1]
	}
	p.mu.RUnlock()
	if r == nil {
		return nil, fmt.Errorf("%w: %d of stack %q: only the latest %d are kept", ErrNoRollout, number, name, KeepRollouts)
	}
	c := Change{Stack: s.rec}
	changed := r.Rollout
	changed.State = r.State.Clone()
	switch {
	case action == ActionApprove:
		err = approve(&changed, by)
	case action == rollout.ActionRetry && changed.State.Phase == rollout.Done:
		err = p.again(s, &changed, &c)
	case changed.over() && r != s.runs[len(s.runs)-1]:
		err = fmt.Errorf("%s: %w: rollout %d is over, and later ones were begun: deploy a version instead", action, rollout.ErrNotNow, r.Number)
	case r == s.waiting() && action != rollout.ActionAbort:
		err = fmt.Errorf("%s: %w: rollout %d waits for rollout %d: it can be aborted only", action, rollout.ErrNotNow, r.Number, s.active().Number)
	default:
		err = changed.State.Do(action, by)
	}
	if err != nil {
		return nil, fmt.Errorf("rollout %d of stack %q: %w", r.Number, name, err)
	}
	p.mu.RLock()
	if changed.over() && changed.Ended == 0 {
		changed.Ended = time.Now().Unix()
	} else if !changed.over() {
		changed.Ended = 0
	}
	if changed.State.Phase == rollout.Aborted || changed.State.Phase == rollout.Paused {
		c.Grants = append(c.Grants, s.takeBack(r, &changed.State)...)
	}
	waiting := s.waiting()
	p.mu.RUnlock()
	if waiting != nil && waiting != r && changed.over() && r == s.active() {
		return p.succeed(s, c, &changed, waiting, notices)
	}
	c.Ended = []*Rollout{&changed}
	return p.commit(s, c, notices)
}

func approve(r *Rollout, by string) error {
	switch {
	case !r.Approve:
		return fmt.Errorf("approve: %w: it waits for no approval", rollout.ErrNotNow)
	case r.Approved != 0:
		return fmt.Errorf("approve: %w: %s has approved it", rollout.ErrNotNow, r.ApprovedBy)
	case r.State.Phase == rollout.Aborted || r.State.Phase == rollout.Failed:
		return fmt.Errorf("approve: %w: it is %s", rollout.ErrNotNow, r.State.Phase)
	}
	r.Approved, r.ApprovedBy = time.Now().Unix(), by
	return nil
}

// again makes devices try once more that have failed, after a rollout has reached all. The caller holds change.
func (p *Planner) again(s *stack, r *Rollout, c *Change) error {
	if r.Number != s.rec.Settled {
		return fmt.Errorf("retry: %w: later rollouts were begun: deploy a version instead", rollout.ErrNotNow)
	}
	for _, d := range r.State.Devices { // each attempt has a nonce of its own
		r.Tries = max(r.Tries, d.Attempt)
	}
	if r.Tries++; r.Tries > maxAttempts {
		return fmt.Errorf("retry: %w: it was tried %d times: deploy the version again", rollout.ErrNotNow, maxAttempts)
	}
	if c.Grants = p.onceMore(s, r, r.Tries); len(c.Grants) == 0 {
		return fmt.Errorf("retry: %w: no device has failed", rollout.ErrNotNow)
	}
	return nil
}

// onceMore are grants by which devices try the version of a rollout once more that have failed with it.
func (p *Planner) onceMore(s *stack, r *Rollout, attempt uint32) (all []stacks.Grant) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for dev, a := range s.devices {
		if s.shall(a) && s.failed(a, r.Version) {
			all = append(all, stacks.Grant{
				Stack: s.id, Device: dev, Rollout: r.Number, Attempt: attempt, Version: r.Version, Nonce: r.nonce(attempt), Before: r.Version,
			})
		}
	}
	return all
}

// failed reports whether a device shall have the version, and has failed with it. The caller holds mu.
func (s *stack) failed(a *assigned, version uint64) bool {
	due, nonce, _ := s.due(a)
	return due == version && a.failedWith(version, nonce)
}

// failedWith reports whether a device said last that a version has failed, with that nonce.
func (a *assigned) failedWith(version, nonce uint64) bool {
	if a.status.Version != version || a.status.Nonce != nonce {
		return false
	}
	switch a.status.State {
	case protocol.StackFailed, protocol.StackRolledBack, protocol.StackDegraded:
		return true
	}
	return false
}

// Retarget works out anew which devices the stacks that name an edge group are meant for.
func (p *Planner) Retarget(group uint64) error {
	p.change.Lock()
	var tell []protocol.DeviceID
	var errs []error
	for _, s := range p.all() {
		if !slices.Contains(s.rec.Include, group) && !slices.Contains(s.rec.Exclude, group) || s.rec.Removed != 0 {
			continue
		}
		wanted, err := p.matching(&s.rec)
		if err != nil {
			errs = append(errs, fmt.Errorf("stack %q: %w", s.name, err))
			continue
		}
		refused := p.sift(s, wanted)
		p.mu.Lock()
		p.refuse(s, refused)
		tell = append(tell, p.assign(s, wanted)...)
		p.mu.Unlock()
	}
	tell = append(tell, p.reconsider()...)
	p.change.Unlock()
	p.tell(tell)
	return errors.Join(errs...)
}

// UsedBy are the names of stacks that name an edge group, sorted.
func (p *Planner) UsedBy(group uint64) (names []string) {
	p.change.Lock() // a stack may be about to name it
	defer p.change.Unlock()
	for _, s := range p.all() {
		if slices.Contains(s.rec.Include, group) || slices.Contains(s.rec.Exclude, group) {
			names = append(names, s.name)
		}
	}
	slices.Sort(names)
	return names
}
