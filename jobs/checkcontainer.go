package jobs

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/distribution/reference"

	"github.com/farshore/farshore/protocol"
)

// What an engine takes.
const (
	minMemory = 6 << 20
	maxMemory = 1 << 50
	minCPUs   = 10 // thousandths
	maxCPUs   = 1_000_000
	// scriptPath is where the script is in a container.
	scriptPath = "/farshore-script"
)

var (
	validVolume  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{1,254}$`)
	validNetwork = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$`)
)

func checkContainer(x *protocol.JobContainer, scripted bool) error {
	if x == nil {
		return nil
	}
	if err := checkImage(x.Image); err != nil {
		return err
	}
	switch {
	case x.Pull > protocol.PullNever:
		return bad("container.pull", "%d is no rule: use missing, always or never", uint8(x.Pull))
	case x.Network != "" && !validNetwork.MatchString(x.Network):
		return bad("container.network", "%.80q is no network: use none, host, or the name of a network on the device", x.Network)
	case x.CPUs != 0 && (x.CPUs < minCPUs || x.CPUs > maxCPUs):
		return bad("container.milli_cpus", "%d is out of bounds: use %d to %d, thousandths of a processor, or leave it out", x.CPUs, minCPUs, maxCPUs)
	case x.Memory != 0 && x.Memory < minMemory:
		return bad("container.memory", "%d bytes are too few for an engine: use at least %d (6 MiB), or leave it out", x.Memory, minMemory)
	case x.Memory > maxMemory:
		return bad("container.memory", "%d bytes are more than any device has: use at most %d, or leave it out", x.Memory, int64(maxMemory))
	}
	return checkMounts(x.Mounts, scripted)
}

func checkImage(image string) error {
	if image == "" {
		return bad("container.image", "it names no image: give one such as alpine:3.22")
	}
	if _, err := reference.ParseDockerRef(image); err != nil || len(image) > 4096 {
		return bad("container.image", "%.100q cannot be the name of an image: write REGISTRY/NAME:TAG, the name in small letters", image)
	}
	return nil
}

func checkMounts(mounts []protocol.JobMount, scripted bool) error {
	if len(mounts) > MaxMounts {
		return bad("container.mounts", "there are %d, at most %d: mount a folder that holds several", len(mounts), MaxMounts)
	}
	seen := map[string]bool{}
	for i, m := range mounts {
		field := func(name string) string { return fmt.Sprintf("container.mounts[%d].%s", i, name) }
		switch {
		case m.Source == "":
			return bad(field("source"), "it is missing: give a folder of the device, or the name of a volume")
		case m.Target == "":
			return bad(field("target"), "it is missing: give a folder in the container, such as /data")
		case !strings.HasPrefix(m.Source, "/") && !validVolume.MatchString(m.Source):
			return bad(field("source"), "%.80q is neither a full path nor a volume: begin a path with /, name a volume by 2 to 255 of A-Z, a-z, 0-9, _, . and -", m.Source)
		}
		if strings.HasPrefix(m.Source, "/") {
			if err := checkPath(field("source"), m.Source); err != nil {
				return err
			}
		}
		if err := checkPath(field("target"), m.Target); err != nil {
			return err
		}
		switch {
		case m.Target == "/":
			return bad(field("target"), "nothing can be mounted over all of a container: use a folder in it, such as /data")
		case scripted && m.Target == scriptPath:
			return bad(field("target"), "%s is where the script is: use another", scriptPath)
		case seen[m.Target]:
			return bad(field("target"), "%.80q is mounted twice: give each mount a target of its own", m.Target)
		}
		seen[m.Target] = true
	}
	return nil
}
