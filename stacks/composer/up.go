package composer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/compose/v2/pkg/api"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"

	"github.com/farshore/farshore/stacks/composer/ipc"
)

// up makes the engine run the project. Everything that can be known to fail is asked before the first change.
func (r *run) up(ctx context.Context, p *project) (ipc.Event, error) {
	if err := r.ensureImages(ctx, p); err != nil {
		return ipc.Event{}, err
	}
	if err := r.stage(p); err != nil {
		return ipc.Event{}, err
	}
	if err := r.heal(ctx, p); err != nil {
		return ipc.Event{}, err
	}
	d, err := r.compare(ctx, p)
	if err != nil {
		return ipc.Event{}, err
	}
	if err := r.preflight(ctx, d); err != nil {
		return ipc.Event{}, err
	}
	w := newWatch(r, p, d)
	if !d.idle() {
		if err := r.apply(ctx, p, w); err != nil {
			return ipc.Event{}, err
		}
	}
	if r.req.WaitSeconds > 0 {
		r.out.emit(ipc.Event{Kind: ipc.KindStep, Text: "waiting for the containers", Waits: true})
		if err := w.wait(ctx); err != nil {
			return ipc.Event{}, err
		}
	}
	r.tidy(ctx, p)
	states, err := r.states(ctx, d)
	if err != nil {
		return ipc.Event{}, err
	}
	text := "nothing to do"
	if !d.idle() {
		text = "the bundle is running"
	}
	return ipc.Event{Text: text, Warnings: r.warnings, Services: states}, nil
}

// apply lets the library create and start what differs.
func (r *run) apply(ctx context.Context, p *project, w *watch) error {
	r.changing = true
	if err := r.create(ctx, p); err != nil {
		return err
	}
	start := ctx
	if r.req.WaitSeconds > 0 {
		// The library waits here for dependencies to get healthy.
		limited, cancel := context.WithTimeout(ctx, time.Duration(r.req.WaitSeconds)*time.Second)
		defer cancel()
		start = limited
		w.deadline, _ = limited.Deadline()
	}
	err := r.eng.compose.Start(start, p.Name, api.StartOptions{Project: p.detached(), Services: p.ServiceNames()})
	if err == nil || (start.Err() != nil && ctx.Err() == nil) {
		return nil // out of time: the watch says who is late
	}
	return r.startFailure(ctx, p, fmt.Errorf("start containers: %w", err))
}

// tidy removes the project's networks that are no longer in the bundle, and staged content that nothing mounts. The
// stack runs by then, so failing here is a warning.
func (r *run) tidy(ctx context.Context, p *project) {
	warn := func(what string, err error) {
		r.warnings = append(r.warnings, fmt.Sprintf("%s: %s; the next change tries again", what, brief(err)))
	}
	networks, err := r.eng.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("label", api.ProjectLabel+"="+p.Name))})
	if err != nil {
		warn("networks were not tidied", err)
	}
	for _, n := range networks {
		if _, ok := p.Networks[n.Labels[api.NetworkLabel]]; ok {
			continue
		}
		if err := r.eng.NetworkRemove(ctx, n.ID); err != nil && !errdefs.IsNotFound(err) {
			warn("network "+n.Name+" is no longer needed and was not removed", err)
		}
	}
	all, err := r.eng.containers(ctx, p.Name)
	if err != nil {
		warn("staged files were not tidied", err)
		return
	}
	used := p.mountSources()
	for _, c := range all {
		for _, m := range c.Mounts {
			used = append(used, m.Source)
		}
	}
	if err := r.store.Sweep(used); err != nil {
		warn("staged files were not tidied", err)
	}
}

// states is the state of every container of the project, and what was done to it, where that is known.
func (r *run) states(ctx context.Context, d *diff) ([]ipc.ServiceState, error) {
	all, err := r.eng.containers(ctx, r.req.Project)
	if err != nil {
		return nil, err
	}
	var states []ipc.ServiceState
	for _, c := range all {
		info, err := r.eng.ContainerInspect(ctx, c.ID)
		if errdefs.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("inspect container %q: %w", nameOf(c), err)
		}
		s := ipc.ServiceState{
			Service: c.Labels[api.ServiceLabel], Container: nameOf(c), ID: c.ID, Image: info.Config.Image,
			State: info.State.Status, ExitCode: info.State.ExitCode,
		}
		if info.State.Health != nil && info.State.Health.Status != container.NoHealthcheck {
			s.Health = info.State.Health.Status
		}
		if d != nil {
			s.Action, s.Reason = d.action(s.Service, c.ID)
		}
		states = append(states, s)
	}
	if d != nil {
		for _, c := range d.changes() {
			if _, ok := d.project.Services[c.service]; !ok {
				states = append(states, ipc.ServiceState{Service: c.service, Image: c.image, Action: c.action, Reason: c.reason})
			}
		}
	}
	slices.SortFunc(states, stateLess)
	return states, nil
}

// action is what up did to a container.
func (d *diff) action(service, id string) (action, reason string) {
	c := d.done[service]
	for _, old := range d.existing[service] {
		if old.ID == id && c.action != ipc.ServiceStarted {
			return ipc.ServiceUnchanged, ""
		}
	}
	return c.action, c.reason
}

func stateLess(a, b ipc.ServiceState) int {
	if c := strings.Compare(a.Service, b.Service); c != 0 {
		return c
	}
	return strings.Compare(a.Container, b.Container)
}
