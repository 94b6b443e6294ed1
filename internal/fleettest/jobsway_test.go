package fleettest

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/internal/fleettest/fakeengine"
	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
)

// job is a job with a script of these lines on all devices.
func job(name, cron string, lines ...string) dispatch.Spec {
	return dispatch.Spec{
		Name: name, Script: []byte("#!/bin/sh\n" + strings.Join(lines, "\n") + "\n"), Author: "ada",
		Job: protocol.Job{Schedule: protocol.JobSchedule{Cron: cron}, Output: protocol.OutputAlways},
	}
}

func (f *Fleet) putJob(s dispatch.Spec) jobs.Job {
	f.t.Helper()
	rec, _, err := f.Hub().Jobs.Put(s)
	if err != nil {
		f.t.Fatal(err)
	}
	return rec
}

// runs are those of a job that the hub knows of, the latest first.
func (f *Fleet) runs(name string) []jobs.RunRecord {
	f.t.Helper()
	out, err := f.Hub().Jobs.Runs(dispatch.Filter{Job: name})
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

func (f *Fleet) runsOf(d *Device, name string) {
	f.t.Helper()
	if _, err := f.runNow(d, name); err != nil {
		f.t.Fatal(err)
	}
}

func (f *Fleet) runNow(d *Device, name string) (protocol.CommandID, error) {
	given, skipped, err := f.Hub().Jobs.RunNow(dispatch.RunSpec{Job: name, On: dispatch.Selection{Devices: []protocol.DeviceID{d.ID}}, By: "ada"})
	if err != nil || len(skipped) > 0 {
		return 0, fmt.Errorf("skipped %v, %w", skipped, err)
	}
	return given[0].Command, nil
}

// output is what the hub has of a run's standard output.
func (f *Fleet) output(name string, d *Device, run uint64) string {
	f.t.Helper()
	b, _, err := f.Hub().Jobs.ReadOutput(name, d.ID, dispatch.Place{Run: run})
	if err != nil {
		f.t.Fatal(err)
	}
	return string(b)
}

// nothingOfJobs says what a hub that is stopped has of jobs, and whether text is anywhere in its data.
func (f *Fleet) nothingOfJobs(text string) {
	f.t.Helper()
	f.StopHub()
	s, err := store.Open(f.data)
	if err != nil {
		f.t.Fatal(err)
	}
	saved, err := s.LoadJobs()
	if err != nil || len(saved.Jobs)+len(saved.Versions)+len(saved.Runs) > 0 {
		f.t.Errorf("the hub's store has %d jobs, %d versions, %d runs, %v", len(saved.Jobs), len(saved.Versions), len(saved.Runs), err)
	}
	if _, err := s.Blob(protocol.HashOf([]byte(text))); err == nil {
		f.t.Error("the hub's store has the script")
	}
	if err := s.Close(); err != nil {
		f.t.Error(err)
	}
	f.StartHub()
}

// A job on its way: applied, run by schedule, now, cancelled, changed, paused, resumed, and removed. What came of it comes to
// the hub, and stays through a crash of it; at the end nothing of it is left on either side.
func TestAJobOnItsWay(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Mode: protocol.ModeStandard})
		s := job("check", "*/30 * * * *", "#: takes 20s", "#: exits 0", "#: says 30000")
		s.Env, s.Secret = map[string]string{"TOKEN": "hunter2", "LEVEL": "3"}, []string{"TOKEN"}
		j := f.putJob(s)
		f.Until("the first run is told, with all its output", 2*time.Hour, func() bool {
			r := f.runs("check")
			return len(r) > 0 && r[0].State == protocol.JobDone && len(f.output("check", d, r[0].ID)) == int(r[0].JobRun.Stdout.Size)
		})
		first := f.runs("check")[0]
		if first.Due%1800 != 0 || first.Started/1000 != first.Due || first.JobRun.Stdout.Size < 29_000 || first.Version != 1 {
			t.Errorf("the first run is %+v", first)
		}
		begun := d.Jobs.Begun()
		if len(begun) != 1 || !slices.Contains(begun[0].Env, "TOKEN=hunter2") || !slices.Contains(begun[0].Env, "LEVEL=3") {
			t.Errorf("it was given %+v", begun)
		}
		for _, e := range d.State.Desired() {
			if b, err := protocol.Marshal(e); err != nil || bytes.Contains(b, []byte("hunter2")) || len(e.Sealed) == 0 {
				t.Errorf("the device has the secret in clear: %+v, %v", e, err)
			}
		}
		f.hasNowhere("hunter2")

		f.runsOf(d, "check")
		f.Until("the run is told as running", time.Minute, func() bool { r := f.runs("check"); return r[0].State == protocol.JobRunning })
		f.CrashHub()
		f.StartHub()
		now := f.runs("check")[0]
		if now.By != "ada" || now.State != protocol.JobRunning {
			t.Errorf("after the crash it is %+v", now)
		}
		f.Until("it ends", 10*time.Minute, func() bool { return f.runs("check")[0].State == protocol.JobDone })

		// A change counts from the next run on; who runs ends as it began.
		long := job("check", "*/30 * * * *", "#: takes 50m", "#: exits 0", "#: says 100")
		long.Job.Missed = 0
		f.putJob(long)
		f.Until("the new version runs", 2*time.Hour, func() bool { b := d.Jobs.Begun(); return strings.Contains(b[len(b)-1].Script, "50m") })
		f.putJob(s)
		f.Until("one is skipped", time.Hour, func() bool { return f.runs("check")[0].State == protocol.JobSkipped })
		f.Until("the one under way ends at its version", time.Hour, func() bool {
			return slices.ContainsFunc(f.runs("check"), func(r jobs.RunRecord) bool {
				return r.Version == 2 && r.State == protocol.JobDone && r.Took >= 50*60*1000
			})
		})
		f.Until("the next one is of the third version", 2*time.Hour, func() bool {
			return slices.ContainsFunc(f.runs("check"), func(r jobs.RunRecord) bool { return r.Version == 3 && r.State == protocol.JobDone })
		})

		if _, err := f.Hub().Jobs.Pause("check", "ada"); err != nil {
			t.Fatal(err)
		}
		f.Until("the device has it no more", time.Hour, func() bool { return len(d.State.Jobs().Cursors) == 0 })
		n, known := len(d.Jobs.Begun()), len(f.runs("check"))
		time.Sleep(3 * time.Hour)
		if more := len(d.Jobs.Begun()) - n; more != 0 || len(f.runs("check")) != known {
			t.Errorf("while it is paused %d runs began, and of %d runs that were told %d are known", more, known, len(f.runs("check")))
		}
		if _, err := f.Hub().Jobs.Resume("check", "ada"); err != nil {
			t.Fatal(err)
		}
		f.Until("it runs again", 2*time.Hour, func() bool { return len(f.runs("check")) > known && f.runs("check")[0].State == protocol.JobDone })
		if told := f.runs("check"); told[0].Due < time.Now().Add(-time.Hour).Unix() || told[0].State == protocol.JobMissed {
			t.Errorf("what was due while it was paused is told: %+v", told[0])
		}

		ends := job("other", "0 0 1 1 *", "#: takes 5h", "#: says 500")
		ends.Job.Output = protocol.OutputOnRequest
		f.putJob(ends)
		f.Until("the device has it", time.Hour, func() bool { return len(d.State.Jobs().Cursors) == 2 })
		f.runsOf(d, "other")
		f.Until("it runs", 10*time.Minute, func() bool { return len(f.runs("other")) == 1 })
		run := f.runs("other")[0].ID
		if f.output("other", d, run) != "" {
			t.Error("output comes that nobody asked for")
		}
		ask := dispatch.RunAsk{Job: "other", Device: d.ID, Run: run, By: "ada"}
		if _, err := f.Hub().Jobs.AskOutput(ask); err != nil {
			t.Fatal(err)
		}
		f.Until("its output so far comes", 10*time.Minute, func() bool { return len(f.output("other", d, run)) > 400 })
		if _, err := f.Hub().Jobs.Cancel(ask); err != nil {
			t.Fatal(err)
		}
		f.Until("it is cancelled", 10*time.Minute, func() bool { return f.runs("other")[0].State == protocol.JobCancelled })

		f.runsOf(d, "other")
		f.Until("it runs again", 10*time.Minute, func() bool { return f.runs("other")[0].State == protocol.JobRunning })
		for _, name := range []string{"check", "other"} {
			if err := f.Hub().Jobs.Remove(name, "ada"); err != nil {
				t.Fatal(err)
			}
		}
		f.Until("nothing of it is left on the device", time.Hour, func() bool {
			book := d.State.Jobs()
			return len(book.Cursors)+len(book.Runs)+d.Jobs.Live() == 0
		})
		f.Settle(time.Hour)
		for _, b := range d.Jobs.Begun() {
			if out, _ := d.Outputs.Sizes(b.Run); out.Size > 0 || d.State.HasBlob(protocol.HashOf([]byte(b.Script))) {
				t.Errorf("of run %d %d bytes of output are left, or its script", b.Run, out.Size)
			}
		}
		f.nothingOfJobs(string(s.Script))
		if _, err := f.Hub().Jobs.Get(j.Name); err == nil {
			t.Error("the job is back")
		}
	})
}

// hasNowhere looks for a secret in the hub's data.
func (f *Fleet) hasNowhere(secret string) {
	f.t.Helper()
	err := filepath.WalkDir(f.data, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil //nolint:nilerr // files come and go
		}
		if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte(secret)) {
			f.t.Errorf("%s has the secret", path)
		}
		return nil
	})
	if err != nil {
		f.t.Error(err)
	}
}

// A device that is away for hours runs what is due on time, and tells of it when it is back, also to a hub that was started
// anew. What it is to run once and hears of too late never runs. When it is removed nothing is left of it.
func TestJobsOfADeviceThatIsAway(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Mode: protocol.ModeStandard})
		s := job("hourly", "0 * * * *", "#: takes 1m", "#: exits 0", "#: says 200")
		f.putJob(s)
		f.Until("the device has it", time.Hour, func() bool { return len(d.State.Jobs().Cursors) == 1 })
		time.Sleep(3*time.Hour - time.Duration(time.Now().UnixNano())%time.Hour - 30*time.Minute)
		d.Disconnect()
		before := len(f.runs("hourly"))
		once, err := f.Hub().Jobs.OneShot(dispatch.OneShotSpec{Device: d.ID, Script: []byte("#!/bin/sh\necho once\n"), By: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Hour)
		if n := len(f.runs("hourly")); n != before {
			t.Errorf("of a device that is away %d more runs are known", n-before)
		}
		rows := f.Hub().Jobs.OfDevice(d.ID, func(j *jobs.Job) bool { return j.OneShot })
		if len(rows) != 1 || rows[0].Withheld == nil || rows[0].Withheld.Code != dispatch.CodeOver {
			t.Errorf("the script that nobody heard of: %+v", rows)
		}
		f.RestartHub()
		d.Reconnect()
		f.Until("all is told", time.Hour, func() bool { return len(f.runs("hourly")) == before+5 })
		for _, r := range f.runs("hourly") {
			if r.State != protocol.JobDone || r.Due%3600 != 0 || r.Started != r.Due*1000 {
				t.Errorf("a run while it was away: %+v", r)
			}
		}
		time.Sleep(time.Hour)
		if slices.ContainsFunc(d.Jobs.Begun(), func(b fakeengine.Begun) bool { return b.Job == once.ID }) || len(f.runs(once.Name)) != 0 {
			t.Error("what expired ran")
		}
		again, err := f.Hub().Jobs.OneShot(dispatch.OneShotSpec{Device: d.ID, Script: []byte("#!/bin/sh\n#: says 100\n#: takes 2s\n#: exits 4\n"), By: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		f.Until("a script runs at once on one that is there", time.Minute, func() bool {
			r := f.runs(again.Name)
			return len(r) == 1 && r[0].State == protocol.JobFailed && r[0].Code == 4 && f.output(again.Name, d, r[0].ID) != ""
		})
		f.Until("and is taken from it", time.Minute, func() bool { return len(d.State.Jobs().Cursors) == 1 })

		if err := f.Hub().Fleet.Remove(d.ID); err != nil {
			t.Fatal(err)
		}
		d.gone = true
		f.Until("nothing is known of it", time.Minute, func() bool { return len(f.runs("hourly")) == 0 && len(f.Hub().Jobs.Known()) == 0 })
		for _, name := range []string{"hourly", once.Name, again.Name} {
			if err := f.Hub().Jobs.Remove(name, "ada"); err != nil {
				t.Error(err)
			}
		}
		f.nothingOfJobs(string(s.Script))
	})
}

// While a device saves, what came of a run comes and its output waits, until there is more to spend.
func TestOutputOfJobsWaitsWhileADeviceSaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(t)
		s := protocol.Settings{
			Ping: 600, Snapshot: 3600, Command: protocol.FrequencyPush, KeyExchange: protocol.KeyExchangeClassic,
			Link: &protocol.LinkRules{Budget: &protocol.Budget{Day: 1, Soft: 1_000_000, Hard: 8_000_000}},
		}
		d := f.Device(DeviceSpec{Seed: 1, Carrier: protocol.CarrierMQTT, Mode: protocol.ModeStandard, Profile: f.profile(s)})
		f.Until("the device has its settings", time.Hour, func() bool { return d.Status().Settings.Link != nil })
		f.Apply("web", bundle("one", d.noise(1_400_000)))
		f.Until("it saves", 24*time.Hour, func() bool { return d.Status().Spending.Stage == protocol.SpendingSaving })
		f.putJob(job("check", "*/30 * * * *", "#: takes 5s", "#: exits 3", "#: says 3000"))
		f.Until("runs are told", 6*time.Hour, func() bool { return len(f.runs("check")) == 2 })
		for _, r := range f.runs("check") {
			if out := f.output("check", d, r.ID); r.State != protocol.JobFailed || r.JobRun.Stdout.Follow == 0 || out != "" {
				t.Errorf("it is %s, %d bytes came", r.State, len(out))
			}
		}
		waits := f.runs("check")[0].ID
		s.Link = &protocol.LinkRules{Budget: &protocol.Budget{Day: 1, Soft: 4_000_000, Hard: 8_000_000}}
		f.profile(s)
		f.Until("there is more to spend, and the output comes", 6*time.Hour, func() bool {
			r := f.runs("check")
			at := slices.IndexFunc(r, func(r jobs.RunRecord) bool { return r.ID == waits })
			return len(f.output("check", d, waits)) == int(r[at].JobRun.Stdout.Size)
		})
		if stage := d.Status().Spending.Stage; stage != protocol.SpendingFree {
			t.Errorf("the output came while the device is %s", stage)
		}
	})
}
