package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"github.com/farshore/farshore/snapshot"
)

// Watch reads the engine's event stream until ctx is done or the stream ends, and returns why. It calls changed when
// the stream is established, since something may have happened before, and for each event that can alter a snapshot.
// changed must not block. Only one Watch is to run at a time.
func (e *Engine) Watch(ctx context.Context, changed func()) error {
	e.forget(nil) // a new stream may be to a new version of the engine
	api, err := e.connect()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	kinds := filters.NewArgs()
	for _, kind := range []events.Type{
		events.ContainerEventType, events.ImageEventType, events.VolumeEventType, events.NetworkEventType, events.DaemonEventType,
	} {
		kinds.Add("type", string(kind))
	}
	messages, ended := api.Events(ctx, events.ListOptions{Filters: kinds})
	select {
	case err := <-ended: // it never began
		return e.streamError(api.DaemonHost(), err)
	default:
	}
	e.setLive(true)
	defer e.setLive(false)
	changed()
	for {
		select {
		case m := <-messages:
			if e.note(m) {
				changed()
			}
		case err := <-ended:
			e.forget(api)
			return e.streamError(api.DaemonHost(), err)
		}
	}
}

func (e *Engine) streamError(host string, err error) error {
	switch {
	case err == nil:
		return fmt.Errorf("events of the engine: %w: %s closed the stream", snapshot.ErrEngineAbsent, host)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case lost(err):
		return fmt.Errorf("events of the engine: %w", e.absent(err))
	}
	return fmt.Errorf("events of the engine: %w", err)
}

// stream is whether there is an event stream.
type stream bool

func (e *Engine) setLive(live stream) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cached = cache{live: bool(live), touched: map[string]struct{}{}}
}

// note drops from the cache what an event is about, and tells whether it can alter a snapshot.
func (e *Engine) note(m events.Message) bool {
	if !alters(m) {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	id := ""
	switch m.Type {
	case events.ContainerEventType:
		id = m.Actor.ID
	case events.NetworkEventType:
		id = m.Actor.Attributes["container"]
	case events.DaemonEventType:
		e.cached.engine = nil
	}
	if id != "" {
		e.cached.touched[id] = struct{}{}
		delete(e.cached.containers, id)
	}
	return true
}

// alters leaves out events that no snapshot shows, such as the exec of each health check. What is not known counts.
func alters(m events.Message) bool {
	if m.Type == events.ContainerEventType && snapshot.OfRun(m.Actor.Attributes) {
		return false
	}
	action, _, _ := strings.Cut(string(m.Action), ":")
	if strings.HasPrefix(action, "exec_") {
		return false
	}
	switch action {
	case "attach", "detach", "resize", "top", "export", "copy", "archive-path", "extract-to-dir", "kill", "mount", "unmount",
		"save", "push", "oom":
		return false
	}
	return true
}
