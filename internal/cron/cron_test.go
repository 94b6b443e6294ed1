package cron_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/internal/cron"
)

func TestNext(t *testing.T) {
	oslo, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04", text, oslo)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct{ cron, from, want string }{
		{"0 2 * * *", "2026-01-31 02:00", "2026-02-01 02:00"},
		{"*/15 8-9 * * 1-5", "2026-11-20 09:45", "2026-11-23 08:00"}, // Friday to Monday
		{"30 23 31 * *", "2026-02-01 00:00", "2026-03-31 23:30"},
		{"0 0 1 * 7", "2026-11-23 00:00", "2026-11-29 00:00"}, // the first of a month, or a Sunday
		{"0 0 29 2 *", "2026-01-01 00:00", "2028-02-29 00:00"},
		{"5,10/20 4 * 12 *", "2026-11-22 00:00", "2026-12-01 04:05"},
		{"30 2 * * *", "2026-03-28 12:00", "2026-03-29 03:00"}, // the clocks go forward at 2
		{"30 2 * * *", "2026-03-29 03:00", "2026-03-30 02:30"},
		{"0 4 * jan-mar,DEC mon-fri", "2026-11-22 00:00", "2026-12-01 04:00"},
		{"@weekly", "2026-11-22 00:00", "2026-11-29 00:00"},
		{"@Monthly", "2026-11-22 00:00", "2026-12-01 00:00"},
	} {
		s, err := cron.Parse(c.cron)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Next(at(c.from)); !got.Equal(at(c.want)) {
			t.Errorf("%q after %s is %s, want %s", c.cron, c.from, got, c.want)
		}
	}
	if s, err := cron.Parse("0 0 31 2 *"); err != nil || !s.Next(at("2026-01-01 00:00")).IsZero() {
		t.Errorf("a day that never comes: %v", err)
	}
}

func TestTextsThatAreNone(t *testing.T) {
	for _, text := range []string{"", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "5-1 * * * *", "*/0 * * * *", "a * * * *", ",* * * * *", "@never", "+5 * * * *", "* * * * monday", "jan * * * *", "0 0 1-jan * *"} {
		if _, err := cron.Parse(text); !errors.Is(err, cron.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Minute by minute around each change of clocks: by an hour, by half of one, in the south, and at midnight.
func TestNextIsWhatAClockShows(t *testing.T) {
	for _, zone := range []string{"Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "America/Santiago"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"30 2 * * *", "*/20 1-3 * * *", "0 0 * * *", "15,45 0-2,23 * * 6,0", "*/7 * * * *"} {
			changes := 0
			_, change := time.Date(2026, 1, 1, 0, 0, 0, 0, loc).ZoneBounds()
			for ; change.Year() == 2026; _, change = change.ZoneBounds() {
				followClock(t, text, change.In(loc))
				changes++
			}
			if changes != 2 {
				t.Fatalf("%s changes its clocks %d times", zone, changes)
			}
		}
	}
}

// followClock compares Next with a clock, around a change of it. What its hands skip happens when they stand again, what they
// show twice happens once, unless the hour does not matter.
func followClock(t *testing.T, text string, change time.Time) {
	t.Helper()
	times, err := cron.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	in := func(clock time.Time) bool { return times.Next(clock.Add(-time.Minute)).Equal(clock) } // in UTC, where nothing changes
	hands := func(at time.Time) time.Time {
		_, offset := at.Zone()
		return at.Add(time.Duration(offset) * time.Second).UTC()
	}
	anyHour := strings.Fields(text)[1] == "*"
	from := change.Add(-50 * time.Hour).Truncate(time.Minute)
	next, last, seen := times.Next(from), hands(from), map[time.Time]bool{}
	for at := from.Add(time.Minute); at.Before(change.Add(50 * time.Hour)); at = at.Add(time.Minute) {
		now, fires := hands(at), false
		for skipped := last.Add(time.Minute); skipped.Before(now) && !anyHour; skipped = skipped.Add(time.Minute) {
			fires = fires || in(skipped)
		}
		fires = fires || in(now) && (anyHour || !seen[now])
		seen[now], last = true, now
		if fires != next.Equal(at) {
			t.Fatalf("%s: the next time is %s; that it is now is %v, at %s", text, next, fires, at)
		}
		if fires {
			next = times.Next(at)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("0 2 * * 6,7")
	f.Add("*/5 1-3/2 * 2 1")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := cron.Parse(text)
		if err != nil {
			return
		}
		from := time.Unix(1_760_000_000, 0).UTC() // UTC has no changes of clocks
		if next := s.Next(from); !next.IsZero() && (!next.After(from) || next.Second() != 0) {
			t.Errorf("%q after %s is %s", text, from, next)
		}
	})
}

func TestErrorsNameTheField(t *testing.T) {
	const use = ": use *, a number from 0 to 23, a range such as 0-23, a list with commas, or a step such as */2"
	for text, want := range map[string]string{
		"0 25 * * *":   `"0 25 * * *": not a cron time: field 2 (hour): 25 is beyond 23` + use,
		"0 5-1 * * *":  `"0 5-1 * * *": not a cron time: field 2 (hour): the range 5-1 ends before it begins` + use,
		"0 */0 * * *":  `"0 */0 * * *": not a cron time: field 2 (hour): the step "0" is no number from 1 to 23` + use,
		"0 1, * * *":   `"0 1, * * *": not a cron time: field 2 (hour): a number is missing` + use,
		"0 -5 * * *":   `"0 -5 * * *": not a cron time: field 2 (hour): a number is missing` + use,
		"0 two * * *":  `"0 two * * *": not a cron time: field 2 (hour): "two" is no number` + use,
		"x * * * *":    `"x * * * *": not a cron time: field 1 (minute): "x" is no number: use *, a number from 0 to 59, a range such as 0-59, a list with commas, or a step such as */2`,
		"0 0 0 * *":    `"0 0 0 * *": not a cron time: field 3 (day of month): 0 is below 1: use *, a number from 1 to 31, a range such as 1-31, a list with commas, or a step such as */2`,
		"0 0 * 13 *":   `"0 0 * 13 *": not a cron time: field 4 (month): 13 is beyond 12: use *, a number from 1 to 12, a name such as feb, a range such as 1-12, a list with commas, or a step such as */2`,
		"0 0 * * 8":    `"0 0 * * 8": not a cron time: field 5 (day of week): 8 is beyond 7: use *, a number from 0 to 7, a name such as mon, a range such as 0-7, a list with commas, or a step such as */2`,
		"0 0 * *":      `"0 0 * *": not a cron time: it has 4 fields: want five: minute, hour, day of month, month, day of week, such as "0 2 * * 6,7"`,
		"@fortnightly": `"@fortnightly": not a cron time: there is no such name: use @hourly, @daily, @weekly, @monthly, @yearly, or five fields`,
	} {
		if _, err := cron.Parse(text); err == nil || err.Error() != want {
			t.Errorf("%q:\n%v, want\n%s", text, err, want)
		}
	}
}
