package planner

import (
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/rollout"
)

// observe says how the devices of a rollout stand, and which of them shall not begin after all, because they are not
// heard of. The caller holds mu.
func (p *Planner) observe(s *stack, r *run, now time.Time) (seen []rollout.Seen, withdraw []protocol.DeviceID) {
	seen = make([]rollout.Seen, 0, len(s.devices))
	for dev, a := range s.devices {
		if !a.wanted {
			continue
		}
		target, there := p.cfg.Fleet.Target(dev)
		if !there {
			continue
		}
		d := r.State.Devices[dev]
		v := rollout.Seen{ID: dev, Attempt: d.Attempt, Group: a.group}
		if r.Plan.ByOrder {
			v.Order = r.Order.of(target.Labels)
		}
		back := d.Status == rollout.StatusReturning || d.Status == rollout.StatusReturned || d.Status == rollout.StatusStuck
		g := s.grants[dev]
		switch {
		case g.Rollout == r.Number && g.Attempt == d.Attempt:
			if p.seeGranted(&v, s, a, seeing{r, target, now}) && !back {
				withdraw = append(withdraw, dev)
			}
		case back:
			if reachable, next := p.cfg.Fleet.Reachable(dev); !reachable {
				v.Standing, v.Code, v.Next = rollout.Deferred, CodeQuiet, next
			}
		default:
			p.seeFree(&v, s, a, seeing{r, target, now})
		}
		seen = append(seen, v)
	}
	return seen, withdraw
}

// seeGranted says how a device stands that was told what to have, and whether it shall not begin. The caller holds mu.
func (p *Planner) seeGranted(v *rollout.Seen, s *stack, a *assigned, by seeing) (withdraw bool) {
	g := s.grants[a.dev]
	reachable, next := p.cfg.Fleet.Reachable(a.dev)
	st := a.status
	unfit := p.fits(s, a, by.target, want{g.Version, g.Nonce, g.Rollout})
	quiet := func() {
		v.Standing, v.Code, v.Next = rollout.Deferred, CodeQuiet, next
	}
	switch {
	case g.Version == stacks.None:
		v.Standing = rollout.Started
		if !a.known || st.State == 0 || st.State == protocol.StackRemoved {
			v.Standing = rollout.Succeeded
		}
	case st.Version == g.Version && st.Nonce == g.Nonce && stacks.Reported(st.State):
		trying := st.Again && by.now.Before(time.Unix(st.At, 0).Add(againLimit))
		switch {
		case st.State == protocol.StackRunning:
			v.Standing = rollout.Succeeded
		case st.Hold != 0:
			v.Standing, v.Code = rollout.Deferred, stacks.CodeHeld
		case st.State == protocol.StackFailed && trying && reachable:
			v.Standing = rollout.Started
		case st.State == protocol.StackDegraded || st.State == protocol.StackFailed || st.State == protocol.StackRolledBack:
			v.Standing, v.Code, v.Changed = rollout.Ended, st.Code, true
		case by.target.Spent && !begun(st.State):
			v.Standing, v.Code = rollout.Deferred, stacks.CodeBudget
		case reachable:
			v.Standing = rollout.Started
		case begun(st.State): // it may be quiet because of what it has begun, so it is waited for
			v.Standing, v.Code, v.Next = rollout.Started, CodeQuiet, next
		default:
			quiet()
		}
	case st.Hold != 0:
		v.Standing, v.Code = rollout.Deferred, stacks.CodeHeld
	case unfit.code != "": // it was not told of it, if it was so all the time
		v.Standing, v.Code = rollout.Deferred, unfit.code
		return !a.holds
	case a.withheld.code == stacks.CodeInvalidHere:
		v.Standing, v.Code = rollout.Deferred, a.withheld.code
	case reachable && by.target.Spent:
		v.Standing, v.Code = rollout.Deferred, stacks.CodeBudget
		return !a.holds
	case reachable:
		v.Standing = rollout.Started
	default:
		quiet()
		return !a.holds
	}
	return false
}

// seeing is what devices are seen by.
type seeing struct {
	run    *run
	target stacks.Target
	now    time.Time
}

// seeFree says how a device stands that the rollout has not told anything yet. The caller holds mu.
func (p *Planner) seeFree(v *rollout.Seen, s *stack, a *assigned, by seeing) {
	r := by.run
	version, nonce, _ := s.due(a)
	if version == r.Version && v.Attempt == 0 && (!r.Force || nonce >= r.nonce(0)) && a.status.Version == version && a.status.Nonce == nonce {
		if a.status.State == protocol.StackRunning {
			v.Standing = rollout.Succeeded
			return
		}
	}
	if a.status.Hold != 0 {
		v.Standing, v.Code = rollout.Deferred, stacks.CodeHeld
		return
	}
	reachable, next := p.cfg.Fleet.Reachable(a.dev)
	if !reachable {
		v.Standing, v.Code, v.Next = rollout.Deferred, CodeQuiet, next
		return
	}
	if by.target.Spent {
		v.Standing, v.Code = rollout.Deferred, stacks.CodeBudget
		return
	}
	if why := p.fits(s, a, by.target, want{r.Version, r.nonce(v.Attempt), r.Number}); why.code != "" {
		v.Standing, v.Code = rollout.Deferred, why.code
		return
	}
	if s.rec.Change.FetchLate && len(s.rec.Change.Windows) > 0 {
		_, opens, open := stacks.WindowAt(stacks.Zoned(s.rec.Change.Windows, by.target.Labels), by.now)
		if !open {
			v.Standing, v.Code, v.Next = rollout.Deferred, stacks.CodeWindow, opens
		}
	}
}

// begun reports whether a device in a state has changed something.
func begun(s protocol.StackState) bool {
	return s != protocol.StackFetching && s != protocol.StackFetched && s != protocol.StackWindow
}
