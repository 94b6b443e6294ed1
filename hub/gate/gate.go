// Package gate decides from which addresses people and devices may come to the hub's ports, whose word about an address
// counts, and how many requests one account may send.
//
// It knows connections, addresses and accounts' names, never who may do what: that is package access. Lists hold from
// the moment they are changed: whoever is outside then ends. It never limits devices by address, since many share one.
//
// A Gate is safe for concurrent use, and starts nothing.
package gate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/farshore/farshore/internal/proxyline"
)

// Defaults and bounds of Settings.
const (
	DefaultRate  = 50
	DefaultBurst = 200
	maxRate      = 100_000
	maxList      = 1000
)

// Errors that callers tell apart.
var (
	ErrInvalid = errors.New("cannot be accepted")
	// ErrShutOut: the change would shut out whoever makes it.
	ErrShutOut = errors.New("would shut you out")
	// ErrAddress: the address is in no list.
	ErrAddress = errors.New("may not come from this address")
)

// Settings are what people can change. The zero value lets in everybody.
type Settings struct {
	// People are the networks from which console and API may be used, Devices those from which agents may come: in CIDR
	// form, or single addresses. Empty: all.
	People  []string `cbor:"1,keyasint,omitempty"`
	Devices []string `cbor:"2,keyasint,omitempty"`
	// TrustedProxies are networks whose proxies are believed what they say of a caller's address.
	TrustedProxies []string `cbor:"3,keyasint,omitempty"`
	// RequestsPerSecond of one account, and how many it may send at once before that counts. 0: the defaults.
	RequestsPerSecond uint32 `cbor:"4,keyasint,omitempty"`
	Burst             uint32 `cbor:"5,keyasint,omitempty"`
}

// Store keeps the settings. Each method is one transaction.
type Store interface {
	// LoadProtection gives zero Settings where none were stored.
	LoadProtection() (Settings, error)
	PutProtection(Settings) error
}

// Certificates judges what a device showed in TLS, once more when the rules have changed.
type Certificates interface {
	Check(*tls.ConnectionState) error
	// Refusal reports whether a handshake failed for the device's certificate.
	Refusal(error) bool
}

// nowhere keeps nothing.
type nowhere struct{}

func (nowhere) LoadProtection() (Settings, error) { return Settings{}, nil }

func (nowhere) PutProtection(Settings) error { return nil }

// Config of a Gate.
type Config struct {
	// Store of the settings. Nil: none are kept.
	Store Store
	// Certificates of devices. Nil: devices need none.
	Certificates Certificates
	Log          *slog.Logger
}

// Gate is the rule about addresses.
type Gate struct {
	c     Config
	write sync.Mutex // held while a change is made durable; taken before mu

	mu      sync.RWMutex
	rules   rules
	held    map[*held]struct{}
	refused map[string]uint64 // by why

	buckets buckets
}

// held is what ends when its address is shut out.
type held struct {
	list  func(*rules) networks
	addr  func(*rules) netip.Addr
	state *tls.ConnectionState // of a device; nil: a request of people
	end   func()
}

// New reads the settings.
func New(c Config) (*Gate, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Store == nil {
		c.Store = nowhere{}
	}
	saved, err := c.Store.LoadProtection()
	if err != nil {
		return nil, fmt.Errorf("read the address lists: %w", err)
	}
	r, err := compile(saved)
	if err != nil {
		return nil, fmt.Errorf("stored address lists: %w", err)
	}
	return &Gate{c: c, rules: r, held: map[*held]struct{}{}, refused: map[string]uint64{}, buckets: newBuckets()}, nil
}

// Settings returns what holds, with defaults filled in.
func (g *Gate) Settings() Settings { return g.now().Settings }

func (g *Gate) now() *rules {
	g.mu.RLock()
	defer g.mu.RUnlock()
	r := g.rules // its lists are never written to
	return &r
}

// Change replaces the settings.
type Change struct {
	Settings Settings
	// Check is asked before anything is changed, with what holds so far. Nil: nothing is asked.
	Check func(Settings) error
	// Force: also when that shuts out the caller.
	Force bool
}

// Change makes a change durable and lets it hold at once: devices and requests that are outside end. ctx is that of the
// request that asks for it (see People). Errors wrap ErrInvalid or ErrShutOut.
func (g *Gate) Change(ctx context.Context, c Change) error {
	r, err := compile(c.Settings)
	if err != nil {
		return err
	}
	if from, ok := ctx.Value(originKey{}).(origin); ok && !c.Force {
		if addr := from.caller(&r); !r.people.admit(addr) {
			return fmt.Errorf("address list for people %w: you come from %s, which is in none of them: add it, or force the change", ErrShutOut, addr)
		}
	}
	g.write.Lock()
	defer g.write.Unlock()
	if c.Check != nil {
		if err := c.Check(g.Settings()); err != nil {
			return err
		}
	}
	if err := g.c.Store.PutProtection(r.Settings); err != nil {
		return fmt.Errorf("store the address lists: %w", err)
	}
	g.mu.Lock()
	g.rules = r
	g.mu.Unlock()
	g.Recheck()
	return nil
}

// Reset empties all lists of addresses. It is for those who are shut out, and asked by the hub's own machine.
func (g *Gate) Reset() error {
	s := g.Settings()
	s.People, s.Devices, s.TrustedProxies = nil, nil, nil
	return g.Change(context.Background(), Change{Settings: s})
}

// Recheck ends what may not be there any more.
func (g *Gate) Recheck() {
	g.mu.Lock()
	var out []*held
	for h := range g.held {
		if !h.list(&g.rules).admit(h.addr(&g.rules)) || h.state != nil && g.checkState(h.state) != nil {
			out = append(out, h)
		}
	}
	g.mu.Unlock()
	for _, h := range out {
		h.end()
	}
	if len(out) > 0 {
		g.c.Log.Info("connections ended that the new rules do not allow", "count", len(out))
	}
}

func (g *Gate) checkState(s *tls.ConnectionState) error {
	if g.c.Certificates == nil {
		return nil
	}
	return g.c.Certificates.Check(s)
}

// hold keeps h in sight until leave is called, or refuses it.
func (g *Gate) hold(h *held, why string) (leave func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if addr := h.addr(&g.rules); !h.list(&g.rules).admit(addr) {
		g.refused[why]++
		return func() {}, fmt.Errorf("%w: %s", ErrAddress, addr)
	}
	g.held[h] = struct{}{}
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.held, h)
	}, nil
}

// Device keeps a device's connection in sight, which ends when its address is shut out, or when its certificate is or has
// ended: c is closed, so its Close must not block. Whoever calls it calls leave, which may be called again and is never
// nil, when the connection has ended. Errors wrap ErrAddress, or say what is wrong with the certificate.
func (g *Gate) Device(remote net.Addr, c io.Closer, state *tls.ConnectionState) (leave func(), err error) {
	addr := addrOf(remote)
	h := &held{
		list: func(r *rules) networks { return r.devices }, addr: func(*rules) netip.Addr { return addr },
		state: state, end: func() { _ = c.Close() }, // nobody is told
	}
	forget, err := g.hold(h, whyDevice)
	if err != nil || g.c.Certificates == nil || state == nil {
		return forget, err
	}
	if err := g.checkState(state); err != nil { // the rules may have changed since the handshake
		forget()
		return forget, err
	}
	var until []*time.Timer
	for _, cert := range state.PeerCertificates {
		until = append(until, time.AfterFunc(time.Until(cert.NotAfter)+time.Second, func() {
			if g.checkState(state) != nil {
				h.end()
			}
		}))
	}
	return func() {
		for _, t := range until {
			t.Stop()
		}
		forget()
	}, nil
}

// Why something was refused, as in Refused.
const (
	whyNobody      = "address"
	whyPeople      = "people-address"
	whyDevice      = "device-address"
	whyCertificate = "device-certificate"
)

// Refused counts what was turned away since the hub started, by why.
func (g *Gate) Refused() map[string]uint64 {
	g.mu.RLock()
	defer g.mu.RUnlock()
	out := map[string]uint64{whyNobody: 0, whyPeople: 0, whyDevice: 0, whyCertificate: 0}
	for why, n := range g.refused {
		out[why] = n
	}
	return out
}

// HandshakeFailed counts a device that came without the certificate it needs; err is of the server's handshake.
func (g *Gate) HandshakeFailed(remote net.Addr, err error) {
	if g.c.Certificates == nil || !g.c.Certificates.Refusal(err) {
		return
	}
	g.refuse(whyCertificate)
	g.c.Log.Info("a device was refused for its certificate", "remote", remote, "error", err)
}

func (g *Gate) refuse(why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused[why]++
}

// Arrive gives an accepted connection its true other end, where a trusted proxy says it by the PROXY protocol, and
// refuses one from where neither people nor devices may come. Reading lasts until c is closed. Errors wrap ErrAddress.
func (g *Gate) Arrive(c net.Conn) (*proxyline.Conn, error) {
	r := g.now()
	conn := proxyline.Plain(c)
	if r.proxies.contains(addrOf(c.RemoteAddr())) {
		var err error
		if conn, err = proxyline.Read(c); err != nil {
			return nil, fmt.Errorf("proxy %s: %w", c.RemoteAddr(), err)
		}
	}
	if addr := addrOf(conn.RemoteAddr()); !r.people.admit(addr) && !r.devices.admit(addr) && !r.proxies.contains(addr) {
		g.refuse(whyNobody)
		return nil, fmt.Errorf("%w: %s", ErrAddress, addr)
	}
	return conn, nil
}

// Take counts a request of the account, and says how long it has to wait when there were too many. 0: it may be served.
func (g *Gate) Take(account string) time.Duration {
	s := g.Settings()
	return g.buckets.take(account, limit{float64(s.RequestsPerSecond), float64(s.Burst)}, time.Now())
}
