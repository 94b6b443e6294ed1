package economy

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/farshore/farshore/internal/cron"
	"github.com/farshore/farshore/protocol"
)

// Bounds of times of contact.
const (
	MinWindow  = 10               // seconds
	MaxWindow  = 7 * 24 * 60 * 60 // seconds
	MaxWindows = 16
	// dailyFor is how long a device is in contact each day after its last pass, where AfterDaily holds.
	dailyFor = 5 * time.Minute
)

// Opening is one time of contact.
type Opening struct {
	Start, End time.Time
	// Bytes that are expected to fit. 0: not known.
	Bytes uint64
}

// Guard is how long before the end of an opening nothing new is begun. When half of it has passed no connection is left,
// so that nothing comes after the end.
func (o Opening) Guard() time.Duration { return min(3*time.Second, o.End.Sub(o.Start)/10) }

// Bounded reports that the opening ends in less than a year.
func (o Opening) Bounded(now time.Time) bool { return o.End.Sub(now) < 365*24*time.Hour }

// Contact is when a link may be used. The zero Contact is always open. It is immutable.
type Contact struct {
	always  bool
	windows []recurring
	passes  []Opening // sorted by start, merged where they overlap
	daily   time.Time // the end of the last pass, where AfterDaily holds after it
	silent  bool
}

type recurring struct {
	times cron.Schedule
	zone  *time.Location
	long  time.Duration
}

// NewContact prepares a rule. What cannot be read of it is left out, and so is what there is too much of, as CheckContact
// has refused it where it was given: each look at the clock goes through all of it. Where nothing is left there is contact
// for five minutes each hour: it costs little, and the rule can be mended.
func NewContact(c *protocol.Contact) Contact {
	if c == nil || len(c.Windows) == 0 && len(c.Passes) == 0 {
		return Contact{always: true}
	}
	var out Contact
	for _, w := range c.Windows[:min(len(c.Windows), MaxWindows)] {
		if r, err := readWindow(w); err == nil {
			out.windows = append(out.windows, r)
		}
	}
	passes := slices.Clone(c.Passes[:min(len(c.Passes), protocol.MaxPasses)])
	slices.SortFunc(passes, func(a, b protocol.Pass) int { return cmp.Compare(a.Start, b.Start) })
	for _, p := range passes {
		o := Opening{Start: time.Unix(p.Start, 0), Bytes: p.Bytes}
		o.End = o.Start.Add(time.Duration(p.Seconds) * time.Second)
		if n := len(out.passes); n > 0 && !o.Start.After(out.passes[n-1].End) {
			last := &out.passes[n-1]
			if o.End.After(last.End) {
				last.End = o.End
			}
			last.Bytes += o.Bytes
			continue
		}
		out.passes = append(out.passes, o)
	}
	if len(out.windows) == 0 && len(out.passes) == 0 {
		if hourly, err := cron.Parse("0 * * * *"); err == nil { // which it is
			out.windows = []recurring{{hourly, time.UTC, dailyFor}}
		}
	}
	if len(out.windows) == 0 && len(out.passes) > 0 {
		switch c.After {
		case protocol.AfterOpen:
			out.passes = append(out.passes, Opening{Start: out.passes[len(out.passes)-1].End, End: farAway})
		case protocol.AfterSilent:
			out.silent = true
		default:
			out.daily = out.passes[len(out.passes)-1].End
		}
	}
	return out
}

func readWindow(w protocol.ContactWindow) (recurring, error) {
	times, err := cron.Parse(w.Start)
	if err != nil {
		return recurring{}, fmt.Errorf("contact window %.40q: %w", w.Start, err)
	}
	zone, err := time.LoadLocation(w.Zone)
	if err != nil || w.Zone == "Local" {
		return recurring{}, fmt.Errorf("contact window %.40q: time zone %.60q is not known here", w.Start, w.Zone)
	}
	if w.Seconds == 0 || w.Seconds > MaxWindow || times.Next(time.Unix(0, 0).UTC()).IsZero() {
		return recurring{}, fmt.Errorf("contact window %.40q of %d s is never open, or too long", w.Start, w.Seconds)
	}
	return recurring{times, zone, time.Duration(w.Seconds) * time.Second}, nil
}

// Unreadable says why times of contact cannot be kept by who was given them, nil if they can.
func Unreadable(c *protocol.Contact) error {
	if c == nil {
		return nil
	}
	for _, w := range c.Windows[:min(len(c.Windows), MaxWindows)] {
		if _, err := readWindow(w); err != nil {
			return err
		}
	}
	return nil
}

var farAway = time.Unix(1<<36, 0)

// Endless reports that an opening has no end.
func Endless(o Opening) bool { return !o.End.Before(farAway) }

// Always reports that the link may be used at any time.
func (c *Contact) Always() bool {
	return c.always || len(c.windows) == 0 && len(c.passes) == 0 && c.daily.IsZero() && !c.silent
}

// Now gives the opening of now, and false outside of any.
func (c *Contact) Now(now time.Time) (Opening, bool) {
	o, ok := c.Next(now)
	return o, ok && !o.Start.After(now)
}

// Next gives the opening of now or else the next one, and false where there is none any more. Openings that overlap
// are one. Where the link may always be used the opening has no end: its End is far away.
func (c *Contact) Next(now time.Time) (Opening, bool) {
	if c.Always() {
		return Opening{Start: now, End: farAway}, true
	}
	first, ok := c.first(now)
	if !ok {
		return Opening{}, false
	}
	// What begins before the first has ended belongs to it. Windows that follow each other without a gap are one for at
	// most a week, so that this ends.
	for range 1000 {
		more, ok := c.covering(first.End)
		if !ok || !more.After(first.End) || first.End.Sub(first.Start) > MaxWindow*time.Second {
			break
		}
		first.End = more
	}
	return first, true
}

// Upcoming gives up to n openings from now on.
func (c *Contact) Upcoming(now time.Time, n int) []Opening {
	var out []Opening
	for len(out) < n {
		o, ok := c.Next(now)
		if !ok {
			break
		}
		out = append(out, o)
		if Endless(o) {
			break
		}
		now = o.End
	}
	return out
}

// first gives the earliest opening that ends after now.
func (c *Contact) first(now time.Time) (best Opening, ok bool) {
	take := func(o Opening) {
		if !ok || o.Start.Before(best.Start) {
			best, ok = o, true
		}
	}
	for _, w := range c.windows {
		if at := w.times.Next(now.In(w.zone).Add(-w.long)); !at.IsZero() {
			take(Opening{Start: at, End: at.Add(w.long)})
		}
	}
	for _, p := range c.passes {
		if p.End.After(now) {
			take(p)
			break
		}
	}
	if !c.daily.IsZero() {
		day := c.daily.Add(24 * time.Hour)
		if behind := now.Sub(day.Add(dailyFor)); behind >= 0 {
			day = day.Add((behind/(24*time.Hour) + 1) * 24 * time.Hour)
		}
		take(Opening{Start: day, End: day.Add(dailyFor)})
	}
	return best, ok
}

// covering gives until when the link may be used at t, by whatever lasts longest.
func (c *Contact) covering(t time.Time) (until time.Time, ok bool) {
	for _, w := range c.windows {
		at := w.times.Next(t.In(w.zone).Add(-w.long))
		if !at.IsZero() && !at.After(t) && at.Add(w.long).After(until) {
			until, ok = at.Add(w.long), true
		}
	}
	for _, p := range c.passes {
		if !p.Start.After(t) && p.End.After(t) && p.End.After(until) {
			until, ok = p.End, true
		}
	}
	return until, ok
}

// CheckContact reports the first thing about times of contact that cannot be kept. now tells what is past.
func CheckContact(c *protocol.Contact, now time.Time) error {
	if c == nil {
		return nil
	}
	if len(c.Windows) > MaxWindows {
		return fmt.Errorf("%d contact windows, at most %d: write several hours or days into one", len(c.Windows), MaxWindows)
	}
	for _, w := range c.Windows {
		times, err := cron.Parse(w.Start)
		if err != nil {
			return fmt.Errorf("contact window: %w", err)
		}
		if times.Next(time.Unix(0, 0).UTC()).IsZero() {
			return fmt.Errorf("contact window %q never opens: there is no such day", w.Start)
		}
		if w.Seconds < MinWindow || w.Seconds > MaxWindow {
			return fmt.Errorf("contact window %q lasts %d s: want %d s to 7 days, a connection must fit into it", w.Start, w.Seconds, MinWindow)
		}
		if _, err := time.LoadLocation(w.Zone); err != nil || w.Zone == "Local" {
			return fmt.Errorf("contact window %q: time zone %.60q is not known here: want a name such as Europe/Oslo", w.Start, w.Zone)
		}
	}
	if len(c.Passes) > protocol.MaxPasses {
		return fmt.Errorf("%d passes, at most %d: give those of the next weeks, and the later ones when these are over", len(c.Passes), protocol.MaxPasses)
	}
	ahead := false
	for _, p := range c.Passes {
		at := time.Unix(p.Start, 0).UTC().Format("2006-01-02 15:04")
		if p.Seconds < MinWindow || p.Seconds > MaxWindow {
			return fmt.Errorf("the pass of %s lasts %d s: want %d s to 7 days", at, p.Seconds, MinWindow)
		}
		if p.Start < 0 || p.Start > now.Add(3*366*24*time.Hour).Unix() {
			return fmt.Errorf("the pass of %s is more than three years ahead: are its times in seconds?", at)
		}
		ahead = ahead || p.Start+int64(p.Seconds) > now.Unix()
	}
	if len(c.Passes) > 0 && !ahead {
		return fmt.Errorf("all %d passes are over: give a table of passes to come", len(c.Passes))
	}
	return nil
}

// TableEndsSoon is how long before the last pass people are warned.
const TableEndsSoon = 7 * 24 * time.Hour

// AfterWords says what holds after the last pass, as a sentence.
func AfterWords(a protocol.AfterPasses) string {
	switch a {
	case protocol.AfterOpen:
		return "after it the device may be in contact at any time."
	case protocol.AfterSilent:
		return "after it the device is silent until somebody at the device opens contact."
	}
	return "after it the device is in contact five minutes a day."
}
