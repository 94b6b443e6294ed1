package main

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/releases/releasefile"
	"github.com/farshore/farshore/protocol"
)

func TestAReleaseIsMadeWithoutAHub(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) (string, string) {
		var out, errOut bytes.Buffer
		main := &app{in: strings.NewReader(""), out: &out, errOut: &errOut, getenv: func(string) string { return "" }}
		root := newRoot(main)
		root.SetArgs(args)
		if err := root.ExecuteContext(t.Context()); err != nil {
			errOut.WriteString(err.Error())
		}
		return out.String(), errOut.String()
	}
	keyFile, file := filepath.Join(dir, "release.pem"), filepath.Join(dir, "v1.release")
	text, said := run("release", "keygen", keyFile)
	public, err := protocol.ParseReleaseKey(text)
	if err != nil || said != "" {
		t.Fatalf("keygen gives %q, %v, %s", text, err, said)
	}
	if info, err := os.Stat(keyFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the private key is %v, %v", info, err)
	}
	if _, said := run("release", "keygen", keyFile); !strings.Contains(said, "there already") {
		t.Errorf("a second key over the first: %q", said)
	}
	if _, said := run("release", "make", "--key", keyFile, "--version", "v1.0.0", "--out", file, dir); !strings.Contains(said, "no programs in") {
		t.Errorf("a folder without programs: %q", said)
	}
	folder := filepath.Join(dir, "linux-armv7")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "farshore-agent"), []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, said := run("release", "make", "--key", keyFile, "--version", "first", "--out", file, dir); !strings.Contains(said, "no semantic version") {
		t.Errorf("a version that is none: %q", said)
	}
	if out, said := run("release", "make", "--key", keyFile, "--version", "v1.0.0", "--out", file, dir); said != "" || !strings.Contains(out, "linux/arm/v7") {
		t.Fatalf("make gives %q, %s", out, said)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := releasefile.Open(f, []ed25519.PublicKey{public})
	if err != nil || r.Release.Version != "v1.0.0" || len(r.Release.Programs) != 1 {
		t.Errorf("the file holds %+v, %v", r, err)
	}
}
