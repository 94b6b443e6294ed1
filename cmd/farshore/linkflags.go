package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
)

// linkFlags are what a link profile says of spending and times of contact.
type linkFlags struct {
	hard, soft, reserve, included bytesFlag
	day                           int
	cycleZone, floor              string
	dailyPing                     bool
	windows                       []string
	zone, images, connection      string
	after, price, currency, from  string
}

func (l *linkFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&l.from, "from", "", "begin a new profile with what this one says")
	f.Var(&l.hard, "hard", "cap that is never passed in a billing cycle, such as 20MB; 0: none")
	f.Var(&l.soft, "soft", "from where on devices save, such as 15MB; 0: not before the hard cap is near")
	f.Var(&l.reserve, "reserve", "the last of the hard cap, for results and urgent work alone; 0: a twentieth")
	f.IntVar(&l.day, "cycle-day", 0, "day of the month on which a billing cycle begins, 1 to 31")
	f.StringVar(&l.cycleZone, "cycle-zone", "", "time zone of the billing cycle; empty: UTC")
	f.StringVar(&l.floor, "floor", "", "how often devices ping near the hard cap, such as 6h")
	f.BoolVar(&l.dailyPing, "daily-ping", false, "one ping a day at the hard cap, by which devices hear of a lift")
	f.StringArrayVar(&l.windows, "contact", nil, "when the link may be used, such as '0 */6 * * * for 10m'; may be repeated; none: at any time")
	f.StringVar(&l.zone, "zone", "", "time zone of --contact; empty: that of the device's label timezone, else UTC")
	f.StringVar(&l.after, "after", "", "what holds after the last pass of a table: daily, silent or open")
	f.StringVar(&l.images, "images", "", "who fetches images: engine or agent")
	f.StringVar(&l.connection, "connection", "", "between two contacts: kept, brief or auto")
	f.StringVar(&l.price, "price", "", "price of a megabyte, such as 4.20")
	f.StringVar(&l.currency, "currency", "", "currency of the price, such as EUR")
	f.Var(&l.included, "included", "what each cycle includes, such as 10MB")
}

// into changes what of put has a flag that was given.
func (l *linkFlags) into(cmd *cobra.Command, put *resource.PutProfile) error {
	changed := cmd.Flags().Changed
	link, tariff := orNew(put.Link), orNew(put.Tariff)
	budget, contact := orNew(link.Budget), orNew(link.Contact)
	var errs []error
	when(changed("hard"), &budget.Hard, uint64(l.hard))
	when(changed("soft"), &budget.Soft, uint64(l.soft))
	when(changed("reserve"), &budget.Reserve, uint64(l.reserve))
	if changed("cycle-day") {
		if l.day < 1 || l.day > 31 {
			errs = append(errs, fmt.Errorf("cycle day %d: want a day of the month, 1 to 31", l.day))
		}
		budget.CycleDay = uint8(l.day) // what does not fit is refused above
	}
	when(changed("cycle-zone"), &budget.Zone, l.cycleZone)
	when(changed("daily-ping"), &budget.DailyPing, l.dailyPing)
	when(changed("price"), &tariff.PricePerMB, l.price)
	when(changed("currency"), &tariff.Currency, l.currency)
	when(changed("included"), &tariff.Included, uint64(l.included))
	if changed("floor") {
		d, err := time.ParseDuration(l.floor)
		if err != nil || d < time.Minute || d > 7*24*time.Hour {
			errs = append(errs, fmt.Errorf("floor %.40q: want one minute to seven days, such as 6h", l.floor))
		}
		budget.Floor = uint32(d / time.Second)
	}
	if changed("contact") {
		windows, err := l.readWindows()
		errs, contact.Windows = append(errs, err), windows
	} else if changed("zone") {
		errs = append(errs, errors.New("--zone needs --contact: give the windows that it is for"))
	}
	for name, read := range map[string]func() error{
		"after":      func() error { return contact.After.UnmarshalText([]byte(l.after)) },
		"images":     func() error { return link.Images.UnmarshalText([]byte(l.images)) },
		"connection": func() error { return link.Connection.UnmarshalText([]byte(l.connection)) },
	} {
		if changed(name) {
			errs = append(errs, read())
		}
	}
	link.Budget, link.Contact, put.Link, put.Tariff = &budget, &contact, &link, &tariff
	return usage(cmd, errors.Join(errs...))
}

func (l *linkFlags) readWindows() (out []protocol.ContactWindow, err error) {
	if len(l.windows) == 1 && l.windows[0] == "none" {
		return nil, nil
	}
	for _, text := range l.windows {
		start, long, ok := strings.Cut(text, " for ")
		d, err := time.ParseDuration(strings.TrimSpace(long))
		if !ok || err != nil || d <= 0 || d%time.Second != 0 || d > 7*24*time.Hour {
			return nil, fmt.Errorf("contact %.60q: want a cron expression and how long it lasts, such as '0 */6 * * * for 10m', or none", text)
		}
		out = append(out, protocol.ContactWindow{Start: strings.TrimSpace(start), Seconds: uint32(d / time.Second), Zone: l.zone})
	}
	return out, nil
}

func orNew[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func when[T any](given bool, to *T, v T) {
	if given {
		*to = v
	}
}

// capColumns are the caps of a profile, each for a column.
func capColumns(l *resource.Link) (soft, hard string) {
	soft, hard = right("-"), right("-")
	if l != nil && l.Budget != nil && l.Budget.Soft != 0 {
		soft = column(l.Budget.Soft)
	}
	if l != nil && l.Budget != nil && l.Budget.Hard != 0 {
		hard = column(l.Budget.Hard)
	}
	return soft, hard
}

// budgetLines say what a budget has beside its caps.
func budgetLines(b *resource.Budget) [][2]string {
	out := [][2]string{{"cycle", fmt.Sprintf("from day %d of each month, %s", max(b.CycleDay, 1), or(b.Zone, "UTC"))}}
	if b.Reserve != 0 {
		out = append(out, [2]string{"reserve", "the last " + size(b.Reserve) + " of the hard cap, for results and urgent work"})
	}
	if b.Floor != 0 {
		out = append(out, [2]string{"near hard", "a ping each " + exactly(time.Duration(b.Floor)*time.Second)})
	}
	if b.Hard != 0 {
		out = append(out, [2]string{"at hard", map[bool]string{true: "one ping a day", false: "silence until the cycle ends"}[b.DailyPing]})
	}
	return out
}

// budgetText says in few words what a profile caps.
func budgetText(l *resource.Link) string {
	if l == nil || l.Budget == nil || l.Budget.Hard == 0 && l.Budget.Soft == 0 {
		return "-"
	}
	var out []string
	if l.Budget.Soft != 0 {
		out = append(out, "soft "+size(l.Budget.Soft))
	}
	if l.Budget.Hard != 0 {
		out = append(out, "hard "+size(l.Budget.Hard))
	}
	return strings.Join(out, ", ")
}

// contactText says in few words when a link may be used.
func contactText(l *resource.Link) string {
	if l == nil || l.Contact == nil || len(l.Contact.Windows) == 0 {
		return "any time"
	}
	var out []string
	for _, w := range l.Contact.Windows {
		text := w.Start + " for " + exactly(time.Duration(w.Seconds)*time.Second)
		if w.Zone != "" {
			text += " " + w.Zone
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// idleText says what an idle device costs a month.
func idleText(p *resource.Profile) string {
	text := size(p.Idle.BytesPerMonth)
	if p.Idle.CostPerMonth != "" && p.Tariff != nil {
		text += ", " + p.Idle.CostPerMonth + " " + p.Tariff.Currency
	}
	return strings.TrimSpace(text)
}
