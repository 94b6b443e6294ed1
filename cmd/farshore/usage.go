package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
)

// usageFlags say what of the usage is asked for.
type usageFlags struct {
	by, from, to, group, selector, stage, sort string
	over                                       bool
}

// Parts that usage can be shown by.
const (
	byClass  = "class"
	byGroup  = "group"
	byDevice = "device"
	byDay    = "day"
	byHour   = "hour"
)

func (a *app) usageCommand() *cobra.Command {
	var u usageFlags
	cmd := &cobra.Command{
		Use: "usage [DEVICE]", Short: "show what devices spend on their links", Args: cobra.MaximumNArgs(1), ValidArgsFunction: atFirst(a.completeDevices),
		Long: "Shows what a device, or all together, spend on their links: TCP/IP headers included, by what the bytes are for. What counts of " +
			"a day is what the device says of it, and what the hub has counted since. A projection is by the use of the last seven full days.",
		Example: `  farshore usage crane-1
  farshore usage crane-1 --by day --from 90d
  farshore usage --by group --group norway --from 7d
  farshore usage --over --sort projected`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if u.by == "" {
				u.by = byClass
				if len(args) == 0 && (u.over || u.stage != "" || u.sort != "") {
					u.by = byDevice
				}
			}
			if err := u.check(len(args) > 0); err != nil {
				return usage(cmd, err)
			}
			switch {
			case len(args) > 0:
				return a.deviceUsage(cmd.Context(), args[0], u)
			case u.by == byDevice:
				return a.usageRows(cmd.Context(), u)
			}
			return a.fleetUsage(cmd.Context(), u)
		},
	}
	f := cmd.Flags()
	f.StringVar(&u.by, "by", "", "class, day or hour (what the hub itself has counted); without DEVICE also group or device (default class)")
	f.StringVar(&u.from, "from", "", "begin there: how long ago, such as 7d, or a time in RFC 3339 (default: the billing cycle of a device, 30 days of many, 48 hours by hour)")
	f.StringVar(&u.to, "to", "", "end there (default: now)")
	f.StringVar(&u.group, "group", "", "only devices in this group or below it")
	f.StringVar(&u.selector, "select", "", "only devices whose labels fit")
	f.StringVar(&u.stage, "stage", "", "only devices that are at this stage of spending: free, saving, last or silent")
	f.StringVar(&u.sort, "sort", "", "devices by spent, projected or share, the most first (default spent)")
	f.BoolVar(&u.over, "over", false, "only devices that are over a cap, or will be by the end of their cycle")
	must(cmd.RegisterFlagCompletionFunc("by", cobra.FixedCompletions([]string{byClass, byDay, byHour, byGroup, byDevice}, cobra.ShellCompDirectiveNoFileComp)))
	must(cmd.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions([]string{"spent", "projected", "share"}, cobra.ShellCompDirectiveNoFileComp)))
	must(cmd.RegisterFlagCompletionFunc("stage", cobra.FixedCompletions([]string{"free", "saving", "last", "silent"}, cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}

// check refuses flags that do not go together.
func (u *usageFlags) check(device bool) error {
	ofDevices := u.over || u.stage != "" || u.sort != ""
	switch {
	case u.sort != "" && !slices.Contains([]string{"spent", "projected", "share"}, u.sort):
		return fmt.Errorf("--sort %.40q: want spent, projected or share", u.sort)
	case u.stage != "" && !slices.Contains([]string{"free", "saving", "last", "silent"}, u.stage):
		return fmt.Errorf("--stage %.40q: want free, saving, last or silent", u.stage)
	case !slices.Contains([]string{byClass, byGroup, byDevice, byDay, byHour}, u.by):
		return fmt.Errorf("--by %q: want class, day, hour, group or device", u.by)
	case device && (ofDevices || u.group != "" || u.selector != "" || u.by == byGroup || u.by == byDevice):
		return errors.New("of one device there is --by class, day or hour, --from and --to: leave the rest out, or the device")
	case ofDevices && u.by != byDevice:
		return errors.New("--over, --stage and --sort are of a list of devices: give --by device")
	case u.by == byDevice && (u.from != "" || u.to != ""):
		return errors.New("a list of devices is of their present billing cycles: leave --from and --to out")
	}
	return nil
}

// query gives the time that is asked for.
func (u *usageFlags) query() (url.Values, error) {
	q := url.Values{}
	if u.by == byHour {
		q.Set("step", "hour")
	}
	for name, text := range map[string]string{"from": u.from, "to": u.to} {
		if text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			ago, agoErr := duration(text)
			if agoErr != nil {
				return nil, fmt.Errorf("--%s %q: want how long ago, such as 7d, or a time such as 2026-11-01T00:00:00Z", name, text)
			}
			at = time.Now().Add(-ago)
		}
		q.Set(name, at.UTC().Format(time.RFC3339))
	}
	u.narrow(q)
	return q, nil
}

func (u *usageFlags) narrow(q url.Values) {
	for name, value := range map[string]string{"group": u.group, "selector": u.selector} {
		if value != "" {
			q.Set(name, value)
		}
	}
}

func (a *app) deviceUsage(ctx context.Context, device string, u usageFlags) error {
	q, err := u.query()
	if err != nil {
		return err
	}
	var d resource.DeviceUsage
	if err := a.get(ctx, "/devices/"+seg(device)+"/usage", q, &d); err != nil {
		return err
	}
	return a.print(d, func() *table {
		if u.by != byClass {
			return stepTable(d.Steps, u.by)
		}
		t := &table{}
		t.add("device", d.Name)
		t.add("profile", dash(d.Profile))
		t.add("cycle", d.Cycle.Start.Format(time.DateOnly)+" to "+d.Cycle.End.Format(time.DateOnly))
		t.add("spent", ofCap(d.Spent, d.Caps.Hard, d.Caps.Soft)+priced(d.Cost, d.Currency))
		if d.Projected > 0 {
			t.add("at its end", size(d.Projected)+priced(d.ProjectedCost, d.Currency)+", by the use of the last days")
		} else {
			t.add("at its end", "not known yet: that takes a full day of use")
		}
		t.add("stage", d.Stage.String())
		if d.Caps.Reserve > 0 {
			t.add("reserve", "the last "+size(d.Caps.Reserve)+" of the hard cap, for results and urgent work")
		}
		if l := d.Lift; l != nil {
			t.add("lift", liftText(l))
		}
		t.add("next contact", nextText(d.NextContact))
		t.add("as of", ago(d.AsOf))
		for _, x := range d.Alerts {
			t.add("alert", x.Text+" ("+ago(x.Since)+")")
		}
		for _, class := range classesBySize(d.Totals) {
			b := d.Totals[class]
			t.add("class "+class, fmt.Sprintf("%s (%s up, %s down)", size(b.Up+b.Down), size(b.Up), size(b.Down)))
		}
		return t
	})
}

func (a *app) fleetUsage(ctx context.Context, u usageFlags) error {
	q, err := u.query()
	if err != nil {
		return err
	}
	var all resource.FleetUsage
	if err := a.get(ctx, "/usage", q, &all); err != nil {
		return err
	}
	return a.print(all, func() *table {
		switch u.by {
		case byGroup:
			t := &table{head: []string{"GROUP", right("BYTES")}}
			for _, g := range all.Groups {
				t.add("/"+g.Group, column(g.Bytes))
			}
			return t
		case byDay, byHour:
			return stepTable(all.Steps, u.by)
		}
		t := &table{head: []string{"CLASS", right("UP"), right("DOWN"), right("ALL")}}
		var sum resource.UpDown
		for _, class := range classesBySize(all.Totals) {
			b := all.Totals[class]
			sum.Up, sum.Down = sum.Up+b.Up, sum.Down+b.Down
			t.add(class, column(b.Up), column(b.Down), column(b.Up+b.Down))
		}
		t.add("all", column(sum.Up), column(sum.Down), column(sum.Up+sum.Down))
		return t
	})
}

// usageRows reads all pages.
func (a *app) usageRows(ctx context.Context, u usageFlags) error {
	q := url.Values{"limit": {"1000"}}
	u.narrow(q)
	for name, value := range map[string]string{"stage": u.stage, "sort": u.sort} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if u.over {
		q.Set("over", "true")
	}
	rows := []resource.UsageRow{}
	for {
		var page resource.UsagePage
		if err := a.get(ctx, "/usage/devices", q, &page); err != nil {
			return err
		}
		rows = append(rows, page.Items...)
		if page.Next == "" {
			break
		}
		q.Set("after", page.Next)
	}
	return a.print(rows, func() *table {
		t := &table{head: []string{"NAME", "GROUP", "PROFILE", "STAGE", "SPENT", "PROJECTED", "NEXT CONTACT", "ALERTS"}}
		for _, r := range rows {
			projected := "-"
			if r.Projected > 0 {
				projected = size(r.Projected) + priced(r.ProjectedCost, r.Currency)
			}
			next := "-"
			if !r.NextContact.IsZero() {
				next = ago(r.NextContact)
			}
			var alerts []string
			for _, x := range r.Alerts {
				alerts = append(alerts, strings.TrimSpace(x.Kind+" "+x.Class))
			}
			t.add(r.Name, "/"+r.Group, dash(r.Profile), r.Stage.String(), ofCap(r.Spent, r.Hard, r.Soft), projected, next, dash(strings.Join(alerts, ", ")))
		}
		return t
	})
}

// liftText says what was added to a cycle, by whom and why.
func liftText(l *resource.Lift) string {
	text := size(l.Extra) + " were added to this cycle's caps"
	if l.By != "" {
		text += " by " + l.By
	}
	text += " " + ago(l.At)
	if l.Note != "" {
		text += ": " + l.Note
	}
	return text
}

// nextText says when a device is expected.
func nextText(t time.Time) string {
	if t.IsZero() {
		return "none is expected"
	}
	return ago(t) + ", " + exact(t)
}

// stepTable shows hours or days.
func stepTable(steps []resource.UsageStep, by string) *table {
	form := "2006-01-02 15:04"
	if by == byDay {
		form = time.DateOnly
	}
	t := &table{head: []string{strings.ToUpper(by), right("UP"), right("DOWN"), right("ALL"), "MOST FOR"}}
	for _, s := range steps {
		var sum resource.UpDown
		for _, b := range s.Classes {
			sum.Up, sum.Down = sum.Up+b.Up, sum.Down+b.Down
		}
		most := ""
		if classes := classesBySize(s.Classes); len(classes) > 0 {
			most = classes[0]
		}
		t.add(s.At.UTC().Format(form), column(sum.Up), column(sum.Down), column(sum.Up+sum.Down), most)
	}
	return t
}

// classesBySize gives the names of classes, the dearest first.
func classesBySize(all resource.UsageClasses) []string {
	of := func(class string) uint64 { return all[class].Up + all[class].Down }
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		if x, y := of(a), of(b); x != y {
			if x > y {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
}

// ofCap says how much of a cap is spent.
func ofCap(spent, hard, soft uint64) string {
	limit, name := hard, ""
	if limit == 0 {
		limit, name = soft, " (soft)"
	}
	if limit == 0 {
		return size(spent)
	}
	return fmt.Sprintf("%s of %s%s, %d %%", size(spent), size(limit), name, uint64(float64(spent)/float64(limit)*100))
}

func priced(amount, currency string) string {
	if amount == "" {
		return ""
	}
	return " (" + amount + " " + currency + ")"
}
