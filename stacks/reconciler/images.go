package reconciler

import (
	"context"
	"errors"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// Images gets images onto the device in the engine's stead.
type Images interface {
	// Bring returns when the engine has all images of the order, with what they have cost on the link so far. Where a
	// budget or times of contact forbid it to go on, it waits. It fails with an *ImageFailure, or another error of the
	// device itself.
	Bring(ctx context.Context, o ImageOrder) (spent int64, err error)
	// Keep removes what is kept for other stacks than these.
	Keep(stacks []uint64) error
}

// ImageOrder is what a version of a stack needs.
type ImageOrder struct {
	Stack, Version uint64
	Images         []ipc.Image
	Access         protocol.RegistryAccess
	// Down: nothing of the stack runs until it has its images.
	Down bool
	// Progress is told how many bytes of how many are there, and what that has cost, by one goroutine at a time until
	// Bring returns. Nil: nobody is.
	Progress func(done, total, spent int64)
}

// ImageFailure is why an image could not be had.
type ImageFailure struct {
	// Code is one of package ipc.
	Code string
	// Detail is a sentence for people.
	Detail string
	// Passing: it may pass by itself.
	Passing bool
}

// Error implements error.
func (f *ImageFailure) Error() string { return f.Detail }

// bringImages has the images brought by the agent. The engine asks no registry.
func (r *Reconciler) bringImages(ctx context.Context, j *job, req ipc.Request) *failure {
	access := protocol.RegistryAccess{}
	for _, a := range req.Registries {
		access.Registries = append(access.Registries, protocol.RegistryAuth{Registry: a.Registry, User: a.User, Password: a.Password})
	}
	req.Action, req.Registries = ipc.ActionImages, nil
	final, f := r.listImages(ctx, req)
	if f != nil {
		return f
	}
	spent, err := r.cfg.Images.Bring(ctx, ImageOrder{
		Stack: j.entry.ID, Version: j.entry.Version, Images: final.Images, Access: access,
		Down: j.why != prepare || j.was == nil || j.was.Entry.Version == 0,
		Progress: func(done, total, spent int64) {
			j.stack.cost(j.entry.Version, spent)
			if j.why == prepare && j.meter.told.IsZero() {
				r.progress(j, protocol.StackFetching)
				j.meter.begun(time.Now())
			}
			r.moved(j, done, total)
		},
	})
	j.stack.cost(j.entry.Version, spent)
	var unavailable *ImageFailure
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unavailable):
		f := composed(ipc.Event{Code: unavailable.Code, Detail: unavailable.Detail, Unchanged: true, Away: unavailable.Passing})
		f.unchanged = true
		return f
	}
	return local("the images could not be brought", err)
}

// listImages asks the composer which images the bundle needs. Composers take memory, so few run at once.
func (r *Reconciler) listImages(ctx context.Context, req ipc.Request) (ipc.Event, *failure) {
	leave, f := enter(ctx, r.fetches)
	if f != nil {
		return ipc.Event{}, f
	}
	defer leave()
	final, f := r.compose(ctx, req, func(ipc.Event) {})
	if f != nil {
		f.unchanged = true
	}
	return final, f
}

// spending is what a version has cost on the link.
type spending struct{ version, files, images uint64 }

// of is the spending on a version: what is known of another is forgotten.
func (s *spending) of(version uint64) *spending {
	if s.version != version {
		*s = spending{version: version}
	}
	return s
}

// cost notes what the images of a version have cost.
func (s *stack) cost(version uint64, spent int64) {
	s.spent.of(version).images = uint64(max(spent, 0))
}

// costOf is what is known of what a version has cost: the last status says it too.
func (s *stack) costOf(version uint64) uint64 {
	var known uint64
	if s.spent.version == version {
		known = s.spent.files + s.spent.images
	}
	if s.want != nil && s.want.Version == version {
		known = max(known, s.want.Spent)
	}
	return known
}

// keepImages forgets images that were on their way for stacks that are gone.
func (r *Reconciler) keepImages() {
	if r.cfg.Images == nil {
		return
	}
	var kept []uint64
	for _, e := range r.cfg.State.Desired() {
		kept = append(kept, e.ID)
	}
	for _, a := range r.cfg.State.Applied() {
		kept = append(kept, a.Entry.ID)
	}
	if err := r.cfg.Images.Keep(kept); err != nil {
		r.cfg.Log.Warn("cannot remove images that are not needed any more", "error", err)
	}
}
