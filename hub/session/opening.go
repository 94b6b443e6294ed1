package session

import (
	"io"
	"net"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// Bound lets a connection of the device end with the time of contact in which it was made, and without a word: what a
// hub sends after that, the device's machine would answer. Shortly before, nothing new is sent. A device that came
// outside of its times, because it does not know them yet or somebody there has opened contact, ends the connection
// itself. release is called when the connection has ended.
func (m *Manager) Bound(id protocol.DeviceID, c io.Closer) (release func()) {
	o, ok := m.opening(id, time.Now())
	if !ok {
		return func() {}
	}
	d, err := m.device(id)
	if err != nil { // the hub is stopping
		return func() {}
	}
	endAtOnce(c)
	d.holdBack(o)
	var timer *time.Timer
	ready := make(chan struct{})
	timer = time.AfterFunc(time.Until(gone(o)), func() {
		<-ready
		if o, ok := m.opening(id, time.Now()); ok && time.Until(gone(o)) > 0 { // it was made longer
			d.holdBack(o)
			timer.Reset(time.Until(gone(o)))
			return
		}
		_ = c.Close() // nothing is lost that does not come again
	})
	close(ready)
	return func() { timer.Stop() }
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
