package fleettest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/protocol"
)

// The flash of a device has spoilt its database while a result had not been reported. The device comes back by itself,
// as itself, does what it shall do, and runs nothing a second time.
func TestDamagedDatabase(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Mode: protocol.ModeStandard, Containers: 5, Data: folder(t)})
		f.Apply("web", bundle("1", "level: 1\n"))
		names := containers(d)
		f.Give(d, restart(names[0]), 0)
		f.Settle(20 * time.Minute)
		d.Engine.SetLatency(time.Minute)
		id := f.Give(d, restart(names[1]), 0)
		f.Until("the command runs", 10*time.Minute, func() bool { return d.Calls("restart", names[1]) == 1 })
		d.Disconnect()
		time.Sleep(10 * time.Minute) // it ends, and the hub does not hear of it
		d.Engine.SetLatency(0)
		d.Stop()
		if err := os.Truncate(filepath.Join(d.Spec.Data, state.FileName), int64(3*os.Getpagesize())); err != nil {
			t.Fatal(err)
		}
		f.Apply("web", bundle("2", "level: 2\n"))
		f.Apply("more", bundle("1", "level: 1\n"))
		d.Reconnect()
		d.PowerOn()
		f.Give(d, restart(names[2]), 0)
		f.Settle(30 * time.Minute)
		if n, s := d.Calls("restart", names[1]), f.State(id); n != 1 || s != protocol.CommandInterrupted {
			t.Errorf("the command that had run is %s, and reached the engine %d times", s, n)
		}
		if f.Told("device.told.state-damaged") != 1 {
			t.Error("nobody was told that the database was damaged")
		}
		if f.Told("boot-went-back")+f.Told("copy") > 0 {
			t.Error("the hub takes the device for another")
		}
	})
}
