// Package meter counts what connections cost on the wire: bytes up (towards the hub) and down, by class, TCP/IP
// headers included.
//
// It sits below TLS, so everything that TLS and the carrier add is counted as it is. What TCP/IP adds is asked of the
// kernel, where that can be asked (Linux): segments, bare acknowledgements and what was sent again are counted, at each
// read and write and once more at the end; agents count what came twice too. What is lost on its way to this end nobody
// here knows. Elsewhere it is estimated:
// 52 bytes of header for each segment (IPv4 with timestamps; 72 for IPv6), segments of 1,448 bytes, one bare
// acknowledgement for each second segment of a run, and one for what then is left of a turn that was not answered with
// data within the 40 ms of a delayed acknowledgement, and the segments that open and close a connection. Reads that fill their
// buffer are one stream with the read that follows, since segments do not end where buffers do. Retransmissions are not
// seen then.
//
// The layer below TLS does not know what its bytes are for. Bytes gather unattributed, and whoever reads or writes a
// frame calls Up or Down, which gives what gathered in that direction to the frame's class. What nobody claims
// (handshakes, pings, acknowledgements) is class 0. The totals are exact in any case.
//
// A Tally and a Conn are safe for concurrent use.
package meter

import (
	"errors"
	"io"
	"math"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Classes is how many classes a Tally tells apart. Class numbers are those of the wire protocol; 0 is the session's
// own overhead.
const Classes = 9

// Bytes is one count in both directions.
type Bytes struct {
	Up, Down uint64
}

// Counts has one Bytes for each class.
type Counts [Classes]Bytes

// Total sums all classes.
func (c *Counts) Total() Bytes {
	var t Bytes
	for _, b := range c {
		t.Up, t.Down = plus(t.Up, b.Up), plus(t.Down, b.Down)
	}
	return t
}

// Add adds o to c.
func (c *Counts) Add(o Counts) {
	for i := range c {
		c[i].Up, c[i].Down = plus(c[i].Up, o[i].Up), plus(c[i].Down, o[i].Down)
	}
}

// plus adds without going round: what is too much stays the most there is.
func plus(a, b uint64) uint64 {
	if a+b < a {
		return math.MaxUint64
	}
	return a + b
}

// Tally counts the bytes of one connection. The zero value is ready for use.
type Tally struct {
	mu     sync.Mutex
	counts Counts
	loose  Bytes  // counted, not yet attributed
	agent  bool   // it counts at that end
	repeat uint64 // how many of the segments that came twice, on all of the machine's connections, are spoken for
}

// Up gives what gathered upwards since the last call to class, and says how much that was. A class out of range counts as 0.
func (t *Tally) Up(class uint8) (gathered uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	gathered, t.loose.Up = t.loose.Up, 0
	t.counts[inRange(class)].Up += gathered
	return gathered
}

// Down is Up for what gathered downwards.
func (t *Tally) Down(class uint8) (gathered uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	gathered, t.loose.Down = t.loose.Down, 0
	t.counts[inRange(class)].Down += gathered
	return gathered
}

// DownAtMost is Down for no more than n bytes: what came is of the class, but some of what follows has come with it.
func (t *Tally) DownAtMost(class uint8, n uint64) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	n = min(n, t.loose.Down)
	t.counts[inRange(class)].Down += n
	t.loose.Down -= n
	return n
}

// repeated is how many of at most n segments came twice, where so many did on all connections by now: none is counted for
// two of them.
func (t *Tally) repeated(n, now uint64) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	n = min(n, now-min(now, t.repeat))
	t.repeat += n
	return n
}

// begin says that what came twice before is nobody's.
func (t *Tally) begin(now uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.agent {
		t.agent, t.repeat = true, now
	}
}

// Claimed returns what was given to a class up to now. Each of its counts only grows.
func (t *Tally) Claimed() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}

// Counts returns what was counted up to now; what nobody claimed is in class 0.
func (t *Tally) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counts
	c[0].Up += t.loose.Up
	c[0].Down += t.loose.Down
	return c
}

// Add counts bytes that no Conn has seen, such as those of a name that was looked up. They gather like others.
func (t *Tally) Add(b Bytes) { t.add(b) }

func (t *Tally) add(b Bytes) {
	t.mu.Lock()
	t.loose.Up += b.Up
	t.loose.Down += b.Down
	t.mu.Unlock()
}

func inRange(class uint8) uint8 {
	if class >= Classes {
		return 0
	}
	return class
}

const (
	segment    = 1448 // payload of a full segment: 1,500 less 40 of IPv4 and TCP, less 12 of timestamps
	headerIPv4 = 52
	headerIPv6 = 72
	delayedAck = 40 * time.Millisecond
)

// direction of payload, as this end sees it.
type direction int8

const (
	none direction = iota
	in
	out
)

// Side is which end of the connection counts, so that up and down mean the same at both.
type Side int8

// The sides.
const (
	HubSide   Side = iota // reads are up
	AgentSide             // reads are down
)

// Conn is a connection that counts what passes into a Tally.
type Conn struct {
	net.Conn
	tally  *Tally
	side   Side
	header uint64

	mu     sync.Mutex
	kernel *kernel   // nil: what TCP/IP adds is estimated
	read   uint64    // payload
	ended  bool      // the other end has closed
	last   direction // of the last payload, still to be acknowledged
	lastAt time.Time
	// unacknowledged segments of the run that last belongs to.
	unacknowledged uint64
	stream         int  // how much of its segment has been read where the last read ended
	more           bool // that read has filled its buffer
	closed         bool
}

// Wrap counts everything that passes c from now on into t, and the opening of c itself.
func Wrap(c net.Conn, t *Tally, side Side) *Conn {
	m := &Conn{Conn: c, tally: t, side: side, header: headerFor(c.RemoteAddr()), kernel: kernelOf(c, side)}
	if m.kernel != nil && side == AgentSide {
		t.begin(repeated())
	}
	// SYN and SYN-ACK carry 8 bytes of options more than a data segment; the third packet is bare.
	opener, answerer := 2*m.header+8, m.header+8
	t.add(Bytes{Up: opener, Down: answerer}) // agents open, hubs answer
	return m
}

func headerFor(a net.Addr) uint64 {
	if a == nil {
		return headerIPv4
	}
	if ap, err := netip.ParseAddrPort(a.String()); err == nil && ap.Addr().Is6() && !ap.Addr().Is4In6() {
		return headerIPv6
	}
	return headerIPv4
}

// Read implements net.Conn.
func (m *Conn) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	if n > 0 {
		m.received(n, n == len(p))
	}
	if errors.Is(err, io.EOF) {
		m.mu.Lock()
		m.ended = true
		m.mu.Unlock()
	}
	return n, err
}

// Write implements net.Conn.
func (m *Conn) Write(p []byte) (int, error) {
	n, err := m.Conn.Write(p)
	if n > 0 {
		m.mu.Lock()
		m.stream, m.more = 0, false
		m.passed(out, n, segments(n))
		m.mu.Unlock()
	}
	return n, err
}

// AtMost is the most that one Read or Write of n bytes can add to the count.
func (m *Conn) AtMost(n int) uint64 {
	s := segments(n) + 1
	return uint64(n) + (s+s/2+2)*m.header
}

func segments(n int) uint64 { return uint64(n+segment-1) / segment }

// Close implements net.Conn and counts the closing of the connection once.
func (m *Conn) Close() error {
	m.mu.Lock()
	if !m.closed {
		m.closed = true
		if m.kernel != nil {
			m.tally.add(m.finish())
		} else {
			m.tally.add(m.settle(none, time.Time{}))
			m.tally.add(Bytes{Up: 2 * m.header, Down: 2 * m.header}) // FIN and its acknowledgement, both ways
		}
	}
	m.mu.Unlock()
	return m.Conn.Close()
}

// Unwrap returns the connection below.
func (m *Conn) Unwrap() net.Conn { return m.Conn }

// received counts a read. full is whether it filled its buffer, so that the next one may go on in the same segment.
func (m *Conn) received(n int, full bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.more {
		m.stream = 0
	}
	began := segments(m.stream+n) - segments(m.stream)
	m.stream, m.more = (m.stream+n)%segment, full
	m.passed(in, n, began)
}

// passed counts payload and the segments that it began. The caller holds mu.
func (m *Conn) passed(d direction, n int, began uint64) {
	if m.kernel != nil {
		m.tally.add(m.known(d, n))
		return
	}
	now := time.Now()
	b := m.settle(d, now)
	b.count(m.up(d), uint64(n)+began*m.header)
	m.unacknowledged += began
	b.count(!m.up(d), m.unacknowledged/2*m.header) // within a run each second segment is acknowledged
	m.unacknowledged %= 2
	m.last, m.lastAt = d, now
	m.tally.add(b)
}

// known is passed where the kernel can be asked.
func (m *Conn) known(d direction, n int) (b Bytes) {
	if d == in {
		m.read += uint64(n)
	}
	b.count(m.up(d), uint64(n))
	got, sent := m.kernel.more(m.header, m.tally)
	b.count(m.up(in), got)
	b.count(m.up(out), sent)
	return b
}

// finish counts what is left when the connection is closed: what came and was not read, and FIN and its acknowledgement,
// both ways where the other end has not closed before.
func (m *Conn) finish() (b Bytes) {
	got, sent := m.kernel.more(m.header, m.tally)
	if unread := m.kernel.last.received; unread > m.read {
		got += unread - m.read
	}
	ways := uint64(2)
	if m.ended {
		ways = 1
	}
	b.count(m.up(in), got+ways*m.header)
	b.count(m.up(out), sent+ways*m.header)
	return b
}

// settle counts the bare acknowledgement of the last payload, unless payload in direction d at now carries it or goes on
// with its run.
func (m *Conn) settle(d direction, now time.Time) (b Bytes) {
	soon := d != none && now.Sub(m.lastAt) < delayedAck
	if d == m.last && soon {
		return b
	}
	if m.last != none && !soon && m.unacknowledged > 0 {
		b.count(!m.up(m.last), m.header)
	}
	m.last, m.unacknowledged = none, 0
	return b
}

func (m *Conn) up(d direction) bool { return (d == in) == (m.side == HubSide) }

func (b *Bytes) count(up bool, n uint64) {
	if up {
		b.Up += n
	} else {
		b.Down += n
	}
}
