package stacks

import (
	"fmt"
	"time"

	"github.com/farshore/farshore/internal/cron"
	"github.com/farshore/farshore/internal/zones"
	"github.com/farshore/farshore/protocol"
)

// ZoneLabel is the label by which people say in which time zone a device is.
const ZoneLabel = zones.Label

// Bounds of change windows.
const (
	maxWindow = 7 * 24 * 60 // minutes
	// MaxWindows is the most windows of one rule.
	MaxWindows = 16
)

// CheckWindows reports the first thing about change windows that cannot be kept.
func CheckWindows(windows []protocol.ChangeWindow) error {
	if len(windows) > MaxWindows {
		return fmt.Errorf("%d change windows, at most %d: write several days or hours into one", len(windows), MaxWindows)
	}
	for _, w := range windows {
		times, err := cron.Parse(w.Start)
		if err != nil {
			return fmt.Errorf("change window: %w", err)
		}
		if times.Next(time.Unix(0, 0).UTC()).IsZero() {
			return fmt.Errorf("change window %q never opens: there is no such day", w.Start)
		}
		if w.Minutes < 1 || w.Minutes > maxWindow {
			return fmt.Errorf("change window %q lasts %d minutes: want 1 to %d", w.Start, w.Minutes, maxWindow)
		}
		if _, err := time.LoadLocation(w.Zone); err != nil {
			return fmt.Errorf("change window %q: time zone %.60q is not known here: want a name such as Europe/Oslo", w.Start, w.Zone)
		}
	}
	return nil
}

// Zoned gives the windows with the time zone of a device with these labels, where they name none: that of ZoneLabel,
// else UTC.
func Zoned(windows []protocol.ChangeWindow, labels map[string]string) []protocol.ChangeWindow {
	if len(windows) == 0 {
		return nil
	}
	own := zones.Of(labels)
	out := make([]protocol.ChangeWindow, len(windows))
	for i, w := range windows {
		if out[i] = w; w.Zone == "" {
			out[i].Zone = own
		}
	}
	return out
}

// WindowAt reports until when a device may be changed at now (the zero time: for ever), or else when it may. The windows
// name their zones, see Zoned; one that cannot be read here is never open.
func WindowAt(windows []protocol.ChangeWindow, now time.Time) (until, next time.Time, open bool) {
	for _, w := range windows {
		end, opens := windowOpen(w, now)
		if !end.IsZero() && end.After(until) {
			until = end
		}
		if !opens.IsZero() && (next.IsZero() || opens.Before(next)) {
			next = opens
		}
	}
	return until, next, len(windows) == 0 || !until.IsZero()
}

func windowOpen(w protocol.ChangeWindow, now time.Time) (until, next time.Time) {
	zone, err := time.LoadLocation(w.Zone)
	if err != nil {
		return time.Time{}, time.Time{}
	}
	times, err := cron.Parse(w.Start)
	if err != nil {
		return time.Time{}, time.Time{}
	}
	long := time.Duration(w.Minutes) * time.Minute
	if began := times.Next(now.In(zone).Add(-long)); !began.IsZero() && !began.After(now) {
		return began.Add(long), time.Time{}
	}
	return time.Time{}, times.Next(now.In(zone))
}
