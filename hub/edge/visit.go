package edge

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"sync"

	"github.com/farshore/farshore/internal/doorway"
	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
)

// visit is what is known of one connection.
type visit struct {
	raw   *meter.Conn
	tally *meter.Tally
	guest *doorway.Guest
	state tls.ConnectionState
	leave func() // of the gate; may be called again

	// Set when the connection authenticated, by its own goroutine, which alone reads them.
	device protocol.DeviceID
	boot   protocol.Boot
	answer protocol.Class // of the last answer, which is written when its handler has ended
	settle func()         // says that the connection costs nothing any more
}

// spent accounts for a request that was read, and for the answer to the one before it.
func (v *visit) spent(up, down protocol.Class) {
	v.tally.Up(uint8(up))
	v.tally.Down(uint8(v.answer))
	v.answer = down
}

// agentConn is an agent's connection as net/http is given it. That it is TLS is hidden, because net/http drops
// connections with an application protocol it does not know; the visit has the TLS state.
type agentConn struct {
	net.Conn // *tls.Conn
	visit    *visit
}

// wire carries the visit below TLS, so that it can be found from the connection that net/http knows.
type wire struct {
	net.Conn
	visit *visit
}

// Close implements net.Conn.
func (w *wire) Close() error {
	w.visit.leave()
	return w.Conn.Close()
}

// visitOf finds the visit of a connection that receive made.
func visitOf(c net.Conn) *visit {
	if a, ok := c.(*agentConn); ok {
		return a.visit
	}
	t, ok := c.(*tls.Conn)
	if !ok {
		return nil
	}
	for under := t.NetConn(); under != nil; {
		switch u := under.(type) {
		case *wire:
			return u.visit
		case interface{ Unwrap() net.Conn }:
			under = u.Unwrap()
		default:
			return nil
		}
	}
	return nil
}

type visitKey struct{}

func withVisit(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, visitKey{}, visitOf(c))
}

// began lists an authenticated visit. A device that keeps too many loses the oldest.
func (s *Server) began(v *visit) {
	ended, release := s.c.Sessions.Meter(v.device, v.tally), s.c.Sessions.Bound(v.device, v.raw)
	v.settle = func() { release(); ended() }
	s.mu.Lock()
	defer s.mu.Unlock()
	list := append(s.visits[v.device], v)
	if len(list) > maxConnections {
		_ = list[0].raw.Close() // the device has newer ones
		list = slices.Delete(list, 0, 1)
	}
	s.visits[v.device] = list
}

// ended accounts for an authenticated visit that is over.
func (s *Server) ended(v *visit) {
	if v.device == "" {
		return
	}
	s.mu.Lock()
	list := s.visits[v.device]
	if i := slices.Index(list, v); i >= 0 {
		list = slices.Delete(list, i, i+1)
	}
	if len(list) == 0 {
		delete(s.visits, v.device)
	} else {
		s.visits[v.device] = list
	}
	s.mu.Unlock()
	v.tally.Down(uint8(v.answer))
	v.settle()
}

// branch is a listener that is handed its connections.
type branch struct {
	addr  net.Addr
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newBranch(addr net.Addr) *branch {
	return &branch{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

// hand passes a connection on; false: nobody takes it any more.
func (b *branch) hand(ctx context.Context, c net.Conn) bool {
	select {
	case b.conns <- c:
		return true
	case <-b.done:
	case <-ctx.Done():
	}
	return false
}

// Accept implements net.Listener.
func (b *branch) Accept() (net.Conn, error) {
	select {
	case c := <-b.conns:
		return c, nil
	case <-b.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (b *branch) Close() error {
	b.once.Do(func() { close(b.done) })
	return nil
}

// Addr implements net.Listener.
func (b *branch) Addr() net.Addr { return b.addr }
