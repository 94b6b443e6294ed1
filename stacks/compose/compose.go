// Package compose reads a stack's bundle as a Compose project and says in a sentence what is wrong with it. The hub
// uses it before it stores a version, the composer before it touches the engine, so both refuse the same things for
// the same reason.
//
// It reads files of the bundle and nothing else: no file outside it, no environment of the process, no engine, no
// network. It imports the Compose specification's loader only, never the Compose library. Its functions may be called
// concurrently.
package compose

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/stacks/staging"
)

// DefaultFiles are the names that a compose file is looked for under, in this order, when none is given.
func DefaultFiles() []string {
	return []string{"compose.yml", "compose.yaml", "docker-compose.yml", "docker-compose.yaml"}
}

// Summary is what a bundle asks for, for people and for policy checks.
type Summary struct {
	// Services are sorted by name. Services of profiles that are not active are not among them.
	Services []Service `json:"services"`
	// Volumes are the names of the project's named volumes as the bundle calls them, sorted.
	Volumes []string `json:"volumes,omitempty"`
	// Networks are those that it declares, as the bundle calls them, sorted; "default" among them where services
	// name none.
	Networks []string `json:"networks,omitempty"`
	// Configs and Secrets are the names of those that it declares, sorted.
	Configs []string `json:"configs,omitempty"`
	Secrets []string `json:"secrets,omitempty"`
	// Profiles are all that services have, active or not, sorted.
	Profiles []string `json:"profiles,omitempty"`
	// Warnings are sentences about things that work but are probably not meant.
	Warnings []string `json:"warnings,omitempty"`
	// Asks is what the services ask of an engine, also those that are not active, for policies. Validate gives it.
	Asks []stacks.Asks `json:"-"`
	// Varies are the places whose values decide what Asks says and hold variables. Validate gives it.
	Varies []Varied `json:"-"`
	// Takes is what the services take of a device that only one can have. Validate gives it.
	Takes []stacks.Take `json:"-"`
	// Variables are the names of those that the bundle uses, sorted: in what is replaced in its compose files and files
	// of variables, those that it hands on to containers by name, COMPOSE_PROFILES where services have profiles.
	// Validate gives it.
	Variables []string `json:"-"`
}

// Service is one service of a Summary.
type Service struct {
	// Name is the compose service's name.
	Name string `json:"name"`
	// Image is the image reference as it will be used, after interpolation.
	Image string `json:"image"`
	// Replicas is the number of containers.
	Replicas int `json:"replicas"`
	// Ports are published ports as address:published:target/protocol, the address left out when it is all.
	Ports []string `json:"ports,omitempty"`
	// Volumes are mounts as source:target; the source of a relative bind mount is relative to the bundle.
	Volumes []string `json:"volumes,omitempty"`
	// Digest differs where containers of the service would be made anew. Validate gives it.
	Digest string `json:"-"`
}

// Images are the distinct image references of the services, sorted.
func (s Summary) Images() []string {
	var images []string
	for _, svc := range s.Services {
		images = append(images, svc.Image)
	}
	slices.Sort(images)
	return slices.Compact(images)
}

// Validate loads a bundle from memory: files by their names in the bundle (slashes), env the variables for
// interpolation. The error is an *Error when something is wrong with the bundle.
func Validate(files map[string][]byte, env map[string]string) (Summary, error) {
	for name := range files {
		if err := staging.CheckName(name); err != nil {
			return Summary{}, &Error{
				Code: ipc.CodePathOutside, File: name,
				Text: "this file name could leave the bundle", Remedy: "use a plain relative path with slashes",
			}
		}
	}
	tmp, err := os.MkdirTemp("", "farshore-bundle-")
	if err != nil {
		return Summary{}, fmt.Errorf("validate bundle: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	dir := filepath.Join(tmp, "bundle")
	if err := staging.Write(dir, files); err != nil {
		return Summary{}, fmt.Errorf("validate bundle: %w", err)
	}
	project, b, err := load(context.Background(), Source{Dir: dir, Env: env})
	if err != nil {
		return Summary{}, err
	}
	sum := Summarize(project)
	sum.Asks, sum.Varies = asks(project), b.varies()
	sum.Takes, sum.Variables = takes(project), b.uses(project)
	sum.Warnings = append(sum.Warnings, b.unheeded(project)...)
	compared := digests{project: project, trees: map[string][]byte{}}
	for i := range sum.Services {
		s := &sum.Services[i]
		if s.Digest, err = compared.of(project.Services[s.Name]); err != nil {
			return Summary{}, err
		}
	}
	return sum, nil
}

// Summarize says what a loaded project asks for.
func Summarize(project *types.Project) Summary {
	var sum Summary
	for _, name := range project.ServiceNames() {
		svc := project.Services[name]
		s := Service{Name: name, Image: svc.Image, Replicas: svc.GetScale()}
		for _, p := range svc.Ports {
			s.Ports = append(s.Ports, portText(p))
		}
		for _, v := range svc.Volumes {
			source := v.Source
			if rel, ok := Inside(project, v); ok {
				source = "./" + strings.TrimPrefix(rel, ".")
				sum.Warnings = append(sum.Warnings, writableWarning(project, name, rel, v)...)
			}
			s.Volumes = append(s.Volumes, strings.TrimPrefix(source+":"+v.Target, ":"))
		}
		sum.Services = append(sum.Services, s)
	}
	sum.Volumes = project.VolumeNames()
	slices.Sort(sum.Volumes)
	sum.Networks = slices.Sorted(maps.Keys(project.Networks))
	sum.Configs = slices.Sorted(maps.Keys(project.Configs))
	sum.Secrets = slices.Sorted(maps.Keys(project.Secrets))
	sum.Profiles = profiles(project)
	return sum
}

func profiles(project *types.Project) (out []string) {
	for _, services := range []types.Services{project.Services, project.DisabledServices} {
		for _, svc := range services {
			out = append(out, svc.Profiles...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Inside says whether a mount of a loaded project is a bind mount of a path relative to the bundle, and which (with
// slashes). Other bind mounts are the host's own paths and the operator's to decide.
func Inside(project *types.Project, v types.ServiceVolumeConfig) (string, bool) {
	if v.Type != types.VolumeTypeBind {
		return "", false
	}
	return InsideDir(project.WorkingDir, v.Source)
}

// InsideDir returns file relative to dir, with slashes, when it lies in it or is dir itself.
func InsideDir(dir, file string) (string, bool) {
	rel, err := filepath.Rel(dir, file)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

func writableWarning(project *types.Project, service, rel string, v types.ServiceVolumeConfig) []string {
	if v.ReadOnly {
		return nil
	}
	info, err := os.Stat(filepath.Join(project.WorkingDir, filepath.FromSlash(rel)))
	if err != nil || !info.IsDir() {
		return nil
	}
	return []string{fmt.Sprintf("service %s can write to ./%s, which is part of the bundle: what it writes there is lost "+
		"when a version changes that folder; add :ro to the mount, or keep data in a volume", service, rel)}
}

func portText(p types.ServicePortConfig) string {
	text := strconv.FormatUint(uint64(p.Target), 10)
	if p.Protocol != "" {
		text += "/" + p.Protocol
	}
	if p.Published == "" {
		return text
	}
	text = p.Published + ":" + text
	if p.HostIP != "" {
		text = p.HostIP + ":" + text
	}
	return text
}
