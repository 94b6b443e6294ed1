package api_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/economy/ledger"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// spends has devices report what they spent on the days up to today, of which the last is that of today.
func (w *world) spends(d fleet.Device, class protocol.Class, days ...uint64) {
	w.t.Helper()
	now := time.Now()
	budget := w.budget(d.ID)
	cycle := economy.CycleAt(budget, now)
	today := economy.Day(now, cycle.Zone)
	u := protocol.Usage{Cycle: cycle.First, Stage: protocol.SpendingSaving}
	for i, n := range days {
		u.Days = append(u.Days, protocol.UsageDay{
			Day: today + uint32(i+1) - uint32(len(days)), Counts: []protocol.UsageCount{{Class: class, Down: n}},
		})
	}
	if err := w.Hub().Ledger.Report(ledger.Report{Device: d.ID, At: now, Usage: u}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) budget(id protocol.DeviceID) *protocol.Budget {
	e, _ := w.Hub().Fleet.Effective(id)
	if e.Settings.Link == nil {
		return nil
	}
	return e.Settings.Link.Budget
}

// ship gives the group a profile with a budget whose cycle began yesterday.
func (w *world) ship(group string) {
	w.t.Helper()
	yesterday := time.Now().UTC().AddDate(0, 0, -1).Day()
	err := w.Hub().Fleet.PutProfile(fleet.Profile{
		Name: "ship", Tariff: economy.Tariff{PerMB: 2_500_000, Currency: "EUR", Included: 1_000_000},
		Settings: protocol.Settings{Ping: 3600, Snapshot: 6 * 3600, Command: protocol.FrequencyPush, Link: &protocol.LinkRules{
			Budget: &protocol.Budget{Day: uint8(yesterday), Soft: 8_000_000, Hard: 10_000_000},
		}},
	}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.Hub().Fleet.UpdateGroup(group, func(g *fleet.Group) error { g.Profile = "ship"; return nil }); err != nil {
		w.t.Fatal(err)
	}
}

func TestUsageOfADevice(t *testing.T) {
	w, devices := twoGroups(t)
	w.ship("norway/oslo")
	w.spends(devices[0], protocol.ClassPull, 900, 50_000, 2_000_000, 3_000_000)
	var got resource.DeviceUsage
	w.ask(http.MethodGet, "/devices/crane/usage", nil, &got)
	if got.Spent != 5_000_000 || got.Cost != "10.00" || got.Currency != "EUR" || got.Caps.Soft != 8_000_000 || got.Caps.Hard != 10_000_000 || got.Caps.Reserve != 500_000 {
		t.Errorf("since yesterday: %+v", got)
	}
	if got.Stage != protocol.SpendingSaving || got.Profile != "ship" || got.Totals["pull"] != (resource.UpDown{Down: 5_000_000}) || len(got.Steps) != 2 {
		t.Errorf("since yesterday: %+v", got)
	}
	if got.Projected < 10_000_000 || len(got.Alerts) != 1 || got.Alerts[0].Kind != "projected" || !strings.Contains(got.Alerts[0].Text, "hard cap of 10.0 MB") {
		t.Errorf("projected: %d, alerts %+v", got.Projected, got.Alerts)
	}
	from := time.Now().UTC().AddDate(0, 0, -3).Format("2006-01-02T00:00:00Z")
	w.ask(http.MethodGet, "/devices/crane/usage?from="+from, nil, &got)
	if len(got.Steps) != 4 || got.Totals["pull"].Down != 5_050_900 || !got.From.Equal(got.Steps[0].At) {
		t.Errorf("of four days: %+v", got)
	}
	w.ask(http.MethodGet, "/devices/crane/usage?step=hour", nil, &got)
	if len(got.Steps) != 0 || got.To.Sub(got.From) != 49*time.Hour {
		t.Errorf("of hours a device says nothing: %+v", got)
	}
	w.ask(http.MethodGet, "/devices/crab/usage", nil, &got)
	if got.Spent != 0 || got.Cost != "" || len(got.Steps) != 0 || got.Alerts == nil {
		t.Errorf("a device of which nothing is known: %+v", got)
	}
	if p := w.refused(http.MethodGet, "/devices/crane/usage?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", nil); p.Status != http.StatusUnprocessableEntity || !strings.Contains(p.Detail, "want a time before to") {
		t.Errorf("the wrong way round: %+v", p)
	}
}

// Sums and lists have what the caller may see, and no more.
func TestUsageIsOfWhatOneSees(t *testing.T) {
	w, devices := twoGroups(t)
	w.ship("norway/oslo")
	w.spends(devices[0], protocol.ClassPull, 1000, 2_000_000)
	w.spends(devices[1], protocol.ClassTunnel, 1000, 500_000_000)
	w.spends(devices[2], protocol.ClassPull, 1000, 9_000_000)
	var all resource.FleetUsage
	w.ask(http.MethodGet, "/usage", nil, &all)
	if all.Devices != 3 || all.Totals["tunnel"].Down != 500_001_000 || len(all.Groups) != 2 || all.Groups[0] != (resource.GroupUsage{Group: "norway/bergen", Bytes: 500_001_000}) {
		t.Errorf("of all: %+v", all)
	}
	if len(all.Cost) != 1 || all.Cost[0] != (resource.Money{Currency: "EUR", Amount: "22.51"}) || all.Stages["saving"] != 3 || all.Over < 1 {
		t.Errorf("of all: %+v", all)
	}
	status, text := w.asNamed("operator", http.MethodGet, "/usage", nil)
	var seen resource.FleetUsage
	if err := json.Unmarshal([]byte(text), &seen); err != nil || status != http.StatusOK {
		t.Fatal(status, text)
	}
	if seen.Devices != 2 || seen.Totals["tunnel"].Down != 0 || seen.Totals["pull"].Down != 11_002_000 || len(seen.Groups) != 1 {
		t.Errorf("of Oslo: %+v", seen)
	}
	names := func(path string) (out []string, next string) {
		var page resource.UsagePage
		w.ask(http.MethodGet, path, nil, &page)
		for _, r := range page.Items {
			out = append(out, r.Name)
		}
		return out, page.Next
	}
	for path, want := range map[string][]string{
		"/usage/devices":                       {"crab", "pump", "crane"},
		"/usage/devices?sort=share":            {"pump", "crane", "crab"},
		"/usage/devices?group=norway/oslo":     {"pump", "crane"},
		"/usage/devices?over=true":             {"pump"},
		"/usage/devices?stage=silent":          nil,
		"/usage/devices?selector=no=thing":     nil,
		"/usage/devices?stage=saving&limit=50": {"crab", "pump", "crane"},
	} {
		if got, _ := names(path); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	first, next := names("/usage/devices?limit=1")
	rest, end := names("/usage/devices?limit=2&after=" + next)
	if got := append(first, rest...); !slices.Equal(got, []string{"crab", "pump", "crane"}) || next == "" || end != "" {
		t.Errorf("page by page: %v, then %q", got, end)
	}
	var page resource.DevicePage
	w.ask(http.MethodGet, "/devices?sort=-share", nil, &page)
	if d := page.Items[0]; d.Name != "pump" || d.Data == nil || d.Data.Spent != 9_001_000 || d.Data.Cap != 10_000_000 || d.Data.Stage != protocol.SpendingSaving {
		t.Errorf("the list of devices begins with %+v", d)
	}
	_, metrics := w.page("/metrics")
	for _, line := range []string{
		`farshore_usage_bytes_total{class="tunnel",direction="down"} 5.00001e+08`, `farshore_spending_devices{stage="saving"} 3`, `farshore_usage_alerts{kind="soft-cap"} 1`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("metrics are without %s", line)
		}
	}
}

// A device that is removed takes its books with it, and what was worth telling is in timeline and events before.
func TestUsageIsTold(t *testing.T) {
	w, devices := twoGroups(t)
	w.ship("norway/oslo")
	w.spends(devices[0], protocol.ClassPull, 1000, 8_500_000)
	var line resource.TimelinePage
	w.ask(http.MethodGet, "/devices/crane/timeline?kind=usage", nil, &line)
	if !slices.ContainsFunc(line.Items, func(e resource.TimelineEntry) bool {
		return strings.HasPrefix(e.Text, "the soft cap of 8.0 MB is reached: 8.5 MB are spent")
	}) {
		t.Errorf("the timeline has %+v", line.Items)
	}
	if _, text := w.asNamed("operator", http.MethodGet, "/events?follow=false", nil); !strings.Contains(text, `"kind":"usage.soft-cap"`) || !strings.Contains(text, `"kind":"usage.stage"`) {
		t.Errorf("events are %s", text)
	}
	var trail resource.AuditPage
	w.ask(http.MethodGet, "/audit?limit=100", nil, &trail)
	recorded := slices.DeleteFunc(trail.Items, func(e resource.Audit) bool { return !strings.HasPrefix(e.Operation, "usage.") })
	if len(recorded) != 1 || recorded[0].Operation != "usage.soft-cap" || recorded[0].Resource != "device "+string(devices[0].ID) || recorded[0].Group != "norway/oslo" {
		t.Errorf("the audit trail has %+v", recorded)
	}
	w.ask(http.MethodDelete, "/devices/crane", nil, nil)
	w.Until("its books are gone", 10*time.Second, func() bool {
		var all resource.FleetUsage
		w.ask(http.MethodGet, "/usage", nil, &all)
		return all.Devices == 2 && len(all.Totals) == 0
	})
}

func TestUsageOfAGroupThatIsNotThere(t *testing.T) {
	w, devices := twoGroups(t)
	w.ship("norway/oslo")
	w.spends(devices[0], protocol.ClassPull, 5_000_000)
	for _, path := range []string{"/usage", "/usage/devices"} {
		if p := w.refused(http.MethodGet, path+"?group=nosuch", nil); p.Status != http.StatusNotFound || !strings.Contains(p.Detail, "nosuch") {
			t.Errorf("%s: %+v", path, p)
		}
		w.ask(http.MethodGet, path+"?group=norway", nil, nil)
	}
	var page resource.DevicePage
	w.ask(http.MethodGet, "/devices?stage=saving", nil, &page)
	if page.Total != 1 || page.Items[0].ID != devices[0].ID {
		t.Errorf("devices that save: %+v", page)
	}
	w.ask(http.MethodGet, "/devices?stage=silent", nil, &page)
	if page.Total != 0 {
		t.Errorf("silent devices: %+v", page)
	}
}

// A sum over a year of a large fleet is refused before anything is read.
func TestSumsAreBounded(t *testing.T) {
	w := newWorld(t)
	many := make([]fleet.Device, 2600)
	for n := range many {
		many[n] = planted(n, "ships")
	}
	w.plant(many, noSnapshot)
	year := "/usage?from=" + time.Now().UTC().AddDate(0, 0, -399).Format(time.RFC3339)
	if p := w.refused(http.MethodGet, year, nil); p.Status != http.StatusUnprocessableEntity {
		t.Errorf("a year of 2600 devices: %+v", p)
	}
	w.ask(http.MethodGet, "/usage", nil, nil)
	w.ask(http.MethodGet, year+"&selector=nobody=here", nil, nil)
}
