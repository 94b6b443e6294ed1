// Package cron reads times as cron writes them: five fields for minute, hour, day of month, month and day of week, such as
// "0 2 * * 6,7". Each is *, a number, a range, a list of those, or one of those with a step.
//
// It keeps no state and starts nothing: it only computes. Where both days are limited, either will do, as in cron.
package cron

import (
	"errors"
	"fmt"
	"math/bits"
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

// Parse reads five fields. Errors wrap ErrInvalid and name the field.
func Parse(text string) (Schedule, error) {
	fields := strings.Fields(text)
	if len(fields) != 5 || len(text) > 200 {
		return Schedule{}, fmt.Errorf("%.60q: %w: want five fields: minute, hour, day of month, month, day of week, such as \"0 2 * * 6,7\"", text, ErrInvalid)
	}
	var s Schedule
	for i, f := range []struct {
		name        string
		first, last int
		into        *uint64
	}{
		{"minute", 0, 59, &s.minutes},
		{"hour", 0, 23, &s.hours},
		{"day of month", 1, 31, &s.days},
		{"month", 1, 12, &s.months},
		{"day of week", 0, 7, &s.weekdays},
	} {
		for part := range strings.SplitSeq(fields[i], ",") {
			set, ok := parsePart(part, f.first, f.last)
			if !ok {
				return Schedule{}, fmt.Errorf("%.60q: %w: %s %.20q: want *, a number from %d to %d, a range such as %d-%d, or a step such as */%d",
					text, ErrInvalid, f.name, part, f.first, f.last, f.first, f.last, 2)
			}
			*f.into |= set
		}
	}
	if s.weekdays&(1<<7) != 0 { // Sunday has two numbers
		s.weekdays |= 1
	}
	s.anyDay, s.anyWeekday = fields[2] == "*", fields[4] == "*"
	return s, nil
}

func parsePart(part string, first, last int) (uint64, bool) {
	span, stepText, hasStep := strings.Cut(part, "/")
	step := 1
	if hasStep {
		var err error
		if step, err = strconv.Atoi(stepText); err != nil || step < 1 || step > last {
			return 0, false
		}
	}
	if span != "*" {
		fromText, toText, isRange := strings.Cut(span, "-")
		from, err := strconv.Atoi(fromText)
		if err != nil || from < first || from > last {
			return 0, false
		}
		first = from
		switch {
		case isRange:
			to, err := strconv.Atoi(toText)
			if err != nil || to < from || to > last {
				return 0, false
			}
			last = to
		case !hasStep:
			last = from
		}
	}
	var set uint64
	for n := first; n <= last; n += step {
		set |= 1 << n
	}
	return set, true
}

// Next gives the first minute of the schedule after t, in t's time zone. A time that a change of clocks leaves out is the
// one that the clocks then show. The zero time: there is none within nine years.
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
		for hours := s.hours; hours != 0; hours &= hours - 1 {
			for minutes := s.minutes; minutes != 0; minutes &= minutes - 1 {
				at := time.Date(y, m, d, bits.TrailingZeros64(hours), bits.TrailingZeros64(minutes), 0, 0, t.Location())
				if at.After(t) {
					return at
				}
			}
		}
	}
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
