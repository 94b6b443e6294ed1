package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// shown is `farshore snapshot show -o json`.
type shown struct {
	Device   string    `json:"device"`
	At       time.Time `json:"at"`
	Snapshot observed  `json:"snapshot"`
}

// observed is a snapshot as scripts see it, without what nobody but the device can know.
type observed struct {
	Host struct {
		Name   string `json:"name"`
		Kernel string `json:"kernel"`
		Arch   string `json:"arch"`
		CPUs   int    `json:"cpus"`
		Memory uint64 `json:"memory"`
	} `json:"host"`
	Engine struct {
		State   string `json:"state"`
		Kind    string `json:"kind"`
		Version string `json:"version"`
		Storage string `json:"storage"`
		Cgroup  string `json:"cgroup"`
	} `json:"engine"`
	Images     []seenImage     `json:"images"`
	Containers []seenContainer `json:"containers"`
	Volumes    []seenVolume    `json:"volumes"`
	Networks   []seenNetwork   `json:"networks"`
}

type seenImage struct {
	ID      string   `json:"id"`
	Tags    []string `json:"tags"`
	Size    int64    `json:"size"`
	Created int64    `json:"created"`
}

type seenContainer struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	ImageIndex int               `json:"image_index,omitempty"`
	ImageID    string            `json:"-"` // of ImageIndex
	Image      string            `json:"image"`
	State      string            `json:"state"`
	Health     string            `json:"health"`
	ExitCode   int               `json:"exit_code"`
	Created    int64             `json:"created"`
	Started    int64             `json:"started"`
	Finished   int64             `json:"finished"`
	Restarts   int               `json:"restarts"`
	Ports      []seenPort        `json:"ports"`
	Labels     map[string]string `json:"labels"`
	Project    string            `json:"project"`
	Service    string            `json:"service"`
	Stack      uint64            `json:"stack"`
	Networks   []seenEndpoint    `json:"networks"`
	Mounts     []seenMount       `json:"mounts"`
}

type seenPort struct {
	Private int    `json:"private"`
	Public  int    `json:"public"`
	Proto   string `json:"proto"`
	IP      string `json:"ip"`
}

type seenEndpoint struct {
	Network string `json:"network"`
	IP      string `json:"ip"`
}

type seenMount struct {
	Type     string `json:"type"`
	Source   string `json:"source"`
	Target   string `json:"target"`
	ReadOnly bool   `json:"read_only"`
}

type seenVolume struct {
	Name    string `json:"name"`
	Driver  string `json:"driver"`
	Created int64  `json:"created"`
	Project string `json:"project"`
}

type seenNetwork struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Driver  string   `json:"driver"`
	Subnets []string `json:"subnets"`
	Project string   `json:"project"`
}

// snapshotIs compares the hub's snapshot of a device with what the device's engine says now.
func snapshotIs(h *hub, device string, e *engine) error {
	var got shown
	if err := h.ask(&got, "snapshot", "show", device); err != nil {
		return err
	}
	want, err := e.observe()
	if err != nil {
		return err
	}
	got.Snapshot.normalise()
	want.normalise()
	gotText, wantText := got.Snapshot.lines(), want.lines()
	if !bytes.Equal(gotText, wantText) {
		return fmt.Errorf("the snapshot differs from the engine:\n%s", difference(gotText, wantText))
	}
	return nil
}

// observe builds a snapshot from the engine's own answers.
func (e *engine) observe() (o observed, err error) {
	if err := e.observeHost(&o); err != nil {
		return o, err
	}
	if err := e.observeImages(&o); err != nil {
		return o, err
	}
	containers, err := e.containers()
	if err != nil {
		return o, err
	}
	for _, in := range containers {
		o.Containers = append(o.Containers, in.seen())
	}
	return o, e.observeRest(&o)
}

func (e *engine) observeHost(o *observed) error {
	var info struct {
		ServerVersion, Driver, CgroupDriver, CgroupVersion, KernelVersion string
		NCPU                                                              int
		MemTotal                                                          uint64
	}
	if err := e.ask("GET", "/info", &info); err != nil {
		return err
	}
	o.Engine.State, o.Engine.Kind, o.Engine.Version, o.Engine.Storage = "running", "docker", info.ServerVersion, info.Driver
	o.Engine.Cgroup = info.CgroupDriver + "/" + info.CgroupVersion
	o.Host.CPUs, o.Host.Memory, o.Host.Kernel, o.Host.Arch = info.NCPU, info.MemTotal, info.KernelVersion, runtime.GOARCH
	var err error
	o.Host.Name, err = os.Hostname()
	return err
}

func (e *engine) observeImages(o *observed) error {
	var images []struct {
		ID            string `json:"Id"`
		RepoTags      []string
		Size, Created int64
	}
	if err := e.ask("GET", "/images/json", &images); err != nil {
		return err
	}
	for _, in := range images {
		o.Images = append(o.Images, seenImage{strings.TrimPrefix(in.ID, "sha256:"), in.RepoTags, in.Size, in.Created})
	}
	return nil
}

func (e *engine) observeRest(o *observed) error {
	var volumes struct {
		Volumes []struct {
			Name, Driver, CreatedAt string
			Labels                  map[string]string
		}
	}
	if err := e.ask("GET", "/volumes", &volumes); err != nil {
		return err
	}
	for _, in := range volumes.Volumes {
		o.Volumes = append(o.Volumes, seenVolume{in.Name, in.Driver, unix(in.CreatedAt), in.Labels["com.docker.compose.project"]})
	}
	var networks []struct {
		ID           string `json:"Id"`
		Name, Driver string
		Labels       map[string]string
		IPAM         struct{ Config []struct{ Subnet string } }
	}
	if err := e.ask("GET", "/networks", &networks); err != nil {
		return err
	}
	for _, in := range networks {
		id := in.ID[:16]
		if in.Name == "host" || in.Name == "none" {
			id = strings.Repeat("0", 16) // those that every engine has are told by name
		}
		seen := seenNetwork{ID: id, Name: in.Name, Driver: in.Driver, Project: in.Labels["com.docker.compose.project"]}
		for _, c := range in.IPAM.Config {
			seen.Subnets = append(seen.Subnets, c.Subnet)
		}
		o.Networks = append(o.Networks, seen)
	}
	return nil
}

// seen is what a snapshot should say of a container.
func (in inspection) seen() seenContainer {
	c := seenContainer{
		ID: in.ID[:16], Name: strings.TrimPrefix(in.Name, "/"), ImageID: strings.TrimPrefix(in.Image, "sha256:"),
		Image: in.Config.Image, State: in.State.Status, Health: "none", Created: unix(in.Created),
		Started: unix(in.State.StartedAt), Restarts: in.RestartCount, Labels: map[string]string{},
	}
	if in.State.Health != nil {
		c.Health = in.State.Health.Status
	}
	if in.State.Status != "running" {
		c.ExitCode, c.Finished = in.State.ExitCode, unix(in.State.FinishedAt)
	}
	for key, value := range in.Config.Labels {
		switch {
		case key == "com.docker.compose.project":
			c.Project = value
		case key == "com.docker.compose.service":
			c.Service = value
		case key == "farshore.io/stack":
			c.Stack, _ = strconv.ParseUint(value, 10, 64)
		case strings.HasPrefix(key, "com.docker.compose."), strings.HasPrefix(key, "farshore.io/"):
		default:
			c.Labels[key] = value
		}
	}
	for port, bindings := range in.NetworkSettings.Ports {
		number, proto, _ := strings.Cut(port, "/")
		p := seenPort{Proto: proto}
		p.Private, _ = strconv.Atoi(number)
		for _, b := range bindings {
			p.Public, _ = strconv.Atoi(b.HostPort)
			p.IP = b.HostIp
		}
		c.Ports = append(c.Ports, p)
	}
	for name, at := range in.NetworkSettings.Networks {
		c.Networks = append(c.Networks, seenEndpoint{name, at.IPAddress})
	}
	for _, m := range in.Mounts {
		c.Mounts = append(c.Mounts, seenMount{m.Type, cmp.Or(m.Name, m.Source), m.Destination, !m.RW})
	}
	return c
}

// unix reads an engine's time; 0 for its "never".
func unix(text string) int64 {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Unix() < 0 {
		return 0
	}
	return t.Unix()
}

// normalise removes what two equal snapshots may differ in: order, absent or empty, and default or written out.
func (o *observed) normalise() {
	for i := range o.Containers {
		c := &o.Containers[i]
		if c.ImageIndex > 0 && c.ImageIndex <= len(o.Images) {
			image := o.Images[c.ImageIndex-1]
			c.ImageID = image.ID
			if c.Image == "" && len(image.Tags) > 0 { // absent: the first tag
				c.Image = image.Tags[0]
			}
		}
		c.ImageIndex = 0
		for j := range c.Ports {
			c.Ports[j].Proto = cmp.Or(c.Ports[j].Proto, "tcp")
		}
		for j := range c.Mounts {
			c.Mounts[j].Type = cmp.Or(c.Mounts[j].Type, "volume")
		}
		sortLines(c.Ports)
		sortLines(c.Networks)
		sortLines(c.Mounts)
		if c.Labels == nil {
			c.Labels = map[string]string{}
		}
	}
	for i := range o.Images {
		slices.Sort(o.Images[i].Tags)
	}
	for i := range o.Volumes {
		o.Volumes[i].Driver = cmp.Or(o.Volumes[i].Driver, "local")
	}
	sortLines(o.Images)
	sortLines(o.Containers)
	sortLines(o.Volumes)
	sortLines(o.Networks)
}

func sortLines[T any](items []T) {
	slices.SortFunc(items, func(a, b T) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
}

// lines is the snapshot as text with one fact a line.
func (o *observed) lines() []byte {
	type named struct {
		seenContainer
		ImageID string
	}
	containers := make([]named, len(o.Containers))
	for i, c := range o.Containers {
		containers[i] = named{c, c.ImageID}
	}
	text, err := json.MarshalIndent(struct {
		observed
		Containers []named
	}{*o, containers}, "", " ")
	if err != nil {
		panic(err) // these types have no field that can fail to encode
	}
	return bytes.ReplaceAll(text, []byte("null"), []byte("[]"))
}

// difference shows the lines that differ.
func difference(got, want []byte) string {
	a, b := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	var out strings.Builder
	for i := range max(len(a), len(b)) {
		x, y := at(a, i), at(b, i)
		if x != y && out.Len() < 2000 {
			fmt.Fprintf(&out, "  snapshot %-60s engine %s\n", x, y)
		}
	}
	return out.String()
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return strings.TrimSpace(lines[i])
	}
	return "(nothing)"
}

// diskOf is the size of the file system that holds a path, in bytes.
func diskOf(path string) (total uint64, err error) {
	var st syscall.Statfs_t
	err = syscall.Statfs(path, &st)
	return st.Blocks * uint64(st.Bsize), err
}
