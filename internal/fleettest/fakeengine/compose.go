package fakeengine

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// service is a service of a compose file, as far as the fake goes.
type service struct {
	name  string
	spec  Spec
	hash  string // of the definition and of the files it names
	fail  string
	delay time.Duration
}

// composeFile is what the fake reads of a compose file. The rest only counts for the hash.
type composeFile struct {
	Services map[string]yaml.Node `yaml:"services"`
	Configs  map[string]struct {
		File string `yaml:"file"`
	} `yaml:"configs"`
}

type composeService struct {
	Image       string    `yaml:"image"`
	Name        string    `yaml:"container_name"`
	Labels      yaml.Node `yaml:"labels"`
	Ports       []string  `yaml:"ports"`
	Volumes     []string  `yaml:"volumes"`
	Restart     string    `yaml:"restart"`
	HealthCheck yaml.Node `yaml:"healthcheck"`
	Configs     []struct {
		Source string `yaml:"source"`
	} `yaml:"configs"`
}

// parse reads a compose file.
func (r *run) parse(name string, text []byte) ([]service, error) {
	plain, err := interpolate(string(text), r.req.Env)
	if err != nil {
		return nil, refuse(ipc.CodeComposeInvalid, "%s: %v", name, err)
	}
	var file composeFile
	if err := yaml.Unmarshal([]byte(plain), &file); err != nil {
		return nil, refuse(ipc.CodeComposeSyntax, "%s: %v: correct it", name, err)
	}
	if len(file.Services) == 0 {
		return nil, refuse(ipc.CodeComposeInvalid, "%s has no services: add one", name)
	}
	var out []service
	for _, key := range slices.Sorted(maps.Keys(file.Services)) {
		node := file.Services[key]
		s, err := r.parseService(key, &node, &file)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (r *run) parseService(name string, node *yaml.Node, file *composeFile) (service, error) {
	var in composeService
	if err := node.Decode(&in); err != nil {
		return service{}, refuse(ipc.CodeComposeInvalid, "service %s: %v: correct it", name, err)
	}
	if in.Image == "" {
		return service{}, refuse(ipc.CodeComposeInvalid, "service %s has no image: name one", name)
	}
	labels, err := parseLabels(&in.Labels)
	if err != nil {
		return service{}, refuse(ipc.CodeComposeInvalid, "service %s: labels: %v", name, err)
	}
	s := service{name: name, fail: labels[LabelFail]}
	s.delay, _ = time.ParseDuration(labels[LabelDelay])
	s.spec = Spec{
		Name: in.Name, Image: in.Image, Labels: labels, Networks: []string{r.req.Project + "_default"},
		Log: "service " + name + " started\n", Ports: parsePorts(in.Ports),
	}
	if s.spec.Name == "" {
		s.spec.Name = r.req.Project + "-" + name + "-1"
	}
	switch {
	case s.fail == "exit":
		s.spec.Fate, s.spec.ExitCode = Exits, 1
	case s.fail == "unhealthy":
		s.spec.Fate = Unhealthy
	case !in.HealthCheck.IsZero():
		s.spec.Fate = Healthy
	}
	for _, v := range in.Volumes {
		source, rest, _ := strings.Cut(v, ":")
		target, _, _ := strings.Cut(rest, ":")
		if source != "" && target != "" && !strings.ContainsAny(source[:1], "./~") {
			if s.spec.Volumes == nil {
				s.spec.Volumes = map[string]string{}
			}
			s.spec.Volumes[target] = r.req.Project + "_" + source
		}
	}
	if s.hash, err = r.definition(node, &in, file); err != nil {
		return service{}, err
	}
	s.spec.Config = s.hash
	labels[snapshot.LabelProject], labels[snapshot.LabelService] = r.req.Project, name
	return s, nil
}

// parseLabels reads a map, or a list of key=value.
func parseLabels(node *yaml.Node) (map[string]string, error) {
	labels := map[string]string{}
	if node.IsZero() {
		return labels, nil
	}
	if node.Kind != yaml.SequenceNode {
		return labels, node.Decode(&labels)
	}
	var list []string
	err := node.Decode(&list)
	for _, pair := range list {
		key, value, _ := strings.Cut(pair, "=")
		labels[key] = value
	}
	return labels, err
}

// definition hashes what, when it changes, makes the container another: the service's own text, and the content of the
// files it mounts.
func (r *run) definition(node *yaml.Node, in *composeService, file *composeFile) (string, error) {
	text, err := yaml.Marshal(node)
	if err != nil {
		return "", err
	}
	var files []string
	for _, c := range in.Configs {
		files = append(files, file.Configs[c.Source].File)
	}
	for _, v := range in.Volumes {
		if source, _, _ := strings.Cut(v, ":"); strings.HasPrefix(source, "./") {
			files = append(files, source)
		}
	}
	for _, name := range files {
		content, err := r.readFile(filepath.Join(r.req.Dir, filepath.FromSlash(name)))
		if err != nil {
			return "", refuse(ipc.CodeMissingFile, "%s cannot be read (%v): add it to the bundle", name, err)
		}
		text = fmt.Appendf(text, "\n%s %s", name, protocol.HashOf(content))
	}
	return protocol.HashOf(text).String(), nil
}

// parsePorts reads host:container[/proto] and container[/proto].
func parsePorts(ports []string) []protocol.Port {
	var out []protocol.Port
	for _, text := range ports {
		text, proto, _ := strings.Cut(text, "/")
		parts := strings.Split(text, ":")
		private, err := strconv.ParseUint(parts[len(parts)-1], 10, 16)
		if err != nil {
			continue
		}
		p := protocol.Port{Private: uint16(private), Proto: proto}
		if len(parts) > 1 {
			public, _ := strconv.ParseUint(parts[len(parts)-2], 10, 16)
			p.Public = uint16(public)
		}
		out = append(out, p)
	}
	return out
}

var variable = regexp.MustCompile(`\$(\$|\{([A-Za-z_][A-Za-z0-9_]*)(:?[-?])?([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*))`)

// interpolate replaces $NAME, ${NAME}, ${NAME:-default} and ${NAME:?reason}.
func interpolate(text string, env map[string]string) (string, error) {
	var err error
	out := variable.ReplaceAllStringFunc(text, func(found string) string {
		m := variable.FindStringSubmatch(found)
		name := m[2] + m[5]
		value, ok := env[name]
		missing := !ok || value == "" && strings.HasPrefix(m[3], ":")
		switch {
		case m[1] == "$":
			return "$"
		case missing && strings.HasSuffix(m[3], "-"):
			return m[4]
		case missing && strings.HasSuffix(m[3], "?"):
			err = fmt.Errorf("variable %s is missing: %s", name, m[4])
		}
		return value
	})
	return out, err
}
