package fleettest

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Hub and devices are stopped, and lose their power, at random moments in the middle of everything. Everything
// converges, no command has its effect twice, and no result is missing.
func TestRestarts(t *testing.T) {
	for seed := range uint64(seeds) {
		sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
			mode := []protocol.Mode{protocol.ModeStandard, protocol.ModeAsync}[seed%2]
			for n := range uint64(3) {
				d := f.Device(DeviceSpec{Seed: 1 + n + 10*seed, Carrier: carrier, Mode: mode, Containers: 12})
				d.Engine.SetLatency(300 * time.Millisecond)
			}
			b, rng := newBusy(f, seed), rand.New(rand.NewPCG(seed, 4))
			pause := func(most time.Duration) { time.Sleep(time.Duration(rng.Int64N(int64(most)))) }
			for range 25 {
				b.step()
				b.step()
				d := f.devices[rng.IntN(len(f.devices))]
				pause([]time.Duration{time.Second, 20 * time.Second, 2 * time.Minute}[rng.IntN(3)])
				switch rng.IntN(5) {
				case 0:
					f.RestartHub()
				case 1:
					f.CrashHub()
					pause(time.Minute)
					f.StartHub()
				case 2:
					d.Reboot()
				case 3:
					d.PowerCut()
					pause(time.Minute)
					d.PowerBack()
				case 4:
					f.CrashHub()
					d.PowerCut()
					pause(10 * time.Second)
					d.PowerBack()
					pause(10 * time.Second)
					f.StartHub()
				}
			}
			f.Settle(time.Hour)
		})
	}
}

// The hub is away for days. Devices keep their stacks as desired on their own, also through a reboot; what happened
// meanwhile arrives later.
func TestHubAwayForDays(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Containers: 3})
		f.Apply("web", bundle("1", "level: 1\n"))
		f.Settle(20 * time.Minute)

		target := containers(d)[0]
		d.Engine.SetLatency(20 * time.Second) // so that the hub goes before the result comes
		id := f.Give(d, protocol.Command{Kind: protocol.CommandContainerRestart, Target: target}, 0)
		f.Until("the command runs", 10*time.Minute, func() bool { return d.Calls("restart", target) == 1 })
		f.StopHub()
		time.Sleep(time.Hour)
		d.Engine.SetLatency(0)

		if err := d.Engine.ContainerRemove(t.Context(), "web-app-1", true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Hour)
		if !runs(d, "web-app-1") {
			t.Error("a container of a stack that went is not back after a day without the hub")
		}
		d.Reboot()
		time.Sleep(30 * time.Hour)
		if !runs(d, "web-app-1") || !runs(d, "web-db-1") {
			t.Error("a stack did not survive a reboot without the hub")
		}
		f.StartHub()
		f.Settle(30 * time.Minute)
		if s := f.State(id); s != protocol.CommandDone {
			t.Errorf("the command that ended while the hub was away is %s", s)
		}
	})
}

func runs(d *Device, container string) bool {
	obs, err := d.Engine.Observe(d.fleet.t.Context())
	if err != nil {
		d.fleet.t.Fatal(err)
	}
	for _, c := range obs.Containers {
		if c.Name == container {
			return c.State == protocol.ContainerRunning
		}
	}
	return false
}

// A device whose power failed is not held for a copy of itself when it is back a moment later.
func TestBackAfterPowerCut(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Mode: protocol.ModeStandard, Containers: 3})
		f.Settle(5 * time.Minute)
		d.PowerCut()
		time.Sleep(2 * time.Second)
		d.PowerBack()
		f.Until("the device is back", 20*time.Second, func() bool { return d.Status().Session.Connected })
		id := f.Give(d, protocol.Command{Kind: protocol.CommandContainerRestart, Target: containers(d)[0]}, 0)
		f.Until("it takes a command", time.Minute, func() bool { return f.State(id) == protocol.CommandDone })
		if n := f.Told("copy"); n != 0 {
			t.Errorf("%d events say that it is a copy", n)
		}
	})
}

// An agent that is stopped in the middle of a command says "interrupted", once, and does not run it again.
func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(t)
		d := f.Device(DeviceSpec{Seed: 1, Mode: protocol.ModeStandard, Containers: 3})
		f.Settle(5 * time.Minute)
		target := containers(d)[0]
		d.Engine.SetLatency(30 * time.Second)
		id := f.Give(d, protocol.Command{Kind: protocol.CommandContainerRestart, Target: target}, 0)
		f.Until("the command runs", 5*time.Minute, func() bool { return d.Calls("restart", target) == 1 })
		d.PowerCut()
		d.PowerBack()
		d.Engine.SetLatency(0)
		f.Settle(10 * time.Minute)
		if s := f.State(id); s != protocol.CommandInterrupted {
			t.Errorf("the command is %s", s)
		}
	})
}
