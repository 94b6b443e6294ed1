package composer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/containerd/errdefs"
	"github.com/docker/compose/v2/pkg/api"
	"github.com/docker/docker/api/types/container"
)

// lateCreate bounds how long to wait for a container that the engine is still making for a composer that was killed.
const lateCreate = 20 * time.Second

// create lets the library create and recreate containers. A composer that was killed may have sent a last request that
// the engine carries out only now, after heal looked: its container then holds a name that is wanted, or is taken for
// one that is up to date although nobody connected its networks or gave it its name.
func (r *run) create(ctx context.Context, p *project) error {
	opts := api.CreateOptions{
		Services: p.ServiceNames(), RemoveOrphans: true, Recreate: api.RecreateDiverged,
		RecreateDependencies: api.RecreateDiverged, Inherit: true, QuietPull: true,
	}
	err := r.eng.compose.Create(ctx, p.detached(), opts)
	for began := time.Now(); ownNameInUse(p, err) && time.Since(began) < lateCreate; {
		// The engine reserves the name first and shows the container when it has made its layer.
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(poll):
		}
		if err := r.heal(ctx, p); err != nil {
			return err
		}
		err = r.eng.compose.Create(ctx, p.detached(), opts)
	}
	if err != nil {
		return fmt.Errorf("create containers: %w", err)
	}
	late, err := r.lateServices(ctx, p)
	if err != nil || len(late) == 0 {
		return err
	}
	opts.Services, opts.Recreate = late, api.RecreateForce
	if err := r.eng.compose.Create(ctx, p.detached(), opts); err != nil {
		return fmt.Errorf("create containers: %w", err)
	}
	return nil
}

// ownNameInUse says whether err is about a container name that belongs to the project. Those of others were refused
// before anything was changed.
func ownNameInUse(p *project, err error) bool {
	if err == nil {
		return false
	}
	m := reNameInUse.FindStringSubmatch(err.Error())
	if m == nil {
		return false
	}
	name := reTemporary.ReplaceAllString(m[1], "")
	for _, svc := range p.Services {
		for own := range expectedNames(p.Name, svc) {
			if own == name {
				return true
			}
		}
	}
	return false
}

// lateServices are those with a container that still has the name of one that is about to replace another.
func (r *run) lateServices(ctx context.Context, p *project) ([]string, error) {
	all, err := r.eng.containers(ctx, p.Name)
	if err != nil {
		return nil, err
	}
	late := map[string]bool{}
	for _, c := range all {
		_, known := p.Services[c.Labels[api.ServiceLabel]]
		if known && isTemporary(c) {
			late[c.Labels[api.ServiceLabel]] = true
		}
	}
	return slices.Sorted(maps.Keys(late)), nil
}

// isTemporary says whether a container was made to replace another and has not got its name yet.
func isTemporary(c container.Summary) bool {
	_, replaces := c.Labels[api.ContainerReplaceLabel]
	return replaces && reTemporary.MatchString(nameOf(c))
}

// detached is a copy of the project for one call of the library, which changes some of what it is given.
func (p *project) detached() *types.Project {
	dup := *p.Project
	dup.Services = maps.Clone(p.Services)
	for name, svc := range dup.Services {
		svc = detached(svc)
		svc.VolumesFrom = slices.Clone(svc.VolumesFrom)
		svc.CustomLabels = maps.Clone(svc.CustomLabels)
		dup.Services[name] = svc
	}
	dup.Networks = maps.Clone(p.Networks)
	return &dup
}

// heal puts right what a composer that was killed left half-done and the library would not. A container that never
// started holds nothing and is dropped, as its networks may be missing. One that was made to replace another is kept
// when the other is gone: then it is complete, has taken over the other's volumes, and at most lacks its name.
func (r *run) heal(ctx context.Context, p *project) error {
	all, err := r.eng.containers(ctx, p.Name)
	if err != nil {
		return err
	}
	key := func(c container.Summary) string {
		return c.Labels[api.ServiceLabel] + "/" + c.Labels[api.ContainerNumberLabel]
	}
	count := map[string]int{}
	for _, c := range all {
		count[key(c)]++
	}
	for _, c := range all {
		_, replaces := c.Labels[api.ContainerReplaceLabel]
		switch {
		case c.State == container.StateCreated && (!replaces || count[key(c)] > 1):
			// Volumes without a name may have been taken over from the container that is being replaced.
			err = r.eng.ContainerRemove(ctx, c.ID, container.RemoveOptions{RemoveVolumes: !replaces})
			count[key(c)]--
		case isTemporary(c) && count[key(c)] == 1:
			err = r.eng.ContainerRename(ctx, c.ID, reTemporary.ReplaceAllString(nameOf(c), ""))
		default:
			continue
		}
		if err != nil && !errdefs.IsNotFound(err) {
			return fmt.Errorf("put right container %q: %w", nameOf(c), err)
		}
		r.out.step(c.Labels[api.ServiceLabel], "put right what an interrupted run left of "+nameOf(c))
	}
	return nil
}
