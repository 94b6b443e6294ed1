//go:build bench && linux

package benchwire

import (
	"context"
	"fmt"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"github.com/farshore/farshore/internal/testengine"
)

// plantSize is how many containers a plant has.
const plantSize = 25

// plant is a real engine of its own with the containers of a plant's gateway.
type plant struct {
	host string
	api  *client.Client
}

// newPlant starts 25 containers of ten images in eight Compose projects, with networks and volumes, as Compose makes
// them.
func newPlant(t *testing.T) *plant {
	t.Helper()
	p := &plant{host: testengine.Start(t).Host()}
	api, err := client.NewClientWithOpts(client.WithHost(p.host), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	p.api = api
	t.Cleanup(func() { _ = api.Close() })
	projects := []string{"intake", "mixing", "ovens", "packing", "energy", "cameras", "portal", "upkeep"}
	images := []string{
		"registry.works.example:5000/line/reader:3.2.1", "registry.works.example:5000/line/store:1.14.0",
		"registry.works.example:5000/line/alarms:0.9.7", "registry.works.example:5000/energy/meter:7.1",
		"registry.works.example:5000/vision/grab:2024.11", "registry.works.example:5000/vision/judge:2024.11",
		"registry.works.example:5000/portal/gate:1.3", "registry.works.example:5000/portal/page:88",
		"registry.works.example:5000/bus/broker:5.5", "registry.works.example:5000/upkeep/clock:1",
	}
	for _, name := range images {
		testengine.Image(t, name, testengine.ImageConfig{Host: p.host, Files: map[string]string{"/name": name}})
	}
	ctx := context.Background()
	for _, project := range projects {
		labels := map[string]string{
			"com.docker.compose.project": project, "com.docker.compose.network": "default", "com.docker.compose.version": "2.40.3",
		}
		if _, err := api.NetworkCreate(ctx, project+"_default", network.CreateOptions{Labels: labels}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range plantSize {
		project, image := projects[i%len(projects)], images[(i*7)%len(images)]
		service := fmt.Sprintf("%s-%d", []string{"reader", "writer", "keeper"}[i%3], i)
		p.run(t, part{project: project, service: service, image: image, number: i})
	}
	return p
}

// part is one container of a plant.
type part struct {
	project, service, image string
	number                  int
}

func (p *plant) run(t *testing.T, c part) {
	t.Helper()
	cfg := &container.Config{
		Image: c.image, Env: []string{"MODE=production"},
		Cmd: []string{"/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"},
		Labels: map[string]string{
			"com.docker.compose.project": c.project, "com.docker.compose.service": c.service, "com.docker.compose.oneoff": "False",
			"com.docker.compose.container-number": "1", "com.docker.compose.config-hash": fmt.Sprintf("%064x", c.number*7919),
			"com.docker.compose.version": "2.40.3",
		},
	}
	host := &container.HostConfig{
		NetworkMode:   container.NetworkMode(c.project + "_default"),
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyUnlessStopped},
	}
	if c.number%4 == 0 {
		host.Mounts = []mount.Mount{{
			Type: mount.TypeVolume, Source: c.project + "_" + c.service, Target: "/data",
			VolumeOptions: &mount.VolumeOptions{Labels: map[string]string{"com.docker.compose.project": c.project, "com.docker.compose.volume": c.service}},
		}}
	}
	name := fmt.Sprintf("%s-%s-1", c.project, c.service)
	ctx := context.Background()
	if _, err := p.api.ContainerCreate(ctx, cfg, host, nil, nil, name); err != nil {
		t.Fatal(err)
	}
	if err := p.api.ContainerStart(ctx, name, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (p *plant) restart(t *testing.T, name string) error {
	t.Helper()
	return p.api.ContainerRestart(context.Background(), name, container.StopOptions{})
}
