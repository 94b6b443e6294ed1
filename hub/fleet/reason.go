package fleet

import (
	"fmt"
	"strings"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// Explain is Liveness with the reason in words: what is expected of the device, by which setting and from where, and
// how that went. The text is empty for an unknown id.
func (r *Registry) Explain(id protocol.DeviceID, now time.Time) (Liveness, string) {
	r.mu.RLock()
	e := r.now.devices[id]
	if e == nil {
		r.mu.RUnlock()
		return Liveness{}, ""
	}
	d, effective := e.dev, e.effective
	r.mu.RUnlock()
	e.mu.Lock()
	seen := e.seen
	e.mu.Unlock()
	l := r.judge(e, d, now)
	return l, (&explanation{d: d, seen: &seen, effective: effective, is: l, now: now}).text()
}

// explanation is what a sentence about a device's liveness is made of.
type explanation struct {
	d         *Device
	seen      *Presence
	effective *Effective
	is        Liveness
	now       time.Time
}

func (x *explanation) text() string {
	switch {
	case x.is.State == Revoked && x.d.ReplacedBy != "":
		return fmt.Sprintf("Shut out for good %s: device %s took its place.", x.at(x.is.Since), x.d.ReplacedBy)
	case x.is.State == Revoked:
		return fmt.Sprintf("Shut out for good %s.", x.at(x.is.Since))
	case x.is.State == NeverSeen:
		return fmt.Sprintf("Approved %s and not heard of since: see that the agent runs and reaches the hub.", x.at(x.is.Since))
	case x.seen.Due[0] != (opening{}):
		return x.openings()
	case x.seen.Interval <= 0:
		return x.unexpected()
	}
	return x.saving() + x.expectation() + x.outcome()
}

// unexpected explains a device of which no contact is expected.
func (x *explanation) unexpected() string {
	why := "Its pings are off (" + origin(x.effective.From["ping"]) + "), so no contact is expected"
	if field, interval := x.expects(); interval > 0 {
		why = fmt.Sprintf("No contact was expected by the settings of its last one; from the next on it %s each %s (%s)",
			verb(field), span(interval), origin(x.effective.From[field]))
	}
	if x.is.Connected {
		return why + "; it is connected now."
	}
	return why + "; the last was " + x.at(x.is.LastContact) + "."
}

// expects gives the setting by which contacts are expected now, and how often.
func (x *explanation) expects() (field string, interval time.Duration) {
	s := x.effective.Settings
	s = economy.At(s, x.seen.stage(x.effective))
	interval = expected(s, x.seen.Carrier)
	if command, ok := s.Command.Duration(); ok && x.seen.Carrier == protocol.CarrierHTTPS && command == interval {
		if ping, ok := s.Ping.Duration(); !ok || ping != interval {
			return "command", interval
		}
	}
	return "ping", interval
}

// expectation says how often the device makes contact. Where the settings have changed since its last one it cannot
// know of them yet.
func (x *explanation) expectation() string {
	held := time.Duration(x.seen.Interval) * time.Second
	field, interval := x.expects()
	switch {
	case interval == held:
		return fmt.Sprintf("%s each %s (%s); ", capital(verb(field)), span(held), origin(x.effective.From[field]))
	case interval == 0:
		return fmt.Sprintf("Contact each %s was set at its last one (off from the next on: %s); ", span(held), origin(x.effective.From["ping"]))
	}
	return fmt.Sprintf("Contact each %s was set at its last one (%s from the next on: %s); ",
		span(held), span(interval), origin(x.effective.From[field]))
}

// outcome says how the expectation was met.
func (x *explanation) outcome() string {
	interval := time.Duration(x.seen.Interval) * time.Second
	due := x.is.LastContact.Add(interval + time.Duration(x.seen.Excused)*time.Second)
	grace := max(minGrace, interval/10)
	excuse := ""
	if x.seen.Excused > 0 {
		excuse = " The hub itself was away for " + span(time.Duration(x.seen.Excused)*time.Second) + " of that time, which does not count."
	}
	switch x.is.State {
	case Late:
		return fmt.Sprintf("one was due %s and did not come. Overdue from %s on.%s",
			x.at(due), x.clock(due.Add((overdueAfter-1)*interval+grace)), excuse)
	case Overdue:
		return fmt.Sprintf("the last was %s, and %d or more have not come.%s", x.at(x.is.LastContact), overdueAfter, excuse)
	}
	if x.now.After(due) {
		return fmt.Sprintf("one was due %s, and late only after %s.%s", x.at(due), x.clock(due.Add(grace)), excuse)
	}
	return fmt.Sprintf("one is due by %s.%s", x.clock(due), excuse)
}

func verb(field string) string {
	if field == "command" {
		return "asks for commands"
	}
	return "pings"
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// origin says in a sentence where a setting comes from: see Effective.From.
func origin(from string) string {
	switch from {
	case "device":
		return "set for this device"
	case "hub default":
		return "the hub's default"
	}
	profile, place, ok := strings.Cut(from, " (")
	if !ok {
		return from
	}
	place = strings.TrimSuffix(place, ")")
	if place == "device" {
		place = "this device"
	}
	return profile + " of " + place
}

// at says when something was, with its preposition.
func (x *explanation) at(t time.Time) string {
	if sameDay(t, x.now) {
		return "at " + x.clock(t)
	}
	return "on " + x.clock(t)
}

// clock gives a time in UTC, with its day where that is not today.
func (x *explanation) clock(t time.Time) string {
	layout := "15:04"
	if t.Sub(x.now).Abs() < 10*time.Minute {
		layout = "15:04:05"
	}
	switch {
	case t.UTC().Year() != x.now.UTC().Year():
		layout = "2 January 2006, " + layout
	case !sameDay(t, x.now):
		layout = "2 January, " + layout
	}
	return t.UTC().Format(layout + " UTC")
}

func sameDay(a, b time.Time) bool {
	ay, am, ad := a.UTC().Date()
	by, bm, bd := b.UTC().Date()
	return ay == by && am == bm && ad == bd
}

// span gives a duration in its two largest units: 20 min, 1 h 30 min, 2 d.
func span(d time.Duration) string {
	units := [...]struct {
		name string
		of   time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}}
	var parts []string
	for _, u := range units {
		if n := d / u.of; n > 0 && len(parts) < 2 {
			parts = append(parts, fmt.Sprintf("%d %s", n, u.name))
			d -= n * u.of
		}
	}
	if len(parts) == 0 {
		return "0 s"
	}
	return strings.Join(parts, " ")
}
