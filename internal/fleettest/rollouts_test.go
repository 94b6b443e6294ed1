package fleettest

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/stacks/rollout"
)

// A version that cannot run stops at the canary, is brought back there, and nobody else ever saw it.
func TestBadVersionStopsAtTheCanary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { badVersion(t, 20) })
}

// canaries are a tenth of the devices.
func isCanary(i int) bool { return i%10 == 0 }

// canaryFirst is a plan in which canaries go first, are watched, and take everything back when one fails.
func canaryFirst() *planner.Manner {
	return &planner.Manner{
		Plan:  rollout.Plan{ByOrder: true, Soak: 600, OnFailure: rollout.RollBackAll},
		Order: planner.Order{Label: "ring", Values: []string{"canary"}},
	}
}

// version is a bundle of one service, which fails when it is started if it is told to.
func version(n int, fails string) map[string][]byte {
	return map[string][]byte{"compose.yml": fmt.Appendf(nil, "services:\n  app:\n    image: acme/app:%d\n%s", n, fails)}
}

const endsAtOnce = "    labels: {farshore.test/fail: exit}\n"

// badVersion brings a good version to n devices, then one that cannot run, then a good one again.
func badVersion(t *testing.T, n int) {
	f := New(t)
	for i := range n {
		labels := map[string]string{"site": fmt.Sprint(i % 7)}
		if isCanary(i) {
			labels["ring"] = "canary"
		}
		f.Device(DeviceSpec{Seed: uint64(i + 1), Carrier: carriers[i%2], Mode: protocol.ModeStandard, Labels: labels, Containers: 1})
	}
	apply := func(files map[string][]byte) planner.RolloutView {
		_, _, err := f.Hub().Planner.Apply(planner.ApplySpec{
			Name: "web", Files: files, Manner: canaryFirst(), Health: &stacks.Health{Watch: 30, Retries: 1}, Author: "test",
		})
		if err != nil {
			t.Fatal(err)
		}
		var last planner.RolloutView
		f.Until("the rollout is over", 6*time.Hour, func() bool {
			last, err = f.Hub().Planner.Rollout("web", 0)
			return err == nil && last.State.Phase.Over()
		})
		return last
	}
	if r := apply(version(1, "")); r.State.Phase != rollout.Done || r.Counts[rollout.StatusSucceeded] != n {
		t.Fatalf("the good version: %s, %v: %s", r.State.Phase, r.Counts, r.Why)
	}
	f.Settle(2 * time.Hour)
	r := apply(version(2, endsAtOnce))
	if r.State.Phase != rollout.Failed || !strings.Contains(r.Why, "batch 1 ") || r.State.Batch != 1 {
		t.Errorf("the bad version: %s in batch %d: %s", r.State.Phase, r.State.Batch, r.Why)
	}
	if r.Counts[rollout.StatusWaiting] != n-n/10 || r.Counts[rollout.StatusSucceeded] != 0 {
		t.Errorf("of %d devices: %v", n, r.Counts)
	}
	f.Settle(2 * time.Hour) // all runs as it shall, by the hub's account and the devices' own
	for i, d := range f.devices {
		if saw := d.stager.Asked("web", 2); saw != isCanary(i) {
			t.Errorf("device %d: canary %v, told of the bad version %v", d.Spec.Seed, isCanary(i), saw)
		}
		if image := d.runs("web-app-1"); image != "acme/app:1" {
			t.Errorf("device %d runs %s", d.Spec.Seed, image)
		}
	}
	o, err := f.Hub().Planner.Get("web")
	if err != nil || o.States[protocol.StackRunning] != n || o.Stack.Current != 1 || o.Stack.Latest != 2 {
		t.Errorf("%v, version %d of %d is deployed, %v", o.States, o.Stack.Current, o.Stack.Latest, err)
	}
	devices, err := f.Hub().Planner.RolloutDevices("web", r.Number)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		if d.State.Status != rollout.StatusWaiting && d.State.Status != rollout.StatusReturned || d.Stack.Running != 1 {
			t.Errorf("%+v", d)
		}
	}
	if r := apply(version(3, "")); r.State.Phase != rollout.Done || r.Counts[rollout.StatusSucceeded] != n {
		t.Errorf("the version after it: %s, %v: %s", r.State.Phase, r.Counts, r.Why)
	}
}

// runs is the image of a container of the device.
func (d *Device) runs(container string) string {
	obs, err := d.Engine.Observe(d.fleet.t.Context())
	if err != nil {
		d.fleet.t.Fatal(err)
	}
	for _, c := range obs.Containers {
		if c.Name == container {
			return cmp.Or(c.ImageRef, obs.Images[c.Image-1].Tags[0])
		}
	}
	return "nothing"
}
