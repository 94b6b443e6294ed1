package planner

import (
	"fmt"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/compose"
)

// bind notes on a version what policies judge it by. Where its content differs from device to device, what it asks for
// can not be known, and that is noted as well.
func bind(v *stacks.Version, sum compose.Summary) {
	for _, a := range sum.Asks {
		if a.Image != "" || len(a.Wants) > 0 {
			v.Asks = append(v.Asks, a)
		}
	}
	if len(v.Mentions) == 0 {
		return
	}
	for _, varied := range sum.Varies {
		v.Asks = append(v.Asks, stacks.Asks{Service: varied.Place, Wants: []stacks.Want{{Rule: stacks.RuleVariables}}})
	}
}

// judge says why a version may not be applied: a policy forbids it at the stack's home, or on a device that it is for.
func (p *Planner) judge(rec *stacks.Stack, v *stacks.Version, wanted map[protocol.DeviceID]bool) error {
	if v.Exempt || len(v.Asks) == 0 {
		return nil
	}
	if err := p.cfg.Allows(rec.Group, v.Asks); err != nil {
		return fmt.Errorf("stack %q: %w", rec.Name, err)
	}
	fine := map[string]bool{rec.Group: true}
	for dev := range wanted {
		target, there := p.cfg.Fleet.Target(dev)
		if !there || fine[target.Group] {
			continue
		}
		if err := p.cfg.Allows(target.Group, v.Asks); err != nil {
			return fmt.Errorf("stack %q on device %s: %w", rec.Name, dev, err)
		}
		fine[target.Group] = true
	}
	return nil
}

// refusal says why a device that has not got the stack yet must not get it. "": it may. The caller holds change, not mu.
func (p *Planner) refusal(s *stack, dev protocol.DeviceID) string {
	v := s.latest()
	p.mu.RLock()
	a := s.devices[dev]
	has := a != nil && (a.wanted || a.known)
	p.mu.RUnlock()
	target, there := p.cfg.Fleet.Target(dev)
	if has || !there || v.Exempt || len(v.Asks) == 0 {
		return ""
	}
	if err := p.cfg.Allows(target.Group, v.Asks); err != nil {
		return protocol.Cut(err.Error(), protocol.MaxText)
	}
	return ""
}

// sift takes the devices that must not get the stack out of wanted, and returns why. The caller holds change, not mu.
func (p *Planner) sift(s *stack, wanted map[protocol.DeviceID]bool) map[protocol.DeviceID]string {
	refused := map[protocol.DeviceID]string{}
	for dev := range wanted {
		if why := p.refusal(s, dev); why != "" {
			refused[dev] = why
			delete(wanted, dev)
		}
	}
	return refused
}

// refuse says which devices must not get the stack. The caller holds mu, or the Planner is new.
func (p *Planner) refuse(s *stack, refused map[protocol.DeviceID]string) {
	for dev := range s.refused {
		p.refuseOne(s, dev, "")
	}
	for dev, why := range refused {
		p.refuseOne(s, dev, why)
	}
}

// refuseOne says whether one device must not get the stack, and why. The caller holds mu.
func (p *Planner) refuseOne(s *stack, dev protocol.DeviceID, why string) {
	if _, was := s.refused[dev]; was {
		if p.refusals[dev]--; p.refusals[dev] == 0 {
			delete(p.refusals, dev)
		}
		delete(s.refused, dev)
	}
	if why != "" {
		s.refused[dev] = why
		p.refusals[dev]++
	}
}

func (s *stack) refusedStatus(dev protocol.DeviceID) DeviceStatus {
	return DeviceStatus{
		Device: dev, Stack: s.id, Name: s.name, State: protocol.StackFailed, Version: s.rec.Latest, Code: stacks.CodePolicy, Detail: s.refused[dev],
	}
}

// PolicyChanged works out anew which devices may get stacks that were refused them.
func (p *Planner) PolicyChanged() {
	for _, dev := range p.reconsider() {
		p.cfg.Notify(dev)
	}
}

func (p *Planner) reconsider() (tell []protocol.DeviceID) {
	p.change.Lock()
	defer p.change.Unlock()
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
			if why == "" && p.want(s, dev) {
				tell = append(tell, dev)
			}
			p.mu.Unlock()
		}
	}
	return tell
}
