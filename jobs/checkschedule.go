package jobs

import (
	"fmt"
	"time"

	"github.com/farshore/farshore/protocol"
)

// CheckSchedule says what is wrong with a schedule: the first fault found, as a FieldError. Zone is as in Version. A time
// that is over is no fault.
func CheckSchedule(s protocol.JobSchedule, zone string) error {
	switch {
	case s.Cron != "" && s.At != 0:
		return bad("schedule.at", "it goes by cron already: leave out one of the two")
	case s.At < 0 || s.At > lastMoment:
		return bad("schedule.at", "it is no time from 1970 to 9999: give one to come")
	case s.Start < 0 || s.Start > lastMoment:
		return bad("schedule.start", "it is no time from 1970 to 9999: correct it, or leave it out")
	case s.End < 0 || s.End > lastMoment:
		return bad("schedule.end", "it is no time from 1970 to 9999: correct it, or leave it out")
	case s.Jitter > MaxJitter:
		return bad("schedule.jitter_seconds", "%d is more than 7 days: use at most %d", s.Jitter, MaxJitter)
	case s.Start != 0 && s.End != 0 && s.End < s.Start:
		return bad("schedule.end", "%s is before the start, %s: give a later one", day(s.End), day(s.Start))
	case s.At != 0 && s.Start != 0 && s.At < s.Start:
		return bad("schedule.at", "%s is before the start, %s, so it would never run: leave the start out, or give a later time", day(s.At), day(s.Start))
	case s.At != 0 && s.End != 0 && s.At > s.End:
		return bad("schedule.at", "%s is after the end, %s, so it would never run: leave the end out, or give an earlier time", day(s.At), day(s.End))
	case s.Cron == "":
		return nil
	}
	s.Zone = zone
	if zone == ZoneHub || zone == ZoneDevice || zone == "" {
		s.Zone = "UTC"
	}
	if _, err := time.LoadLocation(s.Zone); err != nil || s.Zone == "Local" || len(s.Zone) > 64 {
		return bad("schedule.zone", "time zone %.64q is not known: use a name such as Europe/Oslo, or hub or device", zone)
	}
	s.Jitter = 0
	return checkComes(s)
}

// lastMoment is the end of the year 9999.
const lastMoment = 253402300799

// checkComes says whether a cron schedule ever comes.
func checkComes(s protocol.JobSchedule) error {
	ever := s
	ever.Start, ever.End = 0, 0
	plan, err := NewPlan(ever, 0, "")
	if err != nil {
		return err
	}
	if _, comes := plan.Next(time.Unix(max(s.Start-1, 0), 0)); !comes {
		return bad("schedule.cron", "%.60q never comes, as there is no such day: choose a day that the month has", s.Cron)
	}
	if s.Start == 0 || s.End == 0 {
		return nil
	}
	if first, _ := plan.Next(time.Unix(s.Start-1, 0)); first.Unix() > s.End {
		return bad("schedule.cron", "%.60q never comes from %s to %s: choose a later end, or another time", s.Cron, day(s.Start), day(s.End))
	}
	return nil
}

// Warnings says, in sentences, what people may not expect of a schedule in the next year. It must be one that NewPlan takes.
func Warnings(s protocol.JobSchedule, now time.Time) (out []string) {
	exact := s
	exact.Jitter = 0
	plan, err := NewPlan(exact, 0, "")
	if err != nil || plan.Once() {
		return nil
	}
	if next := plan.Upcoming(now, 32); s.Jitter != 0 && len(next) > 1 {
		least := next[1].Sub(next[0])
		for i := range next[1:] {
			least = min(least, next[i+1].Sub(next[i]))
		}
		if jitter := time.Duration(s.Jitter) * time.Second; jitter > least {
			out = append(out, fmt.Sprintf("The jitter of %s is longer than the %s between two runs: a device may run it when others run the one after it.",
				Span(s.Jitter), Span(uint32(least/time.Second))))
		}
	}
	for _, shift := range plan.Shifts(now, now.AddDate(1, 0, 0)) {
		at, clock := shift.At.Format("2 Jan 2006"), shift.Clock.Format("15:04")
		if shift.Twice {
			out = append(out, fmt.Sprintf("On %s clocks of %s show %s twice: what is due then runs once, the first time.", at, s.Zone, clock))
			continue
		}
		out = append(out, fmt.Sprintf("On %s clocks of %s leave out %s: what is due then runs at %s, the first moment after.", at, s.Zone, clock, shift.At.Format("15:04")))
	}
	return out
}
