package session

import (
	"errors"
	"sync"
	"time"

	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
)

// Conn is a connection by which frames can be pushed to a device.
type Conn interface {
	Carrier() protocol.Carrier
	// Send writes one frame. It may block as long as the carrier's write timeout, and is safe for concurrent use.
	Send(frame []byte) error
	// Close ends the connection at once, also while a Send blocks. It may be called again.
	Close(reason error)
	// Tally counts the connection's bytes.
	Tally() *meter.Tally
}

// Link is one device's live connection that can be pushed to.
type Link struct {
	d    *device
	boot protocol.Boot
	conn Conn

	ready bool // guarded by d.mu: the device listens

	mu    sync.Mutex
	sign  chan struct{} // closed at the next sign of life; nil: nobody waits for one
	ended bool
}

// Attach takes over an authenticated connection. It replaces a link of the same run of the agent, and one that does
// not answer. If another run is connected and alive, the new one is a copy: it is refused with a *protocol.Error of
// CodeCopy, and the event is raised. The caller tells the Link what arrives, and Ready when the device listens.
func (m *Manager) Attach(id protocol.DeviceID, boot protocol.Boot, conn Conn) (*Link, error) {
	d, err := m.device(id)
	if err != nil {
		return nil, err
	}
	if !d.attaching.TryLock() {
		e := refused(protocol.CodeBusy, "another connection of this device is being looked at")
		e.RetryAfter = uint32(m.c.Probe/time.Second) + 1
		return nil, e
	}
	defer d.attaching.Unlock()
	if err := d.admit(boot); err != nil {
		return nil, err
	}
	l := &Link{d: d, boot: boot, conn: conn}
	d.p.Lock()
	d.link = l
	d.p.Unlock()
	if _, err := m.c.Devices.Key(id); err != nil { // revoked since it was authenticated
		l.detach()
		return nil, err
	}
	m.mu.Lock()
	stopped := m.stopped
	m.mu.Unlock()
	if stopped { // stop may have looked at the device before the link was there
		l.detach()
		return nil, ErrStopped
	}
	m.c.Came(id, conn.Carrier())
	d.contact(time.Now(), conn.Carrier())
	return l, nil
}

// admit decides whether a run of the agent may speak for the device. It ends a link that must make way, and waits up
// to the probe timeout for one that may be alive.
func (d *device) admit(boot protocol.Boot) error {
	if l := d.current(); l != nil {
		if l.boot != boot && l.alive(d.m.c.Probe) {
			return d.copyRefused(boot, l.boot)
		}
		l.conn.Close(errReplaced)
		l.detach()
		return nil
	}
	d.mu.Lock()
	last, open := d.boot, d.win != nil
	d.mu.Unlock()
	if _, live := d.online(time.Now()); live && open && last.ID != boot.ID && boot.Counter <= last.Counter {
		return d.copyRefused(boot, last)
	}
	return nil
}

var errReplaced = errors.New("replaced by a newer connection of the same agent")

func (d *device) copyRefused(boot, live protocol.Boot) error {
	d.raise(EventCopy, "a second agent with this device's identity was refused while the first is connected: if the machine was copied, remove the agent's data folder on the copy; if neither is the one you know, revoke the device")
	d.m.c.Log.Info("copy refused", "device", d.id, "boot", boot.Counter, "live", live.Counter)
	return refused(protocol.CodeCopy, "another agent with this identity is connected: if this machine was copied from it, remove the agent's data folder here and let it join by itself")
}

// alive asks the device for a sign of life and waits for it.
func (l *Link) alive(timeout time.Duration) bool {
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return false
	}
	if l.sign == nil {
		l.sign = make(chan struct{})
	}
	sign := l.sign
	l.mu.Unlock()
	l.d.m.spawn(l.probe)
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case <-sign:
		l.mu.Lock()
		defer l.mu.Unlock()
		return !l.ended
	case <-t.C:
		return false
	}
}

// probe sends something that the device answers at once: what it has not acknowledged, else an empty numbered frame.
func (l *Link) probe() {
	d := l.d
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.current() != l || !l.ready:
	case d.win == nil || d.boot != l.boot:
		d.transmit(l, answer{refusal: d.refusal(0, helloWanted())})
	case !d.win.Idle():
		d.transmit(l, answer{repeat: true})
	default:
		d.transmit(l, answer{fresh: []*protocol.Frame{d.win.Next(nil)}})
	}
	d.arm(time.Now())
}

// lives notes a sign of life.
func (l *Link) lives() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sign != nil {
		close(l.sign)
		l.sign = nil
	}
}

// Ready says that the device listens: it has subscribed. What it has not acknowledged is sent again, and what is due.
func (l *Link) Ready() {
	d := l.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current() != l || l.ready {
		return
	}
	l.ready = true
	now := time.Now()
	switch {
	case d.win != nil && d.boot == l.boot:
		if !d.win.Idle() {
			d.repeatAt = now
		}
	case d.boot == l.boot: // the hub has restarted under a running agent
		d.helloBy = now
	default: // a new run of the agent: it says hello by itself
		d.drop()
		d.helloBy = now.Add(helloWait)
	}
	d.poll(now) // a device that comes for each contact anew has its ticks when it comes
	d.pump(l)
	d.polling = false
}

// Receive processes one frame from the device, and sends what is to be sent. Calls for one device do their work one
// after another.
func (l *Link) Receive(raw []byte) {
	l.lives()
	d := l.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current() != l {
		return
	}
	now := time.Now()
	d.contact(now, l.conn.Carrier())
	ans := d.receive(arrival{raw: raw, boot: l.boot, carrier: l.conn.Carrier(), at: now})
	l.tally().Up(uint8(ans.up))
	if l.ready {
		d.transmit(l, ans)
		d.arm(now)
	}
}

// Ping notes a ping of the carrier.
func (l *Link) Ping() {
	l.lives()
	if l.d.current() == l {
		l.d.contact(time.Now(), l.conn.Carrier())
	}
	t := l.tally() // or the next frame's class would pay for it
	t.Up(uint8(protocol.ClassSession))
	t.Down(uint8(protocol.ClassSession))
}

// Close says that the connection is gone. The session stays.
func (l *Link) Close() { l.detach() }

// detach takes the link from its device.
func (l *Link) detach() {
	l.mu.Lock()
	first := !l.ended
	l.ended = true
	l.mu.Unlock()
	l.lives() // whoever waits for a sign of life looks at ended
	if !first {
		return
	}
	if l.d.unlink(l) {
		l.d.m.c.Went(l.d.id)
	}
}

// unlink reports whether the link was the device's.
func (d *device) unlink(l *Link) bool {
	d.p.Lock()
	defer d.p.Unlock()
	if d.link != l {
		return false
	}
	d.link = nil
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	return true
}

// end tells the device why and closes the connection. It does not wait for a device that does not read.
func (l *Link) end(reason error) {
	var e *protocol.Error
	if errors.As(reason, &e) {
		l.farewell(e)
	}
	l.conn.Close(reason)
	l.detach()
}

// farewell writes a last refusal, for a second at most.
func (l *Link) farewell(e *protocol.Error) {
	msg, err := protocol.NewMessage(protocol.KindError, e)
	if err != nil {
		panic(err) // an Error has no field that can fail to encode
	}
	b, err := l.d.m.c.Codec.Encode(&protocol.Frame{Messages: []protocol.Message{msg}})
	if err != nil {
		return // too long a text; the connection is closed anyway
	}
	t := time.AfterFunc(time.Second, func() { l.conn.Close(e) })
	defer t.Stop()
	_ = l.conn.Send(b) // the next connection is told the same
}

func (l *Link) tally() *meter.Tally { return l.conn.Tally() }
