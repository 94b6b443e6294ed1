package api_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

const compose = "services:\n  web:\n    image: acme/web:1\n"

// A device from its knock to a stack, a command and its removal, through the API alone.
func TestLifeOfADevice(t *testing.T) {
	w := newWorld(t)
	var key resource.Key
	w.ask(http.MethodPost, "/keys", resource.NewKey{Name: "plant", Uses: 3, Group: "norway/oslo", Labels: map[string]string{"site": "oslo"}}, &key)
	if !strings.HasPrefix(key.EdgeKey, "fsk1_") || !strings.Contains(key.RunCommand, key.EdgeKey) {
		t.Fatalf("key %+v", key)
	}
	if c := key.RunCommands; c == nil || !strings.Contains(c.Container, key.EdgeKey) || !strings.Contains(c.Service, key.EdgeKey) {
		t.Errorf("commands %+v", c)
	}
	var again resource.Key
	w.ask(http.MethodGet, "/keys/plant", nil, &again)
	if again.ID != key.ID || again.EdgeKey != "" || again.RunCommands != nil || again.Group != "norway/oslo" {
		t.Errorf("looked at again: %+v", again)
	}
	// A link profile that pushes, so that the test need not wait for ticks.
	w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: "norway", Profile: "lan"}, nil)
	d := w.join(1, admission.KeySpec{Group: "norway/oslo"})
	var page resource.DevicePage
	w.ask(http.MethodGet, "/devices", nil, &page)
	if page.Total != 1 || page.Items[0].ID != d.ID || page.Items[0].Containers == nil || *page.Items[0].Containers != (resource.ContainerCounts{All: 2, Running: 2}) {
		t.Fatalf("devices %+v", page)
	}

	name, group, oslo, ping := "crane 1", "norway", "oslo", protocol.Frequency(120)
	var detail resource.DeviceDetail
	w.ask(http.MethodPatch, "/devices/"+string(d.ID), resource.DevicePatch{
		Name: &name, Group: &group, Labels: map[string]*string{"site": &oslo, "gone": nil}, Settings: &resource.SettingsPatch{Ping: &ping},
	}, &detail)
	if detail.Name != name || detail.Labels["site"] != oslo || detail.Effective.Settings.Ping != 120 || detail.Effective.From["ping"] != "device" {
		t.Errorf("changed device %+v", detail)
	}
	if detail.Effective.From["chunk_bytes"] != "hub default" || detail.Effective.Settings.ChunkBytes != protocol.MaxChunk {
		t.Errorf("effective settings %+v", detail.Effective)
	}
	w.ask(http.MethodPatch, "/devices/crane%201", map[string]any{"labels": map[string]any{"site": nil}, "settings": map[string]any{"ping": ""}}, &detail)
	if _, has := detail.Labels["site"]; has || detail.OwnSettings.Ping != 0 || detail.Effective.From["ping"] != "profile lan (group norway)" {
		t.Errorf("undone: %+v", detail)
	}

	var snap resource.Snapshot
	w.ask(http.MethodGet, "/devices/crane/snapshot", nil, &snap)
	var times resource.SnapshotTimes
	w.ask(http.MethodGet, "/devices/crane/snapshots", nil, &times)
	if len(snap.Snapshot.Containers) != 2 || len(times.Times) == 0 || snap.At.Location() != time.UTC {
		t.Errorf("snapshot of %s has %d containers, times %v", snap.At, len(snap.Snapshot.Containers), times.Times)
	}
	if p := w.refused(http.MethodGet, "/devices/crane/snapshot?as_of=2020-01-01T00:00:00Z", nil); p.Status != 404 || !strings.Contains(p.Detail, "oldest") {
		t.Errorf("before the first snapshot: %+v", p)
	}
	stackOnDevice(t, w)

	w.ask(http.MethodPost, "/devices/crane/revoke", nil, nil)
	w.ask(http.MethodGet, "/devices", nil, &page)
	if page.Total != 0 || page.States["revoked"] != 1 {
		t.Errorf("after revocation: %+v", page)
	}
	w.ask(http.MethodDelete, "/devices/"+string(d.ID), nil, nil)
	if p := w.refused(http.MethodGet, "/devices/crane", nil); p.Status != 404 || p.Code != "not-found" {
		t.Errorf("a removed device: %+v", p)
	}
}

func stackOnDevice(t *testing.T, w *world) {
	t.Helper()
	var s resource.Stack
	files := map[string][]byte{"compose.yml": []byte(compose)}
	w.ask(http.MethodPut, "/stacks/web", resource.Apply{Files: files, Env: map[string]string{"SECRET": "hunter2"}}, &s)
	if s.Version != 1 || s.Devices != 1 || !slices.Equal(s.Current.Env, []string{"SECRET"}) || s.Current.Pull != "missing" {
		t.Errorf("stack %+v", s)
	}
	w.Until("the stack runs", time.Minute, func() bool {
		w.ask(http.MethodGet, "/stacks/web", nil, &s)
		return s.States["running"] == 1
	})
	var on resource.List[resource.DeviceStack]
	w.ask(http.MethodGet, "/stacks/web/devices?state=running", nil, &on)
	var bundle resource.Bundle
	w.ask(http.MethodGet, "/stacks/web/versions/0/files", nil, &bundle)
	if len(on.Items) != 1 || on.Items[0].DeviceName != "crane 1" || string(bundle.Files["compose.yml"]) != compose {
		t.Errorf("on devices %+v, files %v", on, bundle.Files)
	}
	commandOnDevice(t, w, "web-web-1")
	w.ask(http.MethodPost, "/stacks/web/deploy", resource.Deploy{Force: true}, nil)
	w.ask(http.MethodDelete, "/stacks/web", nil, nil)
	w.Until("the stack is gone", time.Minute, func() bool {
		resp := w.request(http.MethodGet, "/stacks/web", nil)
		resp.Body.Close()
		return resp.StatusCode == 404
	})
}

func commandOnDevice(t *testing.T, w *world, container string) {
	t.Helper()
	var c resource.Command
	w.ask(http.MethodPost, "/devices/crane/commands", resource.NewCommand{
		Kind: protocol.CommandContainerLogs, Target: container, Tail: 5, TTLSeconds: 600,
	}, &c)
	if c.State != "queued" || c.By != "admin" || c.Expires.Sub(c.Given) < 10*time.Minute {
		t.Errorf("given: %+v", c)
	}
	w.Until("the command is done", 90*time.Second, func() bool {
		w.ask(http.MethodGet, "/commands/"+c.ID.String(), nil, &c)
		return c.Final && c.Output != ""
	})
	if c.State != "done" || c.Output != "service web started\n" || c.OutputBytes != uint64(len(c.Output)) {
		t.Errorf("ended: %+v", c)
	}
	if p := w.refused(http.MethodDelete, "/commands/"+c.ID.String(), nil); p.Status != 409 || p.Code != "ended" {
		t.Errorf("withdrawn after its end: %+v", p)
	}
	var all resource.List[resource.Command]
	w.ask(http.MethodGet, "/commands?device=crane&state=done", nil, &all)
	if len(all.Items) != 1 || all.Items[0].ID != c.ID {
		t.Errorf("list %+v", all)
	}
}

func TestBadInputGetsASentence(t *testing.T) {
	w := newWorld(t)
	big := map[string][]byte{"compose.yml": []byte(compose), "big.bin": make([]byte, protocol.MaxBlob+1)}
	for name, c := range map[string]struct {
		method, path string
		body         any
		status       int
		says, where  string
	}{
		"selector":         {"GET", "/devices?selector=" + url.QueryEscape("site=oslo,line="), nil, 0, "", ""},
		"bad selector":     {"GET", "/devices?selector=" + url.QueryEscape("site==oslo,!=x"), nil, 422, "selector", "query.selector"},
		"cursor":           {"GET", "/devices?cursor=nonsense", nil, 422, "begin without", "query.cursor"},
		"unknown query":    {"GET", "/devices?selecter=x", nil, 422, "selecter", ""},
		"unknown device":   {"GET", "/devices/nobody", nil, 404, "no device has this name", ""},
		"as of":            {"GET", "/devices/nobody/snapshot?as_of=yesterday", nil, 404, "", ""},
		"no compose file":  {"PUT", "/stacks/web", resource.Apply{Files: map[string][]byte{"a.txt": nil}}, 422, "compose", ""},
		"compose mistake":  {"PUT", "/stacks/web", resource.Apply{Files: map[string][]byte{"compose.yml": []byte("services:\n  web: [")}}, 422, "compose.yml", ""},
		"big file":         {"PUT", "/stacks/web", resource.Apply{Files: big}, 422, "big.bin", ""},
		"stack's selector": {"PUT", "/stacks/web", resource.Apply{Files: map[string][]byte{"compose.yml": []byte(compose)}, Selector: ptr("a=(")}, 422, "selector", ""},
		"pull":             {"PUT", "/stacks/web", resource.Apply{Files: map[string][]byte{"compose.yml": []byte(compose)}, Pull: "often"}, 422, "missing, always or never", "body.pull"},
		"key label":        {"POST", "/keys", resource.NewKey{Name: "x", Labels: map[string]string{"a b": "c"}}, 422, "label", "body.labels"},
		"key group":        {"POST", "/keys", resource.NewKey{Name: "x", Group: "Nor way"}, 422, "group", "body.group"},
		"key expiry":       {"POST", "/keys", resource.NewKey{Name: "x", Expires: time.Unix(1, 0)}, 422, "past", ""},
		"key rule":         {"POST", "/keys", resource.NewKey{Name: "x", AutoApprove: &resource.Rule{Networks: []string{"10.0.0.0/99"}}}, 422, "network", ""},
		"pairing code":     {"POST", "/waiting/approve", resource.Approve{Approvals: []resource.Approval{{Code: "U"}}}, 422, "U", ""},
		"not waiting":      {"POST", "/waiting/approve", resource.Approve{Approvals: []resource.Approval{{ID: "abcdefghijklmnop"}}}, 404, "approved meanwhile", ""},
		"nobody approved":  {"POST", "/waiting/approve", resource.Approve{Approvals: []resource.Approval{}}, 422, "approvals", "body.approvals"},
		"profile":          {"PUT", "/profiles/lan", resource.PutProfile{}, 422, "built in", ""},
		"group in use":     {"DELETE", "/groups?path=", nil, 422, "", ""},
		"unknown group":    {"DELETE", "/groups?path=nowhere", nil, 404, "nowhere", ""},
		"group's ping":     {"PUT", "/groups", map[string]any{"path": "a", "settings": map[string]any{"ping": "soon"}}, 422, "60s", "body"},
		"unknown field":    {"PUT", "/groups", map[string]any{"path": "a", "colour": "red"}, 422, "colour", "body"},
		"event id":         {"GET", "/events?after=x", nil, 422, "event id", "query.after"},
		"no operation":     {"GET", "/nothing", nil, 404, "openapi.json", ""},
		"command id":       {"GET", "/commands/!!", nil, 422, "command id", "path.command"},
		"unknown command":  {"GET", "/commands/abc", nil, 404, "abc", ""},
	} {
		if c.status == 0 {
			w.ask(c.method, c.path, c.body, nil)
			continue
		}
		p := w.refused(c.method, c.path, c.body)
		if p.Status != c.status || !strings.Contains(p.Detail, c.says) {
			t.Errorf("%s: %d %q, want %d with %q", name, p.Status, p.Detail, c.status, c.says)
		}
		if c.where != "" && (len(p.Errors) == 0 || !strings.HasPrefix(p.Errors[0].Location, c.where) || p.Errors[0].Value != nil) {
			t.Errorf("%s: errors %+v, want one at %s without what was sent", name, p.Errors, c.where)
		}
	}
	resp := w.request(http.MethodPost, "/session", map[string]string{"username": "admin", "password": strings.Repeat("x", 10<<10)})
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a body that is too large gets %d", resp.StatusCode)
	}
}

func ptr[T any](v T) *T { return &v }

func TestDeviceListPages(t *testing.T) {
	w := newWorld(t)
	var want []string
	for i := range 5 {
		w.join(uint64(i+1), admission.KeySpec{AutoApprove: &waitingroom.Rule{}, Group: fmt.Sprintf("g%d", i%2), Labels: map[string]string{"n": fmt.Sprint(i)}})
		want = append(want, fmt.Sprintf("gw-%04d", i+1))
	}
	names := func(query string) (out []string) {
		cursor := ""
		for {
			var page resource.DevicePage
			w.ask(http.MethodGet, "/devices?limit=2&"+query+"&cursor="+cursor, nil, &page)
			for _, d := range page.Items {
				out = append(out, d.Name)
			}
			if cursor = page.Next; cursor == "" {
				return out
			}
		}
	}
	reverse := slices.Clone(want)
	slices.Reverse(reverse)
	for query, want := range map[string][]string{
		"": want, "sort=-name": reverse, "group=g1": {want[1], want[3]}, "selector=n+in+(2,4)": {want[2], want[4]},
		"q=GW-0003": {want[2]}, "q=n%3D4": {want[4]}, "state=overdue": nil, "sort=group": {want[0], want[2], want[4], want[1], want[3]},
	} {
		if got := names(query); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", query, got, want)
		}
	}
	var page resource.DevicePage
	w.ask(http.MethodGet, "/devices?limit=1&state=overdue", nil, &page)
	if !maps.Equal(page.States, map[string]int{"on-time": 5}) || page.Total != 0 {
		t.Errorf("counts %v of %d", page.States, page.Total)
	}
}

func TestGroupsAndProfiles(t *testing.T) {
	w := newWorld(t)
	w.ask(http.MethodPut, "/profiles/barge", resource.PutProfile{Settings: resource.Settings{Ping: 900, KeyExchange: protocol.KeyExchangeClassic}}, nil)
	var g resource.Group
	w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: "/norway/oslo", Profile: "barge", Labels: map[string]string{"site": "oslo"}}, &g)
	if g.Path != "norway/oslo" || g.Profile != "barge" {
		t.Errorf("group %+v", g)
	}
	var groups resource.List[resource.Group]
	w.ask(http.MethodGet, "/groups", nil, &groups)
	if len(groups.Items) != 3 || groups.Items[0].Path != "" || groups.Items[2].Path != "norway/oslo" {
		t.Errorf("groups %+v", groups)
	}
	if p := w.refused(http.MethodDelete, "/profiles/barge", nil); p.Status != 409 || p.Code != "in-use" {
		t.Errorf("a profile in use: %+v", p)
	}
	w.ask(http.MethodDelete, "/groups?path=norway/oslo", nil, nil)
	w.ask(http.MethodDelete, "/profiles/barge", nil, nil)
	var trail resource.AuditPage
	w.ask(http.MethodGet, "/audit?limit=3", nil, &trail)
	if len(trail.Items) != 3 || trail.Items[0].Operation != "profiles.change" || trail.Items[1].Resource != "group /norway/oslo" || trail.Items[2].Result != "failed" {
		t.Errorf("audit %+v", trail.Items)
	}
}
