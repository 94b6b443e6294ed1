// Package releases keeps the releases of agent and composer that operators have brought to the hub, and makes of them
// what travels to devices: each program in pieces, patched from what the device runs where that is known here.
//
// It owns the folder releases in the data folder. It believes nothing that no release key has signed, and never decides
// which device gets what. Pieces are made one program at a time, by Run, in a thread that yields to the rest of the
// hub, and are kept until their release goes. A Shelf is safe for concurrent use.
package releases

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/farshore/farshore/hub/releases/releasefile"
	"github.com/farshore/farshore/internal/durable"
	"github.com/farshore/farshore/protocol"
)

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("no such release")
	ErrExists   = errors.New("release is there already")
	ErrInUse    = errors.New("release is in use")
	ErrTooMany  = errors.New("too many releases")
	// ErrNoKey: the hub trusts no release key, so that it can accept no release.
	ErrNoKey = errors.New("this hub trusts no release key")
	// ErrPreparing: the pieces are being made; see Config.Ready.
	ErrPreparing = errors.New("is being made ready")
)

// MaxReleases is the most releases that are kept.
const MaxReleases = 16

// DirName is the folder in the data folder.
const DirName = "releases"

const manifestName = "release"

// Config is what a Shelf is made of.
type Config struct {
	// Dir is the folder that it owns. It is made when missing.
	Dir string
	// Keys that may have signed a release. None: no release is accepted.
	Keys []ed25519.PublicKey
	// InUse returns an error where a release must not be removed. Nil: any may.
	InUse func(version string) error
	// Ready is told when pieces are made that Parts was asked for. Nil: nobody is.
	Ready func()
	// Log must be set.
	Log *slog.Logger
}

// Release is one release on the shelf. It is immutable.
type Release struct {
	protocol.Release
	// Signed is the release as devices verify it.
	Signed []byte
	// Added is when it came.
	Added time.Time
}

// Shelf keeps releases.
//
// Lock order: adding, then mu.
type Shelf struct {
	cfg    Config     // immutable
	adding sync.Mutex // held while a bundle is taken in or a release removed

	mu       sync.Mutex
	releases map[string]*Release                  // guarded by mu: by version
	parts    map[pair]*Parts                      // guarded by mu
	blobs    map[protocol.ShortHash]protocol.Hash // guarded by mu: of parts
	queue    []pair                               // guarded by mu: to be made, the first is under way
	failed   map[pair]error                       // guarded by mu: could not be made
	wake     chan struct{}
}

// Open reads what is on the shelf. A release whose signature does not hold (any more) is left where it is, and not
// used.
func Open(cfg Config) (*Shelf, error) {
	if cfg.InUse == nil {
		cfg.InUse = func(string) error { return nil }
	}
	if cfg.Ready == nil {
		cfg.Ready = func() {}
	}
	s := &Shelf{
		cfg: cfg, releases: map[string]*Release{}, parts: map[pair]*Parts{}, blobs: map[protocol.ShortHash]protocol.Hash{},
		failed: map[pair]error{}, wake: make(chan struct{}, 1),
	}
	if err := os.MkdirAll(filepath.Join(cfg.Dir, partsName), 0o700); err != nil {
		return nil, fmt.Errorf("make folder of releases: %w", err)
	}
	found, err := os.ReadDir(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("read folder of releases: %w", err)
	}
	for _, f := range found {
		switch {
		case f.Name() == partsName:
		case strings.HasPrefix(f.Name(), incoming): // the hub ended while it came
			if err := os.RemoveAll(filepath.Join(cfg.Dir, f.Name())); err != nil {
				return nil, fmt.Errorf("remove what is left of a release: %w", err)
			}
		case f.IsDir():
			if err := s.load(f.Name()); err != nil {
				cfg.Log.Warn("a release is not used: upload it anew, or remove its folder", "release", f.Name(), "error", err)
			}
		}
	}
	return s, s.loadParts()
}

func (s *Shelf) load(version string) error {
	path := filepath.Join(s.cfg.Dir, version, manifestName)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	signed, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	r, err := protocol.OpenRelease(signed, s.cfg.Keys)
	if err != nil {
		return err
	}
	if r.Version != version {
		return fmt.Errorf("it is of version %s", r.Version)
	}
	for _, p := range r.Programs {
		if info, err := os.Stat(s.path(version, p)); err != nil || uint64(info.Size()) != p.Size {
			return fmt.Errorf("%s is missing or not whole", releasefile.NameOf(p))
		}
	}
	s.releases[version] = &Release{Release: r, Signed: signed, Added: info.ModTime()}
	return nil
}

func (s *Shelf) path(version string, p protocol.Program) string {
	return filepath.Join(s.cfg.Dir, version, p.Hash.String())
}

// incoming begins the name of the folder of a release that is being taken in.
const incoming = ".incoming-"

// Add takes a bundle in. Nothing of it is kept where it fails. Errors wrap releasefile.ErrInvalid, protocol.ErrBadSignature,
// ErrNoKey, ErrExists or ErrTooMany, or are those of the disk or of r.
func (s *Shelf) Add(ctx context.Context, r io.Reader) (Release, error) {
	if len(s.cfg.Keys) == 0 {
		return Release{}, fmt.Errorf("%w: start it with --release-key and the key that `farshore release keygen` printed", ErrNoKey)
	}
	s.adding.Lock()
	defer s.adding.Unlock()
	b, err := releasefile.Open(r, s.cfg.Keys)
	if err != nil {
		return Release{}, err
	}
	defer b.Close()
	version := b.Release.Version
	if err := s.room(version); err != nil {
		return Release{}, err
	}
	dir, err := os.MkdirTemp(s.cfg.Dir, incoming)
	if err != nil {
		return Release{}, fmt.Errorf("take in release %s: %w", version, err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // it is not there any more when all went well
	if err := s.takeIn(ctx, dir, b); err != nil {
		return Release{}, fmt.Errorf("take in release %s: %w", version, err)
	}
	if err := os.Rename(dir, filepath.Join(s.cfg.Dir, version)); err != nil {
		return Release{}, fmt.Errorf("take in release %s: %w", version, err)
	}
	out := &Release{Release: b.Release, Signed: b.Signed, Added: time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.releases[version] = out
	return *out, durable.Sync(s.cfg.Dir)
}

// room reports why there is no room for a version.
func (s *Shelf) room(version string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if version != filepath.Base(version) || strings.HasPrefix(version, ".") || version == partsName {
		return fmt.Errorf("%w: version %.40q", releasefile.ErrInvalid, version)
	}
	if s.releases[version] != nil {
		return fmt.Errorf("release %s: %w: give another build another version, or remove it first", version, ErrExists)
	}
	if len(s.releases) >= MaxReleases {
		return fmt.Errorf("%w: %d are here: remove one that no device needs", ErrTooMany, MaxReleases)
	}
	if _, err := os.Stat(filepath.Join(s.cfg.Dir, version)); err == nil { // its signature does not hold any more
		return os.RemoveAll(filepath.Join(s.cfg.Dir, version))
	}
	return nil
}

func (s *Shelf) takeIn(ctx context.Context, dir string, b *releasefile.Reader) error {
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		var file *os.File
		_, err := b.Next(func(p protocol.Program) (w io.Writer, err error) {
			file, err = os.OpenFile(filepath.Join(dir, p.Hash.String()), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
			return file, err
		})
		if file != nil {
			if err == nil {
				err = file.Sync()
			}
			err = errors.Join(err, file.Close())
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	return writeFile(filepath.Join(dir, manifestName), b.Signed)
}

// List returns the releases, the newest version first.
func (s *Shelf) List() []Release {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Release, 0, len(s.releases))
	for _, r := range s.releases {
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b Release) int {
		if c := protocol.CompareVersions(b.Version, a.Version); c != 0 {
			return c
		}
		return strings.Compare(a.Version, b.Version)
	})
	return out
}

// Get returns a release. The error wraps ErrNotFound where there is none.
func (s *Shelf) Get(version string) (Release, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.releases[version]; r != nil {
		return *r, nil
	}
	return Release{}, fmt.Errorf("release %.60q: %w: `farshore releases ls` lists those that are here", version, ErrNotFound)
}

// Remove removes a release with what was made of it. Errors wrap ErrNotFound or ErrInUse.
func (s *Shelf) Remove(version string) error {
	s.adding.Lock()
	defer s.adding.Unlock()
	if _, err := s.Get(version); err != nil {
		return err
	}
	if err := s.cfg.InUse(version); err != nil {
		return fmt.Errorf("release %s: %w: %w", version, ErrInUse, err)
	}
	s.mu.Lock()
	delete(s.releases, version)
	s.mu.Unlock()
	if err := os.RemoveAll(filepath.Join(s.cfg.Dir, version)); err != nil {
		return fmt.Errorf("remove release %s: %w", version, err)
	}
	return s.dropParts()
}

// writeFile makes a file durable under its name.
func writeFile(path string, data []byte) error {
	if err := durable.Write(path+".new", data); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
