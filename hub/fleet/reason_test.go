package fleet_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// The words that explain a state say what is expected, by which setting, and how that went. The bubble's time begins on
// 1 January 2000 at midnight UTC.
func TestLivenessIsExplained(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, dir)
		defer func() { h.stop() }()
		d, other := newDevice(1, "aurora-1"), newDevice(2, "aurora-2")
		d.Group = "ships/aurora"
		must(t, h.AddAll([]fleet.Device{d, other}))
		_, err := h.UpdateGroup("ships/aurora", func(g *fleet.Group) error { g.Profile = fleet.ProfileSatellite; return nil })
		must(t, err)
		says := func(state fleet.LivenessState, want string) {
			t.Helper()
			synctest.Wait()
			l, text := h.Explain(d.ID, time.Now())
			if l != h.Liveness(d.ID, time.Now()) || l.State != state || text != want {
				t.Errorf("%s: %q\nwant %s: %q", l.State, text, state, want)
			}
		}
		set := func(s protocol.Settings) {
			t.Helper()
			_, err := h.Update(d.ID, func(d *fleet.Device) error { d.Settings = s; return nil })
			must(t, err)
		}
		contact := func(c protocol.Carrier) { h.Contact(d.ID, time.Now(), c) }

		time.Sleep(14 * time.Hour)
		says(fleet.NeverSeen, "Approved at 00:00 UTC and not heard of since: see that the agent runs and reaches the hub.")
		contact(protocol.CarrierMQTT)
		const each = "Pings each 20 min (profile satellite of group ships/aurora); "
		says(fleet.OnTime, each+"one is due by 14:20 UTC.")
		time.Sleep(21 * time.Minute)
		says(fleet.OnTime, each+"one was due at 14:20:00 UTC, and late only after 14:22:00 UTC.")
		time.Sleep(2 * time.Minute)
		says(fleet.Late, each+"one was due at 14:20:00 UTC and did not come. Overdue from 15:02 UTC on.")
		time.Sleep(2 * time.Hour)
		says(fleet.Overdue, each+"the last was at 14:00 UTC, and 3 or more have not come.")
		time.Sleep(24 * time.Hour)
		says(fleet.Overdue, each+"the last was on 1 January, 14:00 UTC, and 3 or more have not come.")

		contact(protocol.CarrierMQTT) // at 16:23
		set(protocol.Settings{Ping: 5400})
		says(fleet.OnTime, "Contact each 20 min was set at its last one (1 h 30 min from the next on: set for this device); one is due by 16:43 UTC.")
		set(protocol.Settings{Ping: protocol.FrequencyOff})
		says(fleet.OnTime, "Contact each 20 min was set at its last one (off from the next on: set for this device); one is due by 16:43 UTC.")
		contact(protocol.CarrierMQTT)
		says(fleet.Quiet, "Its pings are off (set for this device), so no contact is expected; the last was at 16:23:00 UTC.")
		h.online[d.ID] = true
		says(fleet.OnTime, "Its pings are off (set for this device), so no contact is expected; it is connected now.")
		h.online[d.ID] = false
		set(protocol.Settings{Ping: protocol.FrequencyOff, Command: 60})
		contact(protocol.CarrierHTTPS)
		says(fleet.OnTime, "Asks for commands each 1 min (set for this device); one is due by 16:24:00 UTC.")
		set(protocol.Settings{})
		contact(protocol.CarrierMQTT)

		h.stop()
		time.Sleep(time.Hour)
		h = start(t, dir)
		says(fleet.OnTime, each+"one is due by 17:43 UTC. The hub itself was away for 1 h of that time, which does not count.")
		must(t, h.Replace(d.ID, other.ID))
		says(fleet.Revoked, "Shut out for good at 17:23:00 UTC: device "+string(other.ID)+" took its place.")
		if l, text := h.Explain("nobody", time.Now()); text != "" || l != (fleet.Liveness{}) {
			t.Errorf("an unknown device: %q", text)
		}
	})
}
