package reconciler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// reportAgain is how long to wait when a status could not be stored.
const reportAgain = 30 * time.Second

// step decides what one stack without a job needs now, and starts it. It returns when to look again.
func (r *Reconciler) step(ctx context.Context, s *stack, v *view) (due time.Time) {
	if !s.flush(r) {
		return v.now.Add(reportAgain)
	}
	e, a := v.desired[s.key], v.journal[s.key]
	if a != nil && a.Held != nil {
		return r.stepHeld(ctx, s, v)
	}
	if e == nil {
		return r.stepRemoval(ctx, s, v)
	}
	if a != nil && a.Entry.Name != e.Name {
		return r.try(ctx, s, v, &job{stack: s, was: a, why: removeRenamed}) // the old project goes first
	}
	if taken(v, e) {
		return due // its removal wakes Run when it ends
	}
	if a, due = r.takeOver(s, v); !due.IsZero() {
		return due
	}
	hash := e.Content()
	if len(s.redeploys) > 0 && !s.forced {
		s.reset()
		s.forced = true
	}
	if s.forced {
		return r.advance(ctx, s, v, s.ready == hash)
	}
	switch {
	case a == nil:
		return r.advance(ctx, s, v, false)
	case a.Phase == PhaseApplied && a.Entry.Content() == hash:
		return r.judge(ctx, s, v)
	case a.at(hash, PhaseRollingBack), a.at(hash, PhaseFailed) && a.goesBack():
		return r.try(ctx, s, v, &job{stack: s, entry: &a.Entry, hash: hash, was: a, why: back})
	case a.at(hash, PhaseRolledBack):
		s.report(r, rolledBack(a))
		return r.keep(ctx, s, v)
	case a.at(hash, PhaseFailed) && a.Final:
		s.report(r, failedFor(a))
		return r.keep(ctx, s, v)
	case a.at(hash, PhaseVerifying) && s.trial != nil:
		return r.watch(ctx, s, v)
	}
	return r.advance(ctx, s, v, a.at(hash, PhaseFetched, PhaseApplying, PhaseVerifying))
}

// advance brings the device nearer to the desired entry, as far as its change rule allows. ready: all is there.
func (r *Reconciler) advance(ctx context.Context, s *stack, v *view, ready bool) (due time.Time) {
	e, a := v.desired[s.key], v.journal[s.key]
	hash := e.Content()
	rule := r.rule(e)
	if s.forced || a.at(hash, PhaseApplying, PhaseVerifying) { // what has begun is brought to its end
		rule = ruling{allowed: true, early: true}
	}
	switch {
	case ready && rule.allowed:
		return r.try(ctx, s, v, &job{stack: s, entry: e, hash: hash, was: a, why: apply})
	case !rule.allowed && a.hasRun() && !a.intact() && a.Next != nil && !a.at(hash, PhaseFailed):
		// The device cannot stay in the middle of an earlier attempt until the rule allows the next one.
		return r.try(ctx, s, v, &job{stack: s, entry: &a.Entry, hash: hash, was: a, why: back})
	case !ready && rule.early:
		return r.try(ctx, s, v, &job{stack: s, entry: e, hash: hash, was: a, why: prepare})
	}
	s.report(r, protocol.StackStatus{
		Stack: e.ID, Version: e.Version, Nonce: e.Nonce, State: rule.state, Code: rule.code, Detail: rule.detail,
		Running: running(a, e.Version),
	})
	due = r.keep(ctx, s, v)
	if rule.again > 0 && s.job == nil {
		if at := v.now.Add(rule.again); due.IsZero() || at.Before(due) {
			due = at
		}
	}
	return due
}

// takeOver notes a desired entry whose content is the journal's already, and that differs in what is not applied.
func (r *Reconciler) takeOver(s *stack, v *view) (_ *Applied, due time.Time) {
	e, a := v.desired[s.key], v.journal[s.key]
	if a == nil {
		return nil, due
	}
	line, access := *a, a.Entry.Access
	switch hash := e.Content(); {
	case a.Next == nil && a.Entry.Content() == hash && a.Entry.Hash() != e.Hash():
		line.Entry = *e
	case a.Next != nil && a.Next.Content() == hash && a.Next.Hash() != e.Hash():
		next := *e
		line.Next, access = &next, a.Next.Access
	default:
		return a, due
	}
	if !bytes.Equal(access, e.Access) { // what a registry refused, it may give now
		s.reset()
		if line.Code == ipc.CodeImageUnavailable || line.Code == stacks.CodeSealed {
			line.Tries, line.Final = 0, false
		}
	}
	if err := r.cfg.State.PutApplied(line); err != nil {
		r.cfg.Log.Warn("cannot note another change rule or access to registries", "stack", e.ID, "error", err)
		return nil, v.now.Add(reportAgain)
	}
	v.journal[s.key] = &line
	return &line, due
}

func (r *Reconciler) stepRemoval(ctx context.Context, s *stack, v *view) (due time.Time) {
	s.refuse(ErrNotHere)
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
	if s.healing == nil || found.code == "" { // why it cannot be healed says more than that it has to be
		s.healing = nil
		s.report(r, st)
	}
	return r.heal(ctx, s, v, &found)
}

// keep looks after the last good version of a stack while it is not the desired one that runs.
func (r *Reconciler) keep(ctx context.Context, s *stack, v *view) (due time.Time) {
	a := v.journal[s.key]
	if !a.intact() || v.seen == nil || v.seen.Engine.State != protocol.EngineRunning {
		return due
	}
	if v.now.Before(s.judgeFrom) {
		return s.judgeFrom
	}
	found := examine(a, v.seen)
	return r.heal(ctx, s, v, &found)
}

// heal applies what ran once more where that helps.
func (r *Reconciler) heal(ctx context.Context, s *stack, v *view, found *finding) (due time.Time) {
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
	a := v.journal[s.key]
	j := &job{stack: s, entry: &a.Entry, was: a, why: heal}
	if e := v.desired[s.key]; e != nil {
		j.hash = e.Content()
	}
	r.start(ctx, s, j)
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

// running is the version that runs in the place of version; 0 where it is the same, none, or not known.
func running(a *Applied, version uint64) uint64 {
	if !a.intact() || a.Entry.Version == version {
		return 0
	}
	return a.Entry.Version
}

// failedFor is the status of a version that is not tried again.
func failedFor(a *Applied) protocol.StackStatus {
	return protocol.StackStatus{
		Stack: a.Entry.ID, Version: a.Next.Version, Nonce: a.Next.Nonce, State: protocol.StackFailed, Code: a.Code, Detail: a.Detail,
		Running: running(a, a.Next.Version),
	}
}

// rolledBack is the status of a stack of which the last good version runs again.
func rolledBack(a *Applied) protocol.StackStatus {
	st := failedFor(a)
	st.State = protocol.StackRolledBack
	return st
}

func (s *stack) reset() {
	s.target, s.fails, s.retryAt = protocol.Hash{}, 0, time.Time{}
}

// refuse tells those who wait for a redeploy that there is none.
func (s *stack) refuse(err error) {
	for _, reply := range s.redeploys {
		reply <- err
	}
	s.redeploys, s.forced = nil, false
}

// report makes st the stack's status, unless it says nothing new. Another entry than the last one may come at any moment,
// and need no fetching; where its state could not follow the last one's, what lies between is said.
func (s *stack) report(r *Reconciler, st protocol.StackStatus) {
	st.Spent = s.costOf(st.Version)
	if s.want != nil {
		old := *s.want
		old.Rev, old.At, old.Spent = 0, 0, st.Spent
		if old == st {
			return
		}
		if old.State != protocol.StackRemoved && st.State != protocol.StackRemoved && !stacks.Legal(old.State, st.State) {
			between := protocol.StackStatus{Stack: st.Stack, Version: st.Version, Nonce: st.Nonce, Running: st.Running, State: protocol.StackFetching}
			switch st.State {
			case protocol.StackDegraded:
				between.State = protocol.StackRunning
			case protocol.StackRolledBack:
				between.State = protocol.StackRollingBack
			}
			s.report(r, between)
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

// orphans tells of containers that carry the mark of a stack which neither the hub nor the journal knows: those of a data
// folder that was lost or restored. They are left alone, as nobody knows what their data is worth.
func (r *Reconciler) orphans(v *view) {
	if v.seen == nil {
		return
	}
	for _, c := range v.seen.Containers {
		key := protocol.EntryKey{Kind: protocol.EntryStack, ID: c.Stack}
		if c.Stack == 0 || v.desired[key] != nil || v.journal[key] != nil || r.strange[c.Stack] || r.stacks[key] != nil {
			continue
		}
		text := fmt.Sprintf("containers of stack %d (project %s) are on the device, and neither hub nor agent knows the stack: they are left as they are; remove them on the device, or apply the stack again", c.Stack, c.Project)
		if err := r.cfg.State.PutEvent("stack-orphaned", text); err != nil {
			r.cfg.Log.Warn("cannot tell of containers that belong to no stack", "error", err)
			return
		}
		r.cfg.Log.Warn(text)
		r.strange[c.Stack] = true
	}
}

var errEnding = errors.New("the stack was changed or removed meanwhile, or the agent is being stopped")
