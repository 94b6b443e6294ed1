package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/backup"
)

func TestBackups(t *testing.T) {
	d := newDesk(t)
	d.login()
	secret, short := d.write("secret", "a passphrase for backups\n"), d.write("short", "elevenchars\n")
	file, folder := filepath.Join(d.dir, "hub.age"), filepath.Join(d.dir, "backups")
	if code, _, errOut := d.run("backup", "make", file, "--passphrase-file", short); code == 0 || strings.Contains(errOut, "elevenchars") {
		t.Errorf("a short passphrase: %d %s", code, errOut)
	}
	if code, _, errOut := d.run("backup", "make", file); code != 2 {
		t.Errorf("without a terminal: %d %s", code, errOut)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a file is there that is no backup")
	}
	if code, _, errOut := d.run("backup", "make", file, "--passphrase-file", secret); code != 0 {
		t.Fatal(errOut)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	key, err := backup.PassphraseKey("a passphrase for backups")
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Check(t.Context(), f, key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, mode %o", err, info.Mode().Perm())
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"backup", "plan", "--folder", folder, "--keep", "2", "--passphrase-file", secret},
		{"backup", "plan", "--folder", folder, "--at", "0 4 * * 1"}, // keeps the passphrase
		{"backup", "run"},
		{"backup", "show"},
	} {
		code, out, errOut := d.run(args...)
		if code != 0 || strings.Contains(out, "passphrase for") {
			t.Fatalf("%v: %d %s %s", args, code, out, errOut)
		}
		if args[1] == "show" && (!strings.Contains(out, "0 4 * * 1") || !strings.Contains(out, ".age, ")) {
			t.Errorf("shown: %s", out)
		}
	}
	if code, out, errOut := d.run("backup", "plan", "--off"); code != 0 || !strings.Contains(out, "no backups by itself") {
		t.Errorf("%d %s %s", code, out, errOut)
	}
	left, err := filepath.Glob(filepath.Join(d.dir, ".*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
