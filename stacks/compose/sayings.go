package compose

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/farshore/farshore/stacks/composer/ipc"
)

// saying is a sentence of the loader, and how to say it so that people know what to do. say is given what the pattern
// matched; its place is empty where that follows from the path in the sentence.
type saying struct {
	pattern *regexp.Regexp
	say     func(b *bundle, m []string) (at where, text, remedy string)
}

// sayings are what the loader says most often. The first that fits counts.
func sayings() []saying {
	return []saying{
		{regexp.MustCompile(`^service "([^"]+)" refers to undefined (volume|network|secret|config) (\S+)$`), func(b *bundle, m []string) (where, string, string) {
			return b.find("services", m[1], m[2]+"s"), fmt.Sprintf("service %s uses the %s %s, which is not declared", m[1], m[2], m[3]),
				fmt.Sprintf("declare it below %ss at the top of the file, or correct its name", m[2])
		}},
		{regexp.MustCompile(`^service "([^"]+)" depends on undefined service "([^"]+)"$`), func(b *bundle, m []string) (where, string, string) {
			at, text, remedy := b.find("services", m[1], "depends_on"), fmt.Sprintf("service %s depends on service %s, which is not there", m[1], m[2]), "add it, or correct its name"
			for _, name := range slices.Sorted(maps.Keys(b.docs)) {
				if _, depth := b.descend(name, []string{"services", m[2]}); depth == 2 {
					text, remedy = fmt.Sprintf("service %s depends on service %s, whose profile is not active", m[1], m[2]), "give both the same profile, or write required: false"
				}
			}
			return at, text, remedy
		}},
		{regexp.MustCompile(`^dependency cycle detected: ((\S+) -> .*)$`), func(b *bundle, m []string) (where, string, string) {
			return b.find("services", m[2], "depends_on"), "the services wait for each other: " + m[1], "take one of these dependencies away"
		}},
		{regexp.MustCompile(`^healthcheck\.test must start`), func(b *bundle, _ []string) (where, string, string) {
			return b.place("healthcheck"), "the list under test of a health check begins with neither CMD, CMD-SHELL nor NONE", `write ["CMD", "program", "argument"], or one text`
		}},
		{regexp.MustCompile(`^(services\.\S+) invalid jsonType time\.Time$`), func(_ *bundle, m []string) (where, string, string) {
			return where{}, m[1] + " is a date", "put it in quotes"
		}},
		{regexp.MustCompile(`^error while interpolating (\S+): failed to cast to expected type: (?:invalid (boolean)|.*)`), func(_ *bundle, m []string) (where, string, string) {
			if m[2] != "" {
				return where{}, m[1] + " is neither true nor false", "write true or false"
			}
			return where{}, m[1] + " is not a number", "write a number"
		}},
		{regexp.MustCompile(`^(\S+?)(\.\[\d+\])?: unexpected type (map|\[\]interface)`), func(_ *bundle, m []string) (where, string, string) {
			kind := map[string]string{"map": "a mapping", "[]interface": "a list"}[m[3]]
			return where{}, fmt.Sprintf("%s has %s where a text must be", m[1], kind), "write NAME=value after each -, or NAME: value without any"
		}},
		{regexp.MustCompile(`^(top-level object|services) must be a mapping$`), func(b *bundle, m []string) (where, string, string) {
			if m[1] == "services" {
				return where{b.main, b.line(b.main, []string{"services"})}, "services is not a mapping", "write the name of each service with a colon below it, indented, without -"
			}
			return where{b.main, 1}, "this is not a compose file", "begin with services:, and each service indented below it"
		}},
		{regexp.MustCompile(`^((?:services|networks|volumes|configs|secrets)\.\S+) must be an? (.*)$`), func(_ *bundle, m []string) (where, string, string) {
			kinds := strings.NewReplacer("array", "list", "string", "text").Replace(m[2])
			remedy := "write it so"
			switch kinds {
			case "list":
				remedy = "write each item on a line of its own, after -"
			case "text":
				remedy = "write it in quotes"
			case "mapping":
				remedy = "write lines of NAME: value below it"
			}
			return where{}, m[1] + " must be a " + kinds, remedy
		}},
		{regexp.MustCompile(`^services\.(?:scale|deploy\.replicas): can't set container_name and \S+`), func(b *bundle, m []string) (where, string, string) {
			return b.place("container_name"), "a service with several replicas has a container_name, which only one container can have", "take container_name away"
		}},
		{regexp.MustCompile(`^service "([^"]+)" has neither an image nor a build`), func(b *bundle, m []string) (where, string, string) {
			return b.find("services", m[1]), fmt.Sprintf("service %s has no image", m[1]), "name one with image"
		}},
		{regexp.MustCompile("^service (\\S+) declares mutually exclusive `network_mode` and `networks`$"), func(b *bundle, m []string) (where, string, string) {
			return b.find("services", m[1], "networks"), fmt.Sprintf("service %s has network_mode and networks", m[1]), "take one of them away"
		}},
		{regexp.MustCompile(`^(\S+) value must be one of (.*)$`), func(_ *bundle, m []string) (where, string, string) {
			return where{}, m[1] + " has a value that is not known", "use one of " + strings.ReplaceAll(m[2], "'", "")
		}},
		{regexp.MustCompile(`^(\S+) '.*' does not match pattern '(.*)'$`), func(_ *bundle, m []string) (where, string, string) {
			return where{}, m[1] + " has a value that is not known", "write what fits " + m[2]
		}},
		{regexp.MustCompile(`^cannot extend service "([^"]+)" in (\S+): service "([^"]+)" not found`), func(b *bundle, m []string) (where, string, string) {
			return b.find("services", m[1], "extends"), fmt.Sprintf("service %s extends service %s, which %s does not have", m[1], m[3], m[2]), "add it there, or correct its name"
		}},
		{regexp.MustCompile(`^unsupported env_file format "`), func(b *bundle, m []string) (where, string, string) {
			return b.place("env_file"), "a format of env_file is not supported", "leave format out, and put values with a dollar sign in single quotes"
		}},
		{regexp.MustCompile(`^(invalid interpolation format for \S+?)\. You may need`), func(_ *bundle, m []string) (where, string, string) {
			return where{}, m[1], "close the brace, or write $$ for a dollar sign"
		}},
		{regexp.MustCompile(`^(?:invalid (?:IP address|hostPort|containerPort|proto|ranges specified)|no port specified|empty string specified for ports)`), func(b *bundle, _ []string) (where, string, string) {
			return b.badPort()
		}},
	}
}

// clearer says what the loader said in words of our own. Nil: it is not among the sayings.
func (b *bundle) clearer(text string) *Error {
	for _, s := range sayings() {
		m := s.pattern.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		e := &Error{Code: ipc.CodeComposeInvalid}
		var at where
		if at, e.Text, e.Remedy = s.say(b, m); at.file != "" {
			e.File, e.Line = at.file, at.line
		} else if p := rePath.FindString(text); p != "" {
			at = b.find(strings.Split(p, ".")...)
			e.File, e.Line = at.file, at.line
		}
		return e
	}
	return nil
}

// place is where a service has a key, if it is only one that has it.
func (b *bundle) place(key string) where {
	var found []where
	for _, file := range slices.Sorted(maps.Keys(b.models)) {
		for _, model := range b.models[file] {
			for _, service := range slices.Sorted(maps.Keys(mapping(mapping(model)["services"]))) {
				if line, depth := b.descend(file, []string{"services", service, key}); depth == 3 {
					found = append(found, where{file, line})
				}
			}
		}
	}
	if len(found) != 1 {
		return where{file: b.main}
	}
	return found[0]
}

// badPort finds the port that the loader could not read. It is shown as it is written, without the values of variables.
func (b *bundle) badPort() (where, string, string) {
	const remedy = `write "HOST:CONTAINER" in quotes, with an address of the host before it if need be, such as "127.0.0.1:8080:80/tcp"`
	for _, file := range slices.Sorted(maps.Keys(b.models)) {
		for _, model := range b.models[file] {
			services := mapping(mapping(model)["services"])
			for _, service := range slices.Sorted(maps.Keys(services)) {
				for _, port := range list(mapping(services[service])["ports"]) {
					written, ok := port.(string)
					if !ok {
						continue
					}
					value, err := b.substitute(written, func(k string) (string, bool) { v, ok := b.env[k]; return v, ok })
					if err != nil {
						continue
					}
					if _, err := types.ParsePortConfig(value); err != nil {
						line, _ := b.descend(file, []string{"services", service, "ports"})
						return where{file, line}, fmt.Sprintf("service %s publishes %q, which is not a port", service, written), remedy
					}
				}
			}
		}
	}
	return where{file: b.main}, "a port that is published cannot be read", remedy
}
