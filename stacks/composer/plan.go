package composer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/containerd/errdefs"
	"github.com/docker/compose/v2/pkg/api"
	libcompose "github.com/docker/compose/v2/pkg/compose"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"github.com/farshore/farshore/stacks/composer/ipc"
)

// change is what up would do to one service.
type change struct {
	service, image, action, reason string
}

// diff compares a project, staged, with what is on the engine.
type diff struct {
	run      *run
	project  *project
	existing map[string][]container.Summary // by service
	images   map[string]string              // ids by reference
	networks map[string]string              // ids by the project's key
	volumes  map[string]bool                // by the project's key: on the engine
	stale    map[string]string              // networks that are missing or differ, by key: why
	done     map[string]change
}

// plan reports what up would do.
func (r *run) plan(ctx context.Context, p *project) (ipc.Event, error) {
	if err := r.stage(p); err != nil {
		return ipc.Event{}, err
	}
	d, err := r.compare(ctx, p)
	if err != nil {
		return ipc.Event{}, err
	}
	done := ipc.Event{Text: "nothing was changed", Warnings: r.warnings}
	for _, c := range d.changes() {
		done.Services = append(done.Services, ipc.ServiceState{Service: c.service, Image: c.image, Action: c.action, Reason: c.reason})
	}
	return done, nil
}

func (r *run) compare(ctx context.Context, p *project) (*diff, error) {
	d := &diff{
		run: r, project: p, existing: map[string][]container.Summary{}, networks: map[string]string{},
		volumes: map[string]bool{}, stale: map[string]string{}, done: map[string]change{},
	}
	all, err := r.eng.containers(ctx, p.Name)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if foreign(c) && r.req.Labels[ipc.StackLabel] != "" {
			return nil, &Failure{
				Code: ipc.CodeNameInUse, Container: nameOf(c),
				Detail: fmt.Sprintf("the container %s is of a Compose project %q that was not made by Farshore; remove that project on the device, or give the stack another name",
					nameOf(c), p.Name),
			}
		}
		service := c.Labels[api.ServiceLabel]
		d.existing[service] = append(d.existing[service], c)
	}
	if d.images, err = r.imageIDs(ctx, p); err != nil {
		return nil, err
	}
	if err := d.compareNetworks(ctx); err != nil {
		return nil, err
	}
	for key, v := range p.Volumes {
		have, err := r.eng.VolumeInspect(ctx, v.Name)
		if err != nil && !errdefs.IsNotFound(err) {
			return nil, fmt.Errorf("look for volume %q: %w", v.Name, err)
		}
		d.volumes[key] = err == nil
		if of := have.Labels[api.ProjectLabel]; of != "" && of != p.Name && !bool(v.External) {
			return nil, &Failure{
				Code: ipc.CodeNameInUse,
				Detail: fmt.Sprintf("the volume %q belongs to %q, and %q would get at what is in it; give the volume %q another name, or the stack, or say external if they are to share it",
					v.Name, of, p.Name, key),
			}
		}
	}
	for _, name := range p.ServiceNames() {
		if err := d.service(ctx, name); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// foreign reports whether somebody else than Farshore made a container.
func foreign(c container.Summary) bool { return c.Labels[ipc.StackLabel] == "" }

func (d *diff) compareNetworks(ctx context.Context) error {
	for key, n := range d.project.Networks {
		info, err := d.run.eng.NetworkInspect(ctx, n.Name, network.InspectOptions{})
		if errdefs.IsNotFound(err) {
			d.stale[key] = "is missing"
			continue
		}
		if err != nil {
			return fmt.Errorf("look for network %q: %w", n.Name, err)
		}
		d.networks[key] = info.ID
		if n.External {
			continue
		}
		want, err := libcompose.NetworkHash(&n)
		if err != nil {
			return fmt.Errorf("hash network %q: %w", n.Name, err)
		}
		if have := info.Labels[api.ConfigHashLabel]; have != "" && have != want {
			d.stale[key] = "changed"
		}
	}
	return nil
}

// changes lists all services, and those that are no longer in the bundle, by name.
func (d *diff) changes() []change {
	var list []change
	for _, c := range d.done {
		list = append(list, c)
	}
	for service, containers := range d.existing {
		if _, ok := d.project.Services[service]; !ok {
			list = append(list, change{service, containers[0].Image, ipc.ServiceRemoved, "no longer in the bundle"})
		}
	}
	slices.SortFunc(list, func(a, b change) int { return strings.Compare(a.service, b.service) })
	return list
}

// idle says whether up has nothing to do.
func (d *diff) idle() bool {
	for key := range d.project.Volumes {
		if !d.volumes[key] {
			return false
		}
	}
	return len(d.stale) == 0 && !slices.ContainsFunc(d.changes(), func(c change) bool { return c.action != ipc.ServiceUnchanged })
}

func (d *diff) service(ctx context.Context, name string) error {
	if _, ok := d.done[name]; ok {
		return nil
	}
	svc := d.project.Services[name]
	c := change{service: name, image: svc.Image, action: ipc.ServiceUnchanged}
	d.done[name] = c // ends a cycle, which the loader has refused already
	var err error
	c.action, c.reason, err = d.judge(ctx, svc)
	d.done[name] = c
	return err
}

func (d *diff) judge(ctx context.Context, svc types.ServiceConfig) (action, reason string, err error) {
	have, want := d.existing[svc.Name], svc.GetScale()
	if len(have) == 0 && want > 0 {
		return ipc.ServiceCreated, "not there yet", nil
	}
	moved, err := d.resolveShared(ctx, &svc)
	if err != nil {
		return "", "", err
	}
	if moved != "" && want > 0 {
		return ipc.ServiceRecreated, "it shares what service " + moved + " has, and that changes", nil
	}
	hash, err := libcompose.ServiceHash(detached(svc))
	if err != nil {
		return "", "", fmt.Errorf("hash service %q: %w", svc.Name, err)
	}
	for _, c := range have {
		if reason := d.diverged(svc, c, hash); reason != "" && want > 0 {
			return ipc.ServiceRecreated, reason, nil
		}
	}
	switch {
	case len(have) < want:
		return ipc.ServiceCreated, fmt.Sprintf("%d of %d containers are there", len(have), want), nil
	case len(have) > want:
		return ipc.ServiceRemoved, fmt.Sprintf("%d of %d containers are too many", len(have)-want, len(have)), nil
	}
	for _, c := range have {
		if c.State == container.StateRunning || c.State == container.StateRestarting {
			continue
		}
		completed, err := d.run.completed(ctx, c)
		if err != nil {
			return "", "", err
		}
		if !completed {
			return ipc.ServiceStarted, "a container is " + c.State, nil
		}
	}
	return ipc.ServiceUnchanged, "", nil
}

// detached is a service that may be hashed: hashing changes what Deploy points to.
func detached(svc types.ServiceConfig) types.ServiceConfig {
	if svc.Deploy != nil {
		deploy := *svc.Deploy
		svc.Deploy = &deploy
	}
	return svc
}

func (d *diff) diverged(svc types.ServiceConfig, c container.Summary, hash string) string {
	switch {
	case c.Labels[ContentLabel] != svc.Labels[ContentLabel]:
		return "the content of a config, secret or profile changed"
	case c.Labels[api.ConfigHashLabel] != hash:
		return "its definition or mounted content changed"
	case c.Labels[api.ImageDigestLabel] != d.images[svc.Image]:
		return "its image changed"
	}
	for key := range svc.Networks {
		if why := d.stale[key]; why != "" {
			return "network " + key + " " + why
		}
		if c.State == container.StateRunning && !attached(c, d.networks[key]) {
			return "it is not attached to network " + key
		}
	}
	for _, v := range svc.Volumes {
		name := d.project.Volumes[v.Source].Name
		if v.Type == types.VolumeTypeVolume && v.Source != "" && !slices.ContainsFunc(c.Mounts, func(m container.MountPoint) bool { return m.Name == name }) {
			return "volume " + v.Source + " is not mounted"
		}
	}
	return ""
}

func attached(c container.Summary, id string) bool {
	if c.NetworkSettings == nil {
		return false
	}
	for _, n := range c.NetworkSettings.Networks {
		if n.NetworkID == id {
			return true
		}
	}
	return false
}

// resolveShared puts container ids in the place of the services whose namespaces or volumes svc shares, as the library
// does before it hashes. It returns the name of one that will get a new container.
func (d *diff) resolveShared(ctx context.Context, svc *types.ServiceConfig) (moved string, err error) {
	id := func(service string) (string, error) {
		if _, ok := d.project.Services[service]; !ok {
			return "", nil
		}
		if err := d.service(ctx, service); err != nil {
			return "", err
		}
		have := slices.Clone(d.existing[service])
		if a := d.done[service].action; len(have) == 0 || a == ipc.ServiceCreated || a == ipc.ServiceRecreated {
			moved = service
			return "", nil
		}
		slices.SortFunc(have, func(a, b container.Summary) int { return strings.Compare(nameOf(a), nameOf(b)) })
		return have[0].ID, nil
	}
	for _, mode := range []*string{&svc.NetworkMode, &svc.Ipc, &svc.Pid} {
		service, ok := strings.CutPrefix(*mode, types.ServicePrefix)
		if !ok {
			continue
		}
		container, err := id(service)
		if err != nil {
			return "", err
		}
		*mode = types.ContainerPrefix + container
	}
	svc.VolumesFrom = slices.Clone(svc.VolumesFrom)
	for i, from := range svc.VolumesFrom {
		service, _, _ := strings.Cut(from, ":")
		if after, ok := strings.CutPrefix(from, types.ContainerPrefix); ok {
			svc.VolumesFrom[i] = strings.Split(after, ":")[0]
			continue
		}
		if svc.VolumesFrom[i], err = id(service); err != nil {
			return "", err
		}
	}
	return moved, nil
}

// completed says whether a container did its work and is not meant to run again: it ended with 0, and nothing
// restarts it. Starting such a one again on every up would repeat migrations at each start of the agent.
func (r *run) completed(ctx context.Context, c container.Summary) (bool, error) {
	if c.State != container.StateExited || slices.Contains(r.req.Start, nameOf(c)) {
		return false, nil
	}
	info, err := r.eng.ContainerInspect(ctx, c.ID)
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("inspect container %q: %w", nameOf(c), err)
	}
	return oneShot(info) && info.State.ExitCode == 0, nil
}

// oneShot says whether a container that ended with 0 stays ended.
func oneShot(info container.InspectResponse) bool {
	return !info.HostConfig.RestartPolicy.IsAlways() && !info.HostConfig.RestartPolicy.IsUnlessStopped()
}
