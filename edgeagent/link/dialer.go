package link

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/farshore/farshore/protocol"
)

// DialConfig of a Dialer. HubKey must be set.
type DialConfig struct {
	// HubKey must have signed the certificate of the hub.
	HubKey ed25519.PublicKey
	// KeyExchange of TLS. 0: hybrid.
	KeyExchange protocol.KeyExchange
	// Timeout for making a connection, TLS included. 0: protocol.DefaultConnectTimeout.
	Timeout time.Duration
	// SendTimeout is how long sent bytes may stay unacknowledged by TCP before the connection counts as dead, on systems
	// that can tell (Linux). 0: protocol.DefaultExchangeTimeout.
	SendTimeout time.Duration
	// CertFile and KeyFile as in Config.
	CertFile, KeyFile string
	// Proxy, DialContext and Wrap as in Config.
	Proxy       func(*url.URL) (*url.URL, error)
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	Wrap        func(net.Conn) net.Conn
	// Abrupt and OnConnect as in Config.
	Abrupt    bool
	OnConnect func()
}

// Dialer makes verified TLS connections to a hub. It is immutable.
type Dialer struct {
	cfg DialConfig
	tls *tls.Config
}

// NewDialer returns a Dialer. It reads the environment's proxy settings once, if cfg.Proxy is unset.
func NewDialer(cfg DialConfig) *Dialer {
	cfg.Timeout = cmp.Or(cfg.Timeout, protocol.DefaultConnectTimeout)
	cfg.SendTimeout = cmp.Or(cfg.SendTimeout, protocol.DefaultExchangeTimeout)
	if cfg.Proxy == nil {
		cfg.Proxy = httpproxy.FromEnvironment().ProxyFunc()
	}
	if cfg.DialContext == nil {
		// The MQTT ping is the keep-alive: TCP's own would cost 1.1 MB a day.
		cfg.DialContext = (&net.Dialer{KeepAlive: -1}).DialContext
	}
	if cfg.OnConnect == nil {
		cfg.OnConnect = func() {}
	}
	d := &Dialer{cfg: cfg}
	d.tls = &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{protocol.ALPN},
		SessionTicketsDisabled: true,
		InsecureSkipVerify:     true, // names and dates are not judged; VerifyConnection checks what counts
		VerifyConnection:       d.verify,
		GetClientCertificate:   d.clientCertificate,
	}
	if cfg.KeyExchange == protocol.KeyExchangeClassic {
		d.tls.CurvePreferences = []tls.CurveID{tls.X25519}
	}
	return d
}

// verify accepts a leaf certificate that the hub key signed. That the peer holds the leaf's key is shown by TLS itself.
func (d *Dialer) verify(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return ErrWrongHub
	}
	leaf := state.PeerCertificates[0]
	if leaf.SignatureAlgorithm != x509.PureEd25519 || len(d.cfg.HubKey) != ed25519.PublicKeySize ||
		!ed25519.Verify(d.cfg.HubKey, leaf.RawTBSCertificate, leaf.Signature) {
		return ErrWrongHub
	}
	return nil
}

// Conn is a verified connection to the hub.
type Conn struct {
	*tls.Conn
	cork *cork
	// Exporter binds signatures to this connection, see protocol.Exporter.
	Exporter []byte
	certFile string // that was shown
	raw      net.Conn
	abrupt   bool
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	if c.abrupt {
		return c.raw.Close()
	}
	return c.Conn.Close()
}

// Uncork sends what the handshake left to be sent together with the first data. It must be called after the first Write.
func (c *Conn) Uncork() error { return c.cork.pull() }

// Dial connects to the host of u, which needs a port, directly or through a proxy, and checks that it is the hub. Errors
// wrap ErrUnreachable or ErrWrongHub.
func (d *Dialer) Dial(ctx context.Context, u *url.URL) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	raw, err := d.open(ctx, u.Host)
	if err != nil {
		return nil, d.timedOut(ctx, u.Host, err)
	}
	corked := &cork{Conn: raw}
	conf := d.tls.Clone()
	if net.ParseIP(u.Hostname()) == nil {
		conf.ServerName = u.Hostname() // for proxies that go by it
	}
	conn := tls.Client(corked, conf)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // the handshake's error is the one that counts
		if errors.Is(err, ErrWrongHub) {
			return nil, fmt.Errorf("%w: the certificate of %s is signed by another key: check the address and whatever intercepts TLS on the way, or ask for a new edge key if the hub was set up anew", ErrWrongHub, u.Host)
		}
		return nil, d.timedOut(ctx, u.Host, fmt.Errorf("TLS with %s: %w", u.Host, err))
	}
	state := conn.ConnectionState()
	exporter, err := protocol.Exporter(&state)
	if err != nil {
		_ = raw.Close()
		return nil, unreachable("TLS with %s: %w", u.Host, err)
	}
	d.cfg.OnConnect()
	return &Conn{Conn: conn, cork: corked, Exporter: exporter, certFile: d.cfg.CertFile, raw: raw, abrupt: d.cfg.Abrupt}, nil
}

func (d *Dialer) timedOut(ctx context.Context, host string, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return unreachable("no connection to %s within %v: %w", host, d.cfg.Timeout, err)
	}
	return unreachable("%w", err)
}

// open makes the connection below TLS.
func (d *Dialer) open(ctx context.Context, host string) (net.Conn, error) {
	proxy, err := d.cfg.Proxy(&url.URL{Scheme: "https", Host: host})
	if err != nil {
		return nil, fmt.Errorf("proxy settings: %w", err)
	}
	first := host
	if proxy != nil {
		if first, err = proxyAddress(proxy); err != nil {
			return nil, err
		}
	}
	conn, err := d.cfg.DialContext(ctx, "tcp", first)
	if err != nil {
		if proxy != nil {
			return nil, fmt.Errorf("connect to proxy %s: %w", proxy.Redacted(), err)
		}
		return nil, err
	}
	limitUnacknowledged(conn, d.cfg.SendTimeout)
	if d.cfg.Abrupt {
		endAtOnce(conn)
	}
	if d.cfg.Wrap != nil {
		conn = d.cfg.Wrap(conn)
	}
	if proxy == nil {
		return conn, nil
	}
	through, err := connectThrough(ctx, conn, proxyTo{proxy: proxy, host: host})
	if err != nil {
		_ = conn.Close() // the proxy's answer is the error that counts
		return nil, err
	}
	return through, nil
}

// endAtOnce makes closing a TCP connection send one packet (RST) and drop what was not sent: nothing is repeated, no end
// of the peer's is acknowledged, and the same holds when the process is killed.
func endAtOnce(conn net.Conn) {
	if tcp, ok := conn.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0) // else it ends as usual
	}
}
