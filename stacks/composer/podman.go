package composer

import (
	"context"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
)

// anyEngine makes up for what Podman says differently from Docker, for us and for the Compose library: a container's
// network has its name in place of its id, and would seem to be another one each time.
type anyEngine struct{ client.APIClient }

// ContainerList lists containers whose networks have ids. Of Docker nothing more is asked.
func (e anyEngine) ContainerList(ctx context.Context, options container.ListOptions) ([]container.Summary, error) {
	list, err := e.APIClient.ContainerList(ctx, options)
	if err != nil {
		return nil, err
	}
	var ids map[string]string
	for _, c := range list {
		if c.NetworkSettings == nil {
			continue
		}
		for name, at := range c.NetworkSettings.Networks {
			if at == nil || at.NetworkID != name {
				continue
			}
			if ids == nil {
				if ids, err = e.networkIDs(ctx); err != nil {
					return nil, err
				}
			}
			if id := ids[name]; id != "" {
				at.NetworkID = id
			}
		}
	}
	return list, nil
}

func (e anyEngine) networkIDs(ctx context.Context) (map[string]string, error) {
	list, err := e.NetworkList(ctx, network.ListOptions{})
	ids := make(map[string]string, len(list))
	for i := range list {
		ids[list[i].Name] = list[i].ID
	}
	return ids, err
}
