package staging

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/farshore/farshore/internal/durable"
)

// keyBytes is how much of a key's HMAC goes into its name: 16 bytes are beyond accidental equality.
const keyBytes = 16

// saltBytes is the size of the salt file.
const saltBytes = 32

// Content is a copy of one path of a bundle that containers may mount.
type Content struct {
	// Path is where the copy is: absolute, and the same for as long as the path's name and content stay the same.
	Path string
	// Key is the name of the copy: an HMAC under the stack's salt over name and content.
	Key string
}

// Content returns the copy of the file or folder rel (with slashes; "." is the whole bundle) of the bundle in dir, and
// makes it first if it is missing. The error wraps fs.ErrNotExist when the bundle has no such path.
func (s *Store) Content(dir, rel string) (Content, error) {
	if !fs.ValidPath(rel) {
		return Content{}, fmt.Errorf("stage %q: %w", rel, ErrBadName)
	}
	source := filepath.Join(dir, filepath.FromSlash(rel))
	if _, err := os.Lstat(source); err != nil {
		return Content{}, fmt.Errorf("stage %q: %w", rel, err)
	}
	key, err := s.treeKey(source, rel)
	if err != nil {
		return Content{}, fmt.Errorf("stage %q: %w", rel, err)
	}
	base := path.Base(rel)
	if rel == "." {
		base = "bundle"
	}
	c := Content{Key: key, Path: filepath.Join(s.root, contentDir, key, base)}
	if _, err := os.Lstat(c.Path); err == nil {
		return c, nil
	}
	if err := s.copyContent(source, c, base); err != nil {
		return Content{}, fmt.Errorf("stage %q: %w", rel, err)
	}
	return c, nil
}

func (s *Store) copyContent(source string, c Content, base string) error {
	parent := filepath.Join(s.root, contentDir)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(parent, tempPrefix)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if err := copyTree(source, filepath.Join(tmp, base)); err != nil {
		return err
	}
	if err := durable.Sync(tmp); err != nil {
		return err
	}
	final := filepath.Dir(c.Path)
	// Content is complete from the moment it has its name, so one that lacks its base was emptied by hand.
	if err := os.RemoveAll(final); err != nil {
		return err
	}
	if err := publish(tmp, final); err != nil {
		return err
	}
	return durable.Sync(s.root)
}

// Data returns the folder that stands for the relative path rel that no bundle has, and makes it (mode 0755) if it is
// missing. It is the same for all versions, and only RemoveData removes it. Containers write to folders above it, so
// a symbolic link on the way is refused: it could lead anywhere on the host, and be mounted.
func (s *Store) Data(rel string) (string, error) {
	if err := CheckName(rel); err != nil {
		return "", fmt.Errorf("data folder: %w", err)
	}
	dir := s.DataPath(rel)
	for at := dir; at != s.root; at = filepath.Dir(at) {
		if info, err := os.Lstat(at); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return "", fmt.Errorf("data folder %q: %q is a symbolic link, which a container may have put there; remove it on the device: %w", rel, at, ErrBadName)
		}
	}
	if _, err := os.Lstat(dir); err == nil {
		return dir, nil // containers may have given it another mode
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("data folder %q: %w", rel, err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", fmt.Errorf("data folder %q: %w", rel, err)
	}
	return dir, nil
}

// DataPath is where Data puts rel, without making it.
func (s *Store) DataPath(rel string) string {
	return filepath.Join(s.root, dataDir, filepath.FromSlash(rel))
}

// RemoveData removes everything that containers wrote to data folders.
func (s *Store) RemoveData() error {
	if err := os.RemoveAll(filepath.Join(s.root, dataDir)); err != nil {
		return fmt.Errorf("remove data folders: %w", err)
	}
	return nil
}

// Sweep removes the copies that nothing mounts any more. used are the mount sources of all containers of the stack.
func (s *Store) Sweep(used []string) error {
	parent := filepath.Join(s.root, contentDir)
	entries, err := os.ReadDir(parent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweep content: %w", err)
	}
	keep := map[string]bool{}
	for _, p := range used {
		keep[filepath.Dir(filepath.Clean(p))] = true
	}
	for _, e := range entries {
		dir := filepath.Join(parent, e.Name())
		if keep[dir] {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("sweep content %q: %w", e.Name(), err)
		}
	}
	return nil
}

// Fingerprint names values (for instance the text of a secret) so that equal lists have equal names on this stack, and
// the name tells nothing of the values elsewhere.
func (s *Store) Fingerprint(values ...string) (string, error) {
	mac, err := s.mac()
	if err != nil {
		return "", err
	}
	for _, v := range values {
		writeField(mac, []byte(v))
	}
	return hex.EncodeToString(mac.Sum(nil)[:keyBytes]), nil
}

// treeKey is the key of the file or folder at source: over its name in the bundle, and over name, executable bit and
// content of each file. The name is part of it because containers may write to what they mount, so two paths with
// equal content are still two.
func (s *Store) treeKey(source, rel string) (string, error) {
	mac, err := s.mac()
	if err != nil {
		return "", err
	}
	writeField(mac, []byte(rel))
	err = walk(source, func(name string, mode fs.FileMode) error {
		writeField(mac, []byte(name))
		writeField(mac, []byte{byte(mode.Perm() >> 6 & 1)})
		data, err := os.ReadFile(filepath.Join(source, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		writeField(mac, data)
		return nil
	})
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(mac.Sum(nil)[:keyBytes]), nil
}

type hasher interface {
	io.Writer
	Sum(b []byte) []byte
}

func (s *Store) mac() (hasher, error) {
	salt, err := s.salt()
	if err != nil {
		return nil, err
	}
	return hmac.New(sha256.New, salt), nil
}

// salt reads the stack's salt and makes it on first use. A salt that is damaged is made anew, which recreates the
// containers that mount content once and loses nothing.
func (s *Store) salt() ([]byte, error) {
	file := filepath.Join(s.root, saltFile)
	salt, err := os.ReadFile(file)
	if err == nil && len(salt) == saltBytes {
		return salt, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read salt of stack folder: %w", err)
	}
	salt = make([]byte, saltBytes)
	if _, err := rand.Read(salt); err != nil {
		return nil, fmt.Errorf("make salt of stack folder: %w", err)
	}
	tmp := filepath.Join(s.root, tempPrefix+saltFile)
	if err := writeFile(tmp, salt); err != nil {
		return nil, fmt.Errorf("write salt of stack folder: %w", err)
	}
	if err := os.Chmod(tmp, 0o600); err != nil {
		return nil, fmt.Errorf("write salt of stack folder: %w", err)
	}
	if err := publish(tmp, file); err != nil {
		return nil, fmt.Errorf("write salt of stack folder: %w", err)
	}
	return salt, nil
}
