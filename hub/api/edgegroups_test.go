package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
)

func TestEdgeGroupsFromMakingToRemoving(t *testing.T) {
	w, devices := twoGroups(t)
	put := resource.PutEdgeGroup{Description: "first", Devices: []string{"crab", string(devices[0].ID)}, Selector: "farshore.io/name=pump"}
	var g, again resource.EdgeGroup
	w.ask(http.MethodPut, "/edge-groups/canaries", put, &g)
	if g.ID == 0 || g.Members != 3 || g.Listed != 2 || len(g.Devices) != 2 || g.By != "admin" || g.Etag == "" || g.Owner.Visibility != "administrators" {
		t.Errorf("made: %+v", g)
	}
	var in resource.List[resource.EdgeGroupDevice]
	w.ask(http.MethodGet, "/edge-groups/canaries/devices", nil, &in)
	said := ""
	for _, d := range in.Items {
		said += d.Name
		if d.Listed {
			said += " listed"
		}
		if d.Selected {
			said += " selected"
		}
		said += ";"
	}
	if said != "crab listed;crane listed;pump selected;" {
		t.Errorf("its devices: %s", said)
	}
	var all resource.List[resource.EdgeGroup]
	if w.ask(http.MethodGet, "/edge-groups", nil, &all); len(all.Items) != 1 || all.Items[0].Devices != nil || all.Items[0].Listed != 2 {
		t.Errorf("the list: %+v", all.Items)
	}

	// Two people edit it.
	etag := `"` + g.Etag + `"`
	put.Description = "second"
	if code := w.send(http.MethodPut, "/edge-groups/canaries", put, "If-Match", etag); code != http.StatusOK {
		t.Errorf("the first editor: %d", code)
	}
	if p := w.refused(http.MethodPut, "/edge-groups/canaries", put, "If-Match", etag); p.Status != http.StatusPreconditionFailed || !strings.Contains(p.Detail, " by admin at ") {
		t.Errorf("the second editor: %+v", p)
	}
	if p := w.refused(http.MethodPut, "/edge-groups/canaries", put, "If-None-Match", "*"); p.Code != "exists" {
		t.Errorf("making it again: %+v", p)
	}
	if p := w.refused(http.MethodDelete, "/edge-groups/canaries", nil, "If-Match", etag); p.Status != http.StatusPreconditionFailed {
		t.Errorf("removing what was changed: %+v", p)
	}
	// What is not said again stays: home and owner; the rest is replaced.
	line := "norway/oslo/line"
	w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: line}, nil)
	w.ask(http.MethodPatch, "/devices/pump", resource.DevicePatch{Group: &line}, nil)
	w.ask(http.MethodPut, "/edge-groups/canaries", resource.PutEdgeGroup{Group: &line, Owner: &resource.Owner{Visibility: "public"}, Selector: "farshore.io/name"}, &g)
	w.ask(http.MethodPut, "/edge-groups/canaries", resource.PutEdgeGroup{Selector: "farshore.io/name"}, &again)
	if again.Group != "norway/oslo/line" || again.Owner.Visibility != "public" || again.Members != 1 || again.Listed != 0 || again.Description != "" {
		t.Errorf("edited: %+v", again)
	}
	if p := w.refused(http.MethodDelete, "/groups?path=norway/oslo/line", nil); p.Code != "in-use" || !strings.Contains(p.Detail, "canaries") {
		t.Errorf("removing its home: %+v", p)
	}
	w.ask(http.MethodDelete, "/edge-groups/canaries", nil, nil)
	if p := w.refused(http.MethodGet, "/edge-groups/canaries", nil); p.Code != "not-found" {
		t.Errorf("after it was removed: %+v", p)
	}
	trail := w.trail()
	for _, op := range []string{"edge-groups.change", "edge-groups.remove"} {
		if !strings.Contains(trail, op) || !strings.Contains(trail, "edge-group canaries") {
			t.Errorf("the audit trail lacks %s", op)
		}
	}
}

func TestEdgeGroupsThatCannotBe(t *testing.T) {
	w, _ := twoGroups(t)
	bergen, nowhere := "norway/bergen", "norway/nowhere"
	for name, c := range map[string]struct {
		body                  resource.PutEdgeGroup
		code, location, words string
	}{
		"selector": {resource.PutEdgeGroup{Selector: "site=a,line in b"}, "invalid", "body.selector", "character 8"},
		"nobody":   {resource.PutEdgeGroup{Devices: []string{"none"}}, "not-found", "body.devices", "none"},
		"several":  {resource.PutEdgeGroup{Devices: []string{"cra"}}, "ambiguous", "body.devices", "crane"},
		"far":      {resource.PutEdgeGroup{Group: &bergen, Devices: []string{"crane"}}, "invalid", "", "norway/oslo"},
		"nowhere":  {resource.PutEdgeGroup{Group: &nowhere}, "not-found", "body.group", "make it first"},
		"owner":    {resource.PutEdgeGroup{Owner: &resource.Owner{Visibility: "team"}}, "invalid", "body.owner", "team"},
		"no-team":  {resource.PutEdgeGroup{Owner: &resource.Owner{Visibility: "team", Team: "strangers"}}, "invalid", "body.owner.team", "no team \"strangers\""},
	} {
		p := w.refused(http.MethodPut, "/edge-groups/"+name, c.body)
		if p.Code != c.code || !strings.Contains(p.Detail, c.words) || c.location != "" && (len(p.Errors) == 0 || p.Errors[0].Location != c.location) {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if p := w.refused(http.MethodPut, "/edge-groups/A%20B", resource.PutEdgeGroup{}); p.Code != "invalid" || !strings.Contains(p.Detail, "want a name") {
		t.Errorf("a name: %+v", p)
	}
}

// Who has a role in one group makes edge groups there, and sees and names devices of there only.
func TestEdgeGroupsOfOneGroup(t *testing.T) {
	w, devices := twoGroups(t)
	w.person(person{"eva", access.RoleEdgeAdministrator, "norway/oslo"})
	put := func(body map[string]any) (int, string) { return w.asNamed("eva", "PUT", "/edge-groups/ours", body) }
	if code, text := put(map[string]any{"selector": "x"}); code != http.StatusForbidden {
		t.Errorf("at the root: %d %s", code, text)
	}
	if code, text := put(map[string]any{"group": "norway/bergen"}); code != http.StatusForbidden {
		t.Errorf("elsewhere: %d %s", code, text)
	}
	if code, text := put(map[string]any{"group": "norway/oslo", "devices": []string{"crab"}}); code != http.StatusNotFound || strings.Contains(text, "bergen") {
		t.Errorf("a device that they do not see: %d %s", code, text)
	}
	if code, text := put(map[string]any{"group": "norway/oslo", "devices": []string{"crane"}}); code != http.StatusOK {
		t.Errorf("at home: %d %s", code, text)
	}
	if code, text := put(map[string]any{"group": ""}); code != http.StatusForbidden {
		t.Errorf("moving it to the root: %d %s", code, text)
	}

	// One of the whole hub, of which they see nothing; its preview counts what they see.
	w.ask(http.MethodPut, "/edge-groups/all", resource.PutEdgeGroup{Selector: "farshore.io/id"}, nil)
	if code, _ := w.asNamed("eva", "GET", "/edge-groups/all", nil); code != http.StatusForbidden && code != http.StatusNotFound {
		t.Errorf("one of the hub: %d", code)
	}
	if code, text := w.asNamed("eva", "PUT", "/edge-groups/all", map[string]any{"group": "norway/oslo"}); code != http.StatusConflict || !strings.Contains(text, "taken") {
		t.Errorf("a name that is taken: %d %s", code, text)
	}
	var preview resource.EdgeGroupPreview
	_, text := w.asNamed("eva", "POST", "/edge-groups/preview", resource.PreviewEdgeGroup{Selector: "farshore.io/id"})
	if err := json.Unmarshal([]byte(text), &preview); err != nil || preview.Count != 2 || len(preview.Items) != 2 || preview.Items[0].Name != "crane" {
		t.Errorf("the preview: %s", text)
	}
	if w.ask(http.MethodPost, "/edge-groups/preview", resource.PreviewEdgeGroup{Selector: "farshore.io/id", Group: "norway/bergen"}, &preview); preview.Count != 1 {
		t.Errorf("the administrator's preview: %+v", preview)
	}
	if p := w.refused(http.MethodPost, "/edge-groups/preview", resource.PreviewEdgeGroup{Selector: "a b"}); len(p.Errors) == 0 || p.Errors[0].Location != "body.selector" {
		t.Errorf("a preview of nonsense: %+v", p)
	}

	// A listed device that went where they see nothing stays listed when they edit, and is not shown to them.
	away := "norway/bergen"
	w.ask(http.MethodPatch, "/devices/crane", resource.DevicePatch{Group: &away}, nil)
	if code, text := put(map[string]any{"description": "edited", "devices": []string{"pump"}}); code != http.StatusOK || strings.Contains(text, string(devices[0].ID)) {
		t.Errorf("their edit: %d %s", code, text)
	}
	var g resource.EdgeGroup
	if w.ask(http.MethodGet, "/edge-groups/ours", nil, &g); g.Listed != 2 {
		t.Errorf("after their edit: %+v", g)
	}
	var in resource.List[resource.EdgeGroupDevice]
	w.ask(http.MethodGet, "/edge-groups/ours/devices", nil, &in)
	if n := len(in.Items); n == 0 || !strings.Contains(in.Items[n-1].Reason, "norway/bergen") {
		t.Errorf("why crane is no member: %+v", in.Items)
	}
	if _, text := w.asNamed("eva", "GET", "/events?follow=false&after=0", nil); !strings.Contains(text, "edge group ours was changed") || strings.Contains(text, "edge group all") {
		t.Errorf("their events: %s", text)
	}
}
