package fleettest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

// starts tells for each container of a device which one it is, and since when it runs.
func starts(d *Device) map[string]string {
	obs, err := d.Engine.Observe(d.fleet.t.Context())
	if err != nil {
		d.fleet.t.Fatal(err)
	}
	out := map[string]string{}
	for _, c := range obs.Containers {
		out[c.Name] = fmt.Sprintf("%s since %d", c.ID, c.Started)
	}
	return out
}

func changedStarts(before, after map[string]string) (names []string) {
	for name := range after {
		if before[name] != after[name] {
			names = append(names, name)
		}
	}
	return names
}

// A new version touches the service that changed, be it by its definition or by a file that it mounts, and no other.
// Neither a restart of the agent nor one of the hub touches any.
func TestOnlyWhatChangedIsTouched(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Containers: 2})
		f.Apply("web", bundle("1", "level: 1\n"))
		f.Settle(20 * time.Minute)
		before := starts(d)
		f.Apply("web", bundle("1", "level: 2\n"))
		f.Settle(20 * time.Minute)
		after := starts(d)
		if got := changedStarts(before, after); len(got) != 1 || got[0] != "web-app-1" {
			t.Errorf("a file of app changed, and %v were touched", got)
		}
		d.Reboot()
		f.RestartHub()
		time.Sleep(20 * time.Minute)
		f.Settle(20 * time.Minute)
		if got := changedStarts(after, starts(d)); len(got) != 0 {
			t.Errorf("%v were touched by restarts", got)
		}
	})
}

// An image that cannot be had leaves the version before running, and says so.
func TestPreviousVersionKeepsRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(t)
		d := f.Device(DeviceSpec{Seed: 1, Mode: protocol.ModeStandard})
		f.Apply("web", bundle("1", "level: 1\n"))
		f.Settle(20 * time.Minute)
		before := starts(d)
		broken := bundle("2", "level: 1\n")
		broken["compose.yml"] = strings.Replace(broken["compose.yml"], "image: acme/app:2",
			"image: acme/app:2\n    labels: {farshore.test/fail: pull}", 1)
		f.Apply("web", broken)
		f.Until("the failure is told", 20*time.Minute, func() bool {
			s := f.Hub().Planner.DeviceStacks(d.ID)
			return len(s) == 1 && s[0].State == protocol.StackFailed && s[0].Running == 1 && s[0].Detail != ""
		})
		if got := changedStarts(before, starts(d)); len(got) != 0 {
			t.Errorf("%v were touched", got)
		}
		f.Apply("web", bundle("3", "level: 1\n"))
		f.Settle(20 * time.Minute)
	})
}

// A device that was away for a year, and missed new versions, removals, new stacks and commands, converges in one
// exchange: it never hears of what came and went.
func TestAwayForAYear(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Containers: 2})
		f.Apply("web", bundle("1", "level: 1\n"))
		f.Apply("old", map[string]string{"compose.yml": "services:\n  a:\n    image: acme/a:1\n"})
		f.Settle(20 * time.Minute)
		d.Stop()
		for quarter := range 4 {
			f.StopHub() // only to save the time that a hub's clockwork takes for a quarter
			time.Sleep(91 * 24 * time.Hour)
			f.StartHub()
			f.Apply("web", bundle(fmt.Sprint(quarter+2), fmt.Sprintf("level: %d\n", quarter)))
			f.Apply(fmt.Sprintf("passing-%d", quarter), map[string]string{"compose.yml": "services:\n  p:\n    image: acme/p:1\n"})
			if quarter > 0 {
				if err := f.Hub().Planner.Remove(fmt.Sprintf("passing-%d", quarter-1), "test"); err != nil {
					t.Fatal(err)
				}
			}
			f.Give(d, restart(containers(d)[0]), 0)
			f.given = nil // all but the last name the same container
		}
		if err := f.Hub().Planner.Remove("old", "test"); err != nil {
			t.Fatal(err)
		}
		d.PowerOn()
		at := time.Now()
		f.Until("the device has what it shall have", 2*time.Minute, func() bool {
			return protocol.DesiredHash(d.State.Orders().Desired) == protocol.DesiredHash(f.Hub().Planner.Desired(d.ID))
		})
		if took := time.Since(at); took > 15*time.Second {
			t.Errorf("converging took %s", took)
		}
		f.Settle(30 * time.Minute)
		if n := d.Calls("restart", containers(d)[0]); n > 1 {
			t.Errorf("%d of last year's commands ran", n)
		}
		for name := range starts(d) {
			if strings.HasPrefix(name, "old-") || strings.HasPrefix(name, "passing-") && !strings.HasPrefix(name, "passing-3") {
				t.Errorf("%s runs", name)
			}
		}
		if _, err := f.Hub().Planner.Get("old"); !errors.Is(err, stacks.ErrNotFound) {
			t.Errorf("the removed stack is still there: %v", err)
		}
	})
}
