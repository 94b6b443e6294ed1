package api

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/economy/ledger"
	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
)

// Usage are the books of what devices spend on their links; *ledger.Ledger is one.
type Usage interface {
	Figures(protocol.DeviceID) (ledger.Figures, bool)
	AsOf() time.Time
	Total() meter.Counts
	Device(id protocol.DeviceID, first, next ledger.Slot, fn func(ledger.Slot, meter.Counts)) error
	All(ctx context.Context, first, next ledger.Slot, fn func(ledger.Slot, protocol.DeviceID, meter.Counts)) error
}

// UsageRange is which hours or days are asked for. It is exported because only exported fields are filled.
type UsageRange struct {
	Step string    `query:"step" enum:"hour,day" default:"day" doc:"Hours are kept for 48 hours, days for 400 days"`
	From time.Time `query:"from" doc:"Absent: the beginning of the billing cycle of one device, 30 days ago of many; of hours, 48 hours ago"`
	To   time.Time `query:"to" doc:"Absent: now"`
}

type deviceUsageInput struct {
	DeviceRef
	UsageRange
}

type fleetUsageInput struct {
	UsageRange
	Group    string `query:"group" doc:"A group and what is below it"`
	Selector string `query:"selector" doc:"Label selector, such as site=oslo"`
}

func (s *server) usageRoutes() {
	const tag = "Usage"
	add(s, route[fleetUsageInput, reply[resource.FleetUsage]]{
		Method: http.MethodGet, Path: "/usage", ID: "usage", Tag: tag, Summary: "See what devices spend on their links, in all",
		Description: "Of the devices that you may see and that are not revoked. Days are those of each device's billing, shown as UTC's. " +
			"A device that was removed is in no sum any more. At most a million counts are summed up at once: ask for less time, or a smaller group, of a large fleet.",
		Does: access.DevicesRead, On: onAny[fleetUsageInput]("device"), Run: s.fleetUsage,
	})
	add(s, route[usageDevicesInput, reply[resource.UsagePage]]{
		Method: http.MethodGet, Path: "/usage/devices", ID: "usage-devices", Tag: tag, Summary: "List devices by what they spend",
		Does: access.DevicesRead, On: onAny[usageDevicesInput]("device"), Run: s.usageDevices,
	})
	add(s, route[deviceUsageInput, reply[resource.DeviceUsage]]{
		Method: http.MethodGet, Path: "/devices/{device}/usage", ID: "device-usage", Tag: tag, Summary: "See what a device spends on its link",
		Description: "The hub counts what it sees; of images, and of days on which the device was away, it learns from the device, with what " +
			"the device sends anyway.",
		Does: access.DevicesRead, On: func(c *call, in *deviceUsageInput) (access.Resource, error) { return s.onDevice(c, &in.DeviceRef) },
		Run: s.deviceUsage,
	})
}

// slots gives the hours or days that are asked for, first and next, where begin is the default. What is longer ago than
// is kept is left out.
func (r *UsageRange) slots(now, begin time.Time, zone *time.Location) (first, next ledger.Slot, err error) {
	from, to := r.From, r.To
	if to.IsZero() {
		to = now.Add(time.Nanosecond)
	}
	of, kept := ledger.HourOf, uint32(ledger.KeepHours)
	if r.Step == "day" {
		of = func(t time.Time) ledger.Slot { return ledger.Slot{Step: ledger.Day, At: economy.Day(t, zone)} }
		kept = ledger.KeepDays
	}
	oldest := of(now)
	oldest.At -= min(kept, oldest.At)
	switch {
	case !from.IsZero():
	case r.Step == "day":
		from = begin
	default:
		from = now.Add(-ledger.KeepHours * time.Hour)
	}
	if !from.Before(to) {
		return first, next, invalid("query.from", "from %s to %s there is nothing: want a time before to", from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	first, next = of(from), of(to.Add(-time.Nanosecond))
	first.At, next.At = max(first.At, oldest.At), min(next.At, of(now).At)+1
	return first, next, nil
}

// begins gives the time at which a slot begins.
func begins(at ledger.Slot, zone *time.Location) time.Time {
	if at.Step == ledger.Hour {
		return time.Unix(int64(at.At)*3600, 0).UTC()
	}
	return economy.Date(at.At, zone).UTC()
}

func (s *server) deviceUsage(_ context.Context, c *call, in *deviceUsageInput) (*reply[resource.DeviceUsage], error) {
	d, err := s.device(c)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	f, ok := s.Usage.Figures(d.ID)
	if !ok { // nothing was counted yet
		f.Cycle = economy.CycleAt(nil, now)
	}
	first, next, err := in.slots(now, f.Cycle.Start(), f.Cycle.Zone)
	if err != nil {
		return nil, err
	}
	out := resource.DeviceUsage{
		Device: d.ID, Name: d.Name, Profile: f.Link.Profile, Cycle: resource.BillingCycle{Start: f.Cycle.Start().UTC(), End: f.Cycle.End().UTC()},
		Stage: f.Stage, Caps: usageCaps(&f), Spent: f.Spent, Projected: f.Projected, Currency: f.Link.Tariff.Currency, Rate: f.Rate,
		AsOf: utc(s.Usage.AsOf()), Alerts: usageAlerts(&f), From: begins(first, f.Cycle.Zone), To: begins(next, f.Cycle.Zone), Steps: []resource.UsageStep{},
	}
	effective, _ := s.Devices.Effective(d.ID)
	out.NextContact, out.Lift = utc(s.Devices.Liveness(d.ID, now).NextContact), presentLift(effective, d.Lift)
	if out.Currency != "" {
		out.Cost = economy.CostText(f.Cost())
		if f.Known {
			out.ProjectedCost = economy.CostText(f.ProjectedCost())
		}
	}
	var total meter.Counts
	err = s.Usage.Device(d.ID, first, next, func(at ledger.Slot, counts meter.Counts) {
		total.Add(counts)
		out.Steps = append(out.Steps, resource.UsageStep{At: begins(at, f.Cycle.Zone), Classes: usageClasses(counts)})
	})
	out.Totals = usageClasses(total)
	return replyWith(out), err
}

func (s *server) fleetUsage(ctx context.Context, c *call, in *fleetUsageInput) (*reply[resource.FleetUsage], error) {
	now := time.Now()
	first, next, err := in.slots(now, now.AddDate(0, 0, -29), time.UTC)
	if err != nil {
		return nil, err
	}
	w, err := s.wanted(c, resource.DeviceFilter{Group: in.Group, Selector: in.Selector}, "query.")
	if err != nil {
		return nil, err
	}
	out := resource.FleetUsage{
		Stages: map[string]int{}, AsOf: utc(s.Usage.AsOf()), From: begins(first, time.UTC), To: begins(next, time.UTC),
		Groups: []resource.GroupUsage{}, Steps: []resource.UsageStep{},
	}
	groups, costs, projected := map[protocol.DeviceID]string{}, map[string]uint64{}, map[string]uint64{}
	for x := range s.find(w) {
		groups[x.Device.ID] = x.Device.Group
		f, _ := s.Usage.Figures(x.Device.ID)
		addFigures(&out, &f, costs, projected)
	}
	if len(groups) == 0 {
		if err := s.groupIs(c, in.Group); err != nil {
			return nil, err
		}
	}
	out.Devices, out.Cost, out.ProjectedCost = len(groups), monies(costs), monies(projected)
	var total meter.Counts
	steps, bytes := map[ledger.Slot]*meter.Counts{}, map[string]uint64{}
	err = s.readUsage(ctx, usageOf{groups: groups, first: first, next: next}, func(at ledger.Slot, group string, counts meter.Counts) {
		step := steps[at]
		if step == nil {
			step = new(meter.Counts)
			steps[at] = step
		}
		step.Add(counts)
		total.Add(counts)
		t := counts.Total()
		bytes[group] = economy.Sum(bytes[group], economy.Sum(t.Up, t.Down))
	})
	if err != nil {
		return nil, err
	}
	for at := first; at.At < next.At; at.At++ {
		if step := steps[at]; step != nil {
			out.Steps = append(out.Steps, resource.UsageStep{At: begins(at, time.UTC), Classes: usageClasses(*step)})
		}
	}
	out.Totals = usageClasses(total)
	for group, n := range bytes {
		out.Groups = append(out.Groups, resource.GroupUsage{Group: group, Bytes: n})
	}
	slices.SortFunc(out.Groups, func(a, b resource.GroupUsage) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), strings.Compare(a.Group, b.Group))
	})
	return replyWith(out), nil
}

// addFigures adds how one device stands, with what it costs in millionths by currency.
func addFigures(out *resource.FleetUsage, f *ledger.Figures, costs, projected map[string]uint64) {
	end, endCost := f.Spent, f.Cost()
	if f.Known {
		end, endCost = f.Projected, f.ProjectedCost()
	}
	out.Spent = economy.Sum(out.Spent, f.Spent)
	out.Projected = economy.Sum(out.Projected, end)
	out.Stages[f.Stage.String()]++
	out.Alerts += len(f.Alerts)
	if f.Over() {
		out.Over++
	}
	if currency := f.Link.Tariff.Currency; currency != "" {
		costs[currency] = economy.Sum(costs[currency], f.Cost())
		projected[currency] = economy.Sum(projected[currency], endCost)
	}
}

// Bounds of what it costs to sum up what many devices have spent.
const (
	// maxUsageCounts is how many counts of one device and one hour or day are read: about three seconds (BenchmarkAll).
	maxUsageCounts = 1_000_000
	// fewDevices are looked up one by one, in place of reading those of all devices.
	fewDevices = 200
)

// usageOf is whose counts, by their groups, and of what time, are read.
type usageOf struct {
	groups      map[protocol.DeviceID]string
	first, next ledger.Slot
}

// readUsage reads what devices have spent, one caller after the other.
func (s *server) readUsage(ctx context.Context, of usageOf, fn func(at ledger.Slot, group string, counts meter.Counts)) error {
	few, devices := len(of.groups) <= fewDevices, len(of.groups)
	if !few { // those are read that are not asked for too
		devices = 0
		for range s.Devices.Sights(time.Now()) {
			devices++
		}
	}
	if steps := int(of.next.At - of.first.At); steps*devices > maxUsageCounts {
		return invalid("query.from", "%d steps of so many devices are too much to be summed up at once: ask for a shorter time, or for a group of at most %d devices",
			steps, fewDevices)
	}
	select {
	case s.sums <- struct{}{}:
		defer func() { <-s.sums }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if !few {
		return s.Usage.All(ctx, of.first, of.next, func(at ledger.Slot, id protocol.DeviceID, counts meter.Counts) {
			if group, ok := of.groups[id]; ok {
				fn(at, group, counts)
			}
		})
	}
	for id, group := range of.groups {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.Usage.Device(id, of.first, of.next, func(at ledger.Slot, counts meter.Counts) { fn(at, group, counts) }); err != nil {
			return err
		}
	}
	return nil
}

func usageClasses(c meter.Counts) resource.UsageClasses {
	out := resource.UsageClasses{}
	for class, b := range c {
		if b != (meter.Bytes{}) {
			out[protocol.Class(class).String()] = resource.UpDown(b)
		}
	}
	return out
}

func usageCaps(f *ledger.Figures) resource.UsageCaps {
	return resource.UsageCaps{Soft: f.Caps.Soft, Hard: f.Caps.Hard, Reserve: f.Caps.Hard - f.Caps.Last}
}

func usageAlerts(f *ledger.Figures) []resource.UsageAlert {
	out := make([]resource.UsageAlert, len(f.Alerts))
	for i, a := range f.Alerts {
		out[i] = resource.UsageAlert{Kind: string(a.Kind), Since: time.Unix(a.Since, 0).UTC(), Text: a.Text}
		if a.Kind == ledger.Unusual {
			out[i].Class = a.Class.String()
		}
	}
	return out
}

func monies(micros map[string]uint64) []resource.Money {
	out := []resource.Money{}
	for _, currency := range slices.Sorted(maps.Keys(micros)) {
		out = append(out, resource.Money{Currency: currency, Amount: economy.CostText(micros[currency])})
	}
	return out
}
