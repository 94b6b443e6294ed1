package releasefile

import (
	"archive/tar"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/farshore/farshore/protocol"
)

// Spec is what a bundle is made of.
type Spec struct {
	Key     ed25519.PrivateKey
	Version string
	// Created is noted in the release.
	Created time.Time
	// Dir has a folder for each platform, such as linux-armv7, with farshore-agent and farshore-composer in it. What else
	// is there is left out.
	Dir string
}

// Make writes a bundle and gives its release. The same programs, version, time and key give the same bytes.
func Make(w io.Writer, s Spec) (protocol.Release, error) {
	r := protocol.Release{Version: s.Version, Created: s.Created.Unix()}
	var err error
	if r.Programs, err = find(s.Dir); err != nil {
		return r, err
	}
	signed, err := protocol.SignRelease(s.Key, r)
	if err != nil {
		return r, err
	}
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithWindowSize(maxWindow), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return r, err
	}
	t := tar.NewWriter(z)
	err = add(t, releaseName, int64(len(signed)), strings.NewReader(string(signed)))
	for _, p := range r.Programs {
		if err == nil {
			err = addFile(t, s.Dir, p)
		}
	}
	return r, errors.Join(err, t.Close(), z.Close())
}

// find lists the programs of a folder.
func find(dir string) ([]protocol.Program, error) {
	platforms, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read folder of programs: %w", err)
	}
	var out []protocol.Program
	for _, platform := range platforms {
		system, arch, ok := strings.Cut(platform.Name(), "-")
		if !ok || !platform.IsDir() {
			continue
		}
		for _, name := range []string{protocol.ProgramAgent, protocol.ProgramComposer} {
			p := protocol.Program{Name: name, OS: system, Arch: strings.TrimSuffix(arch, "v7")}
			path := filepath.Join(dir, platform.Name(), name)
			if p.Size, p.Hash, err = measure(path); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no programs in %q: want folders such as linux-amd64 with %s and %s, as `make build-all` makes", dir, protocol.ProgramAgent, protocol.ProgramComposer)
	}
	return out, nil
}

func measure(path string) (uint64, protocol.Hash, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, protocol.Hash{}, err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	return uint64(n), protocol.Hash(sum.Sum(nil)), err
}

func addFile(t *tar.Writer, dir string, p protocol.Program) error {
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(NameOf(p))))
	if err != nil {
		return err
	}
	defer f.Close()
	return add(t, NameOf(p), int64(p.Size), f)
}

func add(t *tar.Writer, name string, size int64, r io.Reader) error {
	if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: size, Format: tar.FormatUSTAR}); err != nil {
		return err
	}
	_, err := io.Copy(t, r)
	return err
}
