package fleet_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/protocol"
)

// vessel is a profile with everything that a link can have.
func vessel() fleet.Profile {
	return fleet.Profile{
		Name: "vessel", Tariff: economy.Tariff{PerMB: 4_200_000, Currency: "EUR"},
		Settings: protocol.Settings{Ping: 3600, Link: &protocol.LinkRules{
			Budget:  &protocol.Budget{Day: 31, Soft: 4_000_000, Hard: 5_000_000},
			Contact: &protocol.Contact{Windows: []protocol.ContactWindow{{Start: "0 */6 * * *", Seconds: 600}, {Start: "0 3 * * *", Seconds: 600, Zone: "UTC"}}},
		}},
	}
}

func passesAt(from time.Time, after protocol.AfterPasses, offsets ...time.Duration) *fleet.Passes {
	p := &fleet.Passes{After: after}
	for _, o := range offsets {
		p.Passes = append(p.Passes, protocol.Pass{Start: from.Add(o).Unix(), Seconds: 600})
	}
	return p
}

// What holds for a device's link comes from its profile, the nearest table of passes, its own label and its own lift.
func TestTheRulesOfALinkArePutTogether(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, dir)
		defer h.stop()
		near, far := newDevice(1, "near"), newDevice(2, "far")
		near.Group, far.Group = "ships/aurora", "ships"
		near.Labels = map[string]string{"timezone": "Asia.Tokyo"}
		must(t, h.AddAll([]fleet.Device{near, far}))
		must(t, h.PutProfile(vessel(), nil))
		_, err := h.UpdateGroup("ships", func(g *fleet.Group) error { g.Profile = "vessel"; return nil })
		must(t, err)
		link := func(d fleet.Device) *protocol.LinkRules {
			t.Helper()
			e, _ := h.Effective(d.ID)
			if e.Settings.Link == nil {
				t.Fatalf("%s has no rules of its link", d.Name)
			}
			return e.Settings.Link
		}
		zones := func(d fleet.Device) (out []string) {
			for _, w := range link(d).Contact.Windows {
				out = append(out, w.Zone)
			}
			return out
		}
		if got := zones(near); !slices.Equal(got, []string{"Asia/Tokyo", "UTC"}) {
			t.Errorf("time zones of near: %q", got)
		}
		if got := zones(far); !slices.Equal(got, []string{"UTC", "UTC"}) {
			t.Errorf("time zones of far: %q", got)
		}
		if got := link(far).Images; got != protocol.ImagesByAgent {
			t.Errorf("with a budget images are fetched by %v", got)
		}
		if e, _ := h.Effective(near.ID); e.Tariff.PerMB != 4_200_000 || e.From["link"] != "profile vessel (group ships)" {
			t.Errorf("tariff %+v, link from %q", e.Tariff, e.From["link"])
		}
		soon := time.Now().Add(30 * 24 * time.Hour)
		must(t, h.SetPasses(fleet.Holder{Group: "ships"}, passesAt(soon, protocol.AfterOpen, time.Hour, 0), nil))
		must(t, h.SetPasses(fleet.Holder{Device: near.ID}, passesAt(soon, 0, 5*time.Hour), nil))
		if c := link(far).Contact; len(c.Passes) != 2 || c.Passes[0].Start != soon.Unix() || c.After != protocol.AfterOpen || len(c.Windows) != 2 {
			t.Errorf("far has its group's table: %+v", c)
		}
		if c := link(near).Contact; len(c.Passes) != 1 || c.Passes[0].Start != soon.Add(5*time.Hour).Unix() || c.After != 0 {
			t.Errorf("near has its own: %+v", c)
		}
		_, err = h.AddLift(near.ID, fleet.Lift{Extra: 7, By: "anna"})
		must(t, err)
		if l := link(near).Budget.Lift; l == nil || l.Extra != 7 || link(far).Budget.Lift != nil {
			t.Errorf("the lift of near is %+v, that of far %+v", l, link(far).Budget.Lift)
		}
		if p := h.Profiles(); slices.ContainsFunc(p, func(p fleet.Profile) bool {
			l := p.Settings.Link
			return l != nil && (l.Budget != nil && l.Budget.Lift != nil || l.Contact != nil && len(l.Contact.Passes) > 0)
		}) {
			t.Error("what belongs to one device got into a profile")
		}
		must(t, h.SetPasses(fleet.Holder{Device: near.ID}, nil, nil))
		if c := link(near).Contact; len(c.Passes) != 2 {
			t.Errorf("without its own, near has its group's: %+v", c)
		}
	})
}

// A change that changes nothing for a device is told to nobody, and one that changes its rules is told once.
func TestNewRulesAreToldOnce(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(dir)
		must(t, err)
		defer func() { must(t, s.Close()) }()
		told := 0
		r, err := fleet.New(fleet.Config{Store: s, Changed: func(c fleet.Change) {
			if c.Settings && c.Kind == fleet.ChangeUpdated {
				told++
			}
		}})
		must(t, err)
		d := newDevice(1, "aurora")
		d.Profile = "vessel"
		must(t, r.PutProfile(vessel(), nil))
		must(t, r.Add(d))
		must(t, r.PutProfile(vessel(), nil)) // another pointer, the same content
		must(t, r.SetPasses(fleet.Holder{Group: ""}, passesAt(time.Now(), 0, time.Hour), nil))
		before := told
		must(t, r.SetPasses(fleet.Holder{Group: ""}, passesAt(time.Now(), 0, time.Hour), nil))
		if before != 1 || told != 1 {
			t.Errorf("told %d times of new settings, then %d, want 1", before, told)
		}
		more := vessel()
		more.Settings.Link.Budget.Hard++
		must(t, r.PutProfile(more, nil))
		if told != 2 {
			t.Errorf("a cap that is one byte higher was told %d times", told-1)
		}
	})
}

func TestTheEndOfATableIsToldOnce(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var told []string
		open := func() (*fleet.Registry, *store.Store) {
			s, err := store.Open(dir)
			must(t, err)
			r, err := fleet.New(fleet.Config{Store: s, Tables: func(n fleet.TableNotice) {
				who := "group " + n.Group
				if n.Device != "" {
					who = "device"
				}
				told = append(told, fmt.Sprint(who, " ", n.Is, " ", n.Text))
			}})
			must(t, err)
			return r, s
		}
		const day = 24 * time.Hour
		r, s := open()
		d := newDevice(1, "aurora")
		d.Group = "ships"
		must(t, r.Add(d))
		must(t, r.SetPasses(fleet.Holder{Group: "ships"}, passesAt(time.Now(), protocol.AfterSilent, 9*day), nil))
		must(t, r.SetPasses(fleet.Holder{Device: d.ID}, passesAt(time.Now(), 0, 20*day), nil))
		time.Sleep(day)
		r.WatchTables(time.Now())
		if len(told) != 0 {
			t.Errorf("told too early: %q", told)
		}
		time.Sleep(2 * day)
		r.WatchTables(time.Now())
		must(t, s.Close())
		r, s = open()
		defer func() { must(t, s.Close()) }()
		r.WatchTables(time.Now())
		if len(told) != 1 || !strings.HasPrefix(told[0], "group ships 1 The table of passes ends at 10 January 2000, 00:10 UTC: give the next one before;") ||
			!strings.HasSuffix(told[0], "silent until somebody at the device opens contact.") {
			t.Errorf("a week ahead: %q", told)
		}
		time.Sleep(8 * day)
		r.WatchTables(time.Now())
		r.WatchTables(time.Now())
		if len(told) != 2 || !strings.HasPrefix(told[1], "group ships 2 The table of passes ended at") {
			t.Errorf("when it has ended: %q", told)
		}
		// A new table is another matter.
		must(t, r.SetPasses(fleet.Holder{Group: "ships"}, passesAt(time.Now(), 0, 30*day), nil))
		time.Sleep(3 * day)
		r.WatchTables(time.Now())
		if len(told) != 3 || !strings.HasPrefix(told[2], "device 1") || !strings.Contains(told[2], "what the profile says holds") {
			t.Errorf("afterwards: %q", told)
		}
	})
}

func TestLinksThatCannotBeKept(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, dir)
		defer h.stop()
		d := newDevice(1, "aurora")
		must(t, h.Add(d))
		pass := protocol.Pass{Start: time.Now().Add(time.Hour).Unix(), Seconds: 60}
		for want, change := range map[string]func(*fleet.Profile){
			"not to a profile":        func(p *fleet.Profile) { p.Settings.Link.Contact.Passes = []protocol.Pass{pass} },
			"not in a profile":        func(p *fleet.Profile) { p.Settings.Link.Budget.Lift = &protocol.Lift{Extra: 1} },
			"leave them to the agent": func(p *fleet.Profile) { p.Settings.Link.Images = protocol.ImagesByEngine },
			"ping less often":         func(p *fleet.Profile) { p.Settings.Ping, p.Settings.Link.Contact = 1, nil },
			// What the profile leaves open is the hub's default, a ping each minute.
			"298204 bytes a day × 31 = 9244324 bytes": func(p *fleet.Profile) { p.Settings.Ping, p.Settings.Link.Contact = 0, nil },
			"three letters":      func(p *fleet.Profile) { p.Tariff.Currency = "euros" },
			"does not know":      func(p *fleet.Profile) { p.Settings.Link.Images = 9 },
			"would never count":  func(p *fleet.Profile) { p.Settings.Link.Budget.Soft = 6_000_000 },
			"time zone \"Oslo\"": func(p *fleet.Profile) { p.Settings.Link.Contact.Windows[0].Zone = "Oslo" },
		} {
			p := vessel()
			change(&p)
			if err := h.PutProfile(p, nil); !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), want) {
				t.Errorf("want %q: %v", want, err)
			}
		}
		if _, err := h.Update(d.ID, func(d *fleet.Device) error { d.Settings.Link = &protocol.LinkRules{}; return nil }); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("rules of the link on a device: %v", err)
		}
		for want, p := range map[string]*fleet.Passes{
			"it is empty":    {},
			"are over":       passesAt(time.Now(), 0, -time.Hour),
			"lasts 0 s":      {Passes: []protocol.Pass{{Start: pass.Start}}},
			"what holds":     {Passes: []protocol.Pass{pass}, After: 9},
			"at most 512":    {Passes: slices.Repeat([]protocol.Pass{pass}, 513)},
			"more than thre": passesAt(time.Now(), 0, 5*365*24*time.Hour),
		} {
			if err := h.SetPasses(fleet.Holder{Device: d.ID}, p, nil); !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), want) {
				t.Errorf("want %q: %v", want, err)
			}
		}
		if err := h.SetPasses(fleet.Holder{Group: "nowhere"}, passesAt(time.Now(), 0, time.Hour), nil); !errors.Is(err, fleet.ErrNotFound) {
			t.Errorf("a group that is not there: %v", err)
		}
		if _, err := h.AddLift("nobody", fleet.Lift{Extra: 1}); !errors.Is(err, fleet.ErrNotFound) {
			t.Errorf("a device that is not there: %v", err)
		}
	})
}
