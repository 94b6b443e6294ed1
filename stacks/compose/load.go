package compose

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/paths"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/farshore/farshore/stacks/composer/ipc"
)

// Source says what to load.
type Source struct {
	// Dir is the absolute folder that holds the bundle's files and nothing else.
	Dir string
	// Files are the compose files relative to Dir; empty means the first of DefaultFiles that exists.
	Files []string
	// Env holds the variables for interpolation, over those of the bundle's .env. COMPOSE_PROFILES in either activates
	// profiles.
	Env map[string]string
	// Project is the compose project name; empty means "stack".
	Project string
}

// Load reads a bundle as a Compose project with absolute paths, variables interpolated and env files resolved. The
// error is an *Error when something is wrong with the bundle, and never holds the value of a variable.
func Load(ctx context.Context, src Source) (*types.Project, error) {
	project, _, err := load(ctx, src)
	return project, err
}

// load is Load, and gives the bundle that was read.
func load(ctx context.Context, src Source) (*types.Project, *bundle, error) {
	b, err := openBundle(src.Dir)
	if err != nil {
		return nil, nil, err
	}
	project, err := b.load(ctx, src)
	if err != nil {
		e := *b.explain(err)
		e.Text = b.redact(e.Text)
		return nil, nil, &e
	}
	return project, b, nil
}

func (b *bundle) load(ctx context.Context, src Source) (project *types.Project, err error) {
	defer func() { // the loader takes types for granted before it has checked them
		if r := recover(); r != nil {
			project, err = nil, &Error{
				Code: ipc.CodeComposeInvalid, File: b.main, Text: "something in it is of another type than it must be",
				Remedy: "compare it with the Compose specification",
			}
		}
	}()
	files, err := b.choose(src.Files)
	if err != nil {
		return nil, err
	}
	if err := b.environment(src.Env); err != nil {
		return nil, err
	}
	for _, name := range files {
		if err := b.scan(name, scope{base: ".", env: b.env}); err != nil {
			return nil, err
		}
	}
	details := types.ConfigDetails{WorkingDir: b.dir, Environment: b.env}
	for _, name := range files {
		details.ConfigFiles = append(details.ConfigFiles, types.ConfigFile{Filename: path.Join(b.dir, name)})
	}
	project, err = b.build(ctx, details, src.Project)
	if err != nil {
		return nil, err
	}
	return project, b.check(project)
}

// build runs the loader in two steps: first with relative paths, which are then checked before the files they name are
// opened, and then to the end.
func (b *bundle) build(ctx context.Context, details types.ConfigDetails, name string) (*types.Project, error) {
	if name == "" {
		name = "stack"
	}
	options := []func(*loader.Options){
		loader.WithDiscardEnvFiles,
		func(o *loader.Options) {
			o.SetProjectName(name, true)
			o.ResolvePaths = false
			o.Interpolate.Substitute = b.substitute
			if v := b.env[profilesVariable]; v != "" {
				o.Profiles = strings.Split(v, ",")
			}
		},
	}
	model, err := loader.LoadModelWithContext(ctx, details, options...)
	if err != nil {
		return nil, err
	}
	if err := b.checkPaths(model); err != nil {
		return nil, err
	}
	if err := paths.ResolveRelativePaths(model, b.dir, nil); err != nil {
		return nil, err
	}
	project, err := loader.ModelToProject(model, loader.ToOptions(&details, options), details)
	if err != nil {
		return nil, err
	}
	for _, f := range details.ConfigFiles {
		project.ComposeFiles = append(project.ComposeFiles, f.Filename)
	}
	return project, nil
}

// checkPaths holds every path of the model to the bundle. Paths are still relative, to the bundle's folder.
func (b *bundle) checkPaths(model map[string]any) error {
	for name, v := range section(model, "services") {
		service, ok := v.(map[string]any)
		if !ok {
			continue
		}
		if err := b.checkService(name, service); err != nil {
			return err
		}
	}
	for _, kind := range []string{"configs", "secrets"} {
		for name, v := range section(model, kind) {
			file := text(v, "file")
			if file == "" {
				continue
			}
			what := fmt.Sprintf("the file of %s %q", strings.TrimSuffix(kind, "s"), name)
			if _, err := b.resolvePath(".", file, what, b.find(kind, name, "file")); err != nil {
				return err
			}
		}
	}
	for name, v := range section(model, "volumes") {
		volume, _ := v.(map[string]any)
		opts, _ := volume["driver_opts"].(map[string]any)
		if device := text(opts, "device"); device != "" && strings.Contains(text(opts, "o"), "bind") && !path.IsAbs(device) {
			at := b.find("volumes", name, "driver_opts", "device")
			return &Error{
				Code: ipc.CodeComposeInvalid, File: at.file, Line: at.line,
				Text: fmt.Sprintf("volume %q binds the relative path %q", name, device), Remedy: "mount the path in the service itself, or use an absolute one",
			}
		}
	}
	return nil
}

func (b *bundle) checkService(name string, service map[string]any) error {
	at := func(key string) where { return b.find("services", name, key) }
	env, before := b.serviceEnv(service), map[string]string{}
	for _, entry := range list(service["env_file"]) {
		file := text(entry, "path")
		m, _ := entry.(map[string]any)
		if required, ok := m["required"].(bool); ok && !required && !b.has(path.Clean(file)) && !strings.HasPrefix(path.Clean(file), "..") && !path.IsAbs(file) {
			continue
		}
		rel, err := b.resolvePath(".", file, fmt.Sprintf("env_file %q of service %s", file, name), at("env_file"))
		if err != nil {
			return err
		}
		if text(entry, "format") == "" {
			if _, err := b.dotenv(rel, env, before); err != nil {
				return err
			}
		}
	}
	before = map[string]string{}
	for _, entry := range list(service["label_file"]) {
		file, _ := entry.(string)
		rel, err := b.resolvePath(".", file, fmt.Sprintf("label_file %q of service %s", file, name), at("label_file"))
		if err != nil {
			return err
		}
		if _, err := b.dotenv(rel, nil, before); err != nil {
			return err
		}
	}
	for _, entry := range list(service["security_opt"]) {
		opt, _ := entry.(string)
		file, ok := SeccompFile(opt)
		if !ok {
			continue
		}
		if _, err := b.resolvePath(".", file, fmt.Sprintf("the seccomp profile %q of service %s", file, name), at("security_opt")); err != nil {
			return err
		}
	}
	for _, entry := range list(service["volumes"]) {
		if err := b.checkMount(name, entry, at("volumes")); err != nil {
			return err
		}
	}
	return nil
}

// serviceEnv is what counts before the files of variables of a service.
func (b *bundle) serviceEnv(service map[string]any) map[string]string {
	env := maps.Clone(b.env)
	set := func(name, value string) {
		if _, ok := env[name]; !ok {
			env[name] = value
		}
	}
	for name, value := range mapping(service["environment"]) {
		if value != nil {
			set(name, fmt.Sprint(value))
		}
	}
	for _, entry := range list(service["environment"]) {
		text, _ := entry.(string)
		if name, value, ok := strings.Cut(text, "="); ok {
			set(name, value)
		}
	}
	return env
}

func (b *bundle) checkMount(service string, entry any, at where) error {
	source := text(entry, "source")
	if text(entry, "type") != types.VolumeTypeBind || source == "" || path.IsAbs(source) || strings.HasPrefix(source, "~") {
		return nil
	}
	rel := path.Clean(source)
	if !fs.ValidPath(rel) {
		return outside(at.file, at.line, fmt.Sprintf("the mount of %q in service %s", source, service))
	}
	if b.has(rel) || !looksLikeFile(entry, rel) {
		return nil
	}
	return &Error{
		Code: ipc.CodeMissingFile, File: at.file, Line: at.line,
		Text:   fmt.Sprintf("service %s mounts %q, and the bundle has no such file", service, source),
		Remedy: "add it to the bundle, or use a volume or an absolute path if it is a folder for data",
	}
}

// looksLikeFile tells a forgotten file from a folder that a container is meant to fill: it is mounted read-only, must
// exist, or has a file name extension on both sides.
func looksLikeFile(entry any, rel string) bool {
	m, _ := entry.(map[string]any)
	if ro, _ := m["read_only"].(bool); ro {
		return true
	}
	bind, _ := m["bind"].(map[string]any)
	if create, ok := bind["create_host_path"].(bool); ok && !create {
		return true
	}
	ext := func(p string) bool { return path.Ext(strings.TrimPrefix(path.Base(p), ".")) != "" }
	return ext(rel) && ext(text(entry, "target"))
}

// SeccompFile returns the file that an entry of security_opt names, if it names one.
func SeccompFile(opt string) (string, bool) {
	for _, sep := range []string{"=", ":"} {
		if file, ok := strings.CutPrefix(opt, "seccomp"+sep); ok && file != "unconfined" && file != "builtin" {
			return file, true
		}
	}
	return "", false
}

func sortedServices(project *types.Project) []string {
	names := project.ServiceNames()
	sort.Strings(names)
	return names
}

func section(model map[string]any, key string) map[string]any {
	m, _ := model[key].(map[string]any)
	return m
}

// list is v as a list; a single value is a list of one.
func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	case []string:
		return slices.Collect(func(yield func(any) bool) {
			for _, s := range v {
				if !yield(s) {
					return
				}
			}
		})
	}
	return []any{v}
}

// text is the string under a key of a mapping, or v itself when it is a string.
func text(v any, key string) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		s, _ := v[key].(string)
		return s
	}
	return ""
}
