package session

import (
	"io"
	"net"
	"slices"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// parting is how long after a device has taken times of contact that it is outside of its connections are ended: what
// answers its acknowledgement has left by then.
const parting = time.Second

// bounded is a connection of a device that ends with its time of contact.
type bounded struct {
	d *device
	c io.Closer

	timer *time.Timer // guarded by d.p; nil: nothing ends it
	over  bool        // guarded by d.p: it has ended
}

// Bound lets a connection of the device end with the time of contact in which it was made, and without a word: what a
// hub sends after that, the device's machine would answer. Shortly before, nothing new is sent. A device that came
// outside of its times, because it does not know them yet or somebody there has opened contact, ends the connection
// itself, unless it is told of other times on it. release is called when the connection has ended.
func (m *Manager) Bound(id protocol.DeviceID, c io.Closer) (release func()) {
	d, err := m.device(id)
	if err != nil { // the hub is stopping
		return func() {}
	}
	b := &bounded{d: d, c: c}
	d.p.Lock()
	d.bounds = append(d.bounds, b)
	d.heldFrom, d.heldUntil = time.Time{}, time.Time{} // it is there
	d.p.Unlock()
	if o, ok := m.opening(id, time.Now()); ok {
		b.lastsFor(o)
	}
	return b.release
}

// lastsFor lets the connection end with an opening.
func (b *bounded) lastsFor(o economy.Opening) {
	b.d.holdBack(o)
	b.endAt(gone(o))
}

func (b *bounded) endAt(t time.Time) {
	endAtOnce(b.c)
	b.d.p.Lock()
	defer b.d.p.Unlock()
	if b.over {
		return
	}
	if b.timer != nil {
		b.timer.Stop()
	}
	b.timer = time.AfterFunc(time.Until(t), b.end)
}

func (b *bounded) end() {
	if o, ok := b.d.m.opening(b.d.id, time.Now()); ok && time.Until(gone(o)) > 0 { // it was made longer
		b.lastsFor(o)
		return
	}
	_ = b.c.Close() // nothing is lost that does not come again
}

func (b *bounded) release() {
	b.d.p.Lock()
	defer b.d.p.Unlock()
	b.over = true
	if b.timer != nil {
		b.timer.Stop()
	}
	if i := slices.Index(b.d.bounds, b); i >= 0 {
		b.d.bounds = slices.Delete(b.d.bounds, i, i+1)
	}
}

// tellsTimes reports whether orders tell the device its times of contact.
func (d *device) tellsTimes(o *protocol.Orders) bool {
	if s := d.settings(); s.Link == nil || s.Link.Contact == nil {
		return false
	}
	var body struct {
		Settings *protocol.Settings `cbor:"1,keyasint,omitempty"`
	}
	return protocol.Unmarshal(o.Body, &body) == nil && body.Settings != nil
}

// rulesSent holds everything back that has not gone, where the device is outside of the times it is told with a frame. It
// needs d.mu.
func (d *device) rulesSent(seq uint64, now time.Time) (silent bool) {
	d.rules = seq
	next, silent := d.m.outside(d.id, now)
	if silent {
		d.p.Lock()
		d.heldFrom, d.heldUntil = now, next
		d.p.Unlock()
	}
	return silent
}

// rulesTaken lets the connections there are go by the times that the device has acknowledged. It needs d.mu.
func (d *device) rulesTaken(now time.Time) {
	d.rules = 0
	_, silent := d.m.outside(d.id, now)
	o, ends := d.m.opening(d.id, now)
	d.p.Lock()
	bounds := slices.Clone(d.bounds)
	if !silent {
		d.heldFrom, d.heldUntil = time.Time{}, time.Time{}
	}
	d.p.Unlock()
	for _, b := range bounds {
		switch {
		case silent: // it is gone without a word
			b.endAt(now.Add(parting))
		case ends:
			b.lastsFor(o)
		}
	}
}

// outside reports that now is outside of the times of contact the device shall have, and until when; never where there
// are no more.
func (m *Manager) outside(id protocol.DeviceID, now time.Time) (until time.Time, yes bool) {
	s := m.c.Orders.Settings(id)
	if s.Link == nil || s.Link.Contact == nil {
		return time.Time{}, false
	}
	c := economy.NewContact(s.Link.Contact)
	o, ok := c.Next(now)
	if !ok {
		return never, true
	}
	return o.Start, o.Start.After(now)
}

// gone is when nothing of a connection may be left.
func gone(o economy.Opening) time.Time { return o.End.Add(-o.Guard() / 2) }

// opening gives the time of contact of now, where the device has such times.
func (m *Manager) opening(id protocol.DeviceID, now time.Time) (economy.Opening, bool) {
	s := m.c.Orders.Settings(id)
	if s.Link == nil || s.Link.Contact == nil {
		return economy.Opening{}, false
	}
	c := economy.NewContact(s.Link.Contact)
	o, ok := c.Now(now)
	return o, ok && o.Bounded(now)
}

// holdBack lets nothing new go to the device shortly before its time of contact ends.
func (d *device) holdBack(o economy.Opening) {
	d.p.Lock()
	defer d.p.Unlock()
	d.heldFrom, d.heldUntil = o.End.Add(-o.Guard()), o.End
}

// held reports that nothing new may go to the device now, and until when.
func (d *device) held(now time.Time) (until time.Time, yes bool) {
	d.p.Lock()
	defer d.p.Unlock()
	return d.heldUntil, !now.Before(d.heldFrom) && now.Before(d.heldUntil)
}

// endAtOnce makes closing a TCP connection send one packet (RST) and drop what was not sent.
func endAtOnce(c any) {
	for c != nil {
		if tcp, ok := c.(interface{ SetLinger(sec int) error }); ok {
			_ = tcp.SetLinger(0) // else it ends as usual
			return
		}
		under, ok := c.(interface{ Unwrap() net.Conn })
		if !ok {
			return
		}
		c = under.Unwrap()
	}
}
