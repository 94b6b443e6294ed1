package vault

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSealedSecretsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	v, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte("correct horse battery staple")
	sealed := v.Seal("enrolment", secret)
	if bytes.Contains(sealed, secret) || bytes.Equal(sealed, v.Seal("enrolment", secret)) {
		t.Fatal("a sealed secret must not show, nor be the same twice")
	}
	again, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := again.Open("enrolment", sealed)
	if err != nil || !bytes.Equal(got, secret) {
		t.Fatalf("after a restart: %q, %v", got, err)
	}
	info, err := os.Stat(filepath.Join(dir, FileName))
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 32 {
		t.Fatalf("key file: %v %v, want 32 bytes and 0600", info, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, FileName+".*")); len(left) != 0 {
		t.Fatalf("left over: %v", left)
	}
}

func TestAlteredSecretsAreRefused(t *testing.T) {
	v, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	sealed := v.Seal("enrolment", []byte("s"))
	if _, err := v.Open("registry", sealed); !errors.Is(err, ErrAltered) {
		t.Errorf("other purpose: %v", err)
	}
	for i := range sealed {
		b := bytes.Clone(sealed)
		b[i] ^= 1
		if _, err := v.Open("enrolment", b); err == nil {
			t.Errorf("byte %d altered: opened", i)
		}
		if _, err := v.Open("enrolment", sealed[:i]); !errors.Is(err, ErrAltered) {
			t.Errorf("cut to %d bytes: %v", i, err)
		}
	}
	other, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open("enrolment", sealed); !errors.Is(err, ErrOtherKey) || !strings.Contains(err.Error(), FileName) {
		t.Errorf("other key: %v, want a sentence with the file to restore", err)
	}
}

func TestUnusableKeyFilesAreNamedAndKept(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"truncated": func(p string) error { return os.Truncate(p, 31) },
		"empty":     func(p string) error { return os.Truncate(p, 0) },
		"readable":  func(p string) error { return os.Chmod(p, 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := Open(dir); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, FileName)
			if err := spoil(path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(path)
			if _, err := Open(dir); !errors.Is(err, ErrBadKeyFile) || !strings.Contains(err.Error(), path) {
				t.Fatalf("%v, want the file named", err)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Fatal("the file was changed")
			}
		})
	}
}

func TestDerivedKeysStayAndDiffer(t *testing.T) {
	dir := t.TempDir()
	derive := func(dir, purpose string) string {
		t.Helper()
		v, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		b, err := v.Derive(purpose)
		if err != nil || len(b) != 32 {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		return string(b)
	}
	first := derive(dir, "sealing")
	if derive(dir, "sealing") != first {
		t.Error("after a restart there is another one")
	}
	if derive(dir, "other") == first || derive(t.TempDir(), "sealing") == first {
		t.Error("another purpose or another key file gives the same")
	}
}
