package economy

import (
	"time"

	"github.com/farshore/farshore/protocol"
)

// Day numbers the calendar day of t in a zone, as protocol.UsageDay does: 1970-01-01 is 0.
func Day(t time.Time, zone *time.Location) uint32 {
	y, m, d := t.In(zone).Date()
	return uint32(max(0, time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix()/86400))
}

// Date gives the beginning of a numbered day in a zone.
func Date(day uint32, zone *time.Location) time.Time {
	y, m, d := time.Unix(int64(day)*86400, 0).UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, zone)
}

// Zone gives the time zone of a name; UTC where it is "" or not known here.
func Zone(name string) *time.Location {
	if zone, err := time.LoadLocation(name); err == nil && name != "Local" {
		return zone
	}
	return time.UTC
}

// Cycle is one billing cycle: the days from First up to, and without, Next.
type Cycle struct {
	First, Next uint32
	Zone        *time.Location
}

// Start and End give the cycle's bounds; End is the start of the next.
func (c Cycle) Start() time.Time { return Date(c.First, c.Zone) }

// End gives the start of the next cycle.
func (c Cycle) End() time.Time { return Date(c.Next, c.Zone) }

// CycleAt gives the cycle of now. Without a budget it is the calendar month in UTC.
func CycleAt(b *protocol.Budget, now time.Time) Cycle {
	day, zone := 1, time.UTC
	if b != nil {
		day, zone = max(1, int(b.Day)), Zone(b.Zone)
	}
	now = now.In(zone)
	y, m, _ := now.Date()
	first := begin(y, m, day)
	if Day(now, zone) < first {
		return Cycle{First: begin(y, m-1, day), Next: first, Zone: zone}
	}
	return Cycle{First: first, Next: begin(y, m+1, day), Zone: zone}
}

// begin numbers the given day of a month, or its last where it has fewer.
func begin(y int, m time.Month, day int) uint32 {
	last := time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return Day(time.Date(y, m, min(day, last), 0, 0, 0, 0, time.UTC), time.UTC)
}
