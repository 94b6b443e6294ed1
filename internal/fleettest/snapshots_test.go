package fleettest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Nothing changed: no snapshot is sent, on whatever carrier, through reconnecting and restarts of the hub.
func TestNothingChangedNothingSent(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Containers: 10})
		f.Settle(20 * time.Minute)
		before := f.states(d)
		for range 5 {
			time.Sleep(20 * time.Minute)
			d.Link.Cut()
			time.Sleep(20 * time.Minute)
			f.RestartHub()
		}
		f.Settle(20 * time.Minute)
		if n := f.states(d) - before; n != 0 {
			t.Errorf("%d snapshots were stored, and nothing had changed", n)
		}
		if l := f.Hub().Fleet.Liveness(d.ID, time.Now()); l.State != "on-time" {
			t.Errorf("the device is %s", l.State)
		}
	})
}

// states is how many states of the device the hub keeps.
func (f *Fleet) states(d *Device) int {
	times, err := f.Hub().Snapshots.History(d.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	return len(times)
}

// A hub that has lost its last state, or has another than the device thinks, asks for a whole snapshot.
func TestWrongBase(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Mode: protocol.ModeStandard, Containers: 5})
		f.Settle(20 * time.Minute)
		if err := f.Hub().Snapshots.Forget(d.ID); err != nil {
			t.Fatal(err)
		}
		if err := d.Engine.ContainerStop(t.Context(), containers(d)[0], 0); err != nil {
			t.Fatal(err)
		}
		f.Settle(20 * time.Minute) // in the middle of a session
		d.Stop()
		if err := d.State.SetAckedSnapshot([]byte("something else")); err != nil {
			t.Fatal(err)
		}
		d.PowerOn()
		f.Settle(20 * time.Minute) // at the beginning of one
		d.Stop()
		if err := f.Hub().Snapshots.Forget(d.ID); err != nil {
			t.Fatal(err)
		}
		d.PowerOn()
		f.Settle(20 * time.Minute)
	})
}

// A device that is restored from an old copy of its data folder is not locked out, does what it shall do, and a person
// is told.
func TestRestoredFromOldCopy(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Containers: 5, Data: folder(t)})
		f.Apply("web", bundle("1", "level: 1\n"))
		f.Settle(20 * time.Minute)
		d.Stop()
		old := folder(t)
		copyFolder(t, d.Spec.Data, old)
		d.PowerOn()
		f.Apply("web", bundle("2", "level: 2\n"))
		f.Apply("more", bundle("1", "level: 1\n"))
		f.Settle(20 * time.Minute)
		d.Reboot()
		id := f.Give(d, restart(containers(d)[0]), 0)
		f.Settle(20 * time.Minute)
		d.Stop()
		d.Spec.Data = old
		time.Sleep(10 * time.Minute)
		d.PowerOn()
		f.Settle(30 * time.Minute)
		if s := f.State(id); s != protocol.CommandDone {
			t.Errorf("the command is %s", s)
		}
		if f.Told("boot-went-back")+f.Told("copy") == 0 {
			t.Error("nobody was told that the device went back in time")
		}
	})
}

// Two machines with one identity: the live one stays, the second is refused, and a person is told.
func TestCopyIsRefused(t *testing.T) {
	for _, carrier := range []protocol.Carrier{protocol.CarrierMQTT, protocol.CarrierHTTPS} {
		t.Run(string(carrier), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := New(t)
				d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Mode: protocol.ModeStandard, Containers: 5, Data: folder(t)})
				f.Settle(20 * time.Minute)
				d.Stop()
				c := d.Clone(folder(t))
				d.PowerOn()
				f.Until("the original is back", time.Minute, func() bool { return d.Status().Session.Connected })
				f.Settle(20 * time.Minute)
				c.PowerOn()
				time.Sleep(30 * time.Minute)
				if f.Told("copy") == 0 {
					t.Error("nobody was told of the copy")
				}
				if carrier == protocol.CarrierMQTT && c.Status().Session.Connected {
					t.Error("the copy is connected")
				}
				if l := f.Hub().Fleet.Liveness(d.ID, time.Now()); l.State != "on-time" {
					t.Errorf("the original is %s", l.State)
				}
				f.Settle(5 * time.Minute) // the hub's state is the original's
				id := f.Give(d, restart(containers(d)[0]), 0)
				f.Until("the original takes a command", 5*time.Minute, func() bool { return f.State(id) == protocol.CommandDone })
				if n := c.Calls("restart", containers(d)[0]); n != 0 {
					t.Error("the copy ran the command")
				}
			})
		})
	}
}

// In standard mode a busy engine makes a snapshot every 2 s at most, and the last state arrives in the end.
func TestSnapshotsOnChangeAreSpaced(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Mode: protocol.ModeStandard, Containers: 5})
		f.Settle(20 * time.Minute)
		names, before := containers(d), f.Told("device.snapshot")
		for i := range 300 { // 30 s
			var err error
			if i%2 == 0 {
				err = d.Engine.ContainerStop(t.Context(), names[i%5], 0)
			} else {
				err = d.Engine.ContainerStart(t.Context(), names[i%5])
			}
			if err != nil {
				t.Fatal(err)
			}
			if i%20 == 0 { // the hub happens to speak
				f.Give(d, protocol.Command{Kind: protocol.CommandContainerLogs, Target: names[0]}, 0)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := f.Told("device.snapshot") - before; n < 5 || n > 16 {
			t.Errorf("%d snapshots in 30 s, want one every 2 s at most", n)
		}
		f.Settle(time.Minute)
	})
}
