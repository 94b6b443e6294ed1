package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/certtest"
)

func TestSettingsOfProtection(t *testing.T) {
	d := newDesk(t)
	d.login()
	if out := d.ok("settings", "protection"); !strings.Contains(out, "everywhere") || !strings.Contains(out, "127.0.0.1") {
		t.Errorf("at first:\n%s", out)
	}
	d.fails(exitFailed, "shut you out", "settings", "protection", "--people", "192.0.2.0/24")
	d.fails(exitFailed, "192.0.2.0/40", "settings", "protection", "--devices", "192.0.2.0/40")
	var p resource.Protection
	d.read(&p, "settings", "protection", "--people", "192.0.2.9/24,127.0.0.1", "--requests-per-second", "80")
	d.read(&p, "settings", "protection", "--devices", "2001:db8::/32")
	if strings.Join(p.People, " ") != "192.0.2.0/24 127.0.0.1/32" || strings.Join(p.Devices, " ") != "2001:db8::/32" || p.RequestsPerSecond != 80 {
		t.Errorf("one list after another: %+v", p)
	}
	d.read(&p, "settings", "protection", "--people", "")
	if len(p.People) != 0 || len(p.Devices) != 1 {
		t.Errorf("an emptied list: %+v", p)
	}
	d.ok("settings", "protection", "--people", "192.0.2.0/24", "--force")
	d.fails(exitNotAllowed, "reset-access-lists", "devices", "ls")
	if err := d.Hub().Gate.Reset(); err != nil {
		t.Fatal(err)
	}
	d.ok("devices", "ls")
}

func TestSettingTheCertificate(t *testing.T) {
	d := newDesk(t)
	d.login()
	root := certtest.New(t, "root")
	pair, other := root.Server([]string{"hub.example"}), root.Server([]string{"hub.example"})
	cert, key, wrong := d.write("cert.pem", string(pair.Chain)), d.write("key.pem", string(pair.Key)), d.write("wrong.pem", string(other.Key))
	if out := d.ok("certificate", "show"); !strings.Contains(out, "made by the hub itself") {
		t.Errorf("at first:\n%s", out)
	}
	d.fails(exitFailed, "not that of the first certificate", "certificate", "set", "--cert", cert, "--key", wrong)
	var c resource.Certificate
	d.read(&c, "certificate", "set", "--cert", cert, "--key", key)
	if c.Source != "upload" || len(c.Names) != 1 || c.Names[0] != "hub.example" || len(c.Warnings) != 0 {
		t.Errorf("%+v", c)
	}
	raw, err := os.ReadFile(filepath.Join(d.dir, "conf", "config"))
	if err != nil || strings.Contains(string(raw), string(pair.Key)) {
		t.Errorf("%v, %s", err, raw)
	}
	d.fails(exitUsage, "--yes", "certificate", "remove")
	if out := d.ok("certificate", "remove", "--yes"); !strings.Contains(out, "made by the hub itself") {
		t.Errorf("removed:\n%s", out)
	}
}

func TestSettingsOfSigningIn(t *testing.T) {
	d := newDesk(t)
	d.login()
	if out := d.ok("settings", "access"); !strings.Contains(out, "8h0m0s") || !strings.Contains(out, "12 characters") {
		t.Errorf("at first:\n%s", out)
	}
	d.fails(exitFailed, "session_seconds", "settings", "access", "--session-life", "1m")
	d.fails(exitFailed, "second_factor", "settings", "access", "--second-factor", "some")
	var now resource.AccessSettingsNow
	d.read(&now, "settings", "access", "--session-life", "4h")
	d.read(&now, "settings", "access", "--second-factor", "administrators", "--min-password", "16")
	if now.SessionSeconds != 4*3600 || now.MinPassword != 16 || now.SecondFactor != "administrators" {
		t.Errorf("one after another: %+v", now)
	}
}
