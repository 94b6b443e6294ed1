package compose

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// Varied is a place in a bundle that holds variables.
type Varied struct {
	// Place is the file and the keys that lead there.
	Place string
	// Names of the variables, sorted.
	Names []string
}

// profilesVariable activates profiles.
const profilesVariable = "COMPOSE_PROFILES"

// reUse finds a variable, as the loader does, or what stands for a dollar sign. What a variable is replaced with where it
// is not set can hold others, which are found as well.
var reUse = regexp.MustCompile(`(?i)\$\$|\$\{?([_a-z][_a-z0-9]*)`)

// usedIn are the names of the variables in a text.
func usedIn(text string) (names []string) {
	for _, m := range reUse.FindAllStringSubmatch(text, -1) {
		if m[1] != "" {
			names = append(names, m[1])
		}
	}
	return names
}

// uses are the names of all variables that the bundle uses, sorted: those that are replaced in the compose files and
// files of variables that were read, those that are handed on by name alone, and the one for profiles where there are
// any. Where a variable says which file is read, it is those of all files that could be.
func (b *bundle) uses(project *types.Project) []string {
	found := map[string]bool{}
	add := func(names ...string) {
		for _, n := range names {
			found[n] = true
		}
	}
	for _, models := range b.models {
		for _, model := range models {
			eachText(model, func(text string) { add(usedIn(text)...) })
			add(handedOn(model)...)
			for _, service := range mapping(mapping(model)["services"]) {
				files := []any{mapping(service)["env_file"], mapping(service)["label_file"]}
				eachText(files, func(text string) { b.chosen = b.chosen || holdsVariable(text) })
			}
		}
	}
	for name := range b.variables {
		add(envUses(string(b.files[name]))...)
	}
	for _, services := range []types.Services{project.Services, project.DisabledServices} {
		for _, svc := range services {
			if len(svc.Profiles) > 0 {
				add(profilesVariable)
			}
		}
	}
	if b.chosen {
		for name, content := range b.files {
			if isYAML(name) || strings.Contains(path.Base(name), "env") {
				add(usedIn(string(content))...)
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// eachText visits the values that the loader replaces variables in.
func eachText(v any, visit func(string)) {
	switch v := v.(type) {
	case map[string]any:
		for _, x := range v {
			eachText(x, visit)
		}
	case map[any]any:
		for _, x := range v {
			eachText(x, visit)
		}
	case []any:
		for _, x := range v {
			eachText(x, visit)
		}
	case string:
		visit(v)
	}
}

// handedOn are variables that a compose file gives to containers by name alone.
func handedOn(model any) (names []string) {
	for _, service := range mapping(mapping(model)["services"]) {
		environment := mapping(service)["environment"]
		for name, value := range mapping(environment) {
			if value == nil {
				names = append(names, name)
			}
		}
		for _, entry := range list(environment) {
			if name, ok := entry.(string); ok && reName.MatchString(name) {
				names = append(names, name)
			}
		}
	}
	for _, kind := range []string{"configs", "secrets"} {
		for _, object := range mapping(mapping(model)[kind]) {
			if name := text(mapping(object), "environment"); reName.MatchString(name) {
				names = append(names, name)
			}
		}
	}
	return names
}

var reName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// envUses are the variables that a file of variables uses: in values without single quotes, or by name alone.
func envUses(data string) (names []string) {
	for line := range strings.Lines(data) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		if strings.HasPrefix(line, "#") {
			continue
		}
		_, value, assigned := strings.Cut(line, "=")
		value = strings.TrimSpace(value)
		switch {
		case !assigned && reName.MatchString(line):
			names = append(names, line)
		case !assigned:
			names = append(names, usedIn(line)...)
		case strings.HasPrefix(value, "'"):
		case strings.HasPrefix(value, `"`):
			names = append(names, usedIn(strings.ReplaceAll(value, `\$`, "$$"))...)
		default:
			value, _, _ = strings.Cut(value, " #")
			names = append(names, usedIn(value)...)
		}
	}
	return names
}

// varies names the places among the guarded keys whose values hold variables, at any depth of any compose file that
// was read: more than needed rather than less.
func (b *bundle) varies() (out []Varied) {
	places := map[string][]string{}
	for name, models := range b.models {
		for _, model := range models {
			findVariables(model, name, false, places)
		}
	}
	for _, place := range slices.Sorted(maps.Keys(places)) {
		names := places[place]
		slices.Sort(names)
		out = append(out, Varied{Place: place, Names: slices.Compact(names)})
	}
	return out
}

func findVariables(v any, at string, in bool, places map[string][]string) {
	note := func(text string) {
		if in && holdsVariable(text) {
			places[at] = append(places[at], usedIn(text)...)
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			note(k)
			findVariables(x, at+" "+k, in || slices.Contains(guarded, k), places)
		}
	case map[any]any:
		for k, x := range v {
			key := fmt.Sprint(k)
			findVariables(x, at+" "+key, in || slices.Contains(guarded, key), places)
		}
	case []any:
		for _, x := range v {
			findVariables(x, at, in, places)
		}
	case string:
		note(v)
	}
}

func holdsVariable(s string) bool { return strings.Contains(strings.ReplaceAll(s, "$$", ""), "$") }
