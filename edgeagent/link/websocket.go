package link

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"

	"github.com/coder/websocket"

	"github.com/farshore/farshore/protocol"
)

// NewMQTTWebSocket returns the transport that speaks MQTT in a WebSocket (RFC 6455) with the hub's public address, for networks
// that let nothing else through.
func NewMQTTWebSocket(cfg Config) Transport {
	cfg = cfg.withDefaults()
	d := cfg.dialer()
	return &mqttTransport{cfg: cfg, open: func(ctx context.Context) (opened, error) { return openWebSocket(ctx, d, cfg) }}
}

func openWebSocket(ctx context.Context, d *Dialer, cfg Config) (opened, error) {
	c, err := dialWebSocket(ctx, d, cfg, webSocket{cfg.EdgeKey.HTTPS, protocol.PathMQTT, "mqtt"})
	if err != nil {
		return opened{}, err
	}
	return opened{Conn: c, exporter: c.under.Exporter, flush: func() error { return nil }}, nil
}

// DialTunnel opens a stream to the hub's tunnel address.
func DialTunnel(ctx context.Context, cfg Config) (net.Conn, error) {
	cfg = cfg.withDefaults()
	return dialWebSocket(ctx, cfg.dialer(), cfg, webSocket{cmp.Or(cfg.EdgeKey.Tunnel, cfg.EdgeKey.HTTPS), protocol.PathTunnel, protocol.TunnelProtocol})
}

// webSocket is what a WebSocket is made to, and what shall be spoken in it.
type webSocket struct{ address, path, protocol string }

func dialWebSocket(ctx context.Context, d *Dialer, cfg Config, to webSocket) (webSocketConn, error) {
	var none webSocketConn
	u, err := endpoint(to.address, "443")
	if err != nil {
		return none, err
	}
	tls, err := d.Dial(ctx, u)
	if err != nil {
		return none, err
	}
	// The HTTP client reads while it writes, so nothing may be held back.
	if err := tls.Uncork(); err != nil {
		_ = tls.Close()
		return none, unreachable("WebSocket with %s: %w", u.Host, err)
	}
	var given sync.Once
	client := &http.Client{
		Transport: &http.Transport{
			DisableCompression: true,
			DialTLSContext: func(context.Context, string, string) (conn net.Conn, err error) {
				err = fmt.Errorf("a second connection was asked for")
				given.Do(func() { conn, err = tls, nil })
				return conn, err
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	upgrading, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout)
	defer cancel()
	address := "https://" + u.Host + trimSlash(u.EscapedPath()) + to.path
	ws, resp, err := websocket.Dial(upgrading, address, &websocket.DialOptions{
		HTTPClient: client, Subprotocols: []string{to.protocol}, CompressionMode: websocket.CompressionDisabled,
		HTTPHeader: http.Header{"User-Agent": {""}}, // not sent
	})
	if err != nil {
		_ = tls.Close()
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return none, unreachable("WebSocket with %s: it answered %s", u.Host, resp.Status)
		}
		return none, unreachable("WebSocket with %s: %w", u.Host, err)
	}
	if ws.Subprotocol() != to.protocol {
		_ = ws.CloseNow()
		return none, unreachable("WebSocket with %s: it does not speak %s", u.Host, to.protocol)
	}
	ws.SetReadLimit(-1) // what is spoken in it bounds what is kept
	return webSocketConn{Conn: websocket.NetConn(context.Background(), ws, websocket.MessageBinary), ws: ws, under: tls}, nil
}

// webSocketConn is a WebSocket whose end waits for nobody.
type webSocketConn struct {
	net.Conn
	ws    *websocket.Conn
	under *Conn
}

// Abort closes the connection without the closing handshake of WebSockets.
func (c webSocketConn) Abort() error {
	if c.under.abrupt {
		_ = c.under.Close() // before anybody can say something on it
	}
	return c.ws.CloseNow()
}
