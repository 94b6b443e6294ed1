// Package broker is the hub's MQTT carrier: MQTT 3.1.1 over TLS 1.3 or over a WebSocket, embedded mochi. It is the
// only importer of mochi.
//
// It owns who may connect and what a connected device may do: publish to its own up topic, subscribe to its own down
// topic, ping and disconnect, and nothing else. Frames are handed to the session and come from there; nothing is ever
// routed from one client to another, retained or kept for later, so no rule about topics can be got round.
//
// CONNECT is read and bounded here before mochi sees the connection. The answer to a CONNECT that is refused is, by
// the numbers of MQTT 3.1.1: 1 not version 3.1.1; 2 another agent with this identity is connected (CodeCopy); 3 busy or
// stopping (CodeBusy); 4 the signature does not fit (CodeBadSignature); 5 not allowed: unknown or revoked
// (CodeUnknown, CodeRevoked), or a Will or a keep-alive of 0 was asked for.
//
// A Broker is safe for concurrent use; each connection is served by the goroutine that ServeConn was called in, and
// written to by whoever sends.
package broker

import (
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"

	"github.com/farshore/farshore/hub/session"
	"github.com/farshore/farshore/internal/doorway"
	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/internal/proxyline"
	"github.com/farshore/farshore/protocol"
)

// DefaultWriteTimeout is how long one write to a device may take before its connection is given up.
const DefaultWriteTimeout = protocol.DefaultExchangeTimeout

// maxConnect is the most bytes of a CONNECT packet's body; a device's has 112.
const maxConnect = 512

// Sessions is what the broker hands connections to; *session.Manager is one.
type Sessions interface {
	// Authenticate checks a proof made for the purpose; see session.Manager.
	Authenticate(purpose string, proof session.Proof) error
	// Attach takes over a connection, or refuses it with a *protocol.Error.
	Attach(protocol.DeviceID, protocol.Boot, session.Conn) (*session.Link, error)
	// Meter counts what a connection of the device costs until ended is called.
	Meter(protocol.DeviceID, *meter.Tally) (ended func())
	// Bound lets a connection end with the device's time of contact, until release is called.
	Bound(protocol.DeviceID, io.Closer) (release func())
}

// Gate says which devices may come in from where; *gate.Gate is one.
type Gate interface {
	// Arrive is asked before TLS, and may read what a proxy says first.
	Arrive(net.Conn) (*proxyline.Conn, error)
	// Device closes the connection when it may not be there any more, until leave is called.
	Device(net.Addr, io.Closer, *tls.ConnectionState) (leave func(), err error)
	HandshakeFailed(net.Addr, error)
}

// Config of a Broker.
type Config struct {
	Sessions Sessions
	// TLS of the MQTT port.
	TLS *tls.Config
	// Door bounds strangers; it may be shared with other ports. nil: one with the defaults.
	Door *doorway.Door
	// Gate of addresses.
	Gate Gate
	// WriteTimeout; zero means the default.
	WriteTimeout time.Duration
	Log          *slog.Logger
}

// Broker serves MQTT connections.
type Broker struct {
	c      Config
	server *mqtt.Server
}

// New returns a Broker. It starts nothing.
func New(c Config) (*Broker, error) {
	c.WriteTimeout = cmp.Or(c.WriteTimeout, DefaultWriteTimeout)
	if c.Door == nil {
		c.Door = doorway.New(doorway.Config{})
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	caps := mqtt.NewDefaultServerCapabilities()
	caps.MaximumPacketSize = protocol.MaxFrame + 64 // header and topic
	caps.MaximumClientWritesPending = 1             // frames are written by the session, not queued
	caps.ReceiveMaximum = 16
	caps.MaximumInflight = 16
	caps.TopicAliasMaximum = 0
	caps.SharedSubAvailable = 0
	caps.WildcardSubAvailable = 0
	caps.SubIDAvailable = 0
	caps.RetainAvailable = 0
	caps.MaximumQos = 1
	caps.MinimumProtocolVersion = 4
	caps.MaximumSessionExpiryInterval = 0
	b := &Broker{c: c, server: mqtt.New(&mqtt.Options{
		Capabilities:             caps,
		ClientNetReadBufferSize:  256,
		ClientNetWriteBufferSize: 256,
		Logger:                   slog.New(slog.DiscardHandler), // it logs whole packets
	})}
	if err := b.server.AddHook(&rules{broker: b}, nil); err != nil {
		return nil, err
	}
	return b, nil
}

// Serve accepts connections from l until ctx is done, and waits for those it has accepted to end. It closes l.
func (b *Broker) Serve(ctx context.Context, l net.Listener) error {
	return b.c.Door.Serve(ctx, l,
		func(c net.Conn, guest *doorway.Guest) { b.serveTLS(ctx, c, guest) },
		func(err error) { b.c.Log.Warn("connection could not be accepted", "error", err) })
}

// ServeConn serves one raw connection, TLS included, until it ends or ctx is done.
func (b *Broker) ServeConn(ctx context.Context, c net.Conn) {
	guest, err := b.c.Door.Enter(ctx, c)
	if err != nil {
		_ = c.Close()
		return
	}
	b.serveTLS(ctx, c, guest)
}

func (b *Broker) serveTLS(ctx context.Context, c net.Conn, guest *doorway.Guest) {
	defer c.Close()
	if err := b.greet(ctx, c, guest); err != nil {
		guest.Leave()
		b.c.Log.Debug("stranger gone", "remote", c.RemoteAddr(), "error", err)
	}
}

func (b *Broker) greet(ctx context.Context, c net.Conn, guest *doorway.Guest) error {
	arrived, err := b.c.Gate.Arrive(c)
	if err != nil {
		return err
	}
	tally := new(meter.Tally)
	raw := meter.Wrap(arrived, tally, meter.HubSide)
	t, err := b.c.Door.Handshake(ctx, raw, b.c.TLS)
	if err != nil {
		b.c.Gate.HandshakeFailed(arrived.RemoteAddr(), err)
		return err
	}
	state := t.ConnectionState()
	leave, err := b.c.Gate.Device(arrived.RemoteAddr(), raw, &state)
	if err != nil {
		return err
	}
	defer leave()
	b.ServeStream(ctx, Stream{Conn: t, State: state, Raw: raw, Tally: tally, Guest: guest})
	return nil
}

// Stream is an MQTT byte stream of a connection whose TLS was done elsewhere.
type Stream struct {
	Conn net.Conn
	// State of the TLS connection that carries it; the signature in CONNECT is bound to it.
	State tls.ConnectionState
	// Raw is the connection below TLS; closing it ends everything at once.
	Raw io.Closer
	// Tally counts its bytes.
	Tally *meter.Tally
	// Guest is its place among the strangers.
	Guest *doorway.Guest
}

// ServeStream serves one stream until it ends or ctx is done.
func (b *Broker) ServeStream(ctx context.Context, s Stream) {
	defer s.Guest.Leave()
	defer s.Raw.Close()
	defer context.AfterFunc(ctx, func() { _ = s.Raw.Close() })()
	c := &conn{Conn: s.Conn, stream: s, timeout: b.c.WriteTimeout}
	if err := c.readConnect(); err != nil {
		b.c.Log.Debug("stranger gone", "remote", s.Conn.RemoteAddr(), "error", err)
		return
	}
	err := b.server.EstablishConnection("", c)
	if c.link == nil {
		b.c.Log.Debug("connection refused", "device", c.id, "remote", s.Conn.RemoteAddr(), "error", err)
		c.linger()
		return
	}
	c.link.Close()
	_ = s.Raw.Close()
	c.ended()
	b.c.Log.Debug("device disconnected", "device", c.id, "carrier", protocol.CarrierMQTT, "remote", s.Conn.RemoteAddr(), "error", err)
}
