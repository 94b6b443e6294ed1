package fleet_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/protocol"
)

// A device that may use its link at certain times alone is judged by these. The bubble's time begins on 1 January 2000
// at midnight UTC.
func TestADeviceIsJudgedByItsOpenings(t *testing.T) {
	at := func(h, m, s int) time.Time { return time.Date(2000, 1, 1, h, m, s, 0, time.UTC) }
	passes := func(after protocol.AfterPasses, starts ...time.Time) *fleet.Passes {
		p := &fleet.Passes{After: after}
		for _, s := range starts {
			p.Passes = append(p.Passes, protocol.Pass{Start: s.Unix(), Seconds: 600})
		}
		return p
	}
	type look struct {
		at    time.Time
		state fleet.LivenessState
		next  time.Time // zero: none
		says  string
	}
	sixHourly := []protocol.ContactWindow{{Start: "0 */6 * * *", Seconds: 600, Zone: "UTC"}}
	for name, c := range map[string]struct {
		ping    protocol.Frequency
		windows []protocol.ContactWindow
		passes  *fleet.Passes
		budget  *protocol.Budget
		stage   protocol.Spending
		contact []time.Time
		looks   []look
	}{
		"windows": {ping: 3600, windows: sixHourly, contact: []time.Time{at(6, 0, 30)}, looks: []look{
			{at(6, 5, 0), fleet.OnTime, at(12, 0, 0), "the link is open until 06:10"},
			{at(6, 30, 0), fleet.Quiet, at(12, 0, 0), "In contact only at its contact windows (profile vessel of this device); quiet until 12:00 UTC."},
			{at(12, 5, 0), fleet.OnTime, at(12, 0, 0), "the link is open until 12:10:00 UTC, and a contact is expected by then."},
			{at(12, 11, 0), fleet.Late, at(18, 0, 0), "that from 12:00 UTC to 12:10:00 UTC passed without a contact. Overdue after 3."},
			{at(20, 0, 0), fleet.Late, at(24, 0, 0), "passed without a contact"},
			{at(24, 11, 0), fleet.Overdue, time.Time{}, "the last contact was on 1 January, 06:00 UTC, and 3 or more openings have passed without one."},
		}},
		"it comes back": {ping: 3600, windows: sixHourly, contact: []time.Time{at(6, 0, 30), at(24, 1, 0)}, looks: []look{
			{at(24, 5, 0), fleet.OnTime, at(30, 0, 0), "the link is open until"},
			{at(25, 0, 0), fleet.Quiet, at(30, 0, 0), "quiet until 06:00 UTC"},
		}},
		// Pings each hour, windows each two minutes: those in between need not be used.
		"a ping that is rarer than the windows": {
			ping: 3600, windows: []protocol.ContactWindow{{Start: "*/2 * * * *", Seconds: 20, Zone: "UTC"}}, contact: []time.Time{at(6, 0, 5)}, looks: []look{
				{at(6, 10, 0), fleet.Quiet, at(7, 0, 0), "quiet until 07:00 UTC"},
				{at(7, 0, 10), fleet.OnTime, at(7, 0, 0), "expected by then"},
				{at(7, 1, 0), fleet.Late, at(8, 0, 0), "passed without a contact"},
			},
		},
		// Eight hours of each day, a ping each minute: within them the pings count.
		"a long window": {ping: 60, windows: []protocol.ContactWindow{{Start: "0 8 * * *", Seconds: 8 * 3600, Zone: "UTC"}}, contact: []time.Time{at(8, 0, 5), at(9, 0, 0)}, looks: []look{
			{at(9, 0, 30), fleet.OnTime, at(9, 1, 0), "the link is open until 16:00 UTC"},
			{at(9, 2, 0), fleet.Late, at(32, 0, 0), "a contact that was due has not come"},
			{at(9, 10, 0), fleet.Overdue, time.Time{}, "3 or more were due since, while the link was open"},
			{at(17, 0, 0), fleet.Overdue, time.Time{}, "while the link was open"},
		}},
		"passes, and silence": {ping: 3600, passes: passes(protocol.AfterSilent, at(6, 0, 0), at(8, 0, 0), at(9, 0, 0)), contact: []time.Time{at(6, 0, 30)}, looks: []look{
			{at(7, 0, 0), fleet.Quiet, at(8, 0, 0), "In contact only at the passes of this device; quiet until 08:00 UTC."},
			{at(8, 30, 0), fleet.Late, at(9, 0, 0), "passed without a contact"},
			{at(23, 0, 0), fleet.Late, time.Time{}, "passed without a contact"},
		}},
		"the last pass was used": {ping: 3600, passes: passes(protocol.AfterSilent, at(6, 0, 0)), contact: []time.Time{at(6, 0, 30)}, looks: []look{
			{at(6, 5, 0), fleet.OnTime, time.Time{}, "the link is open until 06:10"},
			{at(23, 0, 0), fleet.Quiet, time.Time{}, "none is left: it is silent until somebody at the device opens contact"},
		}},
		"five minutes a day after the table": {ping: 3600, passes: passes(0, at(6, 0, 0)), contact: []time.Time{at(6, 0, 30)}, looks: []look{
			{at(23, 0, 0), fleet.Quiet, at(30, 10, 0), "quiet until 2 January, 06:10 UTC"},
			{at(31, 0, 0), fleet.Late, at(54, 10, 0), "passed without a contact"},
		}},
		"open after the table": {ping: 3600, passes: passes(protocol.AfterOpen, at(6, 0, 0)), contact: []time.Time{at(6, 0, 30), at(6, 20, 0)}, looks: []look{
			{at(7, 0, 0), fleet.OnTime, at(7, 20, 0), ""},
			{at(7, 30, 0), fleet.Late, time.Time{}, ""},
		}},
		"pings are off": {ping: protocol.FrequencyOff, windows: sixHourly, contact: []time.Time{at(6, 0, 30)}, looks: []look{
			{at(7, 0, 0), fleet.Quiet, at(12, 0, 0), "quiet until 12:00 UTC"},
			{at(13, 0, 0), fleet.Late, at(18, 0, 0), "passed without a contact"},
		}},
		"a message outside of openings": {ping: 3600, windows: sixHourly, contact: []time.Time{at(7, 0, 0)}, looks: []look{
			{at(7, 1, 0), fleet.Quiet, at(12, 0, 0), "quiet until 12:00 UTC"},
		}},
		"saving": {ping: 600, budget: &protocol.Budget{Soft: 4_000_000, Hard: 5_000_000}, stage: protocol.SpendingSaving, contact: []time.Time{at(6, 0, 0)}, looks: []look{
			{at(6, 30, 0), fleet.OnTime, at(6, 40, 0), "It is past its soft cap and saves, so it makes contact a quarter as often. Pings each 40 min"},
			{at(6, 45, 0), fleet.Late, at(7, 20, 0), "one was due at 06:40"},
		}},
		"near the cap": {ping: 600, budget: &protocol.Budget{Hard: 5_000_000}, stage: protocol.SpendingLast, contact: []time.Time{at(6, 0, 0)}, looks: []look{
			{at(11, 0, 0), fleet.OnTime, at(12, 0, 0), "It is near its hard cap: results and urgent work only. Pings each 6 h"},
		}},
		"silent by its own word alone, without a cap": {ping: 600, stage: protocol.SpendingSilent, contact: []time.Time{at(6, 0, 0)}, looks: []look{
			{at(6, 5, 0), fleet.OnTime, at(6, 10, 0), "Pings each 10 min"},
			{at(6, 32, 0), fleet.Overdue, time.Time{}, ""},
		}},
		"silent but for a ping a day": {ping: 600, budget: &protocol.Budget{Hard: 5_000_000, DailyPing: true}, stage: protocol.SpendingSilent, contact: []time.Time{at(6, 0, 0)}, looks: []look{
			{at(23, 0, 0), fleet.OnTime, at(30, 0, 0), "silent but for one ping a day. Pings each 1 d"},
		}},
		"silent until the cycle ends": {ping: 600, budget: &protocol.Budget{Day: 2, Hard: 5_000_000}, stage: protocol.SpendingSilent, contact: []time.Time{at(6, 0, 0)}, looks: []look{
			{at(7, 0, 0), fleet.Quiet, at(24, 0, 0), "It has spent its budget, and is silent until its billing cycle ends, on 2 January, 00:00 UTC."},
			{at(24, 5, 0), fleet.OnTime, at(24, 0, 0), "silent until its billing cycle ends"},
			{at(24, 11, 0), fleet.Late, at(24, 10, 0), ""},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				h := quick(t, dir)
				p := fleet.Profile{Name: "vessel", Settings: protocol.Settings{Ping: c.ping, Link: &protocol.LinkRules{Budget: c.budget}}}
				if c.windows != nil {
					p.Settings.Link.Contact = &protocol.Contact{Windows: c.windows}
				}
				must(t, h.PutProfile(p, nil))
				d := newDevice(1, "aurora")
				d.Profile = "vessel"
				must(t, h.Add(d))
				if c.passes != nil {
					must(t, h.SetPasses(fleet.Holder{Device: d.ID}, c.passes, nil))
				}
				for _, when := range c.contact {
					h.Contact(d.ID, when, protocol.CarrierMQTT)
					h.SetStage(d.ID, c.stage)
				}
				{
					for _, x := range c.looks {
						l, says := h.Explain(d.ID, x.at)
						if l.State != x.state || !l.NextContact.Equal(x.next) || !strings.Contains(says, x.says) || l.Since.After(x.at) {
							t.Errorf("at %s: %s since %s, next %s\n%s\nwant %s, next %s\n%s", x.at.Format("02 15:04:05"), l.State, l.Since.UTC().Format("02 15:04:05"),
								l.NextContact.UTC().Format("02 15:04:05"), says, x.state, x.next.Format("02 15:04:05"), x.says)
						}
					}
				}
			})
		})
	}
}

// Openings of which the hub was away for a part count against nobody.
func TestOpeningsWithoutAHubAreNotMissed(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(1, "aurora")
		d.Profile = fleet.ProfileVesselWindowed
		h := start(t, dir)
		must(t, h.Add(d))
		time.Sleep(time.Minute)
		h.Contact(d.ID, time.Now(), protocol.CarrierMQTT) // at 00:01
		time.Sleep(time.Minute)
		h.stop()
		time.Sleep(13 * time.Hour)
		h = start(t, dir) // at 13:02; those of 6:00 and 12:00 have passed
		if l := h.Liveness(d.ID, time.Now()); l.State != fleet.Quiet || !l.NextContact.Equal(time.Date(2000, 1, 1, 18, 0, 0, 0, time.UTC)) {
			t.Errorf("after the hub was away: %+v", l)
		}
		h.stop()
	})
}

// A device that must have fallen silent, by what was counted since its last word, is not waited for; one that may speak
// again is, from its next contact on.
func TestSilenceThatFollows(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := quick(t, dir)
		must(t, h.PutProfile(fleet.Profile{Name: "vessel", Settings: protocol.Settings{
			Ping: 600, Link: &protocol.LinkRules{Budget: &protocol.Budget{Day: 2, Soft: 4_000_000, Hard: 5_000_000}},
		}}, nil))
		d := newDevice(1, "aurora")
		d.Profile = "vessel"
		must(t, h.Add(d))
		at := func(hour, min int) time.Time { return time.Date(2000, 1, 1, hour, min, 0, 0, time.UTC) }
		is := func(when time.Time, want fleet.LivenessState, says string) {
			t.Helper()
			if l, text := h.Explain(d.ID, when); l.State != want || !strings.Contains(text, says) {
				t.Errorf("at %s: %s, want %s with %q\n%s", when.Format("02 15:04"), l.State, want, says, text)
			}
		}
		h.Contact(d.ID, at(6, 0), protocol.CarrierMQTT)
		h.SetStage(d.ID, protocol.SpendingSaving)
		is(at(12, 0), fleet.Overdue, "Pings each 40 min")
		h.InferStage(d.ID, protocol.SpendingSilent)
		is(at(12, 0), fleet.Quiet, "silent until its billing cycle ends, on 2 January, 00:00 UTC")
		h.InferStage(d.ID, protocol.SpendingFree) // the cycle has ended, or the cap was lifted: it has not been heard of since
		is(at(24, 5), fleet.OnTime, "times that held at its last contact (at any time from the next on)")
		h.Contact(d.ID, at(24, 6), protocol.CarrierMQTT)
		is(at(24, 10), fleet.OnTime, "Pings each 10 min")
		is(at(26, 0), fleet.Overdue, "Pings each 10 min")
	})
}

// quick is a registry that nobody runs.
func quick(t *testing.T, dir string) *fleet.Registry {
	t.Helper()
	s, err := store.Open(dir)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	r, err := fleet.New(fleet.Config{Store: s})
	must(t, err)
	return r
}
