package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/farshore/farshore/hub/edge"
)

// keepTime is what is left of StopTimeout to store what is known, when serving has not ended before.
const keepTime = 3 * time.Second

// limits bound a stop, from when the hub is told to: serving is when what serves devices and people must have ended,
// all when everything must have.
type limits struct{ serving, all time.Duration }

// Run serves until ctx ends, and then stops within StopTimeout: what was begun is finished, what is known is stored.
// What takes longer is left behind, and the error says so.
func (h *Hub) Run(ctx context.Context) error {
	serve, serving := errgroup.WithContext(ctx) // serving ends when the hub is told to stop, or a part of it fails
	web, err := h.web(serving)
	if err != nil {
		return errors.Join(err, h.Close())
	}
	public := edge.New(edge.Config{
		Sessions: h.sessions, Knocker: knocker{h.desk}, Streams: h.broker, Web: h.guarded(web), TLS: h.identity.TLSConfig(h.extras()),
		Tunnels: h.tunnels, Gate: h.gate, Door: h.door, Log: h.log,
	})
	// Two groups, so that what serves devices ends before what keeps their state.
	keeping, stopKeeping := context.WithCancel(context.WithoutCancel(ctx))
	defer stopKeeping()
	var keep errgroup.Group
	for name, run := range map[string]func(context.Context) error{
		"fleet": h.fleet.Run, "events": h.events.Run, "access": h.access.Run, "timeline": h.timeline.Run, "audit": h.audit.Run, "forwarding": h.forward.Run, "changes": h.runChanges, "commands": h.sweep,
		"local socket": h.serveLocal, "backups": h.backups.Run, "certificate files": h.watchFiles,
		"releases": h.releases.Run, "updates": h.updates.Run, "rollouts": h.planner.Run, "stacks from Git": h.sources.Run, "usage": h.ledger.Run,
		"estimates": h.estimates.Run, "jobs": h.jobs.Keep,
	} {
		keep.Go(func() error { return h.keep(keeping, name, run) })
	}
	serve.Go(func() error { return h.part(serving, "waiting room", h.desk.Run) })
	serve.Go(func() error { return h.part(serving, "sessions", h.sessions.Run) })
	serve.Go(func() error {
		return h.part(serving, "public port", func(ctx context.Context) error { return public.Serve(ctx, h.public) })
	})
	if h.mqtt != nil {
		serve.Go(func() error {
			return h.part(serving, "MQTT port", func(ctx context.Context) error { return h.broker.Serve(ctx, h.mqtt) })
		})
	}
	h.listening()
	servingLate, cancel := after(serving, h.limits.serving)
	defer cancel()
	late, cancel := after(serving, h.limits.all)
	defer cancel()
	err = until(servingLate, "what serves devices and people", serve.Wait)
	return errors.Join(err, until(late, "what keeps the hub's state", func() error {
		stopKeeping()
		return errors.Join(keep.Wait(), h.fleet.Close(), h.desk.Close(), h.Close())
	}))
}

func (h *Hub) listening() {
	if h.cfg.Listening == nil {
		return
	}
	at := h.addresses
	if !h.access.HasAdmin() {
		at.AdminLink = h.adminLink()
	}
	h.cfg.Listening(at)
}

// part runs one part; its end without an error, when ctx has ended, is not one.
func (h *Hub) part(ctx context.Context, name string, run func(context.Context) error) error {
	err := run(ctx)
	if err == nil || ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

// keep runs a part without which the hub goes on serving. One that fails meanwhile is logged, since nobody is told
// before the end; how it stops is returned.
func (h *Hub) keep(ctx context.Context, name string, run func(context.Context) error) error {
	err := h.part(ctx, name, run)
	if err != nil && ctx.Err() == nil {
		h.log.Error("a part of the hub has failed and is missing until the hub is started again", "error", err)
		return nil
	}
	return err
}

// after returns a context that ends limit after ctx has.
func after(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	cause := fmt.Errorf("it has not stopped within %s", limit)
	out, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { time.AfterFunc(limit, func() { cancel(cause) }) })
	return out, func() { cancel(nil) }
}

// until waits for wait, but not longer than ctx.
func until(ctx context.Context, what string, wait func() error) error {
	done := make(chan error, 1)
	go func() { done <- wait() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%s is left behind: %w", what, context.Cause(ctx))
	}
}
