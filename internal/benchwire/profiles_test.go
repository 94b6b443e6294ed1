//go:build bench && linux

package benchwire

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// profileRows measures what an idle device costs in a day with each of the ready-made profiles, beside what the hub says
// that it costs.
func profileRows(t *testing.T, r *report) {
	s := newSite(t)
	for i, c := range []struct {
		name, target string
		most         int // bytes a day; 0: no target is set
	}{
		{fleet.ProfileLAN, "", 0},
		{fleet.ProfileLTE, "", 0},
		{fleet.ProfileSatellite, "≤ 20 kB", 20_000},
		{fleet.ProfileVesselWindowed, "≤ 20 kB", 20_000},
	} {
		rules := s.profile(t, c.name)
		computed := int(economy.IdleDay(rules))
		var day int
		var how string
		if rules.Link != nil && rules.Link.Contact != nil {
			each := s.opening(t, uint64(600+i), c.name)
			const openings = 4 // every six hours
			day = openings * each
			how = fmt.Sprintf("%d openings a day of %s B each: connect, say nothing new, close", openings, thousands(each))
		} else {
			connect, ping := s.keptConnection(t, uint64(600+i), c.name)
			every, _ := rules.Ping.Duration()
			pings := int(24 * time.Hour / every)
			day = connect + int(float64(pings)*ping)
			how = fmt.Sprintf("%s pings of %.1f B, measured 1 s apart, and %s B to connect", thousands(pings), ping, thousands(connect))
		}
		off := 100 * float64(computed-day) / float64(day)
		x := row{
			what: "idle device, profile `" + c.name + "`, 24 h", where: "wire", target: c.target, got: kB(day),
			how: fmt.Sprintf("%s; the hub says %s a day (%+.1f %%), %.2f MB a month", how, kB(computed), off, float64(economy.IdleMonth(rules))/1e6),
		}
		if c.most > 0 {
			x.verdict = atMost(day, c.most)
		}
		r.addProfile(t, x)
		if off > 5 || off < -5 {
			t.Errorf("profile %s: the hub says %d B a day, measured were %d: correct economy/cost.go", c.name, computed, day)
		}
	}
}

// profile gives the settings of a device that has nothing but a profile.
func (s *site) profile(t *testing.T, name string) protocol.Settings {
	t.Helper()
	for _, p := range s.hub.Services().Fleet.Profiles() {
		if p.Name == name {
			return p.Settings
		}
	}
	t.Fatalf("there is no profile %s", name)
	return protocol.Settings{}
}

// keptConnection measures a connection with the profile, and a ping on it.
func (s *site) keptConnection(t *testing.T, seed uint64, profile string) (connect int, ping float64) {
	t.Helper()
	const pings = 30
	d := s.device(t, deviceSpec{seed: seed, carrier: protocol.CarrierMQTT, containers: 5, profile: profile})
	d.settled(t, 5)
	connect = d.reconnected(t).Bytes()
	d.stop()
	fast := s.device(t, deviceSpec{seed: seed + 50, carrier: protocol.CarrierMQTT, containers: 5, profile: profile, settings: protocol.Settings{Ping: 1, Snapshot: 10}})
	fast.settled(t, 5)
	time.Sleep(5 * time.Second) // the new interval comes with a new connection
	mark, flow := s.Wire.Mark(), fast.last()
	time.Sleep((pings + 3) * time.Second)
	ping = float64(perPing(t, s.Wire.Since(mark).On(flow), pings)) / pings
	fast.stop()
	return connect, ping
}

// opening measures one time of contact of a device that has nothing to say: the median of three.
func (s *site) opening(t *testing.T, seed uint64, profile string) int {
	t.Helper()
	// With the profile from the beginning it would come for the first time when its first window opens.
	d := s.device(t, deviceSpec{seed: seed, carrier: protocol.CarrierMQTT, containers: 5, profile: fleet.ProfileSatellite})
	d.settled(t, 5)
	const every, long = 24 * time.Second, 12 * time.Second
	first := time.Now().Truncate(time.Second).Add(10 * time.Second)
	table := fleet.Passes{After: protocol.AfterSilent}
	for i := range 3 {
		table.Passes = append(table.Passes, protocol.Pass{Start: first.Add(time.Duration(i) * every).Unix(), Seconds: uint32(long.Seconds())})
	}
	if err := s.hub.Services().Fleet.SetPasses(fleet.Holder{Device: d.id}, &table, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.hub.Services().Fleet.UpdateGroup(fmt.Sprintf("group-%d", seed), func(g *fleet.Group) error {
		g.Profile, g.Settings.Ping = profile, protocol.Frequency(every/time.Second) // in each opening a ping is due, as in those of the profile
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var costs [3]int
	for i := range costs {
		begins := first.Add(time.Duration(i) * every)
		time.Sleep(time.Until(begins.Add(-2 * time.Second)))
		mark := s.Wire.Mark()
		time.Sleep(time.Until(begins.Add(long + 2*time.Second)))
		tr := s.Wire.Since(mark)
		costs[i] = tr.Bytes()
		if i == 1 {
			t.Logf("one opening:\n%s", tr)
		}
	}
	d.stop()
	if slices.Min(costs[:]) == 0 {
		t.Fatalf("in an opening nothing passed: %d B", costs)
	}
	return max(min(costs[0], costs[1]), min(max(costs[0], costs[1]), costs[2]))
}
