package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/fleettest"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
	composefile "github.com/farshore/farshore/stacks/compose"
)

// hostJob is one that runs on the host.
func hostJob(kind string, lines ...string) resource.PutJob {
	return resource.PutJob{JobDefinition: resource.JobDefinition{
		Script: "#!/bin/sh\n" + strings.Join(lines, "\n") + "\n", Schedule: resource.JobSchedule{Kind: kind}, Output: protocol.OutputAlways,
	}}
}

// runsOf waits until a job has so many runs that are over, and returns them.
func (w *world) runsOf(job string, n int) (runs []resource.JobRun) {
	w.t.Helper()
	w.Until(job+" has run", time.Minute, func() bool {
		var page resource.JobRuns
		w.ask(http.MethodGet, "/jobs/"+job+"/runs", nil, &page)
		runs = page.Items
		return len(runs) == n && !slices.ContainsFunc(runs, func(r resource.JobRun) bool { return !r.Final })
	})
	return runs
}

// A job goes to a device, runs there, and comes back with its output; somebody runs it again, and takes it away.
func TestAJobFromPutToOutput(t *testing.T) {
	w := newWorld(t)
	d := w.Device(fleettest.DeviceSpec{Seed: 1, Mode: protocol.ModeStandard})
	var job resource.Job
	job1 := hostJob("now", "#: takes 10ms", "#: exits 3", "#: says 400")
	w.ask(http.MethodPut, "/jobs/nightly", job1, &job)
	first := w.runsOf("nightly", 1)[0]
	if first.State != protocol.JobFailed || first.Code != 3 || first.Device != d.ID || first.Version != 1 || first.By != "" || first.Stderr == nil || first.Stderr.Size == 0 {
		t.Errorf("the run is told as %+v", first)
	}
	output := func(stream string) string {
		resp := w.request(http.MethodGet, "/jobs/nightly/runs/"+string(d.ID)+"/1/output?stream="+stream, nil)
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		if err != nil || resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" || resp.Header.Get("X-Farshore-From") != "0" {
			t.Fatalf("output: %v, %v", resp.Header, err)
		}
		return string(raw)
	}
	w.Until("its output is here", time.Minute, func() bool { return output("stderr") == "it ended with code 3\n" })
	w.Until("all of it is", time.Minute, func() bool { return uint64(len(output("stdout"))) == first.Stdout.Size })
	if !strings.HasPrefix(output("stdout"), "nightly, run 1, attempt 1\n") {
		t.Errorf("stdout is %.80q", output("stdout"))
	}

	var asked resource.JobAsked
	w.ask(http.MethodPost, "/jobs/nightly/run", resource.RunJob{All: true, Note: "once more"}, &asked)
	if asked.Given != 1 || asked.Commands[0].Device != d.ID {
		t.Errorf("asked to run on %+v", asked)
	}
	again := w.runsOf("nightly", 2)[0]
	if again.By != "admin" || again.Command != asked.Commands[0].Command || again.Run <= first.Run {
		t.Errorf("the run that was asked for is told as %+v", again)
	}
	var one resource.JobRun
	w.ask(http.MethodGet, "/jobs/nightly/runs/"+string(d.ID)+"/1", nil, &one)
	if one.Job != "nightly" || one.Code != 3 {
		t.Errorf("the first run by itself: %+v", one)
	}
	var page resource.JobRuns
	w.ask(http.MethodGet, "/jobs/nightly/runs?limit=1", nil, &page)
	next := page.Next
	w.ask(http.MethodGet, "/jobs/nightly/runs?limit=1&before="+next, nil, &page)
	if len(page.Items) != 1 || page.Items[0].Run != first.Run {
		t.Errorf("the second page is %+v", page)
	}
	var rows resource.List[resource.JobDevice]
	w.ask(http.MethodGet, "/devices/"+string(d.ID)+"/jobs", nil, &rows)
	if r := rows.Items[0]; r.Job != "nightly" || r.Runs != 2 || r.Failures != 2 || len(r.Strip) != 2 || r.Last.Run != again.Run {
		t.Errorf("the device has %+v", rows.Items)
	}
	var all resource.List[resource.JobRow]
	w.ask(http.MethodGet, "/jobs", nil, &all)
	if r := all.Items[0]; r.Name != "nightly" || r.Assigned != 1 || r.Last.Failed != 1 || r.By != "admin" {
		t.Errorf("the list has %+v", all.Items)
	}
	if p := w.refused(http.MethodPost, "/jobs/nightly/runs/"+string(d.ID)+"/1/cancel", nil); p.Code != "ended" {
		t.Errorf("a run that is over is cancelled: %+v", p)
	}
	w.ask(http.MethodDelete, "/jobs/nightly", nil, nil)
	if p := w.refused(http.MethodGet, "/jobs/nightly/runs/"+string(d.ID)+"/1", nil); p.Code != "not-found" {
		t.Errorf("a run of a job that was removed: %+v", p)
	}
	if !strings.Contains(w.trail(), `on 1 devices, 0 left out: once more`) {
		t.Error("the trail does not say that the job was run")
	}
}

// A script that runs once is a job that is listed apart. Of its text and variables nothing is in the trail.
func TestAScriptRunsOnce(t *testing.T) {
	w := newWorld(t)
	d := w.Device(fleettest.DeviceSpec{Seed: 1, Mode: protocol.ModeStandard})
	var made resource.ScriptRun
	w.ask(http.MethodPost, "/devices/"+string(d.ID)+"/script", resource.RunScript{
		Script: "#!/bin/sh\n#: takes 10ms\n#: exits 0\necho open-sesame\n", Env: map[string]string{"WORD": "open-barley"},
	}, &made)
	run := w.runsOf(made.Job, 1)[0]
	if run.State != protocol.JobDone || run.Device != d.ID {
		t.Errorf("it is told as %+v", run)
	}
	var all, once resource.List[resource.JobRow]
	w.ask(http.MethodGet, "/jobs", nil, &all)
	w.ask(http.MethodGet, "/jobs?one_shot=true", nil, &once)
	if len(all.Items) != 0 || len(once.Items) != 1 || once.Items[0].Name != made.Job {
		t.Errorf("jobs are %+v, scripts that ran once %+v", all.Items, once.Items)
	}
	trail := w.trail()
	if strings.Contains(trail, "open-") || !strings.Contains(trail, "script of 52 bytes, SHA-256 ") {
		t.Errorf("the trail says %s", trail)
	}
	if p := w.refused(http.MethodPut, "/jobs/"+made.Job, hostJob("manual")); p.Status != 422 {
		t.Errorf("a script that ran once is made a job: %+v", p)
	}
}

// Secret values are for nobody, and others for who may see secrets; both stay where somebody changes something else.
func TestVariablesOfJobs(t *testing.T) {
	w, _ := twoGroups(t)
	oslo := "norway/oslo"
	job := hostJob("manual")
	job.Group, job.Env, job.Secret = &oslo, map[string]string{"SITE": "quay-5", "TOKEN": "hunter2"}, []string{"TOKEN"}
	var seen resource.Job
	w.ask(http.MethodPut, "/jobs/nightly", job, &seen)
	if seen.Env["SITE"] != "quay-5" || seen.Env["TOKEN"] != "" || !slices.Equal(seen.Secret, []string{"TOKEN"}) || seen.Masked {
		t.Errorf("the administrator sees %+v", seen)
	}
	if code, text := w.asNamed("helpdesk", http.MethodGet, "/jobs/nightly", nil); code != 200 || strings.Contains(text, "quay-5") || !strings.Contains(text, `"masked":true`) {
		t.Errorf("who may not see secrets gets %d %s", code, text)
	}
	job.Env, job.KeepEnv, job.Args = nil, []string{"SITE"}, []string{"-v"}
	w.ask(http.MethodPut, "/jobs/nightly", job, &seen)
	if seen.Version != 2 || seen.Env["SITE"] != "quay-5" || len(seen.Secret) != 1 {
		t.Errorf("after another change: %+v", seen)
	}
	view, err := w.Hub().Jobs.Get("nightly")
	if err != nil || view.Version.Env["TOKEN"] != "hunter2" {
		t.Errorf("the secret is %q now: %v", view.Version.Env["TOKEN"], err)
	}
	if raw := w.trail(); strings.Contains(raw, "hunter2") || strings.Contains(raw, "quay-5") {
		t.Error("the trail has a value")
	}
}

// What cannot be a job is refused with the field, and nothing is changed.
func TestJobsThatCannotBe(t *testing.T) {
	w, _ := twoGroups(t)
	oslo, none := "norway/oslo", "norway/nowhere"
	for name, c := range map[string]struct {
		change func(*resource.PutJob)
		status int
		field  string
		says   string
	}{
		"cron":    {func(j *resource.PutJob) { j.Schedule = resource.JobSchedule{Kind: "cron", Cron: "0 25 * * *"} }, 422, "body.schedule.cron", "25"},
		"no cron": {func(j *resource.PutJob) { j.Schedule.Kind = "cron" }, 422, "body.schedule.cron", "0 2 * * *"},
		"two": {func(j *resource.PutJob) {
			j.Schedule = resource.JobSchedule{Kind: "at", Cron: "0 2 * * *", At: time.Now()}
		}, 422, "body.schedule.cron", "leave it out"},
		"zone": {func(j *resource.PutJob) {
			j.Schedule = resource.JobSchedule{Kind: "cron", Cron: "0 2 * * *", Zone: "Europe/Olso"}
		}, 422, "body.schedule.zone", "Olso"},
		"no group":  {func(j *resource.PutJob) { j.Group = &none }, 404, "body.group", "make it first"},
		"outside":   {func(j *resource.PutJob) { j.Group, j.Devices = &oslo, []string{"crab"} }, 422, "body.devices[0]", "norway/bergen"},
		"nobody":    {func(j *resource.PutJob) { j.Devices = []string{"nobody"} }, 404, "body.devices[0]", "nobody"},
		"edge":      {func(j *resource.PutJob) { j.Include = []string{"nothing"} }, 404, "body.include", "nothing"},
		"selector":  {func(j *resource.PutJob) { j.Selector = "a in (" }, 422, "", "selector"},
		"no script": {func(j *resource.PutJob) { j.Script = "" }, 422, "", "script"},
		"secret":    {func(j *resource.PutJob) { j.Secret = []string{"TOKEN"} }, 422, "", "TOKEN"},
		"masked":    {func(j *resource.PutJob) { j.Env = map[string]string{"SITE": composefile.Masked} }, 422, "", "keep_env"},
		"limit":     {func(j *resource.PutJob) { j.MissedLimit = 3 }, 422, "body.missed_limit", "all"},
	} {
		job := hostJob("manual")
		c.change(&job)
		p := w.refused(http.MethodPut, "/jobs/nightly", job)
		if p.Status != c.status || !strings.Contains(p.Detail, c.says) || c.field != "" && (len(p.Errors) == 0 || p.Errors[0].Location != c.field) {
			t.Errorf("%s: %+v", name, p)
		}
	}
	var all resource.List[resource.JobRow]
	if w.ask(http.MethodGet, "/jobs", nil, &all); len(all.Items) > 0 {
		t.Errorf("there are jobs: %+v", all.Items)
	}
	var p dispatch.Preview
	w.ask(http.MethodPost, "/jobs/preview", resource.PreviewJob{Schedule: resource.JobSchedule{Kind: "cron", Cron: "0 25 * * *"}, Script: "echo"}, &p)
	if len(p.Problems) != 2 || !strings.Contains(p.Problems[0], "no interpreter line") || !strings.Contains(p.Problems[1], "25 is beyond 23") {
		t.Errorf("the preview of a bad schedule: %+v", p)
	}
	w.ask(http.MethodPost, "/jobs/preview", resource.PreviewJob{Schedule: resource.JobSchedule{Kind: "cron", Cron: "30 2 * * *", Zone: "Europe/Oslo"}}, &p)
	if len(p.Next) != 5 || p.Words == "" || len(p.Problems) > 0 {
		t.Errorf("the preview of a good one: %+v", p)
	}
}

// Who may not have scripts run on hosts may have jobs in containers, of their own; and devices that they do not reach are
// not theirs to run a job on.
func TestRightsToJobs(t *testing.T) {
	w, _ := twoGroups(t)
	oslo := "norway/oslo"
	job := hostJob("manual")
	job.Group = &oslo
	send := func(who, method, path string, body any, want int) string {
		t.Helper()
		code, text := w.asNamed(who, method, path, body)
		if code != want {
			t.Errorf("%s %s as %s: %d %s, want %d", method, path, who, code, text, want)
		}
		return text
	}
	if text := send("standard-user", http.MethodPut, "/jobs/mine", job, 403); !strings.Contains(text, "container") {
		t.Errorf("the refusal does not say what to do: %s", text)
	}
	job.Container = &resource.JobContainer{Image: "busybox"}
	var mine resource.Job
	if err := json.Unmarshal([]byte(send("standard-user", http.MethodPut, "/jobs/mine", job, 200)), &mine); err != nil || mine.Owner.Visibility != protocol.ForOwner {
		t.Errorf("the job of a standard user is %+v, %v", mine, err)
	}
	root := hostJob("manual")
	w.ask(http.MethodPut, "/jobs/everywhere", root, nil)
	send("operator", http.MethodGet, "/jobs/everywhere", nil, 403)
	var asked resource.JobAsked
	if err := json.Unmarshal([]byte(send("operator", http.MethodPost, "/jobs/everywhere/run", resource.RunJob{Devices: []string{"crane"}}, 202)), &asked); err != nil || asked.Given+len(asked.Skipped) != 1 {
		t.Errorf("an operator runs a job from above on a device: %+v, %v", asked, err)
	}
	send("operator", http.MethodPost, "/jobs/everywhere/run", resource.RunJob{Devices: []string{"crab"}}, 403)
	send("operator", http.MethodPost, "/jobs/everywhere/run", resource.RunJob{All: true}, 403)
	send("operator", http.MethodPut, "/jobs/mine", job, 403)
	send("operator", http.MethodPost, "/devices/crane/script", resource.RunScript{Script: "#!/bin/sh\n"}, 403)
	if got := string(access.ScriptsRun); got != "scripts.run" {
		t.Errorf("the right is called %s", got)
	}
	var there resource.Job
	w.ask(http.MethodGet, "/jobs/mine", nil, &there)
	if code, text := w.answer(http.MethodPut, "/jobs/mine", job, "If-Match", "old"); code != 412 {
		t.Errorf("a change of what was not seen: %d %s", code, text)
	}
	if code, text := w.answer(http.MethodPut, "/jobs/mine", job, "If-Match", there.Etag); code != 200 {
		t.Errorf("a change of what was seen: %d %s", code, text)
	}
}
