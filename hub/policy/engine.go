package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/farshore/farshore/stacks"
)

// containerCreate is what of a POST to /containers/create of the Engine API decides what it asks for. Names are matched
// without regard to case, and the last of several counts, as in the engine, which reads it with the same decoder.
type containerCreate struct {
	Image      string
	HostConfig struct {
		Privileged                                                       bool
		PidMode, IpcMode, NetworkMode, UTSMode, UsernsMode, CgroupnsMode string
		Runtime, CgroupParent, Isolation, VolumeDriver                   string
		Devices                                                          []struct{ PathOnHost string }
		DeviceCgroupRules, CapAdd, Binds, VolumesFrom, SecurityOpt       []string
		DeviceRequests                                                   []json.RawMessage
		Sysctls, Annotations                                             map[string]string
		MaskedPaths, ReadonlyPaths                                       *[]string
		Mounts                                                           []mount
	}
	NetworkingConfig struct{ EndpointsConfig map[string]json.RawMessage }
}

type mount struct {
	Type, Source  string
	VolumeOptions struct {
		DriverConfig struct {
			Name    string
			Options map[string]string
		}
	}
}

// OfContainer reads what a container asks for from the body of a POST to /containers/create. Errors wrap ErrInvalid.
func OfContainer(body []byte) (stacks.Asks, error) {
	var c containerCreate
	if err := json.Unmarshal(body, &c); err != nil {
		return stacks.Asks{}, fmt.Errorf("container: %w: %w", ErrInvalid, err)
	}
	h := c.HostConfig
	a := stacks.Asks{Service: "the container", Image: c.Image}
	if h.Privileged {
		a.Add(stacks.RulePrivileged, "")
	}
	a.AddMode(stacks.RuleHostPID, h.PidMode)
	a.AddMode(stacks.RuleHostIPC, h.IpcMode)
	a.AddMode(stacks.RuleHostNetwork, h.NetworkMode)
	a.AddMode(stacks.RuleHostNetwork, h.UTSMode)
	a.AddMode(stacks.RuleHostUsers, h.UsernsMode)
	a.AddMode(stacks.RuleSecurity, h.CgroupnsMode)
	for name := range c.NetworkingConfig.EndpointsConfig {
		a.AddMode(stacks.RuleHostNetwork, name)
	}
	for _, d := range h.Devices {
		a.Add(stacks.RuleHostDevices, d.PathOnHost)
	}
	for _, r := range h.DeviceCgroupRules {
		a.Add(stacks.RuleHostDevices, r)
	}
	if len(h.DeviceRequests) > 0 {
		a.Add(stacks.RuleHostDevices, "device requests")
	}
	for _, x := range h.CapAdd {
		a.Add(stacks.RuleCapabilities, x)
	}
	for _, from := range h.VolumesFrom {
		a.Add(stacks.RuleOtherContents, "volumes of "+from)
	}
	for _, k := range slices.Sorted(maps.Keys(h.Sysctls)) {
		a.Add(stacks.RuleSysctls, k)
	}
	mountAsks(&a, h.Binds, h.Mounts, h.VolumeDriver)
	for _, x := range h.SecurityOpt {
		if x != "no-new-privileges" && x != "no-new-privileges:true" && x != "no-new-privileges=true" {
			a.Add(stacks.RuleSecurity, x)
		}
	}
	if h.MaskedPaths != nil || h.ReadonlyPaths != nil {
		a.Add(stacks.RuleSecurity, "paths that are not masked")
	}
	for _, k := range slices.Sorted(maps.Keys(h.Annotations)) {
		a.Add(stacks.RuleSecurity, "annotation "+k)
	}
	for _, x := range []string{h.Runtime, h.CgroupParent, h.Isolation} {
		if x != "" {
			a.Add(stacks.RuleSecurity, x)
		}
	}
	return a, nil
}

func mountAsks(a *stacks.Asks, binds []string, mounts []mount, driver string) {
	a.AddVolume("", driver, nil)
	for _, b := range binds {
		// NAME:TARGET is a volume; PATH:TARGET is a bind mount, and so is what could be taken for either.
		if source, _, two := strings.Cut(b, ":"); two && (source == "" || strings.ContainsAny(source, `/\~.`) && !volumeName(source)) {
			a.Add(stacks.RuleBindMounts, source)
		}
	}
	for _, m := range mounts {
		switch strings.ToLower(m.Type) {
		case "volume":
			d := m.VolumeOptions.DriverConfig
			a.AddVolume(m.Source, d.Name, d.Options)
		case "tmpfs", "image":
		default:
			a.Add(stacks.RuleBindMounts, m.Source)
		}
	}
}

// volumeName reports whether an engine would take s for the name of a volume: letters, digits, and after the first
// also . _ -.
func volumeName(s string) bool {
	for i, c := range s {
		word := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !word && (i == 0 || !strings.ContainsRune("._-", c)) {
			return false
		}
	}
	return len(s) > 1
}

// OfVolume reads what a volume asks for from the body of a POST to /volumes/create. Errors wrap ErrInvalid.
func OfVolume(body []byte) (stacks.Asks, error) {
	var v struct {
		Name, Driver string
		DriverOpts   map[string]string
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return stacks.Asks{}, fmt.Errorf("volume: %w: %w", ErrInvalid, err)
	}
	a := stacks.Asks{Service: "the volume"}
	a.AddVolume(v.Name, v.Driver, v.DriverOpts)
	return a, nil
}

// OfExec reads what a process in a container asks for from the body of a POST to /containers/{id}/exec. Errors wrap
// ErrInvalid.
func OfExec(body []byte) (stacks.Asks, error) {
	var x struct{ Privileged bool }
	if err := json.Unmarshal(body, &x); err != nil {
		return stacks.Asks{}, fmt.Errorf("exec: %w: %w", ErrInvalid, err)
	}
	a := stacks.Asks{Service: "the process"}
	if x.Privileged {
		a.Add(stacks.RulePrivileged, "")
	}
	return a, nil
}
