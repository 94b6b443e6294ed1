package main

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/economy/ledger"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

func TestUsage(t *testing.T) {
	d := newDesk(t)
	d.login()
	key := sha256.Sum256([]byte("crane"))
	id := string(protocol.DeviceIDFor(key[:]))
	if err := d.Hub().Fleet.Add(fleet.Device{ID: protocol.DeviceID(id), Key: key[:], Name: "crane", Approved: time.Now().Unix()}); err != nil {
		t.Fatal(err)
	}
	today := economy.Day(time.Now(), time.UTC)
	u := protocol.Usage{}
	for n := range uint32(3) {
		u.Days = append(u.Days, protocol.UsageDay{Day: today - 2 + n, Counts: []protocol.UsageCount{{Class: protocol.ClassPull, Down: 5_000_000}}})
	}
	if err := d.Hub().Ledger.Report(ledger.Report{Device: protocol.DeviceID(id), At: time.Now(), Usage: u}); err != nil {
		t.Fatal(err)
	}
	if out := d.ok("usage", id, "--from", "2d"); !strings.Contains(out, "class pull") || !strings.Contains(out, "15.0 MB (0 B up, 15.0 MB down)") || !strings.Contains(out, "by the use of the last days") {
		t.Errorf("of the device:\n%s", out)
	}
	if out := d.ok("usage", id); !strings.Contains(out, "next contact") || strings.Contains(out, "reserve") || strings.Contains(out, "lift") {
		t.Errorf("without a budget:\n%s", out)
	}
	if out := d.ok("usage", id, "--by", "day", "--from", "7d"); strings.Count(out, "5.0 MB") < 3 || !strings.Contains(out, "MOST FOR") {
		t.Errorf("by day:\n%s", out)
	}
	if out := d.ok("usage"); !strings.Contains(out, "pull") || !strings.Contains(out, "15.0 MB") {
		t.Errorf("of all:\n%s", out)
	}
	if out := d.ok("usage", "--by", "group"); !strings.Contains(out, "/") || !strings.Contains(out, "15.0 MB") {
		t.Errorf("by group:\n%s", out)
	}
	if out := d.ok("usage", "--sort", "projected"); !strings.Contains(out, "NEXT CONTACT") || !strings.Contains(out, "free") {
		t.Errorf("by device:\n%s", out)
	}
	var rows []resource.UsageRow
	if d.read(&rows, "usage", "--over"); len(rows) != 0 {
		t.Errorf("over a cap are %+v", rows)
	}
	d.fails(exitUsage, "leave --from", "usage", "--over", "--from", "7d")
	d.fails(exitUsage, "leave the rest out", "usage", id, "--over")
	d.fails(exitFailed, "such as 7d", "usage", "--from", "soon")
	d.fails(exitNotFound, "nobody", "usage", "nobody")
	d.fails(exitNotFound, "nosuch", "usage", "--group", "nosuch")
	d.fails(exitNotFound, "nosuch", "usage", "--group", "nosuch", "--over")
	if out := d.ok("devices", "ls", "--stage", "free"); !strings.Contains(out, "crane") {
		t.Errorf("devices that spend freely:\n%s", out)
	}
	if out := d.ok("devices", "ls", "--stage", "silent"); strings.Contains(out, "crane") {
		t.Errorf("devices that are silent:\n%s", out)
	}
	d.ok("profiles", "set", "barge", "--from", "satellite", "--hard", "20MB", "--reserve", "2mb")
	d.ok("devices", "set", id, "--profile", "barge")
	d.ok("lift", id, "--extra", "5MB", "--note", "port call")
	if err := d.Hub().Ledger.Look(time.Now()); err != nil {
		t.Fatal(err)
	}
	if out := d.ok("usage", id); !strings.Contains(out, "the last 2.0 MB of the hard cap") || !strings.Contains(out, "5.0 MB were added to this cycle's caps by admin") || !strings.Contains(out, ": port call") {
		t.Errorf("with a reserve and a lift:\n%s", out)
	}
	u.Cycle, u.Spent = economy.CycleAt(&protocol.Budget{}, time.Now()).First, 22_000_000
	u.Days = []protocol.UsageDay{{Day: today, Counts: []protocol.UsageCount{{Class: protocol.ClassPull, Down: 22_000_000}}}}
	if err := d.Hub().Ledger.Report(ledger.Report{Device: protocol.DeviceID(id), At: time.Now(), Usage: u}); err != nil {
		t.Fatal(err)
	}
	d.fails(exitUsage, "falls silent until", "lift", id, "--drop")
	if out := d.ok("lift", id, "--drop", "--yes"); !strings.Contains(out, "taken back") || !strings.Contains(out, "5.0 MB") || !strings.Contains(out, "silent as soon as it has heard") {
		t.Errorf("taken back:\n%s", out)
	}
	if out := d.ok("lift", id, "--drop"); !strings.Contains(out, "There was none") {
		t.Errorf("taken back again:\n%s", out)
	}
}
