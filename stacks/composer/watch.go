package composer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/compose/v2/pkg/api"
	"github.com/docker/docker/api/types/container"

	"github.com/farshore/farshore/stacks/composer/ipc"
)

const (
	// poll is how often containers are looked at while waiting.
	poll = 300 * time.Millisecond
	// settle is how long a container without a health check must run to count as running: one that ends at once has
	// been running for a moment too.
	settle = 2 * time.Second
)

// watch waits for the containers of a project to be as they should. It belongs to one goroutine.
type watch struct {
	run      *run
	project  *project
	settled  map[string]bool      // ids that ran before and were not touched
	since    map[string]time.Time // when a container was first seen running, by id and start time
	ended    map[string]string    // how a container was last seen to end, by id: the engine forgets it when it runs again
	deadline time.Time            // zero until waiting starts
}

func newWatch(r *run, p *project, d *diff) *watch {
	w := &watch{run: r, project: p, settled: map[string]bool{}, since: map[string]time.Time{}, ended: map[string]string{}}
	for service, containers := range d.existing {
		for _, c := range containers {
			if d.done[service].action == ipc.ServiceUnchanged && c.State == container.StateRunning {
				w.settled[c.ID] = true
			}
		}
	}
	return w
}

// verdict is where a container stands: fine, on its way (late says why it fails if it stays so), or failed.
type verdict struct {
	fine bool
	fail *Failure
	late *Failure
	// cause ranks failures of several containers: one that ends says more than one that is not healthy, and that more
	// than one that waits for it.
	cause int
}

// wait returns when all containers run, and are healthy where they have a health check; or says which one does not.
func (w *watch) wait(ctx context.Context) error {
	if w.deadline.IsZero() {
		w.deadline = time.Now().Add(time.Duration(w.run.req.WaitSeconds) * time.Second)
	}
	for {
		late, err := w.look(ctx)
		if err != nil || late == nil {
			return err
		}
		if !time.Now().Before(w.deadline) {
			return w.run.withLog(ctx, late)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(poll, time.Until(w.deadline))):
		}
	}
}

// look judges all containers once. It returns the failure that the first container on its way would be, nil when all
// are fine, and an error when one has failed.
func (w *watch) look(ctx context.Context) (late *Failure, err error) {
	all, err := w.run.eng.containers(ctx, w.project.Name)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b container.Summary) int { return int(a.Created - b.Created) })
	have, rank := map[string]int{}, 0
	for _, c := range all {
		info, err := w.run.eng.ContainerInspect(ctx, c.ID)
		if errdefs.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("inspect container %q: %w", nameOf(c), err)
		}
		service := c.Labels[api.ServiceLabel]
		have[service]++
		v := w.judge(service, nameOf(c), info)
		if v.fail != nil {
			return nil, w.run.withLog(ctx, v.fail)
		}
		if !v.fine && (late == nil || v.cause > rank) {
			late, rank = v.late, v.cause
		}
	}
	for name, svc := range w.project.Services {
		if late == nil && have[name] < svc.GetScale() {
			late = &Failure{Code: ipc.CodeExited, Service: name, Detail: fmt.Sprintf("service %s has %d of %d containers; something removed them", name, have[name], svc.GetScale())}
		}
	}
	return late, nil
}

func (w *watch) judge(service, name string, info container.InspectResponse) verdict {
	about := func(code, format string, args ...any) *Failure {
		return &Failure{Code: code, Service: service, Container: name, Detail: "service " + service + " " + fmt.Sprintf(format, args...)}
	}
	s := info.State
	switch s.Status {
	case container.StateRunning:
		return w.judgeRunning(info, about)
	case container.StateRestarting:
		w.ended[info.ID] = fmt.Sprintf(", last exit code %d", s.ExitCode)
		return verdict{cause: 2, late: about(ipc.CodeExited, "keeps ending with exit code %d%s (%d restarts); correct what its log complains about", s.ExitCode, memory(s), info.RestartCount)}
	case container.StateExited:
		f := about(ipc.CodeExited, "ended with exit code %d%s; correct what its log complains about", s.ExitCode, memory(s))
		if s.ExitCode == 0 && oneShot(info) {
			return verdict{fine: true}
		}
		if oneShot(info) {
			return verdict{fail: f}
		}
		return verdict{cause: 2, late: f}
	case container.StateCreated:
		if s.Error != "" {
			return verdict{fail: about(ipc.CodeExited, "cannot be started: %s; correct its definition", oneLine(s.Error))}
		}
		return verdict{late: about(ipc.CodeUnhealthy, "was not started within %d s, as what it depends on was not ready; correct that, or allow more time", w.run.req.WaitSeconds)}
	default:
		return verdict{cause: 1, late: about(ipc.CodeExited, "has a container that is %s; unpause or remove it", s.Status)}
	}
}

func (w *watch) judgeRunning(info container.InspectResponse, about func(code, format string, args ...any) *Failure) verdict {
	health := container.NoHealthcheck
	if info.State.Health != nil {
		health = info.State.Health.Status
	}
	switch health {
	case container.Healthy:
		return verdict{fine: true}
	case container.Unhealthy:
		return verdict{fail: about(ipc.CodeUnhealthy, "is unhealthy%s; correct it, or its health check", probe(info))}
	case container.Starting:
		return verdict{cause: 1, late: about(ipc.CodeUnhealthy, "did not get healthy within %d s%s; correct it or its health check, or allow more time", w.run.req.WaitSeconds, probe(info))}
	}
	if w.settled[info.ID] {
		return verdict{fine: true}
	}
	key := info.ID + info.State.StartedAt
	first, seen := w.since[key]
	if !seen {
		first = time.Now()
		w.since[key] = first
	}
	if info.RestartCount == 0 && time.Since(first) >= min(settle, time.Duration(w.run.req.WaitSeconds)*time.Second/2) || time.Since(first) >= settle {
		return verdict{fine: true}
	}
	return verdict{cause: 2, late: about(ipc.CodeExited, "does not keep running (%d restarts%s); correct what its log complains about", info.RestartCount, w.ended[info.ID])}
}

// probe quotes the last run of a container's health check.
func probe(info container.InspectResponse) string {
	if info.State.Health == nil || len(info.State.Health.Log) == 0 {
		return ""
	}
	last := info.State.Health.Log[len(info.State.Health.Log)-1]
	if text := oneLine(last.Output); text != "" {
		return fmt.Sprintf(" (its health check ends with %d: %s)", last.ExitCode, text)
	}
	return fmt.Sprintf(" (its health check ends with %d)", last.ExitCode)
}

func memory(s *container.State) string {
	if s.OOMKilled {
		return ", out of memory"
	}
	return ""
}
