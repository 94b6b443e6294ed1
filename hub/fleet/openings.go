package fleet

import (
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// opening is a time of contact, Unix seconds. Zero: none.
type opening struct {
	_          struct{} `cbor:",toarray"`
	Start, End int64
}

func (o opening) start() time.Time { return time.Unix(o.Start, 0) }
func (o opening) end() time.Time   { return time.Unix(o.End, 0) }

// openUntil is when the opening of the last contact ends; long ago where it was in none.
func openUntil(p *Presence) time.Time { return time.Unix(p.Open, 0) }

// never is the opening that does not come.
var never = opening{Start: 1 << 36, End: 1 << 36}

// stage is how far the device is through its budget, as it told last or as it must be by what was counted since. One without a cap has nothing to be silent for,
// whatever it says.
func (p *Presence) stage(e *Effective) protocol.Spending {
	if b := e.Budget(); b == nil || b.Hard == 0 && b.Soft == 0 {
		return protocol.SpendingFree
	}
	return p.Stage
}

// expect notes what is expected after a contact at the given time, by the settings e and the stage of spending that the
// device told last: the interval, and where its link may not always be used the openings that are next.
func (p *Presence) expect(e *Effective, at time.Time) {
	s, stage := e.Settings, p.stage(e)
	p.Open, p.Due = 0, [overdueAfter]opening{}
	p.Interval = int64(expected(economy.At(s, stage), p.Carrier) / time.Second)
	var rule *protocol.Contact
	if s.Link != nil {
		rule = s.Link.Contact
	}
	from, silent := at, false
	if b := e.Budget(); stage == protocol.SpendingSilent && !b.DailyPing {
		from, silent = economy.CycleAt(b, at).End(), true
	}
	if rule == nil && !silent {
		return
	}
	contact := economy.NewContact(rule)
	switch {
	case silent:
		p.Interval = int64(expected(s, p.Carrier) / time.Second) // from the next cycle on
	case contact.Always():
		return
	default:
		if now, ok := contact.Now(at); ok {
			p.Open = now.End.Unix()
			from = now.End
		}
	}
	p.Due = p.next(&contact, from)
	if silent {
		p.Interval = 0
	}
}

// next gives the openings from a time on in which contact is expected: each, or where the interval is longer than from
// one to the next, those in which it has passed.
func (p *Presence) next(contact *economy.Contact, from time.Time) (out [overdueAfter]opening) {
	interval := time.Duration(p.Interval) * time.Second
	if contact.Always() {
		interval = max(interval, minGrace)
		for i := range out {
			start := from.Add(time.Duration(i) * interval)
			out[i] = opening{Start: start.Unix(), End: start.Add(interval).Unix()}
		}
		return out
	}
	due := time.Unix(p.LastContact, 0)
	for i := range out {
		due = due.Add(interval)
		o, ok := contact.Next(latest(from, due))
		if !ok {
			out[i] = never
			continue
		}
		out[i] = opening{Start: o.Start.Unix(), End: min(o.End.Unix(), never.End)}
		from = o.End
	}
	return out
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// excuse leaves out openings in which the hub was away for a part. What was missed before stays missed.
func (p *Presence) excuse(e *Effective, down, up time.Time) {
	if p.Due[0] == (opening{}) || e.Settings.Link == nil {
		return
	}
	contact := economy.NewContact(e.Settings.Link.Contact)
	if contact.Always() {
		return
	}
	n := 0
	for n < overdueAfter && p.Due[n].end().Before(down) {
		n++
	}
	fresh := p.next(&contact, up)
	copy(p.Due[n:], fresh[:])
}

// holds reports that what was noted at the last contact is what would be noted at this one too, so that it need not be
// worked out again with each frame.
func (p *Presence) holds(at time.Time) bool {
	if p.Due[0] == (opening{}) || !at.Before(time.Unix(p.Open, 0)) {
		return false
	}
	for i, o := range p.Due {
		if o.End <= at.Unix()+int64(i+1)*p.Interval {
			return false
		}
	}
	return true
}

// byOpenings judges a device whose link may not always be used. In the opening of its last contact its interval counts;
// after it, each opening in which one was expected and none came.
func (l *Liveness) byOpenings(p *Presence, now time.Time) {
	open, missed := openUntil(p), 0
	for missed < overdueAfter && now.After(p.Due[missed].end().Add(minGrace)) {
		missed++
	}
	if missed < overdueAfter {
		l.NextContact = p.Due[missed].start()
		if p.Due[missed] == never {
			l.NextContact = time.Time{}
		}
	}
	interval := time.Duration(p.Interval) * time.Second
	if interval > 0 && p.Open != 0 {
		from := l.LastContact.Add(time.Duration(p.Excused) * time.Second)
		grace := max(minGrace, interval/10)
		late, overdue := from.Add(interval+grace), from.Add(overdueAfter*interval+grace)
		switch {
		case overdue.Before(open) && now.After(overdue):
			l.State, l.Since, l.NextContact = Overdue, overdue, time.Time{}
			return
		case now.Before(open) && now.After(late):
			l.State, l.Since = Late, late
			return
		case from.Add(interval).Before(open) && !now.After(late):
			l.State, l.Since, l.NextContact = OnTime, time.Unix(p.OnTimeSince, 0), from.Add(interval)
			return
		}
	}
	switch {
	case missed == overdueAfter:
		l.State, l.Since = Overdue, p.Due[missed-1].end().Add(minGrace)
	case missed > 0:
		l.State, l.Since = Late, p.Due[0].end().Add(minGrace)
	case now.Before(open) || !now.Before(p.Due[0].start()):
		l.State, l.Since = OnTime, time.Unix(p.OnTimeSince, 0)
	default:
		l.State, l.Since = Quiet, latest(open, l.LastContact)
	}
}

// Stage is how far the device is through its budget, as it told last or as it must be by what was counted since.
func (r *Registry) Stage(id protocol.DeviceID) protocol.Spending {
	r.mu.RLock()
	e := r.now.devices[id]
	r.mu.RUnlock()
	if e == nil {
		return protocol.SpendingFree
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.seen.Stage
}

// SetStage takes over how far a device is through its budget, as it told itself. Unknown ids are ignored.
func (r *Registry) SetStage(id protocol.DeviceID, stage protocol.Spending) {
	r.mu.RLock()
	e := r.now.devices[id]
	if e == nil {
		r.mu.RUnlock()
		return
	}
	effective := e.effective
	r.mu.RUnlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.seen.Stage == stage && e.by == effective {
		return
	}
	e.restage(stage, effective)
}

// InferStage takes over how far a device must be through its budget, without its word. One that must be further is judged
// by that at once, since it may be unable to say so; one that need not be as far is so from its next contact on, since it
// may not know. Unknown ids are ignored.
func (r *Registry) InferStage(id protocol.DeviceID, stage protocol.Spending) {
	r.mu.RLock()
	e := r.now.devices[id]
	if e == nil {
		r.mu.RUnlock()
		return
	}
	effective := e.effective
	r.mu.RUnlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case stage > e.seen.Stage:
		e.restage(stage, effective)
	case stage < e.seen.Stage:
		e.seen.Stage, e.dirty, e.by = stage, true, nil
	}
}

// restage judges the device by a stage from its last contact on. The caller holds e.mu.
func (e *entry) restage(stage protocol.Spending, effective *Effective) {
	e.seen.Stage, e.dirty = stage, true
	if e.seen.LastContact != 0 {
		e.seen.expect(effective, time.Unix(e.seen.LastContact, 0))
		e.by = effective
	}
}
