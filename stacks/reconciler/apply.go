package reconciler

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// apply makes the engine run the job's entry, of which everything is on the device.
func (r *Reconciler) apply(ctx context.Context, j *job) *failure {
	final, f := r.change(ctx, j, func() error {
		return r.cfg.State.PutApplied(j.was.toward(j.entry, PhaseApplying))
	})
	if f != nil {
		return f
	}
	for _, w := range final.Warnings {
		r.cfg.Log.Warn("stack runs, but probably not as meant", "stack", j.entry.ID, "detail", w)
	}
	services := servicesOf(final.Services)
	if j.entry.Verify == 0 {
		return r.succeed(j, services)
	}
	line := j.was.toward(j.entry, PhaseVerifying)
	line.Services, line.Stopped, line.Touched = services, nil, line.hasRun()
	if err := r.cfg.State.PutApplied(line); err != nil {
		return changed(local("the step could not be journaled", err))
	}
	j.stack.report(r, protocol.StackStatus{
		Stack: j.entry.ID, Version: j.entry.Version, State: protocol.StackVerify, Nonce: j.entry.Nonce,
	})
	return nil
}

// succeed makes the job's entry the last good one.
func (r *Reconciler) succeed(j *job, services []Service) *failure {
	line := Applied{Entry: *j.entry, Phase: PhaseApplied, Services: services}
	if j.was != nil {
		line.Earlier = j.was.Earlier
		if j.was.hasRun() && differ(&j.was.Entry, j.entry) {
			line.Earlier = &j.was.Entry
		}
	}
	if err := r.cfg.State.PutApplied(line); err != nil {
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

// bring makes an earlier entry run again: what it needs is on the device, but for what was removed behind our back.
func (r *Reconciler) bring(ctx context.Context, j *job) (ipc.Event, *failure) {
	if f := r.files(ctx, j); f != nil {
		return ipc.Event{}, f
	}
	if f := r.engineThere(); f != nil {
		return ipc.Event{}, f
	}
	place, f := r.stage(ctx, j)
	if f != nil {
		return ipc.Event{}, f
	}
	if j.entry.Pull == protocol.PullAlways { // it was pulled when it was applied
		e := *j.entry
		e.Pull = protocol.PullMissing
		j.entry = &e
	}
	if f := r.images(ctx, j, place); f != nil {
		return ipc.Event{}, f
	}
	return r.change(ctx, j, func() error { return nil })
}

// putBackContainers applies what ran once more, as containers of it are missing.
func (r *Reconciler) putBackContainers(ctx context.Context, j *job) *failure {
	final, f := r.bring(ctx, j)
	if f != nil {
		return f
	}
	line := *j.was
	line.Services, line.Wake = servicesOf(final.Services), false
	if err := r.cfg.State.PutApplied(line); err != nil {
		return changed(local("the success could not be journaled", err))
	}
	return nil
}

// enter takes a place in a queue, and returns how to leave it, which may be done twice.
func enter(ctx context.Context, queue chan struct{}) (leave func(), f *failure) {
	select {
	case queue <- struct{}{}:
		return sync.OnceFunc(func() { <-queue }), nil
	case <-ctx.Done():
		return nil, &failure{cancelled: true, detail: ctx.Err().Error()}
	}
}

// change runs an up of the job's entry in its turn. journal says what is about to happen, before it does. Waiting for
// containers needs no turn, as long as not too many do.
func (r *Reconciler) change(ctx context.Context, j *job, journal func() error) (ipc.Event, *failure) {
	leave, f := enter(ctx, r.slots)
	if f != nil {
		return ipc.Event{}, f
	}
	defer leave()
	if f := r.engineThere(); f != nil {
		return ipc.Event{}, f
	}
	place, f := r.stage(ctx, j)
	if f != nil {
		return ipc.Event{}, f
	}
	req, f := r.request(ipc.ActionUp, j.entry, place)
	if f != nil {
		return ipc.Event{}, f
	}
	req.Pull, req.WaitSeconds, req.Start = ipc.PullFetched, int(r.cfg.Wait/time.Second), j.was.sleepers()
	// From here on the engine may be changed: the journal says so first.
	if err := journal(); err != nil {
		return ipc.Event{}, local("the step could not be journaled", err)
	}
	j.changing.Store(true)
	if j.why == apply && !j.was.at(j.hash, PhaseVerifying) {
		r.progress(j, protocol.StackApplying)
	}
	waits := func() {}
	defer func() { waits() }()
	return r.compose(ctx, req, func(e ipc.Event) {
		if !e.Waits {
			return
		}
		select {
		case r.waiting <- struct{}{}:
			waits = func() { <-r.waiting }
			leave()
		default:
		}
	})
}

// labels are on each container of a stack.
func labels(e *protocol.Entry) map[string]string {
	return map[string]string{
		ipc.StackLabel:        strconv.FormatUint(e.ID, 10),
		"farshore.io/version": strconv.FormatUint(e.Version, 10),
	}
}

// compose runs the composer and turns its final event into a failure where it is one.
func (r *Reconciler) compose(ctx context.Context, req ipc.Request, progress func(ipc.Event)) (ipc.Event, *failure) {
	limited, cancel := context.WithTimeout(ctx, r.cfg.ApplyTimeout)
	defer cancel()
	final, err := r.cfg.Composer.Run(limited, req, func(e ipc.Event) {
		r.log(req, e)
		progress(e)
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
