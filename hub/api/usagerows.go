package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/economy/ledger"
	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

type usageDevicesInput struct {
	Group    string `query:"group" doc:"A group and what is below it"`
	Selector string `query:"selector" doc:"Label selector, such as site=oslo"`
	Stage    string `query:"stage" enum:"free,saving,last,silent"`
	Over     bool   `query:"over" doc:"true: only devices that are over a cap, or will be by the end of their cycle"`
	Sort     string `query:"sort" enum:"spent,projected,share" default:"spent" doc:"The most first"`
	Limit    int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	After    string `query:"after" doc:"From next of the page before"`
}

func (s *server) usageDevices(_ context.Context, c *call, in *usageDevicesInput) (*reply[resource.UsagePage], error) {
	after, err := parseCursor(in.After)
	if err != nil {
		return nil, inField("query.after", err)
	}
	w, err := s.wanted(c, resource.DeviceFilter{Group: in.Group, Selector: in.Selector}, "query.")
	if err != nil {
		return nil, err
	}
	var all []place
	found := false
	for x := range s.find(w) {
		f, _ := s.Usage.Figures(x.Device.ID)
		found = true
		if in.Over && !f.Over() || in.Stage != "" && f.Stage.String() != in.Stage {
			continue
		}
		all = append(all, place{Rank: -usageRank(&f, in.Sort), Key: x.record.name, ID: x.Device.ID})
	}
	if !found {
		if err := s.groupIs(c, in.Group); err != nil {
			return nil, err
		}
	}
	order := ordered("usage")
	slices.SortFunc(all, order)
	page := resource.UsagePage{Total: len(all), Items: []resource.UsageRow{}}
	if in.After != "" {
		all = slices.DeleteFunc(all, func(p place) bool { return order(p, after) <= 0 })
	}
	rest := len(all) > in.Limit
	all = all[:min(len(all), in.Limit)]
	for _, p := range all {
		if d, ok := s.Devices.Device(p.ID); ok { // or it was removed just now
			page.Items = append(page.Items, s.usageRow(&d))
		}
	}
	if rest {
		page.Next = all[len(all)-1].String()
	}
	return replyWith(page), nil
}

func (s *server) usageRow(d *fleet.Device) resource.UsageRow {
	f, _ := s.Usage.Figures(d.ID)
	l := s.Devices.Liveness(d.ID, time.Now())
	row := resource.UsageRow{
		Device: d.ID, Name: d.Name, Group: d.Group, Profile: f.Link.Profile, Stage: f.Stage, Spent: f.Spent, Soft: f.Caps.Soft, Hard: f.Caps.Hard,
		Share: f.Share(), Projected: f.Projected, Currency: f.Link.Tariff.Currency, NextContact: utc(l.NextContact), Alerts: usageAlerts(&f),
	}
	if row.Currency != "" && f.Known {
		row.ProjectedCost = economy.CostText(f.ProjectedCost())
	}
	return row
}

// usageRank says where a device stands in a list of what devices spend.
func usageRank(f *ledger.Figures, by string) int64 {
	const most = 1 << 62
	switch by {
	case "projected":
		return int64(min(f.Projected, most))
	case "share":
		return int64(min(f.Share()*1e9, most))
	}
	return int64(min(f.Spent, most))
}

// deviceData is how far a device is through its billing cycle; nil: nothing is known of it yet.
func (s *server) deviceData(id protocol.DeviceID) *resource.DeviceData {
	f, ok := s.Usage.Figures(id)
	if !ok {
		return nil
	}
	return &resource.DeviceData{Spent: f.Spent, Cap: cmp.Or(f.Caps.Hard, f.Caps.Soft), Stage: f.Stage, Projected: f.Projected}
}

// stageOf is how far a device is through its budget.
func (s *server) stageOf(id protocol.DeviceID) string {
	f, _ := s.Usage.Figures(id)
	return f.Stage.String()
}

// groupIs refuses a group in which nothing was found, where it is not there or may not be seen.
func (s *server) groupIs(c *call, group string) error {
	group = strings.Trim(group, "/")
	_, there := s.Links.GroupEffective(group)
	seen := s.Accounts.Scope(c.who, access.GroupsRead).Covers(access.Resource{Kind: "group", ID: "/" + group, Group: group})
	if group == "" || there && seen {
		return nil
	}
	return inField("query.group", fmt.Errorf("group %.160q: %w: the list of groups has their names", group, fleet.ErrNotFound))
}
