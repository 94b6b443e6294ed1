package protocol

import "fmt"

// Snapshot is the observed state of a device. It holds no volatile texts (times stand in place of "Up 3 minutes"),
// no environment variables and no command lines: secrets never leave the device in it. Lists are sorted, see package
// snapshot for the canonical form.
type Snapshot struct {
	Host       Host        `cbor:"1,keyasint" json:"host"`
	Engine     Engine      `cbor:"2,keyasint" json:"engine"`
	Images     []Image     `cbor:"3,keyasint,omitempty" json:"images"`
	Containers []Container `cbor:"4,keyasint,omitempty" json:"containers"`
	Volumes    []Volume    `cbor:"5,keyasint,omitempty" json:"volumes"`
	Networks   []Network   `cbor:"6,keyasint,omitempty" json:"networks"`
}

// Host is the machine.
type Host struct {
	Name string `cbor:"1,keyasint,omitempty" json:"name"`
	// OS as in os-release's PRETTY_NAME.
	OS     string `cbor:"2,keyasint,omitempty" json:"os"`
	Kernel string `cbor:"3,keyasint,omitempty" json:"kernel"`
	// Arch as GOARCH, arm with its version: arm/v7.
	Arch string `cbor:"4,keyasint,omitempty" json:"arch"`
	CPUs uint32 `cbor:"5,keyasint,omitempty" json:"cpus"`
	// Memory is the total in bytes.
	Memory uint64 `cbor:"6,keyasint,omitempty" json:"memory"`
	// DiskTotal of the file system with the agent's data, bytes. DiskUsed is in percent, rounded, so that a
	// snapshot does not change with each byte written.
	DiskTotal uint64 `cbor:"7,keyasint,omitempty" json:"disk_total"`
	DiskUsed  uint8  `cbor:"8,keyasint,omitempty" json:"disk_used_percent"`
	// Booted is when the machine started, Unix seconds; it is kept stable within a boot. Uptime is derived from it.
	Booted int64 `cbor:"9,keyasint,omitempty" json:"booted"`
}

// EngineState is whether the engine could be asked.
type EngineState uint8

// Engine states. The zero value is EngineRunning.
const (
	EngineRunning EngineState = 0
	EngineAbsent  EngineState = 1 // socket not there or nobody answers
	EngineFailing EngineState = 2 // answers with errors
)

// String gives "running", "absent" or "failing".
func (s EngineState) String() string { return [...]string{"running", "absent", "failing"}[min(s, 2)] }

// MarshalText implements encoding.TextMarshaler (JSON and YAML).
func (s EngineState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText gives.
func (s *EngineState) UnmarshalText(b []byte) error {
	for i := range EngineFailing + 1 {
		if i.String() == string(b) {
			*s = i
			return nil
		}
	}
	return fmt.Errorf("engine state %.40q is not known", b)
}

// MarshalCBOR writes the number.
func (s EngineState) MarshalCBOR() ([]byte, error) { return Marshal(uint8(s)) }

// UnmarshalCBOR reads what MarshalCBOR writes.
func (s *EngineState) UnmarshalCBOR(b []byte) error { return smallNumber((*uint8)(s), b) }

// Engine is the container engine. When it is not running, the lists of the snapshot are those of the last complete
// capture, and Reason says what is wrong.
type Engine struct {
	State  EngineState `cbor:"1,keyasint,omitempty" json:"state"`
	Reason string      `cbor:"2,keyasint,omitempty" json:"reason,omitempty"`
	// Kind is docker or podman.
	Kind    string `cbor:"3,keyasint,omitempty" json:"kind"`
	Version string `cbor:"4,keyasint,omitempty" json:"version"`
	// API is the negotiated API version, such as 1.41.
	API     string `cbor:"5,keyasint,omitempty" json:"api"`
	Storage string `cbor:"6,keyasint,omitempty" json:"storage"`
	// Cgroup is driver and version, such as systemd/2.
	Cgroup string `cbor:"7,keyasint,omitempty" json:"cgroup"`
}

// Image is one image on the device.
type Image struct {
	// ID is the image's config digest, 32 bytes.
	ID Hash `cbor:"1,keyasint" json:"id"`
	// Tags, sorted; empty for a dangling one.
	Tags []string `cbor:"2,keyasint,omitempty" json:"tags"`
	// Size in bytes.
	Size uint64 `cbor:"3,keyasint,omitempty" json:"size"`
	// Created in Unix seconds.
	Created int64 `cbor:"4,keyasint,omitempty" json:"created"`
}

// ContainerState is the engine's state of a container.
type ContainerState uint8

// Container states, as the Engine API names them. The zero value is ContainerRunning, the usual one.
const (
	ContainerRunning ContainerState = iota
	ContainerCreated
	ContainerPaused
	ContainerRestarting
	ContainerRemoving
	ContainerExited
	ContainerDead
	ContainerUnknown
)

// String names the state as the Engine API does.
func (s ContainerState) String() string {
	names := [...]string{"running", "created", "paused", "restarting", "removing", "exited", "dead", "unknown"}
	return names[min(int(s), len(names)-1)]
}

// ParseContainerState reads the Engine API's word; unknown words give ContainerUnknown.
func ParseContainerState(s string) ContainerState {
	for i := range ContainerUnknown {
		if i.String() == s {
			return i
		}
	}
	return ContainerUnknown
}

// MarshalText implements encoding.TextMarshaler (JSON and YAML).
func (s ContainerState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText gives.
func (s *ContainerState) UnmarshalText(b []byte) error {
	*s = ParseContainerState(string(b))
	return nil
}

// MarshalCBOR writes the number.
func (s ContainerState) MarshalCBOR() ([]byte, error) { return Marshal(uint8(s)) }

// UnmarshalCBOR reads what MarshalCBOR writes.
func (s *ContainerState) UnmarshalCBOR(b []byte) error { return smallNumber((*uint8)(s), b) }

// Health is the result of a container's health check.
type Health uint8

// Health states. The zero value means that the container has no check.
const (
	HealthNone Health = iota
	HealthStarting
	HealthHealthy
	HealthUnhealthy
)

// String names the health as the Engine API does; "none" where there is no check.
func (h Health) String() string {
	return [...]string{"none", "starting", "healthy", "unhealthy"}[min(h, HealthUnhealthy)]
}

// ParseHealth reads the Engine API's word; others give HealthNone.
func ParseHealth(s string) Health {
	for i := range HealthUnhealthy + 1 {
		if i.String() == s {
			return i
		}
	}
	return HealthNone
}

// MarshalText implements encoding.TextMarshaler (JSON and YAML).
func (h Health) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText gives.
func (h *Health) UnmarshalText(b []byte) error { *h = ParseHealth(string(b)); return nil }

// MarshalCBOR writes the number.
func (h Health) MarshalCBOR() ([]byte, error) { return Marshal(uint8(h)) }

// UnmarshalCBOR reads what MarshalCBOR writes.
func (h *Health) UnmarshalCBOR(b []byte) error { return smallNumber((*uint8)(h), b) }

// ContainerID is the first 8 bytes of an engine's container id.
type ContainerID = ShortHash

// Container is one container on the device.
type Container struct {
	ID ContainerID `cbor:"1,keyasint" json:"id"`
	// Name without the leading slash.
	Name string `cbor:"2,keyasint,omitempty" json:"name"`
	// Image is 1 + the place of the image in Snapshot.Images. Absent (0): the image is not on the device any more.
	Image uint32 `cbor:"3,keyasint,omitempty" json:"image_index"`
	// ImageRef is how the container was told to name its image. Absent: the image's first tag.
	ImageRef string         `cbor:"4,keyasint,omitempty" json:"image,omitempty"`
	State    ContainerState `cbor:"5,keyasint,omitempty" json:"state"`
	Health   Health         `cbor:"6,keyasint,omitempty" json:"health"`
	// ExitCode of the last run, where it is not running.
	ExitCode int32 `cbor:"7,keyasint,omitempty" json:"exit_code"`
	// Created, Started and Finished in Unix seconds. Absent: never. Finished is given where it is not running.
	Created  int64  `cbor:"8,keyasint,omitempty" json:"created"`
	Started  int64  `cbor:"9,keyasint,omitempty" json:"started,omitempty"`
	Finished int64  `cbor:"10,keyasint,omitempty" json:"finished,omitempty"`
	Restarts uint32 `cbor:"11,keyasint,omitempty" json:"restarts"`
	Ports    []Port `cbor:"12,keyasint,omitempty" json:"ports,omitempty"`
	// Labels without those of Compose and Farshore, whose meaning is in the next fields. At most 32, each value at
	// most 256 bytes.
	Labels map[string]string `cbor:"13,keyasint,omitempty" json:"labels,omitempty"`
	// Project and Service of Compose. Absent: not made by Compose.
	Project string `cbor:"14,keyasint,omitempty" json:"project,omitempty"`
	Service string `cbor:"15,keyasint,omitempty" json:"service,omitempty"`
	// Stack is the id of the Farshore stack it belongs to. Absent: none.
	Stack    uint64     `cbor:"16,keyasint,omitempty" json:"stack,omitempty"`
	Networks []Endpoint `cbor:"17,keyasint,omitempty" json:"networks,omitempty"`
	Mounts   []Mount    `cbor:"18,keyasint,omitempty" json:"mounts,omitempty"`
}

// Port is a port of a container.
type Port struct {
	// Private is the port inside the container.
	Private uint16 `cbor:"1,keyasint" json:"private"`
	// Public is the port on the host. Absent: not published.
	Public uint16 `cbor:"2,keyasint,omitempty" json:"public,omitempty"`
	// Proto is tcp where absent.
	Proto string `cbor:"3,keyasint,omitempty" json:"proto,omitempty"`
	// IP is the address on the host. Absent: all addresses.
	IP string `cbor:"4,keyasint,omitempty" json:"ip,omitempty"`
}

// Endpoint is a container's place in a network.
type Endpoint struct {
	Network string `cbor:"1,keyasint" json:"network"`
	// IP is the container's address. Absent: it has none now.
	IP string `cbor:"2,keyasint,omitempty" json:"ip,omitempty"`
}

// Mount is something mounted into a container.
type Mount struct {
	// Type is volume where absent; bind, tmpfs … otherwise.
	Type string `cbor:"1,keyasint,omitempty" json:"type,omitempty"`
	// Source is the volume's name or the host path.
	Source string `cbor:"2,keyasint,omitempty" json:"source,omitempty"`
	// Target is the path in the container.
	Target   string `cbor:"3,keyasint" json:"target"`
	ReadOnly bool   `cbor:"4,keyasint,omitempty" json:"read_only,omitempty"`
}

// Volume is one volume on the device.
type Volume struct {
	Name string `cbor:"1,keyasint" json:"name"`
	// Driver is local where absent.
	Driver string `cbor:"2,keyasint,omitempty" json:"driver,omitempty"`
	// Created in Unix seconds.
	Created int64 `cbor:"3,keyasint,omitempty" json:"created,omitempty"`
	// Project of Compose. Absent: none.
	Project string `cbor:"4,keyasint,omitempty" json:"project,omitempty"`
}

// Network is one network on the device.
type Network struct {
	// ID is the first 8 bytes of the engine's network id.
	ID     ShortHash `cbor:"1,keyasint" json:"id"`
	Name   string    `cbor:"2,keyasint" json:"name"`
	Driver string    `cbor:"3,keyasint,omitempty" json:"driver,omitempty"`
	// Subnets in CIDR form.
	Subnets []string `cbor:"4,keyasint,omitempty" json:"subnets,omitempty"`
	// Project of Compose. Absent: none.
	Project string `cbor:"5,keyasint,omitempty" json:"project,omitempty"`
}
