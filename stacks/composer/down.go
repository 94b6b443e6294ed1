package composer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/docker/compose/v2/pkg/api"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"

	"github.com/farshore/farshore/stacks/composer/ipc"
)

// down removes everything that carries the project's name. The bundle is not needed, and nothing there is success.
func (r *run) down(ctx context.Context) (ipc.Event, error) {
	remove := r.req.Volumes == ipc.VolumesRemove
	all, err := r.eng.containers(ctx, r.req.Project)
	if err != nil {
		return ipc.Event{}, err
	}
	if len(all) > 0 && !slices.ContainsFunc(all, func(c container.Summary) bool { return !foreign(c) }) {
		return ipc.Event{Text: "nothing of the stack is there: the project of its name is another's"}, nil
	}
	r.changing = true
	for _, c := range all {
		r.out.know(nameOf(c), c.Labels[api.ServiceLabel])
	}
	// Without containers the library has a data race, and nothing to do that is not done below.
	if len(all) > 0 {
		if err := r.eng.compose.Down(ctx, r.req.Project, api.DownOptions{RemoveOrphans: true, Volumes: remove}); err != nil {
			return ipc.Event{}, fmt.Errorf("remove project %q: %w", r.req.Project, err)
		}
	}
	if err := r.removeRest(ctx, remove); err != nil {
		return ipc.Event{}, err
	}
	if r.store != nil {
		if err := r.store.Sweep(nil); err != nil {
			return ipc.Event{}, err
		}
		if remove {
			if err := r.store.RemoveData(); err != nil {
				return ipc.Event{}, err
			}
		}
	}
	return ipc.Event{Text: "the project is removed"}, nil
}

// stop stops the project's containers, and leaves those of others alone.
func (r *run) stop(ctx context.Context) (ipc.Event, error) {
	all, err := r.eng.containers(ctx, r.req.Project)
	if err != nil {
		return ipc.Event{}, err
	}
	for _, c := range all {
		if foreign(c) {
			continue
		}
		r.changing = true
		r.out.step(c.Labels[api.ServiceLabel], "stopping "+nameOf(c))
		if err := r.eng.ContainerStop(ctx, c.ID, container.StopOptions{}); err != nil && !errdefs.IsNotFound(err) {
			return ipc.Event{}, fmt.Errorf("stop container %q: %w", nameOf(c), err)
		}
	}
	states, err := r.states(ctx, nil)
	return ipc.Event{Text: "the containers are stopped", Services: states}, err
}

// removeRest removes what the library left, as an earlier run was killed or as it only warned, and says what cannot be
// removed.
func (r *run) removeRest(ctx context.Context, volumes bool) error {
	label := filters.NewArgs(filters.Arg("label", api.ProjectLabel+"="+r.req.Project))
	left := func(what, name string, err error) error {
		return &Failure{Code: ipc.CodeInternal, Detail: fmt.Sprintf("%s %q could not be removed (%s); free it, then remove the stack again", what, name, brief(err))}
	}
	containers, err := r.eng.containers(ctx, r.req.Project)
	if err != nil {
		return err
	}
	for _, c := range containers {
		if err := r.eng.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true, RemoveVolumes: volumes}); err != nil && !errdefs.IsNotFound(err) {
			return left("container", nameOf(c), err)
		}
	}
	networks, err := r.eng.NetworkList(ctx, network.ListOptions{Filters: label})
	if err != nil {
		return fmt.Errorf("list networks: %w", err)
	}
	for _, n := range networks {
		if err := r.eng.NetworkRemove(ctx, n.ID); err != nil && !errdefs.IsNotFound(err) {
			return left("network", n.Name, err)
		}
	}
	if !volumes {
		return nil
	}
	vols, err := r.eng.VolumeList(ctx, volume.ListOptions{Filters: label})
	if err != nil {
		return fmt.Errorf("list volumes: %w", err)
	}
	for _, v := range vols.Volumes {
		if err := r.eng.VolumeRemove(ctx, v.Name, false); err != nil && !errdefs.IsNotFound(err) {
			return left("volume", v.Name, err)
		}
	}
	return nil
}

// missing says whether a folder is not there.
func missing(dir string) bool {
	_, err := os.Stat(dir)
	return errors.Is(err, fs.ErrNotExist)
}
