// Package doorway bounds what strangers can cost: connections that were accepted and have not authenticated yet.
//
// A Door lets a bounded number of strangers in at a time and drops each that has not authenticated within its
// timeout. When it is full, accepting waits, so that a storm of honest peers queues in the kernel instead of being
// turned away; a stranger that has stood there for a while then makes room, so that idle ones cannot lock honest
// peers out. TLS handshakes are computed by a bounded number of connections at a time; one that waits for its peer
// holds no place, so that slow peers do not block others.
//
// It knows no protocol and never decides who is authentic: its users call Leave when they know.
//
// A Door and its Guests are safe for concurrent use.
package doorway

import (
	"cmp"
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// Defaults of Config.
const (
	DefaultMax        = 512
	DefaultTimeout    = 10 * time.Second
	DefaultPatience   = 3 * time.Second
	DefaultHandshakes = 8
)

// Config of a Door. Zero values mean the defaults.
type Config struct {
	// Max strangers at a time.
	Max int
	// Timeout after which a stranger is dropped.
	Timeout time.Duration
	// Patience is how long a stranger is safe when others wait to come in.
	Patience time.Duration
	// Handshakes computed at a time.
	Handshakes int
}

// Door is the way in.
type Door struct {
	max               int
	timeout, patience time.Duration
	slots             chan struct{}
	room              chan struct{} // signals that somebody left

	mu     sync.Mutex
	guests list.List // of *Guest, oldest first
}

// New returns a Door.
func New(c Config) *Door {
	return &Door{
		max:      cmp.Or(c.Max, DefaultMax),
		timeout:  cmp.Or(c.Timeout, DefaultTimeout),
		patience: cmp.Or(c.Patience, DefaultPatience),
		slots:    make(chan struct{}, cmp.Or(c.Handshakes, DefaultHandshakes)),
		room:     make(chan struct{}, 1),
	}
}

// Guest is one connection that came in.
type Guest struct {
	door *Door
	conn io.Closer

	// Guarded by door.mu.
	at    *list.Element // nil: not a stranger (any more)
	since time.Time
	timer *time.Timer
}

// Strangers is how many are in the door now.
func (d *Door) Strangers() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.guests.Len()
}

// Enter lets a stranger in, waiting for room until ctx is done. c is closed when the stranger is dropped; its
// Close must not block (so: the connection below TLS).
func (d *Door) Enter(ctx context.Context, c io.Closer) (*Guest, error) {
	g := &Guest{door: d, conn: c}
	for {
		wait, ok := d.tryEnter(g)
		if ok {
			return g, nil
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil, context.Cause(ctx)
		case <-d.room:
		case <-t.C:
		}
		t.Stop()
	}
}

// tryEnter adds g if there is room or the oldest stranger's time is up, and otherwise says how long that will last.
func (d *Door) tryEnter(g *Guest) (wait time.Duration, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.guests.Len() >= d.max {
		oldest := d.guests.Front().Value.(*Guest)
		if age := time.Since(oldest.since); age < d.patience {
			return d.patience - age, false
		}
		oldest.drop()
	}
	g.enter()
	if d.guests.Len() < d.max { // one signal may stand for several that left
		d.signal()
	}
	return 0, true
}

func (d *Door) signal() {
	select {
	case d.room <- struct{}{}:
	default:
	}
}

// enter needs door.mu.
func (g *Guest) enter() {
	g.since = time.Now()
	g.at = g.door.guests.PushBack(g)
	g.timer = time.AfterFunc(g.door.timeout, func() {
		g.door.mu.Lock()
		defer g.door.mu.Unlock()
		g.drop()
	})
}

// leave needs door.mu.
func (g *Guest) leave() bool {
	if g.at == nil {
		return false
	}
	g.door.guests.Remove(g.at)
	g.at = nil
	g.timer.Stop()
	g.door.signal()
	return true
}

// drop needs door.mu.
func (g *Guest) drop() {
	if g.leave() {
		_ = g.conn.Close() // nobody is left to tell
	}
}

// Leave says that the guest is no stranger any more: it authenticated, or it is gone. It may be called again.
func (g *Guest) Leave() {
	g.door.mu.Lock()
	defer g.door.mu.Unlock()
	g.leave()
}

// Return makes the guest a stranger again, with a new timeout. It does not wait: when the door is full, the oldest
// stranger is dropped.
func (g *Guest) Return() {
	d := g.door
	d.mu.Lock()
	defer d.mu.Unlock()
	if g.at != nil {
		return
	}
	if d.guests.Len() >= d.max {
		d.guests.Front().Value.(*Guest).drop()
	}
	g.enter()
}

// Serve accepts connections from l, lets each in, and calls serve for it in a goroutine of its own. When ctx is done it
// closes l, waits for all of them and returns nil. A connection that cannot be accepted (most likely for lack of file
// descriptors) is told to warn, and accepting pauses for a moment.
func (d *Door) Serve(ctx context.Context, l net.Listener, serve func(net.Conn, *Guest), warn func(error)) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	defer l.Close()
	for pause := time.Duration(0); ; {
		c, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = c.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			warn(err)
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			continue
		}
		pause = 0
		g, err := d.Enter(ctx, c)
		if err != nil {
			_ = c.Close()
			return nil // ctx is done
		}
		wg.Go(func() { serve(c, g) })
	}
}

// Handshake does the server's side of TLS on c. On an error, c is closed.
func (d *Door) Handshake(ctx context.Context, c net.Conn, config *tls.Config) (*tls.Conn, error) {
	p := &paced{Conn: c, slots: d.slots}
	t := tls.Server(p, config)
	err := t.HandshakeContext(ctx)
	p.release()
	p.done = true
	if err != nil {
		return nil, errors.Join(fmt.Errorf("TLS handshake: %w", err), c.Close())
	}
	return t, nil
}

// paced holds a slot while its reader computes, and none while it waits for the peer. One goroutine uses it until
// done is set; from then on it only passes through.
type paced struct {
	net.Conn
	slots   chan struct{}
	holding bool
	done    bool
}

func (p *paced) Read(b []byte) (int, error) {
	if p.done {
		return p.Conn.Read(b)
	}
	p.release()
	n, err := p.Conn.Read(b)
	p.slots <- struct{}{}
	p.holding = true
	return n, err
}

func (p *paced) release() {
	if p.holding {
		<-p.slots
		p.holding = false
	}
}

// Unwrap returns the connection below.
func (p *paced) Unwrap() net.Conn { return p.Conn }

// Listen opens a TCP listener without TCP keep-alive: Go's default costs 1.1 MB a day on an idle connection, and the
// carriers have pings of their own. A port in use is said with the remedy.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: -1}
	l, err := lc.Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: the port is in use: stop the program that has it, or choose another address: %w", addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	return l, nil
}
