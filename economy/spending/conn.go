package spending

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
)

// Dialer is what net.Dialer.DialContext is.
type Dialer = func(ctx context.Context, network, address string) (net.Conn, error)

const (
	// piece is how many bytes of payload are spent at a time.
	piece = 4 * 1448
	// smallPiece is the same where slices are small.
	smallPiece = 1448
	// crumb is how few bytes are not worth a read any more.
	crumb = 64
)

// Wrap puts a connection to the hub below the rules, and counts it. What it is for say Sent and Received.
func (k *Keeper) Wrap(c net.Conn) net.Conn {
	k.mu.Lock()
	hard := k.caps().Hard
	k.mu.Unlock()
	if small, ok := c.(interface{ SetReadBuffer(int) error }); ok && hard != 0 && hard/256 < 128<<10 {
		_ = small.SetReadBuffer(int(max(hard/256, 8<<10))) // what is on its way when the cap is met is on top of it
	}
	return k.opened(&conn{Conn: meter.Wrap(c, &k.hub, meter.AgentSide), k: k, hub: true})
}

// WrapFor is Wrap for connections of which all is of one class.
func (k *Keeper) WrapFor(class protocol.Class) func(net.Conn) net.Conn {
	return func(c net.Conn) net.Conn { return k.wrap(c, class) }
}

func (k *Keeper) wrap(c net.Conn, class protocol.Class) net.Conn {
	return k.opened(&conn{Conn: meter.Wrap(c, k.tally(class), meter.AgentSide), k: k, class: class})
}

// closes is what it costs at most to close a connection. It is held back as long as there is one.
const closes = 5 * 72

func (k *Keeper) opened(c *conn) *conn {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held += closes
	return c
}

// Attempts makes connections to the hub with dial. It counts the names that are looked up and the attempts that fail, and
// makes none while no connection is allowed.
func (k *Keeper) Attempts(dial Dialer) Dialer {
	return k.attempts(protocol.ClassSession, dial)
}

// Dial makes connections for a class of bytes that are counted, and refuse with an error that wraps ErrNotNow to spend
// what may not be spent.
func (k *Keeper) Dial(class protocol.Class, dial Dialer) Dialer {
	attempt := k.attempts(class, dial)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := attempt(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return k.wrap(c, class), nil
	}
}

// opens is what it costs at most to open and close a connection on which nothing is said.
const opens = 8*72 + closes

func (k *Keeper) attempts(class protocol.Class, dial Dialer) Dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if err := k.reserve(opens); err != nil {
			return nil, err
		}
		k.mu.Lock()
		now := k.turn()
		err := k.refusal(now, class)
		if err == nil && k.stage() == protocol.SpendingSilent {
			k.tryPing(now)
		}
		k.mu.Unlock()
		if err != nil {
			return nil, err
		}
		k.lookedUp(address)
		began := time.Now()
		c, err := dial(ctx, network, address)
		if err != nil {
			k.failed(class, time.Since(began))
		}
		return c, err
	}
}

// refusal is why a connection for a class cannot be made now, nil if it can.
func (k *Keeper) refusal(now time.Time, class protocol.Class) error {
	switch {
	case k.closed:
		return fmt.Errorf("%w: the agent is stopping", ErrNotNow)
	case !k.isOpen(now):
		return fmt.Errorf("%w: outside of its times of contact", ErrNotNow)
	case !k.may(class, opens, false):
		return fmt.Errorf("%w: %s", ErrNotNow, k.why())
	}
	return nil
}

// why says in a few words how the budget stands.
func (k *Keeper) why() string {
	return fmt.Sprintf("stage of spending %s, %d of %d bytes are spent until %s", k.stage(), k.spent(), k.caps().Hard,
		k.cycle.End().Format("2006-01-02 15:04 MST"))
}

// lookedUp counts an estimate of what it costs to look up the name in an address: a question and an answer for each
// family of addresses.
func (k *Keeper) lookedUp(address string) {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "localhost" {
		return
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return
	}
	const headers, question, record = 28, 12 + 6 + 11, 28 // IP and UDP; DNS, type and class, EDNS; one address with its name
	ask := uint64(headers + question + len(host))
	k.tally(protocol.ClassOther).Add(meter.Bytes{Up: 2 * ask, Down: 2 * (ask + record)})
}

// failed counts an estimate of what an attempt to connect has cost that failed after so long: the segment that asks is
// repeated after 1, 3, 7, 15, 31 and 63 s.
func (k *Keeper) failed(class protocol.Class, after time.Duration) {
	asked := uint64(1)
	for wait := time.Second; wait <= after && asked < 7; wait = 2*wait + time.Second {
		asked++
	}
	cost := meter.Bytes{Up: asked * 60}
	if after < time.Second {
		cost.Down = 40 // it was refused
	}
	if class == protocol.ClassSession {
		k.hub.Add(cost)
	} else {
		k.tally(class).Add(cost)
	}
}

// conn is a connection that spends.
type conn struct {
	*meter.Conn
	k     *Keeper
	hub   bool
	class protocol.Class // of all its bytes, unless it is the hub's
	once  sync.Once
	err   error

	pinging bool      // guarded by k.mu: it is the contact of the day of a silent device
	last    time.Time // of the reader: when something was read
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, hold, err := c.k.take(c, len(p), part)
	if err != nil {
		return 0, c.refused(err)
	}
	n, err = c.Conn.Read(p[:n])
	c.k.done(hold)
	if n > 0 {
		c.k.arrived(n, &c.last)
	}
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (written int, err error) {
	for len(p) > 0 {
		n, hold, err := c.k.take(c, len(p), whole)
		if err != nil {
			return written, c.refused(err)
		}
		n, err = c.Conn.Write(p[:n])
		c.k.done(hold)
		written += n
		p = p[n:]
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// refused ends the connection at once: whatever the other side still sends is not waited for.
func (c *conn) refused(err error) error {
	c.endAtOnce()
	_ = c.Close()
	return err
}

// endAtOnce makes closing a TCP connection send one packet (RST) and nothing that was not sent.
func (c *conn) endAtOnce() {
	if tcp, ok := c.Unwrap().(interface{ SetLinger(int) error }); ok {
		_ = tcp.SetLinger(0)
	}
}

// Close implements net.Conn. Outside of openings not even this says anything to the other side: the connection is
// parked until the next one.
func (c *conn) Close() error {
	c.once.Do(func() {
		if c.k.park(c) {
			c.err = c.SetDeadline(time.Unix(1, 0)) // who reads or writes ends
			return
		}
		c.err = c.Conn.Close()
		c.k.closing(c)
	})
	return c.err
}

// extent is how much of what is asked for must be spendable.
type extent int

const (
	part extent = iota
	whole
)

// take grants a read or write of at most n bytes of payload, and less where the whole is not needed at once. hold is for
// done.
func (k *Keeper) take(c *conn, n int, how extent) (granted int, hold uint64, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		now := k.turn()
		left, bounded, err := k.limit(c, now)
		if err != nil {
			return 0, 0, err
		}
		if bounded && c.AtMost(n) > left {
			if how == part {
				n = min(n, fitting(left))
			}
			if how == whole || n < crumb {
				return 0, 0, k.exhausted(c)
			}
		}
		granted = n
		if most := k.piece(); granted > most {
			granted = most
		}
		hold = c.AtMost(granted)
		if k.reserved(hold) {
			k.held += hold
			return granted, hold, nil
		}
		k.mu.Unlock()
		err = k.reserve(hold)
		k.mu.Lock()
		if err != nil {
			return 0, 0, err
		}
	}
}

func (k *Keeper) piece() int {
	if economy.Slice(k.rules.Budget) < 2*piece {
		return smallPiece
	}
	return piece
}

// fitting is how much payload so many bytes of wire carry at the least.
func fitting(left uint64) int {
	const fixed, segment, wire = 500, 1448, 1448 + 2*72
	if left <= fixed {
		return 0
	}
	return int(min((left-fixed)*segment/wire, 1<<20))
}

// limit is how much the connection may still spend.
func (k *Keeper) limit(c *conn, now time.Time) (left uint64, bounded bool, err error) {
	switch {
	case k.closed:
		return 0, true, fmt.Errorf("%w: the agent is stopping", ErrNotNow)
	case !k.isOpen(now):
		return 0, true, fmt.Errorf("%w: outside of its times of contact", ErrNotNow)
	}
	if k.stage() != protocol.SpendingSilent {
		if c.hub {
			left, bounded = k.effective().Left(k.spent(), protocol.ClassSession, true)
		} else {
			left, bounded = k.effective().Left(k.spent(), c.class, false)
		}
		return left, bounded, nil
	}
	if c.hub && !c.pinging && k.ping.until == 0 && k.pingDue(now) {
		k.beginPing(now)
		c.pinging = true
	}
	if !c.pinging {
		return 0, true, fmt.Errorf("%w: %s", ErrNotNow, k.why())
	}
	return k.ping.until - min(k.spent(), k.ping.until), true, nil
}

// exhausted notes that the hub's connection has met the hard cap, and says what was met.
func (k *Keeper) exhausted(c *conn) error {
	if c.hub && !c.pinging {
		k.reach(protocol.SpendingSilent)
	}
	return fmt.Errorf("%w: %s", ErrNotNow, k.why())
}

// done ends what take has granted.
func (k *Keeper) done(hold uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held -= hold
	k.stage() // wakes Run when it is another
}

// closing notes that a connection is closed.
func (k *Keeper) closing(c *conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.pinging {
		c.pinging, k.ping.until = false, 0
	}
	k.held -= closes
	k.stage()
}

// park keeps a connection that is to be closed until there is an opening, and reports that it does.
func (k *Keeper) park(c *conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || k.isOpen(k.turn()) {
		return false
	}
	k.parked = append(k.parked, c)
	return true
}

// unpark closes what was parked.
func (k *Keeper) unpark() {
	k.mu.Lock()
	parked := k.parked
	if !k.closed && !k.isOpen(k.turn()) {
		parked = nil
	} else {
		k.parked = nil
	}
	k.mu.Unlock()
	for _, c := range parked {
		c.endAtOnce()      // the hub has ended it long since
		_ = c.Conn.Close() // nothing is lost with it
		k.closing(c)
	}
}
