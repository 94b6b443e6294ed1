package api_test

import (
	"encoding/csv"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// harbour is a small fleet in which each device differs in something.
func harbour(t *testing.T) (*world, []fleet.Device) {
	w := newWorld(t)
	devices := []fleet.Device{planted(0, "norway/oslo"), planted(1, "norway/bergen"), planted(2, ""), planted(3, "chile"), planted(4, "norwegian")}
	devices[0].Name, devices[1].Name, devices[2].Name, devices[3].Name, devices[4].Name = "crane", "Ferry", "gate", "lock", "pump"
	devices[0].Labels = map[string]string{"line": "7", fleet.LabelLat: "59.9139", fleet.LabelLon: "10.7522"}
	devices[3].Labels = map[string]string{fleet.LabelLat: "-33.0458", fleet.LabelLon: "-71.6197"}
	devices[1].Mode, devices[1].Profile, devices[1].Version = protocol.ModeStandard, fleet.ProfileSatellite, "1.10.0"
	devices[2].Facts.Version, devices[3].Facts.Version = "1.9.0", "1.9.0"
	w.plant(devices, func(n int) *protocol.Snapshot {
		switch n {
		case 0:
			return &protocol.Snapshot{
				Images: []protocol.Image{
					{ID: protocol.Hash{0xab, 0xcd, 0xef, 0x12}, Tags: []string{"acme/web:1"}},
					{ID: protocol.Hash{0xab, 0xcd, 0xef, 0x34}, Tags: []string{"acme/db:2", "acme/db:latest"}},
				},
				Containers: []protocol.Container{
					{ID: protocol.ContainerID{1}, Name: "Web-Front", Image: 1, ImageRef: "acme/web:1"},
					{ID: protocol.ContainerID{2}, Name: "db", Image: 2, ImageRef: "acme/db@sha256:77778888"},
				},
			}
		case 1:
			return machine(1, 3)
		}
		return nil
	})
	w.Hub().Fleet.Contact(devices[0].ID, time.Now(), protocol.CarrierMQTT)
	w.Hub().Fleet.Contact(devices[1].ID, time.Now().Add(-12*time.Hour), protocol.CarrierMQTT)
	return w, devices
}

func (w *world) named(query string) []string {
	w.t.Helper()
	var page resource.DevicePage
	w.ask(http.MethodGet, "/devices?"+query, nil, &page)
	var out []string
	for _, d := range page.Items {
		out = append(out, d.Name)
	}
	return out
}

func TestEachFilterNarrowsTheList(t *testing.T) {
	w, devices := harbour(t)
	w.ask(http.MethodPut, "/stacks/web", resource.Apply{Files: map[string][]byte{"compose.yml": []byte(compose)}, Selector: ptr("line=7")}, nil)
	for query, want := range map[string][]string{
		"":              {"crane", "Ferry", "gate", "lock", "pump"},
		"mode=standard": {"Ferry"}, "mode=async&group=norway": {"crane"}, "group=/norway/": {"crane", "Ferry"},
		"profile=satellite": {"Ferry"}, "profile=nothing": nil, "version=1.9.0": {"gate", "lock"}, "version=1.9": nil,
		"stack=web": {"crane"}, "trouble=true": {"Ferry"}, "trouble=false&state=overdue": {"Ferry"},
		"state=on-time,overdue": {"crane", "Ferry"}, "selector=farshore.io/lat": {"crane", "lock"},
		// The search: in the record, in the snapshot, and words in both.
		"q=FERRY": {"Ferry"}, "q=chile": {"lock"}, "q=edge-00002": {"gate"}, "q=line%3D7": {"crane"}, "q=" + string(devices[4].ID): {"pump"},
		"q=web-front": {"crane"}, "q=ACME/DB": {"crane"}, "q=acme/db:latest": {"crane"}, "q=crane+db+oslo": {"crane"}, "q=crane+service": nil,
		"q=abcdef": {"crane"}, "q=abcdef1": {"crane"}, "q=sha256:abcdef34": {"crane"}, "q=abcdef13": nil, "q=abcde": nil, "q=cdef12": nil,
		"q=sha256:ab": nil, "q=sha256:77778888": {"crane"}, "q=77778888": {"crane"}, "q=db%0Aweb": {"crane"}, "q=+++": {"crane", "Ferry", "gate", "lock", "pump"},
		// Nothing in it means anything but itself.
		"q=.%2A": nil, "q=%28": nil, "q=%5Bc%5Drane": nil, "q=%25": nil, "q=%00": nil, "q=%FF": nil, "q=" + url.QueryEscape(strings.Repeat("å", 200)): nil,
		// Each sort key, and back.
		"sort=mode": {"crane", "gate", "lock", "pump", "Ferry"}, "sort=version": {"crane", "pump", "gate", "lock", "Ferry"},
		"sort=containers": {"gate", "lock", "pump", "crane", "Ferry"}, "sort=-containers": {"Ferry", "crane", "pump", "lock", "gate"},
		"sort=last_contact": {"gate", "lock", "pump", "Ferry", "crane"}, "sort=next_contact": {"crane", "Ferry", "gate", "lock", "pump"},
		"sort=state": {"Ferry", "gate", "lock", "pump", "crane"}, "sort=stacks": {"crane", "Ferry", "gate", "lock", "pump"},
		"sort=-group": {"pump", "crane", "Ferry", "lock", "gate"},
	} {
		if got := w.named(query); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
	for query, want := range map[string]struct{ where, says string }{
		"q=" + strings.Repeat("x", 201):                             {"query.q", "201 characters, at most 200"},
		"q=" + strings.Repeat("a+", 16) + "b+c+d+e+f+g+h+i+j+k+l+m": {"", ""},
		"q=a+b+c+d+e+f+g+h+i+j+k+l+m+n+o+p+q":                       {"query.q", "17 words"},
		"stack=unknown":                                             {"query.stack", "unknown"},
		"mode=fast":                                                 {"query.mode", "async"},
		"offset=-1":                                                 {"query.offset", ""},
		"offset=1&cursor=e30":                                       {"query.offset", "one of them"},
		"sort=colour":                                               {"query.sort", ""},
	} {
		if want.where == "" {
			w.named(query)
			continue
		}
		p := w.refused(http.MethodGet, "/devices?"+query, nil)
		if p.Status != 422 && p.Status != 404 || len(p.Errors) == 0 || p.Errors[0].Location != want.where || !strings.Contains(p.Detail, want.says) {
			t.Errorf("%q: %+v", query, p)
		}
	}
	resp := w.request(http.MethodGet, "/devices?q="+strings.Repeat("x", 1<<20), nil)
	resp.Body.Close()
	if resp.StatusCode < 400 || resp.StatusCode >= 500 {
		t.Errorf("a search of 1 MB gets %d", resp.StatusCode)
	}
}

func TestAListSaysWhereSomethingWasFound(t *testing.T) {
	w, devices := harbour(t)
	for query, want := range map[string][]resource.FoundIn{
		"":                                   nil,
		"crane":                              nil,
		"web":                                {{Kind: "container", Text: "Web-Front"}, {Kind: "image", Text: "acme/web:1"}},
		"crane db":                           {{Kind: "name", Text: "crane"}, {Kind: "container", Text: "db"}, {Kind: "image", Text: "acme/db:2"}},
		"acme":                               {{Kind: "image", Text: "acme/db:2"}, {Kind: "image", Text: "acme/db:latest"}, {Kind: "image", Text: "acme/db@sha256:77778888"}},
		"norway/oslo":                        {{Kind: "group", Text: "norway/oslo"}},
		"line=":                              {{Kind: "label", Text: "line=7"}},
		"edge-00000":                         {{Kind: "host", Text: "edge-00000.example"}},
		"ABCDEF12":                           {{Kind: "digest", Text: "sha256:abcdef12" + strings.Repeat("0", 56)}},
		string(devices[0].ID[:10]) + " line": {{Kind: "id", Text: string(devices[0].ID)}, {Kind: "label", Text: "line=7"}},
	} {
		var page resource.DevicePage
		w.ask(http.MethodGet, "/devices?group=norway/oslo&q="+url.QueryEscape(query), nil, &page)
		if len(page.Items) != 1 || !slices.Equal(page.Items[0].FoundIn, want) {
			t.Errorf("%q: %+v, want %+v", query, page.Items, want)
		}
	}
}

// What lists remember of a device is never older than the device.
func TestTheSearchKnowsTheLastSnapshotAndRecord(t *testing.T) {
	w, devices := harbour(t)
	if got := w.named("q=web-front"); len(got) != 1 {
		t.Fatalf("before: %q", got)
	}
	next := &protocol.Snapshot{Containers: []protocol.Container{{ID: protocol.ContainerID{3}, Name: "proxy"}}}
	w.snapshot(devices[0].ID, next)
	if a, b := w.named("q=web-front"), w.named("q=proxy"); len(a) != 0 || len(b) != 1 {
		t.Errorf("after the next snapshot: %q, %q", a, b)
	}
	w.ask(http.MethodPatch, "/devices/crane", resource.DevicePatch{Name: ptr("Derrick")}, nil)
	w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: "norway", Labels: map[string]string{"sea": "north"}}, nil)
	if got := w.named("q=derrick+sea%3Dnorth"); !slices.Equal(got, []string{"Derrick"}) {
		t.Errorf("after the changes: %q", got)
	}
	w.ask(http.MethodDelete, "/devices/Derrick", nil, nil)
	if got := w.named("q=proxy"); len(got) != 0 {
		t.Errorf("after the removal: %q", got)
	}
}

// Who may not look at snapshots does not learn of them by searching either.
func TestASearchInSnapshotsNeedsTheirRight(t *testing.T) {
	w, _ := harbour(t)
	c := w.config
	c.Accounts = without{c.Accounts, map[access.Operation]bool{access.SnapshotsRead: true}}
	w.serve(c)
	if a, b := w.named("q=web-front"), w.named("q=crane"); len(a) != 0 || len(b) != 1 {
		t.Errorf("found %q by a container and %q by the name", a, b)
	}
}

func TestOffsetsFollowTheSorting(t *testing.T) {
	w := newWorld(t)
	devices := make([]fleet.Device, 57)
	for n := range devices {
		devices[n] = planted(n*7919%1000, fmt.Sprintf("g%d", n%3))
	}
	w.plant(devices, func(n int) *protocol.Snapshot {
		if n%5 == 0 {
			return nil
		}
		return machine(n, n%4)
	})
	for _, sort := range []string{
		"name", "group", "state", "last_contact", "next_contact", "mode", "version", "containers", "stacks",
	} {
		for _, sign := range []string{"", "-"} {
			var whole resource.DevicePage
			w.ask(http.MethodGet, "/devices?limit=1000&sort="+sign+sort, nil, &whole)
			var byOffset, byCursor []protocol.DeviceID
			cursor := ""
			for offset := 0; offset <= len(devices); offset += 10 {
				var page resource.DevicePage
				w.ask(http.MethodGet, fmt.Sprintf("/devices?limit=10&sort=%s%s&offset=%d", sign, sort, offset), nil, &page)
				if page.Total != len(devices) {
					t.Fatalf("total %d at %d", page.Total, offset)
				}
				for _, d := range page.Items {
					byOffset = append(byOffset, d.ID)
				}
				w.ask(http.MethodGet, fmt.Sprintf("/devices?limit=10&sort=%s%s&cursor=%s", sign, sort, cursor), nil, &page)
				for _, d := range page.Items {
					byCursor = append(byCursor, d.ID)
				}
				cursor = page.Next
			}
			var all []protocol.DeviceID
			for _, d := range whole.Items {
				all = append(all, d.ID)
			}
			if len(all) != len(devices) || !slices.Equal(byOffset, all) || !slices.Equal(byCursor, all) {
				t.Errorf("sorted by %s%s: %d devices, by offset %d, by cursor %d, or in another order", sign, sort, len(all), len(byOffset), len(byCursor))
			}
		}
	}
	var page resource.DevicePage
	if w.ask(http.MethodGet, "/devices?offset=1000000", nil, &page); len(page.Items) != 0 || page.Total != len(devices) || page.Next != "" {
		t.Errorf("beyond the end: %+v", page)
	}
}

func TestPositions(t *testing.T) {
	w, devices := harbour(t)
	var all resource.Positions
	w.ask(http.MethodGet, "/devices/positions", nil, &all)
	want := []resource.DevicePosition{
		{ID: devices[0].ID, Name: "crane", State: "on-time", Position: resource.Position{Lat: 59.9139, Lon: 10.7522}},
		{ID: devices[3].ID, Name: "lock", State: "never-seen", Position: resource.Position{Lat: -33.0458, Lon: -71.6197}},
	}
	if !slices.Equal(all.Items, want) || all.Without != 3 {
		t.Errorf("positions %+v", all)
	}
	w.ask(http.MethodGet, "/devices/positions?group=norway&q=crane+db", nil, &all)
	if !slices.Equal(all.Items, want[:1]) || all.Without != 0 {
		t.Errorf("those found: %+v", all)
	}
	// A group hands its position down; half a position is none.
	w.ask(http.MethodPut, "/groups", resource.PutGroup{Path: "norway", Labels: map[string]string{fleet.LabelLat: "-90", fleet.LabelLon: "180"}}, nil)
	w.ask(http.MethodPatch, "/devices/gate", map[string]any{"labels": map[string]string{fleet.LabelLat: "5"}}, nil)
	var d resource.DeviceDetail
	w.ask(http.MethodGet, "/devices/Ferry", nil, &d)
	if d.Position == nil || *d.Position != (resource.Position{Lat: -90, Lon: 180}) || d.Liveness.Reason == "" {
		t.Errorf("inherited: %+v, because %q", d.Position, d.Liveness.Reason)
	}
	if w.ask(http.MethodGet, "/devices/gate", nil, &d); d.Position != nil {
		t.Errorf("of a latitude alone: %+v", d.Position)
	}
	for method, c := range map[string]struct {
		path string
		body any
	}{
		"PATCH": {"/devices/gate", map[string]any{"labels": map[string]string{fleet.LabelLat: "north"}}},
		"PUT":   {"/groups", resource.PutGroup{Path: "norway", Labels: map[string]string{fleet.LabelLat: "90.5"}}},
		"POST":  {"/keys", resource.NewKey{Name: "k", Labels: map[string]string{fleet.LabelLat: ""}}},
	} {
		if p := w.refused(method, c.path, c.body); p.Status != 422 || !strings.Contains(p.Detail, "from -90 (south) to 90 (north)") {
			t.Errorf("%s %s: %+v", method, c.path, p)
		}
	}
	w.ask(http.MethodPost, "/keys", resource.NewKey{Name: "k", Labels: map[string]string{fleet.LabelLat: "-1.5", fleet.LabelLon: "2"}}, nil)
}

func TestExportIsATableWithoutFormulas(t *testing.T) {
	w, devices := harbour(t)
	for i, name := range []string{"=HYPERLINK(\"http://evil\")", "+1, \"quoted\"", "-2", "@sum", "a;=1|+2"} {
		w.ask(http.MethodPatch, "/devices/"+string(devices[i].ID), resource.DevicePatch{Name: &name}, nil)
	}
	resp := w.request(http.MethodGet, "/devices/export", nil)
	defer resp.Body.Close()
	if h := resp.Header; resp.StatusCode != 200 || !strings.HasPrefix(h.Get("Content-Type"), "text/csv") ||
		!strings.HasPrefix(h.Get("Content-Disposition"), `attachment; filename="devices-`) {
		t.Errorf("%d %v", resp.StatusCode, h)
	}
	rows, err := csv.NewReader(resp.Body).ReadAll()
	if err != nil || len(rows) != 6 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	got := map[string]string{}
	for _, row := range rows[1:] {
		got[row[column["id"]]] = row[column["name"]] + "|" + row[column["lat"]] + "|" + row[column["containers"]] + "|" + row[column["state"]]
	}
	want := map[string]string{
		string(devices[0].ID): `'=HYPERLINK("http://evil")|59.9139|2|on-time`,
		string(devices[1].ID): `'+1, "quoted"||3|overdue`,
		string(devices[2].ID): `'-2|||never-seen`,
		string(devices[3].ID): "'@sum|-33.0458||never-seen",
		string(devices[4].ID): "a;'=1|'+2|||never-seen",
	}
	if !maps.Equal(got, want) {
		t.Errorf("rows %q\nwant %q", got, want)
	}
	if p := w.refused(http.MethodGet, "/devices/export?stack=none", nil); p.Status != 404 {
		t.Errorf("of an unknown stack: %+v", p)
	}
}

// without is everybody's rights but some.
type without struct {
	api.Accounts
	lack map[access.Operation]bool
}

func (a without) Scope(p access.Principal, op access.Operation) access.Scope {
	if a.lack[op] {
		return access.Scope{}
	}
	return a.Accounts.Scope(p, op)
}

func (a without) Authorize(p access.Principal, op access.Operation, r access.Resource) error {
	if a.lack[op] {
		return fmt.Errorf("%w: %s on %s", access.ErrForbidden, op, r)
	}
	return a.Accounts.Authorize(p, op, r)
}

// Lists that are asked for while the fleet changes have every device that was there all the time, once.
func TestListsWhileTheFleetChanges(t *testing.T) {
	w, devices := harbour(t)
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got := w.named("q=acme+crane&sort=-containers"); len(got) != 1 {
					t.Errorf("found %q", got)
					return
				}
			}
		})
	}
	for n := range 40 {
		w.ask(http.MethodPatch, "/devices/crane", map[string]any{"labels": map[string]string{"n": fmt.Sprint(n)}}, nil)
		w.snapshot(devices[0].ID, &protocol.Snapshot{Containers: []protocol.Container{{ID: protocol.ContainerID{1}, Name: fmt.Sprintf("web-%d", n), ImageRef: "acme/web:1"}}})
		if got := w.named(fmt.Sprintf("q=web-%d+n%%3D%d", n, n)); len(got) != 1 {
			t.Errorf("change %d is not found: %q", n, got)
		}
	}
	close(stop)
	readers.Wait()
}
