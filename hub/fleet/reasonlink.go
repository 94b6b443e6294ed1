package fleet

import (
	"fmt"
	"strings"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// saving says how the budget holds the device back. "": it does not.
func (x *explanation) saving() string {
	switch x.seen.stage(x.effective) {
	case protocol.SpendingSaving:
		return "It is past its soft cap and saves, so it makes contact a quarter as often. "
	case protocol.SpendingLast:
		return "It is near its hard cap: results and urgent work only. "
	case protocol.SpendingSilent:
		return "It has spent its budget and is silent but for one ping a day. "
	}
	return ""
}

// openings explains a device whose link may not be used at any time.
func (x *explanation) openings() string {
	b := x.effective.Budget()
	if x.seen.stage(x.effective) == protocol.SpendingSilent && !b.DailyPing {
		return fmt.Sprintf("It has spent its budget, and is silent until its billing cycle ends, %s. The last contact was %s.%s",
			x.at(economy.CycleAt(b, x.is.LastContact).End()), x.at(x.is.LastContact), x.excused())
	}
	rule := x.saving() + "In contact only at " + x.times()
	due := x.seen.Due
	switch {
	case x.is.State == Overdue && x.seen.Due[overdueAfter-1].end().Add(minGrace).After(x.now):
		return fmt.Sprintf("%s; the last was %s, and %d or more were due since, while the link was open.", rule, x.at(x.is.LastContact), overdueAfter)
	case x.is.State == Overdue:
		return fmt.Sprintf("%s; the last contact was %s, and %d or more openings have passed without one.%s", rule, x.at(x.is.LastContact), overdueAfter, x.excused())
	case x.is.State == Late && x.now.Before(due[0].start()):
		return fmt.Sprintf("%s; the link is open until %s, and a contact that was due has not come.", rule, x.clock(openUntil(x.seen)))
	case x.is.State == Late:
		return fmt.Sprintf("%s; that from %s to %s passed without a contact. Overdue after %d.%s", rule, x.clock(due[0].start()), x.clock(due[0].end()), overdueAfter, x.excused())
	case due[0] == never && !x.now.Before(openUntil(x.seen)):
		return fmt.Sprintf("%s, and none is left: it is silent until somebody at the device opens contact, or gives it another table. The last contact was %s.", rule, x.at(x.is.LastContact))
	case x.now.Before(openUntil(x.seen)):
		return fmt.Sprintf("%s; the link is open until %s.", rule, x.clock(openUntil(x.seen)))
	case !x.now.Before(due[0].start()):
		return fmt.Sprintf("%s; the link is open until %s, and a contact is expected by then.%s", rule, x.clock(due[0].end()), x.excused())
	case x.is.Connected:
		return fmt.Sprintf("%s; it is connected all the same, which somebody at the device allowed, or rules that it has not been told yet.", rule)
	}
	return fmt.Sprintf("%s; quiet until %s.%s", rule, x.clock(due[0].start()), x.excused())
}

// times says by which rules the link is open, and from where they are.
func (x *explanation) times() string {
	var from []string
	if l := x.effective.Settings.Link; l != nil && l.Contact != nil && len(l.Contact.Windows) > 0 {
		from = append(from, "its contact windows ("+origin(x.effective.From["link"])+")")
	}
	if p := x.effective.From["passes"]; p != "" {
		if p == "device" {
			p = "this device"
		}
		from = append(from, "the passes of "+p)
	}
	if len(from) == 0 {
		return "times that held at its last contact (at any time from the next on)"
	}
	return strings.Join(from, " and ")
}

func (x *explanation) excused() string {
	if x.seen.Excused == 0 {
		return ""
	}
	return " The hub itself was away for a while, which does not count."
}
