package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

func (w *world) bulk(b resource.Bulk) (out resource.BulkResult) {
	w.t.Helper()
	w.ask(http.MethodPost, "/devices/bulk", b, &out)
	return out
}

// audited gives the last entries of the trail, oldest first, as operation, resource, result.
func (w *world) audited(n int) (out []string) {
	w.t.Helper()
	var trail resource.AuditPage
	w.ask(http.MethodGet, fmt.Sprintf("/audit?limit=%d", n), nil, &trail)
	for _, e := range trail.Items {
		out = append(out, e.Operation+" "+e.Resource+" "+e.Result)
	}
	slices.Reverse(out)
	return out
}

func TestOneThingIsDoneToManyDevices(t *testing.T) {
	w, devices := harbour(t)
	yes := []protocol.DeviceID{devices[0].ID, devices[1].ID}
	out := w.bulk(resource.Bulk{IDs: append(yes, "abcdefghijklmnop", devices[0].ID), Do: resource.BulkDo{Patch: &resource.BulkPatch{
		Group: ptr("peru/lima"), Labels: map[string]*string{"line": nil, "pier": ptr("3"), fleet.LabelLat: ptr("-12"), fleet.LabelLon: ptr("-77")},
	}}})
	if out.Done != 2 || out.Failed != 1 || len(out.Items) != 3 || out.Items[0].ID != "abcdefghijklmnop" ||
		!strings.Contains(out.Items[0].Error, "never approved") || out.Items[1].Error != "" || out.Items[1].Name == "" {
		t.Fatalf("outcomes %+v", out)
	}
	if got := w.named("group=peru/lima&selector=pier%3D3,!line,farshore.io/lat"); !slices.Equal(got, []string{"crane", "Ferry"}) {
		t.Errorf("changed %q", got)
	}
	want := []string{"devices.change device " + string(devices[0].ID) + " done", "devices.change device " + string(devices[1].ID) + " done", "devices.change device abcdefghijklmnop failed"}
	got := w.audited(3)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("audit %q, want %q", got, want)
	}

	var past resource.TimelinePage
	w.ask(http.MethodGet, "/devices/crane/timeline?kind=change", nil, &past)
	if len(past.Items) == 0 || past.Items[0].By != "admin" || !strings.Contains(past.Items[0].Text, "group /peru/lima") {
		t.Errorf("timeline %+v", past.Items)
	}

	out = w.bulk(resource.Bulk{Filter: &resource.DeviceFilter{State: []string{"never-seen"}}, Expect: ptr(3), Do: resource.BulkDo{Confirm: true}})
	var d resource.DeviceDetail
	w.ask(http.MethodGet, "/devices/pump", nil, &d)
	if out.Done != 3 || !d.Confirmed {
		t.Errorf("confirmed: %+v, %+v", out, d)
	}
	out = w.bulk(resource.Bulk{IDs: yes, Do: resource.BulkDo{Command: &resource.NewCommand{Kind: protocol.CommandContainerRestart, Target: "web"}}})
	var commands resource.List[resource.Command]
	w.ask(http.MethodGet, "/commands?state=queued", nil, &commands)
	if out.Done != 2 || len(commands.Items) != 2 || commands.Items[0].Target != "web" || commands.Items[0].Device == commands.Items[1].Device {
		t.Errorf("commands: %+v, %+v", out, commands)
	}
	if got := w.audited(1)[0]; !strings.HasPrefix(got, "commands.give device ") {
		t.Errorf("audit of commands %q", got)
	}
	// Those that fail come first, and the others are done all the same.
	w.ask(http.MethodPost, "/devices/gate/revoke", nil, nil)
	out = w.bulk(resource.Bulk{IDs: []protocol.DeviceID{devices[4].ID, devices[2].ID}, Do: resource.BulkDo{Command: &resource.NewCommand{Kind: protocol.CommandSnapshot}}})
	if out.Done != 1 || out.Failed != 1 || out.Items[0].ID != devices[2].ID || !strings.Contains(out.Items[0].Error, "revoked") {
		t.Errorf("one revoked: %+v", out)
	}
	out = w.bulk(resource.Bulk{Filter: &resource.DeviceFilter{Search: "lock"}, Expect: ptr(1), Do: resource.BulkDo{Revoke: true}})
	if got := w.named("state=revoked"); out.Done != 1 || !slices.Equal(got, []string{"gate", "lock"}) {
		t.Errorf("revoked: %+v, %q", out, got)
	}
	out = w.bulk(resource.Bulk{Filter: &resource.DeviceFilter{State: []string{"revoked"}}, Expect: ptr(2), Do: resource.BulkDo{Remove: true}})
	if got := w.named("state=revoked"); out.Done != 2 || len(got) != 0 {
		t.Errorf("removed: %+v, %q", out, got)
	}
	if out = w.bulk(resource.Bulk{Filter: &resource.DeviceFilter{Group: "nowhere"}, Expect: ptr(0), Do: resource.BulkDo{Revoke: true}}); out.Done+out.Failed != 0 || out.Items == nil {
		t.Errorf("nobody: %+v", out)
	}
}

func TestABulkRequestThatIsNotWhatItSeemsChangesNothing(t *testing.T) {
	w, devices := harbour(t)
	all := &resource.DeviceFilter{}
	id := []protocol.DeviceID{devices[0].ID}
	label := resource.BulkDo{Patch: &resource.BulkPatch{Labels: map[string]*string{"touched": ptr("yes")}}}
	for name, c := range map[string]struct {
		body   resource.Bulk
		status int
		code   string
		says   string
	}{
		"another number":   {resource.Bulk{Filter: all, Expect: ptr(4), Do: label}, 409, "count", "4 devices were expected and 5 are meant"},
		"nobody":           {resource.Bulk{Filter: &resource.DeviceFilter{Search: "nobody"}, Expect: ptr(1), Do: label}, 409, "count", "0 are meant"},
		"without expect":   {resource.Bulk{Filter: all, Do: label}, 422, "invalid", "without expect"},
		"both":             {resource.Bulk{IDs: id, Filter: all, Expect: ptr(5), Do: label}, 422, "invalid", "exactly one"},
		"neither":          {resource.Bulk{Do: label}, 422, "invalid", "exactly one"},
		"no ids":           {resource.Bulk{IDs: []protocol.DeviceID{}, Do: label}, 422, "invalid", "exactly one"},
		"nothing to do":    {resource.Bulk{IDs: id}, 422, "invalid", "exactly one of patch, command"},
		"two things to do": {resource.Bulk{IDs: id, Do: resource.BulkDo{Patch: label.Patch, Revoke: true}}, 422, "invalid", "2 things"},
		"bad label":        {resource.Bulk{IDs: id, Do: resource.BulkDo{Patch: &resource.BulkPatch{Labels: map[string]*string{fleet.LabelLat: ptr("91")}}}}, 422, "invalid", "from -90"},
		"fact":             {resource.Bulk{IDs: id, Do: resource.BulkDo{Patch: &resource.BulkPatch{Labels: map[string]*string{fleet.FactArch: ptr("x")}}}}, 422, "invalid", "given by the hub"},
		"unknown stack":    {resource.Bulk{IDs: id, Do: resource.BulkDo{Command: &resource.NewCommand{Kind: protocol.CommandStackRedeploy, Target: "none"}}}, 404, "not-found", "none"},
		"bad filter":       {resource.Bulk{Filter: &resource.DeviceFilter{Selector: "a=("}, Expect: ptr(1), Do: label}, 422, "invalid", "selector"},
		"long search":      {resource.Bulk{Filter: &resource.DeviceFilter{Search: strings.Repeat("x", 900<<10)}, Expect: ptr(1), Do: label}, 422, "invalid", "at most 200"},
		"bad state":        {resource.Bulk{Filter: &resource.DeviceFilter{State: []string{"odd"}}, Expect: ptr(1), Do: label}, 422, "invalid", "on-time"},
		"too many":         {resource.Bulk{IDs: slices.Repeat(id, 10_001), Do: label}, 422, "invalid", "10000"},
		"too large":        {resource.Bulk{Filter: &resource.DeviceFilter{Search: strings.Repeat("x", 2<<20)}, Expect: ptr(1), Do: label}, 413, "too-large", ""},
	} {
		p := w.refused(http.MethodPost, "/devices/bulk", c.body)
		if p.Status != c.status || p.Code != c.code || !strings.Contains(p.Detail, c.says) {
			t.Errorf("%s: %d %s %.300q", name, p.Status, p.Code, p.Detail)
		}
	}
	if got := w.named("selector=touched"); len(got) != 0 {
		t.Errorf("changed %q", got)
	}
	if got := w.named("state=revoked"); len(got) != 0 {
		t.Errorf("revoked %q", got)
	}
	if out := w.bulk(resource.Bulk{IDs: id, Do: resource.BulkDo{Patch: &resource.BulkPatch{Profile: ptr("none")}}}); out.Failed != 1 || !strings.Contains(out.Items[0].Error, "make it first") {
		t.Errorf("an unknown profile: %+v", out)
	}
}

// onlyIn lets people change devices in one group.
type onlyIn struct {
	api.Accounts
	group string
}

func (a onlyIn) Authorize(p access.Principal, op access.Operation, r access.Resource) error {
	if op == access.DevicesChange && r.Group != a.group {
		return fmt.Errorf("%w: %s on %s", access.ErrForbidden, op, r)
	}
	return a.Accounts.Authorize(p, op, r)
}

func TestABulkRequestAsksForTheRightToEachDevice(t *testing.T) {
	w, devices := harbour(t)
	c := w.config
	c.Accounts = onlyIn{c.Accounts, "chile"}
	w.serve(c)
	ids := []protocol.DeviceID{devices[2].ID, devices[3].ID}
	out := w.bulk(resource.Bulk{IDs: ids, Do: resource.BulkDo{Patch: &resource.BulkPatch{Labels: map[string]*string{"x": ptr("1")}}}})
	if out.Done != 1 || out.Failed != 1 || out.Items[0].ID != devices[2].ID || !slices.Equal(w.named("selector=x"), []string{"lock"}) {
		t.Errorf("outcomes %+v", out)
	}
	if got := w.audited(2); !slices.Contains(got, "devices.change device "+string(devices[2].ID)+" refused") {
		t.Errorf("audit %q", got)
	}
	// Moving a device needs the right in both places.
	out = w.bulk(resource.Bulk{IDs: ids, Do: resource.BulkDo{Patch: &resource.BulkPatch{Group: ptr("norway/oslo")}}})
	if out.Failed != 2 || !slices.Equal(w.named("group=chile"), []string{"lock"}) {
		t.Errorf("moved: %+v", out)
	}
	c.Accounts = without{w.config.Accounts, map[access.Operation]bool{access.CommandsLook: true, access.DevicesRevoke: true}}
	w.serve(c)
	for name, do := range map[string]resource.BulkDo{"revoke": {Revoke: true}, "remove": {Remove: true}, "command": {Command: &resource.NewCommand{Kind: protocol.CommandSnapshot}}} {
		if out := w.bulk(resource.Bulk{IDs: ids, Do: do}); out.Done != 0 || out.Failed != 2 {
			t.Errorf("%s: %+v", name, out)
		}
	}
	var commands resource.List[resource.Command]
	if w.ask(http.MethodGet, "/commands", nil, &commands); len(commands.Items) != 0 || len(w.named("state=revoked")) != 0 || len(w.named("")) != 5 {
		t.Error("what was refused was done")
	}
}

// Thousands of devices are changed within what one request may take, and at most 1000 outcomes are told.
func TestABulkRequestForALargeFleet(t *testing.T) {
	w := newWorld(t)
	devices := make([]fleet.Device, 2000)
	for n := range devices {
		devices[n] = planted(n, "")
	}
	if err := w.Hub().Fleet.AddAll(devices); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	out := w.bulk(resource.Bulk{Filter: &resource.DeviceFilter{}, Expect: ptr(len(devices)), Do: resource.BulkDo{Patch: &resource.BulkPatch{Group: ptr("sea")}}})
	changed := time.Since(began)
	var page resource.DevicePage
	w.ask(http.MethodGet, "/devices?group=sea&limit=1", nil, &page)
	if out.Done != len(devices) || out.Failed != 0 || len(out.Items) != 1000 || page.Total != len(devices) {
		t.Errorf("done %d, failed %d, told %d, moved %d", out.Done, out.Failed, len(out.Items), page.Total)
	}
	began = time.Now()
	out = w.bulk(resource.Bulk{Filter: &resource.DeviceFilter{Group: "sea"}, Expect: ptr(len(devices)), Do: resource.BulkDo{Command: &resource.NewCommand{Kind: protocol.CommandSnapshot}}})
	if out.Done != len(devices) {
		t.Errorf("commands: done %d, failed %d, %+v", out.Done, out.Failed, out.Items[0])
	}
	t.Logf("%d devices changed in %s, given a command in %s", len(devices), changed.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
}
