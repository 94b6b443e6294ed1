package updates_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/releases"
	"github.com/farshore/farshore/hub/updates"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/rollout"
)

func TestAFleetIsUpdatedByPatches(t *testing.T) {
	hub(t, 5, func(r *rig) {
		r.add(5, "v1.1.0") // has it already
		e, err := r.desk.Preview(updates.Spec{Release: "v1.1.0"})
		if err != nil || len(e.Devices) != 6 || e.Preparing != 1 {
			t.Fatalf("before anything is ready the estimate is %+v, %v", e, err)
		}
		r.pass(3 * time.Second)
		e, err = r.desk.Preview(updates.Spec{Release: "v1.1.0"})
		if err != nil || e.Preparing != 0 || e.Bytes == 0 || e.Bytes > 5*2000 {
			t.Errorf("the estimate is %d bytes, %d are being made ready, %v; want five small patches", e.Bytes, e.Preparing, err)
		}
		id := r.begin(updates.Spec{Plan: rollout.Plan{Batch: rollout.Amount{Count: 2}, Soak: 60}})
		r.pass(10 * time.Second)
		r.wants(id, rollout.Soaking, "v1.1.0", "v1.1.0", "v1.0.0", "v1.0.0", "v1.0.0")
		if err := r.shelf.Remove("v1.1.0"); !errors.Is(err, releases.ErrInUse) || !strings.Contains(err.Error(), id) {
			t.Errorf("the release is removed under way: %v", err)
		}
		r.pass(5 * time.Minute)
		r.wants(id, rollout.Done, "v1.1.0", "v1.1.0", "v1.1.0", "v1.1.0", "v1.1.0")
		if d := r.devices[name(5)]; d.commands != 0 {
			t.Error("a device that has the release was told to get it")
		}
		if s := r.status(id, 0); s.Job.Bytes == 0 || s.Job.Bytes > 2000 || !s.Job.Patch || s.Job.From != "v1.0.0" {
			t.Errorf("what was done on a device is %+v", s.Job)
		}
		if v := r.view(id); v.Bytes != e.Bytes || len(v.Batches) != 3 {
			t.Errorf("it took %d bytes in %d batches, estimated were %d in 3", v.Bytes, len(v.Batches), e.Bytes)
		}
	})
}

func TestABrokenReleaseStopsAndCanBeBroughtBack(t *testing.T) {
	hub(t, 6, func(r *rig) {
		r.devices[name(2)].broken = true
		id := r.begin(updates.Spec{Plan: rollout.Plan{Batch: rollout.Amount{Count: 2}, OnFailure: rollout.RollBackAll}})
		r.pass(time.Minute)
		r.wants(id, rollout.Failed, "v1.0.0", "v1.0.0", "v1.0.0", "v1.0.0", "v1.0.0", "v1.0.0")
		if s := r.status(id, 2); s.Rollout.Status != rollout.StatusFailed || s.Job.Code != protocol.UpdateReverted || s.Job.Text != "it did not start" {
			t.Errorf("the broken device is %+v", s)
		}
		if s := r.status(id, 0); s.Rollout.Status != rollout.StatusReturned || !s.Job.Back {
			t.Errorf("a device that was brought back is %+v", s)
		}
		said := strings.Join(r.notices, "\n")
		for _, want := range []string{"update.device-failed " + string(name(2)), "rolling-back", "failed, was rolling-back"} {
			if !strings.Contains(said, want) {
				t.Errorf("nobody was told of %q:\n%s", want, said)
			}
		}
	})
}

func TestRestartsStartNobodyTwice(t *testing.T) {
	hub(t, 8, func(r *rig) {
		id := r.begin(updates.Spec{Plan: rollout.Plan{Batch: rollout.Amount{Count: 3}, PerGroup: 1}})
		for range 40 {
			r.pass(time.Second)
			r.stop()
			r.start()
		}
		r.pass(time.Minute)
		r.wants(id, rollout.Done)
		for i := range 8 {
			if d := r.devices[name(i)]; d.Version != "v1.1.0" || d.commands != 1 {
				t.Errorf("device %d runs %s after %d commands", i, d.Version, d.commands)
			}
		}
	})
}

func TestQuietDevicesJoinWhenTheyCome(t *testing.T) {
	hub(t, 3, func(r *rig) {
		r.devices[name(1)].quiet = true
		id := r.begin(updates.Spec{})
		r.pass(time.Minute)
		r.wants(id, rollout.Running, "v1.1.0", "v1.0.0", "v1.1.0")
		if v := r.view(id); !strings.Contains(v.Why, "1 device cannot change now (quiet)") {
			t.Errorf("it says %q", v.Why)
		}
		r.add(7, "v1.0.0") // came to match
		r.devices[name(1)].quiet = false
		r.pass(time.Minute)
		r.wants(id, rollout.Done, "v1.1.0", "v1.1.0", "v1.1.0")
		if got := r.devices[name(7)].Version; got != "v1.1.0" {
			t.Errorf("the device that came later runs %s", got)
		}
	})
}

func TestWhatAPausedUpdateGaveIsTakenBack(t *testing.T) {
	hub(t, 2, func(r *rig) {
		id := r.begin(updates.Spec{})
		for _, d := range r.devices { // there, but they do not collect
			d.Reachable = true
		}
		r.sleep(5 * time.Second) // nobody visits
		if got := len(r.book.Pending(name(0), time.Now())); got != 1 {
			t.Fatalf("%d commands wait", got)
		}
		if _, err := r.desk.Do(id, rollout.ActionPause, "bert"); err != nil {
			t.Fatal(err)
		}
		r.sleep(5 * time.Second)
		r.pass(time.Minute)
		r.wants(id, rollout.Paused, "v1.0.0", "v1.0.0")
		if v := r.view(id); v.Why != "paused by bert" {
			t.Errorf("it says %q", v.Why)
		}
		if _, err := r.desk.Do(id, rollout.ActionContinue, "bert"); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Minute)
		r.wants(id, rollout.Done, "v1.1.0", "v1.1.0")
	})
}

func TestChangeWindowsAreKept(t *testing.T) {
	hub(t, 2, func(r *rig) { // it is noon, in UTC
		r.devices[name(0)].Labels["timezone"] = "Europe.Oslo" // 13:00
		id := r.begin(updates.Spec{Windows: []updates.Window{{Start: "0 14 * * *", Minutes: 30}}})
		r.pass(time.Minute)
		r.wants(id, rollout.Running, "v1.0.0", "v1.0.0")
		if v := r.view(id); !strings.Contains(v.Why, "2 devices cannot change now (window), the first one can at 2026-11-22T13:00:00Z") {
			t.Errorf("it says %q", v.Why)
		}
		r.sleep(time.Hour)
		r.pass(time.Minute)
		r.wants(id, rollout.Running, "v1.1.0", "v1.0.0")
		r.sleep(time.Hour)
		r.pass(time.Minute)
		r.wants(id, rollout.Done, "v1.1.0", "v1.1.0")
	})
}

func TestDevicesThatCannotBeUpdatedSayWhy(t *testing.T) {
	hub(t, 5, func(r *rig) {
		r.devices[name(0)].NoUpdate = "its container has no data volume"
		r.devices[name(1)].Capability = 1
		r.devices[name(2)].Platform = "linux/riscv64"
		r.devices[name(3)].install("v2.0.0", map[string][]byte{protocol.ProgramAgent: {1}})
		id := r.begin(updates.Spec{})
		r.pass(time.Minute)
		r.wants(id, rollout.Done, "v1.0.0", "v1.0.0", "v1.0.0", "v2.0.0", "v1.1.0")
		for i, want := range []string{updates.CodeUnable, updates.CodeUnable, updates.CodePlatform, updates.CodeNewer} {
			if s := r.status(id, i); s.Code != want || r.devices[name(i)].commands != 0 {
				t.Errorf("device %d: %s, want %s", i, s.Code, want)
			}
		}
		id = r.begin(updates.Spec{Downgrade: true})
		r.pass(time.Minute)
		r.wants(id, rollout.Done, "", "", "", "v1.1.0")
	})
}

func TestADeviceThatIsSilentAfterItTookItIsGivenUp(t *testing.T) {
	hub(t, 1, func(r *rig) {
		d := r.devices[name(0)]
		d.lost = true
		id := r.begin(updates.Spec{})
		r.pass(5 * time.Second)
		d.quiet = true
		r.sleep(47 * time.Hour)
		r.wants(id, rollout.Running)
		r.sleep(3 * time.Hour)
		r.wants(id, rollout.Paused)
		if s := r.status(id, 0); s.Code != updates.CodeSilent {
			t.Errorf("the device is %+v", s)
		}
	})
}

func TestSpecsThatCannotBeDone(t *testing.T) {
	hub(t, 1, func(r *rig) {
		for says, s := range map[string]updates.Spec{
			"no such release":       {Release: "v7"},
			"it means 0 devices":    {Selector: "nowhere"},
			"a trial of 100000 s":   {Trial: 100_000},
			"want five":             {Windows: []updates.Window{{Start: "2 am", Minutes: 1}}},
			"lasts 0 minutes":       {Windows: []updates.Window{{Start: "0 2 * * *"}}},
			`time zone "Mars/Base"`: {Windows: []updates.Window{{Start: "0 2 * * *", Minutes: 5, Zone: "Mars/Base"}}},
			"order_label":           {Plan: rollout.Plan{ByOrder: true}},
			"size of the first":     {Plan: rollout.Plan{Doubling: true}},
		} {
			if s.Release == "" {
				s.Release = "v1.1.0"
			}
			if _, err := r.desk.Start(s, "anna"); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("error %v, want one that says %q", err, says)
			}
		}
		if _, err := r.desk.Do("x", rollout.ActionPause, "anna"); !errors.Is(err, updates.ErrNotFound) {
			t.Errorf("pause of none: %v", err)
		}
	})
}
