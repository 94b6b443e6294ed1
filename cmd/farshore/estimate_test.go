package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/fleettest"
)

// What `stacks apply --estimate` and `updates estimate` say has a place of its own, by name or by path.
func TestEstimates(t *testing.T) {
	d := newDesk(t)
	d.login()
	d.ok("devices", "set", string(d.Device(fleettest.DeviceSpec{Seed: 1}).ID), "--name", "crane")
	file := d.write("web/compose.yml", compose)
	folder := filepath.Dir(file)
	for _, args := range [][]string{{"estimate", "stack", folder}, {"estimate", "stack", file}, {"estimate", "stack", "web", "-f", file}, {"estimate", "stack", file, "--name", "other"}} {
		if out := d.ok(args...); !strings.Contains(out, "Devices: 1.") || !strings.Contains(out, "crane") {
			t.Errorf("%v:\n%s", args, out)
		}
	}
	var e, same resource.Estimate
	d.read(&e, "estimate", "stack", folder)
	d.read(&same, "stacks", "apply", "--name", "web", "-f", file, "--estimate")
	if e.Devices != 1 || e.Total == 0 || len(e.PerDevice) != 1 || e.Total != same.Total {
		t.Errorf("the estimate is %+v, and by apply %+v", e, same)
	}
	d.fails(exitNotFound, "no such stack", "stacks", "show", "web") // nothing was made
	d.ok("stacks", "apply", "--name", "web", "-f", file)
	if out := d.ok("estimate", "stack", "web"); !strings.Contains(out, "Devices: ") {
		t.Errorf("of the latest version:\n%s", out)
	}
	d.fails(exitUsage, "a name already", "estimate", "stack", "web", "--name", "web")
	d.fails(exitUsage, "a path already", "estimate", "stack", folder, "-f", file)
	d.fails(exitFailed, "no such file", "estimate", "stack", "./nothing")
	d.fails(exitFailed, "", "estimate", "stack", "nobody")
	d.fails(exitUsage, "needs a command", "estimate")
	d.fails(exitNotFound, "v9.9.9", "estimate", "update", "v9.9.9")
}

// Who would pass its budget is named, with what it needs and has left.
func TestEstimateNamesWhoPassesItsBudget(t *testing.T) {
	d := newDesk(t)
	d.login()
	d.ok("devices", "set", string(d.Device(fleettest.DeviceSpec{Seed: 1}).ID), "--name", "crane")
	d.ok("profiles", "set", "thin", "--from", "satellite", "--hard", "600kB")
	d.ok("groups", "set", "/", "--profile", "thin")
	noise := make([]byte, 700_000)
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	d.write("web/data.bin", string(noise))
	folder := filepath.Dir(d.write("web/compose.yml", compose))
	var e resource.Estimate
	if d.read(&e, "estimate", "stack", folder); e.OverAll != 1 {
		t.Errorf("over their budget are %+v", e.Over)
	}
	if out := d.ok("estimate", "stack", folder); !strings.Contains(out, "Over its budget: crane needs") || !strings.Contains(out, "passes its budget") {
		t.Errorf("the estimate:\n%s", out)
	}
}
