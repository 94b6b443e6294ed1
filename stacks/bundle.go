package stacks

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/farshore/farshore/protocol"
)

// BundleFiles checks a bundle, file contents by path, against the limits of package protocol, and returns its files
// sorted by path. Errors wrap ErrInvalid.
func BundleFiles(bundle map[string][]byte) ([]protocol.File, error) {
	if len(bundle) == 0 {
		return nil, fmt.Errorf("%w: the bundle has no files; it needs a compose.yml at least", ErrInvalid)
	}
	if len(bundle) > protocol.MaxBundleFiles {
		return nil, fmt.Errorf("%w: the bundle has %d files, at most %d: pack what belongs together, or move data to an image",
			ErrInvalid, len(bundle), protocol.MaxBundleFiles)
	}
	files := make([]protocol.File, 0, len(bundle))
	total := 0
	for _, name := range slices.Sorted(maps.Keys(bundle)) {
		content := bundle[name]
		if err := checkFile(bundle, name); err != nil {
			return nil, err
		}
		total += len(content)
		files = append(files, protocol.File{Path: name, Hash: protocol.HashOf(content), Size: int64(len(content))})
	}
	if total > protocol.MaxBundle {
		return nil, fmt.Errorf("%w: the bundle has %d bytes, at most %d: move large data to an image", ErrInvalid, total,
			protocol.MaxBundle)
	}
	return files, nil
}

func checkFile(bundle map[string][]byte, name string) error {
	if err := protocol.ValidPath(name); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if !utf8.ValidString(name) {
		return fmt.Errorf("%w: file path %q is not UTF-8; rename it", ErrInvalid, name)
	}
	if n := len(bundle[name]); n > protocol.MaxBlob {
		return fmt.Errorf("%w: file %q has %d bytes, at most %d: move large data to an image", ErrInvalid, name, n,
			protocol.MaxBlob)
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if _, ok := bundle[dir]; ok {
			return fmt.Errorf("%w: %q is both a file and the folder of %q; rename one", ErrInvalid, dir, name)
		}
	}
	return nil
}

// Mentions returns the reserved variables that the bundle's YAML and environment files use, sorted.
func Mentions(bundle map[string][]byte) []string {
	found := map[string]bool{}
	for name, content := range bundle {
		switch {
		case strings.HasSuffix(name, ".yml"), strings.HasSuffix(name, ".yaml"), strings.Contains(path.Base(name), "env"):
		default:
			continue
		}
		for _, m := range reserved.FindAll(content, -1) {
			found[string(m)] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// CheckEntry checks that an entry fits an order.
func CheckEntry(e *protocol.Entry) error {
	b, err := protocol.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode entry of stack %q: %w", e.Name, err)
	}
	if len(b) > MaxEntry {
		return fmt.Errorf("%w: its list of files and variables takes %d bytes, at most %d: use fewer files or shorter paths",
			ErrInvalid, len(b), MaxEntry)
	}
	return nil
}

// Target is what reserved variables are made of: a device as operators see it.
type Target struct {
	// Name of the device.
	Name string
	// Labels in effect on the device.
	Labels map[string]string
	// Group that it is in, a path.
	Group string
	// Confirmed: somebody has seen its pairing code, so that it may have secrets.
	Confirmed bool
	// Capability of its agent, as it said last.
	Capability uint
	// Spent: its budget has nothing left for files and images, as it said last.
	Spent bool
}

// Names of reserved variables.
const (
	EnvDeviceName  = ReservedEnv + "DEVICE_NAME"
	EnvDeviceID    = ReservedEnv + "DEVICE_ID"
	EnvLabelPrefix = ReservedEnv + "LABEL_"
)

// DeviceEnv returns those reserved variables that are mentioned and have a value on the device:
// FARSHORE_DEVICE_NAME, FARSHORE_DEVICE_ID, and FARSHORE_LABEL_ with the label's key in capitals, where what is
// neither letter nor digit becomes "_". Of several keys with one variable the first in order counts.
func DeviceEnv(id protocol.DeviceID, target Target, mentions []string) map[string]string {
	if len(mentions) == 0 {
		return nil
	}
	all := map[string]string{EnvDeviceName: target.Name, EnvDeviceID: string(id)}
	for _, key := range slices.Sorted(maps.Keys(target.Labels)) {
		name := EnvLabelPrefix + envName(key)
		if _, taken := all[name]; !taken {
			all[name] = target.Labels[key]
		}
	}
	env := map[string]string{}
	for _, name := range mentions {
		if v, ok := all[name]; ok {
			env[name] = v
		}
	}
	return env
}

func envName(key string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, key)
}
