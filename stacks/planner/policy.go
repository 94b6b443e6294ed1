package planner

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/compose"
)

// bind notes on a version what policies and other stacks judge it by. Where what it asks for differs from device to
// device because of what the hub sets there, it cannot be known, and that is noted as well; so are the variables that
// would make it differ if they were set on a device.
func bind(v *stacks.Version, sum compose.Summary) {
	for _, a := range sum.Asks {
		same := func(b stacks.Asks) bool { return reflect.DeepEqual(a, b) }
		if (a.Image != "" || len(a.Wants) > 0) && !slices.ContainsFunc(v.Asks, same) {
			v.Asks = append(v.Asks, a)
		}
	}
	for _, take := range sum.Takes {
		if !slices.Contains(v.Takes, take) {
			v.Takes = append(v.Takes, take)
		}
	}
	v.Images = slices.Compact(slices.Sorted(slices.Values(append(v.Images, sum.Images()...))))
	v.Mentions = slices.Compact(slices.Sorted(slices.Values(append(v.Mentions, sum.Variables...))))
	for _, x := range sum.Varies {
		reserved := slices.ContainsFunc(x.Names, func(n string) bool { return strings.HasPrefix(n, stacks.ReservedEnv) })
		if reserved {
			asks := stacks.Asks{Service: x.Place, Wants: []stacks.Want{{Rule: stacks.RuleVariables}}}
			if !slices.ContainsFunc(v.Asks, func(b stacks.Asks) bool { return reflect.DeepEqual(asks, b) }) {
				v.Asks = append(v.Asks, asks)
			}
		}
		v.Varying = append(v.Varying, x.Names...)
	}
	v.Varying = slices.Compact(slices.Sorted(slices.Values(v.Varying)))
}

// judge says why a version may not be applied: a policy forbids it at the stack's home, or on a device that it is for, or
// another stack has there what it takes. Of devices in the way those are named that sees reports; nil: all are.
func (p *Planner) judge(rec *stacks.Stack, v *stacks.Version, wanted map[protocol.DeviceID]bool, sees func(protocol.DeviceID) bool) error {
	if err := p.collides(rec, v, wanted, sees); err != nil {
		return err
	}
	return p.permitted(rec, v, wanted)
}

// permitted says why policies forbid a version at the stack's home, or on a device.
func (p *Planner) permitted(rec *stacks.Stack, v *stacks.Version, wanted map[protocol.DeviceID]bool) error {
	if v.Exempt {
		return nil
	}
	if len(v.Asks) > 0 {
		if err := p.cfg.Allows(rec.Group, v.Asks); err != nil {
			return fmt.Errorf("stack %q: %w", rec.Name, err)
		}
	}
	fine := map[string]bool{rec.Group: true}
	for dev := range wanted {
		target, there := p.cfg.Fleet.Target(dev)
		if !there {
			continue
		}
		if err := p.setThere(v, dev, target); err != nil {
			return fmt.Errorf("stack %q on device %s: %w", rec.Name, dev, err)
		}
		if fine[target.Group] || len(v.Asks) == 0 {
			continue
		}
		if err := p.cfg.Allows(target.Group, v.Asks); err != nil {
			return fmt.Errorf("stack %q on device %s: %w", rec.Name, dev, err)
		}
		fine[target.Group] = true
	}
	return nil
}

// judgeComing says why devices that a change makes the stack be meant for must not get what they would be given beside
// the latest version: what all have now, or what a rollout brings. Whoever makes the change decides that they get it, so
// that it is bound by policies as they are, whoever made that version. The caller holds change.
func (p *Planner) judgeComing(s *stack, c *Change, exempt bool, wanted map[protocol.DeviceID]bool) error {
	if s == nil || exempt {
		return nil
	}
	p.mu.RLock()
	fresh := map[protocol.DeviceID]bool{}
	for dev := range wanted {
		if a := s.devices[dev]; a == nil || !a.wanted {
			fresh[dev] = true
		}
	}
	numbers := map[uint64]bool{c.Stack.Deployed(): true}
	for _, r := range s.runs {
		ended := slices.ContainsFunc(c.Ended, func(e *Rollout) bool { return e.Number == r.Number && e.over() })
		if !r.over() && !ended {
			numbers[r.Version] = true
		}
	}
	p.mu.RUnlock()
	delete(numbers, c.Stack.Latest)
	if len(fresh) == 0 {
		return nil
	}
	for n := range numbers {
		v := s.version(n)
		if v == nil {
			continue
		}
		bound := *v
		bound.Exempt = false
		if err := p.permitted(&c.Stack, &bound, fresh); err != nil {
			return fmt.Errorf("version %d, which devices that are new to the stack would get: %w", n, err)
		}
	}
	return nil
}

// refusal says why a device that has not got the stack yet must not get it. The zero value: it may. The caller holds
// change, not mu.
func (p *Planner) refusal(s *stack, dev protocol.DeviceID) reason {
	p.mu.RLock()
	a := s.devices[dev]
	has := a != nil && (a.wanted || a.known)
	coming := s.coming(dev)
	p.mu.RUnlock()
	target, there := p.cfg.Fleet.Target(dev)
	if has || !there {
		return reason{}
	}
	for _, v := range coming {
		if err := p.forbidden(v, dev, target); err != nil {
			return reason{stacks.CodePolicy, protocol.Cut(err.Error(), protocol.MaxText)}
		}
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if other, take, clash := p.clash(s, s.latest(), dev); clash {
		return reason{stacks.CodeClash, fmt.Sprintf("stack %q has %s on this device: change one of them, or take one from the device", other, take)}
	}
	return reason{}
}

// coming are the versions that a device which is new to the stack is given, or may be given without anybody asking anew.
// The caller holds mu.
func (s *stack) coming(dev protocol.DeviceID) (out []*stacks.Version) {
	numbers := map[uint64]bool{s.rec.Latest: true, s.rec.Deployed(): true}
	for i, r := range s.runs {
		if !r.over() || i == len(s.runs)-1 { // the last can be tried again
			numbers[r.Version] = true
		}
	}
	if g := s.grants[dev]; g.Rollout > s.rec.Settled {
		numbers[g.Version], numbers[g.Before] = true, true
	}
	for n := range numbers {
		if v := s.version(n); v != nil {
			out = append(out, v)
		}
	}
	return out
}

// forbidden says why a policy forbids a version on a device.
func (p *Planner) forbidden(v *stacks.Version, dev protocol.DeviceID, target stacks.Target) error {
	if v.Exempt {
		return nil
	}
	if len(v.Asks) > 0 {
		if err := p.cfg.Allows(target.Group, v.Asks); err != nil {
			return err
		}
	}
	return p.setThere(v, dev, target)
}

// setThere says why a version that was judged by its stack's variables cannot be given to a device: some that decide what
// it asks for are set there, and a policy holds.
func (p *Planner) setThere(v *stacks.Version, dev protocol.DeviceID, target stacks.Target) error {
	if len(v.Varying) == 0 || v.Exempt {
		return nil
	}
	own := p.cfg.Variables(dev, target.Group)
	for _, name := range v.Varying {
		if _, set := own[name]; set {
			return p.cfg.Allows(target.Group, asksBy(name))
		}
	}
	return nil
}

// MaySet says why a variable may not be set on some of the devices: a stack that a policy binds there would ask an engine
// for something else with it than what it was judged by.
func (p *Planner) MaySet(name string, devices []protocol.DeviceID) error {
	for _, dev := range devices {
		target, there := p.cfg.Fleet.Target(dev)
		if !there {
			continue
		}
		for _, s := range p.of(dev) {
			p.mu.RLock()
			coming := s.coming(dev)
			p.mu.RUnlock()
			for _, v := range coming {
				if v.Exempt || !slices.Contains(v.Varying, name) {
					continue
				}
				if err := p.cfg.Allows(target.Group, asksBy(name)); err != nil {
					return fmt.Errorf("variable %s decides what stack %q asks for on device %s: give it with the stack: %w", name, s.name, dev, err)
				}
			}
		}
	}
	return nil
}

// asksBy is what a version asks for by a variable that is set on a device.
func asksBy(name string) []stacks.Asks {
	return []stacks.Asks{{Service: "variable " + name, Wants: []stacks.Want{{Rule: stacks.RuleVariables}}}}
}

// sift takes the devices that must not get the stack out of wanted, and returns why. The caller holds change, not mu.
func (p *Planner) sift(s *stack, wanted map[protocol.DeviceID]bool) map[protocol.DeviceID]reason {
	refused := map[protocol.DeviceID]reason{}
	for dev := range wanted {
		if why := p.refusal(s, dev); why.code != "" {
			refused[dev] = why
			delete(wanted, dev)
		}
	}
	return refused
}

// refuse says which devices must not get the stack. The caller holds mu, or the Planner is new.
func (p *Planner) refuse(s *stack, refused map[protocol.DeviceID]reason) {
	for dev := range s.refused {
		p.refuseOne(s, dev, reason{})
	}
	for dev, why := range refused {
		p.refuseOne(s, dev, why)
	}
}

// refuseOne says whether one device must not get the stack, and why. The caller holds mu.
func (p *Planner) refuseOne(s *stack, dev protocol.DeviceID, why reason) {
	if _, was := s.refused[dev]; was {
		if p.refusals[dev]--; p.refusals[dev] == 0 {
			delete(p.refusals, dev)
		}
		delete(s.refused, dev)
	}
	if why.code != "" {
		s.refused[dev] = why
		p.refusals[dev]++
	}
}

func (s *stack) refusedStatus(dev protocol.DeviceID) DeviceStatus {
	return DeviceStatus{
		Device: dev, Stack: s.id, Name: s.name, State: protocol.StackFailed, Version: s.rec.Latest, Code: s.refused[dev].code, Detail: s.refused[dev].text,
	}
}

// PolicyChanged works out anew which devices may get stacks that were refused them.
func (p *Planner) PolicyChanged() {
	p.change.Lock()
	tell := p.reconsider()
	p.change.Unlock()
	p.tell(tell)
}

// reconsider gives stacks to devices that were refused them, where nothing stands in the way any more, and returns these.
// The caller holds change, not mu.
func (p *Planner) reconsider() (tell []protocol.DeviceID) {
	for _, s := range p.all() {
		p.mu.RLock()
		var devices []protocol.DeviceID
		for dev := range s.refused {
			devices = append(devices, dev)
		}
		p.mu.RUnlock()
		for _, dev := range devices {
			why := p.refusal(s, dev)
			p.mu.Lock()
			p.refuseOne(s, dev, why)
			if target, there := p.cfg.Fleet.Target(dev); there && why.code == "" && p.want(s, dev, target.Group) {
				tell = append(tell, dev)
			}
			p.mu.Unlock()
		}
	}
	return tell
}
