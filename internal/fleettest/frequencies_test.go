package fleettest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

func (f *Fleet) set(d *Device, s protocol.Settings) {
	f.t.Helper()
	_, err := f.Hub().Fleet.Update(d.ID, func(d *fleet.Device) error { d.Settings = s; return nil })
	if err != nil {
		f.t.Fatal(err)
	}
}

// Changed frequencies take effect: a command comes at once where commands are pushed, at the next command tick where
// they have an interval, and not before the next session where they are off.
func TestFrequenciesOfCommands(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Containers: 10})
		f.Settle(20 * time.Minute)
		names := containers(d)
		taken := func(id protocol.CommandID) func() bool {
			return func() bool { return f.State(id).Final() }
		}
		tick := 10 * time.Minute
		f.set(d, protocol.Settings{Ping: 30, Snapshot: 3600, Command: protocol.Every(tick)})
		f.Settle(20 * time.Minute)
		for i := range 3 {
			at := time.Now()
			id := f.Give(d, restart(names[i]), 0)
			f.Until("the command was done by the tick", tick+time.Minute, taken(id))
			if took := time.Since(at); i > 0 && took < tick/2 {
				t.Errorf("a command right after a tick took %s, with a tick of %s", took, tick)
			}
		}
		f.set(d, protocol.Settings{Ping: 30, Snapshot: 3600, Command: protocol.FrequencyPush})
		f.Settle(20 * time.Minute)
		id := f.Give(d, restart(names[4]), 0)
		limit := 5 * time.Second
		if carrier == protocol.CarrierHTTPS {
			limit = 31 * time.Second // it asks as often as it pings
		}
		f.Until("a pushed command is done", limit, taken(id))

		f.set(d, protocol.Settings{Ping: 30, Snapshot: 3600, Command: protocol.FrequencyOff})
		f.Settle(20 * time.Minute)
		id = f.Give(d, restart(names[5]), 0)
		time.Sleep(2 * time.Hour)
		if s := f.State(id); s.Final() {
			t.Errorf("commands are off, and the command is %s", s)
		}
		d.Reboot()
		f.Settle(20 * time.Minute)
	})
}

// A device is never called late or overdue while it keeps its rhythm, however that is set.
func TestOnTimeWithinItsOwnInterval(t *testing.T) { onTime(t) }

func onTime(t *testing.T) {
	for _, s := range []protocol.Settings{
		{},
		{Ping: 30, Snapshot: protocol.FrequencyPush, Command: protocol.FrequencyPush},
		{Ping: 3600, Snapshot: 3600, Command: 3600},
		{Ping: 1200, Snapshot: protocol.FrequencyOff, Command: 7200},
	} {
		sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
			d := f.Device(DeviceSpec{Seed: uint64(s.Ping) + 3, Carrier: carrier, Containers: 2, Settings: s})
			f.Until("the device has its settings", 3*time.Hour, func() bool { return f.Hub().Fleet.Liveness(d.ID, time.Now()).State == "on-time" })
			for range watchSteps {
				time.Sleep(5 * time.Minute)
				if l := f.Hub().Fleet.Liveness(d.ID, time.Now()); l.State != "on-time" {
					t.Fatalf("the device is %s since %s, last contact %s", l.State, l.Since, l.LastContact)
				}
				if time.Now().Minute()%25 == 0 {
					d.Link.Cut()
				}
			}
		})
	}
}

// All off: the device connects when it starts, tells how it is, takes what there is, and is quiet.
func TestAllOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(t)
		off := protocol.Settings{Ping: protocol.FrequencyOff, Snapshot: protocol.FrequencyOff, Command: protocol.FrequencyOff}
		d := f.Device(DeviceSpec{Seed: 1, Carrier: protocol.CarrierHTTPS, Containers: 2, Settings: off})
		f.Settle(20 * time.Minute)
		id := f.Give(d, restart(containers(d)[0]), 0)
		time.Sleep(12 * time.Hour)
		if l := f.Hub().Fleet.Liveness(d.ID, time.Now()); l.State != "quiet" {
			t.Errorf("the device is %s", l.State)
		}
		if s := f.State(id); s.Final() {
			t.Errorf("the command is %s", s)
		}
		d.Reboot()
		f.Until("the command is taken", time.Minute, func() bool { return f.State(id).Final() })
	})
}
