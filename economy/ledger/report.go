package ledger

import (
	"fmt"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
)

// Bounds of what a device may say.
const (
	// tomorrow is how many days ahead its calendar may be.
	tomorrow = 2
	// maxCount is the most bytes of one class on one day.
	maxCount = 1 << 50
)

// Report is what a device said.
type Report struct {
	Device protocol.DeviceID
	// Boot is the run of the agent.
	Boot [8]byte
	// At is when it came.
	At    time.Time
	Usage protocol.Usage
}

// Report takes over what a device says of its usage, and returns when that is durable. The same report may come again.
// The counts of a day only grow, unless another run of the agent has less in all: then it has lost its books, and what it
// had said before is added. Days that cannot be are left out. Errors that wrap protocol.ErrMalformed or
// protocol.ErrTooLarge refuse it for good.
func (l *Ledger) Report(r Report) error {
	if err := check(&r.Usage); err != nil {
		return err
	}
	link, ok := l.c.Link(r.Device)
	if !ok {
		return nil // it was removed just now
	}
	l.mu.Lock()
	if !l.account(r.Device).mayReport(r.At) {
		l.mu.Unlock()
		return fmt.Errorf("%w: usage is told more often than every %s: the next report has what this one had", protocol.ErrTooLarge, reportEvery)
	}
	notices, err := l.enter(&r, link)
	l.mu.Unlock()
	if err != nil {
		return err
	}
	if err := l.save([]protocol.DeviceID{r.Device}); err != nil {
		return err
	}
	l.tell(notices)
	return nil
}

// check holds a report to what a device may say.
func check(u *protocol.Usage) error {
	if len(u.Days) > protocol.MaxUsageDays {
		return fmt.Errorf("%w: usage of %d days: at most %d", protocol.ErrMalformed, len(u.Days), protocol.MaxUsageDays)
	}
	if u.Stage > protocol.SpendingSilent {
		return fmt.Errorf("%w: usage with the stage of spending %d", protocol.ErrMalformed, u.Stage)
	}
	if u.Spent > maxCount {
		return fmt.Errorf("%w: usage of %d bytes in a cycle: more than there are", protocol.ErrMalformed, u.Spent)
	}
	for _, d := range u.Days {
		var seen [256]bool
		for _, c := range d.Counts {
			if seen[c.Class] {
				return fmt.Errorf("%w: usage of day %d has class %d twice", protocol.ErrMalformed, d.Day, c.Class)
			}
			seen[c.Class] = true
			if c.Up > maxCount || c.Down > maxCount {
				return fmt.Errorf("%w: usage of day %d has %d and %d bytes of class %d: more than there are", protocol.ErrMalformed, d.Day, c.Up, c.Down, c.Class)
			}
		}
	}
	return nil
}

// enter writes a report into the books. The caller holds mu.
func (l *Ledger) enter(r *Report, link Link) ([]Notice, error) {
	if l.c.SpentBy != nil { // so that what it says is set against what was counted by now
		if err := l.count(r.Device, l.c.SpentBy(r.Device), r.At); err != nil {
			return nil, err
		}
	}
	a := l.account(r.Device)
	today := economy.Day(r.At, l.cycle(link.Rules, r.At).Zone)
	another := a.At != 0 && a.Boot != r.Boot
	odd := 0
	for _, d := range r.Usage.Days {
		if d.Day > today+tomorrow || d.Day+KeepDays < today {
			odd++
			continue
		}
		s, err := l.open(r.Device, a, Slot{Day, d.Day})
		if err != nil {
			return nil, err
		}
		before := s.counts()
		if s.say(counts(d.Counts), another) {
			a.stale = a.stale || d.Day < today
			l.total.Add(less(s.counts(), before))
		}
		a.began(min(d.Day, today))
	}
	if odd > 0 {
		l.c.Log.Warn("a device tells of days that cannot be, they are left out: look at its clock", "device", r.Device, "days", odd)
	}
	a.Boot, a.At = r.Boot, r.At.Unix()
	a.Cycle, a.Spent, a.Rate = r.Usage.Cycle, r.Usage.Spent, r.Usage.Rate
	a.Stage, a.heard = r.Usage.Stage, true
	a.edition++
	return l.judge(r.Device, a, r.At)
}

// say takes over what a device says of a day, and reports whether that changes anything. Another: it is another run of
// the agent than the one that said what is there.
func (s *slot) say(c meter.Counts, another bool) bool {
	before := *s
	switch {
	case another && sum(c) < sum(s.device):
		s.lost.Add(s.device)
		for i := range s.lost {
			s.lost[i].Up, s.lost[i].Down = min(s.lost[i].Up, maxCount), min(s.lost[i].Down, maxCount)
		}
		s.device = c
	case another: // after a power cut it may know no more what some of it was for
		s.device = c
	default:
		for i := range c {
			s.device[i].Up, s.device[i].Down = max(s.device[i].Up, c[i].Up), max(s.device[i].Down, c[i].Down)
		}
	}
	if s.told && *s == before {
		return false
	}
	s.seen, s.told = s.hub, true
	s.edition++
	return true
}
