package engine

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"golang.org/x/sync/errgroup"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

// inspectAtOnce bounds the inspections under way at the same time: a small device shall keep breathing.
const inspectAtOnce = 4

// kindPodman is what protocol.Engine.Kind says of Podman.
const kindPodman = "podman"

// cache holds what need not be asked again while the event stream says what changes. It is empty while there is none.
type cache struct {
	// live: an event stream is established.
	live bool
	// touched are the containers that events named since the running observation began; what was asked of them
	// meanwhile may be old.
	touched    map[string]struct{}
	containers map[string]inspected
	engine     *protocol.Engine
}

// inspected is a container as it was inspected.
type inspected struct {
	// seen tells whether the engine's list still says the same of the container.
	seen string
	// container lacks its place in the image list.
	container protocol.Container
	image     protocol.Hash
}

// Observe returns the engine's whole state, or an error, without containers of runs and their anonymous volumes. Containers are inspected only where the last inspection may
// be out of date: for an idle engine this makes four small requests.
func (e *Engine) Observe(ctx context.Context) (snapshot.Observation, error) {
	e.observing.Lock()
	defer e.observing.Unlock()
	api, err := e.connect()
	if err != nil {
		return snapshot.Observation{}, err
	}
	obs, err := e.observe(ctx, api)
	if err != nil {
		return snapshot.Observation{}, e.fail(api, err, "observe the engine", conflict(snapshot.ErrRefused))
	}
	return obs, nil
}

func (e *Engine) observe(ctx context.Context, api *client.Client) (obs snapshot.Observation, err error) {
	known := e.beginObservation()
	if known.engine != nil {
		obs.Engine = *known.engine
	} else if obs.Engine, err = askEngine(ctx, api); err != nil {
		return obs, err
	}
	list, err := api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return obs, err
	}
	list, ofRuns := withoutRuns(list)
	containers, err := inspectAll(ctx, api, known.containers, list)
	if err != nil {
		return obs, err
	}
	images, err := api.ImageList(ctx, image.ListOptions{})
	if err != nil {
		return obs, err
	}
	volumes, err := api.VolumeList(ctx, volume.ListOptions{})
	if err != nil {
		return obs, err
	}
	networks, err := api.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return obs, err
	}
	e.endObservation(obs.Engine, containers)

	place := make(map[protocol.Hash]uint32, len(images))
	for _, img := range images {
		i := imageOf(img)
		if place[i.ID] == 0 {
			obs.Images = append(obs.Images, i)
			place[i.ID] = uint32(len(obs.Images))
		}
	}
	for _, c := range containers {
		c.container.Image = place[c.image]
		obs.Containers = append(obs.Containers, c.container)
	}
	for _, v := range volumes.Volumes {
		if v != nil && !ofRuns[v.Name] {
			obs.Volumes = append(obs.Volumes, volumeOf(*v))
		}
	}
	for i := range networks {
		obs.Networks = append(obs.Networks, networkOf(networks[i]))
	}
	if obs.Engine.Kind == kindPodman {
		nameDefaultNetwork(obs)
	}
	return obs, nil
}

// withoutRuns leaves out the containers of runs, and returns the names of the volumes that will go with these.
func withoutRuns(list []container.Summary) (rest []container.Summary, volumes map[string]bool) {
	volumes = map[string]bool{}
	for _, c := range list {
		if !snapshot.OfRun(c.Labels) {
			rest = append(rest, c)
			continue
		}
		for _, m := range c.Mounts {
			if m.Type == mount.TypeVolume && anonymous.MatchString(m.Name) {
				volumes[m.Name] = true
			}
		}
	}
	return rest, volumes
}

// anonymous is the name that an engine gives a volume itself.
var anonymous = regexp.MustCompile(`^[0-9a-f]{64}$`)

// nameDefaultNetwork gives Podman's default network the name that its list of networks has for it: containers call it
// by another.
func nameDefaultNetwork(obs snapshot.Observation) {
	const listed, own = "bridge", "podman"
	if slices.ContainsFunc(obs.Networks, func(n protocol.Network) bool { return n.Name == own }) {
		return
	}
	for _, c := range obs.Containers {
		for i := range c.Networks {
			if c.Networks[i].Network == own {
				c.Networks[i].Network = listed
			}
		}
	}
}

// beginObservation returns a copy of the cache and starts to note which containers events name.
func (e *Engine) beginObservation() cache {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cached.touched = map[string]struct{}{}
	known := e.cached
	known.containers = maps.Clone(known.containers) // events take from the original
	return known
}

// endObservation keeps what was learnt, except of containers that something happened to meanwhile.
func (e *Engine) endObservation(engine protocol.Engine, containers map[string]inspected) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.cached.live {
		return
	}
	fresh := make(map[string]inspected, len(containers))
	for id, c := range containers {
		if _, touched := e.cached.touched[id]; !touched {
			fresh[id] = c
		}
	}
	e.cached.containers = fresh
	e.cached.engine = &engine
}

// inspectAll returns all containers of list by id, from known where that is up to date. A container that went away in
// between is left out.
func inspectAll(ctx context.Context, api *client.Client, known map[string]inspected, list []container.Summary) (map[string]inspected, error) {
	out := make(map[string]inspected, len(list))
	var missing []int
	for i := range list {
		if k, ok := known[list[i].ID]; ok && k.seen == seen(list[i]) {
			out[list[i].ID] = k
			continue
		}
		missing = append(missing, i)
	}
	results := make([]*inspected, len(missing))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inspectAtOnce)
	for n, i := range missing {
		group.Go(func() error {
			answer, err := api.ContainerInspect(ctx, list[i].ID)
			if errdefs.IsNotFound(err) {
				return nil
			}
			if err != nil {
				return err
			}
			c, err := containerOf(answer)
			if err != nil {
				return err
			}
			c.seen = seen(list[i])
			results[n] = &c
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for n, i := range missing {
		if results[n] != nil {
			out[list[i].ID] = *results[n]
		}
	}
	return out, nil
}

// seen is what the list says of a container, without what only time changes. Health and exit code are inside a text
// such as "Up 3 minutes (healthy)" or "Exited (1) 2 hours ago".
func seen(s container.Summary) string {
	status := ""
	if from := strings.IndexByte(s.Status, '('); from >= 0 {
		if to := strings.IndexByte(s.Status[from:], ')'); to >= 0 {
			status = s.Status[from : from+to]
		}
	}
	names := slices.Sorted(slices.Values(s.Names))
	return fmt.Sprintf("%s|%s|%s|%s", s.State, status, s.ImageID, names)
}

// askEngine asks what the engine is. Version tells Docker from Podman, which answers to the same API.
func askEngine(ctx context.Context, api *client.Client) (protocol.Engine, error) {
	info, err := api.Info(ctx)
	if err != nil {
		return protocol.Engine{}, err
	}
	version, err := api.ServerVersion(ctx)
	if err != nil {
		return protocol.Engine{}, err
	}
	out := protocol.Engine{Kind: "docker", Version: info.ServerVersion, API: api.ClientVersion(), Storage: info.Driver}
	for _, part := range version.Components {
		if strings.Contains(strings.ToLower(part.Name), "podman") {
			out.Kind = kindPodman
		}
	}
	if info.CgroupDriver != "" {
		out.Cgroup = info.CgroupDriver
		if info.CgroupVersion != "" {
			out.Cgroup += "/" + info.CgroupVersion
		}
	}
	return out, nil
}
