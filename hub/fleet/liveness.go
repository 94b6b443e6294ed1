package fleet

import (
	"time"

	"github.com/farshore/farshore/protocol"
)

// LivenessState is how a device is heard of, measured by its own interval.
type LivenessState string

// Liveness states.
const (
	OnTime    LivenessState = "on-time"
	Late      LivenessState = "late"       // one interval and the grace have passed without a contact
	Overdue   LivenessState = "overdue"    // three intervals and the grace have passed
	Quiet     LivenessState = "quiet"      // no contact is expected now (its link may not be used, or pings are off), and it is not connected
	NeverSeen LivenessState = "never-seen" // approved, and not heard of since
	Revoked   LivenessState = "revoked"
)

// Liveness is what the hub can honestly say of a device's contacts.
type Liveness struct {
	State LivenessState `json:"state"`
	// Since is when the state began.
	Since time.Time `json:"since"`
	// LastContact. Zero: never.
	LastContact time.Time `json:"last_contact,omitzero"`
	// NextContact is when the hub expects the next one. Zero: it expects none, or has given up expecting.
	NextContact time.Time `json:"next_contact,omitzero"`
	// Connected says that a carrier is up now.
	Connected bool `json:"connected"`
}

const (
	minGrace     = 10 * time.Second
	overdueAfter = 3 // intervals
)

// expected gives within which time a device that goes by s makes contact over the carrier, and 0 where it need not.
// Over MQTT the ping alone tells of a device; over HTTPS it also asks for commands. Snapshots tell nothing: a device
// whose state did not change sends none.
func expected(s protocol.Settings, c protocol.Carrier) time.Duration {
	ping, _ := s.Ping.Duration()
	ping = max(ping, 0)
	if command, ok := s.Command.Duration(); ok && c == protocol.CarrierHTTPS && (ping == 0 || command < ping) {
		return command
	}
	return ping
}

// excuse notes that the hub did not run from down to up. Nobody could make contact then, so the time does not count
// against a device that was not overdue already.
func (e *entry) excuse(down, up time.Time) {
	seconds := int64(up.Sub(down) / time.Second)
	if seconds <= 0 || e.seen.LastContact == 0 || judge(e.dev, &e.seen, down).State == Overdue {
		return
	}
	e.seen.Excused += seconds
	e.dirty = true
	e.seen.excuse(e.effective, down, up)
}

// judge says how a device stands at now. It is a pure function, so the states need no timers.
func judge(d *Device, p *Presence, now time.Time) Liveness {
	var l Liveness
	if p.LastContact != 0 {
		l.LastContact = time.Unix(p.LastContact, 0)
	}
	switch {
	case d.Revoked != 0:
		l.State, l.Since = Revoked, time.Unix(d.Revoked, 0)
		return l
	case p.LastContact == 0:
		l.State, l.Since = NeverSeen, time.Unix(max(d.Approved, d.Created), 0)
		return l
	}
	if p.Due[0] != (opening{}) {
		l.byOpenings(p, now)
		return l
	}
	from := l.LastContact.Add(time.Duration(p.Excused) * time.Second)
	interval := time.Duration(p.Interval) * time.Second
	if interval <= 0 {
		l.State, l.Since = Quiet, l.LastContact
		return l
	}
	grace := max(minGrace, interval/10)
	late, overdue := from.Add(interval+grace), from.Add(overdueAfter*interval+grace)
	switch {
	case now.After(overdue):
		l.State, l.Since = Overdue, overdue
		return l
	case now.After(late):
		l.State, l.Since = Late, late
	default:
		l.State, l.Since = OnTime, time.Unix(p.OnTimeSince, 0)
	}
	l.NextContact = from.Add(interval)
	if missed := now.Sub(l.NextContact); missed > 0 {
		l.NextContact = l.NextContact.Add((missed/interval + 1) * interval)
	}
	return l
}

// Contact notes that a device was heard of at the given time. It touches memory only. Unknown ids are ignored.
func (r *Registry) Contact(id protocol.DeviceID, at time.Time, c protocol.Carrier) {
	r.mu.RLock()
	e := r.now.devices[id]
	if e == nil {
		r.mu.RUnlock()
		return
	}
	d, effective := e.dev, e.effective
	r.mu.RUnlock()

	e.mu.Lock()
	defer e.mu.Unlock()
	if at.Unix() < e.seen.LastContact {
		return
	}
	if s := judge(d, &e.seen, at).State; s != OnTime && (s != Quiet || e.seen.OnTimeSince == 0) {
		e.seen.OnTimeSince = at.Unix()
	}
	same := e.by == effective && e.seen.Carrier == c && e.seen.Excused == 0 && e.seen.holds(at)
	e.seen.LastContact, e.seen.Carrier, e.seen.Excused = at.Unix(), c, 0
	e.dirty = true
	if !same {
		e.seen.expect(effective, at)
		e.by = effective
	}
}

// Liveness says how the device stands at now: judged by the interval that held at its last contact, so that a device
// is not called late by a setting it cannot know yet. The zero Liveness is given for an unknown id.
func (r *Registry) Liveness(id protocol.DeviceID, now time.Time) Liveness {
	r.mu.RLock()
	e := r.now.devices[id]
	if e == nil {
		r.mu.RUnlock()
		return Liveness{}
	}
	d := e.dev
	r.mu.RUnlock()
	return r.judge(e, d, now)
}

func (r *Registry) judge(e *entry, d *Device, now time.Time) Liveness {
	e.mu.Lock()
	l := judge(d, &e.seen, now)
	since := e.seen.OnTimeSince
	e.mu.Unlock()
	if r.online == nil || d.Revoked != 0 {
		return l
	}
	_, l.Connected = r.online(d.ID)
	if l.Connected && l.State == Quiet {
		l.State, l.Since = OnTime, time.Unix(since, 0)
	}
	return l
}

// watch finds the devices whose liveness changed since it last looked, and tells of each.
func (r *Registry) watch(now time.Time) {
	type looked struct {
		e *entry
		d *Device
	}
	r.mu.RLock()
	all := make([]looked, 0, len(r.now.devices))
	for _, e := range r.now.devices {
		all = append(all, looked{e, e.dev})
	}
	r.mu.RUnlock()

	var changes []Change
	for _, x := range all {
		l := r.judge(x.e, x.d, now)
		x.e.mu.Lock()
		was := x.e.told
		x.e.told = l.State
		x.e.mu.Unlock()
		if was != "" && was != l.State && l.State != Revoked {
			changes = append(changes, Change{Device: x.d.ID, Group: x.d.Group, Kind: ChangeLiveness, Was: was, Liveness: l})
		}
	}
	r.tell(changes)
}
