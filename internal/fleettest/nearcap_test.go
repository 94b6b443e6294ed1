package fleettest

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/timeline"
	"github.com/farshore/farshore/internal/fleettest/fakeengine"
	"github.com/farshore/farshore/protocol"
)

// A device near its hard cap takes commands and starts the urgent ones only, whose output it sends too. The others wait
// there, as the hub is told, until there is more to spend, or they expire.
func TestNearTheHardCapOnlyUrgentCommandsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(t)
		budget := protocol.Budget{Day: 1, Soft: 1_000_000, Hard: 2_000_000, Reserve: 990_000}
		s := protocol.Settings{
			Ping: 600, Snapshot: 3600, Command: protocol.FrequencyPush, KeyExchange: protocol.KeyExchangeClassic, Link: &protocol.LinkRules{Budget: &budget},
		}
		d := f.newDevice(DeviceSpec{Seed: 1, Carrier: protocol.CarrierMQTT, Mode: protocol.ModeStandard, Containers: 2, Profile: f.profile(s)})
		if _, err := d.Engine.Create(fakeengine.Spec{Name: "talker", Image: "busybox", Log: d.noise(200_000)}); err != nil {
			t.Fatal(err)
		}
		if err := d.Engine.ContainerStart(t.Context(), "talker"); err != nil {
			t.Fatal(err)
		}
		d.Start()
		f.Until("the device has its settings", time.Hour, func() bool { return d.Status().Settings.Link != nil })
		logs := protocol.Command{Kind: protocol.CommandContainerLogs, Target: "talker", Tail: 10_000}
		for range 20 {
			f.Give(d, logs, 0)
		}
		stage := func(s protocol.Spending) func() bool {
			return func() bool { return d.Status().Spending.Stage == s }
		}
		time.Sleep(time.Hour) // output ends just below the soft cap; files do not
		f.Apply("web", bundle("one", d.noise(300_000)))
		f.Until("the hard cap is near", 24*time.Hour, stage(protocol.SpendingLast))
		restarts := d.Calls("restart", "talker")
		usual, soon := f.Give(d, restart("talker"), 0), f.Give(d, restart("talker"), 20*time.Minute)
		urgent := logs
		urgent.Urgent = true
		asked := f.Give(d, urgent, 0)
		f.Until("the urgent one is done, with its output", time.Minute, func() bool {
			out, err := f.Hub().Commands.ReadOutput(asked)
			return err == nil && f.State(asked) == protocol.CommandDone && len(out) >= 60_000
		})
		f.Until("the hub knows that the others wait", time.Minute, func() bool {
			return f.State(usual) == protocol.CommandWaiting && f.State(soon) == protocol.CommandWaiting
		})
		f.Until("one has expired", time.Hour, func() bool { return f.State(soon) == protocol.CommandExpired })
		if n := d.Calls("restart", "talker"); n != restarts || f.State(usual) != protocol.CommandWaiting {
			t.Errorf("%d restarts, the command is %s", n-restarts, f.State(usual))
		}
		waits, calledUrgent := 0, 0
		for _, e := range f.history(d, timeline.KindCommand) {
			if strings.Contains(e.Text, "waiting: the device is near its hard cap") {
				waits++
			}
			if strings.Contains(e.Text, "urgent") && e.Command == asked {
				calledUrgent++
			}
		}
		if waits != 2 || calledUrgent != 1 {
			t.Errorf("the timeline says %d times that a command waits, and %d times that one is urgent", waits, calledUrgent)
		}
		if !stage(protocol.SpendingLast)() {
			t.Errorf("the device is %s", d.Status().Spending.Stage)
		}
		more := budget
		more.Hard, more.Soft = 40_000_000, 30_000_000
		s.Link = &protocol.LinkRules{Budget: &more}
		f.profile(s)
		f.Until("it goes on with more to spend", time.Hour, func() bool { return f.State(usual) == protocol.CommandDone })
		if n := d.Calls("restart", "talker"); n != restarts+1 {
			t.Errorf("%d restarts", n-restarts)
		}
	})
}

// noise is text that does not compress.
func (d *Device) noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(33 + d.rand.IntN(90))
	}
	return string(b)
}
