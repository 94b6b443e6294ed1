// Package faultnet is a network in memory with links that are as bad as a test wants them: slow, thin, cut, or silent
// without a word. It keeps time by the clock of its process, so it can be used inside testing/synctest.
//
// It models delay and rate for each direction of a connection, not packets: what is written arrives in order or not at
// all. All types are safe for concurrent use.
package faultnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// Errors of connections.
var (
	// ErrCut: the link was cut.
	ErrCut = errors.New("link was cut")
	// ErrRefused: nobody listens at the address.
	ErrRefused = errors.New("connection refused")
)

// Network connects listeners and links. The zero value is ready for use.
type Network struct {
	mu        sync.Mutex
	listeners map[string]*listener
	blocked   map[string]Blocking
	links     []*Link
	nextPort  int
}

// Blocking is what becomes of traffic to an address.
type Blocking uint8

// The ways of blocking.
const (
	// Open lets everything through.
	Open Blocking = iota
	// Refuse ends the connections there are and refuses new ones, as a machine does that is up without the program.
	Refuse
	// Drop swallows everything without a word, as a firewall does.
	Drop
)

// Block decides what becomes of all traffic to an address.
func (n *Network) Block(address string, how Blocking) {
	n.mu.Lock()
	if n.blocked == nil {
		n.blocked = map[string]Blocking{}
	}
	n.blocked[address] = how
	links := slices.Clone(n.links)
	n.mu.Unlock()
	if how == Refuse {
		for _, l := range links {
			l.cut(func(own *conn) bool { return string(own.peer) == address })
		}
	}
}

func (n *Network) blocking(address string) Blocking {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.blocked[address]
}

// Listen opens an address such as 127.0.0.1:9443.
func (n *Network) Listen(address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[address] != nil {
		return nil, fmt.Errorf("listen %s: address already in use", address)
	}
	if n.listeners == nil {
		n.listeners = map[string]*listener{}
	}
	l := &listener{network: n, address: addr(address), incoming: make(chan net.Conn), closed: make(chan struct{})}
	n.listeners[address] = l
	return l, nil
}

// Link is one device's way into the network. Its knobs hold for the connections made through it, also for those that
// are up.
type Link struct {
	network *Network

	mu      sync.Mutex
	knobs   Knobs
	conns   map[*conn]*conn // own end to the other
	carried Carried
	watch   func(Passing) // nil: nobody watches
}

// Carried is what was put onto a link, by either end, whether or not it was read.
type Carried struct {
	// Connections that were made.
	Connections int
	// Bytes of payload, and how many segments of TCP it takes to carry them: 1,448 bytes in each.
	Bytes, Segments uint64
}

// Carried tells what was put onto the link up to now.
func (l *Link) Carried() Carried {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.carried
}

func (l *Link) carry(n int) {
	const segment = 1448
	l.mu.Lock()
	defer l.mu.Unlock()
	l.carried.Bytes += uint64(n)
	l.carried.Segments += uint64(n+segment-1) / segment
}

// Passing is something that passes a link.
type Passing struct {
	// Sent and Arrives say when. An attempt to connect arrives when it is made.
	Sent, Arrives time.Time
	// Bytes of payload. 0: an attempt to connect.
	Bytes int
}

// Watch tells watch of everything that passes from now on. It must not use the link.
func (l *Link) Watch(watch func(Passing)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watch = watch
}

func (l *Link) passing(p Passing) {
	l.mu.Lock()
	watch := l.watch
	l.mu.Unlock()
	if watch != nil {
		watch(p)
	}
}

// Knobs are how bad a link is. The zero value is a perfect one.
type Knobs struct {
	// Latency of one direction.
	Latency time.Duration
	// Rate in bytes a second of each connection and direction. 0: unlimited.
	Rate int
	// Down refuses new connections.
	Down bool
	// Silent swallows everything without a word, like a NAT that has forgotten: connecting hangs, nothing arrives.
	Silent bool
}

// NewLink returns a perfect link.
func (n *Network) NewLink() *Link {
	l := &Link{network: n, conns: map[*conn]*conn{}}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links = append(n.links, l)
	return l
}

// Set turns the knobs.
func (l *Link) Set(k Knobs) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.knobs = k
}

// Cut breaks all connections, on both ends.
func (l *Link) Cut() { l.cut(func(*conn) bool { return true }) }

func (l *Link) cut(which func(own *conn) bool) {
	l.mu.Lock()
	var ends []*conn
	for own, other := range l.conns {
		if which(own) {
			ends = append(ends, own, other)
			delete(l.conns, own)
		}
	}
	l.mu.Unlock()
	for _, c := range ends {
		c.in.close(ErrCut)
		c.out.close(ErrCut)
	}
}

// Connections is how many connections are up through the link.
func (l *Link) Connections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}

// delay is how long n bytes keep the line busy, and how long they then travel.
func (l *Link) delay(n int) (busy, travel time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.knobs.Rate > 0 {
		busy = time.Duration(n) * time.Second / time.Duration(l.knobs.Rate)
	}
	return busy, l.knobs.Latency
}

// silent reports whether traffic with the address is swallowed.
func (l *Link) silent(address string) bool {
	l.mu.Lock()
	silent := l.knobs.Silent
	l.mu.Unlock()
	return silent || l.network.blocking(address) == Drop
}

// DialContext connects to a listener of the network. Its signature is that of net.Dialer.DialContext.
func (l *Link) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	l.passing(Passing{Sent: time.Now(), Arrives: time.Now()})
	l.mu.Lock()
	knobs := l.knobs
	l.mu.Unlock()
	if l.silent(address) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	n := l.network
	n.mu.Lock()
	down := knobs.Down || n.blocked[address] == Refuse
	target := n.listeners[address]
	n.nextPort++
	from := addr(fmt.Sprintf("127.0.0.1:%d", 1024+n.nextPort%64000))
	n.mu.Unlock()
	if down || target == nil {
		return nil, fmt.Errorf("dial %s: %w", address, ErrRefused)
	}
	up, back := newHalf(l, address), newHalf(l, address)
	own := &conn{in: back, out: up, read: newDeadline(), write: newDeadline(), local: from, peer: target.address}
	other := &conn{in: up, out: back, read: newDeadline(), write: newDeadline(), local: target.address, peer: from}
	own.done = func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.conns, own)
	}
	other.done = func() {}
	timer := time.NewTimer(knobs.Latency * 2)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case target.incoming <- other:
	case <-target.closed:
		return nil, fmt.Errorf("dial %s: %w", address, ErrRefused)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	l.mu.Lock()
	l.conns[own] = other
	l.carried.Connections++
	l.mu.Unlock()
	if n.blocking(address) == Refuse { // since it was looked at
		l.cut(func(c *conn) bool { return c == own })
	}
	return own, nil
}

// listener is an open address.
type listener struct {
	network  *Network
	address  addr
	incoming chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.incoming:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.network.mu.Lock()
		defer l.network.mu.Unlock()
		delete(l.network.listeners, string(l.address))
	})
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.address }
