package composer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/docker/compose/v2/pkg/api"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"

	"github.com/farshore/farshore/stacks/composer/ipc"
)

// down removes everything that carries the project's name. The bundle is not needed, and nothing there is success.
func (r *run) down(ctx context.Context) (ipc.Event, error) {
	remove := r.req.Volumes == ipc.VolumesRemove
	if err := r.eng.compose.Down(ctx, r.req.Project, api.DownOptions{RemoveOrphans: true, Volumes: remove}); err != nil {
		return ipc.Event{}, fmt.Errorf("remove project %q: %w", r.req.Project, err)
	}
	if err := r.checkGone(ctx, remove); err != nil {
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

// checkGone makes sure of what the library only warns about.
func (r *run) checkGone(ctx context.Context, volumes bool) error {
	label := filters.NewArgs(filters.Arg("label", api.ProjectLabel+"="+r.req.Project))
	left := func(what, name, remedy string) error {
		return &Failure{Code: ipc.CodeInternal, Detail: fmt.Sprintf("%s %q could not be removed, as something outside the project uses it; %s, then remove the stack again", what, name, remedy)}
	}
	containers, err := r.eng.containers(ctx, r.req.Project)
	if err != nil {
		return err
	}
	if len(containers) > 0 {
		return left("container", nameOf(containers[0]), "remove it by hand")
	}
	networks, err := r.eng.NetworkList(ctx, network.ListOptions{Filters: label})
	if err != nil {
		return fmt.Errorf("list networks: %w", err)
	}
	if len(networks) > 0 {
		return left("network", networks[0].Name, "disconnect the other containers")
	}
	if !volumes {
		return nil
	}
	vols, err := r.eng.VolumeList(ctx, volume.ListOptions{Filters: label})
	if err != nil {
		return fmt.Errorf("list volumes: %w", err)
	}
	if len(vols.Volumes) > 0 {
		return left("volume", vols.Volumes[0].Name, "remove the other containers that mount it")
	}
	return nil
}

// missing says whether a folder is not there.
func missing(dir string) bool {
	_, err := os.Stat(dir)
	return errors.Is(err, fs.ErrNotExist)
}
