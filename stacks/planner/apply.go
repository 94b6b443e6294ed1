package planner

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/compose"
)

// ApplySpec is what an operator wants a stack to be.
type ApplySpec struct {
	// Name of the stack. One that does not exist is created; one that is being removed is taken back.
	Name string
	// Selector of the devices. Nil: as it is, and all devices for a stack that is new.
	Selector *string
	// Group is the stack's home, and Owner whose it is. Nil: as they are, and the root and administrators' for a stack
	// that is new.
	Group *string
	Owner *protocol.Owner
	// Exempt: policies do not bind the author there.
	Exempt bool
	// Files of the bundle by path, all of them.
	Files map[string][]byte
	// Env are the variables for Compose, all of them but those that are kept.
	Env map[string]string
	// Keep names variables that have the value of an earlier version. What Env gives counts more.
	Keep KeptEnv
	// Pull is when images are asked of a registry.
	Pull protocol.PullPolicy
	// RemoveVolumes: named volumes go when the stack is removed. Nil: as it is, and no for a stack that is new.
	RemoveVolumes *bool
	// Author and Message are who makes the version, and why.
	Author, Message string
	// Expect looks at the stack as it is, nil where there is none; what it returns ends Apply before anything is changed.
	// Nil: anything will do.
	Expect func(*stacks.Stack) error
}

// KeptEnv names variables of a version of the same stack.
type KeptEnv struct {
	Version uint64
	Names   []string
}

// MaxMessage is the most bytes of ApplySpec.Message.
const MaxMessage = 1 << 10

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
	for _, dev := range tell {
		p.cfg.Notify(dev)
	}
	return s, latest, nil
}

// prepare checks what can be checked without locks, makes a version without numbers of it, and says what it asks for.
func (p *Planner) prepare(spec ApplySpec) (*stacks.Version, compose.Summary, error) {
	var none compose.Summary
	if err := stacks.CheckName(spec.Name); err != nil {
		return nil, none, err
	}
	files, err := stacks.BundleFiles(spec.Files)
	if err != nil {
		return nil, none, err
	}
	given, err := p.given(spec)
	if err != nil {
		return nil, none, err
	}
	if err := stacks.CheckEnv(given); err != nil {
		return nil, none, err
	}
	if spec.Pull > protocol.PullNever {
		return nil, none, fmt.Errorf("%w: pull policy %d is not known: use missing, always or never", stacks.ErrInvalid, spec.Pull)
	}
	if len(spec.Message) > MaxMessage {
		return nil, none, fmt.Errorf("%w: the message has %d bytes, at most %d", stacks.ErrInvalid, len(spec.Message), MaxMessage)
	}
	reach := p.reach(spec)
	if err := p.cfg.Fleet.Check(reach.Selector); err != nil {
		return nil, none, fmt.Errorf("%w: %w", stacks.ErrInvalid, err)
	}
	v := &stacks.Version{
		Files: files, Env: given, Pull: spec.Pull, Mentions: stacks.Mentions(spec.Files),
		Author: spec.Author, Message: spec.Message, Created: time.Now().Unix(),
	}
	env := p.sample(reach, v)
	asks, err := p.cfg.Validate(spec.Files, env)
	if err != nil {
		return nil, none, fmt.Errorf("%w: %w", stacks.ErrInvalid, err)
	}
	v.Exempt = spec.Exempt
	bind(v, asks)
	entry := (&stacks.Stack{Name: spec.Name}).Entry(v, files, env)
	if err := stacks.CheckEntry(&entry); err != nil {
		return nil, none, err
	}
	return v, asks, p.seal(v)
}

// given are the variables of the spec with those that it keeps.
func (p *Planner) given(spec ApplySpec) (map[string]string, error) {
	if len(spec.Keep.Names) == 0 {
		return maps.Clone(spec.Env), nil
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	var from *stacks.Version
	if s := p.byName[spec.Name]; s != nil {
		if i := slices.IndexFunc(s.versions, func(v *stacks.Version) bool { return v.Number == spec.Keep.Version }); i >= 0 {
			from = s.versions[i]
		}
	}
	if from == nil {
		return nil, fmt.Errorf("%w: variables cannot be kept: there is no version %d of stack %q: give their values",
			stacks.ErrInvalid, spec.Keep.Version, spec.Name)
	}
	out := map[string]string{}
	for _, name := range spec.Keep.Names {
		value, ok := from.Env[name]
		if _, anew := spec.Env[name]; !ok && !anew {
			return nil, fmt.Errorf("%w: variable %.128q cannot be kept: version %d of stack %q has none of that name: give its value",
				stacks.ErrInvalid, name, from.Number, spec.Name)
		}
		out[name] = value
	}
	maps.Copy(out, spec.Env)
	return out, nil
}

// reach is the one that the stack will have.
func (p *Planner) reach(spec ApplySpec) stacks.Reach {
	p.mu.RLock()
	defer p.mu.RUnlock()
	var rec stacks.Stack
	if s := p.byName[spec.Name]; s != nil {
		rec = s.rec
	}
	spec.put(&rec)
	return rec.Reach()
}

// put makes a stack's record what the spec says of it.
func (spec *ApplySpec) put(rec *stacks.Stack) {
	set(&rec.Selector, spec.Selector)
	set(&rec.Group, spec.Group)
	set(&rec.Owner, spec.Owner)
	set(&rec.RemoveVolumes, spec.RemoveVolumes)
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// sample are variables as some device has them, so that a bundle can be validated. What the device lacks is "1",
// which can stand for a name as well as for a number.
func (p *Planner) sample(reach stacks.Reach, v *stacks.Version) map[string]string {
	env := map[string]string{}
	for _, m := range v.Mentions {
		env[m] = "1"
	}
	if list, err := p.cfg.Fleet.Matching(reach); err == nil && len(list) > 0 && len(v.Mentions) > 0 {
		if target, ok := p.cfg.Fleet.Target(list[0]); ok {
			maps.Copy(env, stacks.DeviceEnv(list[0], target, v.Mentions))
		}
	}
	maps.Copy(env, v.Env)
	return env
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
	if s != nil && c.Version == nil && c.Stack.Equal(&s.rec) {
		return s.rec, *s.latest(), nil, nil
	}
	c.Stack.Updated = time.Now().Unix()
	wanted, err := p.matching(&c.Stack)
	if err == nil {
		err = p.judge(&c.Stack, v, wanted)
	}
	if err != nil {
		return stacks.Stack{}, stacks.Version{}, nil, err
	}
	rec, err := p.cfg.Store.ApplyStack(c)
	if err != nil {
		return stacks.Stack{}, stacks.Version{}, nil, fmt.Errorf("store stack %q: %w", spec.Name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s == nil {
		s = newStack(rec)
		p.byID[rec.ID], p.byName[rec.Name] = s, s
	}
	same := c.Version == nil && rec.RemoveVolumes == s.rec.RemoveVolumes
	s.install(rec, c)
	p.refuse(s, nil)
	tell := p.assign(s, wanted)
	if !same {
		tell = slices.AppendSeq(tell, maps.Keys(wanted))
		slices.Sort(tell)
		tell = slices.Compact(tell)
	}
	if tell == nil {
		tell = []protocol.DeviceID{}
	}
	return rec, *s.latest(), tell, nil
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
	c.Stack.Latest++
	v.Number, v.Stack = c.Stack.Latest, c.Stack.ID
	c.Version = v
	c.Blobs = make(map[protocol.Hash][]byte, len(v.Files))
	for _, f := range v.Files {
		c.Blobs[f.Hash] = spec.Files[f.Path]
	}
	if s != nil {
		for _, old := range s.versions[:max(0, len(s.versions)+1-p.cfg.KeepVersions)] {
			c.Drop = append(c.Drop, old.Number)
		}
	}
	return s, c
}

// install takes over a change that was stored. The caller holds mu.
func (s *stack) install(rec stacks.Stack, c Change) {
	s.rec = rec
	if c.Version != nil {
		c.Version.Stack = rec.ID
		s.versions = append(slices.Clone(s.versions[len(c.Drop):]), c.Version)
		s.index()
		for _, a := range s.devices {
			a.holds = false
		}
	}
	s.recount()
}

// Remove takes a stack from all devices. It is kept until the last device that may have it has said that it is gone,
// or is itself removed; until then Apply takes it back.
func (p *Planner) Remove(name, by string) error {
	rec, tell, err := p.edit(name, func(rec *stacks.Stack) { rec.Removed, rec.RemovedBy = time.Now().Unix(), by })
	if err != nil {
		return err
	}
	p.cfg.Events(Notice{Kind: KindRemoved, Stack: name, Group: rec.Group, Owner: rec.Owner, By: by})
	for _, dev := range tell {
		p.cfg.Notify(dev)
	}
	return p.finishRemoved()
}

// Redeploy makes all devices apply the latest version of a stack again.
func (p *Planner) Redeploy(name, by string) error {
	rec, tell, err := p.edit(name, func(rec *stacks.Stack) { rec.Nonce++ })
	if err != nil {
		return err
	}
	p.cfg.Events(Notice{Kind: KindRedeployed, Stack: name, Group: rec.Group, Owner: rec.Owner, By: by})
	for _, dev := range tell {
		p.cfg.Notify(dev)
	}
	return nil
}

// edit changes a stack's record, and returns it with the devices that have to be told.
func (p *Planner) edit(name string, fn func(*stacks.Stack)) (stacks.Stack, []protocol.DeviceID, error) {
	p.change.Lock()
	defer p.change.Unlock()
	p.mu.RLock()
	s := p.byName[name]
	p.mu.RUnlock()
	if s == nil {
		return stacks.Stack{}, nil, notFound(name)
	}
	rec := s.rec // changes under change only
	if rec.Removed != 0 {
		return rec, nil, fmt.Errorf("stack %q: %w; apply it again to take it back", name, ErrRemoving)
	}
	fn(&rec)
	rec.Updated = time.Now().Unix()
	if _, err := p.cfg.Store.ApplyStack(Change{Stack: rec}); err != nil {
		return rec, nil, fmt.Errorf("store stack %q: %w", name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var tell []protocol.DeviceID
	for dev, a := range s.devices {
		if a.wanted {
			a.holds = false
			tell = append(tell, dev)
		}
	}
	s.install(rec, Change{})
	if rec.Removed != 0 {
		p.refuse(s, nil)
		p.assign(s, nil)
	}
	return rec, tell, nil
}

func notFound(name string) error { return fmt.Errorf("%w: %.80q", stacks.ErrNotFound, name) }

// sealPurpose keeps sealed variables from being taken for something else.
const sealPurpose = "stack variables"

func (p *Planner) seal(v *stacks.Version) error {
	if len(v.Env) == 0 {
		return nil
	}
	b, err := protocol.Marshal(v.Env)
	if err != nil {
		return fmt.Errorf("encode variables: %w", err)
	}
	v.SealedEnv = p.cfg.Vault.Seal(sealPurpose, b)
	return nil
}

func (p *Planner) unseal(v *stacks.Version) error {
	if len(v.SealedEnv) == 0 {
		return nil
	}
	b, err := p.cfg.Vault.Open(sealPurpose, v.SealedEnv)
	if err != nil {
		return fmt.Errorf("open the variables of version %d: %w", v.Number, err)
	}
	return protocol.Unmarshal(b, &v.Env)
}
