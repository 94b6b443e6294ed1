package reconciler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// Deed is what somebody at the device does to a stack.
type Deed string

// The deeds.
const (
	DeedHold     Deed = "hold"     // it stays as it is
	DeedStop     Deed = "stop"     // its containers are stopped, and stay so
	DeedRollback Deed = "rollback" // an earlier version that is kept on the device runs, and stays
	DeedResume   Deed = "resume"   // back to what the hub wants
)

// Decision of somebody at the device about one stack.
type Decision struct {
	// Stack is its name, or its number.
	Stack string
	Deed  Deed
	// Version to go back to, for DeedRollback. 0: the last good one before the one that runs.
	Version uint64
	// By is who decided, Reason why, each "" where not known.
	By, Reason string
}

// Bounds of what people write.
const (
	maxBy     = 64
	maxReason = 300
)

// Decide carries out what somebody at the device decided, with no hub asked. It returns when it is journaled and, for
// DeedStop and DeedRollback, done. After an error the decision stands where the error says so; a sentence for people.
func (r *Reconciler) Decide(ctx context.Context, d Decision) error {
	if len(d.By) > maxBy || len(d.Reason) > maxReason {
		return fmt.Errorf("a reason has at most %d bytes, a name %d: write less", maxReason, maxBy)
	}
	reply := make(chan error, 1)
	r.ask(request{decision: &d, reply: reply})
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-r.ended:
		return errors.New("the agent is being stopped")
	}
}

// named finds a stack by its name or number.
func (v *view) named(name string) (key protocol.EntryKey, ok bool) {
	id, err := strconv.ParseUint(name, 10, 64)
	for k, a := range v.journal {
		if a.Entry.Name == name || err == nil && k.ID == id {
			return k, true
		}
	}
	for k, e := range v.desired {
		if e.Name == name || err == nil && k.ID == id {
			return k, true
		}
	}
	return key, false
}

// decided takes a decision, and reports whether that is done: work that is under way is ended first, unless it has
// changed something that a hold would leave half done.
func (r *Reconciler) decided(q request, v *view) (done bool) {
	d := q.decision
	key, ok := v.named(d.Stack)
	if !ok {
		q.reply <- fmt.Errorf("there is no stack %.80q on this device: `farshore-agent stacks` lists those that are", d.Stack)
		return true
	}
	s := r.stack(key)
	if s.job != nil {
		if s.job.entry != nil && !(s.job.changing.Load() && d.Deed == DeedHold) {
			s.job.cancel()
		}
		return false
	}
	var line Applied
	if a := v.journal[key]; a != nil {
		line = *a
	} else {
		line = (*Applied)(nil).toward(v.desired[key], PhaseFetching)
	}
	if line.Phase == PhaseRemoving {
		q.reply <- fmt.Errorf("stack %s is being removed", line.Entry.Name)
		return true
	}
	held := &Held{By: d.By, Reason: d.Reason, At: r.cfg.Now().Unix()}
	line.Wake = line.Wake || line.Held != nil && line.Held.Hold == protocol.HoldStopped
	var err error
	work := false
	switch d.Deed {
	case DeedHold:
		held.Hold = protocol.HoldKept
		line.Held = held
	case DeedStop:
		held.Hold, work = protocol.HoldStopped, true
		line.Held = held
	case DeedRollback:
		held.Hold = protocol.HoldBack
		line.Held = held
		work, err = line.rollback(d.Version)
	case DeedResume:
		err = line.resume()
	default:
		err = fmt.Errorf("%q is nothing that can be done to a stack", d.Deed)
	}
	if err == nil {
		err = r.cfg.State.PutApplied(line)
	}
	if err != nil {
		q.reply <- err
		return true
	}
	r.cfg.Log.Info("somebody at the device decided about a stack", "stack", line.Entry.Name, "deed", d.Deed, "by", d.By, "reason", d.Reason)
	v.journal[key] = &line
	s.reset()
	s.trial, s.healing = nil, nil
	if work {
		s.answers = append(s.answers, q.reply)
	} else {
		q.reply <- nil
	}
	return true
}

// rollback makes the line one that goes back to an earlier version, and reports whether there is anything to do.
func (a *Applied) rollback(version uint64) (work bool, err error) {
	kept := a.kept()
	switch {
	case version == 0 && a.Phase == PhaseApplied && a.Earlier != nil:
		version = a.Earlier.Version
	case version == 0 && a.Phase != PhaseApplied && a.hasRun():
		version = a.Entry.Version
	case version == 0:
		return false, fmt.Errorf("no earlier version of stack %s is kept on this device", a.Entry.Name)
	case !slices.Contains(kept, version):
		return false, fmt.Errorf("version %d of stack %s is not kept on this device: there are %d", version, a.Entry.Name, kept)
	}
	switch {
	case a.Earlier != nil && a.Earlier.Version == version && a.Entry.Version != version:
		left := a.Entry
		a.Entry, a.Earlier = *a.Earlier, nil
		if a.Next == nil {
			a.Next = &left
		} else {
			a.Earlier = &left
		}
	case a.Phase == PhaseApplied:
		return false, nil // it runs
	}
	a.Phase, a.Touched, a.Tries, a.Final = PhaseRollingBack, true, 0, false
	a.Code, a.Detail = stacks.CodeHeld, "somebody at the device went back to this version"
	return true, nil
}

// kept are the good versions whose files are on the device, the latest first.
func (a *Applied) kept() []uint64 {
	var out []uint64
	if a.hasRun() {
		out = append(out, a.Entry.Version)
	}
	if a.Earlier != nil {
		out = append(out, a.Earlier.Version)
	}
	return out
}

// resume makes the line one that goes on toward what the hub wants, and tries anew what had failed.
func (a *Applied) resume() error {
	held := a.Held
	if held == nil && a.Phase != PhaseFailed && a.Phase != PhaseRolledBack {
		return fmt.Errorf("stack %s is not held: it is as the hub wants it, or on the way there", a.Entry.Name)
	}
	stopped := held != nil && held.Hold == protocol.HoldStopped
	a.Held, a.Tries, a.Final, a.Code, a.Detail = nil, 0, false, "", ""
	switch {
	case a.Phase == PhaseApplied && stopped:
		next := a.Entry
		a.Next, a.Phase = &next, PhaseApplying // at once, whatever the change rule says
	case a.Phase != PhaseApplied:
		a.Touched = a.hasRun() && (!a.intact() || stopped)
		a.Phase = PhaseFetching
	}
	return nil
}

// stepHeld is step for a stack that somebody at the device decided about: nothing is done but that.
func (r *Reconciler) stepHeld(ctx context.Context, s *stack, v *view) (due time.Time) {
	a := v.journal[s.key]
	s.refuse(errors.New(a.Held.said()))
	switch {
	case a.Phase == PhaseRollingBack:
		return r.try(ctx, s, v, &job{stack: s, entry: &a.Entry, was: a, why: back, held: true})
	case a.Held.Hold == protocol.HoldStopped && !a.Held.Done:
		r.reportHeld(s, v)
		return r.try(ctx, s, v, &job{stack: s, entry: &a.Entry, was: a, why: stop, held: true})
	case a.Phase == PhaseApplied && v.now.Before(s.judgeFrom):
		due = s.judgeFrom
	}
	r.reportHeld(s, v)
	return due
}

// reportHeld reports a held stack as it stands.
func (r *Reconciler) reportHeld(s *stack, v *view) {
	e, a := v.desired[s.key], v.journal[s.key]
	st := protocol.StackStatus{Stack: s.key.ID, Version: a.latest().Version, Nonce: a.latest().Nonce, State: protocol.StackWaiting}
	if s.want != nil && s.want.State != protocol.StackRemoved {
		st.State, st.Version, st.Nonce, st.Running = s.want.State, s.want.Version, s.want.Nonce, s.want.Running
	}
	switch a.Phase {
	case PhaseApplied:
		st.State, st.Version, st.Nonce, st.Running = protocol.StackRunning, a.Entry.Version, a.Entry.Nonce, 0
		if v.seen != nil && v.seen.Engine.State == protocol.EngineRunning && !v.now.Before(s.judgeFrom) {
			if found := examine(a, v.seen); found.code != "" {
				st.State, st.Detail = protocol.StackDegraded, found.detail
			}
		} else if s.want != nil && s.want.State == protocol.StackDegraded {
			st.State = protocol.StackDegraded
		}
	case PhaseRolledBack:
		st = rolledBack(a)
	case PhaseFailed:
		st = failedFor(a)
	}
	if a.Held.Hold == protocol.HoldStopped {
		st.Detail = "its containers are stopped"
		if f := s.halting; f != nil && !a.Held.Done {
			st.Detail = "its containers are not stopped yet: " + f.said("")
		}
	}
	if e == nil {
		st.Detail = join(st.Detail, "the hub wants it removed, which waits")
	}
	s.report(r, r.withHold(st, a))
}

// withHold adds to a status what somebody at the device decided.
func (r *Reconciler) withHold(st protocol.StackStatus, a *Applied) protocol.StackStatus {
	if a.Held != nil {
		st.Hold, st.HeldBy, st.Code = a.Held.Hold, a.Held.By, stacks.CodeHeld
		st.Detail = join(a.Held.said(), st.Detail)
	}
	return st
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// said is the decision as a sentence.
func (h *Held) said() string {
	word := map[protocol.Hold]string{protocol.HoldStopped: "stopped", protocol.HoldBack: "rolled back and held"}[h.Hold]
	if word == "" {
		word = "held"
	}
	text := "the stack was " + word + " at the device"
	if h.By != "" {
		text += " by " + h.By
	}
	if h.At != 0 {
		text += " on " + time.Unix(h.At, 0).UTC().Format("2006-01-02 15:04 UTC")
	}
	if h.Reason != "" {
		text += ": " + h.Reason
	}
	return text
}

// stopContainers stops what the stack runs.
func (r *Reconciler) stopContainers(ctx context.Context, j *job) *failure {
	j.changing.Store(true)
	leave, f := enter(ctx, r.slots)
	if f != nil {
		return f
	}
	defer leave()
	if f := r.engineThere(); f != nil {
		return f
	}
	_, f = r.compose(ctx, ipc.Request{
		Action: ipc.ActionStop, Project: j.was.Entry.Name, Root: r.cfg.Stager.Root(j.was.Entry.EntryKey), Host: r.cfg.Host,
	}, func(ipc.Event) {})
	if f != nil {
		return f
	}
	line, held := *j.was, *j.was.Held
	held.Done = true
	line.Held = &held
	if err := r.cfg.State.PutApplied(line); err != nil {
		return local("that the containers are stopped could not be journaled", err)
	}
	return nil
}

// Release takes back what people decided about the stacks of a device whose agent does not run.
func Release(s State) error {
	var errs []error
	for _, a := range s.Applied() {
		if a.Held != nil {
			a.Held = nil
			errs = append(errs, s.PutApplied(a))
		}
	}
	return errors.Join(errs...)
}
