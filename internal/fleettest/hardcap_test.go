//go:build !race

package fleettest

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/internal/fleettest/fakeengine"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

// wire is what the device's link has carried, by a counter that knows nothing of the agent's: what either end put onto it,
// with a header for each segment, an acknowledgement for every second one, and seven packets for each connection.
func (d *Device) wire() uint64 {
	const header = 52
	c := d.Link.Carried()
	return c.Bytes + c.Segments*header + c.Segments/2*header + uint64(c.Connections)*(7*header+16)
}

// askForEverything gives the device more to say and to fetch in an hour than its budget has for a day.
func (f *Fleet) askForEverything(d *Device, hour int) {
	f.t.Helper()
	f.Give(d, protocol.Command{Kind: protocol.CommandContainerLogs, Target: "talker"}, time.Hour)
	urgent := restart("talker")
	urgent.Urgent = true
	f.Give(d, urgent, time.Hour)
	if _, err := d.Engine.Create(fakeengine.Spec{Name: fmt.Sprintf("by-hand-%d", hour), Image: "busybox"}); err != nil {
		f.t.Fatal(err)
	}
	if hour%2 == 1 {
		if err := d.Engine.ContainerRemove(f.t.Context(), fmt.Sprintf("by-hand-%d", hour), snapshot.Forcibly); err != nil {
			f.t.Fatal(err)
		}
	}
	if hour%6 == 0 {
		f.Apply("web", bundle(fmt.Sprint(hour), d.noise(300_000)))
	}
}

// A device with a hard cap of 5 MB that is asked for everything for thirty days stays below it on the wire, is silent
// then, with a ping a day where that is allowed, and goes on when the next cycle begins.
func TestLargeHardCapOfThirtyDays(t *testing.T) {
	const hard = 5_000_000
	for _, c := range []struct {
		carrier protocol.Carrier
		daily   bool
	}{{protocol.CarrierMQTT, true}, {protocol.CarrierHTTPS, false}} {
		t.Run(fmt.Sprintf("%s, daily ping %v", c.carrier, c.daily), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := New(t)
				if err := f.Hub().Fleet.PutProfile(fleet.Profile{Name: "capped", Settings: protocol.Settings{
					Ping: 3600, Snapshot: protocol.FrequencyPush, Command: protocol.FrequencyPush, KeyExchange: protocol.KeyExchangeClassic,
					Link: &protocol.LinkRules{Budget: &protocol.Budget{Day: 1, Soft: 4_500_000, Hard: hard, Reserve: 50_000, DailyPing: c.daily}},
				}}, func(*fleet.Profile) error { return nil }); err != nil {
					t.Fatal(err)
				}
				d := f.newDevice(DeviceSpec{Seed: 1, Carrier: c.carrier, Mode: protocol.ModeStandard, Containers: 10, Profile: "capped"})
				if _, err := d.Engine.Create(fakeengine.Spec{Name: "talker", Image: "busybox", Log: d.noise(200_000)}); err != nil {
					t.Fatal(err)
				}
				d.Start()
				f.Until("the device has its settings", time.Hour, func() bool { return d.Status().Settings.Link != nil })
				end := time.Now().Add(30 * 24 * time.Hour)
				silent, before, days, most := time.Time{}, uint64(0), 0, uint64(0)
				for hour := 0; time.Now().Before(end); hour++ {
					if silent.IsZero() || hour%12 == 0 {
						f.askForEverything(d, hour)
					}
					time.Sleep(time.Hour)
					if wire := d.wire(); wire > hard*101/100 {
						t.Fatalf("after %d hours %d bytes were on the wire, %d are counted", hour, wire, d.Status().Spending.Spent)
					}
					if silent.IsZero() && d.Status().Spending.Stage == protocol.SpendingSilent {
						silent, before = time.Now(), d.wire()
						t.Logf("silent after %d hours, with %d bytes on the wire and %d counted", hour, before, d.Status().Spending.Spent)
					}
					if !silent.IsZero() && hour%24 == 0 {
						days++
						most = max(most, d.wire()-before)
						before = d.wire()
					}
				}
				s := d.Status().Spending
				wire := d.wire()
				t.Logf("%d bytes on the wire, %d counted, at most %d in a silent day of %d, %+v", wire, s.Spent, most, days, s.Cycle)
				if silent.IsZero() || days < 20 {
					t.Fatalf("the device is %s after thirty days, with %d bytes on the wire", s.Stage, wire)
				}
				if s.Spent < wire*99/100 || s.Spent > wire*101/100+10_000 {
					t.Errorf("%d bytes were on the wire, %d are counted", wire, s.Spent)
				}
				if c.daily && (most < 1000 || most > 6000) || !c.daily && most != 0 {
					t.Errorf("up to %d bytes a day in silence", most)
				}
				time.Sleep(24 * time.Hour)
				f.Until("it goes on in the next cycle", 24*time.Hour, func() bool { return d.wire() > wire+100_000 })
				if told := f.Told("device.told.spending-silent"); told != 1 {
					t.Errorf("the hub was told %d times that the device was silent", told)
				}
			})
		})
	}
}
