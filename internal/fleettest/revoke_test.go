package fleettest

import (
	"testing"
	"time"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom/admission"
)

// Revoking ends the live session at once, and nothing reaches the device any more; its stacks stay. When it is approved
// again it goes on.
func TestRevoke(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.Device(DeviceSpec{EdgeKey: f.EdgeKey(admission.KeySpec{}), Seed: 1, Carrier: carrier, Mode: protocol.ModeStandard, Containers: 3})
		f.Until("the device waits", time.Minute, func() bool { return len(f.Hub().Waiting.List()) == 1 })
		f.Approve(d)
		f.Apply("web", bundle("1", "level: 1\n"))
		f.Settle(20 * time.Minute)
		if err := f.Hub().Fleet.Revoke(d.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if _, online := f.Hub().Sessions.Online(d.ID); online {
			t.Error("the device is online 2 s after it was revoked")
		}
		f.Until("the device knocks", time.Minute, func() bool { return !d.Status().Approved })
		time.Sleep(time.Hour)
		if !runs(d, "web-app-1") {
			t.Error("the stack does not run any more")
		}
		f.Until("the device waits again", 4*time.Hour, func() bool { return len(f.Hub().Waiting.List()) == 1 })
		f.Approve(d)
		f.Settle(4 * time.Hour)
	})
}

// The replacement of a broken device gets its name, labels and stacks; the old one is out.
func TestReplace(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		old := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Containers: 3, Labels: map[string]string{"line": "7"}})
		f.ApplyTo("web", "line=7", bundle("1", "level: 1\n"))
		if _, _, err := f.Hub().Jobs.Put(dispatch.Spec{
			Name: "nightly", Script: []byte("#!/bin/sh\n"), Reach: jobs.Reach{Devices: []protocol.DeviceID{old.ID}},
			Job: protocol.Job{Schedule: protocol.JobSchedule{Cron: "0 2 * * *"}},
		}); err != nil {
			t.Fatal(err)
		}
		f.Settle(20 * time.Minute)
		old.Disconnect()
		fresh := f.Device(DeviceSpec{Seed: 2, Carrier: carrier, Containers: 1})
		f.Until("the new device is there", 10*time.Minute, func() bool { return fresh.Status().Session.Connected })
		if err := f.Hub().Fleet.Replace(old.ID, fresh.ID); err != nil {
			t.Fatal(err)
		}
		old.gone = true
		f.Settle(20 * time.Minute)
		if !runs(fresh, "web-app-1") {
			t.Error("the replacement does not run the stack")
		}
		if n := len(fresh.State.Jobs().Cursors); n != 1 {
			t.Errorf("the replacement has %d jobs, want the one that named the old device", n)
		}
		old.Reconnect()
		f.Until("the old device is out", 30*time.Minute, func() bool { return !old.Status().Approved })
		if d, ok := f.Hub().Fleet.Device(fresh.ID); !ok || d.Name != HostOf(1).Name {
			t.Errorf("the replacement is called %q", d.Name)
		}
	})
}
