package api_test

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// runsStacks has a device run a container of each of these stacks, named like it.
func (w *world) runsStacks(device protocol.DeviceID, all []subject) {
	w.t.Helper()
	snap := &protocol.Snapshot{}
	for _, s := range all {
		rec, err := w.Hub().Planner.Get(s.ref)
		if err != nil {
			w.t.Fatal(err)
		}
		c := protocol.Container{Name: s.ref, Project: s.ref, Stack: rec.ID, ImageRef: "web:1"}
		id := sha256.Sum256([]byte(s.ref))
		copy(c.ID[:], id[:])
		snap.Containers = append(snap.Containers, c)
	}
	w.snapshot(device, snap)
}

// Each operation of each role is as it is written by hand, those that no route asks for by itself too.
func TestRolesMayWhatIsWritten(t *testing.T) {
	for _, role := range access.Roles() {
		all, own := role.May()
		for what, x := range map[string]struct {
			is   []access.Operation
			want string
		}{"all": {all, plainly[role].all}, "own": {own, plainly[role].own}} {
			var is []string
			for _, op := range x.is {
				is = append(is, string(op))
			}
			slices.Sort(is)
			if want := slices.Sorted(slices.Values(strings.Fields(x.want))); !slices.Equal(is, want) {
				t.Errorf("%s may with %s things %q, want %q", role, what, is, want)
			}
		}
	}
}

// What a command asks for differs with its kind, and with whose the thing is.
func TestMatrixOfCommands(t *testing.T) {
	w, everybody, things := matrixWorld(t)
	c := w.config
	c.Accounts, c.Commands = people{c.Accounts}, commandsBrake{c.Commands}
	w.serve(c)
	devices := map[string]subject{}
	for _, d := range things["device"] {
		devices[d.group] = d
		found, err := w.Hub().Fleet.Find(d.ref, func(*fleet.Device) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		w.runsStacks(found.ID, things["stack"])
	}
	for kind, op := range map[string]string{
		"container.logs": "commands.look", "container.start": "commands.give", "container.stop": "commands.give", "container.restart": "commands.give",
		"container.kill": "commands.give", "container.remove": "commands.remove", "stack.redeploy": "stacks.operate",
	} {
		for _, s := range things["stack"] {
			d := devices[s.group]
			for _, p := range everybody {
				want := map[string]int{"no": http.StatusForbidden, "none": http.StatusNotFound}[expected("commands.look", "device", d, p)]
				if want == 0 {
					want = http.StatusForbidden
					if p.may(op, s.group, s.owner) {
						want = http.StatusConflict // the brake
					}
				}
				got, text := w.asNamed(p.name, http.MethodPost, "/devices/"+d.ref+"/commands", json.RawMessage(`{"kind":"`+kind+`","target":"`+s.ref+`"}`))
				if got != want {
					t.Errorf("%s of %s on %s by %s: %d, want %d: %s", kind, s.name, d.ref, p.name, got, want, text)
				}
			}
		}
	}
}

// Files of a stack are shown as they are to those alone who may see secrets, by each way in which they are shown.
func TestMatrixOfSecrets(t *testing.T) {
	w, everybody, things := matrixWorld(t)
	for _, s := range things["stack"] {
		files := map[string][]byte{"compose.yml": []byte("services:\n  web:\n    image: web:1\n    environment:\n      PLAIN: hunter2\n")}
		w.ask(http.MethodPut, "/stacks/"+s.ref, resource.Apply{Files: files}, nil)
	}
	c := w.config
	c.Accounts = people{c.Accounts}
	w.serve(c)
	for _, s := range things["stack"] {
		for _, p := range everybody {
			got, text := w.asNamed(p.name, http.MethodGet, "/stacks/"+s.ref+"/versions/0/files", nil)
			if !p.may("stacks.read", s.group, s.owner) {
				if got != http.StatusForbidden && got != http.StatusNotFound || strings.Contains(text, "compose") {
					t.Errorf("files of %s for %s: %d %s", s.name, p.name, got, text)
				}
				continue
			}
			var out resource.Bundle
			if err := json.Unmarshal([]byte(text), &out); err != nil || got != http.StatusOK {
				t.Fatalf("files of %s for %s: %d %s", s.name, p.name, got, text)
			}
			masked := !p.may("secrets.read", s.group, s.owner)
			if shown := strings.Contains(string(out.Files["compose.yml"]), "hunter2"); out.Masked != masked || shown == masked {
				t.Errorf("files of %s for %s: masked %t, want %t:\n%s", s.name, p.name, out.Masked, masked, out.Files["compose.yml"])
			}
		}
	}
}
