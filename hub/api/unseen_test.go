package api_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// asNamed sends a request as somebody.
func (w *world) asNamed(name, method, path string, body any) (int, string) {
	w.t.Helper()
	resp := w.request(method, path, body, "Authorization", "Bearer as-"+name)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// twoGroups is a hub with a device in each of two groups, and an operator, a helpdesk and a standard user of one of them.
func twoGroups(t *testing.T) (*world, []fleet.Device) {
	w := newWorld(t)
	devices := []fleet.Device{planted(0, "norway/oslo"), planted(1, "norway/bergen"), planted(2, "norway/oslo")}
	devices[0].Name, devices[1].Name, devices[2].Name = "crane", "crab", "pump"
	devices[1].Labels = map[string]string{fleet.LabelLat: "60.4", fleet.LabelLon: "5.3"}
	w.plant(devices, func(n int) *protocol.Snapshot { return machine(n, 3) })
	for _, role := range []access.Role{access.RoleOperator, access.RoleHelpdesk, access.RoleStandardUser} {
		w.person(person{string(role), role, "norway/oslo"})
	}
	for name, s := range map[string]struct {
		group string
		owner resource.Owner
	}{
		"plant": {"norway/oslo", resource.Owner{Visibility: "private", Account: "standard-user"}},
		"far":   {"norway/bergen", resource.Owner{Visibility: "public"}},
		"admin": {"norway/oslo", resource.Owner{Visibility: "administrators"}},
	} {
		files := map[string][]byte{"compose.yml": []byte("services:\n  web:\n    image: web:1\n    environment:\n      PASSWORD: hunter2\n")}
		w.ask(http.MethodPut, "/stacks/"+name, resource.Apply{Files: files, Group: &s.group, Owner: &s.owner}, nil)
	}
	for n, d := range devices { // of the stack's containers, and one that somebody has made by hand
		if d.Group == "norway/oslo" {
			s := machine(n, 4)
			plant, _ := w.config.Stacks.Named("plant")
			for i := range s.Containers[:3] {
				s.Containers[i].Stack = plant.ID
			}
			w.snapshot(d.ID, s)
		}
	}
	c := w.config
	c.Accounts = both{people{c.Accounts}}
	w.serve(c)
	return w, devices
}

// both lets real sessions in too.
type both struct{ people }

func (b both) Authenticate(secret string) (access.Principal, error) {
	if strings.HasPrefix(secret, "as-") {
		return b.people.Authenticate(secret)
	}
	return b.Accounts.Authenticate(secret)
}

// What one may not see is answered like what is not there, word by word.
func TestWhatIsNotSeenIsNotThere(t *testing.T) {
	w, devices := twoGroups(t)
	lock := string(devices[1].ID)
	none := strings.Repeat("a", len(lock))
	for _, c := range []struct{ who, method, hidden, missing string }{
		{"operator", "GET", "/devices/crab", "/devices/none"},
		{"operator", "GET", "/devices/" + lock, "/devices/" + none},
		{"operator", "PATCH", "/devices/crab", "/devices/none"},
		{"operator", "GET", "/devices/crab/snapshot", "/devices/none/snapshot"},
		{"operator", "GET", "/stacks/far", "/stacks/non"},
		{"operator", "DELETE", "/stacks/far", "/stacks/non"},
		{"standard-user", "GET", "/stacks/admin", "/stacks/admin2"},
		{"operator", "GET", "/devices?stack=far", "/devices?stack=non"},
		{"operator", "GET", "/devices?q=60.4", "/devices?q=60.5"},
		{"operator", "GET", "/devices?group=norway/bergen", "/devices?group=norway/nowhere"},
		{"operator", "GET", "/devices/positions", "/devices/positions?group=norway/oslo"},
		{"operator", "GET", "/events?follow=false&device=crab", "/events?follow=false&device=none"},
		{"operator", "GET", "/commands?device=crab", "/commands?device=none"},
	} {
		var body any
		if c.method == "PATCH" {
			body = resource.DevicePatch{}
		}
		is, said := w.asNamed(c.who, c.method, c.hidden, body)
		want, would := w.asNamed(c.who, c.method, c.missing, body)
		last := func(path string) string { return path[strings.LastIndexAny(path, "/=")+1:] }
		hidden, missing := strings.TrimPrefix(c.hidden, "/devices/"), strings.TrimPrefix(c.missing, "/devices/")
		hidden, missing = strings.TrimSuffix(hidden, "/snapshot"), strings.TrimSuffix(missing, "/snapshot")
		if is != want || strings.ReplaceAll(said, last(hidden), last(missing)) != would {
			t.Errorf("%s %s: %d %s\n%s: %d %s", c.method, c.hidden, is, said, c.missing, want, would)
		}
	}
	// What begins alike is meant where the other cannot be seen.
	if code, text := w.asNamed("operator", "GET", "/devices/cra", nil); code != 200 || !strings.Contains(text, `"name":"crane"`) {
		t.Errorf("the beginning of a name: %d %s", code, text)
	}
}

func TestListsShowAndCountWhatIsSeen(t *testing.T) {
	w, _ := twoGroups(t)
	page := func(who, path string, out any) {
		t.Helper()
		code, text := w.asNamed(who, "GET", path, nil)
		if code != 200 {
			t.Fatalf("%s: %d %s", path, code, text)
		}
		if err := json.Unmarshal([]byte(text), out); err != nil {
			t.Fatal(err)
		}
	}
	var devices resource.DevicePage
	if page("operator", "/devices", &devices); devices.Total != 2 || devices.States["never-seen"] != 2 {
		t.Errorf("devices %+v", devices)
	}
	var groups resource.List[resource.Group]
	page("operator", "/groups", &groups)
	var paths []string
	for _, g := range groups.Items {
		paths = append(paths, g.Path)
		if g.Path == "norway" && (g.Etag != "" || g.DevicesBelow != 2) {
			t.Errorf("the group on the way: %+v", g)
		}
	}
	if !slices.Equal(paths, []string{"", "norway", "norway/oslo"}) {
		t.Errorf("groups %q", paths)
	}
	if _, csv := w.asNamed("operator", "GET", "/devices/export", nil); strings.Contains(csv, "crab") || !strings.Contains(csv, "crane") {
		t.Errorf("export %s", csv)
	}
	names := func(who string) (out []string) {
		var all resource.List[resource.Stack]
		page(who, "/stacks", &all)
		for _, s := range all.Items {
			out = append(out, s.Name)
			if s.Devices != 2 {
				t.Errorf("stack %s is on %d devices", s.Name, s.Devices)
			}
		}
		return out
	}
	if a, b := names("operator"), names("standard-user"); !slices.Equal(a, []string{"admin", "plant"}) || !slices.Equal(b, []string{"plant"}) {
		t.Errorf("stacks %q, %q", a, b)
	}
	// Three containers are of the standard user's stack, until it is given away. The fourth has its project's name alone.
	var snap resource.Snapshot
	if page("standard-user", "/devices/crane/snapshot", &snap); len(snap.Snapshot.Containers) != 3 {
		t.Errorf("own containers %+v", snap)
	}
	found := func() int {
		page("standard-user", "/devices?q=plant-service", &devices)
		return devices.Total
	}
	if found() != 2 {
		t.Error("own containers are not found")
	}
	logs := resource.NewCommand{Kind: protocol.CommandContainerRestart, Target: snap.Snapshot.Containers[0].Name}
	if code, text := w.asNamed("standard-user", "POST", "/devices/crane/commands", logs); code != 201 {
		t.Errorf("a command on an own container: %d %s", code, text)
	}
	byHand := resource.NewCommand{Kind: protocol.CommandContainerRestart, Target: machine(0, 4).Containers[3].Name}
	if code, _ := w.asNamed("standard-user", "POST", "/devices/crane/commands", byHand); code != 403 {
		t.Errorf("a command on a container that only has the name of an own stack: %d", code)
	}
	files := map[string][]byte{"compose.yml": []byte("services:\n  web:\n    image: web:1\n")}
	w.ask(http.MethodPut, "/stacks/plant", resource.Apply{Files: files, Owner: &resource.Owner{Visibility: "administrators"}}, nil)
	if page("standard-user", "/devices/crane/snapshot", &snap); len(snap.Snapshot.Containers) != 0 || len(snap.Snapshot.Images) != 0 {
		t.Errorf("containers of others %+v", snap.Snapshot)
	}
	if found() != 0 {
		t.Error("containers of others are found")
	}
	if code, _ := w.asNamed("standard-user", "POST", "/devices/crane/commands", logs); code != 403 {
		t.Errorf("a command on a container of others: %d", code)
	}
	if page("standard-user", "/devices", &devices); devices.Items[0].Stacks.All != 0 || devices.Items[0].Containers.All != 0 {
		t.Errorf("counts %+v", devices.Items[0])
	}
}

// A device that moves away while somebody listens is not heard of any more.
func TestAStreamFollowsWhatIsSeenNow(t *testing.T) {
	w, devices := twoGroups(t)
	resp := w.request(http.MethodGet, "/events", nil, "Authorization", "Bearer as-operator")
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	if !lines.Scan() { // it follows from here on
		t.Fatal(lines.Err())
	}
	say := func(kind string, n int) {
		w.Hub().Events.Publish(events.Event{Kind: kind, Device: devices[n].ID, Group: devices[n].Group})
	}
	next := func(prefix string) string {
		for {
			if e := readEvents(t, lines, 1)[0]; strings.HasPrefix(e.Kind, prefix) {
				return e.Kind
			}
		}
	}
	say("device.test-bergen", 1)
	say("device.test-before", 0)
	if got := next("device.test-"); got != "device.test-before" {
		t.Errorf("first came %s", got)
	}
	w.ask(http.MethodPatch, "/devices/crane", resource.DevicePatch{Group: ptr("norway/bergen")}, nil)
	say("device.test-after", 0)
	say("device.test-end", 2)
	if got := next("device.test-"); got != "device.test-end" {
		t.Errorf("after the move came %s", got)
	}
	if _, text := w.asNamed("operator", "GET", "/events?follow=false", nil); strings.Contains(text, string(devices[0].ID)) {
		t.Errorf("events of a device that is not seen any more: %s", text)
	}
}

func TestSecretsAreMaskedOrRecorded(t *testing.T) {
	w, _ := twoGroups(t)
	var out resource.Bundle
	code, text := w.asNamed("helpdesk", "GET", "/stacks/admin/versions/0/files", nil)
	if err := json.Unmarshal([]byte(text), &out); err != nil || code != 200 || !out.Masked || strings.Contains(string(out.Files["compose.yml"]), "hunter2") {
		t.Fatalf("%d %s", code, text)
	}
	if p := w.refused(http.MethodPut, "/stacks/admin", resource.Apply{Files: out.Files}); p.Status != 422 || !strings.Contains(p.Detail, "MASKED-BY-FARSHORE") {
		t.Errorf("a masked bundle is applied: %+v", p)
	}
	for range 3 {
		if w.ask(http.MethodGet, "/stacks/admin/versions/0/files", nil, &out); out.Masked || !strings.Contains(string(out.Files["compose.yml"]), "hunter2") {
			t.Errorf("%+v", out)
		}
	}
	var trail resource.List[resource.Audit]
	w.ask(http.MethodGet, "/audit?limit=100", nil, &trail)
	read := 0
	for _, e := range trail.Items {
		if e.Operation == "secrets.read" && e.Resource == "stack admin" {
			read++
		}
	}
	if read != 1 {
		t.Errorf("%d records of three readings within the hour", read)
	}
}

// A right on a device alone, or on a group that is not there, moves and makes nothing.
func TestRightsEndAtTheirPlace(t *testing.T) {
	w, devices := twoGroups(t)
	for _, p := range []person{{"edge", access.RoleEdgeAdministrator, "norway/oslo"}, {"one", access.RoleEdgeAdministrator, "norway/bergen"}} {
		w.person(p)
	}
	for name, c := range map[string]struct {
		who, method, path string
		body              any
		status            int
	}{
		"move away":       {"edge", "PATCH", "/devices/crane", resource.DevicePatch{Group: ptr("norway/bergen")}, 403},
		"move up":         {"edge", "PATCH", "/devices/crane", resource.DevicePatch{Group: ptr("norway")}, 403},
		"move down":       {"edge", "PATCH", "/devices/crane", resource.DevicePatch{Group: ptr("norway/oslo/line")}, 200},
		"remove itself":   {"edge", "DELETE", "/groups?path=norway/oslo", nil, 403},
		"a stack at root": {"edge", "PUT", "/stacks/rooted", resource.Apply{Files: map[string][]byte{"compose.yml": []byte(compose1)}}, 403},
		"a stack at home": {"edge", "PUT", "/stacks/new", resource.Apply{Files: map[string][]byte{"compose.yml": []byte(compose1)}, Group: ptr("norway/oslo")}, 200},
		"give it away":    {"edge", "PUT", "/stacks/plant", resource.Apply{Files: map[string][]byte{"compose.yml": []byte(compose1)}, Group: ptr("norway/bergen")}, 403},
		"a taken name":    {"edge", "PUT", "/stacks/far", resource.Apply{Files: map[string][]byte{"compose.yml": []byte(compose1)}, Group: ptr("norway/oslo")}, 409},
		"to the admins":   {"standard-user", "PUT", "/stacks/plant", resource.Apply{Files: map[string][]byte{"compose.yml": []byte(compose1)}, Owner: &resource.Owner{Visibility: "administrators"}}, 403},
		"to no team":      {"standard-user", "PUT", "/stacks/plant", resource.Apply{Files: map[string][]byte{"compose.yml": []byte(compose1)}, Owner: &resource.Owner{Visibility: "team", Team: "strangers"}}, 403},
	} {
		if code, text := w.asNamed(c.who, c.method, c.path, c.body); code != c.status {
			t.Errorf("%s: %d %s", name, code, text)
		}
	}
	if s, err := w.Hub().Planner.Get("new"); err == nil && s.Devices != 2 {
		t.Errorf("a stack at home in oslo is on %d devices", s.Devices)
	}
	w.ask(http.MethodPatch, "/devices/"+string(devices[2].ID), resource.DevicePatch{Group: ptr("norway/bergen")}, nil)
	w.Until("the stack leaves with the group", 30e9, func() bool {
		s, err := w.Hub().Planner.Get("plant")
		return err == nil && s.Devices == 1
	})
}

const compose1 = "services:\n  web:\n    image: web:1\n"

// What the hub says of its own inside is for who may read its settings, not for everybody who sees all devices.
func TestEventsOfTheHubItselfAreForThoseWhoReadIt(t *testing.T) {
	w, _ := twoGroups(t)
	w.person(person{"desk", access.RoleHelpdesk, ""})
	w.person(person{"edge", access.RoleEdgeAdministrator, ""})
	first := w.Hub().Events.Publish(events.Event{Kind: "test.first"})
	for _, kind := range []string{"backup.failed", "audit.forward-failing", "hub.certificate-ends", "test.last"} {
		w.Hub().Events.Publish(events.Event{Kind: kind, Text: "/secret/folder"})
	}
	for who, want := range map[string]int{"desk": 0, "edge": 3} {
		_, text := w.asNamed(who, http.MethodGet, "/events?follow=false&after="+jsonNumber(first), nil)
		if n := strings.Count(text, "/secret/folder") - strings.Count(text, "test.last"); n != want || !strings.Contains(text, "test.last") {
			t.Errorf("%s is told of %d of the hub's own events, want %d: %s", who, n, want, text)
		}
	}
}
