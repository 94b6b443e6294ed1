package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

const shop = `services:
  web:
    image: acme/web:1
    environment:
      PLACE: ${PLACE}
    volumes: ["./page.html:/page.html:ro"]
  db:
    image: acme/db:1
    configs: [tuning]
  old:
    image: acme/old:1
configs:
  tuning:
    file: ./tuning.conf
`

func shopFiles(edits ...string) map[string][]byte {
	return map[string][]byte{
		"compose.yml": []byte(strings.NewReplacer(edits...).Replace(shop)), "page.html": []byte("hello"), "tuning.conf": []byte("small"),
	}
}

func fates(p resource.Preview) (services, files map[string]string) {
	services, files = map[string]string{}, map[string]string{}
	for _, s := range p.Services {
		services[s.Name] = s.Change
	}
	for _, f := range p.Files {
		files[f.Path] = f.Change
	}
	return services, files
}

func TestPreviewSaysWhatApplyingWouldChange(t *testing.T) {
	w := newWorld(t)
	for n, site := range []string{"oslo", "oslo", "bergen"} {
		w.join(uint64(n+1), admission.KeySpec{AutoApprove: &waitingroom.Rule{}, Labels: map[string]string{"site": site}})
	}
	env := map[string]string{"PLACE": "north"}
	first := resource.Apply{Files: shopFiles(), Env: env, Selector: ptr("site=oslo")}
	preview := func(a resource.Apply) (p resource.Preview) {
		t.Helper()
		w.ask("POST", "/stacks/shop/preview", a, &p)
		return p
	}
	p := preview(first)
	services, _ := fates(p)
	if p.Exists || !p.Changed || p.VersionNow != 0 || services["web"] != "added" || len(services) != 3 || len(p.Images) != 3 ||
		p.Devices != (resource.PreviewCounts{Total: 2, Added: 2}) || len(p.Warnings) != 0 {
		t.Errorf("new: %+v", p)
	}
	if len(p.Items) != 2 || p.Items[0].Name != "gw-0001" || p.Items[0].State != "on-time" || p.Items[0].Change != "added" {
		t.Errorf("devices: %+v", p.Items)
	}
	if resp := w.request("GET", "/stacks/shop", nil); resp.StatusCode != 404 {
		t.Errorf("the preview made the stack: %d", resp.StatusCode)
	}
	w.ask("PUT", "/stacks/shop", first, nil)
	if p := preview(first); p.Changed || !p.Exists || p.VersionNow != 1 || p.Devices != (resource.PreviewCounts{Total: 2, Same: 2}) || len(p.Images)+len(p.Items) != 0 {
		t.Errorf("the same: %+v", p)
	}

	all := map[string]string{"web": "same", "db": "same", "old": "same"}
	with := func(name, fate string) map[string]string {
		out := map[string]string{"web": all["web"], "db": all["db"], "old": all["old"], name: fate}
		return out
	}
	page, conf := shopFiles(), shopFiles()
	page["page.html"], conf["tuning.conf"] = []byte("good day"), []byte("large")
	for name, c := range map[string]struct {
		files map[string][]byte
		env   map[string]string
		want  map[string]string
	}{
		"image":         {shopFiles("acme/db:1", "acme/db:2"), env, with("db", "changed")},
		"setting":       {shopFiles("image: acme/db:1", "image: acme/db:1\n    restart: always"), env, with("db", "changed")},
		"replicas":      {shopFiles("image: acme/db:1", "image: acme/db:1\n    scale: 3"), env, with("db", "changed")},
		"variable":      {shopFiles(), map[string]string{"PLACE": "south"}, with("web", "changed")},
		"mounted file":  {page, env, with("web", "changed")},
		"config's file": {conf, env, with("db", "changed")},
		"comment":       {shopFiles("services:", "# for the shop\nservices:"), env, all},
		"gone":          {shopFiles("  old:\n    image: acme/old:1\n", ""), env, with("old", "removed")},
		"added":         {shopFiles("services:", "services:\n  fresh:\n    image: acme/web:1"), env, with("fresh", "added")},
	} {
		p := preview(resource.Apply{Files: c.files, Env: c.env})
		if services, _ := fates(p); !reflect.DeepEqual(services, c.want) || !p.Changed || p.Devices.Updated != 2 {
			t.Errorf("%s: %v %+v", name, services, p.Devices)
		}
		if name == "image" && (!slices.Equal(p.Images, []string{"acme/db:2"}) || p.Services[0].ImageWas != "acme/db:1" || p.Services[1].ImageWas != "") {
			t.Errorf("images %v of %+v", p.Images, p.Services)
		}
	}
	moved := shopFiles()
	moved["more.txt"] = nil
	delete(moved, "page.html")
	moved["compose.yml"] = []byte(strings.ReplaceAll(shop, "./page.html", "./more.txt"))
	if _, files := fates(preview(resource.Apply{Files: moved, Env: env})); !reflect.DeepEqual(files, map[string]string{
		"compose.yml": "changed", "page.html": "removed", "more.txt": "added", "tuning.conf": "same",
	}) {
		t.Errorf("files %v", files)
	}
	previewOfDevices(t, w, preview, env)
}

func previewOfDevices(t *testing.T, w *world, preview func(resource.Apply) resource.Preview, env map[string]string) {
	t.Helper()
	p := preview(resource.Apply{Files: shopFiles(), Env: env, Selector: ptr("site in (bergen)")})
	if p.Devices != (resource.PreviewCounts{Total: 1, Added: 1, Removed: 2}) || len(p.Items) != 3 || p.Items[0].Change != "removed" || p.Items[2].Name != "gw-0003" {
		t.Errorf("another selector: %+v %+v", p.Devices, p.Items)
	}
	p = preview(resource.Apply{Files: shopFiles(), Env: env, Selector: ptr("site=nowhere")})
	if len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], `"site=nowhere"`) || p.Devices.Removed != 2 {
		t.Errorf("nobody fits: %+v", p)
	}
	p = preview(resource.Apply{Files: shopFiles(), Selector: ptr("")})
	if len(p.Warnings) != 2 || !strings.Contains(p.Warnings[0], "PLACE") || !strings.Contains(p.Warnings[1], "all devices") || p.Devices.Total != 3 {
		t.Errorf("all, and a variable less: %+v", p)
	}
	raw, err := json.Marshal(p)
	if err != nil || strings.Contains(string(raw), "north") {
		t.Errorf("the value of a variable is told: %s", raw)
	}
	w.ask("DELETE", "/stacks/shop", nil, nil)
	if resp := w.request("GET", "/stacks/shop", nil); resp.StatusCode == 200 {
		if p := preview(resource.Apply{Files: shopFiles(), Env: env}); !p.Changed || p.Devices.Added != 2 || !strings.Contains(strings.Join(p.Warnings, " "), "takes it back") {
			t.Errorf("one that is being removed: %+v", p)
		}
	}
	before := len(auditOf(w))
	for name, c := range map[string]struct {
		apply resource.Apply
		says  string
	}{
		"no file":      {resource.Apply{Files: map[string][]byte{"a.txt": nil}}, "compose"},
		"mistake":      {resource.Apply{Files: map[string][]byte{"compose.yml": []byte("services:\n  web: [")}}, "compose.yml"},
		"selector":     {resource.Apply{Files: shopFiles(), Selector: ptr("a=(")}, "selector"},
		"pull":         {resource.Apply{Files: shopFiles(), Pull: "often"}, "missing, always or never"},
		"big file":     {resource.Apply{Files: map[string][]byte{"compose.yml": []byte(shop), "big.bin": make([]byte, protocol.MaxBlob+1)}}, "big.bin"},
		"hub variable": {resource.Apply{Files: shopFiles(), Env: map[string]string{"FARSHORE_X": "1"}}, "FARSHORE_"},
	} {
		p, a := w.refused("POST", "/stacks/fine/preview", c.apply), w.refused("PUT", "/stacks/fine", c.apply)
		if p.Status != 422 || !strings.Contains(p.Detail, c.says) || p.Detail != a.Detail {
			t.Errorf("%s: the preview says %q, and applying %q", name, p.Detail, a.Detail)
		}
	}
	if now := len(auditOf(w)); now != before+6 {
		t.Errorf("%d entries in the audit trail for 6 refused changes: previews are none", now-before)
	}
}

func auditOf(w *world) []resource.Audit {
	var trail resource.AuditPage
	w.ask("GET", "/audit?limit=1000", nil, &trail)
	return trail.Items
}

func TestTheComposeSchemaIsCached(t *testing.T) {
	w := newWorld(t)
	resp := w.request("GET", "/schemas/compose", nil)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	var schema struct{ Properties map[string]any }
	if err != nil || json.Unmarshal(raw, &schema) != nil || schema.Properties["services"] == nil {
		t.Fatalf("%d %.100s, %v", resp.StatusCode, raw, err)
	}
	if h := resp.Header; h.Get("Content-Type") != "application/schema+json" || h.Get("ETag") == "" || !strings.Contains(h.Get("Cache-Control"), "max-age") {
		t.Errorf("headers %v", h)
	}
	again := w.request("GET", "/schemas/compose", nil, "If-None-Match", resp.Header.Get("ETag"))
	defer again.Body.Close()
	if raw, err := io.ReadAll(again.Body); again.StatusCode != http.StatusNotModified || len(raw) != 0 || err != nil {
		t.Errorf("who has it gets %d with %d bytes", again.StatusCode, len(raw))
	}
}

func TestViewsBelongToTheAccount(t *testing.T) {
	w := newWorld(t)
	var views resource.List[resource.View]
	if w.ask("GET", "/session/views", nil, &views); views.Items == nil || len(views.Items) != 0 {
		t.Errorf("at first: %+v", views)
	}
	mine := resource.PutViews{Items: []resource.View{{Name: "Late in Oslo", Query: "group=norway%2Foslo&state=late"}, {Name: "All"}}}
	w.ask("PUT", "/session/views", mine, nil)
	var token resource.Token
	w.ask("POST", "/tokens", resource.NewToken{Name: "ci", Expires: time.Now().Add(time.Hour)}, &token)
	w.token = token.Secret
	if w.ask("GET", "/session/views", nil, &views); !slices.Equal(views.Items, mine.Items) {
		t.Errorf("by a token of the account: %+v", views)
	}
	for name, items := range map[string][]resource.View{
		"name twice": {{Name: "a"}, {Name: "a"}}, "no name": {{Query: "x"}}, "hidden": {{Name: "a\u202eb"}},
		"long": {{Name: "a", Query: strings.Repeat("x", 5000)}}, "too many": slices.Repeat([]resource.View{{Name: "a"}}, 51),
	} {
		if p := w.refused("PUT", "/session/views", resource.PutViews{Items: items}); p.Status != 422 || p.Detail == "" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	w.ask("PUT", "/session/views", resource.PutViews{Items: []resource.View{}}, &views)
	if w.ask("GET", "/session/views", nil, &views); len(views.Items) != 0 {
		t.Errorf("after all were taken away: %+v", views)
	}
}

// Who may apply stacks can use the variables that the hub keeps, and is not told their values.
func TestPreviewKeepsSecrets(t *testing.T) {
	w := newWorld(t)
	secret := "hunter2.Secret"
	files := func(image string) map[string][]byte {
		return map[string][]byte{"compose.yml": []byte("services:\n  web:\n    image: " + image + "\n")}
	}
	w.ask("PUT", "/stacks/web", resource.Apply{Files: files("acme/web:${TOKEN}"), Env: map[string]string{"TOKEN": secret, "V": "7"}}, nil)
	for name, a := range map[string]resource.Apply{
		"kept":         {Files: files("leak:${TOKEN}"), KeepEnv: &resource.KeepEnv{Version: 1, Names: []string{"TOKEN"}}},
		"of before":    {Files: files("acme/web:2")},
		"beside given": {Files: files("leak:${V}${TOKEN}"), Env: map[string]string{"V": "8"}, KeepEnv: &resource.KeepEnv{Version: 1, Names: []string{"TOKEN", "V"}}},
	} {
		var p resource.Preview
		w.ask("POST", "/stacks/web/preview", a, &p)
		all := fmt.Sprintf("%+v", p)
		if strings.Contains(all, secret) || !strings.Contains(all, "${TOKEN}") {
			t.Errorf("%s: the preview says %s", name, all)
		}
	}
}
