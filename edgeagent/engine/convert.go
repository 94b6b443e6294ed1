package engine

import (
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/go-connections/nat"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

// containerOf takes from an inspection what a snapshot holds. Environment, command line, host configuration and logs of
// health checks are not looked at.
func containerOf(in container.InspectResponse) (inspected, error) {
	if in.ContainerJSONBase == nil || in.State == nil || in.Config == nil {
		return inspected{}, fmt.Errorf("the engine's inspection of a container has no state or configuration")
	}
	labels := snapshot.SplitLabels(in.Config.Labels)
	c := protocol.Container{
		ID:       shortID(in.ID),
		Name:     strings.TrimPrefix(in.Name, "/"),
		ImageRef: familiar(in.Config.Image),
		State:    stateOf(string(in.State.Status)),
		Created:  seconds(in.Created),
		Started:  seconds(in.State.StartedAt),
		Restarts: clampUint32(in.RestartCount),
		Labels:   labels.Labels,
		Project:  labels.Project,
		Service:  labels.Service,
		Stack:    labels.Stack,
	}
	if in.State.Health != nil {
		c.Health = protocol.ParseHealth(string(in.State.Health.Status))
	}
	if c.State != protocol.ContainerRunning && c.State != protocol.ContainerPaused {
		c.ExitCode = int32(in.State.ExitCode)
		c.Finished = seconds(in.State.FinishedAt)
	}
	if in.NetworkSettings != nil {
		c.Ports = portsOf(in.NetworkSettings.Ports)
		for name, at := range in.NetworkSettings.Networks {
			c.Networks = append(c.Networks, endpointOf(name, at))
		}
	}
	for _, m := range in.Mounts {
		source := m.Source
		if m.Name != "" {
			source = m.Name
		}
		c.Mounts = append(c.Mounts, protocol.Mount{Type: string(m.Type), Source: source, Target: m.Destination, ReadOnly: !m.RW})
	}
	return inspected{container: c, image: hash(in.Image)}, nil
}

// portsOf gives each port once: that it is bound to all IPv4 and to all IPv6 addresses is one fact.
func portsOf(ports nat.PortMap) []protocol.Port {
	var out []protocol.Port
	for port, bindings := range ports {
		p := protocol.Port{Private: uint16(port.Int()), Proto: port.Proto()}
		if len(bindings) == 0 {
			out = append(out, p)
		}
		for _, b := range bindings {
			p.Public, p.IP = 0, b.HostIP
			if n, err := strconv.ParseUint(b.HostPort, 10, 16); err == nil {
				p.Public = uint16(n)
			}
			if at, err := netip.ParseAddr(b.HostIP); err == nil && at.IsUnspecified() {
				p.IP = ""
			}
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

func endpointOf(name string, at *network.EndpointSettings) protocol.Endpoint {
	out := protocol.Endpoint{Network: name}
	if at == nil {
		return out
	}
	out.IP = at.IPAddress
	if out.IP == "" {
		out.IP = at.GlobalIPv6Address
	}
	return out
}

func imageOf(in image.Summary) protocol.Image {
	out := protocol.Image{ID: hash(in.ID), Size: uint64(max(in.Size, 0)), Created: max(in.Created, 0)}
	for _, tag := range in.RepoTags {
		if tag != "<none>:<none>" {
			out.Tags = append(out.Tags, familiar(tag))
		}
	}
	slices.Sort(out.Tags)
	return out
}

// stateOf reads a state, those of Podman too that Docker does not have.
func stateOf(text string) protocol.ContainerState {
	switch text {
	case "configured", "initialized":
		return protocol.ContainerCreated
	case "stopping":
		return protocol.ContainerRunning
	case "stopped":
		return protocol.ContainerExited
	}
	return protocol.ParseContainerState(text)
}

// familiar is an image's name as people write it: Podman spells out where Docker Hub's are from.
func familiar(ref string) string {
	if name, hub := strings.CutPrefix(ref, "docker.io/"); hub {
		return strings.TrimPrefix(name, "library/")
	}
	return ref
}

func volumeOf(in volume.Volume) protocol.Volume {
	return protocol.Volume{
		Name: in.Name, Driver: in.Driver, Created: seconds(in.CreatedAt),
		Project: in.Labels[snapshot.LabelProject],
	}
}

func networkOf(in network.Summary) protocol.Network {
	out := protocol.Network{ID: shortID(in.ID), Name: in.Name, Driver: in.Driver, Project: in.Labels[snapshot.LabelProject]}
	for _, c := range in.IPAM.Config {
		if c.Subnet != "" {
			out.Subnets = append(out.Subnets, c.Subnet)
		}
	}
	return out
}

// shortID is the first 8 bytes of an engine's id; zero where it has none, as Podman's network "host".
func shortID(id string) (out protocol.ShortHash) {
	if b, err := hex.DecodeString(id[:min(len(id), 2*len(out))]); err == nil {
		copy(out[:], b)
	}
	return out
}

// hash reads sha256:…, or the bare digits of Podman; zero where it is neither.
func hash(id string) (out protocol.Hash) {
	if b, err := hex.DecodeString(strings.TrimPrefix(id, "sha256:")); err == nil && len(b) == len(out) {
		copy(out[:], b)
	}
	return out
}

// seconds is the Unix time of an engine's time; 0 for its "never", the year 1.
func seconds(text string) int64 {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0
	}
	return max(t.Unix(), 0)
}

func clampUint32(n int) uint32 { return uint32(min(max(int64(n), 0), math.MaxUint32)) }
