package doctor

import (
	"time"

	"github.com/farshore/farshore/hub/audit"
	"github.com/farshore/farshore/hub/backup"
	"github.com/farshore/farshore/hub/certificate"
)

// What is worth a word.
const (
	certificateSoon = 30 * 24 * time.Hour
	certificateLate = 7 * 24 * time.Hour
	// backupLate is how long a planned backup may be due.
	backupLate = time.Hour
	// compactFrom is from how many free bytes in the database on, and only where they are more than half of it,
	// compaction is advised.
	compactFrom = 64 << 20
)

// Store judges a database of which every page was found whole: size bytes, live of them in use.
func Store(size, live int64) []Finding {
	if free := size - live; free > compactFrom && free > live {
		return Say(Warn, "every page holds; of %s only %s are in use: stop the hub and run farshore-hub compact to give %s back to the disk", Size(size), Size(live), Size(free))
	}
	return Say(OK, "every page holds: %s, %s of them in use", Size(size), Size(live))
}

// Trail judges what reading the whole audit trail gave.
func Trail(r audit.Report, err error) []Finding {
	switch {
	case err != nil:
		return Say(Fail, "the trail cannot be read: %v: look at the disk, and whether the folder is the hub's own", err)
	case r.Problem != nil:
		return Say(Fail, "%s: somebody or the disk changed it: keep a copy of the folder as evidence, and compare with exports and backups", r.String())
	}
	return Say(OK, "%s", r.String())
}

// Certificate judges the one that browsers and the command line see; host is by what name people reach the hub, "": it
// is not known.
func Certificate(s certificate.Status, host string, now time.Time) []Finding {
	left := s.Until.Sub(now)
	var out []Finding
	if s.Problem != "" {
		out = Say(Fail, "a newer one is not in use: %s: put in place one that can be used", s.Problem)
	}
	switch {
	case left <= 0:
		out = append(out, Say(Fail, "it (%s) ended on %s, so browsers and the CLI refuse it: renew it now", s.Subject, day(s.Until))...)
	case now.Before(s.From):
		out = append(out, Say(Fail, "it (%s) is only good from %s: look at the clock, or wait", s.Subject, minute(s.From))...)
	case left < certificateLate:
		out = append(out, Say(Fail, "it (%s) ends on %s, in less than 7 days: renew it now", s.Subject, day(s.Until))...)
	case left < certificateSoon:
		out = append(out, Say(Warn, "it (%s) ends on %s: renew it", s.Subject, day(s.Until))...)
	case s.Own() && host != "" && !s.GoodFor(host):
		out = append(out, Say(Warn, "it is for %v and not for %s, by which the hub is reached: browsers refuse it there; have one made for that name too", s.Names, host)...)
	case !s.Own():
		out = append(out, Say(OK, "the hub's own, until %s: browsers ask about it; farshore certificate set gives one that they know", day(s.Until))...)
	default:
		out = append(out, Say(OK, "for %v, until %s", s.Names, day(s.Until))...)
	}
	return out
}

// Backups judges how the plan goes.
func Backups(s backup.State, now time.Time) []Finding {
	if s.Plan.Folder == "" {
		return Say(OK, "none are planned: where nothing else makes them, farshore backup plan does")
	}
	last := "there was none yet"
	if s.LastSuccess > 0 {
		at := time.UnixMilli(s.LastSuccess)
		last = "the last one is of " + minute(at) + ", " + now.Sub(at).Round(time.Minute).String() + " old"
	}
	switch {
	case len(s.Runs) > 0 && s.Runs[0].Error != "":
		return Say(Fail, "the one of %s has failed: %s; %s: mend that, then farshore backup run", minute(time.UnixMilli(s.Runs[0].Started)), s.Runs[0].Error, last)
	case s.Next > 0 && now.Sub(time.UnixMilli(s.Next)) > backupLate:
		return Say(Fail, "one is due since %s; %s: start the hub, which makes up for it, or look into its log", minute(time.UnixMilli(s.Next)), last)
	}
	return Say(OK, "%s, in %q", last, s.Plan.Folder)
}
