// Package link carries frames between an edge agent and its hub: MQTT over TLS, MQTT over WebSocket, and HTTPS, directly
// or through an HTTP proxy; and it carries knocks. It is the only importer of paho, of which it uses the packet codec;
// see DESIGN.md for why not more.
//
// It owns connections, their verification and authentication, and the choice of the carrier. It never looks into a frame
// that it carries (but for the refusal in an answer to a failed request), keeps nothing on disk, and repeats nothing that
// may have arrived except where the hub is sure to notice: numbering and repeating is the session's work.
//
// Transports are safe for concurrent use. An MQTT transport has one goroutine while it is connected, which calls
// OnFrame and OnDown, and Close waits for it; HTTPS has none, and calls OnFrame from within Send and Ping.
package link

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
)

// Errors of this package. Refusals by the hub are *protocol.Error instead.
var (
	// ErrUnreachable is wrapped by every error that says nothing about the device: no network, a proxy's 502, a hub that
	// does not answer in time. Trying again later is the remedy.
	ErrUnreachable = errors.New("hub is not reachable")
	// ErrWrongHub: what answered is not the hub of the edge key.
	ErrWrongHub = errors.New("this is not the hub of the edge key")
	// ErrClosed: the transport was closed, or never connected.
	ErrClosed = errors.New("not connected")
)

// Transport is one carrier.
type Transport interface {
	// Name of the carrier.
	Name() protocol.Carrier
	// Connect makes and authenticates a connection. With MQTT the device is subscribed and a first ping answered when it
	// returns, and OnFrame may have been called; HTTPS authenticates with the first Send or Ping. A refusal is a
	// *protocol.Error, other errors wrap ErrUnreachable or ErrWrongHub.
	Connect(ctx context.Context) error
	// Send hands one encoded frame to the hub. With HTTPS the answer has been given to OnFrame when it returns. With MQTT
	// it returns when the frame is written; a hub that then stays silent takes the connection down within the exchange
	// timeout.
	Send(ctx context.Context, frame []byte) error
	// Ping shows that the device lives and returns when the hub has answered.
	Ping(ctx context.Context) error
	// Push tells whether the hub can send by itself.
	Push() bool
	// Close ends the connection without OnDown. It may be called twice, and from OnDown, but not from OnFrame.
	Close() error
}

// DefaultIdleLimit is up to which interval an HTTPS connection is kept between contacts: long enough to spare the
// handshake (2.2 kB), short enough for the state tables of most networks.
const DefaultIdleLimit = 30 * time.Minute

// Config of a transport. EdgeKey, Key, Boot, OnFrame and Log must be set.
type Config struct {
	EdgeKey waitingroom.EdgeKey
	Key     ed25519.PrivateKey
	Boot    protocol.Boot
	// KeepAlive is the interval of pings, from which the MQTT keep-alive follows. 0: pings are off.
	KeepAlive time.Duration
	// Contacts is the shortest interval of contacts of any sort. 0: as KeepAlive.
	Contacts time.Duration
	// IdleLimit is up to which interval of contacts an HTTPS connection is kept. 0: DefaultIdleLimit.
	IdleLimit time.Duration
	// KeyExchange of TLS. 0: hybrid.
	KeyExchange protocol.KeyExchange
	// ConnectTimeout and ExchangeTimeout. 0: those of package protocol.
	ConnectTimeout, ExchangeTimeout time.Duration
	// CertFile and KeyFile are PEM files of a certificate that the hub may ask for, read for each connection. "": none.
	CertFile, KeyFile string
	// Proxy names the HTTP proxy for an address, nil for none. Unset: by HTTPS_PROXY and NO_PROXY of the environment.
	Proxy func(*url.URL) (*url.URL, error)
	// DialContext makes TCP connections. Unset: the network, with TCP keep-alive off.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Wrap is put around each TCP connection, below TLS, for counting bytes. Unset: nothing.
	Wrap func(net.Conn) net.Conn
	// Abrupt connections end with one packet (RST) and no word, so that nothing of them is sent any more once they are
	// closed. What was not acknowledged is lost with them. Unset: they end as usual.
	Abrupt bool
	// OnConnect is called when a connection was made, and nothing said on it yet. Unset: nobody is told.
	OnConnect func()
	// Codec reads refusals. nil: one of its own.
	Codec *protocol.Codec
	// OnFrame gets each frame from the hub, one at a time. It must not block for long.
	OnFrame func(frame []byte)
	// OnDown is called once for a connection that was made and is lost, but not for one that was closed. HTTPS never calls
	// it: there, errors come from Send and Ping. Unset: nobody is told.
	OnDown func(error)
	Log    *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Contacts = cmp.Or(c.Contacts, c.KeepAlive)
	if c.IdleLimit == 0 {
		c.IdleLimit = DefaultIdleLimit
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = protocol.DefaultConnectTimeout
	}
	if c.ExchangeTimeout == 0 {
		c.ExchangeTimeout = protocol.DefaultExchangeTimeout
	}
	if c.Codec == nil {
		c.Codec = protocol.NewCodec()
	}
	if c.OnDown == nil {
		c.OnDown = func(error) {}
	}
	if c.OnConnect == nil {
		c.OnConnect = func() {}
	}
	return c
}

func (c Config) id() protocol.DeviceID {
	return protocol.DeviceIDFor(c.Key.Public().(ed25519.PublicKey))
}

func (c Config) dialer() *Dialer {
	return NewDialer(DialConfig{
		HubKey: c.EdgeKey.HubKey, KeyExchange: c.KeyExchange, Timeout: c.ConnectTimeout, SendTimeout: c.ExchangeTimeout,
		CertFile: c.CertFile, KeyFile: c.KeyFile,
		Proxy: c.Proxy, DialContext: c.DialContext, Wrap: c.Wrap, Abrupt: c.Abrupt, OnConnect: c.OnConnect,
	})
}

// endpoint reads an address of the edge key and fills in the port.
func endpoint(address, port string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return nil, fmt.Errorf("hub address %.200q of the edge key: want scheme://host:port", address)
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	return u, nil
}

// unreachable says what failed, and that trying again is the remedy.
func unreachable(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrUnreachable, fmt.Errorf(format, args...))
}
