package compose

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/farshore/farshore/stacks"
)

// asks says what the services of a project ask of an engine, also those of profiles that are not active, because a
// variable may activate them.
func asks(project *types.Project) (out []stacks.Asks) {
	for _, services := range []types.Services{project.Services, project.DisabledServices} {
		for _, name := range slices.Sorted(maps.Keys(services)) {
			out = append(out, serviceAsks(project, name, services[name]))
			for _, v := range services[name].Volumes {
				if v.Type == types.VolumeTypeImage {
					out = append(out, stacks.Asks{Service: name, Image: v.Source})
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(project.Volumes)) {
		v := project.Volumes[name]
		a := stacks.Asks{Service: "volumes"}
		a.AddVolume(name, v.Driver, v.DriverOpts)
		if v.External || v.Name != "" && v.Name != project.Name+"_"+name {
			a.Add(stacks.RuleOtherContents, "volume "+v.Name)
		}
		if len(a.Wants) > 0 {
			out = append(out, a)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(project.Networks)) {
		if n := project.Networks[name]; n.Driver == "host" || n.Name == "host" {
			out = append(out, stacks.Asks{Service: "networks", Wants: []stacks.Want{{Rule: stacks.RuleHostNetwork, What: "network " + name}}})
		}
	}
	return out
}

func serviceAsks(project *types.Project, name string, s types.ServiceConfig) stacks.Asks {
	a := stacks.Asks{Service: name, Image: s.Image}
	hooks := slices.Concat(s.PostStart, s.PreStop)
	if s.Privileged || slices.ContainsFunc(hooks, func(h types.ServiceHook) bool { return h.Privileged }) {
		a.Add(stacks.RulePrivileged, "")
	}
	a.AddMode(stacks.RuleHostPID, s.Pid)
	a.AddMode(stacks.RuleHostIPC, s.Ipc)
	a.AddMode(stacks.RuleHostNetwork, s.NetworkMode)
	a.AddMode(stacks.RuleHostNetwork, s.Net)
	a.AddMode(stacks.RuleHostNetwork, s.Uts)
	a.AddMode(stacks.RuleHostUsers, s.UserNSMode)
	a.AddMode(stacks.RuleSecurity, s.Cgroup)
	deviceAsks(&a, s)
	for _, c := range s.CapAdd {
		a.Add(stacks.RuleCapabilities, c)
	}
	for _, v := range s.Volumes {
		switch v.Type {
		case types.VolumeTypeVolume, types.VolumeTypeTmpfs, types.VolumeTypeImage:
		default:
			if !harmless(project, v) {
				a.Add(stacks.RuleBindMounts, bindText(project, v))
			}
		}
	}
	a.AddVolume("", s.VolumeDriver, nil)
	for _, from := range s.VolumesFrom {
		if strings.HasPrefix(from, "container:") {
			a.Add(stacks.RuleOtherContents, from)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(s.Sysctls)) {
		a.Add(stacks.RuleSysctls, k)
	}
	for _, o := range s.SecurityOpt {
		if o != "no-new-privileges" && o != "no-new-privileges:true" && o != "no-new-privileges=true" {
			a.Add(stacks.RuleSecurity, o)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(s.Annotations)) {
		a.Add(stacks.RuleSecurity, "annotation "+k) // runtimes take settings from them
	}
	for key, value := range map[string]string{"runtime": s.Runtime, "cgroup_parent": s.CgroupParent, "isolation": s.Isolation} {
		if value != "" {
			a.Add(stacks.RuleSecurity, key+" "+value)
		}
	}
	slices.SortFunc(a.Wants, func(x, y stacks.Want) int { return strings.Compare(string(x.Rule)+x.What, string(y.Rule)+y.What) })
	return a
}

// harmless: the mount is of what the bundle has, or of a data folder that no container can put a link in the place of. One
// within another data folder can be replaced by whoever mounts that, between any two starts of its container.
func harmless(project *types.Project, v types.ServiceVolumeConfig) bool {
	rel, inside := Inside(project, v)
	if !inside {
		return false
	}
	_, err := os.Lstat(filepath.Join(project.WorkingDir, filepath.FromSlash(rel)))
	return err == nil || !strings.Contains(rel, "/")
}

func bindText(project *types.Project, v types.ServiceVolumeConfig) string {
	if rel, inside := Inside(project, v); inside {
		return "./" + rel + ", a data folder within another: use a volume, or a folder of its own"
	}
	return v.Source
}

func deviceAsks(a *stacks.Asks, s types.ServiceConfig) {
	for _, d := range s.Devices {
		a.Add(stacks.RuleHostDevices, d.Source)
	}
	for _, r := range s.DeviceCgroupRules {
		a.Add(stacks.RuleHostDevices, r)
	}
	if len(s.Gpus) > 0 {
		a.Add(stacks.RuleHostDevices, "gpus")
	}
	if s.Deploy == nil {
		return
	}
	for _, r := range []*types.Resource{s.Deploy.Resources.Reservations, s.Deploy.Resources.Limits} {
		if r != nil && len(r.Devices) > 0 {
			a.Add(stacks.RuleHostDevices, "devices of deploy")
		}
	}
}

// guarded are the keys whose values decide what serviceAsks finds.
var guarded = []string{
	"image", "privileged", "pid", "ipc", "network_mode", "net", "uts", "userns_mode", "cgroup", "cgroup_parent", "devices", "device_cgroup_rules",
	"gpus", "cap_add", "volumes", "volume_driver", "volumes_from", "sysctls", "security_opt", "runtime", "isolation", "driver", "driver_opts", "external",
	"networks", "name", "annotations", "include", "extends",
}
