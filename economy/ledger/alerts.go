package ledger

import (
	"fmt"
	"slices"
	"time"

	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
)

// AlertKind is what an alert is about. Kinds are stable words.
type AlertKind string

// Kinds of alerts, and of notices.
const (
	SoftCap   AlertKind = "soft-cap"  // it is reached
	HardCap   AlertKind = "hard-cap"  // it is reached
	Projected AlertKind = "projected" // the cycle will end above a cap
	Unusual   AlertKind = "unusual"   // today a class costs far more than on other days
	// Staged is a notice alone: the device is at another stage of spending.
	Staged AlertKind = "stage"
	// Many is a notice alone: more devices have alerts than are told of one by one.
	Many AlertKind = "more-alerts"
)

// Alert is something about a device that is worth a warning.
type Alert struct {
	Kind AlertKind `cbor:"1,keyasint"`
	// Class of unusual use.
	Class protocol.Class `cbor:"2,keyasint,omitempty"`
	// Period is the cycle or the day that it is about, by its first day: it is told once in that.
	Period uint32 `cbor:"3,keyasint"`
	// Since when it holds, in Unix seconds.
	Since int64 `cbor:"4,keyasint"`
	// Over: it does not hold any more.
	Over bool `cbor:"5,keyasint,omitempty"`
	// Text is a sentence for people.
	Text string `cbor:"6,keyasint"`
}

// Notice tells of an alert, or of another stage of spending.
type Notice struct {
	Device protocol.DeviceID
	Kind   AlertKind
	Text   string
}

// When use is unusual: so many times the usual day, and so many bytes.
const (
	unusualTimes = 3
	unusualLeast = 100_000
	unusualAfter = 3 // full days that are known
)

// maxNotices is how many devices are told of one by one at a time, so that a change of a large fleet's profile does not
// push all else out of the stream of events.
const maxNotices = 100

// state says whether an alert is to begin or may go on, so that one does not come and go at its edge.
type state struct{ begins, stays bool }

// over is the state of a value above a limit, which has to fall a twentieth below it to be over.
func over(v, limit uint64) state {
	if limit == 0 {
		return state{}
	}
	return state{v >= limit, v >= limit-limit/20}
}

// warn brings the alerts of a device in step with its figures, and gives those that have come and were not told yet.
func (a *account) warn(id protocol.DeviceID, f *Figures, today uint32, counts meter.Counts, now time.Time) (notices []Notice) {
	before := slices.Clone(a.Alerts)
	a.Alerts = slices.DeleteFunc(a.Alerts, func(x Alert) bool {
		if x.Kind == Unusual {
			return x.Period != today
		}
		return x.Period != f.Cycle.First
	})
	set := func(x Alert, s state) {
		if text := a.set(x, s, now); text != "" {
			notices = append(notices, Notice{Device: id, Kind: x.Kind, Text: text})
		}
	}
	cycle := f.Cycle.First
	set(Alert{Kind: SoftCap, Period: cycle, Text: fmt.Sprintf("the soft cap of %s is reached: %s are spent, and the device saves",
		amount(f.Caps.Soft), amount(f.Spent))}, over(f.Spent, f.Caps.Soft))
	set(Alert{Kind: HardCap, Period: cycle, Text: fmt.Sprintf("the hard cap of %s is reached: the device is silent until the cycle ends on %s or the cap is lifted",
		amount(f.Caps.Hard), f.Cycle.End().Format(time.DateOnly))}, over(f.Spent, f.Caps.Hard))
	set(projected(f))
	for class, b := range counts {
		s := state{}
		used, usual := b.Up+b.Down, a.past.usual[class]
		if a.past.full >= unusualAfter {
			s.begins = used >= max(unusualTimes*usual, unusualLeast)
			s.stays = s.begins
		}
		set(Alert{Kind: Unusual, Class: protocol.Class(class), Period: today, Text: unusual(protocol.Class(class), used, usual)}, s)
	}
	for _, x := range a.Alerts {
		if !x.Over {
			f.Alerts = append(f.Alerts, x)
		}
	}
	if !slices.Equal(before, a.Alerts) {
		a.edition++
	}
	return notices
}

// set lets an alert begin, stay or end. Where it is told for the first time in its period it gives the text.
func (a *account) set(x Alert, s state, now time.Time) string {
	i := slices.IndexFunc(a.Alerts, func(y Alert) bool { return y.Kind == x.Kind && y.Class == x.Class })
	if i < 0 {
		if !s.begins {
			return ""
		}
		x.Since = now.Unix()
		a.Alerts = append(a.Alerts, x)
		return x.Text
	}
	there := &a.Alerts[i]
	switch {
	case !there.Over && !s.stays:
		there.Over = true
	case there.Over && s.begins:
		there.Over, there.Since, there.Text = false, now.Unix(), x.Text
	}
	return ""
}

// projected is the alert of a cycle that will end above a cap; the hard one counts before the soft.
func projected(f *Figures) (Alert, state) {
	x := Alert{Kind: Projected, Period: f.Cycle.First}
	if !f.Known {
		return x, state{}
	}
	limit, name := f.Caps.Hard, "hard"
	if limit == 0 || f.Projected < limit-limit/20 && f.Caps.Soft != 0 {
		limit, name = f.Caps.Soft, "soft"
	}
	x.Text = fmt.Sprintf("by the use of the last days the cycle ends on %s with %s, above the %s cap of %s",
		f.Cycle.End().Format(time.DateOnly), amount(f.Projected), name, amount(limit))
	s := over(f.Projected, limit)
	s.begins = s.begins && f.Projected > limit
	return x, s
}

func unusual(class protocol.Class, used, usual uint64) string {
	if usual == 0 {
		return fmt.Sprintf("class %s has cost %s today, and usually costs nothing", class, amount(used))
	}
	return fmt.Sprintf("class %s has cost %s today, %d times its usual day of %s", class, amount(used), used/usual, amount(usual))
}

// staged tells of another stage of spending.
func staged(id protocol.DeviceID, was, is protocol.Spending) Notice {
	text := map[protocol.Spending]string{
		protocol.SpendingFree:   "it spends freely again",
		protocol.SpendingSaving: "it saves: intervals are longer, and output waits",
		protocol.SpendingLast:   "near the hard cap: it sends results and urgent work only",
		protocol.SpendingSilent: "at the hard cap: it is silent",
	}[is]
	return Notice{Device: id, Kind: Staged, Text: fmt.Sprintf("stage of spending %s, was %s: %s", is, was, text)}
}

// bounded cuts notices down to maxNotices, and says how many more there are.
func bounded(notices []Notice) []Notice {
	if len(notices) <= maxNotices {
		return notices
	}
	more := len(notices) - maxNotices
	return append(notices[:maxNotices:maxNotices], Notice{
		Kind: Many, Text: fmt.Sprintf("%d more alerts about what devices spend: see the list of usage", more),
	})
}

// amount gives bytes as people say them.
func amount(n uint64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}
