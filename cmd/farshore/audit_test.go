package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/api/resource"
)

func TestAuditOnTheCommandLine(t *testing.T) {
	d := newDesk(t)
	d.ok("login", d.server.URL, "--username", "admin", "--password-file", filepath.Join(d.dir, "password"), "--fingerprint", d.fingerprint())
	d.ok("profiles", "set", "slow", "--ping", "20m")
	d.ok("profiles", "rm", "slow")
	if out := d.ok("audit", "ls", "--operation", "profiles.", "--from", "1d"); strings.Count(out, "\n") != 3 || !strings.Contains(out, "admin (break-glass)") {
		t.Errorf("audit ls:\n%s", out)
	}
	var entries []resource.Audit
	d.read(&entries, "audit", "ls", "--search", "PROFILE slow", "--limit", "1")
	if len(entries) != 1 || entries[0].Operation != "profiles.change" || entries[0].Hash == "" {
		t.Errorf("%+v", entries)
	}
	d.fails(exitUsage, "--limit", "audit", "ls", "--limit", "0")
	d.fails(exitFailed, "want RFC 3339", "audit", "ls", "--from", "soon")

	if out := d.ok("audit", "verify"); !strings.Contains(out, " hold") {
		t.Errorf("audit verify:\n%s", out)
	}
	var s resource.AuditSettings
	d.read(&s, "audit", "settings", "--days", "90")
	if s.Days != 90 || s.Megabytes != 1024 {
		t.Errorf("%+v", s)
	}
	file := filepath.Join(d.dir, "audit.jsonl")
	d.ok("audit", "export", "--file", file)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if out := d.ok("audit", "verify", file, "--hub-key", s.HubKey); !strings.Contains(out, " hold\n") {
		t.Errorf("audit verify FILE:\n%s", out)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := d.write("changed.jsonl", strings.Replace(string(raw), "profile slow", "profile fast", 1))
	d.fails(exitFailed, "does not hold", "audit", "verify", changed)
	d.fails(exitFailed, "does not hold", "audit", "verify", file, "--hub-key", "SHA256:"+strings.Repeat("A", 43))
	d.fails(exitUsage, "neither", "audit", "verify", file, "--hub-key", "x")
	d.fails(exitUsage, "hub-key", "audit", "verify", "--hub-key", s.HubKey)
	if out := d.ok("audit", "export", "--format", "csv", "--operation", "profiles."); strings.Count(out, "\n") != 3 || !strings.HasPrefix(out, "seq,at,") {
		t.Errorf("audit export:\n%s", out)
	}
}

func TestDestinationsOnTheCommandLine(t *testing.T) {
	d := newDesk(t)
	d.ok("login", d.server.URL, "--username", "admin", "--password-file", filepath.Join(d.dir, "password"), "--fingerprint", d.fingerprint())
	secret := d.write("secret", "hush-hush\n")
	d.ok("audit", "destinations", "set", "hook", "https://127.0.0.1:1/in", "--secret-file", secret, "--from-now")
	if out := d.ok("audit", "destinations", "ls"); !strings.Contains(out, "https://127.0.0.1:1/in") || strings.Contains(out, "hush") {
		t.Errorf("destinations:\n%s", out)
	}
	d.fails(exitFailed, "connection refused", "audit", "destinations", "test", "hook")
	d.fails(exitFailed, "tls://", "audit", "destinations", "set", "hook", "ftp://127.0.0.1:1")
	d.fails(exitFailed, "give it again", "audit", "destinations", "set", "hook", "https://127.0.0.1:2/in")
	d.fails(exitNotFound, "nobody", "audit", "destinations", "rm", "nobody")
	d.ok("audit", "destinations", "rm", "hook")
}
