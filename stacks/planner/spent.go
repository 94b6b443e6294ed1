package planner

import (
	"fmt"
)

// spent is what devices say that they have spent on a version.
type spent struct {
	bytes   uint64
	devices uint32
}

// addSpent counts what a device has spent in or out. The caller holds mu, or the Planner is new.
func (s *stack) addSpent(a *assigned, n int) {
	if a.status.Spent == 0 {
		return
	}
	x := s.spent[a.status.Version]
	if n > 0 {
		x.bytes, x.devices = x.bytes+a.status.Spent, x.devices+1
	} else {
		x.bytes, x.devices = x.bytes-a.status.Spent, x.devices-1
	}
	if s.spent[a.status.Version] = x; x.devices == 0 {
		delete(s.spent, a.status.Version)
	}
}

// accountOf is what devices have spent on the version of a rollout: those that have it now, or what was kept when they
// went on to a later one. The caller holds mu.
func (s *stack) accountOf(r *run) (bytes uint64, devices uint32) {
	for _, later := range s.runs {
		if later.Number > r.Number && later.Version == r.Version {
			return r.Spent, r.Reported // what they say now is about that one too
		}
	}
	if now := s.spent[r.Version]; now.devices >= r.Reported {
		return now.bytes, now.devices
	}
	return r.Spent, r.Reported
}

// account has a change keep what devices have spent on rollouts, before a later one makes them speak of another version.
// The caller holds mu.
func (s *stack) account(c *Change) {
	for _, r := range s.runs {
		bytes, devices := s.accountOf(r)
		if bytes == r.Spent && devices == r.Reported {
			continue
		}
		kept := c.changed(r)
		kept.Spent, kept.Reported = bytes, devices
	}
}

// changed is a rollout as the change leaves it.
func (c *Change) changed(r *run) *Rollout {
	for _, x := range c.Ended {
		if x.Number == r.Number {
			return x
		}
	}
	out := r.Rollout
	out.State = r.State.Clone()
	c.Ended = append(c.Ended, &out)
	return &out
}

// Estimated keeps what devices were thought to spend on the latest rollout of a version, where nobody has said so yet.
// Errors wrap stacks.ErrNotFound, ErrRemoving or ErrNoRollout.
func (p *Planner) Estimated(name string, version, bytes uint64, devices int) error {
	p.change.Lock()
	defer p.change.Unlock()
	s, err := p.standing(name)
	if err != nil {
		return err
	}
	var r *run
	p.mu.RLock()
	for _, x := range s.runs {
		if x.Version == version {
			r = x
		}
	}
	p.mu.RUnlock()
	switch {
	case r == nil:
		return fmt.Errorf("%w: of version %d of stack %q", ErrNoRollout, version, name)
	case r.Estimated != 0 || devices == 0:
		return nil
	}
	c := Change{Stack: s.rec} // changes under change only
	kept := c.changed(r)
	kept.Estimate, kept.Estimated = bytes, uint32(devices)
	var notices []Notice
	_, err = p.commit(s, c, &notices)
	return err
}
