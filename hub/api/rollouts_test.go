package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/rollout"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

// three brings in devices of norway/oslo, norway/oslo and norway/bergen with the label ring.
func (w *world) three() (out []protocol.DeviceID) {
	w.t.Helper()
	w.ask("PUT", "/groups", resource.PutGroup{Path: "norway", Profile: "lan"}, nil) // it pushes, so that nobody waits for ticks
	for n, x := range []struct{ group, ring string }{{"norway/oslo", "canary"}, {"norway/oslo", "early"}, {"norway/bergen", "rest"}} {
		d := w.join(uint64(n+1), admission.KeySpec{AutoApprove: &waitingroom.Rule{}, Group: x.group, Labels: map[string]string{"ring": x.ring}})
		out = append(out, d.ID)
	}
	return out
}

func app(image string) map[string][]byte {
	return map[string][]byte{"compose.yml": []byte("services:\n  web:\n    image: " + image + "\n")}
}

var byRing = &resource.RolloutPlan{Order: &resource.RolloutOrder{Label: "ring", Values: []string{"canary", "early"}}}

func (w *world) stack(name string) (s resource.Stack) {
	w.t.Helper()
	w.ask("GET", "/stacks/"+name, nil, &s)
	return s
}

func TestARolloutFromPreviewToItsEnd(t *testing.T) {
	w := newWorld(t)
	all := w.three()
	w.ask("PUT", "/stacks/web", resource.Apply{Files: app("web:1")}, nil)
	w.Until("version 1 runs everywhere", time.Minute, func() bool { return w.stack("web").States["running"] == 3 })

	next := resource.Apply{Files: app("web:2"), Plan: byRing, Message: "two"}
	var p resource.Preview
	w.ask("POST", "/stacks/web/preview", next, &p)
	if !p.Rollout || fmt.Sprint(p.Batches) != "[1 1 1]" || p.Rest != 0 || p.UnderWay != nil || !strings.Contains(p.Words, "lowest order first") {
		t.Errorf("preview: %+v", p)
	}
	var s resource.Stack
	w.ask("PUT", "/stacks/web", next, &s)
	if s.Version != 2 || s.Deployed != 1 || s.Rollout == nil || s.Rollout.Number != 2 || s.Plan.Order == nil || s.Plan.Order.Label != "ring" {
		t.Errorf("after it was applied: %+v", s)
	}
	w.Until("it has reached all", time.Minute, func() bool { return w.stack("web").Rollout.Phase == "done" })
	s = w.stack("web")
	if s.Deployed != 2 || s.States["running"] != 3 {
		t.Errorf("at the end: %+v", s)
	}
	var devices resource.RolloutDevices
	w.ask("GET", "/stacks/web/rollouts/2/devices", nil, &devices)
	if devices.Total != 3 || devices.Items[0].Device != all[0] || devices.Items[0].Batch != 1 || devices.Items[0].State != "succeeded" ||
		devices.Items[2].Device != all[2] || devices.Items[2].Batch != 3 || devices.Items[2].Now.Running != 2 || devices.Items[2].Group != "norway/bergen" {
		t.Errorf("devices: %+v", devices)
	}
	w.ask("GET", "/stacks/web/rollouts/2/devices?batch=2&state=succeeded", nil, &devices)
	if devices.Total != 1 || devices.Items[0].Device != all[1] {
		t.Errorf("devices of the second batch: %+v", devices)
	}
	w.ask("GET", "/stacks/web/rollouts/0/devices?limit=1&offset=1", nil, &devices)
	if devices.Total != 3 || len(devices.Items) != 1 || devices.Items[0].Device != all[1] {
		t.Errorf("the second page: %+v", devices)
	}
	var runs resource.List[resource.Rollout]
	w.ask("GET", "/stacks/web/rollouts", nil, &runs)
	if len(runs.Items) != 2 || runs.Items[0].Number != 2 || runs.Items[0].Message != "two" || len(runs.Items[0].Batches) != 3 || runs.Items[0].By != "admin" {
		t.Errorf("rollouts: %+v", runs)
	}
	w.ask("GET", "/rollouts", nil, &runs)
	if len(runs.Items) != 0 {
		t.Errorf("under way: %+v", runs)
	}
	var r resource.Rollout
	w.ask("POST", "/stacks/web/deploy", resource.Deploy{Version: 1, Message: "two was worse", Plan: &resource.RolloutPlan{}}, &r)
	if r.Version != 1 || r.Phase != "done" || r.Message != "two was worse" {
		t.Errorf("version 1 again: %+v", r)
	}
	w.Until("version 1 runs again", time.Minute, func() bool {
		var on resource.List[resource.DeviceStack]
		w.ask("GET", "/stacks/web/devices", nil, &on)
		return !slices.ContainsFunc(on.Items, func(d resource.DeviceStack) bool { return d.State != "running" || d.Running != 1 })
	})
	if s = w.stack("web"); s.Version != 2 || s.Deployed != 1 || s.Plan.Order == nil {
		t.Errorf("a plan for once stays: %+v", s)
	}
}

func TestRolloutsAreSteered(t *testing.T) {
	w := newWorld(t)
	w.three()
	w.ask("PUT", "/stacks/web", resource.Apply{Files: app("web:1")}, nil)
	later := resource.How{Begin: time.Now().Add(1000 * time.Hour)}
	one := &resource.RolloutPlan{Plan: rollout.Plan{Batch: rollout.Amount{Count: 1}}}
	w.ask("PUT", "/stacks/web", resource.Apply{Files: app("web:2"), Plan: one, How: later, Change: &stacks.ChangeRule{Approve: true}}, nil)
	phase := func(number string) (r resource.Rollout) {
		t.Helper()
		w.ask("GET", "/stacks/web/rollouts/"+number, nil, &r)
		return r
	}
	if r := phase("2"); r.Phase != "planned" || r.Begin.IsZero() || !r.Approve || r.Approved != (time.Time{}) {
		t.Errorf("planned: %+v", r)
	}
	third := resource.Apply{Files: app("web:3")}
	if p := w.refused("PUT", "/stacks/web", third); p.Status != http.StatusConflict || p.Code != "rollout-under-way" ||
		!strings.Contains(p.Detail, "replace") || !strings.Contains(p.Detail, "queue") || w.stack("web").Version != 2 {
		t.Errorf("while one is under way: %+v", p)
	}
	var p resource.Preview
	w.ask("POST", "/stacks/web/preview", third, &p)
	if p.UnderWay == nil || p.UnderWay.Number != 2 || fmt.Sprint(p.Batches) != "[1 1 1]" {
		t.Errorf("preview while one is under way: %+v", p)
	}
	third.During = "queue"
	var s resource.Stack
	w.ask("PUT", "/stacks/web", third, &s)
	if s.Rollout.Number != 2 || s.NextRollout == nil || s.NextRollout.Number != 3 || !s.NextRollout.Queued {
		t.Errorf("queued: %+v", s)
	}
	var runs resource.List[resource.Rollout]
	w.ask("GET", "/rollouts", nil, &runs)
	if len(runs.Items) != 2 || runs.Items[0].Stack != "web" {
		t.Errorf("under way: %+v", runs)
	}
	if p := w.refused("POST", "/stacks/web/rollouts/3/pause", nil); p.Code != "not-now" || !strings.Contains(p.Detail, "rollout 2") {
		t.Errorf("to pause one that waits: %+v", p)
	}
	var r resource.Rollout
	w.ask("POST", "/stacks/web/rollouts/2/pause", nil, &r)
	if r.Phase != "paused" || r.Why != "paused by admin" {
		t.Errorf("paused: %+v", r)
	}
	w.ask("POST", "/stacks/web/rollouts/2/continue", nil, &r)
	w.ask("POST", "/stacks/web/rollouts/2/approve", nil, &r)
	if r.Phase != "planned" || r.ApprovedBy != "admin" || r.Approved.IsZero() {
		t.Errorf("continued and approved: %+v", r)
	}
	w.ask("POST", "/stacks/web/rollouts/2/abort", nil, &r)
	if r.Phase != "aborted" || phase("3").Queued {
		t.Errorf("aborted: %+v, then %+v", r, phase("3"))
	}
	var trail resource.AuditPage
	w.ask("GET", "/audit?operation=rollouts.", nil, &trail)
	if len(trail.Items) != 5 || trail.Items[0].Operation != "rollouts.abort" || trail.Items[0].Resource != "stack web" || trail.Items[0].Detail != "rollout 2 to version 2" {
		t.Errorf("on record: %+v", trail.Items)
	}
}

// What people get wrong is said in a sentence with what to do, about the thing that is wrong.
// Without a plan a rollout is over when it begins. While nobody has approved it, it is listed all the same.
func TestWhatWaitsForApprovalIsUnderWay(t *testing.T) {
	w := newWorld(t)
	w.three()
	w.ask("PUT", "/stacks/web", resource.Apply{Files: app("web:1"), Change: &stacks.ChangeRule{Approve: true}}, nil)
	underWay := func() int {
		var list resource.List[resource.Rollout]
		w.ask("GET", "/rollouts", nil, &list)
		return len(list.Items)
	}
	if n := underWay(); n != 1 {
		t.Errorf("%d rollouts are under way, want the one that waits", n)
	}
	w.ask("POST", "/stacks/web/rollouts/1/approve", nil, nil)
	if n := underWay(); n != 0 {
		t.Errorf("%d rollouts are under way after the approval", n)
	}
}

func TestRolloutsThatCannotBe(t *testing.T) {
	w := newWorld(t)
	w.three()
	w.ask("PUT", "/edge-groups/norway", resource.PutEdgeGroup{Group: ptr("norway")}, nil)
	w.ask("PUT", "/stacks/web", resource.Apply{Files: app("web:1")}, nil)
	files := `"files":{"compose.yml":"` + "c2VydmljZXM6CiAgd2ViOgogICAgaW1hZ2U6IHdlYjoxCg==" + `"}`
	for _, x := range []struct{ method, path, body, code, says string }{
		{"PUT", "", `{` + files + `,"plan":{"batch":"200%"}}`, "invalid", "25%"},
		{"PUT", "", `{` + files + `,"plan":{"batch":"a few"}}`, "invalid", "want a number of devices such as 10"},
		{"PUT", "", `{` + files + `,"plan":{"failures":"101%"}}`, "invalid", "25%"},
		{"PUT", "", `{` + files + `,"plan":{"doubling":true}}`, "invalid", "needs the size of the first batch"},
		{"PUT", "", `{` + files + `,"plan":{"by_order":true}}`, "invalid", "needs the label"},
		{"PUT", "", `{` + files + `,"plan":{"success_percent":101}}`, "invalid", "at most 100%"},
		{"PUT", "", `{` + files + `,"plan":{"soak_seconds":99999999}}`, "invalid", "at most 30 days"},
		{"PUT", "", `{` + files + `,"plan":{"on_failure":"panic"}}`, "invalid", "want pause, continue, roll-back-batch or roll-back-all"},
		{"PUT", "", `{` + files + `,"change":{"windows":[{"start":"at night","minutes":60}]}}`, "invalid", "at night"},
		{"PUT", "", `{` + files + `,"change":{"windows":[{"start":"0 2 * * 6","minutes":0}]}}`, "invalid", "want 1 to 10080"},
		{"PUT", "", `{` + files + `,"change":{"windows":[{"start":"0 2 * * 6","minutes":60,"zone":"Oslo"}]}}`, "invalid", "such as Europe/Oslo"},
		{"PUT", "", `{` + files + `,"include":["norwya"]}`, "not-found", `edge group "norwya"`},
		{"PUT", "", `{` + files + `,"exclude":["norwya"]}`, "not-found", `edge group "norwya"`},
		{"PUT", "", `{` + files + `,"secret":["TOKEN"]}`, "invalid", "give its value"},
		{"PUT", "", `{` + files + `,"health":{"watch_seconds":999999}}`, "invalid", "at most a day"},
		{"PUT", "", `{"env":{"A":"b"}}`, "invalid", "give the files with them"},
		{"PUT", "2", `{"plan":{"batch":"1"}}`, "invalid", "give its files"},
		{"POST", "/deploy", `{"version":7}`, "not-found", "the latest is 1"},
		{"POST", "/deploy", `{"plan":{"batch":"200%"}}`, "invalid", "25%"},
		{"POST", "/deploy", `{"during":"now"}`, "invalid", "during"},
		{"POST", "/rollouts/1/continue", ``, "not-now", "only a paused one can go on"},
		{"POST", "/rollouts/1/skip", ``, "not-now", "only a batch that is under way can be skipped"},
		{"POST", "/rollouts/1/retry", ``, "not-now", "no device has failed"},
		{"POST", "/rollouts/1/approve", ``, "not-now", "it waits for no approval"},
		{"POST", "/rollouts/9/pause", ``, "not-found", "only the latest 20 are kept"},
		{"GET", "/rollouts/1/devices?state=late", ``, "invalid", "want waiting, chosen"},
		{"GET", "/versions/1/diff/5", ``, "not-found", "version 5"},
		{"GET", "/devices/nobody/bundle", ``, "not-found", "nobody"},
	} {
		var body any
		if x.body != "" {
			body = json.RawMessage(x.body)
		}
		if p := w.refused(x.method, "/stacks/web"+x.path, body); p.Code != x.code || !strings.Contains(p.Detail, x.says) {
			t.Errorf("%s %s %s: %d %s %q, want %s with %q", x.method, x.path, x.body, p.Status, p.Code, p.Detail, x.code, x.says)
		}
	}
	if s := w.stack("web"); s.Version != 1 || len(s.Include) != 0 || s.Rollout.Number != 1 {
		t.Errorf("something was changed: %+v", s)
	}
}

// What is said of a stack is changed without its files, and edge groups that are not seen stay.
func TestAStackIsAimedAnew(t *testing.T) {
	w := newWorld(t)
	all := w.three()
	w.person(person{"ann", access.RoleDeviceAdministrator, "norway/oslo"})
	w.ask("PUT", "/edge-groups/crew", resource.PutEdgeGroup{Group: ptr("norway/oslo"), Selector: "ring in (canary,early)"}, nil)
	w.ask("PUT", "/edge-groups/boats", resource.PutEdgeGroup{Group: ptr("norway"), Selector: "ring=early"}, nil)
	w.ask("PUT", "/stacks/web", resource.Apply{
		Files: app("web:1"), Env: map[string]string{"TOKEN": "hunter2", "LEVEL": "3"}, Secret: &[]string{"TOKEN"}, Group: ptr("norway/oslo"),
		Health: &stacks.Health{Watch: 30}, Exclude: &[]string{"boats"},
	}, nil)
	was := w.stack("web")
	if fmt.Sprint(was.Exclude) != "[boats]" || was.Devices != 1 || fmt.Sprint(was.Current.Secret) != "[TOKEN]" {
		t.Errorf("applied: %+v", was)
	}
	var p resource.Preview
	w.ask("POST", "/stacks/web/preview", resource.Apply{Include: &[]string{"crew"}, Exclude: &[]string{}}, &p)
	if p.Rollout || len(p.Files) != 1 || p.Files[0].Change != "same" || fmt.Sprint(p.EdgeGroups) != "[{crew 2 false}]" || p.Devices.Added != 1 {
		t.Errorf("preview: %+v", p)
	}
	c := w.config
	c.Accounts = people{c.Accounts}
	w.serve(c)
	// To ann, who sees Oslo only, the boats are not there.
	code, text := w.asNamed("ann", "PUT", "/stacks/web", resource.Apply{Include: &[]string{"crew"}, Exclude: &[]string{}, Plan: byRing})
	var seen resource.Stack
	if err := json.Unmarshal([]byte(text), &seen); err != nil || code != http.StatusOK || seen.Version != 1 || len(seen.Exclude) != 0 || seen.Unseen != 1 ||
		fmt.Sprint(seen.Include) != "[crew]" || seen.Current.Health.Watch != 30 || seen.Etag == was.Etag {
		t.Errorf("ann is answered %d %s", code, text)
	}
	if code, text := w.asNamed("ann", "PUT", "/stacks/web", resource.Apply{Include: &[]string{"boats"}}); code != http.StatusNotFound {
		t.Errorf("ann names the boats: %d %s", code, text)
	}
	w.token = "as-admin"
	if s := w.stack("web"); fmt.Sprint(s.Exclude) != "[boats]" || fmt.Sprint(s.Include) != "[crew]" || s.Devices != 1 {
		t.Errorf("after ann: %+v", s)
	}
	// Variables that were secret stay so, where nothing else is said.
	w.ask("PUT", "/stacks/web", resource.Apply{
		Files: app("web:2"), KeepEnv: &resource.KeepEnv{Version: 1, Names: []string{"TOKEN"}}, Env: map[string]string{"LEVEL": "4"},
	}, nil)
	if s := w.stack("web"); s.Version != 2 || fmt.Sprint(s.Current.Secret) != "[TOKEN]" || s.Current.Health.Watch != 30 {
		t.Errorf("version 2: %+v", s.Current)
	}
	var d resource.VersionDiff
	w.ask("GET", "/stacks/web/versions/1/diff/2", nil, &d)
	if d.Same || len(d.Files) != 1 || !strings.Contains(d.Files[0].Text, "+    image: web:2") || fmt.Sprint(d.Env) != "[{LEVEL changed}]" || len(d.Options) != 0 {
		t.Errorf("difference: %+v", d)
	}
	var b resource.DeviceBundle
	w.ask("GET", "/stacks/web/devices/"+string(all[0])+"/bundle", nil, &b)
	if b.Version != 1 || !b.Meant || b.Masked || fmt.Sprint(b.Env, b.Secret) != "map[LEVEL:3] [TOKEN]" || b.Code != stacks.CodeUnconfirmed {
		t.Errorf("bundle: %+v", b)
	}
	w.ask("GET", "/stacks/web/devices/"+string(all[0])+"/bundle?version=2", nil, &b)
	if b.Version != 2 || b.Env["LEVEL"] != "4" || string(b.Files["compose.yml"]) != string(app("web:2")["compose.yml"]) {
		t.Errorf("bundle of version 2: %+v", b)
	}
	w.person(person{"olga", access.RoleOperator, ""})
	if _, text := w.asNamed("olga", "GET", "/stacks/web/devices/"+string(all[0])+"/bundle", nil); strings.Contains(text, `"LEVEL":"3"`) || !strings.Contains(text, `"masked":true`) {
		t.Errorf("who may not see secrets is given %s", text)
	}
	var groups resource.List[resource.StackGroup]
	w.ask("GET", "/stacks/web/groups", nil, &groups)
	if len(groups.Items) != 1 || groups.Items[0].Group != "norway/oslo" || groups.Items[0].Devices != 1 {
		t.Errorf("groups: %+v", groups)
	}
}

// Who sees a part of the devices is told of these only.
func TestRolloutsOfWhatIsSeen(t *testing.T) {
	w := newWorld(t)
	w.three()
	w.person(person{"ann", access.RoleOperator, "norway/oslo"})
	w.ask("PUT", "/stacks/web", resource.Apply{Files: app("web:1"), Owner: &resource.Owner{Visibility: "public"}, Group: ptr("norway/oslo")}, nil)
	w.ask("PUT", "/stacks/far", resource.Apply{Files: app("far:1"), Plan: &resource.RolloutPlan{Plan: rollout.Plan{Batch: rollout.Amount{Count: 1}}}, How: resource.How{Begin: time.Now().Add(1000 * time.Hour)}}, nil)
	w.ask("PUT", "/stacks/web", resource.Apply{Files: app("web:2"), Plan: byRing}, nil)
	w.Until("it has reached all", time.Minute, func() bool { return w.stack("web").Rollout.Phase == "done" })
	c := w.config
	c.Accounts = people{c.Accounts}
	w.serve(c)
	code, text := w.asNamed("ann", "GET", "/stacks/web/rollouts/2", nil)
	var r resource.Rollout
	if err := json.Unmarshal([]byte(text), &r); err != nil || code != http.StatusOK || !r.Partial || fmt.Sprint(r.Devices) != "map[succeeded:2]" || len(r.Batches) != 2 || r.Why != "" {
		t.Errorf("ann is told %d %s", code, text)
	}
	if _, text := w.asNamed("ann", "GET", "/rollouts", nil); strings.Contains(text, "far") {
		t.Errorf("ann sees what is under way elsewhere: %s", text)
	}
	if code, text := w.asNamed("ann", "GET", "/stacks/far/rollouts/1", nil); code != http.StatusForbidden {
		t.Errorf("ann looks at another's: %d %s", code, text)
	}
	// A plan of one's own is for who may apply the stack.
	if code, text := w.asNamed("ann", "POST", "/stacks/web/deploy", resource.Deploy{Version: 1, Plan: &resource.RolloutPlan{}}); code != http.StatusForbidden {
		t.Errorf("ann deploys at once: %d %s", code, text)
	}
	if code, text := w.asNamed("ann", "POST", "/stacks/web/deploy", resource.Deploy{Version: 1}); code != http.StatusCreated {
		t.Errorf("ann deploys as the stack's plan says: %d %s", code, text)
	}
}
