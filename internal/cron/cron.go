// Package cron reads times as cron writes them: five fields for minute, hour, day of month, month and day of week, such as
// "0 2 * * 6,7". Each is *, a number, a range, a list of those, or one of those with a step; months and days of the week
// have names too (jan, mon), and whole times: @hourly, @daily, @weekly, @monthly, @yearly.
//
// It keeps no state and starts nothing: it only computes. Where both days are limited, either will do, as in cron.
//
// Where clocks change, a time that is left out is the first moment after the gap, and one that comes twice is the first of
// the two. A schedule of all hours goes by what passes, not by what clocks show: every five minutes stays every five.
package cron

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrInvalid is wrapped by every error about a text.
var ErrInvalid = errors.New("not a cron time")

// Schedule is a set of minutes. It is immutable; the zero value is never.
type Schedule struct {
	minutes, hours, days, months, weekdays uint64 // bit n: n is in it
	anyDay, anyWeekday                     bool
}

// field is one of the five.
type field struct {
	name        string
	first, last int
	names       []string // of first and those that follow
}

var (
	months   = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	fields   = [5]field{{"minute", 0, 59, nil}, {"hour", 0, 23, nil}, {"day of month", 1, 31, nil}, {"month", 1, 12, months}, {"day of week", 0, 7, weekdays}}
	whole    = map[string]string{
		"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
		"@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
	}
)

// Parse reads five fields, or a name. Errors wrap ErrInvalid and name the field.
func Parse(text string) (Schedule, error) {
	fail := func(format string, args ...any) (Schedule, error) {
		return Schedule{}, fmt.Errorf("%.60q: %w: %s", text, ErrInvalid, fmt.Sprintf(format, args...))
	}
	if len(text) > 200 {
		return fail("it has %d characters, at most 200", len(text))
	}
	long := text
	if name := strings.ToLower(strings.TrimSpace(text)); strings.HasPrefix(name, "@") {
		if long = whole[name]; long == "" {
			return fail("there is no such name: use @hourly, @daily, @weekly, @monthly, @yearly, or five fields")
		}
	}
	parts := strings.Fields(long)
	if len(parts) != 5 {
		return fail("it has %d fields: want five: minute, hour, day of month, month, day of week, such as \"0 2 * * 6,7\"", len(parts))
	}
	var s Schedule
	for i, into := range []*uint64{&s.minutes, &s.hours, &s.days, &s.months, &s.weekdays} {
		f := fields[i]
		for part := range strings.SplitSeq(parts[i], ",") {
			set, why := f.parse(part)
			if why != "" {
				return fail("field %d (%s): %s: use *, %s, a range such as %d-%d, a list with commas, or a step such as */2",
					i+1, f.name, why, f.wants(), f.first, f.last)
			}
			*into |= set
		}
	}
	if s.weekdays&(1<<7) != 0 { // Sunday has two numbers
		s.weekdays |= 1
	}
	s.anyDay, s.anyWeekday = parts[2] == "*", parts[4] == "*"
	return s, nil
}

func (f field) wants() string {
	if f.names == nil {
		return fmt.Sprintf("a number from %d to %d", f.first, f.last)
	}
	return fmt.Sprintf("a number from %d to %d, a name such as %s", f.first, f.last, f.names[1])
}

// number reads a number of the field, or a name, or says why it is none.
func (f field) number(text string) (n int, why string) {
	if i := slices.Index(f.names, strings.ToLower(text)); i >= 0 {
		return f.first + i, ""
	}
	if text == "" {
		return 0, "a number is missing"
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, fmt.Sprintf("%.20q is no number", text)
		}
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil || n > f.last:
		return 0, fmt.Sprintf("%.20s is beyond %d", text, f.last)
	case n < f.first:
		return 0, fmt.Sprintf("%.20s is below %d", text, f.first)
	}
	return n, ""
}

// parse reads one of the values of the field, or says why it is none.
func (f field) parse(part string) (set uint64, why string) {
	span, stepText, hasStep := strings.Cut(part, "/")
	step := 1
	if hasStep {
		var err error
		if step, err = strconv.Atoi(stepText); err != nil || step < 1 || step > f.last {
			return 0, fmt.Sprintf("the step %.20q is no number from 1 to %d", stepText, f.last)
		}
	}
	first, last := f.first, f.last
	if span != "*" {
		fromText, toText, isRange := strings.Cut(span, "-")
		if first, why = f.number(fromText); why != "" {
			return 0, why
		}
		switch {
		case isRange:
			if last, why = f.number(toText); why != "" {
				return 0, why
			}
			if last < first {
				return 0, fmt.Sprintf("the range %.20s ends before it begins", span)
			}
		case !hasStep:
			last = first
		}
	}
	for n := first; n <= last; n += step {
		set |= 1 << n
	}
	return set, ""
}

const allHours = 1<<24 - 1

// Next gives the first moment of the schedule after t, in t's time zone. The zero time: there is none within nine years.
func (s Schedule) Next(t time.Time) time.Time {
	if s.minutes == 0 {
		return time.Time{}
	}
	for y, m, d := t.Date(); ; d++ {
		day := time.Date(y, m, d, 12, 0, 0, 0, t.Location())
		if day.Sub(t) > 9*366*24*time.Hour {
			return time.Time{}
		}
		if !s.on(day) {
			continue
		}
		at := s.byClocks
		if s.hours == allHours {
			at = s.byTime
		}
		if next := at(day, t); !next.IsZero() {
			return next
		}
	}
}

// byClocks gives the first moment of a day after t, by what clocks show.
func (s Schedule) byClocks(day, t time.Time) time.Time {
	y, m, d := day.Date()
	hours, first := s.hours, -1
	if ty, tm, td := t.Date(); ty == y && tm == m && td == d { // what clocks show before what they show at t was before t
		first = t.Hour()
		hours &^= 1<<first - 1
	}
	for ; hours != 0; hours &= hours - 1 {
		hour, minutes := bits.TrailingZeros64(hours), s.minutes
		if hour == first {
			minutes &^= 1<<t.Minute() - 1
		}
		for ; minutes != 0; minutes &= minutes - 1 {
			at := moment(time.Date(y, m, d, hour, bits.TrailingZeros64(minutes), 0, 0, time.UTC), t.Location())
			if at.After(t) {
				return at
			}
		}
	}
	return time.Time{}
}

// byTime gives the first moment of a day after t at which clocks show one of the minutes.
func (s Schedule) byTime(day, t time.Time) time.Time {
	y, m, d := day.Date()
	at := moment(time.Date(y, m, d, 0, 0, 0, 0, time.UTC), t.Location())
	if t.After(at) {
		at = t.Truncate(time.Minute)
	}
	for ; ; at = at.Add(time.Minute) {
		if _, _, now := at.Date(); now != d {
			return time.Time{}
		}
		if at.After(t) && s.minutes&(1<<at.Minute()) != 0 {
			return at
		}
	}
}

// moment is when clocks in a zone show what clock shows in UTC: the first time where they do so twice, and the first
// moment after it where they leave it out.
func moment(clock time.Time, zone *time.Location) time.Time {
	y, m, d := clock.Date()
	at := time.Date(y, m, d, clock.Hour(), clock.Minute(), 0, 0, zone)
	start, end := at.ZoneBounds()
	_, offset := at.Zone()
	switch shown := at.Unix() + int64(offset); {
	case shown > clock.Unix():
		return start
	case shown < clock.Unix():
		return end
	}
	if start.IsZero() {
		return at
	}
	_, before := start.Add(-time.Second).Zone()
	if first := at.Add(time.Duration(offset-before) * time.Second); first.Before(start) {
		return first
	}
	return at
}

// on reports whether the schedule has minutes on that day.
func (s Schedule) on(day time.Time) bool {
	if s.months&(1<<day.Month()) == 0 {
		return false
	}
	monthDay, weekDay := s.days&(1<<day.Day()) != 0, s.weekdays&(1<<day.Weekday()) != 0
	if s.anyDay || s.anyWeekday {
		return monthDay && weekDay
	}
	return monthDay || weekDay
}
