package stacks

import (
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/protocol"
)

func TestWindowsOpenInTheZoneOfTheDevice(t *testing.T) {
	night := []protocol.ChangeWindow{{Start: "0 2 * * *", Minutes: 120}}
	oslo := Zoned(night, map[string]string{ZoneLabel: "Europe.Oslo"})
	for at, want := range map[string]struct {
		open        bool
		until, next string
	}{
		"2026-01-10T01:30:00Z": {open: true, until: "2026-01-10T03:00:00Z"},
		"2026-01-10T00:59:00Z": {next: "2026-01-10T01:00:00Z"},
		"2026-01-10T03:00:00Z": {next: "2026-01-11T01:00:00Z"},
		"2026-07-10T00:30:00Z": {open: true, until: "2026-07-10T02:00:00Z"}, // summer time
	} {
		now, _ := time.Parse(time.RFC3339, at)
		until, next, open := WindowAt(oslo, now)
		text := func(x time.Time) string {
			if x.IsZero() {
				return ""
			}
			return x.UTC().Format(time.RFC3339)
		}
		if open != want.open || text(until) != want.until || text(next) != want.next {
			t.Errorf("at %s: open %v until %s next %s, want %+v", at, open, text(until), text(next), want)
		}
	}
	if z := Zoned(night, map[string]string{ZoneLabel: "no.such.zone"})[0].Zone; z != "UTC" {
		t.Errorf("a label that names no zone: %q", z)
	}
	if z := Zoned([]protocol.ChangeWindow{{Zone: "Asia/Tokyo"}}, map[string]string{ZoneLabel: "Europe.Oslo"})[0].Zone; z != "Asia/Tokyo" {
		t.Errorf("a window that names its zone: %q", z)
	}
	if _, _, open := WindowAt(nil, time.Now()); !open {
		t.Error("without windows a device may be changed at any time")
	}
	if _, _, open := WindowAt([]protocol.ChangeWindow{{Start: "* * * * *", Minutes: 5, Zone: "Mars/Base"}}, time.Now()); open {
		t.Error("a window in a zone that is not known here is open")
	}
}

func TestWindowsThatCannotBeKept(t *testing.T) {
	for want, w := range map[string]protocol.ChangeWindow{
		"want five":       {Start: "2 am", Minutes: 1},
		"never opens":     {Start: "0 2 30 2 *", Minutes: 1},
		"lasts 0 minutes": {Start: "0 2 * * *"},
		"Mars/Base":       {Start: "0 2 * * *", Minutes: 5, Zone: "Mars/Base"},
	} {
		if err := CheckWindows([]protocol.ChangeWindow{w}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	if err := CheckWindows(make([]protocol.ChangeWindow, MaxWindows+1)); err == nil {
		t.Error("more windows than may be")
	}
}
