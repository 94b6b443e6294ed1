package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
)

// Before a link profile is made one sees when it opens, what it costs, and what is refused of it; nothing is made.
func TestALinkProfileIsPreviewed(t *testing.T) {
	w := newWorld(t)
	put := resource.PutProfile{
		Settings: resource.Settings{Ping: 1200},
		Link: &resource.Link{
			Budget:  &resource.Budget{Hard: 5_000_000},
			Contact: &resource.Contact{Windows: []protocol.ContactWindow{{Start: "0 */6 * * *", Seconds: 600, Zone: "Asia/Kolkata"}}},
		},
		Tariff: &resource.Tariff{PricePerMB: "4.20", Currency: "EUR"},
	}
	var p resource.ProfilePreview
	w.ask(http.MethodPost, "/profiles/preview", put, &p)
	if p.Always || len(p.Openings) != 10 || p.Idle.BytesPerMonth == 0 || p.Idle.CostPerMonth == "" {
		t.Fatalf("the preview is %+v", p)
	}
	for i, o := range p.Openings {
		if o.End.Sub(o.Start) != 10*time.Minute || o.Start.Minute() != 30 || i > 0 && o.Start.Sub(p.Openings[i-1].Start) != 6*time.Hour {
			t.Errorf("opening %d is %s to %s", i, o.Start, o.End)
		}
	}
	if !slices.ContainsFunc(p.Warnings, func(w string) bool { return strings.Contains(w, "ping a day") }) {
		t.Errorf("warnings %q", p.Warnings)
	}
	put.Link.Contact, put.Settings.Ping = nil, 10
	if p := w.refused(http.MethodPost, "/profiles/preview", put); p.Status != http.StatusUnprocessableEntity || !strings.Contains(p.Detail, "ping less often, or raise the cap") {
		t.Errorf("below its pings it is answered with %+v", p)
	}
	p = resource.ProfilePreview{}
	if w.ask(http.MethodPost, "/profiles/preview", resource.PutProfile{}, &p); !p.Always || len(p.Openings) != 0 {
		t.Errorf("of nothing it is %+v", p)
	}
	var all resource.List[resource.Profile]
	if w.ask(http.MethodGet, "/profiles", nil, &all); slices.ContainsFunc(all.Items, func(p resource.Profile) bool { return !p.BuiltIn }) {
		t.Errorf("a preview made a profile: %+v", all.Items)
	}
}
