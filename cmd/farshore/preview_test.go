package main

import (
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/fleettest"
)

// Before something is changed one sees what would be, and afterwards what was, and by whom.
func TestBeforeAndAfter(t *testing.T) {
	d := newDesk(t)
	d.login()
	dev := d.Device(fleettest.DeviceSpec{Seed: 1})
	file := d.write("web/compose.yml", compose)
	apply := []string{"stacks", "apply", "--name", "web", "-f", file, "--select", "site=oslo"}
	out := d.ok(append(apply, "--dry-run")...)
	for _, says := range []string{"would be new", "Devices: 0 then", "no device fits the selector", "added   service  web", "acme/web:1"} {
		if !strings.Contains(out, says) {
			t.Errorf("the preview does not say %q:\n%s", says, out)
		}
	}
	all := []string{"stacks", "apply", "--name", "web", "-f", file}
	if out := d.ok(append(all, "--estimate")...); !strings.Contains(out, "Devices: 1.") || !strings.Contains(out, "no registry is in reach") {
		t.Errorf("the estimate:\n%s", out)
	}
	d.fails(exitUsage, "estimate", append(all, "--estimate", "--dry-run")...)
	d.fails(exitNotFound, "no such stack", "stacks", "show", "web")
	d.ok(apply...)
	var p resource.Preview
	if d.read(&p, append(apply, "--dry-run")...); p.Changed || p.VersionNow != 1 {
		t.Errorf("the same again: %+v", p)
	}
	newer := d.write("web/compose.yml", strings.ReplaceAll(compose, "web:1", "web:2"))
	if out := d.ok("stacks", "apply", "--name", "web", "-f", newer, "--dry-run"); !strings.Contains(out, "acme/web:1 → acme/web:2") {
		t.Errorf("another image:\n%s", out)
	}
	d.fails(exitUsage, "--dry-run", append(apply, "--dry-run", "--wait")...)

	d.ok("devices", "set", string(dev.ID), "--label", "site=oslo", "--name", "crane")
	var did []resource.TimelineEntry
	d.Until("it is in the timeline", time.Minute, func() bool {
		d.read(&did, "devices", "timeline", "crane", "--kind", "change,approval")
		return len(did) == 2
	})
	if did[0].By != "admin" || did[0].Text != `name "crane", label site=oslo` || did[1].By != "test" {
		t.Errorf("timeline %+v", did)
	}
	if out := d.ok("devices", "timeline", "crane", "--limit", "1", "--kind", "change"); !strings.Contains(out, "KIND") || strings.Count(out, "\n") != 2 {
		t.Errorf("as a table:\n%s", out)
	}
	d.fails(exitUsage, "--limit", "devices", "timeline", "crane", "--limit", "0")
	d.fails(exitFailed, "kind", "devices", "timeline", "crane", "--kind", "gossip")
}
