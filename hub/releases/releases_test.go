package releases_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/releases"
	"github.com/farshore/farshore/hub/releases/releasefile"
	"github.com/farshore/farshore/internal/transfer"
	"github.com/farshore/farshore/protocol"
)

// key is a release key for tests.
func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

// program gives bytes that do not compress; version changes some of them and shifts the rest.
func program(seed uint64, version string) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, 5<<20)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return append(append(b[:1<<20:1<<20], version...), b[1<<20:]...)
}

// made is a bundle of a version for two platforms, and the programs in it.
func made(t *testing.T, version string) ([]byte, protocol.Release) {
	t.Helper()
	dir := t.TempDir()
	for i, platform := range []string{"linux-amd64", "linux-armv7"} {
		if err := os.Mkdir(filepath.Join(dir, platform), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, platform, "farshore-agent"), program(uint64(i), version), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	r, err := releasefile.Make(&b, releasefile.Spec{Key: key(1), Version: version, Created: time.Unix(1_760_000_000, 0), Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), r
}

// shelf opens a shelf on a folder and runs it.
type shelf struct {
	*releases.Shelf
	t     *testing.T
	ready chan struct{}
}

func open(t *testing.T, dir string) *shelf {
	t.Helper()
	s := &shelf{t: t, ready: make(chan struct{}, 100)}
	var err error
	s.Shelf, err = releases.Open(releases.Config{
		Dir: dir, Keys: []ed25519.PublicKey{key(9).Public().(ed25519.PublicKey), key(1).Public().(ed25519.PublicKey)},
		Ready: func() { s.ready <- struct{}{} }, Log: slog.New(slog.DiscardHandler),
		InUse: func(version string) error {
			if version == "v9.0.0" {
				return errors.New("update u1 is under way")
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// parts waits until the pieces are there.
func (s *shelf) parts(want protocol.Program, base protocol.Hash) releases.Parts {
	s.t.Helper()
	for {
		p, err := s.Parts(want, base)
		if err == nil {
			return p
		}
		if !errors.Is(err, releases.ErrPreparing) {
			s.t.Fatal(err)
		}
		<-s.ready
	}
}

// apply puts a program together as a device does.
func (s *shelf) apply(p releases.Parts, base []byte) []byte {
	s.t.Helper()
	var out []byte
	for _, part := range p.Program.Parts {
		frame, err := s.Blob(part.Blob)
		if err != nil || len(frame) != int(part.BlobSize) || !s.Has(part.Blob) {
			s.t.Fatalf("piece %s: %d bytes, %v", part.Blob, len(frame), err)
		}
		b, err := transfer.UnpackPiece(frame, base[part.BaseFrom:part.BaseFrom+part.BaseSize], int(part.Size))
		if err != nil {
			s.t.Fatal(err)
		}
		out = append(out, b...)
	}
	return out
}

func TestReleasesAreKeptAndPatched(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	raw, old := made(t, "v1.2.0")
	if r, err := s.Add(t.Context(), bytes.NewReader(raw)); err != nil || r.Version != "v1.2.0" || len(r.Programs) != 2 {
		t.Fatalf("added is %+v, %v", r.Release, err)
	}
	raw, next := made(t, "v1.10.0")
	if _, err := s.Add(t.Context(), bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	want, _ := next.For(protocol.ProgramAgent, "linux/arm/v7")
	have, _ := old.For(protocol.ProgramAgent, "linux/arm/v7")
	base, ok := s.BaseOf(protocol.ProgramFact{Name: protocol.ProgramAgent, Hash: have.Hash.Short()})
	if !ok || base != have.Hash {
		t.Fatalf("the program that runs is found as %s, %v", base, ok)
	}
	patch := s.parts(want, base)
	if patch.Bytes > 10<<10 || protocol.HashOf(s.apply(patch, program(1, "v1.2.0"))) != want.Hash {
		t.Errorf("the patch of %d bytes does not give the program", patch.Bytes)
	}
	whole := s.parts(want, protocol.Hash{})
	if whole.Bytes < 5<<20 || protocol.HashOf(s.apply(whole, nil)) != want.Hash {
		t.Errorf("the whole of %d bytes does not give the program", whole.Bytes)
	}

	again := open(t, dir)
	if got := again.List(); len(got) != 2 || got[0].Version != "v1.10.0" || !bytes.Equal(got[0].Signed, again.List()[0].Signed) {
		t.Errorf("after a restart there are %+v", got)
	}
	if p, err := again.Parts(want, base); err != nil || p.Bytes != patch.Bytes {
		t.Errorf("after a restart the patch is %+v, %v", p, err)
	}
	if err := again.Remove("v1.2.0"); err != nil {
		t.Fatal(err)
	}
	if p, err := again.Parts(want, protocol.Hash{}); err != nil || protocol.HashOf(again.apply(p, nil)) != want.Hash {
		t.Errorf("without the earlier release the whole is %+v, %v", p, err)
	}
	if again.Has(patch.Program.Parts[0].Blob) {
		t.Error("a patch from a release that was removed is still given out")
	}
	if err := again.Remove("v1.2.0"); !errors.Is(err, releases.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
}

func TestBundlesThatAreRefusedLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	good, r := made(t, "v1.0.0")
	plain := func(change func(name string, body []byte) (string, []byte)) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		rd, err := releasefile.Open(bytes.NewReader(good), []ed25519.PublicKey{key(1).Public().(ed25519.PublicKey)})
		if err != nil {
			t.Fatal(err)
		}
		defer rd.Close()
		put := func(name string, body []byte) {
			name, body = change(name, body)
			if err := errors.Join(w.WriteHeader(&tar.Header{Name: name, Size: int64(len(body)), Mode: 0o600})); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(body); err != nil {
				t.Fatal(err)
			}
		}
		put("release", rd.Signed)
		for {
			var body bytes.Buffer
			p, err := rd.Next(func(protocol.Program) (io.Writer, error) { return &body, nil })
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			put(releasefile.NameOf(p), body.Bytes())
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	same := func(name string, body []byte) (string, []byte) { return name, body }
	for name, c := range map[string]struct {
		bundle []byte
		is     error
		says   string
	}{
		"text":       {[]byte("hello"), releasefile.ErrInvalid, "no bundle, or not a whole one"},
		"nothing":    {nil, releasefile.ErrInvalid, "no bundle"},
		"cut off":    {good[:len(good)/2], releasefile.ErrInvalid, "not a whole one"},
		"other file": {plain(func(_ string, b []byte) (string, []byte) { return "passwd", b }), releasefile.ErrInvalid, "`farshore release make`"},
		"altered release": {plain(func(n string, b []byte) (string, []byte) {
			if n == "release" {
				b = bytes.Replace(b, []byte("v1.0.0"), []byte("v1.0.1"), 1)
			}
			return n, b
		}), protocol.ErrBadSignature, "altered, or signed with a key that is not trusted"},
		"altered program": {plain(func(n string, b []byte) (string, []byte) {
			if strings.HasPrefix(n, "linux-armv7") {
				b[7]++
			}
			return n, b
		}), releasefile.ErrInvalid, "linux-armv7/farshore-agent is not what was signed"},
		"path out of the folder": {plain(func(n string, b []byte) (string, []byte) {
			return strings.Replace(n, "linux-", "../../linux-", 1), b
		}), releasefile.ErrInvalid, "should follow"},
	} {
		_, err := s.Add(t.Context(), bytes.NewReader(c.bundle))
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want one that says %q", name, err, c.says)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || len(s.List()) != 0 {
		t.Errorf("the folder has %v, %v: want that of the pieces alone", left, err)
	}
	if _, err := s.Add(t.Context(), bytes.NewReader(plain(same))); err != nil {
		t.Errorf("a bundle without zstd around it: %v", err)
	}
	if _, err := s.Add(t.Context(), bytes.NewReader(good)); !errors.Is(err, releases.ErrExists) {
		t.Errorf("the same again: %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, "v1.0.0", r.Programs[0].Hash.String()))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the program's file is %v, %v", info.Mode(), err)
	}
	if used, _ := made(t, "v9.0.0"); true {
		if _, err := s.Add(t.Context(), bytes.NewReader(used)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Remove("v9.0.0"); !errors.Is(err, releases.ErrInUse) || !strings.Contains(err.Error(), "u1") {
		t.Errorf("a release in use is removed: %v", err)
	}
	none, err := releases.Open(releases.Config{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := none.Add(t.Context(), bytes.NewReader(good)); !errors.Is(err, releases.ErrNoKey) || !strings.Contains(err.Error(), "--release-key") {
		t.Errorf("without keys: %v", err)
	}
}
