package program

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// ErrUsage is wrapped by errors about what was typed; the caller exits with code 2.
var ErrUsage = errors.New("usage")

// Source is where settings come from beside the command line.
type Source struct {
	// Prefix of environment variables, without the last underscore.
	Prefix string
	// Lookup looks a variable up. Nil: os.LookupEnv.
	Lookup func(string) (string, bool)
	// FileFlag is the name of the flag that names a YAML file. "": there is none.
	FileFlag string
}

// Parse fills fs from the command line, the environment and a YAML file, in that order of precedence, so that each
// setting has one name in all three: flag --mqtt-listen, variable PREFIX_MQTT_LISTEN, key mqtt-listen.
// Positional arguments are left in fs.Args. Errors wrap ErrUsage, or flag.ErrHelp when help was asked
// for and printed.
func Parse(fs *flag.FlagSet, args []string, src Source) error {
	if src.Lookup == nil {
		src.Lookup = os.LookupEnv
	}
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var errs []error
	fs.VisitAll(func(f *flag.Flag) {
		name := Variable(src.Prefix, f.Name)
		if v, ok := src.Lookup(name); ok && !given[f.Name] {
			if err := fs.Set(f.Name, v); err != nil {
				errs = append(errs, fmt.Errorf("%w: environment variable %s: %w", ErrUsage, name, err))
			}
			given[f.Name] = true
		}
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if src.FileFlag == "" {
		return nil
	}
	return fromFile(fs, src.FileFlag, given)
}

// Variable is the name of the environment variable of a flag.
func Variable(prefix, name string) string {
	return prefix + "_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

func fromFile(fs *flag.FlagSet, fileFlag string, given map[string]bool) error {
	path := fs.Lookup(fileFlag).Value.String()
	if path == "" {
		return nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%w: read configuration %q: %w", ErrUsage, path, err)
	}
	values := map[string]yaml.Node{}
	if err := yaml.Unmarshal(raw, &values); err != nil {
		return fmt.Errorf("%w: configuration %q: want a YAML map of setting and value: %w", ErrUsage, path, err)
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		node := values[name]
		if fs.Lookup(name) == nil || name == fileFlag {
			return fmt.Errorf("%w: configuration %q, line %d: there is no setting %q: see --help", ErrUsage, path, node.Line, name)
		}
		if node.Kind != yaml.ScalarNode {
			return fmt.Errorf("%w: configuration %q, line %d: %s wants one value", ErrUsage, path, node.Line, name)
		}
		if given[name] {
			continue
		}
		if err := fs.Set(name, node.Value); err != nil {
			return fmt.Errorf("%w: configuration %q, line %d: %s: %w", ErrUsage, path, node.Line, name, err)
		}
	}
	return nil
}
