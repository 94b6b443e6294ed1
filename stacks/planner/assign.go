package planner

import (
	"errors"
	"fmt"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

// assign makes wanted the devices that shall have the stack, and returns those for which that is new. A device that
// shall not have it any more goes at once when it was never told, else when it has said that the stack is gone. The
// caller holds change and mu, or the Planner is new.
func (p *Planner) assign(s *stack, wanted map[protocol.DeviceID]bool) []protocol.DeviceID {
	var changed []protocol.DeviceID
	for dev := range wanted {
		target, there := p.cfg.Fleet.Target(dev)
		if there && p.want(s, dev, target.Group) {
			changed = append(changed, dev)
		}
	}
	for dev := range s.devices {
		if !wanted[dev] && p.unwant(s, dev) {
			changed = append(changed, dev)
		}
	}
	return changed
}

// want says that a device of that group shall have the stack, and reports whether that is new. The caller holds mu.
func (p *Planner) want(s *stack, dev protocol.DeviceID, group string) bool {
	p.stir(s)
	a := s.devices[dev]
	if a == nil {
		p.put(s, &assigned{dev: dev, group: group, wanted: true})
		return true
	}
	if a.wanted {
		if a.group != group {
			s.edit(a, func() { a.group = group })
		}
		return false
	}
	s.edit(a, func() { a.wanted, a.holds, a.group = true, false, group })
	return true
}

// unwant says that a device shall not have the stack, and reports whether that is new. The caller holds mu.
func (p *Planner) unwant(s *stack, dev protocol.DeviceID) bool {
	a := s.devices[dev]
	if a == nil || !a.wanted {
		return false
	}
	if !a.known {
		p.drop(s, dev)
		if a.status.Rev > 0 { // it had the stack once, and may have been told of it again just now
			s.former[dev] = a.status.Rev
		}
		return true
	}
	s.edit(a, func() { a.wanted, a.holds, a.withheld = false, false, reason{} })
	return true
}

// DeviceChanged works out anew which stacks a device shall have: after it was admitted, removed or revoked, or its
// name, group or labels changed. What a removed device had is forgotten.
func (p *Planner) DeviceChanged(dev protocol.DeviceID) error {
	changed, emptied, err := p.deviceChanged(dev)
	if changed {
		p.cfg.Notify(dev)
	}
	if emptied {
		err = errors.Join(err, p.finishRemoved())
	}
	return err
}

// GivenChanged works out anew what a device is given, after variables or credentials for it changed.
func (p *Planner) GivenChanged(dev protocol.DeviceID) error {
	err := p.DeviceChanged(dev)
	p.mu.RLock()
	some := len(p.byDevice[dev]) > 0
	p.mu.RUnlock()
	if some {
		p.cfg.Notify(dev)
	}
	return err
}

func (p *Planner) deviceChanged(dev protocol.DeviceID) (changed, emptied bool, err error) {
	p.change.Lock()
	defer p.change.Unlock()
	target, there := p.cfg.Fleet.Target(dev)
	if !there {
		emptied, err = p.forget(dev)
		return false, emptied, err
	}
	var errs []error
	for _, s := range p.all() {
		// rec changes under change only, which is held here.
		match := false
		if s.rec.Removed == 0 {
			if match, err = p.cfg.Fleet.Matches(s.rec.Reach(), dev); err != nil {
				errs = append(errs, fmt.Errorf("selector %q of stack %q: %w", s.rec.Selector, s.rec.Name, err))
				continue // it keeps what it has
			}
		}
		var why reason
		if match {
			why = p.refusal(s, dev)
		}
		p.mu.Lock()
		p.refuseOne(s, dev, why)
		if match && why.code == "" {
			// Its variables, files and time zone may have changed with its labels, name and group.
			changed = p.want(s, dev, target.Group) || s.differs() || s.devices[dev].withheld.code != "" || changed
		} else {
			changed = p.unwant(s, dev) || changed
		}
		p.mu.Unlock()
	}
	return changed, false, errors.Join(errs...)
}

// forget drops all that a device had, and reports whether there was something. The caller holds change.
func (p *Planner) forget(dev protocol.DeviceID) (bool, error) {
	defer p.devices.Lock(string(dev))()
	var errs []error
	any := false
	for _, s := range p.of(dev) {
		any = true
		if err := p.cfg.Store.DropStackDevice(s.id, dev); err != nil {
			errs = append(errs, fmt.Errorf("forget device %s of stack %q: %w", dev, s.name, err))
			continue // tried again when the hub starts
		}
		p.mu.Lock()
		p.drop(s, dev)
		p.mu.Unlock()
	}
	var granted []uint64
	p.mu.Lock()
	for _, s := range p.byID {
		delete(s.former, dev)
		p.refuseOne(s, dev, reason{})
		if _, has := s.grants[dev]; has {
			granted = append(granted, s.id)
			delete(s.grants, dev)
		}
	}
	p.mu.Unlock()
	if len(granted) > 0 {
		if err := p.cfg.Store.DropGrants(dev, granted); err != nil {
			errs = append(errs, fmt.Errorf("forget what rollouts granted to device %s: %w", dev, err))
		}
	}
	return any, errors.Join(errs...)
}

// all returns all stacks.
func (p *Planner) all() []*stack {
	p.mu.RLock()
	defer p.mu.RUnlock()
	out := make([]*stack, 0, len(p.byID))
	for _, s := range p.byID {
		out = append(out, s)
	}
	return out
}

// of returns the stacks of a device.
func (p *Planner) of(dev protocol.DeviceID) []*stack {
	p.mu.RLock()
	defer p.mu.RUnlock()
	out := make([]*stack, 0, len(p.byDevice[dev]))
	for s := range p.byDevice[dev] {
		out = append(out, s)
	}
	return out
}

// finishRemoved deletes removed stacks that no device has any more.
func (p *Planner) finishRemoved() error {
	p.change.Lock()
	defer p.change.Unlock()
	return p.finishAll()
}

// finishAll is finishRemoved for a caller that holds change, or New.
func (p *Planner) finishAll() error {
	var errs []error
	for _, s := range p.all() {
		p.mu.RLock()
		gone := s.rec.Removed != 0 && len(s.devices) == 0
		p.mu.RUnlock()
		if !gone {
			continue
		}
		if err := p.cfg.Store.DeleteStack(s.id); err != nil {
			errs = append(errs, fmt.Errorf("delete stack %q: %w", s.name, err))
			continue // tried again with the next removal, or when the hub starts
		}
		p.mu.Lock()
		for dev := range s.devices { // taken back meanwhile; the record went with the stack
			p.drop(s, dev)
		}
		delete(p.byID, s.id)
		delete(p.byName, s.name)
		p.mu.Unlock()
		p.cfg.Events(Notice{Kind: KindGone, Stack: s.name, Group: s.rec.Group, Owner: s.rec.Owner, Text: "no device has the stack any more; it is deleted"})
	}
	return errors.Join(errs...)
}

// Desired returns what a device shall have, sorted by key. The session asks before it tells the device: from then on
// the device counts as one that may have these stacks, and that is made durable first. A stack for which that fails
// is left out until it works.
func (p *Planner) Desired(dev protocol.DeviceID) []protocol.Entry {
	target, there := p.cfg.Fleet.Target(dev)
	if !there {
		return nil
	}
	defer p.devices.Lock(string(dev))()
	failed := p.mark(dev)
	p.mu.RLock()
	set, withheld := p.entries(dev, target, failed)
	news := false
	for s, a := range p.byDevice[dev] {
		news = news || withheld[s] != a.withheld
	}
	p.mu.RUnlock()
	if !news {
		return set
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for s, a := range p.byDevice[dev] {
		if why := withheld[s]; why != a.withheld {
			s.edit(a, func() { a.withheld = why })
			p.stir(s)
		}
	}
	return set
}

// mark makes durable which stacks the device is about to be told of, and returns those for which it failed. The
// caller holds the device's lock.
func (p *Planner) mark(dev protocol.DeviceID) map[*stack]bool {
	type fresh struct {
		s *stack
		r stacks.DeviceRecord
	}
	var unknown []fresh
	p.mu.RLock()
	for s, a := range p.byDevice[dev] {
		// One that was let go and taken back is known, but may read nothing yet.
		version, _, _ := s.due(a)
		if s.shall(a) && (!a.known || a.first > version) {
			r := stacks.DeviceRecord{Stack: s.id, Device: dev, First: version, Status: a.status}
			unknown = append(unknown, fresh{s, r})
		}
	}
	p.mu.RUnlock()
	var failed map[*stack]bool
	for _, f := range unknown {
		if err := p.cfg.Store.PutStackDevice(f.r); err != nil {
			p.cfg.Log.Error("stack is not offered to the device: this cannot be stored", "device", dev, "stack", f.s.name, "error", err)
			if failed == nil {
				failed = map[*stack]bool{}
			}
			failed[f.s] = true
			continue
		}
		p.adopt(f.s, f.r)
	}
	return failed
}

// adopt takes over a device record that was just stored.
func (p *Planner) adopt(s *stack, r stacks.DeviceRecord) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := s.devices[r.Device]
	if a == nil { // unwanted while it was stored
		if p.byID[s.id] != s {
			return // and deleted, record and all
		}
		a = &assigned{dev: r.Device}
		p.put(s, a)
	}
	s.edit(a, func() { a.known, a.first, a.status = true, r.First, r.Status })
}

// entries works out a device's desired set without the stacks in except, and why some stacks are not in it as they
// should. The caller holds mu.
func (p *Planner) entries(dev protocol.DeviceID, target stacks.Target, except map[*stack]bool) ([]protocol.Entry, map[*stack]reason) {
	var out []protocol.Entry
	var withheld map[*stack]reason
	for s, a := range p.byDevice[dev] {
		if !s.shall(a) || except[s] {
			continue
		}
		e, why, ok := p.entry(s, a, target)
		if ok {
			out = append(out, e)
		}
		if why.code != "" {
			if withheld == nil {
				withheld = map[*stack]reason{}
			}
			withheld[s] = why
		}
	}
	sortEntries(out)
	return out, withheld
}

// differs reports whether what a device is given of the stack depends on the device. The caller holds mu.
func (s *stack) differs() bool {
	v := s.latest()
	return len(v.Mentions) > 0 || len(s.rec.Change.Windows) > 0 || stacks.HasOverlays(v.Files)
}

// Holds notes that a device has the desired set with this hash, as it said in a hello, or when it accepted an order.
// Stacks that it shall not have and of which it never said anything are then gone for good.
func (p *Planner) Holds(dev protocol.DeviceID, hash protocol.ShortHash) error {
	emptied, err := p.holds(dev, hash)
	if emptied {
		err = errors.Join(err, p.finishRemoved())
	}
	return err
}

func (p *Planner) holds(dev protocol.DeviceID, hash protocol.ShortHash) (emptied bool, err error) {
	target, there := p.cfg.Fleet.Target(dev)
	if !there {
		return false, nil
	}
	defer p.devices.Lock(string(dev))()
	var silent []*stack
	beside := p.cfg.Beside(dev)
	p.mu.Lock()
	set, withheld := p.entries(dev, target, nil)
	if protocol.DesiredHash(append(set, beside...)) == hash {
		for s, a := range p.byDevice[dev] {
			s.edit(a, func() { a.holds = s.shall(a) && withheld[s].code == "" })
			p.stir(s)
			if !s.shall(a) && a.known && a.status.State == 0 {
				silent = append(silent, s)
			}
		}
	}
	p.mu.Unlock()
	var errs []error
	for _, s := range silent {
		errs = append(errs, p.release(s, dev, protocol.StackStatus{}))
	}
	return len(silent) > 0, errors.Join(errs...)
}

// release drops the device record, because the device does not have the stack; said is its last word. The caller
// holds the device's lock.
func (p *Planner) release(s *stack, dev protocol.DeviceID, said protocol.StackStatus) error {
	if err := p.cfg.Store.DropStackDevice(s.id, dev); err != nil {
		return fmt.Errorf("drop device %s of stack %q: %w", dev, s.name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stir(s)
	a := s.devices[dev]
	switch {
	case a == nil:
	case !a.wanted:
		p.drop(s, dev)
		s.former[dev] = max(said.Rev, a.status.Rev)
	default: // it may have it (again), and is told with the next order
		s.edit(a, func() {
			a.known, a.holds, a.first = false, false, 0
			a.status = protocol.StackStatus{Stack: s.id, Rev: max(said.Rev, a.status.Rev)}
		})
	}
	return nil
}
