package fleettest

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

// A backup is made while the fleet is at work, and restored elsewhere: no device joins anew, nothing is deployed anew,
// and all agree again.
func TestBackupUnderLoadIsRestored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(t)
		for n := range uint64(20) {
			carrier := []protocol.Carrier{protocol.CarrierMQTT, protocol.CarrierHTTPS}[n%2]
			mode := []protocol.Mode{protocol.ModeStandard, protocol.ModeAsync}[n/2%2]
			f.Device(DeviceSpec{Seed: n + 1, Carrier: carrier, Mode: mode, Containers: 3})
		}
		f.Apply("web", bundle("1", "level: 1\n"))
		f.Settle(time.Hour)
		before := map[*Device]map[string]string{}
		for _, d := range f.devices {
			before[d] = starts(d)
		}
		for _, d := range f.devices {
			f.Give(d, protocol.Command{Kind: protocol.CommandSnapshot}, 0)
		}
		b := f.Backup()
		time.Sleep(10 * time.Minute) // snapshots come, commands end
		f.Settle(time.Hour)
		f.RestoreHub(b)
		f.Settle(time.Hour)
		for _, d := range f.devices {
			if got := changedStarts(before[d], starts(d)); len(got) != 0 {
				t.Errorf("device %d: %v were touched", d.Spec.Seed, got)
			}
		}
		if waiting := f.Hub().Waiting.List(); len(waiting) != 0 {
			t.Errorf("%d devices join anew", len(waiting))
		}
		if f.Told("copy")+f.Told("boot-went-back")+f.Told("hub.superseded")+f.Told("device.told.order-refused") > 0 {
			t.Error("somebody was taken for another")
		}
		if f.Told("hub.restored") != 1 {
			t.Error("nobody was told that the hub was restored")
		}
		f.RestartHub()
		if f.Told("hub.restored") != 1 {
			t.Error("it was told again")
		}
	})
}

// The hub goes back in time. What devices did meanwhile is not done again, and they go back to what it knows.
func TestHubGoesBackInTime(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Mode: protocol.ModeStandard, Containers: 6})
		away := f.Device(DeviceSpec{Seed: 2, Carrier: carrier, Mode: protocol.ModeStandard, Containers: 3})
		known, fresh := f.EdgeKey(admission.KeySpec{}), ""
		f.Apply("web", bundle("1", "level: 1\n"))
		f.Settle(time.Hour)
		names := containers(d)
		done := f.Give(d, restart(names[0]), 0)
		f.Settle(time.Hour)
		away.Disconnect()
		queued := f.Give(away, restart(containers(away)[0]), 0)
		d.Engine.SetLatency(time.Minute)
		taken := f.Give(d, restart(names[1]), 0)
		soon := f.Give(d, restart(names[2]), 5*time.Minute) // has its result, and its end, after the backup
		f.Until("both are on the device", 10*time.Minute, func() bool {
			return f.State(taken) == protocol.CommandSent && f.State(soon) == protocol.CommandSent
		})
		b := f.Backup()

		d.Engine.SetLatency(0)
		away.Reconnect()
		after, err := f.Hub().Commands.Give(commands.Spec{Device: d.ID, Command: restart(names[3]), By: "test"})
		if err != nil {
			t.Fatal(err)
		}
		fresh = f.EdgeKey(admission.KeySpec{})
		late := []*Device{
			f.Device(DeviceSpec{Seed: 3, Carrier: carrier, EdgeKey: known}), f.Device(DeviceSpec{Seed: 4, Carrier: carrier, EdgeKey: fresh}),
		}
		for _, l := range late {
			f.Until("it knocks", time.Hour, func() bool {
				return slices.ContainsFunc(f.Hub().Waiting.List(), func(w waitingroom.Waiting) bool { return w.ID == l.ID })
			})
			f.Approve(l)
		}
		f.Apply("web", bundle("2", "level: 2\n"))
		f.Apply("late", map[string]string{"compose.yml": "services:\n  only:\n    image: acme/only:1\n"})
		f.Settle(2 * time.Hour)
		if f.State(after.ID) != protocol.CommandDone || !runs(d, "late-only-1") {
			t.Fatal("the fleet is not as the test needs it")
		}
		version := func() uint64 { return f.Hub().Planner.Desired(d.ID)[0].Version }

		time.Sleep(10 * time.Minute)
		f.RestoreHub(b)
		for _, l := range late {
			l.gone = true
		}
		f.Settle(2 * time.Hour)
		for name, want := range map[protocol.CommandID]protocol.CommandState{
			done: protocol.CommandDone, taken: protocol.CommandDone, queued: protocol.CommandDone, soon: protocol.CommandInterrupted,
		} {
			if s := f.State(name); s != want {
				t.Errorf("a command is %s, not %s", s, want)
			}
		}
		for _, name := range names[:4] {
			if n := d.Calls("restart", name); n != 1 {
				t.Errorf("%s was restarted %d times", name, n)
			}
		}
		if runs(d, "late-only-1") || version() != 1 {
			t.Error("the device does not have what the hub knows")
		}
		f.Until("the device that came later waits", time.Hour, func() bool {
			list := f.Hub().Waiting.List()
			return len(list) == 1 && list[0].ID == late[0].ID
		})
		f.Until("people are told of the one whose edge key is not known", 24*time.Hour, func() bool { return f.Told(admission.NoteUnknownKey) > 0 })
		f.Approve(late[0])
		late[0].gone = false
		f.Settle(time.Hour)

		// What was made meanwhile is made again: where it is the same, nothing is touched.
		f.Apply("web", bundle("2", "level: 2\n"))
		f.Settle(time.Hour)
		if id := f.Give(d, restart(names[4]), 0); !slices.Contains([]protocol.CommandState{protocol.CommandQueued, protocol.CommandSent}, f.State(id)) {
			t.Error("a new command is not given")
		}
		f.Settle(time.Hour)
	})
}

// What was made after the backup is made again before a device is back: it has it already, and nothing is touched.
func TestWhatIsMadeAgainTouchesNothing(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Containers: 1})
		f.Apply("web", bundle("1", "level: 1\n"))
		f.Settle(time.Hour)
		b := f.Backup()
		only := map[string]string{"compose.yml": "services:\n  only:\n    image: acme/only:1\n"}
		f.Apply("web", bundle("2", "level: 2\n"))
		f.Apply("late", only)
		f.Settle(time.Hour)
		before := starts(d)
		d.Disconnect()
		f.RestoreHub(b)
		f.Apply("web", bundle("2", "level: 2\n"))
		f.Apply("late", only)
		d.Reconnect()
		f.Settle(time.Hour)
		if got := changedStarts(before, starts(d)); len(got) != 0 {
			t.Errorf("%v were touched", got)
		}
	})
}

// What devices said after the backup and will not say by themselves again is not waited for: a stack that they have
// removed is gone, one that they have deployed runs.
func TestWhatDevicesSaidMeanwhileIsNotMissed(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Containers: 1})
		f.Apply("old", bundle("1", "level: 1\n"))
		f.Settle(time.Hour)
		d.Disconnect()
		if err := f.Hub().Planner.Remove("old", "test"); err != nil {
			t.Fatal(err)
		}
		f.Apply("new", map[string]string{"compose.yml": "services:\n  only:\n    image: acme/only:1\n"})
		b := f.Backup()
		d.Reconnect()
		f.Until("the old stack is gone", time.Hour, func() bool { return len(f.Hub().Planner.DeviceStacks(d.ID)) == 1 })
		f.Settle(time.Hour)
		before := starts(d)
		f.RestoreHub(b)
		f.Settle(time.Hour)
		if left := f.Hub().Planner.DeviceStacks(d.ID); len(left) != 1 {
			t.Errorf("the hub waits for %d stacks", len(left))
		}
		if got := changedStarts(before, starts(d)); len(got) != 0 {
			t.Errorf("%v were touched", got)
		}
	})
}

// Of two hubs with one key, the one that was not restored says that there is another.
func TestSupersededHubSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(t)
		d := f.Device(DeviceSpec{Seed: 1, Mode: protocol.ModeStandard, Containers: 1})
		f.Settle(time.Hour)
		old, b := f.data, f.Backup()
		f.RestoreHub(b)
		f.Apply("web", bundle("1", "level: 1\n"))
		f.Settle(time.Hour)
		f.StopHub()
		f.data = old
		f.StartHub()
		f.Until("the old hub says so", time.Hour, func() bool { return f.Told("hub.superseded") == 1 })
		f.Settle(time.Hour)
		d.Reboot()
		f.Settle(time.Hour)
		if f.Told("hub.superseded") != 1 {
			t.Error("it says so again")
		}
	})
}
