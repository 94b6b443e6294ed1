package fleettest

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/edgeagent/link"
	"github.com/farshore/farshore/hub/timeline"
	"github.com/farshore/farshore/protocol"
)

// history is the timeline of a device, the latest first.
func (f *Fleet) history(d *Device, kinds ...timeline.Kind) []timeline.Entry {
	f.t.Helper()
	entries, _, err := f.Hub().Timeline.Page(timeline.Query{Device: d.ID, Limit: timeline.Keep, Kinds: kinds})
	if err != nil {
		f.t.Fatal(err)
	}
	return entries
}

// What happened to a device is in its timeline, also after the hub was stopped or lost its power; days of pings alone are
// not.
func TestTimelineOutlivesTheHub(t *testing.T) {
	sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
		d := f.Device(DeviceSpec{
			Seed: 1, Carrier: carrier, Mode: protocol.ModeStandard, Containers: 3,
			Settings: protocol.Settings{Ping: 60}, // thousands in those days are as good as ten times as many
		})
		if carrier != protocol.CarrierHTTPS {
			carrier = protocol.CarrierMQTT // which an agent that may choose takes
		}
		f.Apply("web", bundle("1", "level: 1\n"))
		id := f.Give(d, protocol.Command{Kind: protocol.CommandSnapshot}, 0)
		f.Settle(time.Hour)
		before := f.history(d)
		for _, want := range []timeline.Entry{
			{Kind: timeline.KindApproval, By: "test"},
			{Kind: timeline.KindContact, Carrier: carrier, Open: carrier == protocol.CarrierMQTT},
			{Kind: timeline.KindStack, Stack: "web", State: "running"},
			{Kind: timeline.KindCommand, Command: id, State: "done"},
		} {
			there := slices.ContainsFunc(before, func(e timeline.Entry) bool {
				return e.Kind == want.Kind && e.Carrier == want.Carrier && e.Open == want.Open && e.Stack == want.Stack && e.State == want.State &&
					e.Command == want.Command && (want.By == "" || e.By != "") && e.Text != ""
			})
			if !there {
				t.Errorf("no %+v in %+v", want, before)
			}
		}
		time.Sleep(3 * 24 * time.Hour)
		if now := f.history(d); len(now) != len(before) {
			t.Errorf("days in which nothing happened left %+v", now[:len(now)-len(before)])
		}
		returns := func(times int) {
			f.Until("the device is back", time.Hour, func() bool {
				now := f.history(d)
				return len(now) == len(before)+times && now[0].Kind == timeline.KindContact
			})
			// By their ids: a contact moves on when it ends, and of what is of one moment either may be the first.
			now := f.history(d)
			for _, was := range before {
				if !slices.ContainsFunc(now, func(e timeline.Entry) bool { return e.ID == was.ID && e.Kind == was.Kind }) {
					t.Errorf("%+v is gone of %+v", was, now)
				}
			}
		}
		f.RestartHub()
		returns(1)
		time.Sleep(time.Minute)
		f.CrashHub()
		f.StartHub()
		returns(2)
	})
}

// A device that changes its carrier is seen on the one it went to.
func TestTimelineSaysByWhichCarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(t)
		d := f.Device(DeviceSpec{Seed: 1, Mode: protocol.ModeStandard})
		f.Settle(time.Hour)
		d.Carry(Broken, link.KindMQTT, link.KindMQTTWebSocket)
		f.Until("it is seen to come by HTTPS", time.Hour, func() bool {
			c := f.history(d, timeline.KindContact)
			return len(c) == 2 && c[0].Carrier == protocol.CarrierHTTPS && !c[1].Open
		})
		d.Carry(Working, link.KindMQTT, link.KindMQTTWebSocket)
		f.Until("it is seen to come by MQTT", 24*time.Hour, func() bool {
			c := f.history(d, timeline.KindContact)
			return c[0].Carrier == protocol.CarrierMQTT && c[0].Open
		})
	})
}
