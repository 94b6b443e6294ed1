package planner

import (
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/rollout"
)

// grants are those that a step makes. The caller holds mu.
func (p *Planner) grants(s *stack, r *run, out rollout.Output, withdraw []protocol.DeviceID) (all []stacks.Grant) {
	for _, task := range out.Start {
		a := s.devices[task.ID]
		g := stacks.Grant{Stack: s.id, Device: task.ID, Rollout: r.Number, Attempt: task.Attempt, Version: r.Version}
		g.Before, g.BeforeNonce, _ = s.due(a)
		if old := s.grants[task.ID]; old.Rollout == r.Number {
			g.Before, g.BeforeNonce = old.Before, old.BeforeNonce
		}
		g.Nonce = max(s.rec.Nonce, s.grants[task.ID].Nonce)
		if r.Force || task.Attempt > 0 || a.failedWith(g.Version, g.Nonce) { // of the same nonce nobody could tell the end
			g.Nonce = r.nonce(task.Attempt)
		}
		all = append(all, g)
	}
	for _, task := range out.Back {
		g := s.grants[task.ID]
		g.Attempt, g.Version, g.Nonce = task.Attempt, g.Before, g.BeforeNonce
		all = append(all, g)
	}
	for _, dev := range withdraw {
		all = append(all, s.withdrawn(dev))
	}
	return all
}

// withdrawn is the grant of a device that shall not begin after all. The caller holds mu.
func (s *stack) withdrawn(dev protocol.DeviceID) stacks.Grant {
	g := s.grants[dev]
	g.Attempt, g.Version, g.Nonce = stacks.Withdrawn, g.Before, g.BeforeNonce
	return g
}

// takeBack are the grants of devices that were told to begin, and have changed nothing yet. The caller holds mu.
func (s *stack) takeBack(r *run, state *rollout.State) (all []stacks.Grant) {
	for dev, d := range state.Devices {
		g, a := s.grants[dev], s.devices[dev]
		if a == nil || g.Rollout != r.Number || g.Attempt != d.Attempt || g.Version != r.Version || g.Version == g.Before {
			continue
		}
		if d.Status != rollout.StatusGoing && d.Status != rollout.StatusChosen && d.Status != rollout.StatusWaiting {
			continue
		}
		changed := a.holds
		if a.status.Version == g.Version && a.status.Nonce == g.Nonce {
			changed = begun(a.status.State)
		}
		if !changed {
			all = append(all, s.withdrawn(dev))
		}
	}
	return all
}

// undo are the grants of devices that a rollback does not bring back one after another, and that shall have again what they
// had: those that it does not wait for, and those that the stack is not meant for any more. The caller holds mu.
func (s *stack) undo(r *run, state *rollout.State) (all []stacks.Grant) {
	what := undone(&r.State, state)
	if what == rollout.Pause {
		return nil
	}
	for dev, g := range s.grants {
		if g.Rollout != r.Number || g.Attempt == stacks.Withdrawn || g.Version == g.Before && g.Nonce == g.BeforeNonce {
			continue
		}
		a, d := s.devices[dev], state.Devices[dev]
		switch {
		case what == rollout.RollBackBatch && d.Batch != 0 && d.Batch != state.Batch:
		case a == nil, !a.wanted, d.Status == 0, d.Status == rollout.StatusWaiting, d.Status == rollout.StatusFailed:
			all = append(all, s.withdrawn(dev))
		}
	}
	return all
}

// undone is what a step brings back, or has brought back; Pause: nothing.
func undone(before, after *rollout.State) rollout.OnFailure {
	switch {
	case after.Undo != rollout.Pause:
		return after.Undo
	case after.Phase == rollout.Failed:
		return rollout.RollBackAll
	case after.Phase == rollout.Paused && before.Phase != rollout.Paused && after.Plan.OnFailure == rollout.RollBackBatch:
		return rollout.RollBackBatch
	}
	return rollout.Pause
}
