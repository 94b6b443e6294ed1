package planner

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/rollout"
)

// How often rollouts that are under way are looked at.
const (
	// LookEvery is how often where nothing calls for it: devices come into reach without a word to the planner.
	LookEvery = 5 * time.Second
	// lookGap is the least time between two looks.
	lookGap = time.Second
)

// againLimit is for how long a device may fail and try again before a rollout counts it as failed.
const againLimit = time.Hour

// Codes of devices that a rollout leaves alone for now, beside those of package stacks.
const (
	CodeQuiet = "quiet" // it is not heard of
)

// Run drives rollouts until ctx ends. It is called once.
func (p *Planner) Run(ctx context.Context) error {
	for {
		next := p.look(time.Now())
		gap := time.NewTimer(lookGap)
		select {
		case <-ctx.Done():
			gap.Stop()
			return nil
		case <-gap.C:
		}
		var due <-chan time.Time
		timer := time.NewTimer(time.Hour)
		if !next.IsZero() {
			timer.Reset(max(time.Until(next), 0))
			due = timer.C
		}
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-p.wake:
		case <-due:
		}
		timer.Stop()
	}
}

// poke makes Run look.
func (p *Planner) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// stir makes Run look where something happened to a device of a stack that a rollout is changing. The caller holds mu, or
// the Planner is new.
func (p *Planner) stir(s *stack) {
	if s.active() != nil {
		p.poke()
	}
}

// look takes every rollout that is under way one step on, and gives when to look again. The zero time: when something
// happens.
func (p *Planner) look(now time.Time) (next time.Time) {
	p.change.Lock()
	var notices []Notice
	var tell []protocol.DeviceID
	for _, s := range p.all() {
		p.mu.RLock()
		r := s.active()
		p.mu.RUnlock()
		if r == nil || s.rec.Removed != 0 {
			continue
		}
		told, err := p.step(s, r, now, &notices)
		if err != nil {
			p.cfg.Log.Error("a rollout cannot go on, and is tried again", "stack", s.name, "rollout", r.Number, "error", err)
			p.mu.Lock()
			r.why, r.next = "the hub could not go on with it: its log says why", now.Add(LookEvery)
			p.mu.Unlock()
		}
		tell = append(tell, told...)
		soon := now.Add(LookEvery)
		p.mu.RLock()
		if !r.next.IsZero() && r.next.Before(soon) {
			soon = r.next
		}
		p.mu.RUnlock()
		if next.IsZero() || soon.Before(next) {
			next = soon
		}
	}
	p.change.Unlock()
	for _, n := range notices {
		p.cfg.Events(n)
	}
	p.tell(tell)
	return next
}

// step looks at the devices of a rollout and does what it says. It returns the devices that shall have something else.
// The caller holds change.
func (p *Planner) step(s *stack, r *run, now time.Time, notices *[]Notice) ([]protocol.DeviceID, error) {
	p.mu.Lock()
	if w := s.waiting(); w != nil && r.idle() {
		c := Change{Stack: s.rec}
		out := ended(r, &w.Rollout, now)
		out.State.Reason = fmt.Sprintf("the devices that could not change go on with rollout %d", w.Number)
		p.mu.Unlock()
		return p.succeed(s, c, out, w, notices)
	}
	seen, withdraw := p.observe(s, r, now)
	state := r.State.Clone()
	p.mu.Unlock()

	out := state.Step(now, seen)
	p.mu.RLock()
	c := Change{Stack: s.rec}
	c.Grants = p.grants(s, r, out, withdraw)
	if out.TakeBack {
		c.Grants = append(c.Grants, s.takeBack(r, &state)...)
	}
	c.Grants = append(c.Grants, s.undo(r, &state)...)
	p.mu.RUnlock()
	changed := r.Rollout
	changed.State = state
	if state.Phase.Over() {
		changed.Ended = now.Unix()
		if state.Phase == rollout.Done {
			settle(&c.Stack, &changed)
		}
	}
	p.mu.Lock()
	r.why, r.next = out.Why, out.Next
	r.seen = make(map[protocol.DeviceID]rollout.Seen, len(seen))
	for _, v := range seen {
		r.seen[v.ID] = v
	}
	p.mu.Unlock()
	if len(c.Grants) == 0 && reflect.DeepEqual(state, r.State) {
		return nil, nil
	}
	if w := s.waiting(); w != nil && state.Phase.Over() {
		return p.succeed(s, c, &changed, w, notices)
	}
	c.Ended = []*Rollout{&changed}
	return p.commit(s, c, notices)
}

// succeed ends a rollout and begins the one that waits for it. The caller holds change.
func (p *Planner) succeed(s *stack, c Change, over *Rollout, w *run, notices *[]Notice) ([]protocol.DeviceID, error) {
	next := w.Rollout
	next.State = w.State.Clone()
	c.Ended = []*Rollout{over, &next}
	p.mu.RLock()
	s.account(&c)
	p.mu.RUnlock()
	begin(&c.Stack, &next, time.Now())
	return p.commit(s, c, notices)
}

// commit stores a change of rollouts and takes it over. The caller holds change.
func (p *Planner) commit(s *stack, c Change, notices *[]Notice) ([]protocol.DeviceID, error) {
	if _, err := p.cfg.Store.ApplyStack(c); err != nil {
		return nil, fmt.Errorf("store rollouts of stack %q: %w", s.name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	was := map[uint64]rollout.Phase{}
	for _, r := range s.runs {
		was[r.Number] = r.State.Phase
	}
	tell := s.install(c.Stack, c)
	for _, r := range c.Ended {
		if n := s.phaseNotice(r, was[r.Number]); n != nil {
			*notices = append(*notices, *n)
		}
	}
	return tell, nil
}

func (s *stack) phaseNotice(r *Rollout, was rollout.Phase) *Notice {
	if r.State.Phase == was {
		return nil
	}
	text := fmt.Sprintf("rollout %d to version %d is %s", r.Number, r.Version, r.State.Phase)
	if r.State.Reason != "" {
		text += ": " + r.State.Reason
	}
	return &Notice{Kind: KindRollout, Stack: s.name, Group: s.rec.Group, Owner: s.rec.Owner, Version: r.Version, Text: text}
}

// idle reports whether the rollout only waits for devices that cannot change. The caller holds mu.
func (r *run) idle() bool {
	if r.State.Phase != rollout.Running || r.seen == nil {
		return false
	}
	for id, d := range r.State.Devices {
		switch d.Status {
		case rollout.StatusChosen, rollout.StatusGoing, rollout.StatusReturning:
			return false
		case rollout.StatusWaiting:
			if r.seen[id].Standing != rollout.Deferred {
				return false
			}
		}
	}
	return true
}
