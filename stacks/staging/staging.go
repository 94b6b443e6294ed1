// Package staging keeps the files of one stack on the device: the bundle of each version, complete or absent, and
// the copies that containers mount, each at a path that changes exactly when its content changes. DESIGN.md of
// stacks/composer says why.
//
// It is pure file work: it never talks to an engine or a hub and knows nothing of Compose. A Store has no state in
// memory besides its root; two processes must not change one root at the same time (the composer holds a lock).
package staging

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/farshore/farshore/internal/durable"
)

// LockName is the file in a stack's root that whoever changes the root locks first.
const LockName = "lock"

// Names in a stack's root beside the bundles.
const (
	contentDir = "content" // content/<key>/<base>: what containers mount, never changed by us once it is there
	dataDir    = "data"    // data/<path>: folders that containers fill, for relative paths that no bundle has
	saltFile   = "salt"    // 32 random bytes that keep keys from telling what is in small secret files
	tempPrefix = ".tmp-"   // being written; of no worth after a crash
)

// ErrBadName is wrapped by the errors for file names and paths that could leave their folder.
var ErrBadName = errors.New("is not a plain relative path inside the bundle")

// Store is one stack's folder.
type Store struct {
	root string
}

// Open makes the stack's folder if it is missing (mode 0700: what is inside is reached by the engine, not by other
// users of the device) and removes what a crash left half-written.
func Open(root string) (*Store, error) {
	if !filepath.IsAbs(root) {
		return nil, fmt.Errorf("open stack folder %q: the path must be absolute", root)
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("open stack folder: %w", err)
	}
	s := &Store{root: filepath.Clean(root)}
	for _, dir := range []string{s.root, filepath.Join(s.root, contentDir)} {
		if err := removeTemp(dir); err != nil {
			return nil, fmt.Errorf("open stack folder %q: %w", root, err)
		}
	}
	return s, nil
}

// PutBundle writes one version's files to the folder version below the root and returns that folder. After a crash at
// any point the folder is there complete or not at all. A folder that is there already with the same content is left
// as it is; with other content (a damaged disk, a curious hand) it is replaced. File names are relative, with slashes.
// A file that begins with "#!" is made executable, as bundles carry no modes.
func (s *Store) PutBundle(version string, files map[string][]byte) (string, error) {
	if err := checkVersion(version); err != nil {
		return "", err
	}
	dir := filepath.Join(s.root, version)
	if holds(dir, files) {
		return dir, nil
	}
	tmp, err := os.MkdirTemp(s.root, tempPrefix)
	if err != nil {
		return "", fmt.Errorf("write bundle %q: %w", version, err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	next := filepath.Join(tmp, version)
	if err := Write(next, files); err != nil {
		return "", fmt.Errorf("write bundle %q: %w", version, err)
	}
	if err := os.Rename(dir, filepath.Join(tmp, "old")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("write bundle %q: %w", version, err)
	}
	if err := publish(next, dir); err != nil {
		return "", fmt.Errorf("write bundle %q: %w", version, err)
	}
	return dir, nil
}

// PruneBundles removes the bundles of all versions but those to keep. What containers mount is not touched: that
// lives in the content folder, see Sweep.
func (s *Store) PruneBundles(keep ...string) error {
	entries, err := os.ReadDir(s.root)
	if err != nil {
		return fmt.Errorf("prune bundles: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || checkVersion(e.Name()) != nil || slices.Contains(keep, e.Name()) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.root, e.Name())); err != nil {
			return fmt.Errorf("prune bundle %q: %w", e.Name(), err)
		}
	}
	return nil
}

// Write puts files below dir, which must not exist yet, and forces them to disk. It is not atomic by itself; names
// are checked before anything is written.
func Write(dir string, files map[string][]byte) error {
	for name := range files {
		if err := CheckName(name); err != nil {
			return err
		}
	}
	dirs := map[string]bool{dir: true}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for name, data := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		for d := filepath.Dir(file); d != dir; d = filepath.Dir(d) {
			dirs[d] = true
		}
		if err := writeFile(file, data); err != nil {
			return err
		}
	}
	for d := range dirs {
		if err := durable.Sync(d); err != nil {
			return err
		}
	}
	return nil
}

// CheckName says whether name can be a file of a bundle: relative, with slashes, no "." or ".." in it, no backslash.
func CheckName(name string) error {
	if name == "." || !fs.ValidPath(name) || strings.ContainsAny(name, "\\\x00") {
		return fmt.Errorf("file name %q %w", name, ErrBadName)
	}
	return nil
}

// Read is the counterpart of Write: all files below dir by their names. Anything that is not a regular file or a
// folder is refused, symbolic links above all, as they could lead out of the bundle.
func Read(dir string) (map[string][]byte, error) {
	files := map[string][]byte{}
	err := walk(dir, func(name string, _ fs.FileMode) error {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		files[name] = data
		return err
	})
	return files, err
}

// walk visits the regular files below dir (or dir itself when it is a file, with the name "") in lexical order.
func walk(dir string, visit func(name string, mode fs.FileMode) error) error {
	return filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return nil
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%q is neither a file nor a folder; put a plain file in its place: %w", rel, ErrBadName)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if rel == "." {
			rel = ""
		}
		return visit(filepath.ToSlash(rel), info.Mode())
	})
}

func checkVersion(version string) error {
	reserved := []string{contentDir, dataDir, saltFile, LockName}
	if CheckName(version) != nil || path.Base(version) != version || strings.HasPrefix(version, ".") || slices.Contains(reserved, version) {
		return fmt.Errorf("bundle version %q cannot be the name of a folder", version)
	}
	return nil
}

// holds says whether dir has exactly these files with these contents.
func holds(dir string, files map[string][]byte) bool {
	have, err := Read(dir)
	if err != nil || len(have) != len(files) {
		return false
	}
	for name, data := range files {
		if got, ok := have[name]; !ok || !bytes.Equal(got, data) {
			return false
		}
	}
	return true
}
