package jobs

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/farshore/farshore/protocol"
)

var dayNames = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}

// Words says a schedule as people would: "every day at 02:00, Europe/Oslo, each device up to 10 min later". zone is what is
// said of the time zone where it is no name, such as "each device's own time". What there are no words for is said as cron
// writes it.
func Words(s protocol.JobSchedule, zone string) string {
	zone = cmp.Or(zone, s.Zone)
	var parts []string
	switch {
	case s.Cron != "":
		parts = append(parts, cronWords(s.Cron))
		if zone != "" && !interval(s.Cron) {
			parts = append(parts, zone)
		}
	case s.At != 0:
		parts = append(parts, "once, on "+day(s.At))
	default:
		return "only when somebody asks for it"
	}
	if s.Jitter != 0 {
		parts = append(parts, "each device up to "+Span(s.Jitter)+" later")
	}
	if s.Start != 0 {
		parts = append(parts, "from "+day(s.Start))
	}
	if s.End != 0 {
		parts = append(parts, "until "+day(s.End))
	}
	return strings.Join(parts, ", ")
}

func day(at int64) string { return time.Unix(at, 0).UTC().Format("2 Jan 2006 at 15:04 MST") }

// Span says a number of seconds: "10 min".
func Span(seconds uint32) string {
	switch {
	case seconds%3600 == 0:
		return strconv.Itoa(int(seconds/3600)) + " h"
	case seconds%60 == 0:
		return strconv.Itoa(int(seconds/60)) + " min"
	}
	return strconv.Itoa(int(seconds)) + " s"
}

// interval reports whether a schedule goes by what passes, in whatever time zone.
func interval(text string) bool {
	f := strings.Fields(text)
	return len(f) == 1 && strings.EqualFold(f[0], "@hourly") || len(f) == 5 && f[1] == "*" && f[2] == "*" && f[3] == "*" && f[4] == "*"
}

func cronWords(text string) string {
	f := strings.Fields(text)
	if word, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(text)), "@"); ok {
		switch word {
		case "hourly":
			return "every hour"
		case "daily", "midnight":
			return "every day at 00:00"
		case "weekly":
			return "every Sunday at 00:00"
		case "monthly":
			return "on day 1 of each month at 00:00"
		case "yearly", "annually":
			return "every year on 1 January at 00:00"
		}
	}
	if len(f) != 5 {
		return text
	}
	minute, hour, dom, month, dow := f[0], f[1], f[2], f[3], f[4]
	if interval(text) {
		if every, ok := strings.CutPrefix(minute, "*/"); ok && divides(every, 60) {
			return "every " + every + " minutes"
		}
		switch n, ok := clock(minute, 59); {
		case minute == "*":
			return "every minute"
		case ok && n == 0:
			return "every hour"
		case ok:
			return fmt.Sprintf("every hour at %02d minutes past", n)
		}
		return "by cron " + text
	}
	at, ok := clockWords(minute, hour)
	if !ok || month != "*" {
		return "by cron " + text
	}
	switch {
	case dom == "*" && dow == "*":
		return strings.TrimSpace(strings.Replace("every day "+at, "every day every", "every", 1))
	case dom == "*":
		days, ok := dayWords(dow)
		if !ok {
			return "by cron " + text
		}
		return days + " " + at
	case dow == "*":
		if n, ok := clock(dom, 31); ok && n > 0 {
			return fmt.Sprintf("on day %d of each month %s", n, at)
		}
	}
	return "by cron " + text
}

// divides reports whether text is a number that divides n, so that the step is even.
func divides(text string, n int) bool {
	step, err := strconv.Atoi(text)
	return err == nil && step > 1 && n%step == 0
}

func clock(text string, most int) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 0 && n <= most
}

// clockWords says minute and hour: "at 02:00", "at 06:30 and 18:30", "every 2 hours".
func clockWords(minute, hour string) (string, bool) {
	m, ok := clock(minute, 59)
	if !ok {
		return "", false
	}
	if every, ok := strings.CutPrefix(hour, "*/"); ok && divides(every, 24) {
		if m == 0 {
			return "every " + every + " hours", true
		}
		return fmt.Sprintf("every %s hours at %02d minutes past", every, m), true
	}
	var times []string
	for h := range strings.SplitSeq(hour, ",") {
		n, ok := clock(h, 23)
		if !ok {
			return "", false
		}
		times = append(times, fmt.Sprintf("%02d:%02d", n, m))
	}
	if len(times) > 4 {
		return "", false
	}
	return "at " + and(times), true
}

// dayWords says the days of the week.
func dayWords(dow string) (string, bool) {
	var on [7]bool
	names := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	number := func(text string) int {
		if i := slices.Index(names, strings.ToLower(text)); i >= 0 {
			return i
		}
		if n, ok := clock(text, 7); ok {
			return n
		}
		return -1
	}
	for part := range strings.SplitSeq(dow, ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, to := number(first), number(first)
		if isRange {
			to = number(last)
		}
		if from < 0 || to < from {
			return "", false
		}
		for d := from; d <= to; d++ {
			on[d%7] = true
		}
	}
	switch on {
	case [7]bool{false, true, true, true, true, true, false}:
		return "on weekdays", true
	case [7]bool{true, false, false, false, false, false, true}:
		return "on Saturday and Sunday", true
	case [7]bool{true, true, true, true, true, true, true}:
		return "every day", true
	}
	var days []string
	for i := range 7 {
		if d := (i + 1) % 7; on[d] { // the week begins on Monday
			days = append(days, dayNames[d])
		}
	}
	if len(days) == 1 {
		return "every " + days[0], true
	}
	return "on " + and(days), true
}

func and(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}
