package api

import (
	"context"
	"net/http"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

type putProfileInput struct {
	Expect
	Profile string `path:"profile" doc:"Name"`
	Body    resource.PutProfile
}

type profileInput struct {
	Profile string `path:"profile" doc:"Name"`
}

func (s *server) profileRoutes() {
	const tag = "Link profiles"
	add(s, route[struct{}, reply[resource.List[resource.Profile]]]{
		Method: http.MethodGet, Path: "/profiles", ID: "list-profiles", Tag: tag, Summary: "List link profiles",
		Does: access.ProfilesRead, On: onAny[struct{}]("profile"),
		Run: func(_ context.Context, c *call, _ *struct{}) (*reply[resource.List[resource.Profile]], error) {
			uses := s.profileUses(c)
			return list(s.Profiles.Profiles(), func(p fleet.Profile) resource.Profile { return profile(p, uses[p.Name]) }), nil
		},
	})
	add(s, route[putProfileInput, reply[resource.Profile]]{
		Method: http.MethodPut, Path: "/profiles/{profile}", ID: "put-profile", Tag: tag,
		Summary:     "Make a link profile, or replace it for all that go by it",
		Description: "Caps below what the device's own pings cost are refused, with the arithmetic.",
		Does:        access.ProfilesChange, On: func(c *call, in *putProfileInput) (access.Resource, error) { return onProfile(in.Profile) },
		Run: s.putProfile,
	})
	add(s, route[profileInput, none]{
		Method: http.MethodDelete, Path: "/profiles/{profile}", ID: "remove-profile", Tag: tag, Status: http.StatusNoContent,
		Summary: "Remove a link profile that nobody goes by",
		Does:    access.ProfilesChange, On: func(c *call, in *profileInput) (access.Resource, error) { return onProfile(in.Profile) },
		Run: func(_ context.Context, _ *call, in *profileInput) (*none, error) {
			return nil, s.Profiles.RemoveProfile(in.Profile)
		},
	})
}

func onProfile(name string) (access.Resource, error) {
	return access.Resource{Kind: "profile", ID: name}, nil
}

func (s *server) putProfile(_ context.Context, c *call, in *putProfileInput) (*reply[resource.Profile], error) {
	p, err := profileFrom(in.Profile, &in.Body)
	if err != nil {
		return nil, err
	}
	want := s.expect(in.Expect, c.on)
	if err := s.Profiles.PutProfile(p, func(now *fleet.Profile) error { return want.meets(profileEtag(now)) }); err != nil {
		return nil, err
	}
	return replyWith(profile(p, s.profileUses(c)[p.Name])), nil
}

func profileFrom(name string, in *resource.PutProfile) (fleet.Profile, error) {
	p := fleet.Profile{Name: name, Settings: settingsFrom(in.Settings)}
	p.Settings.Link = linkFrom(in.Link)
	var err error
	p.Tariff, err = tariffFrom(in.Tariff)
	return p, err
}

// uses count who goes by a link profile.
type uses struct{ groups, devices int }

func (s *server) profileUses(c *call) map[string]uses {
	all := map[string]uses{}
	scope, y := s.Accounts.Scope(c.who, access.GroupsRead), c.eyes()
	for _, g := range s.Groups.Groups() {
		if g.Profile != "" && scope.Covers(access.Resource{Kind: "group", ID: "/" + g.Path, Group: g.Path}) {
			u := all[g.Profile]
			u.groups++
			all[g.Profile] = u
		}
	}
	for x := range s.Devices.Sights(time.Now()) {
		if name := x.Effective.Settings.Profile; name != "" && x.Device.Revoked == 0 && y.device(x.Device) {
			u := all[name]
			u.devices++
			all[name] = u
		}
	}
	return all
}

func profile(p fleet.Profile, by uses) resource.Profile {
	explicit := p.Explicit()
	out := resource.Profile{
		Name: p.Name, Settings: settings(p.Settings), Link: link(p.Settings.Link), Tariff: tariff(p.Tariff),
		Idle:     resource.Idle{BytesPerDay: economy.IdleDay(explicit), BytesPerMonth: economy.IdleMonth(explicit)},
		Warnings: profileWarnings(&p), BuiltIn: p.BuiltIn, Groups: by.groups, Devices: by.devices, Etag: profileEtag(&p),
	}
	if p.Tariff != (economy.Tariff{}) {
		out.Idle.CostPerMonth = economy.CostText(p.Tariff.Price(0, out.Idle.BytesPerMonth))
	}
	return out
}

func profileWarnings(p *fleet.Profile) []string {
	out := []string{}
	l := p.Settings.Link
	if l == nil {
		return out
	}
	if b := l.Budget; b != nil && b.Hard != 0 && !b.DailyPing {
		out = append(out, "At its hard cap a device is silent, and hears of no lift before its cycle ends: allow the ping a day if it should.")
	}
	out = append(out, economy.Warnings(l.Contact, time.Now())...)
	if b := l.Budget; b != nil && p.Tariff.Included != 0 && b.Hard > p.Tariff.Included && p.Tariff.PerMB == 0 {
		out = append(out, "The hard cap is above what the tariff includes, and the price of what goes beyond is not given.")
	}
	return out
}

// link shows the rules of a link; what belongs to one device is left out.
func link(l *protocol.LinkRules) *resource.Link {
	if l == nil {
		return nil
	}
	out := &resource.Link{Images: l.Images, Connection: l.Connection}
	if b := l.Budget; b != nil {
		out.Budget = &resource.Budget{
			CycleDay: b.Day, Zone: b.Zone, Soft: b.Soft, Hard: b.Hard, Reserve: b.Reserve, Floor: b.Floor, DailyPing: b.DailyPing,
		}
	}
	if c := l.Contact; c != nil {
		out.Contact = &resource.Contact{Windows: c.Windows, After: c.After}
	}
	return out
}

func linkFrom(l *resource.Link) *protocol.LinkRules {
	if l == nil {
		return nil
	}
	out := &protocol.LinkRules{Images: l.Images, Connection: l.Connection}
	if b := l.Budget; b != nil && *b != (resource.Budget{}) {
		out.Budget = &protocol.Budget{
			Day: b.CycleDay, Zone: b.Zone, Soft: b.Soft, Hard: b.Hard, Reserve: b.Reserve, Floor: b.Floor, DailyPing: b.DailyPing,
		}
	}
	if c := l.Contact; c != nil && (len(c.Windows) > 0 || c.After != 0) {
		out.Contact = &protocol.Contact{Windows: c.Windows, After: c.After}
	}
	if *out == (protocol.LinkRules{}) {
		return nil
	}
	return out
}

func tariff(t economy.Tariff) *resource.Tariff {
	if t == (economy.Tariff{}) {
		return nil
	}
	out := &resource.Tariff{Currency: t.Currency, Included: t.Included}
	if t.PerMB != 0 {
		out.PricePerMB = economy.PriceText(t.PerMB)
	}
	return out
}

func tariffFrom(t *resource.Tariff) (out economy.Tariff, err error) {
	if t == nil {
		return out, nil
	}
	out.Currency, out.Included = t.Currency, t.Included
	if t.PricePerMB != "" {
		out.PerMB, err = economy.ParsePrice(t.PricePerMB)
	}
	if err != nil {
		return out, invalid("body.tariff.price_per_mb", "%v", err)
	}
	return out, nil
}
