package reconciler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// prepare gets everything onto the device that the entry needs. Nothing that runs is changed.
func (r *Reconciler) prepare(ctx context.Context, j *job) *failure {
	if f := r.files(ctx, j); f != nil {
		return f
	}
	if f := r.engineThere(); f != nil {
		return f
	}
	place, f := r.stage(ctx, j)
	if f != nil {
		return f
	}
	if f := r.images(ctx, j, place); f != nil {
		return f
	}
	if err := r.cfg.State.PutApplied(j.toward(PhaseFetched)); err != nil {
		return local("the step could not be journaled", err)
	}
	return nil
}

// files gets the files that are missing.
func (r *Reconciler) files(ctx context.Context, j *job) *failure {
	var files []FetchFile
	var total int64
	bill := r.bill(j)
	asked := map[protocol.Hash]bool{}
	for _, file := range j.entry.Files {
		if asked[file.Hash] || r.cfg.State.HasBlob(file.Hash) {
			continue
		}
		asked[file.Hash] = true
		total += file.Size
		files = append(files, FetchFile{File: file, Base: r.base(j.was, file.Path), Spent: bill.add})
	}
	if len(files) == 0 {
		return nil
	}
	if j.why == prepare {
		if err := r.cfg.State.PutApplied(j.toward(PhaseFetching)); err != nil {
			return local("the step could not be journaled", err)
		}
		r.progress(j, protocol.StackFetching)
		j.meter.begun(time.Now())
	}
	came := make(chan error, 1)
	go func() { came <- r.cfg.Fetcher.Fetch(ctx, files) }()
	look := time.NewTicker(progressEvery)
	defer look.Stop()
	for {
		select {
		case err := <-came:
			if noteErr := bill.note(); err != nil || noteErr != nil {
				return local("the files of the stack could not be had", errors.Join(err, noteErr))
			}
			return nil
		case <-bill.due:
			if err := bill.note(); err != nil {
				r.cfg.Log.Warn("cannot note what the files of a stack have cost", "stack", j.entry.ID, "error", err)
			}
		case <-look.C:
			done := total
			for _, f := range files {
				if !r.cfg.State.HasBlob(f.File.Hash) {
					done -= f.File.Size
				}
			}
			r.moved(j, done, total)
		}
	}
}

// base is an earlier version of a file that is on the device.
func (r *Reconciler) base(was *Applied, path string) protocol.Hash {
	if was == nil {
		return protocol.Hash{}
	}
	for _, e := range []*protocol.Entry{&was.Entry, was.Next, was.Earlier} {
		if e == nil {
			continue
		}
		for _, f := range e.Files {
			if f.Path == path && r.cfg.State.HasBlob(f.Hash) {
				return f.Hash
			}
		}
	}
	return protocol.Hash{}
}

func (r *Reconciler) stage(ctx context.Context, j *job) (Place, *failure) {
	place, err := r.cfg.Stager.Stage(ctx, *j.entry, r.cfg.State.Blob)
	if err != nil {
		return place, local("the files of the stack could not be laid out", err)
	}
	return place, nil
}

// images makes the images present, beside whatever else is at work on the engine. A pull that comes to a standstill does
// not hold up others: it gives its place away after a while, and is ended later.
func (r *Reconciler) images(ctx context.Context, j *job, at Place) *failure {
	req, f := r.request(ipc.ActionFetch, j.entry, at)
	if f != nil {
		return f
	}
	if r.cfg.Images != nil && r.cfg.ImagesByAgent() {
		return r.bringImages(ctx, j, req)
	}
	leave, f := enter(ctx, r.fetches)
	if f != nil {
		return f
	}
	defer leave()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(r.cfg.Silence/10, leave)
	stuck := time.AfterFunc(r.cfg.Silence, func() { cancel(errStuck) })
	defer quiet.Stop()
	defer stuck.Stop()
	var done, total int64
	final, err := r.cfg.Composer.Run(ctx, req, func(e ipc.Event) {
		r.log(req, e)
		if e.Total > 0 || done == 0 && total == 0 {
			if j.why == prepare && j.meter.told.IsZero() {
				r.progress(j, protocol.StackFetching)
				j.meter.begun(time.Now())
			}
			r.moved(j, e.Done, e.Total)
		}
		if e.Total == 0 || e.Done != done || e.Total != total { // not if the same is said again
			quiet.Reset(r.cfg.Silence / 10)
			stuck.Reset(r.cfg.Silence)
		}
		done, total = e.Done, e.Total
	})
	switch {
	case errors.Is(context.Cause(ctx), errStuck):
		return &failure{
			state: protocol.StackFailed, code: ipc.CodeImageUnavailable, unchanged: true, passing: true,
			detail: fmt.Sprintf("fetching the images came to a standstill for %s and was ended; check the device's way to the registry; what was running runs on", r.cfg.Silence),
		}
	case err != nil:
		return local("the images could not be fetched", err)
	case final.Kind == ipc.KindDone:
		return nil
	}
	f = composed(final)
	f.unchanged = true
	return f
}

var errStuck = errors.New("standstill")

// request is what the composer is asked for an entry, with the secrets in it.
func (r *Reconciler) request(action string, e *protocol.Entry, at Place) (ipc.Request, *failure) {
	req := ipc.Request{
		Action: action, Project: e.Name, Dir: at.Dir, Root: at.Root, Env: e.Env, Host: r.cfg.Host, Labels: labels(e),
		Pull: map[protocol.PullPolicy]string{
			protocol.PullMissing: ipc.PullMissing, protocol.PullAlways: ipc.PullAlways, protocol.PullNever: ipc.PullNever,
		}[e.Pull],
	}
	secrets, err := r.cfg.OpenSecrets(e)
	req.Secrets = secrets.Env
	if err == nil && action == ipc.ActionFetch {
		var access protocol.RegistryAccess
		access, err = r.cfg.OpenAccess(e)
		for _, a := range access.Registries {
			req.Registries = append(req.Registries, ipc.Auth{Registry: a.Registry, User: a.User, Password: a.Password})
		}
	}
	if err != nil {
		return req, &failure{
			state: protocol.StackFailed, code: stacks.CodeSealed, unchanged: true, permanent: true,
			detail: fmt.Sprintf("what is secret in the stack cannot be opened on this device (%v); apply the stack again, so that the hub seals it anew", err),
		}
	}
	return req, nil
}

func (r *Reconciler) log(req ipc.Request, e ipc.Event) {
	r.cfg.Log.Debug("composer", "project", req.Project, "service", e.Service, "text", e.Text)
}

// Progress is told this seldom, and only where it moved by a tenth: bytes cost money.
const (
	progressEvery = 30 * time.Second
	progressStep  = 10
)

// meter is what was last told of progress.
type meter struct {
	told time.Time
	done int64
}

func (m *meter) begun(now time.Time) { *m = meter{told: now} }

// moved reports progress where that is worth its bytes.
func (r *Reconciler) moved(j *job, done, total int64) {
	now, m := time.Now(), &j.meter
	if j.quiet || j.why != prepare || total <= 0 || now.Sub(m.told) < progressEvery || max(done-m.done, m.done-done)*progressStep < total {
		return
	}
	m.told, m.done = now, done
	j.stack.report(r, protocol.StackStatus{
		Stack: j.entry.ID, Version: j.entry.Version, State: protocol.StackFetching, Nonce: j.entry.Nonce,
		Running: running(j.was, j.entry.Version), Done: done, Total: total,
	})
}
