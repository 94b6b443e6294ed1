package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/economy/ledger"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

func noSnapshot(int) *protocol.Snapshot { return nil }

// A profile says what it costs, to the hundredth, and one whose pings cost more than its cap is refused with the sum.
func TestAProfileSaysWhatItCosts(t *testing.T) {
	w := newWorld(t)
	put := resource.PutProfile{
		Settings: resource.Settings{Ping: 1200, KeyExchange: protocol.KeyExchangeClassic},
		Link: &resource.Link{
			Budget:  &resource.Budget{CycleDay: 31, Zone: "Europe/Oslo", Soft: 4_000_000, Hard: 5_000_000},
			Contact: &resource.Contact{Windows: []protocol.ContactWindow{{Start: "0 */6 * * *", Seconds: 600}}},
		},
		Tariff: &resource.Tariff{PricePerMB: "4.205", Currency: "EUR", Included: 100_000},
	}
	var p resource.Profile
	w.ask(http.MethodPut, "/profiles/barge", put, &p)
	if p.Tariff == nil || p.Tariff.PricePerMB != "4.205" || p.Link == nil || p.Link.Budget.CycleDay != 31 || p.Link.Contact.Windows[0].Seconds != 600 {
		t.Errorf("it is kept as %+v, %+v, %+v", p, p.Link, p.Tariff)
	}
	cost := fmt.Sprintf("%.2f", float64(p.Idle.BytesPerMonth-100_000)*4.205e-6+0.00499)
	if p.Idle.BytesPerDay == 0 || p.Idle.CostPerMonth != cost {
		t.Errorf("idle it costs %+v, want %s", p.Idle, cost)
	}
	if len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "ping a day") {
		t.Errorf("warnings %q", p.Warnings)
	}
	crane, lock := planted(0, "ships"), planted(1, "shore")
	w.plant([]fleet.Device{crane, lock}, noSnapshot)
	w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: "ships", Profile: "barge"}, nil)
	var all resource.List[resource.Profile]
	w.ask(http.MethodGet, "/profiles", nil, &all)
	var names []string
	for _, p := range all.Items {
		names = append(names, fmt.Sprint(p.Name, " ", p.Groups, " ", p.Devices))
		if p.BuiltIn && p.Link != nil && p.Link.Budget != nil {
			t.Errorf("%s has caps that nobody asked for: %+v", p.Name, p.Link.Budget)
		}
	}
	if got := strings.Join(names, ", "); got != "barge 1 1, lan 0 0, lte 0 0, satellite 0 0, vessel-windowed 0 0" {
		t.Errorf("profiles with groups and devices: %s", got)
	}
	for want, change := range map[string]func(*resource.PutProfile){
		"ping less often, or raise the cap": func(p *resource.PutProfile) {
			p.Settings.Ping, p.Link.Contact = 10, nil
		},
		"want a number such as 4.20": func(p *resource.PutProfile) { p.Tariff.PricePerMB = "4,20" },
		"in no currency":             func(p *resource.PutProfile) { p.Tariff.Currency = "" },
		"leave them to the agent":    func(p *resource.PutProfile) { p.Link.Images = protocol.ImagesByEngine },
		"Mars/Olympus":               func(p *resource.PutProfile) { p.Link.Budget.Zone = "Mars/Olympus" },
		"never opens":                func(p *resource.PutProfile) { p.Link.Contact.Windows[0].Start = "0 1 31 2 *" },
	} {
		bad := put
		link, budget, tariff := *put.Link, *put.Link.Budget, *put.Tariff
		contact := resource.Contact{Windows: []protocol.ContactWindow{put.Link.Contact.Windows[0]}}
		link.Budget, link.Contact, bad.Link, bad.Tariff = &budget, &contact, &link, &tariff
		change(&bad)
		if got := w.refused(http.MethodPut, "/profiles/barge", bad); got.Status != http.StatusUnprocessableEntity || !strings.Contains(got.Detail, want) {
			t.Errorf("want %q: %+v", want, got)
		}
	}
	// A group may ping so often that its devices would be silent half-way through the month: that is refused as well.
	group := resource.PutGroup{Path: "ships", Profile: "barge", Settings: resource.Settings{Ping: 1}}
	put.Link.Contact = nil
	w.ask(http.MethodPut, "/profiles/barge", put, &p)
	if got := w.refused(http.MethodPut, "/groups", group); !strings.Contains(got.Detail, "× 31 =") {
		t.Errorf("a group that pings each second: %+v", got)
	}
	fast := protocol.Frequency(1)
	if got := w.refused(http.MethodPatch, "/devices/"+string(crane.ID), resource.DevicePatch{Settings: &resource.SettingsPatch{Ping: &fast}}); !strings.Contains(got.Detail, "× 31 =") {
		t.Errorf("a device that pings each second: %+v", got)
	}
	// Who comes to it by a move is warned.
	w.ask(http.MethodPatch, "/devices/"+string(lock.ID), resource.DevicePatch{Settings: &resource.SettingsPatch{Ping: &fast}}, nil)
	ships := "ships"
	w.ask(http.MethodPatch, "/devices/"+string(lock.ID), resource.DevicePatch{Group: &ships}, nil)
	var contact resource.DeviceContact
	w.ask(http.MethodGet, "/devices/"+string(lock.ID)+"/contact", nil, &contact)
	if len(contact.Warnings) != 1 || !strings.Contains(contact.Warnings[0], "× 31 =") {
		t.Errorf("warnings %q", contact.Warnings)
	}
}

func TestPassesAreGivenAndInherited(t *testing.T) {
	w := newWorld(t)
	d := planted(0, "ships/aurora")
	d.Labels = map[string]string{"timezone": "Europe.Oslo"}
	w.plant([]fleet.Device{d}, noSnapshot)
	device := "/devices/" + string(d.ID)
	var contact resource.DeviceContact
	w.ask(http.MethodGet, device+"/contact", nil, &contact)
	if !contact.Always || !contact.Now || contact.Zone != "Europe/Oslo" || len(contact.Openings) != 1 || !contact.Openings[0].End.IsZero() {
		t.Errorf("without rules: %+v", contact)
	}
	first := time.Now().UTC().Truncate(time.Second).Add(2 * time.Hour)
	table := resource.PutPasses{After: protocol.AfterSilent, Passes: []resource.Pass{
		{Start: first.Add(90 * time.Minute), Seconds: 600},
		{Start: first, Seconds: 540, Bytes: 2_000_000},
		{Start: first.Add(5 * time.Minute), Seconds: 540, Bytes: 1_000_000},
		{Start: first.Add(-24 * time.Hour), Seconds: 60},
	}}
	var got resource.Passes
	w.ask(http.MethodPut, "/groups/passes?path=ships", table, &got)
	says := strings.Join(got.Warnings, " ")
	if !got.Own || len(got.Passes) != 4 || !strings.Contains(says, "1 of 4 passes are over") || !strings.Contains(says, "overlap") || !strings.Contains(says, "The last pass ends at") {
		t.Errorf("the group's table: %+v", got)
	}
	if !strings.Contains(got.Afterwards, "silent until somebody") || got.After != protocol.AfterSilent {
		t.Errorf("what holds afterwards: %q", got.Afterwards)
	}
	w.ask(http.MethodGet, device+"/passes", nil, &got)
	if got.Own || got.From != "group ships" || len(got.Passes) != 4 || got.Etag != "" {
		t.Errorf("inherited: %+v", got)
	}
	w.ask(http.MethodGet, device+"/contact", nil, &contact)
	if contact.Always || contact.Now || len(contact.Openings) != 2 || contact.From != "passes: group ships" {
		t.Fatalf("contact %+v", contact)
	}
	if o := contact.Openings[0]; !o.Start.Equal(first) || o.End.Sub(o.Start) != 14*time.Minute || o.Bytes != 3_000_000 {
		t.Errorf("passes that overlap are not one opening: %+v", o)
	}
	// The device's own table counts alone, and is sent as CSV.
	csv := fmt.Sprintf("start,end,bytes\n%s,%s,\n", first.Format(time.RFC3339), first.Add(time.Minute).Format(time.RFC3339))
	send := func(path, body string, headers ...string) *http.Response {
		return w.request(http.MethodPut, path, []byte(body), append([]string{"Content-Type", "text/csv"}, headers...)...)
	}
	if resp := send(device+"/passes?after=open", csv); resp.StatusCode != http.StatusOK {
		t.Fatalf("CSV: %s", resp.Status)
	}
	w.ask(http.MethodGet, device+"/passes", nil, &got)
	if !got.Own || len(got.Passes) != 1 || got.Passes[0].Seconds != 60 || got.After != protocol.AfterOpen {
		t.Errorf("own: %+v", got)
	}
	if resp := send(device+"/passes", csv, "If-None-Match", "*"); resp.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("over a table that is there: %s", resp.Status)
	}
	if resp := send(device+"/passes", csv, "If-Match", got.Etag); resp.StatusCode != http.StatusOK {
		t.Errorf("over the table that was read: %s", resp.Status)
	}
	w.ask(http.MethodDelete, device+"/passes", nil, nil)
	w.ask(http.MethodGet, device+"/passes", nil, &got)
	if got.Own || got.From != "group ships" {
		t.Errorf("after it was removed: %+v", got)
	}
	// What the group says otherwise leaves its table alone.
	w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: "ships", Labels: map[string]string{"x": "y"}}, nil)
	w.ask(http.MethodGet, "/groups/passes?path=ships", nil, &got)
	if !got.Own || len(got.Passes) != 4 {
		t.Errorf("after the group was changed: %+v", got)
	}
	if p := w.refused(http.MethodGet, "/groups/passes?path=nowhere", nil); p.Status != http.StatusNotFound {
		t.Errorf("a group that is not there: %+v", p)
	}
	if trail := w.trail(); !strings.Contains(trail, "a table of 4 passes until") {
		t.Errorf("the trail does not say what was given: %s", trail)
	}
}

// Each mistake in a table is named with its line and what to write there.
func TestRubbishAsPasses(t *testing.T) {
	w := newWorld(t)
	w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: "ships"}, nil)
	var long strings.Builder
	long.WriteString("start,end,bytes\n")
	for i := range 600 {
		fmt.Fprintf(&long, "2031-01-01T00:00:%02dZ,2031-01-01T01:00:00Z,\n", i%60)
	}
	for body, want := range map[string]string{
		"":                  "line 1: want the head start,end,bytes",
		"a,b\n":             "line 1: want the head start,end,bytes",
		"start,end,bytes\n": "there is no pass below the head",
		"start,end,bytes\n2031-01-01T00:00:00Z,2031-01-01T00:10:00Z,1\n2031-01-02 03:00,2031-01-02 03:10,1\n": "line 3: start \"2031-01-02 03:00\": want a time with its zone",
		"start,end,bytes\n2031-01-01T00:00:00Z,2031-01-01T00:00:00Z,1\n":                                      "line 2: it ends at",
		"start,end,bytes\n2031-01-01T00:00:00Z,2031-02-01T00:00:00Z,1\n":                                      "line 2: it lasts 2678400 s: want at most 7 days",
		"start,end,bytes\n2031-01-01T00:00:00Z,2031-01-01T00:10:00Z,-5\n":                                     "line 2: bytes \"-5\": want a whole number",
		"start,end,bytes\n2031-01-01T00:00:00Z\n":                                                             "line 2: 1 fields: want start,end,bytes",
		"start,end,bytes\n\"2031-01-01T00:00:00Z,2031-01-01T00:10:00Z\n":                                      "it is not CSV",
		"start,end,bytes\n2026-01-01T00:00:00Z,2026-01-01T00:10:00Z,1\n":                                      "are over",
		"start,end,bytes\n2061-01-01T00:00:00Z,2061-01-01T00:10:00Z,1\n":                                      "more than three years ahead",
		"start,end,bytes\n2028-01-01T00:00:00Z,2028-01-01T00:00:05Z,1\n":                                      "lasts 5 s: want 10 s to 7 days",
		"start;end;bytes\n2031-01-01T00:00:00Z;2031-01-01T00:10:00Z;1\n":                                      `line 1: want the head start,end,bytes (bytes may be left out); here the separator is ";": save the table with commas`,
		"start\tend\n": "here the separator is a tab",
		"start,end,bytes\n2031-01-01T00:00:00Z;2031-01-01T00:10:00Z;1\n": `line 2: 1 fields: want start,end,bytes; here the separator is ";"`,
		"\x00\x01\x02\xff": "line 1: want the head start,end,bytes",
		long.String():      "line 514: more than 512 passes",
	} {
		p := w.refused(http.MethodPut, "/groups/passes?path=ships", []byte(body), "Content-Type", "text/csv")
		if body == "" {
			if p.Status/100 != 4 {
				t.Errorf("nothing: %+v", p)
			}
			continue
		}
		if p.Status != http.StatusUnprocessableEntity || !strings.Contains(p.Detail, want) {
			t.Errorf("%.60q: %+v\nwant %q", body, p, want)
		}
	}
	for body, want := range map[string]string{
		`{"passes":[]}`:   "give passes, or remove the table",
		`{"passes":[{}]}`: "lasts 0 s",
		`{"passes":[{"start":"2028-01-01T00:00:00Z","seconds":60}],"more":1}`: "unknown field",
		`[`: "not the JSON that the document describes",
		`{"passes":[{"start":"2028-01-01T00:00:00Z","seconds":60}]} {}`: "more behind",
	} {
		if p := w.refused(http.MethodPut, "/groups/passes?path=ships", []byte(body), "Content-Type", "application/json"); p.Status != http.StatusUnprocessableEntity || !strings.Contains(p.Detail, want) {
			t.Errorf("%s: %+v\nwant %q", body, p, want)
		}
	}
	if p := w.refused(http.MethodPut, "/groups/passes?path=ships", []byte("<x/>"), "Content-Type", "text/xml"); !strings.Contains(p.Detail, "text/csv") {
		t.Errorf("XML: %+v", p)
	}
	big := []byte("start,end,bytes\n" + strings.Repeat("#", 300<<10))
	if p := w.refused(http.MethodPut, "/groups/passes?path=ships", big, "Content-Type", "text/csv"); p.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("300 kB: %+v", p)
	}
}

func TestABudgetIsLiftedForOneCycle(t *testing.T) {
	w := newWorld(t)
	d := planted(0, "ships")
	w.plant([]fleet.Device{d}, noSnapshot)
	device := "/devices/" + string(d.ID)
	if p := w.refused(http.MethodPost, device+"/lift", resource.PutLift{Extra: 1}); !strings.Contains(p.Detail, "has no cap, so there is nothing to lift") {
		t.Errorf("without a budget: %+v", p)
	}
	w.ask(http.MethodPut, "/profiles/barge", resource.PutProfile{
		Settings: resource.Settings{Ping: 3600}, Link: &resource.Link{Budget: &resource.Budget{Soft: 4_000_000, Hard: 5_000_000}},
	}, nil)
	w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: "ships", Profile: "barge"}, nil)
	var l resource.Lift
	w.ask(http.MethodPost, device+"/lift", resource.PutLift{Extra: 1_000_000, Note: "port call"}, &l)
	w.ask(http.MethodPost, device+"/lift", resource.PutLift{Extra: 500_000}, &l)
	if l.Extra != 1_500_000 || l.Hard != 6_500_000 || l.Soft != 5_500_000 || !l.End.After(time.Now()) || l.Start.After(time.Now()) {
		t.Errorf("lifted twice: %+v", l)
	}
	if s, _ := w.Hub().Fleet.Effective(d.ID); s.Settings.Link.Budget.Lift == nil || s.Settings.Link.Budget.Lift.Extra != 1_500_000 {
		t.Errorf("the device is not told: %+v", s.Settings.Link.Budget)
	}
	var detail resource.DeviceDetail
	w.ask(http.MethodGet, device, nil, &detail)
	if detail.Lift == nil || detail.Lift.Extra != 1_500_000 || detail.Effective.Link.Budget.Hard != 5_000_000 {
		t.Errorf("the device shows %+v and %+v", detail.Lift, detail.Effective.Link)
	}
	day := protocol.UsageDay{Day: economy.Day(time.Now(), time.UTC), Counts: []protocol.UsageCount{{Class: protocol.ClassPull, Down: 5_200_000}}}
	if err := w.Hub().Ledger.Report(ledger.Report{Device: d.ID, At: time.Now(), Usage: protocol.Usage{
		Cycle: economy.CycleAt(&protocol.Budget{}, time.Now()).First, Spent: 5_200_000, Days: []protocol.UsageDay{day},
	}}); err != nil {
		t.Fatal(err)
	}
	var dropped resource.DroppedLift
	w.ask(http.MethodDelete, device+"/lift?check=true", nil, &dropped)
	if !dropped.Silences || dropped.Extra != 1_500_000 || dropped.Hard != 5_000_000 || dropped.Spent != 5_200_000 || !strings.Contains(dropped.Text, "silent") {
		t.Errorf("what would follow: %+v", dropped)
	}
	if s, _ := w.Hub().Fleet.Effective(d.ID); s.Settings.Link.Budget.Lift == nil {
		t.Error("only asked, it was taken back")
	}
	dropped = resource.DroppedLift{}
	w.ask(http.MethodDelete, device+"/lift", nil, &dropped)
	if !dropped.Silences || dropped.Extra != 1_500_000 {
		t.Errorf("what followed: %+v", dropped)
	}
	dropped = resource.DroppedLift{}
	w.ask(http.MethodDelete, device+"/lift", nil, &dropped)
	if dropped.Silences || dropped.Extra != 0 || dropped.Text != "Nothing was added to this cycle." {
		t.Errorf("once more: %+v", dropped)
	}
	detail = resource.DeviceDetail{}
	w.ask(http.MethodGet, device, nil, &detail)
	if s, _ := w.Hub().Fleet.Effective(d.ID); detail.Lift != nil || s.Settings.Link.Budget.Lift != nil {
		t.Errorf("it was taken back, and still is %+v", detail.Lift)
	}
	if trail := w.trail(); !strings.Contains(trail, "devices.lift") || !strings.Contains(trail, "port call") {
		t.Errorf("the trail does not tell of it: %s", trail)
	}
}

// Times of contact that are allowed and probably not meant are told of where they are given.
func TestAProfileWarnsOfItsWindows(t *testing.T) {
	w := newWorld(t)
	var p resource.Profile
	w.ask(http.MethodPut, "/profiles/barge", resource.PutProfile{Link: &resource.Link{Contact: &resource.Contact{Windows: []protocol.ContactWindow{
		{Start: "0 */6 * * *", Seconds: 600}, {Start: "5 12 * * *", Seconds: 20},
	}}}}, &p)
	says := strings.Join(p.Warnings, " ")
	if !strings.Contains(says, `"0 */6 * * *" and "5 12 * * *" overlap`) || !strings.Contains(says, `"5 12 * * *" lasts 20 s`) {
		t.Errorf("warnings %q", p.Warnings)
	}
}
