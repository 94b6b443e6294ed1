package reconciler

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// purpose is why a job runs.
type purpose uint8

const (
	converge      purpose = iota + 1 // the desired entry is not applied
	heal                             // it is, but containers are missing
	redeploy                         // an operator demands it
	remove                           // it is not desired
	removeRenamed                    // it is desired under another name
)

// job is one attempt at one stack. It runs in its own goroutine and owns its stack until it is handed to done.
type job struct {
	stack   *stack
	entry   *protocol.Entry // nil: removal
	hash    protocol.Hash   // of entry
	was     *Applied        // the journal when it began; nil: nothing
	why     purpose
	cancel  context.CancelFunc
	waiters []chan error
	quiet   bool // progress is not reported: it would only repeat the last attempt's
	failure *failure
}

// fits reports whether a running job still aims at what is desired. A removal is brought to its end.
func (j *job) fits(desired *protocol.Entry) bool {
	return j.entry == nil || desired != nil && desired.Hash() == j.hash
}

func (r *Reconciler) start(ctx context.Context, s *stack, j *job) {
	ctx, j.cancel = context.WithCancel(ctx)
	j.waiters, s.redeploys = s.redeploys, nil
	again := j.entry != nil && j.was != nil && j.was.Phase == PhaseFailed && j.was.Next != nil && j.was.Next.Hash() == j.hash
	j.quiet = s.fails > 0 || again || j.why == heal
	s.job = j
	go func() {
		if j.entry == nil {
			j.failure = r.takeDown(ctx, j)
		} else {
			j.failure = r.apply(ctx, j)
		}
		if j.failure != nil && ctx.Err() != nil {
			j.failure.cancelled = true
		}
		j.cancel()
		r.done <- j
	}()
}

// finish takes a stack back from its job.
func (r *Reconciler) finish(j *job) {
	s, f := j.stack, j.failure
	s.job = nil
	s.judgeFrom = time.Now().Add(r.cfg.Settle)
	for _, reply := range j.waiters {
		switch {
		case f == nil:
			reply <- nil
		case f.cancelled:
			reply <- errors.New("the stack was changed or removed meanwhile, or the agent is being stopped")
		default:
			reply <- f
		}
	}
	switch {
	case f == nil:
		s.reset()
	case f.cancelled:
	default:
		s.target = j.hash
		s.fails++
		s.permanent = f.permanent
		s.retryAt = time.Now().Add(r.pause(s.fails))
		r.cfg.Log.Warn("stack is not as desired", "stack", s.key.ID, "state", f.state, "code", f.code, "detail", f.detail)
		r.reportFailure(j)
	}
}

func (r *Reconciler) reportFailure(j *job) {
	f := j.failure
	st := protocol.StackStatus{Stack: j.stack.key.ID, State: f.state, Code: f.code, Detail: f.detail}
	switch {
	case j.entry == nil:
		st.Version, st.Nonce = j.was.Entry.Version, j.was.Entry.Nonce
		if j.was.Next != nil {
			st.Version, st.Nonce = j.was.Next.Version, j.was.Next.Nonce
		}
	default:
		st.Version, st.Nonce = j.entry.Version, j.entry.Nonce
		if f.unchanged {
			st.Running = j.runningBefore()
		}
	}
	j.stack.report(r, st)
}

// runningBefore is the version that runs while the job's is not applied yet; 0 where it is the same, none, or not known.
func (j *job) runningBefore() uint64 {
	var v uint64
	switch {
	case !j.was.hasRun() || j.was.Phase == PhaseApplying:
		return 0
	case j.was.Next == nil:
		v = j.was.Entry.Version
	case j.stack.want != nil: // as the attempts since then have left it
		v = j.stack.want.Running
	}
	if v == j.entry.Version {
		return 0
	}
	return v
}

// progress reports where an attempt stands, the first time.
func (r *Reconciler) progress(j *job, state protocol.StackState) {
	if j.quiet {
		return
	}
	j.stack.report(r, protocol.StackStatus{
		Stack: j.entry.ID, Version: j.entry.Version, State: state, Nonce: j.entry.Nonce, Running: j.runningBefore(),
	})
}

// line is the journal's line for work on the job's entry.
func (j *job) line(phase Phase) Applied {
	next := *j.entry
	a := Applied{Entry: protocol.Entry{EntryKey: next.EntryKey, Name: next.Name}, Next: &next, Phase: phase}
	if j.was != nil {
		a.Entry, a.Services, a.Stopped = j.was.Entry, j.was.Services, j.was.Stopped
	}
	return a
}

// apply brings the job's entry to the engine.
func (r *Reconciler) apply(ctx context.Context, j *job) *failure {
	if f := r.fetch(ctx, j); f != nil {
		return f
	}
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return &failure{cancelled: true, detail: ctx.Err().Error()}
	}
	if f := r.engineThere(); f != nil {
		return f
	}
	place, err := r.cfg.Stager.Stage(ctx, *j.entry, r.cfg.State.Blob)
	if err != nil {
		return local("the files of the stack could not be laid out", err)
	}
	// From here on the engine may be changed: the journal says so first.
	if err := r.cfg.State.PutApplied(j.line(PhaseApplying)); err != nil {
		return local("the step could not be journaled", err)
	}
	r.progress(j, protocol.StackApplying)
	final, f := r.compose(ctx, r.upRequest(j.entry, place))
	if f != nil {
		if ctx.Err() == nil {
			if err := r.cfg.State.PutApplied(j.line(PhaseFailed)); err != nil {
				r.cfg.Log.Warn("cannot journal a failure", "stack", j.entry.ID, "error", err)
			}
		}
		return f
	}
	for _, w := range final.Warnings {
		r.cfg.Log.Warn("stack runs, but probably not as meant", "stack", j.entry.ID, "detail", w)
	}
	a := Applied{Entry: *j.entry, Phase: PhaseApplied, Services: servicesOf(final.Services)}
	if err := r.cfg.State.PutApplied(a); err != nil {
		return changed(local("the success could not be journaled", err))
	}
	r.cfg.Log.Info("stack applied", "stack", j.entry.ID, "version", j.entry.Version)
	j.stack.report(r, protocol.StackStatus{
		Stack: j.entry.ID, Version: j.entry.Version, State: protocol.StackRunning, Nonce: j.entry.Nonce,
	})
	r.tidy(j.entry)
	return nil
}

// tidy removes what the applied version does not need. What cannot be removed now is removed next time.
func (r *Reconciler) tidy(e *protocol.Entry) {
	if err := errors.Join(r.cfg.Stager.Prune(*e), r.cfg.State.CollectBlobs()); err != nil {
		r.cfg.Log.Warn("cannot remove files that are not needed any more", "stack", e.ID, "error", err)
	}
}

// fetch gets the files that are missing.
func (r *Reconciler) fetch(ctx context.Context, j *job) *failure {
	var files []FetchFile
	asked := map[protocol.Hash]bool{}
	for _, file := range j.entry.Files {
		if asked[file.Hash] || r.cfg.State.HasBlob(file.Hash) {
			continue
		}
		asked[file.Hash] = true
		files = append(files, FetchFile{File: file, Base: r.base(j.was, file.Path)})
	}
	if len(files) == 0 {
		return nil
	}
	if err := r.cfg.State.PutApplied(j.line(PhaseFetching)); err != nil {
		return local("the step could not be journaled", err)
	}
	r.progress(j, protocol.StackFetching)
	if err := r.cfg.Fetcher.Fetch(ctx, files); err != nil {
		return local("the files of the stack could not be had", err)
	}
	return nil
}

// base is an earlier version of a file that is on the device.
func (r *Reconciler) base(was *Applied, path string) protocol.Hash {
	if was == nil {
		return protocol.Hash{}
	}
	entries := []*protocol.Entry{&was.Entry}
	if was.Next != nil {
		entries = append(entries, was.Next)
	}
	for _, e := range entries {
		for _, f := range e.Files {
			if f.Path == path && r.cfg.State.HasBlob(f.Hash) {
				return f.Hash
			}
		}
	}
	return protocol.Hash{}
}

// takeDown removes a stack, by its project name: its bundle may be gone.
func (r *Reconciler) takeDown(ctx context.Context, j *job) *failure {
	was := *j.was
	latest := &was.Entry
	if was.Next != nil {
		latest = was.Next
	}
	st := protocol.StackStatus{Stack: was.Entry.ID, Version: latest.Version, State: protocol.StackRemoving, Nonce: latest.Nonce}
	if was.Phase != PhaseRemoving {
		was.Phase = PhaseRemoving
		if err := r.cfg.State.PutApplied(was); err != nil {
			return local("the step could not be journaled", err)
		}
	}
	if !j.quiet {
		j.stack.report(r, st)
	}
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return &failure{cancelled: true, detail: ctx.Err().Error()}
	}
	if f := r.engineThere(); f != nil {
		return f
	}
	volumes := KeepVolumes
	if latest.RemoveVolumes {
		volumes = RemoveVolumes
	}
	_, f := r.compose(ctx, ipc.Request{
		Action: ipc.ActionDown, Project: was.Entry.Name, Root: r.cfg.Stager.Root(was.Entry.EntryKey),
		Host: r.cfg.Host, Volumes: string(volumes),
	})
	if f != nil {
		return f
	}
	if err := r.cfg.Stager.Remove(was.Entry.EntryKey, volumes); err != nil {
		return local("the stack's folder could not be removed", err)
	}
	// The status before the journal: a crash in between repeats the removal, which finds nothing, and the status.
	st.State = protocol.StackRemoved
	j.stack.report(r, st)
	if !j.stack.reported {
		return local("the removal could not be reported", errors.New("its status could not be stored"))
	}
	if err := r.cfg.State.RemoveApplied(was.Entry.EntryKey); err != nil {
		return local("the removal could not be journaled", err)
	}
	r.cfg.Log.Info("stack removed", "stack", was.Entry.ID)
	if err := r.cfg.State.CollectBlobs(); err != nil {
		r.cfg.Log.Warn("cannot remove files that are not needed any more", "stack", was.Entry.ID, "error", err)
	}
	return nil
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

func (r *Reconciler) upRequest(e *protocol.Entry, at Place) ipc.Request {
	pull := map[protocol.PullPolicy]string{
		protocol.PullMissing: ipc.PullMissing, protocol.PullAlways: ipc.PullAlways, protocol.PullNever: ipc.PullNever,
	}
	return ipc.Request{
		Action: ipc.ActionUp, Project: e.Name, Dir: at.Dir, Root: at.Root, Env: e.Env, Pull: pull[e.Pull],
		Labels: map[string]string{
			ipc.StackLabel:        strconv.FormatUint(e.ID, 10),
			"farshore.io/version": strconv.FormatUint(e.Version, 10),
		},
		Host: r.cfg.Host, WaitSeconds: int(r.cfg.Wait / time.Second),
	}
}

// compose runs the composer and turns its final event into a failure where it is one.
func (r *Reconciler) compose(ctx context.Context, req ipc.Request) (ipc.Event, *failure) {
	limited, cancel := context.WithTimeout(ctx, r.cfg.ApplyTimeout)
	defer cancel()
	final, err := r.cfg.Composer.Run(limited, req, func(e ipc.Event) {
		r.cfg.Log.Debug("composer", "project", req.Project, "service", e.Service, "text", e.Text)
	})
	switch {
	case err != nil && limited.Err() != nil && ctx.Err() == nil:
		return final, r.tooLong()
	case err != nil:
		return final, changed(local("the composer did not do its work", err))
	case final.Kind == ipc.KindDone:
		return final, nil
	case limited.Err() != nil && ctx.Err() == nil:
		return final, r.tooLong()
	}
	return final, composed(final)
}

// servicesOf is what is remembered of the composer's result.
func servicesOf(states []ipc.ServiceState) []Service {
	var out []Service
	for _, s := range states {
		if s.Container == "" || s.Action == ipc.ServiceRemoved {
			continue
		}
		out = append(out, Service{Service: s.Service, Container: s.Container, Ended: s.State == "exited" && s.ExitCode == 0})
	}
	return out
}
