package program

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"

	"gopkg.in/yaml.v3"
)

// aDefault is a line of a sample that shows a default.
var aDefault = regexp.MustCompile(`(?m)^#([a-z-]+:( .*)?)$`)

// CheckSample says where a sample configuration is not what fs would take: it must name each setting once, and show
// the default of those that are commented out. It is for tests, and changes fs.
func CheckSample(fs *flag.FlagSet, path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var given, shown map[string]string
	if err := yaml.Unmarshal(raw, &given); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := yaml.Unmarshal(aDefault.ReplaceAll(raw, []byte("$1")), &shown); err != nil {
		return fmt.Errorf("%s, with its defaults: %w", path, err)
	}
	var errs []error
	fs.VisitAll(func(f *flag.Flag) {
		value, ok := shown[f.Name]
		_, set := given[f.Name]
		switch {
		case f.Name == "config": // names the file itself
		case !ok:
			errs = append(errs, fmt.Errorf("%s says nothing of the setting %s: %s", path, f.Name, f.Usage))
		case !set && value != f.DefValue:
			errs = append(errs, fmt.Errorf("%s says that %s is by default %q, and it is %q", path, f.Name, value, f.DefValue))
		}
	})
	for name, value := range shown {
		if fs.Lookup(name) == nil {
			errs = append(errs, fmt.Errorf("%s has %s, which is no setting", path, name))
		} else if err := fs.Set(name, value); err != nil && value != "" {
			errs = append(errs, fmt.Errorf("%s: %s: %w", path, name, err))
		}
	}
	return errors.Join(errs...)
}
