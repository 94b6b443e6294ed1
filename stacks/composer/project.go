package composer

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/compose/v2/pkg/api"

	"github.com/farshore/farshore/stacks/compose"
)

// ContentLabel is the label that ties a container to the content of what it uses and what its definition only names:
// configs, secrets and seccomp profiles. When the content changes, the label does, and Compose recreates the container.
const ContentLabel = "farshore.io/content"

// project is a loaded bundle on its way to the engine.
type project struct {
	*types.Project
}

// load reads the bundle as a project whose containers carry the labels of the request.
func (r *run) load(ctx context.Context) (*project, error) {
	env := maps.Clone(r.req.Env)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, r.req.Secrets)
	loaded, err := compose.Load(ctx, compose.Source{Dir: r.req.Dir, Files: r.req.Files, Env: env, Project: r.req.Project})
	if err != nil {
		return nil, err
	}
	r.warnings = compose.Summarize(loaded).Warnings
	p := &project{loaded.WithoutUnnecessaryResources()}
	// Services of profiles that are off count as removed, or they would go on running when a profile is turned off.
	p.DisabledServices = nil
	for name, svc := range p.Services {
		svc.CustomLabels = types.Labels{
			api.ProjectLabel:     p.Name,
			api.ServiceLabel:     name,
			api.VersionLabel:     api.ComposeVersion,
			api.WorkingDirLabel:  p.WorkingDir,
			api.ConfigFilesLabel: strings.Join(p.ComposeFiles, ","),
			api.OneoffLabel:      "False",
		}
		maps.Copy(svc.CustomLabels, r.req.Labels)
		svc.Image = api.GetImageNameOrDefault(svc, p.Name)
		svc.Build, svc.Develop = nil, nil
		for dep := range svc.DependsOn {
			if _, ok := p.Services[dep]; !ok {
				delete(svc.DependsOn, dep)
			}
		}
		for n := range expectedNames(p.Name, svc) {
			r.out.know(n, name)
		}
		p.Services[name] = svc
	}
	return p, nil
}

// expectedNames yields the names of a service's containers when nothing is in the way.
func expectedNames(project string, svc types.ServiceConfig) func(func(string) bool) {
	return func(yield func(string) bool) {
		if svc.ContainerName != "" {
			yield(svc.ContainerName)
			return
		}
		for i := range svc.GetScale() {
			if !yield(containerName(project, svc.Name, i+1)) {
				return
			}
		}
	}
}

func containerName(project, service string, number int) string {
	return fmt.Sprintf("%s%s%s%s%d", project, api.Separator, service, api.Separator, number)
}

// stage puts what containers mount from the bundle where it stays for as long as it does not change, and lets the
// project refer to it there. See DESIGN.md.
func (r *run) stage(p *project) error {
	for name, config := range p.Configs {
		file, err := r.stageFile(p, config.File)
		if err != nil {
			return fmt.Errorf("config %q: %w", name, err)
		}
		config.File = file
		p.Configs[name] = config
	}
	for name, secret := range p.Secrets {
		file, err := r.stageFile(p, secret.File)
		if err != nil {
			return fmt.Errorf("secret %q: %w", name, err)
		}
		secret.File = file
		p.Secrets[name] = secret
	}
	for _, name := range p.ServiceNames() {
		svc := p.Services[name]
		if err := r.stageService(p, &svc); err != nil {
			return fmt.Errorf("service %q: %w", name, err)
		}
		p.Services[name] = svc
	}
	return nil
}

func (r *run) stageService(p *project, svc *types.ServiceConfig) error {
	for i, v := range svc.Volumes {
		rel, ok := compose.Inside(p.Project, v)
		if !ok {
			continue
		}
		source, err := r.stageMount(p, rel)
		if err != nil {
			return err
		}
		svc.Volumes[i].Source = source
	}
	values := r.contentOf(p, svc)
	for _, opt := range svc.SecurityOpt {
		file, ok := compose.SeccompFile(opt)
		if !ok {
			continue
		}
		data, err := os.ReadFile(p.RelativePath(file))
		if err != nil {
			return err
		}
		values = append(values, "seccomp", file, string(data))
	}
	if len(values) == 0 {
		return nil
	}
	print, err := r.store.Fingerprint(values...)
	if err != nil {
		return err
	}
	svc.Labels = maps.Clone(svc.Labels)
	svc.Labels = svc.Labels.Add(ContentLabel, print)
	return nil
}

// contentOf lists what the service's configs and secrets hold. A staged file's path stands for its content.
func (r *run) contentOf(p *project, svc *types.ServiceConfig) []string {
	var values []string
	value := func(kind, source string, o types.FileObjectConfig) {
		content := o.Content
		if content == "" && o.Environment != "" {
			content = p.Environment[o.Environment]
		}
		values = append(values, kind, source, o.File, content)
	}
	for _, c := range svc.Configs {
		value("config", c.Source, types.FileObjectConfig(p.Configs[c.Source]))
	}
	for _, s := range svc.Secrets {
		value("secret", s.Source, types.FileObjectConfig(p.Secrets[s.Source]))
	}
	return values
}

func (r *run) stageFile(p *project, file string) (string, error) {
	rel, ok := compose.InsideDir(p.WorkingDir, file)
	if file == "" || !ok {
		return file, nil
	}
	c, err := r.store.Content(p.WorkingDir, rel)
	return c.Path, err
}

// stageMount is where a relative path of the bundle is mounted from: a copy of the bundle's content, or the stack's
// data folder when the bundle has no such path.
func (r *run) stageMount(p *project, rel string) (string, error) {
	if _, err := os.Lstat(filepath.Join(p.WorkingDir, filepath.FromSlash(rel))); os.IsNotExist(err) {
		if r.req.Action == "plan" {
			return r.store.DataPath(rel), nil
		}
		return r.store.Data(rel)
	}
	c, err := r.store.Content(p.WorkingDir, rel)
	return c.Path, err
}

// mountSources are the paths that the project's containers will mount.
func (p *project) mountSources() []string {
	var sources []string
	for _, svc := range p.Services {
		for _, v := range svc.Volumes {
			sources = append(sources, v.Source)
		}
	}
	for _, c := range p.Configs {
		sources = append(sources, c.File)
	}
	for _, s := range p.Secrets {
		sources = append(sources, s.File)
	}
	return slices.DeleteFunc(sources, func(s string) bool { return s == "" })
}
