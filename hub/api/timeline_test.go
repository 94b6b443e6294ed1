package api_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/timeline"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom/admission"
)

// What operators and device did is in the timeline of the device, with who did it.
func TestTimelineSaysWhatHappenedAndByWhom(t *testing.T) {
	w := newWorld(t)
	w.ask("PUT", "/groups", resource.PutGroup{Profile: "lan"}, nil)
	d := w.join(1, admission.KeySpec{})
	path := "/devices/" + string(d.ID)
	w.ask("PATCH", path, map[string]any{
		"name": "crane", "group": "norway/oslo", "labels": map[string]any{"line": "3", "spare": nil}, "settings": map[string]any{"ping": "2m", "command": ""},
	}, nil)
	var apply resource.Apply
	apply.Files, apply.Selector = map[string][]byte{"compose.yml": []byte(compose)}, ptr("line=3")
	w.ask("PUT", "/stacks/web", apply, nil)
	var command resource.Command
	w.ask("POST", path+"/commands", resource.NewCommand{Kind: protocol.CommandSnapshot}, &command)
	history := func(query string) (page resource.TimelinePage) {
		t.Helper()
		w.ask("GET", path+"/timeline"+query, nil, &page)
		return page
	}
	find := func(kind, text string) *resource.TimelineEntry {
		items := history("?limit=500").Items
		i := slices.IndexFunc(items, func(e resource.TimelineEntry) bool { return e.Kind == kind && strings.Contains(e.Text, text) })
		if i < 0 {
			return nil
		}
		return &items[i]
	}
	w.Until("all of it is there", time.Minute, func() bool {
		return find("command", "done") != nil && find("stack", "running") != nil
	})
	for _, want := range []struct{ kind, text, by string }{
		{"contact", "connected by mqtt", ""},
		{"approval", "unconfirmed", "admin"},
		{"change", `name "crane", group /norway/oslo, label line=3, without label spare, ping 2m0s, command inherited`, "admin"},
		{"stack", "stack web, version 1: running", ""},
		{"command", "snapshot: queued", "admin"},
		{"command", "snapshot: done", ""},
	} {
		if e := find(want.kind, want.text); e == nil || e.By != want.by || e.At.IsZero() {
			t.Errorf("%s %q by %q: %+v in %+v", want.kind, want.text, want.by, e, history("").Items)
		}
	}
	if e := find("command", "done"); e.Data == nil || e.Data.Command != command.ID.String() || e.Data.State != "done" {
		t.Errorf("command %+v", e)
	}
	if e := find("contact", ""); e.Data == nil || e.Data.Carrier != "mqtt" || !e.Data.Connected || e.Data.From.IsZero() {
		t.Errorf("contact %+v", e)
	}

	page := history("?limit=1&kind=command,stack")
	if len(page.Items) != 1 || page.Next == "" || page.Items[0].Kind == "contact" {
		t.Errorf("a page of one: %+v", page)
	}
	if p := w.refused("GET", path+"/timeline?before=x", nil); p.Status != 422 || p.Errors[0].Location != "query.before" {
		t.Errorf("a bad cursor: %+v", p)
	}
	if p := w.refused("GET", path+"/timeline?kind=gossip", nil); p.Status != 422 {
		t.Errorf("a bad kind: %+v", p)
	}

	w.ask("PUT", "/stacks/web", resource.Apply{Files: apply.Files, Selector: ptr("line=4")}, nil)
	w.Until("the stack has left", time.Minute, func() bool { return find("stack", "web, version 1: left") != nil })
	w.ask("POST", path+"/revoke", nil, nil)
	if e := find("change", "revoked"); e == nil || e.By != "admin" {
		t.Errorf("revoked: %+v", history("").Items)
	}
	w.Until("its connection ends", time.Minute, func() bool { e := find("contact", ""); return e != nil && !e.Data.Connected })
	w.ask("DELETE", path, nil, nil)
	w.Until("nothing is left of it", time.Minute, func() bool {
		entries, _, err := w.Hub().Timeline.Page(timeline.Query{Device: d.ID, Limit: 1})
		return err == nil && len(entries) == 0
	})
}
