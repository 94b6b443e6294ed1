package compose

import (
	"fmt"
	"maps"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	imageref "github.com/distribution/reference"

	"github.com/farshore/farshore/stacks/composer/ipc"
)

// check refuses what loads but cannot run on a device.
func (b *bundle) check(project *types.Project) error {
	if len(project.Services) == 0 {
		return &Error{
			Code: ipc.CodeComposeInvalid, File: b.main, Text: "the bundle has no service to run",
			Remedy: "add one under services, or activate a profile with COMPOSE_PROFILES",
		}
	}
	for _, name := range sortedServices(project) {
		svc := project.Services[name]
		refuse := func(key, text, remedy string) error {
			at := b.find("services", name, key)
			return &Error{
				Code: ipc.CodeComposeInvalid, File: at.file, Line: at.line,
				Text: fmt.Sprintf("service %s %s", name, text), Remedy: remedy,
			}
		}
		switch {
		case svc.Image == "" && svc.Build != nil:
			return refuse("build", "has a build section and no image", "build the image elsewhere, push it to a registry and name it with image")
		case svc.Provider != nil:
			return refuse("provider", "uses a provider, which devices do not run", "use a container")
		case len(svc.Models) > 0:
			return refuse("models", "uses models, which devices do not run", "run the model in a container")
		case svc.UseAPISocket:
			return refuse("use_api_socket", "asks for the engine's socket by use_api_socket", "mount /var/run/docker.sock")
		}
		if err := b.checkValues(project, svc); err != nil {
			return err
		}
		for _, c := range svc.Configs {
			if err := b.checkObject("config", svc, types.FileObjectConfig(project.Configs[c.Source]), c.Source); err != nil {
				return err
			}
		}
		for _, c := range svc.Secrets {
			if err := b.checkObject("secret", svc, types.FileObjectConfig(project.Secrets[c.Source]), c.Source); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(project.Networks)) {
		n := project.Networks[name]
		for _, pool := range n.Ipam.Config {
			if _, err := netip.ParsePrefix(pool.Subnet); err != nil && !b.unsettled(pool.Subnet) {
				return b.invalid([]string{"networks", name, "ipam"}, fmt.Sprintf("network %s has the subnet %q, which is none", name, pool.Subnet), "write ADDRESS/BITS, such as 10.20.0.0/24")
			}
		}
		if n.Driver == "overlay" && !bool(n.External) {
			return b.invalid([]string{"networks", name, "driver"}, fmt.Sprintf("network %s has the driver overlay, and devices are no swarm that could have it", name), "use bridge")
		}
	}
	return b.checkTakes(project)
}

// checkObject refuses a config or secret that a service mounts and an engine alone does not have, or cannot put there.
func (b *bundle) checkObject(kind string, svc types.ServiceConfig, o types.FileObjectConfig, name string) error {
	switch {
	case bool(o.External):
		return b.invalid([]string{kind + "s", name, "external"}, fmt.Sprintf("%s %s is external, and devices are no swarm that could have it", kind, name),
			"give it a file or environment")
	case svc.ReadOnly && o.File == "":
		return b.invalid([]string{"services", svc.Name, kind + "s"},
			fmt.Sprintf("service %s is read_only, and the engine cannot put the %s %s into it, which is no file", svc.Name, kind, name),
			"make it a file, or take read_only away")
	}
	return nil
}

func (b *bundle) invalid(at []string, text, remedy string) *Error {
	place := b.find(at...)
	return &Error{Code: ipc.CodeComposeInvalid, File: place.file, Line: place.line, Text: text, Remedy: remedy}
}

// checkValues refuses what only the engine would refuse, when the earlier version is gone already. What is made of
// variables that are not set here may be right on a device.
func (b *bundle) checkValues(project *types.Project, svc types.ServiceConfig) error {
	refuse := func(key, text, remedy string) error {
		return b.invalid([]string{"services", svc.Name, key}, fmt.Sprintf("service %s %s", svc.Name, text), remedy)
	}
	if _, err := imageref.ParseDockerRef(svc.Image); svc.Image != "" && err != nil && !b.unsettled(svc.Image) {
		return refuse("image", fmt.Sprintf("has the image %q, which cannot be a name of one", svc.Image), "write REGISTRY/NAME:TAG, the name in small letters")
	}
	if !reRestart.MatchString(svc.Restart) && !b.unsettled(svc.Restart) {
		return refuse("restart", fmt.Sprintf("has the restart policy %q, which is none", svc.Restart), `write "no", always, unless-stopped, on-failure or on-failure:TIMES`)
	}
	for _, v := range svc.Volumes {
		if !path.IsAbs(v.Target) && !b.unsettled(v.Target) {
			return refuse("volumes", fmt.Sprintf("mounts something at %q, which does not begin with /", v.Target), "write the whole path in the container")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(svc.Networks)) {
		if at := svc.Networks[name]; at != nil {
			for _, address := range []string{at.Ipv4Address, at.Ipv6Address} {
				if address == "" || b.unsettled(address) {
					continue
				}
				if _, err := netip.ParseAddr(address); err != nil {
					return refuse("networks", fmt.Sprintf("has the address %q in network %s, which is none", address, name), "correct it")
				}
				if n := project.Networks[name]; !bool(n.External) && len(n.Ipam.Config) == 0 {
					return refuse("networks", fmt.Sprintf("has an address of its own in network %s, which has no subnet", name), "give the network a subnet below ipam, config")
				}
			}
		}
	}
	return nil
}

var reRestart = regexp.MustCompile(`^(|no|always|unless-stopped|on-failure(:[0-9]+)?)$`)

// unsettled reports whether a value is made of variables that are not set, or may be.
func (b *bundle) unsettled(value string) bool {
	lookup := func(k string) (string, bool) { v, ok := b.env[k]; return v, ok }
	found := false
	for _, models := range b.models {
		for _, model := range models {
			eachText(model, func(text string) {
				missing := func(name string) bool { return b.env[name] == "" }
				if !found && slices.ContainsFunc(usedIn(text), missing) {
					out, err := b.substitute(text, lookup)
					found = err != nil || strings.Contains(out, value)
				}
			})
		}
	}
	return found
}

// unheeded says what of a bundle has no effect on a device.
func (b *bundle) unheeded(project *types.Project) (warnings []string) {
	ext := path.Ext(b.main)
	for _, other := range []string{".override.yml", ".override.yaml"} {
		if name := strings.TrimSuffix(b.main, ext) + other; b.has(name) && b.docs[name] == nil {
			warnings = append(warnings, fmt.Sprintf("%s is not read on devices; put what it says into %s, or include it there", name, b.main))
		}
	}
	for _, name := range sortedServices(project) {
		d := project.Services[name].Deploy
		if d == nil {
			continue
		}
		var keys []string
		for key, there := range map[string]bool{
			"mode": d.Mode != "" && d.Mode != "replicated", "placement": len(d.Placement.Constraints)+len(d.Placement.Preferences) > 0 || d.Placement.MaxReplicas > 0,
			"update_config": d.UpdateConfig != nil, "rollback_config": d.RollbackConfig != nil, "endpoint_mode": d.EndpointMode != "",
		} {
			if there {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		verb, what := "is", "it"
		if len(keys) > 1 {
			verb, what = "are", "them"
		}
		if len(keys) > 0 {
			warnings = append(warnings, fmt.Sprintf("service %s: %s of deploy %s for swarms, and devices ignore %s", name, strings.Join(keys, ", "), verb, what))
		}
	}
	return warnings
}
