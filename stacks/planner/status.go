package planner

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

// maxCode is the most bytes of a reason code.
const maxCode = 64

// Status takes what a device says of a stack. Of several the one with the highest Rev counts, so that a repeated one
// changes nothing. It touches one record, whatever the size of the fleet. One about a stack that the device never had
// is dropped. An error means that it was not kept, or, wrapping protocol.ErrMalformed, that it is nonsense.
func (p *Planner) Status(dev protocol.DeviceID, st protocol.StackStatus) error {
	if !stacks.Reported(st.State) {
		return fmt.Errorf("%w: status of stack %d: a device cannot report %s", protocol.ErrMalformed, st.Stack, st.State)
	}
	if len(st.Code) > maxCode {
		return fmt.Errorf("%w: status of stack %d: a reason code of %d bytes", protocol.ErrMalformed, st.Stack, len(st.Code))
	}
	if st.Hold > protocol.HoldBack || len(st.HeldBy) > protocol.MaxName || st.Done < 0 || st.Total < 0 {
		return fmt.Errorf("%w: status of stack %d: a hold, a name or numbers that cannot be", protocol.ErrMalformed, st.Stack)
	}
	st.HeldBy = protocol.Printable(st.HeldBy, protocol.MaxName)
	st.Code, st.Detail = protocol.Printable(st.Code, maxCode), protocol.Printable(st.Detail, protocol.MaxText)
	news, emptied, err := p.status(dev, st)
	if news != nil {
		p.cfg.Events(*news)
	}
	if emptied {
		err = errors.Join(err, p.finishRemoved())
	}
	return err
}

func (p *Planner) status(dev protocol.DeviceID, st protocol.StackStatus) (news *Notice, emptied bool, err error) {
	defer p.devices.Lock(string(dev))()
	s, r, before, held := p.taken(dev, st)
	switch {
	case s == nil:
		p.cfg.Log.Debug("status is dropped: repeated, or of a stack that the device does not have", "device", dev, "stack", st.Stack,
			"state", st.State.String())
		return nil, false, nil
	case st.State == protocol.StackRemoved:
		err = p.release(s, dev, st)
	default:
		if err = p.cfg.Store.PutStackDevice(r); err == nil {
			p.adopt(s, r)
		}
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if err != nil && p.byID[st.Stack] != s {
		return nil, false, nil // the stack went meanwhile
	}
	if err != nil {
		return nil, false, fmt.Errorf("keep status of stack %q on device %s: %w", s.name, dev, err)
	}
	p.stir(s)
	a := s.devices[dev]
	switch {
	case st.Hold != held:
		news = s.holdNotice(dev, st, held)
	case st.State == protocol.StackRemoved || a != nil && a.wanted && s.shown(a) != before:
		news = notice(s, dev, st)
	}
	return news, s.rec.Removed != 0 && len(s.devices) == 0, nil
}

// taken returns the record that a status makes, and the state and hold before. The stack is nil when the status is to be
// dropped.
func (p *Planner) taken(dev protocol.DeviceID, st protocol.StackStatus) (*stack, stacks.DeviceRecord, protocol.StackState, protocol.Hold) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	s := p.byID[st.Stack]
	if s == nil {
		return nil, stacks.DeviceRecord{}, 0, 0
	}
	r := stacks.DeviceRecord{Stack: s.id, Device: dev, First: never, Status: st}
	a := s.devices[dev]
	rev, former := s.former[dev]
	switch {
	case a == nil && (!former || st.Rev <= rev || st.State == protocol.StackRemoved):
		return nil, r, 0, 0
	case a == nil:
		return s, r, 0, 0
	case st.Rev <= a.status.Rev:
		return nil, r, 0, 0
	case a.known:
		r.First = a.first
		if st.Version == a.status.Version { // a device whose count was lost begins anew
			r.Status.Spent = max(st.Spent, a.status.Spent)
		}
	case s.shall(a):
		r.First, _, _ = s.due(a)
	}
	return s, r, s.shown(a), a.status.Hold
}

// holdNotice tells that somebody at a device took a stack in hand, or released it.
func (s *stack) holdNotice(dev protocol.DeviceID, st protocol.StackStatus, before protocol.Hold) *Notice {
	by := cmp.Or(st.HeldBy, "somebody")
	text := fmt.Sprintf("%s at the device released the stack, which was %s there", by, before)
	switch st.Hold {
	case 0:
	case protocol.HoldKept:
		text = fmt.Sprintf("%s at the device holds the stack as it is", by)
	case protocol.HoldStopped:
		text = fmt.Sprintf("%s at the device stopped the stack", by)
	default:
		text = fmt.Sprintf("%s at the device rolled the stack back", by)
	}
	return &Notice{Kind: KindHeld, Stack: s.name, Group: s.rec.Group, Owner: s.rec.Owner, Version: st.Version, Device: dev, Text: text}
}

// notice is what is worth telling of a status, or nil.
func notice(s *stack, dev protocol.DeviceID, st protocol.StackStatus) *Notice {
	n := &Notice{Stack: s.name, Group: s.rec.Group, Owner: s.rec.Owner, Version: st.Version, Device: dev, Text: st.Detail}
	switch st.State {
	case protocol.StackRunning:
		n.Kind = KindRunning
	case protocol.StackDegraded:
		n.Kind = KindDegraded
	case protocol.StackFailed, protocol.StackRolledBack:
		n.Kind = KindFailed
	case protocol.StackRemoved:
		n.Kind = KindLeft
	default:
		return nil
	}
	return n
}

// Restored notes that a device begins to count its statuses anew, because its data folder was restored from an older
// copy: what it says next counts, whatever its Rev.
func (p *Planner) Restored(dev protocol.DeviceID) {
	defer p.devices.Lock(string(dev))()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.byDevice[dev] {
		a.status.Rev = 0
	}
}

// WordsLost notes that devices may have said things that are not known here, because the hub was restored from a backup.
// Devices that shall not have a stack any more may have said that it is gone, and would not say so again: they count as
// having said nothing, until they do.
func (p *Planner) WordsLost() error {
	p.change.Lock()
	defer p.change.Unlock()
	var lost []stacks.DeviceRecord
	p.mu.RLock()
	for _, s := range p.byID {
		for dev, a := range s.devices {
			if !a.wanted && a.known && a.status.State != 0 {
				r := stacks.DeviceRecord{Stack: s.id, Device: dev, First: a.first, Status: a.status}
				r.Status.State = 0
				lost = append(lost, r)
			}
		}
	}
	p.mu.RUnlock()
	for _, r := range lost {
		if err := p.cfg.Store.PutStackDevice(r); err != nil {
			return fmt.Errorf("forget what device %s said of stack %d: %w", r.Device, r.Stack, err)
		}
		p.mu.RLock()
		s := p.byID[r.Stack]
		p.mu.RUnlock()
		p.adopt(s, r)
	}
	return nil
}
