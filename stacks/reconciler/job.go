package reconciler

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

// purpose is why a job runs.
type purpose uint8

const (
	prepare       purpose = iota + 1 // get files and images of the desired entry
	apply                            // make the engine run it
	accept                           // it ran well for as long as it was watched
	condemn                          // it did not
	back                             // bring back the last good version
	heal                             // the last good version lacks containers
	stop                             // somebody at the device wants its containers stopped
	remove                           // it is not desired
	removeRenamed                    // it is desired under another name
)

// job is one attempt at one stack. It runs in its own goroutine and owns its stack until it is handed to done.
type job struct {
	stack    *stack
	entry    *protocol.Entry // what is worked on; nil: removal
	hash     protocol.Hash   // content of the desired entry for which it runs; zero: none is asked for
	was      *Applied        // the journal when it began; nil: nothing
	why      purpose
	held     bool // somebody at the device decided it: what is desired does not end it
	cancel   context.CancelFunc
	changing atomic.Bool // the engine may be changed by it
	quiet    bool        // progress is not reported: it would only repeat the last attempt's
	verdict  *failure    // for condemn, with the name of the container that is to blame
	culprit  string
	services []Service // for accept
	meter    meter
	failure  *failure
}

// fits reports whether a running job still aims at what is desired. A removal is brought to its end.
func (j *job) fits(desired *protocol.Entry) bool {
	return j.held || j.entry == nil || desired != nil && desired.Content() == j.hash
}

func (r *Reconciler) start(ctx context.Context, s *stack, j *job) {
	ctx, j.cancel = context.WithCancel(ctx)
	switch j.why {
	case heal:
		j.quiet = true
	case back:
		j.quiet = s.fails > 0 && s.want != nil && s.want.State == protocol.StackFailed
	case prepare, apply:
		j.quiet = (s.fails > 0 || j.was.at(j.hash, PhaseFailed)) && j.entry.Verify == 0
	default:
		j.quiet = s.fails > 0
	}
	s.job = j
	go func() {
		j.failure = r.work(ctx, j)
		if j.failure != nil && ctx.Err() != nil {
			j.failure.cancelled = true
		}
		j.cancel()
		r.done <- j
	}()
}

func (r *Reconciler) work(ctx context.Context, j *job) *failure {
	switch j.why {
	case prepare:
		return r.prepare(ctx, j)
	case apply:
		return r.apply(ctx, j)
	case accept:
		return r.succeed(j, j.services)
	case condemn:
		return r.condemn(ctx, j)
	case back:
		return r.goBack(ctx, j)
	case heal:
		return r.putBackContainers(ctx, j)
	case stop:
		return r.stopContainers(ctx, j)
	}
	return r.takeDown(ctx, j)
}

// finish takes a stack back from its job.
func (r *Reconciler) finish(j *job) {
	s, f := j.stack, j.failure
	s.job = nil
	s.judgeFrom = time.Now().Add(r.cfg.Settle)
	s.ready, s.trial = protocol.Hash{}, nil
	if j.held && (f == nil || !f.cancelled) {
		s.answer(f)
	}
	switch {
	case f == nil:
		r.succeeded(j)
	case f.cancelled:
		s.refuse(errEnding)
	case j.why == heal:
		r.cfg.Log.Warn("containers of a stack cannot be put back", "stack", s.key.ID, "code", f.code, "detail", f.detail)
		r.unhealed(j)
	default:
		s.target = j.hash
		s.fails++
		pause := r.pause(s.fails)
		s.retryAt = time.Now().Add(pause)
		r.cfg.Log.Warn("stack is not as desired", "stack", s.key.ID, "state", f.state, "code", f.code, "detail", f.detail)
		r.failed(j, pause)
		s.refuse(f)
	}
}

// answer tells those who wait for what they decided what came of it.
func (s *stack) answer(f *failure) {
	for _, reply := range s.answers {
		if f == nil {
			reply <- nil
		} else {
			reply <- fmt.Errorf("noted, but not done yet: %w; it is tried again", f)
		}
	}
	s.answers = nil
}

func (r *Reconciler) succeeded(j *job) {
	s := j.stack
	s.halting = nil
	switch j.why {
	case prepare:
		s.ready = j.hash
		return // what failed before was not this: the pause goes on growing
	case apply:
		if j.entry.Verify > 0 {
			s.trial = &trial{until: time.Now().Add(time.Duration(j.entry.Verify) * time.Second)}
		}
	}
	s.refuse(nil) // those who wait are told that it is done
	s.reset()
}

// failed journals and reports what came of a job.
func (r *Reconciler) failed(j *job, pause time.Duration) {
	switch j.why {
	case remove, removeRenamed:
		latest := j.was.latest()
		j.stack.report(r, protocol.StackStatus{
			Stack: latest.ID, Version: latest.Version, Nonce: latest.Nonce, State: j.failure.state, Code: j.failure.code, Detail: j.failure.said(""),
		})
	case back:
		r.failedBack(j)
	case stop:
		j.stack.halting = j.failure // the stack's status says it
	default:
		r.failedForward(j, pause)
	}
}

func (r *Reconciler) failedForward(j *job, pause time.Duration) {
	f, s := j.failure, j.stack
	if j.was != nil && j.was.Phase == PhaseApplied && j.was.Entry.Content() == j.hash && f.unchanged {
		r.put(*j.was, "what runs on") // a redeploy that changed nothing
		return
	}
	line := j.was.toward(j.entry, PhaseFailed)
	if s.forced {
		line.Tries = 0
	}
	line.Touched = line.hasRun() && (line.Touched || !f.unchanged)
	line.Final = f.permanent
	switch {
	case f.ours():
		line.Tries++
		limit := attempts(j.entry)
		line.Final = line.Final || limit != 0 && line.Tries >= limit
	case f.state == protocol.StackWaiting && f.unchanged && j.why == apply:
		line.Phase = PhaseFetched
	case f.state == protocol.StackWaiting && j.why == apply:
		line.Phase = PhaseApplying
	}
	if f.state == protocol.StackFailed || j.why == apply {
		line.Code, line.Detail = f.code, f.said(then(&line, pause))
		if line.Phase == PhaseFailed && line.goesBack() {
			line.Final, line.Detail = true, f.said("")
		}
		if r.put(line, "a failure") && line.Phase == PhaseFailed && line.goesBack() {
			s.reset() // at once
			return
		}
	}
	s.report(r, protocol.StackStatus{
		Stack: j.entry.ID, Version: j.entry.Version, Nonce: j.entry.Nonce, State: f.state, Code: f.code, Detail: f.said(then(&line, pause)),
		Running: running(&line, j.entry.Version), Again: f.state == protocol.StackFailed && !line.Final,
	})
}

// unhealed reports that containers cannot be put back, where the last good version is the desired one.
func (r *Reconciler) unhealed(j *job) {
	f := j.failure
	if j.was.Phase != PhaseApplied || j.was.Entry.Content() != j.hash {
		return
	}
	j.stack.healing = f
	st := protocol.StackStatus{
		Stack: j.entry.ID, Version: j.entry.Version, Nonce: j.entry.Nonce, State: protocol.StackDegraded, Code: f.code, Detail: f.said(""),
	}
	if f.state == protocol.StackWaiting {
		st.State = f.state
	}
	j.stack.report(r, st)
}

// put writes a line of the journal, and reports whether it could.
func (r *Reconciler) put(line Applied, what string) bool {
	if err := r.cfg.State.PutApplied(line); err != nil {
		r.cfg.Log.Warn("cannot journal "+what, "stack", line.Entry.ID, "error", err)
		return false
	}
	return true
}

// latest is the entry that was begun last.
func (a *Applied) latest() *protocol.Entry {
	if a.Next != nil {
		return a.Next
	}
	return &a.Entry
}

// progress reports where an attempt stands, the first time.
func (r *Reconciler) progress(j *job, state protocol.StackState) {
	if j.quiet {
		return
	}
	j.stack.report(r, protocol.StackStatus{
		Stack: j.entry.ID, Version: j.entry.Version, State: state, Nonce: j.entry.Nonce, Running: running(j.was, j.entry.Version),
	})
}

// engineThere fails when the last snapshot says that no engine answers: the composer need not be started then.
func (r *Reconciler) engineThere() *failure {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil || r.seen.Engine.State == protocol.EngineRunning {
		return nil
	}
	return &failure{state: protocol.StackWaiting, code: stacks.CodeEngineAbsent, detail: engineAbsent(r.seen), unchanged: true}
}
