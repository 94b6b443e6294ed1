package fleettest

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/internal/faultnet"
	"github.com/farshore/farshore/internal/fleettest/fakeengine"
	"github.com/farshore/farshore/protocol"
)

func restart(target string) protocol.Command {
	return protocol.Command{Kind: protocol.CommandContainerRestart, Target: target}
}

// An order given yesterday does not run when the device comes back, and neither does one that the device had taken
// when its power failed: not before it knows the time, and not after.
func TestExpiredCommandsNeverRun(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Mode: protocol.ModeStandard, Containers: 4})
		f.Settle(5 * time.Minute)
		names := containers(d)
		d.Engine.SetLatency(time.Minute)
		running := f.Give(d, restart(names[0]), 0)
		taken := f.Give(d, restart(names[1]), 10*time.Minute)
		f.Until("both are on the device", 10*time.Minute, func() bool {
			return d.Calls("restart", names[0]) == 1 && f.State(taken) == protocol.CommandSent
		})
		d.PowerCut()
		never := f.Give(d, restart(names[2]), 10*time.Minute)
		d.Engine.SetLatency(0)
		d.PowerBack()
		d.Disconnect() // up again without contact
		time.Sleep(5 * time.Hour)
		if n := d.Calls("restart", names[1]); n != 0 {
			t.Errorf("a command ran without contact after its time")
		}
		d.Reconnect()
		f.Settle(30 * time.Minute)
		for id, want := range map[protocol.CommandID]protocol.CommandState{
			running: protocol.CommandInterrupted, taken: protocol.CommandExpired, never: protocol.CommandExpired,
		} {
			if got := f.State(id); got != want {
				t.Errorf("command %s is %s, want %s", id, got, want)
			}
		}
	})
}

// A command that is withdrawn before it starts does not run, wherever it is by then.
func TestWithdrawn(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.Device(DeviceSpec{Seed: 1, Carrier: carrier, Mode: protocol.ModeStandard, Containers: 4})
		f.Settle(5 * time.Minute)
		names := containers(d)
		d.Engine.SetLatency(90 * time.Second)
		f.Give(d, restart(names[0]), 0) // keeps the device busy
		onDevice := f.Give(d, restart(names[1]), 0)
		f.Until("the device has it", 10*time.Minute, func() bool { return f.State(onDevice) == protocol.CommandSent })
		d.Disconnect()
		onHub := f.Give(d, restart(names[2]), 0)
		for _, id := range []protocol.CommandID{onDevice, onHub} {
			if _, err := f.Hub().Commands.Withdraw(id, "test"); err != nil {
				t.Fatal(err)
			}
		}
		d.Reconnect()
		d.Engine.SetLatency(time.Second)
		f.Settle(30 * time.Minute)
		for _, id := range []protocol.CommandID{onDevice, onHub} {
			if got := f.State(id); got != protocol.CommandWithdrawn {
				t.Errorf("command %s is %s", id, got)
			}
		}
	})
}

// Urgent commands go before all others, also those that came before them.
func TestUrgentFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(t)
		d := f.Device(DeviceSpec{Seed: 1, Containers: 6})
		f.Settle(10 * time.Minute)
		names := containers(d)
		d.Disconnect()
		var want []string
		for i, name := range names[:5] {
			c := restart(name)
			c.Urgent = i >= 3
			f.Give(d, c, 0)
			time.Sleep(time.Second)
		}
		for _, i := range []int{3, 4, 0, 1, 2} {
			want = append(want, "restart "+names[i])
		}
		d.Reconnect()
		f.Settle(30 * time.Minute)
		if got := d.counted.log(); !slices.Equal(got, want) {
			t.Errorf("order was %v, want %v", got, want)
		}
	})
}

// On a thin link that is full of logs, the result of an urgent command does not wait for them.
func TestResultsGoBeforeLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(t)
		d := f.newDevice(DeviceSpec{Seed: 1, Carrier: protocol.CarrierMQTT, Mode: protocol.ModeStandard, Containers: 2})
		line := make([]byte, 200_000)
		for i := range line {
			line[i] = byte(33 + d.rand.IntN(90))
		}
		if _, err := d.Engine.Create(fakeengine.Spec{Name: "talker", Image: "busybox", Log: string(line)}); err != nil {
			t.Fatal(err)
		}
		if err := d.Engine.ContainerStart(t.Context(), "talker"); err != nil {
			t.Fatal(err)
		}
		d.Start()
		f.Settle(5 * time.Minute)
		d.Link.Set(faultnet.Knobs{Latency: 300 * time.Millisecond, Rate: 1000})
		logs := f.Give(d, protocol.Command{Kind: protocol.CommandContainerLogs, Target: "talker"}, 0)
		time.Sleep(20 * time.Second)
		urgent := restart(containers(d)[0])
		urgent.Urgent = true
		id := f.Give(d, urgent, 0)
		f.Until("the urgent result is there", time.Minute, func() bool { return f.State(id) == protocol.CommandDone })
		f.Settle(20 * time.Minute)
		out, err := f.Hub().Commands.ReadOutput(logs)
		if err != nil || len(out) < 60_000 || !slices.Equal(out, line[len(line)-len(out):]) {
			t.Errorf("logs are %d bytes, error %v", len(out), err)
		}
	})
}
