package faultnet

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// maxBuffered is how many bytes may be under way in one direction before a writer waits, like a TCP send buffer.
const maxBuffered = 256 << 10

// packetSize is the most bytes that arrive together.
const packetSize = 16 << 10

// half is one direction of a connection.
type half struct {
	link    *Link
	address string // of the listener

	mu       sync.Mutex
	queue    []packet // in order of arrival
	buffered int
	limit    int       // of buffered
	free     time.Time // when the line has sent what was written before
	last     time.Time // arrival of the last packet: nothing overtakes
	eof      bool      // the writer has closed
	err      error     // the connection was cut
	changed  chan struct{}
}

// packet is what was written at once, and when it can be read.
type packet struct {
	data    []byte
	arrives time.Time
}

func newHalf(link *Link, address string) *half {
	return &half{link: link, address: address, limit: maxBuffered, changed: make(chan struct{})}
}

// wake tells everybody who waits that something has changed. mu is held.
func (h *half) wake() {
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *half) write(p []byte, deadline *deadline) (int, error) {
	written := 0
	for len(p) > 0 {
		h.mu.Lock()
		switch {
		case h.err != nil:
			defer h.mu.Unlock()
			return written, h.err
		case h.eof:
			defer h.mu.Unlock()
			return written, io.ErrClosedPipe
		case h.buffered >= h.limit:
			changed := h.changed
			h.mu.Unlock()
			if err := deadline.wait(changed, nil); err != nil {
				return written, err
			}
			continue
		}
		n := min(len(p), h.limit-h.buffered, packetSize)
		busy, travel := h.link.delay(n)
		if now := time.Now(); h.free.Before(now) {
			h.free = now
		}
		h.free = h.free.Add(busy)
		arrives := h.free.Add(travel)
		if arrives.Before(h.last) {
			arrives = h.last
		}
		h.last = arrives
		h.link.passing(Passing{Sent: time.Now(), Arrives: arrives, Bytes: n})
		h.queue = append(h.queue, packet{data: append([]byte(nil), p[:n]...), arrives: arrives})
		h.buffered += n
		h.wake()
		h.mu.Unlock()
		h.link.carry(n)
		written += n
		p = p[n:]
	}
	return written, nil
}

func (h *half) read(p []byte, deadline *deadline) (int, error) {
	for {
		h.mu.Lock()
		if h.err != nil {
			defer h.mu.Unlock()
			return 0, h.err
		}
		var arrives *time.Timer
		if len(h.queue) > 0 {
			first := &h.queue[0]
			wait := time.Until(first.arrives)
			if wait <= 0 && !h.link.silent(h.address) {
				n := copy(p, first.data)
				if first.data = first.data[n:]; len(first.data) == 0 {
					h.queue = h.queue[1:]
				}
				h.buffered -= n
				h.wake()
				h.mu.Unlock()
				return n, nil
			}
			if wait <= 0 { // the link is silent: look again later
				wait = time.Second
			}
			arrives = time.NewTimer(wait)
		} else if h.eof {
			defer h.mu.Unlock()
			return 0, io.EOF
		}
		changed := h.changed
		h.mu.Unlock()
		err := deadline.wait(changed, arrives)
		if arrives != nil {
			arrives.Stop()
		}
		if err != nil {
			return 0, err
		}
	}
}

func (h *half) close(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil && h.err == nil {
		h.err, h.queue = err, nil
	}
	h.eof = true
	h.wake()
}

// deadline is a net.Conn deadline.
type deadline struct {
	mu      sync.Mutex
	at      time.Time
	changed chan struct{}
}

func newDeadline() *deadline { return &deadline{changed: make(chan struct{})} }

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = t
	close(d.changed)
	d.changed = make(chan struct{})
}

// wait returns when something has changed, more has arrived, or with an error when the deadline has passed.
func (d *deadline) wait(changed <-chan struct{}, arrives *time.Timer) error {
	d.mu.Lock()
	at, moved := d.at, d.changed
	d.mu.Unlock()
	var expired <-chan time.Time
	if !at.IsZero() {
		t := time.NewTimer(time.Until(at))
		defer t.Stop()
		expired = t.C
	}
	var arrived <-chan time.Time
	if arrives != nil {
		arrived = arrives.C
	}
	select {
	case <-changed:
	case <-moved:
	case <-arrived:
	case <-expired:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// conn is one end of a connection.
type conn struct {
	in, out     *half
	read, write *deadline
	local, peer addr
	done        func()
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) { return c.in.read(p, c.read) }

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) { return c.out.write(p, c.write) }

// Close implements net.Conn.
func (c *conn) Close() error {
	c.out.close(nil)
	c.in.close(net.ErrClosed)
	c.done()
	return nil
}

// SetReadBuffer bounds what is under way to this end, as net.TCPConn does.
func (c *conn) SetReadBuffer(n int) error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.limit = max(1, min(n, maxBuffered))
	return nil
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return c.peer }

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	c.read.set(t)
	c.write.set(t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error { c.read.set(t); return nil }

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error { c.write.set(t); return nil }

// addr is an address in a Network.
type addr string

// Network implements net.Addr.
func (addr) Network() string { return "memory" }

// String implements net.Addr.
func (a addr) String() string { return string(a) }
