package planner

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/rollout"
)

// Apply makes a stack what the spec says, and returns it with its latest version. The same content makes no new
// version. Errors about the spec wrap stacks.ErrInvalid, and nothing was changed then.
func (p *Planner) Apply(spec ApplySpec) (stacks.Stack, stacks.Version, error) {
	v, _, err := p.prepare(spec)
	if err != nil {
		return stacks.Stack{}, stacks.Version{}, err
	}
	s, latest, tell, err := p.apply(spec, v)
	if err != nil {
		return stacks.Stack{}, stacks.Version{}, err
	}
	if tell != nil {
		p.cfg.Events(Notice{Kind: KindApplied, Stack: s.Name, Group: s.Group, Owner: s.Owner, Version: s.Latest, By: spec.Author, Text: spec.Message})
	}
	p.tell(tell)
	return s, latest, nil
}

// tell tells devices that they shall have something else.
func (p *Planner) tell(devices []protocol.DeviceID) {
	for _, dev := range devices {
		p.cfg.Notify(dev)
	}
}

// apply returns the devices to be told, nil when nothing was changed.
func (p *Planner) apply(spec ApplySpec, v *stacks.Version) (stacks.Stack, stacks.Version, []protocol.DeviceID, error) {
	p.change.Lock()
	defer p.change.Unlock()
	s, c := p.plan(spec, v)
	if spec.Expect != nil {
		var now *stacks.Stack
		if s != nil {
			now = new(s.rec)
		}
		if err := spec.Expect(now); err != nil {
			return stacks.Stack{}, stacks.Version{}, nil, err
		}
	}
	if err := p.rollOut(s, &c, spec); err != nil {
		return stacks.Stack{}, stacks.Version{}, nil, err
	}
	if s != nil && c.Version == nil && c.Manner == nil && c.Rollout == nil && c.Stack.Equal(&s.rec) {
		return s.rec, *s.latest(), nil, nil
	}
	c.Stack.Updated = time.Now().Unix()
	wanted, err := p.matching(&c.Stack)
	if err == nil {
		err = p.judge(&c.Stack, v, wanted, spec.Sees)
	}
	if err == nil {
		err = p.judgeComing(s, &c, spec.Exempt, wanted)
	}
	if err != nil {
		return stacks.Stack{}, stacks.Version{}, nil, err
	}
	rec, err := p.cfg.Store.ApplyStack(c)
	if err != nil {
		return stacks.Stack{}, stacks.Version{}, nil, fmt.Errorf("store stack %q: %w", spec.Name, err)
	}
	p.mu.Lock()
	if s == nil {
		s = newStack(rec)
		p.byID[rec.ID], p.byName[rec.Name] = s, s
	}
	tell := s.install(rec, c)
	p.refuse(s, nil)
	tell = append(tell, p.assign(s, wanted)...)
	latest := *s.latest()
	p.mu.Unlock()
	tell = append(tell, p.reconsider()...) // what another stack lets go may be had now
	if slices.Sort(tell); tell == nil {
		tell = []protocol.DeviceID{} // changed, though nobody is concerned
	}
	p.poke()
	return rec, latest, slices.Compact(tell), nil
}

// rollOut makes the rollout part of a change that brings the latest version to devices, where one is needed.
func (p *Planner) rollOut(s *stack, c *Change, spec ApplySpec) error {
	var manner Manner
	if s != nil {
		manner = s.manner // changes under change only
	}
	if spec.Manner != nil && !reflect.DeepEqual(manner.Plan, spec.Manner.Plan) || spec.Manner != nil && !reflect.DeepEqual(manner.Order, spec.Manner.Order) {
		manner = *spec.Manner
		c.Manner = &manner
	}
	if c.Version == nil {
		p.mu.RLock()
		comes := s.rec.Deployed() == s.rec.Latest && s.active() == nil
		for _, r := range s.runs {
			comes = comes || !r.over() && r.Version == s.rec.Latest
		}
		p.mu.RUnlock()
		if comes || c.Stack.Removed != 0 {
			return nil
		}
	}
	return p.open(s, c, opening{
		version: c.Stack.Latest, manner: manner, during: spec.During, begin: spec.Begin, by: spec.Author, message: spec.Message,
	})
}

// plan works out what has to be stored. The stack is nil when it is new. The caller holds change.
func (p *Planner) plan(spec ApplySpec, v *stacks.Version) (*stack, Change) {
	p.mu.RLock()
	s := p.byName[spec.Name]
	p.mu.RUnlock()
	c := Change{Stack: stacks.Stack{Name: spec.Name, Created: v.Created}}
	if s != nil {
		c.Stack = s.rec
		c.Stack.Removed, c.Stack.RemovedBy = 0, ""
	}
	spec.put(&c.Stack)
	if s != nil && s.latest().Same(v) {
		return s, c
	}
	if s != nil {
		c.Stack.Current = s.rec.Deployed()
	}
	c.Stack.Latest++
	v.Number, v.Stack = c.Stack.Latest, c.Stack.ID
	c.Version = v
	c.Blobs = make(map[protocol.Hash][]byte, len(v.Files))
	for _, f := range v.Files {
		c.Blobs[f.Hash] = spec.Files[f.Path]
	}
	if s != nil {
		p.mu.RLock()
		used := s.used()
		for _, old := range s.versions[:max(0, len(s.versions)+1-p.cfg.KeepVersions)] {
			if !used[old.Number] {
				c.Drop = append(c.Drop, old.Number)
			}
		}
		p.mu.RUnlock()
	}
	return s, c
}

// install takes over a change that was stored, and returns the devices that shall have something else. The caller holds
// mu.
func (s *stack) install(rec stacks.Stack, c Change) (tell []protocol.DeviceID) {
	type due struct{ version, nonce uint64 }
	before := make(map[protocol.DeviceID]due, len(s.devices))
	for dev, a := range s.devices {
		version, nonce, _ := s.due(a)
		before[dev] = due{version, nonce}
	}
	others := rec.RemoveVolumes != s.rec.RemoveVolumes || !reflect.DeepEqual(rec.Change, s.rec.Change)
	s.rec = rec
	if c.Version != nil {
		c.Version.Stack = rec.ID
		s.versions = append(slices.Clone(s.versions), c.Version)
	}
	if len(c.Drop) > 0 {
		s.versions = slices.DeleteFunc(slices.Clone(s.versions), func(v *stacks.Version) bool { return slices.Contains(c.Drop, v.Number) })
	}
	if c.Version != nil || len(c.Drop) > 0 {
		s.index()
	}
	others = s.installRollouts(c) || others
	for dev, a := range s.devices {
		version, nonce, _ := s.due(a)
		if a.wanted && (others || before[dev] != due{version, nonce}) {
			a.holds, a.withheld = false, reason{}
			tell = append(tell, dev)
		}
	}
	s.recount()
	return tell
}

// Remove takes a stack from all devices. It is kept until the last device that may have it has said that it is gone,
// or is itself removed; until then Apply takes it back.
func (p *Planner) Remove(name, by string) error {
	rec, tell, err := p.remove(name, by)
	if err != nil {
		return err
	}
	p.cfg.Events(Notice{Kind: KindRemoved, Stack: name, Group: rec.Group, Owner: rec.Owner, By: by})
	p.tell(tell)
	return p.finishRemoved()
}

// remove marks a stack as removed, ends its rollouts, and returns it with the devices that have to be told.
func (p *Planner) remove(name, by string) (stacks.Stack, []protocol.DeviceID, error) {
	p.change.Lock()
	defer p.change.Unlock()
	s, err := p.standing(name)
	if err != nil {
		return stacks.Stack{}, nil, err
	}
	now := time.Now()
	c := Change{Stack: s.rec} // changes under change only
	c.Stack.Removed, c.Stack.RemovedBy, c.Stack.Updated = now.Unix(), by, now.Unix()
	for _, r := range s.runs {
		if !r.over() {
			out := r.Rollout
			out.State = r.State.Clone()
			out.State.Phase, out.State.Reason, out.Ended = rollout.Aborted, "the stack was removed by "+by, now.Unix()
			c.Ended = append(c.Ended, &out)
		}
	}
	if _, err := p.cfg.Store.ApplyStack(c); err != nil {
		return c.Stack, nil, fmt.Errorf("store stack %q: %w", name, err)
	}
	p.mu.Lock()
	s.install(c.Stack, c)
	p.refuse(s, nil)
	tell := p.assign(s, nil)
	p.mu.Unlock()
	return c.Stack, append(tell, p.reconsider()...), nil
}

// standing is a stack that is not being removed. The caller holds change.
func (p *Planner) standing(name string) (*stack, error) {
	p.mu.RLock()
	s := p.byName[name]
	p.mu.RUnlock()
	switch {
	case s == nil:
		return nil, notFound(name)
	case s.rec.Removed != 0:
		return nil, fmt.Errorf("stack %q: %w; apply it again to take it back", name, ErrRemoving)
	}
	return s, nil
}

func notFound(name string) error { return fmt.Errorf("%w: %.80q", stacks.ErrNotFound, name) }
