package cron

import (
	"math/bits"
	"time"
)

// Many moments at once. On a day far from a change of clocks there are as many as hours times minutes; the others are
// walked through.

// Count is how many moments of the schedule there are after a moment, up to and with another. Its work is by the day, not by
// the moment.
func (s Schedule) Count(after, to time.Time) (n uint64) {
	to = to.In(after.Location())
	for from := after.Add(1); from.Before(to) || from.Equal(to); {
		day := s.dayOf(from)
		stop := day.end
		if !stop.After(from) { // a day that clocks leave out
			stop = from.Add(time.Hour)
		}
		switch {
		case day.plain && from.Equal(day.start) && !stop.After(to):
			n += s.aDay(day)
		case stop.After(to):
			n += uint64(len(s.walk(from, to.Add(1))))
		default:
			n += uint64(len(s.walk(from, stop)))
		}
		from = stop
	}
	return n
}

// Newest gives the last n moments, or fewer, after a moment, up to and with another.
func (s Schedule) Newest(after, to time.Time, n int) []time.Time {
	least, end := after.Add(1), to.In(after.Location()).Add(1)
	from, have := end, 0
	for have < n && least.Before(from) {
		day := s.dayOf(from.Add(-1))
		start := day.start
		if !start.Before(from) {
			start = from.Add(-time.Hour)
		}
		if start.Before(least) {
			start = least
		}
		if day.plain && start.Equal(day.start) && from.Equal(day.end) {
			have += int(s.aDay(day))
		} else {
			have += len(s.walk(start, from))
		}
		from = start
	}
	out := s.walk(from, end)
	return out[max(0, len(out)-n):]
}

// walk gives the moments from one on, before another.
func (s Schedule) walk(from, end time.Time) (out []time.Time) {
	for next := s.Next(from.Add(-1)); !next.IsZero() && next.Before(end); next = s.Next(next) {
		out = append(out, next)
	}
	return out
}

// span is a day of a zone. Plain: clocks change neither on it nor shortly before or after.
type span struct {
	noon, start, end time.Time
	plain            bool
}

func (Schedule) dayOf(t time.Time) span {
	y, m, d := t.Date()
	at := func(d, hour int) time.Time { return time.Date(y, m, d, hour, 0, 0, 0, t.Location()) }
	day := span{noon: at(d, 12), start: at(d, 0), end: at(d+1, 0)}
	since, until := day.noon.ZoneBounds()
	const around = 36 * time.Hour
	day.plain = !since.After(day.noon.Add(-around)) && (until.IsZero() || !until.Before(day.noon.Add(around)))
	return day
}

// aDay is how many moments a plain day has.
func (s Schedule) aDay(day span) uint64 {
	if !s.on(day.noon) {
		return 0
	}
	return uint64(bits.OnesCount64(s.hours) * bits.OnesCount64(s.minutes))
}

// Shift is a change of clocks that meets a schedule.
type Shift struct {
	// At is when clocks change.
	At time.Time
	// Clock is the first time of the schedule, as clocks show it, that they leave out or show twice.
	Clock time.Time
	// Twice: they show it twice. Else they leave it out.
	Twice bool
}

// Shifts gives the changes of clocks that meet the schedule, after a moment and up to another, in the first one's time zone.
func (s Schedule) Shifts(after, to time.Time) (out []Shift) {
	if s.hours == allHours {
		return nil // it goes by what passes
	}
	for t := after; ; {
		_, change := t.ZoneBounds()
		if !change.IsZero() && !change.After(t) { // package time says so on the last day of a leap year, where nothing changes
			t = t.Add(24 * time.Hour)
			continue
		}
		if change.IsZero() || change.After(to) {
			return out
		}
		t = change.In(after.Location())
		_, now := t.Zone()
		_, before := t.Add(-time.Second).Zone()
		if now == before {
			continue
		}
		first, end := shown(change, min(before, now)), shown(change, max(before, now))
		if clock := s.Next(first.Add(-1)); !clock.IsZero() && clock.Before(end) { // in UTC nothing changes
			out = append(out, Shift{At: t, Clock: clock, Twice: now < before})
		}
	}
}

// shown is what clocks show at a moment by an offset, as a time in UTC.
func shown(t time.Time, offset int) time.Time {
	return t.Add(time.Duration(offset) * time.Second).UTC()
}
