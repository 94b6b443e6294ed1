package reconciler

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

// reportAgain is how long to wait when a status could not be stored.
const reportAgain = 30 * time.Second

// step decides what one stack without a job needs now, and starts it. It returns when to look again.
func (r *Reconciler) step(ctx context.Context, s *stack, v *view) (due time.Time) {
	if !s.flush(r) {
		return v.now.Add(reportAgain)
	}
	e, a := v.desired[s.key], v.journal[s.key]
	if e == nil {
		return r.stepRemoval(ctx, s, v)
	}
	if a != nil && a.Entry.Name != e.Name {
		return r.try(ctx, s, v, &job{stack: s, was: a, why: removeRenamed}) // the old project goes first
	}
	if taken(v, e) {
		return due // its removal wakes Run when it ends
	}
	hash := e.Hash()
	if len(s.redeploys) > 0 {
		s.reset()
		return r.try(ctx, s, v, &job{stack: s, entry: e, hash: hash, was: a, why: redeploy})
	}
	if a == nil || a.Phase != PhaseApplied || a.Entry.Hash() != hash {
		return r.try(ctx, s, v, &job{stack: s, entry: e, hash: hash, was: a, why: converge})
	}
	return r.judge(ctx, s, v)
}

func (r *Reconciler) stepRemoval(ctx context.Context, s *stack, v *view) (due time.Time) {
	for _, reply := range s.redeploys {
		reply <- ErrNotHere
	}
	s.redeploys = nil
	a := v.journal[s.key]
	if a != nil {
		return r.try(ctx, s, v, &job{stack: s, was: a, why: remove})
	}
	if s.want != nil && s.want.State != protocol.StackRemoved {
		// Nothing of it is on the device, but the hub was told that it is.
		s.report(r, protocol.StackStatus{Stack: s.key.ID, Version: s.want.Version, State: protocol.StackRemoved, Nonce: s.want.Nonce})
		if !s.reported {
			return v.now.Add(reportAgain)
		}
	}
	delete(r.stacks, s.key)
	return due
}

// try starts a job, unless the last one with the same aim failed a short while ago.
func (r *Reconciler) try(ctx context.Context, s *stack, v *view, j *job) (due time.Time) {
	if s.target != j.hash {
		s.reset()
		s.target = j.hash
	}
	if s.permanent {
		return due
	}
	if v.now.Before(s.retryAt) {
		return s.retryAt
	}
	r.start(ctx, s, j)
	return due
}

// judge compares an applied stack with what the engine says.
func (r *Reconciler) judge(ctx context.Context, s *stack, v *view) (due time.Time) {
	e, a := v.desired[s.key], v.journal[s.key]
	s.reset()
	if v.seen == nil {
		return due
	}
	st := protocol.StackStatus{Stack: e.ID, Version: e.Version, Nonce: e.Nonce, State: protocol.StackRunning}
	if v.seen.Engine.State != protocol.EngineRunning {
		st.State, st.Code, st.Detail = protocol.StackWaiting, stacks.CodeEngineAbsent, engineAbsent(v.seen)
		s.report(r, st)
		return due
	}
	if v.now.Before(s.judgeFrom) {
		return s.judgeFrom
	}
	found := examine(a, v.seen)
	switch {
	case found.code != "":
		st.State, st.Code, st.Detail = protocol.StackDegraded, found.code, found.detail
	case found.undecided && s.want != nil && s.want.State == protocol.StackDegraded && s.want.Version == e.Version:
		return due // still getting healthy
	}
	s.report(r, st)
	if !found.heal() {
		if found.code == "" && s.heals > 0 && v.now.After(s.healAt.Add(r.cfg.RetryCap)) {
			s.heals = 0
		}
		return due
	}
	if v.now.Before(s.healAt) {
		return s.healAt
	}
	s.heals++
	s.healAt = v.now.Add(r.pause(s.heals))
	r.start(ctx, s, &job{stack: s, entry: e, hash: e.Hash(), was: a, why: heal})
	return due
}

// taken reports whether another stack still has containers under the project name.
func taken(v *view, e *protocol.Entry) bool {
	for key, a := range v.journal {
		if key != e.EntryKey && a.Entry.Name == e.Name {
			return true
		}
	}
	return false
}

// pause is how long to wait after the n-th failure in a row: it doubles up to the cap, and varies by half, so that
// what failed together is not tried together.
func (r *Reconciler) pause(n int) time.Duration {
	d := r.cfg.RetryFirst
	for ; n > 1 && d < r.cfg.RetryCap; n-- {
		d *= 2
	}
	d = min(d, r.cfg.RetryCap)
	return d/2 + rand.N(d/2+1)
}

func (s *stack) reset() {
	s.target, s.fails, s.permanent, s.retryAt = protocol.Hash{}, 0, false, time.Time{}
}

// report makes st the stack's status, unless it says nothing new.
func (s *stack) report(r *Reconciler, st protocol.StackStatus) {
	if s.want != nil {
		old := *s.want
		old.Rev, old.At = 0, 0
		if old == st {
			return
		}
	}
	st.At = 0
	s.want, s.reported = &st, false
	s.flush(r)
}

// flush stores the status if it is not stored yet, and reports whether it is.
func (s *stack) flush(r *Reconciler) bool {
	if s.want == nil || s.reported {
		return true
	}
	if err := r.cfg.State.PutStatus(*s.want); err != nil {
		r.cfg.Log.Warn("cannot store the status of a stack", "stack", s.key.ID, "error", err)
		return false
	}
	s.reported = true
	return true
}
