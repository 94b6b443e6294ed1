package jobs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/farshore/farshore/internal/cron"
	"github.com/farshore/farshore/protocol"
)

// ErrInvalid is wrapped by every error about a job that cannot be accepted as it is.
var ErrInvalid = errors.New("job cannot be accepted")

// Plan says when one job is due on one device. It is immutable; the zero value is never.
type Plan struct {
	cron       cron.Schedule
	again      bool // by cron
	at         int64
	zone       *time.Location
	start, end int64
	late       time.Duration
}

// NewPlan reads a schedule for the job with this id on a device. Its errors are FieldErrors.
func NewPlan(s protocol.JobSchedule, job uint64, dev protocol.DeviceID) (Plan, error) {
	p := Plan{at: s.At, start: s.Start, end: s.End, late: Late(job, dev, s.Jitter), zone: time.UTC}
	if s.Cron == "" {
		return p, nil
	}
	var err error
	if p.cron, err = cron.Parse(s.Cron); err != nil {
		return Plan{}, &FieldError{"schedule.cron", err.Error()}
	}
	if p.zone, err = time.LoadLocation(s.Zone); err != nil || s.Zone == "" || s.Zone == "Local" {
		return Plan{}, &FieldError{"schedule.zone", fmt.Sprintf("time zone %.60q is not known: use a name such as Europe/Oslo", s.Zone)}
	}
	p.again = true
	return p, nil
}

// Late is by how much later than others a device runs a job: from 0 to jitter seconds, always the same, and spread evenly
// over devices. It is the first 8 bytes of FNV-1a over the device's id and the job's id (8 bytes, big-endian), modulo
// jitter + 1.
func Late(job uint64, dev protocol.DeviceID, jitter uint32) time.Duration {
	if jitter == 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(dev))
	_, _ = h.Write(binary.BigEndian.AppendUint64(nil, job))
	return time.Duration(h.Sum64()%(uint64(jitter)+1)) * time.Second
}

// Once reports whether the job is due at most once.
func (p Plan) Once() bool { return !p.again }

// Next is the first time after t at which the job is due, jitter included; false: there is none any more. Start and end
// are held against the time before jitter.
func (p Plan) Next(t time.Time) (time.Time, bool) {
	if !p.again {
		due := time.Unix(p.at, 0).Add(p.late)
		return due, p.at != 0 && due.After(t) && p.within(p.at)
	}
	from := t.Add(-p.late)
	if p.start != 0 && from.Unix() < p.start {
		from = time.Unix(p.start-1, 0) // a run at the start itself counts
	}
	next := p.cron.Next(from.In(p.zone))
	if next.IsZero() || !p.within(next.Unix()) {
		return time.Time{}, false
	}
	return next.Add(p.late), true
}

func (p Plan) within(due int64) bool {
	return (p.start == 0 || due >= p.start) && (p.end == 0 || due <= p.end)
}

// Upcoming gives the next n times after t, fewer where there are no more.
func (p Plan) Upcoming(t time.Time, n int) []time.Time {
	out := make([]time.Time, 0, n)
	for range n {
		next, ok := p.Next(t)
		if !ok {
			break
		}
		out, t = append(out, next), next
	}
	return out
}

// Count is how often the job is due after a moment, up to and with another. It is quick also for a year of every minute.
func (p Plan) Count(after, to time.Time) uint64 {
	if !p.again {
		return uint64(len(p.Newest(after, to, 1)))
	}
	from, end := p.between(after, to)
	return p.cron.Count(from, end)
}

// Newest gives the last n times at which the job is due after a moment, up to and with another; fewer where there are no
// more.
func (p Plan) Newest(after, to time.Time, n int) []time.Time {
	if !p.again {
		if due, ok := p.Next(after); ok && n > 0 && !due.After(to) {
			return []time.Time{due}
		}
		return nil
	}
	from, end := p.between(after, to)
	out := p.cron.Newest(from, end, n)
	for i := range out {
		out[i] = out[i].Add(p.late)
	}
	return out
}

// between is a stretch of time without jitter and within start and end, in the plan's zone.
func (p Plan) between(after, to time.Time) (from, end time.Time) {
	from, end = after.Add(-p.late), to.Add(-p.late)
	if first := time.Unix(p.start-1, 0); p.start != 0 && from.Before(first) {
		from = first // a run at the start itself counts
	}
	if last := time.Unix(p.end, 0); p.end != 0 && end.After(last) {
		end = last
	}
	return from.In(p.zone), end
}

// Shifts gives the changes of clocks that meet the schedule, after a moment and up to another.
func (p Plan) Shifts(after, to time.Time) []cron.Shift {
	if !p.again {
		return nil
	}
	return p.cron.Shifts(p.between(after, to))
}
