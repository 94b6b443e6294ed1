package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Why a run that is under way is ended.
var (
	errRemoved   = errors.New("the job was taken from this device")
	errOverlap   = errors.New("the next run was due, and its rule is to kill the earlier one")
	errCancelled = errors.New("somebody cancelled it")
)

// startAll starts the runs whose turn it is. The caller holds mu.
func (r *Runner) startAll() error {
	var turn []*job // those that wait longest come first
	var errs []error
	for _, j := range r.jobs {
		switch {
		case j.gone || j.active != nil:
		case len(j.queue) == 0:
			j.ready = j.ready && j.failed == nil // why it failed was for a run that is gone
		case r.await(j):
			turn = append(turn, j)
		default:
			errs = append(errs, r.tellWaiting(j))
		}
	}
	slices.SortFunc(turn, func(a, b *job) int { return cmp.Compare(a.queue[0].ID, b.queue[0].ID) })
	for _, j := range turn[:min(len(turn), MaxRunning-r.running)] {
		leave, ok := r.cfg.Enter()
		if !ok {
			break
		}
		if err := r.start(j, leave); err != nil {
			leave()
			errs = append(errs, err)
			break
		}
	}
	return errors.Join(errs...)
}

// start begins the first run in the queue of a job; leave is called when it is over. The caller holds mu.
func (r *Runner) start(j *job, leave func()) error {
	now, _ := r.now()
	run := *j.queue[0]
	run.Stage, run.State, run.Version, run.Started = Started, protocol.JobRunning, j.entry.Version, now.UnixMilli()
	run.Text = ""
	c := Change{Runs: []Run{run}}
	if run.Command != 0 || j.plan.Once() { // somebody waits for it
		c.Reports = []protocol.JobRun{run.JobRun}
	}
	if err := r.put(c); err != nil {
		return err
	}
	j.active, j.queue = r.runs[run.ID], j.queue[1:]
	r.running++
	ctx, cancel := context.WithCancelCause(r.ctx)
	j.cancel = cancel
	entry, failed := j.entry, j.failed
	if j.failed != nil || entry.Job.Container != nil { // an image may be gone, or another one be meant, when it is next due
		j.ready, j.failed = r.cfg.Fetch == nil, nil
	}
	r.wait.Go(func() {
		defer leave()
		defer cancel(nil)
		r.end(j, &entry, r.tryAll(ctx, run.JobRun, &entry, failed))
	})
	return nil
}

// tryAll makes the attempts of a run. failed says why what it needs could not be fetched.
func (r *Runner) tryAll(ctx context.Context, run protocol.JobRun, e *protocol.Entry, failed error) protocol.JobRun {
	began := time.Now()
	var script []byte // a later version may take it from the device before the last attempt
	for n := uint32(1); ; n++ {
		if n > 1 {
			run.Attempt = n
			r.mu.Lock()
			r.runs[run.ID].Attempt = n // what is asked of its output is of this one
			r.mu.Unlock()
			failed = r.fetchAnew(ctx, e, script, failed)
		}
		final := false
		run.State, run.Code, run.Signal, run.Text = protocol.JobFailed, 0, "", ""
		if a, err := r.attempt(&run, e, Attempt{Number: n, Script: script}); failed != nil {
			final = judge(ctx, &run, failed)
		} else if script = a.Script; err != nil {
			run.Text = err.Error()
		} else {
			final = r.try(ctx, &run, a)
		}
		if run.State == protocol.JobDone || final || ctx.Err() != nil || n > e.Job.Retries {
			break
		}
		delay := time.Duration(e.Job.RetryDelay) * time.Second
		if delay == 0 {
			delay = protocol.DefaultRetryDelay * time.Second
		}
		select {
		case <-ctx.Done():
			run.State, run.Text = protocol.JobCancelled, context.Cause(ctx).Error()
		case <-time.After(delay):
			continue
		}
		break
	}
	if run.State == protocol.JobCancelled && errors.Is(context.Cause(ctx), context.Canceled) { // the agent stops
		run.State, run.Text = protocol.JobInterrupted, "The agent was stopped while it ran: how far it came is not known."
	}
	run.Took = uint64(time.Since(began).Milliseconds())
	return run
}

// try makes one attempt. final: there is no use in another.
func (r *Runner) try(ctx context.Context, run *protocol.JobRun, a Attempt) (final bool) {
	timeout := time.Duration(a.Spec.Timeout) * time.Second
	if timeout == 0 {
		timeout = protocol.DefaultJobTimeout * time.Second
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	executor := r.cfg.Host
	if a.Spec.Container != nil {
		executor = r.cfg.Container
	}
	exit, err := executor.Run(limited, a)
	run.Code, run.Signal = exit.Code, exit.Signal
	switch {
	case err == nil && exit == Exit{}: // also where its end was wanted in the same moment
		run.State = protocol.JobDone
	case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) && limited.Err() != nil:
		run.State, run.Text = protocol.JobTimedOut, fmt.Sprintf("It took longer than %s and was killed.", timeout)
	default:
		return judge(ctx, run, err)
	}
	return false
}

// judge says what became of an attempt that failed. A nil error: by itself.
func judge(ctx context.Context, run *protocol.JobRun, err error) (final bool) {
	switch {
	case ctx.Err() != nil:
		run.State, run.Text = protocol.JobCancelled, context.Cause(ctx).Error()
	case errors.Is(err, ErrNever):
		run.State, run.Text = protocol.JobRefused, err.Error()
		return true
	case err != nil:
		run.Text = err.Error()
	}
	return false
}

// attempt gathers what an attempt needs, beside its number and a script that is known.
func (r *Runner) attempt(run *protocol.JobRun, e *protocol.Entry, a Attempt) (_ Attempt, err error) {
	a.Run, a.Job, a.Name, a.Spec = run.ID, e.ID, e.Name, *e.Job
	if len(e.Files) > 0 && a.Script == nil {
		if a.Script, err = r.cfg.State.Blob(e.Files[0].Hash); err != nil {
			return a, fmt.Errorf("its script is not on the device: %w", err)
		}
	}
	if len(e.Access) > 0 && r.cfg.OpenAccess != nil {
		if a.Access, err = r.cfg.OpenAccess(e); err != nil {
			return a, fmt.Errorf("how registries let the device in cannot be read: %w", err)
		}
	}
	var secrets protocol.Secrets
	if len(e.Sealed) > 0 && r.cfg.OpenSecrets != nil {
		if secrets, err = r.cfg.OpenSecrets(e); err != nil {
			return a, fmt.Errorf("its secret variables cannot be read: %w", err)
		}
	}
	env := maps.Clone(e.Env)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, secrets.Env)
	env["FARSHORE_JOB"], env["FARSHORE_RUN"] = e.Name, strconv.FormatUint(run.ID, 10)
	env["FARSHORE_ATTEMPT"] = strconv.FormatUint(uint64(a.Number), 10)
	env["FARSHORE_DUE"] = time.Unix(run.Due, 0).UTC().Format(time.RFC3339)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		a.Env = append(a.Env, name+"="+env[name])
	}
	if e.Job.Output == protocol.OutputNever {
		a.Stdout, a.Stderr = discard{}, discard{}
		return a, nil
	}
	a.Stdout, a.Stderr, err = r.cfg.Outputs.Begin(run.ID)
	if err != nil {
		return a, fmt.Errorf("its output cannot be kept: %w", err)
	}
	return a, nil
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// end journals the end of a run until that works, and looks for what is next.
func (r *Runner) end(j *job, e *protocol.Entry, run protocol.JobRun) {
	for !r.endOnce(j, e, run) {
		select {
		case <-r.ctx.Done(): // the next start of the agent says that it was interrupted
			return
		case <-time.After(again):
		}
	}
	r.cfg.Log.Info("a run of a job ended", "job", e.Name, "run", run.ID, "state", run.State.String(), "code", run.Code)
	r.Wake()
}

func (r *Runner) endOnce(j *job, e *protocol.Entry, run protocol.JobRun) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.streams(&run)
	c := Change{Runs: []Run{{run, Over}}}
	c.Output = r.following(&c.Runs[0].JobRun, e.Job)
	c.Reports = []protocol.JobRun{c.Runs[0].JobRun}
	r.forgetOld(j, &c)
	err := r.put(c)
	if err != nil && len(c.Output) > 0 { // better the end without its output than neither
		r.cfg.Log.Warn("the output of a run cannot be queued, and waits to be asked for", "run", run.ID, "error", err)
		c.Output = nil
		for _, s := range []*protocol.JobStream{c.Runs[0].Stdout, c.Runs[0].Stderr} {
			if s != nil {
				s.Follow = 0
			}
		}
		c.Reports = []protocol.JobRun{c.Runs[0].JobRun}
		err = r.put(c)
	}
	if err != nil {
		r.cfg.Log.Error("the end of a run cannot be journaled", "run", run.ID, "error", err)
		return false
	}
	j.active, j.cancel = nil, nil
	r.running--
	return true
}

// streams notes what a run wrote.
func (r *Runner) streams(run *protocol.JobRun) {
	out, err := r.cfg.Outputs.Sizes(run.ID)
	run.Stdout, run.Stderr = nil, nil
	if out.Size > 0 {
		run.Stdout = &out
	}
	if err.Size > 0 {
		run.Stderr = &err
	}
}

// following gathers the output that goes to the hub with the end of a run, and notes in it how much that is.
func (r *Runner) following(run *protocol.JobRun, spec *protocol.Job) (out []protocol.JobOutput) {
	if spec.Output != protocol.OutputAlways && (spec.Output != protocol.OutputOnFailure || run.State == protocol.JobDone) {
		return nil
	}
	for stream, s := range []*protocol.JobStream{run.Stdout, run.Stderr} {
		if s == nil {
			continue
		}
		s.Follow = min(s.Kept, outputCap(spec.OutputCap))
		pieces, err := r.pieces(run, uint8(stream), s.Size-s.Follow, s.Size)
		if err != nil {
			r.cfg.Log.Warn("the output of a run cannot be read", "run", run.ID, "error", err)
			s.Follow = 0
			continue
		}
		out = append(out, pieces...)
	}
	return out
}

func outputCap(asked uint32) uint64 {
	if asked == 0 {
		asked = protocol.DefaultJobOutput
	}
	return uint64(min(asked, protocol.MaxJobOutput))
}

// pieces reads a stretch of a stream in pieces for the hub.
func (r *Runner) pieces(run *protocol.JobRun, stream uint8, from, to uint64) (out []protocol.JobOutput, err error) {
	for from < to {
		data := make([]byte, min(to-from, protocol.MaxJobOutputPiece))
		n, err := r.cfg.Outputs.ReadAt(run.ID, stream, data, from)
		switch {
		case n == 0 && len(out) == 0 && err != nil:
			return nil, err
		case n == 0: // it goes on being written, and its beginning went meanwhile
			return out, nil
		}
		out = append(out, protocol.JobOutput{Run: run.ID, Stream: stream, Offset: from, Data: data[:n], Attempt: run.Attempt})
		from += uint64(n)
	}
	return out, nil
}
