package staging

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func bundle(site string) map[string][]byte {
	return map[string][]byte{
		"compose.yml":    []byte("services: {}"),
		"conf/site.conf": []byte(site),
		"conf/run.sh":    []byte("#!/bin/sh\n"),
		"copy/site.conf": []byte(site),
	}
}

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "stack"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *Store, version, site string) string {
	t.Helper()
	dir, err := s.PutBundle(version, bundle(site))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func content(t *testing.T, s *Store, dir, rel string) string {
	t.Helper()
	c, err := s.Content(dir, rel)
	if err != nil {
		t.Fatal(err)
	}
	return c.Path
}

func TestContentMovesExactlyWhenItChanges(t *testing.T) {
	s := open(t)
	v1, v2, v3 := put(t, s, "v1", "one"), put(t, s, "v2", "one"), put(t, s, "v3", "three")
	for _, rel := range []string{"conf", "conf/site.conf"} {
		first := content(t, s, v1, rel)
		if got := content(t, s, v2, rel); got != first {
			t.Errorf("%s: same content in another version moved from %s to %s", rel, first, got)
		}
		if got := content(t, s, v3, rel); got == first {
			t.Errorf("%s: changed content stayed at %s", rel, got)
		}
		if content(t, s, v3, "conf/run.sh") != content(t, s, v1, "conf/run.sh") {
			t.Error("conf/run.sh did not change and moved")
		}
	}
	if content(t, s, v1, "conf/site.conf") == content(t, s, v1, "copy/site.conf") {
		t.Error("two paths with equal content share one copy, so what a container writes to one shows in the other")
	}
	got, err := os.ReadFile(filepath.Join(content(t, s, v3, "conf"), "site.conf"))
	if err != nil || string(got) != "three" {
		t.Errorf("staged content is %q, %v", got, err)
	}
}

func TestContentIsReadableAndScriptsRun(t *testing.T) {
	s := open(t)
	dir := content(t, s, put(t, s, "v1", "one"), "conf")
	for name, want := range map[string]fs.FileMode{"": 0o755 | fs.ModeDir, "site.conf": 0o644, "run.sh": 0o755} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != want {
			t.Errorf("mode of %q is %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
}

func TestWhatContainersWroteStaysUntilTheContentChanges(t *testing.T) {
	s := open(t)
	dir := put(t, s, "v1", "one")
	mark := filepath.Join(content(t, s, dir, "conf"), "written")
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	content(t, s, put(t, s, "v2", "one"), "conf")
	if _, err := os.Stat(mark); err != nil {
		t.Errorf("gone: %v", err)
	}
}

func TestSweepKeepsWhatIsMounted(t *testing.T) {
	s := open(t)
	dir := put(t, s, "v1", "one")
	used, unused := content(t, s, dir, "conf/site.conf"), content(t, s, dir, "copy")
	if err := s.Sweep([]string{"/etc/localtime", used}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(used); err != nil {
		t.Errorf("what a container mounts is gone: %v", err)
	}
	if _, err := os.Stat(unused); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what nothing mounts is still there: %v", err)
	}
}

func TestPutBundleRepairsAndLeavesNoHalves(t *testing.T) {
	s := open(t)
	dir := put(t, s, "v1", "one")
	if err := os.WriteFile(filepath.Join(dir, "compose.yml"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	// What a crash in the middle of a write leaves behind.
	half := filepath.Join(s.root, tempPrefix+"x", "v2")
	if err := os.MkdirAll(half, 0o755); err != nil {
		t.Fatal(err)
	}
	again, err := Open(s.root)
	if err != nil {
		t.Fatal(err)
	}
	if !holds(put(t, again, "v1", "one"), bundle("one")) {
		t.Error("the damaged bundle was not put right")
	}
	entries, err := os.ReadDir(s.root)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v; want the one bundle", entries, err)
	}
	put(t, s, "v2", "two")
	if err := s.PruneBundles("v2"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(s.root, "v2")); err != nil {
		t.Error("pruned the bundle to keep")
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("kept the bundle to prune")
	}
}

func TestNamesThatLeaveTheBundleAreRefused(t *testing.T) {
	s := open(t)
	for _, name := range []string{"../x", "/x", "a/../../x", `a\b`, ".", "", "a//b"} {
		if _, err := s.PutBundle("v", map[string][]byte{name: nil}); !errors.Is(err, ErrBadName) {
			t.Errorf("file name %q: got %v, want ErrBadName", name, err)
		}
		if _, err := s.Data(name); !errors.Is(err, ErrBadName) {
			t.Errorf("data folder %q: got %v, want ErrBadName", name, err)
		}
	}
	for _, version := range []string{"content", "data", "a/b", "..", ".x", ""} {
		if _, err := s.PutBundle(version, nil); err == nil {
			t.Errorf("version %q was accepted as a folder name", version)
		}
	}
	dir := put(t, s, "v1", "one")
	if err := os.Symlink("/etc", filepath.Join(dir, "conf/etc")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Content(dir, "conf"); !errors.Is(err, ErrBadName) {
		t.Errorf("a symbolic link was staged: %v", err)
	}
}

// A container that fills ./a must not decide what another gets that mounts ./a/b.
func TestDataFoldersDoNotFollowLinks(t *testing.T) {
	s, outside := open(t), t.TempDir()
	a, err := s.Data("a")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(a, "b")); err != nil {
		t.Fatal(err)
	}
	for _, rel := range []string{"a/b", "a/b/c"} {
		if dir, err := s.Data(rel); !errors.Is(err, ErrBadName) {
			t.Errorf("data folder %q is %q, %v; want ErrBadName", rel, dir, err)
		}
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) != 0 {
		t.Errorf("made outside the stack's folder: %v, %v", left, err)
	}
	if again, err := s.Data("a"); err != nil || again != a {
		t.Errorf("%q, %v", again, err)
	}
}

func TestFingerprintTellsNothingElsewhere(t *testing.T) {
	a, b := open(t), open(t)
	one, err := a.Fingerprint("x", "y")
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]func() (string, error){
		"another stack":   func() (string, error) { return b.Fingerprint("x", "y") },
		"other values":    func() (string, error) { return a.Fingerprint("xy") },
		"split otherwise": func() (string, error) { return a.Fingerprint("xy", "") },
	} {
		if got, err := other(); err != nil || got == one {
			t.Errorf("%s: same fingerprint (%v)", name, err)
		}
	}
	if again, _ := a.Fingerprint("x", "y"); again != one {
		t.Error("the fingerprint of the same values changed")
	}
}
