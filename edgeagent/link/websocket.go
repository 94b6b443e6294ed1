package link

import (
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
	u, err := endpoint(cfg.EdgeKey.HTTPS, "443")
	if err != nil {
		return opened{}, err
	}
	tls, err := d.Dial(ctx, u)
	if err != nil {
		return opened{}, err
	}
	// The HTTP client reads while it writes, so nothing may be held back.
	if err := tls.Uncork(); err != nil {
		_ = tls.Close()
		return opened{}, unreachable("WebSocket with %s: %w", u.Host, err)
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
	address := "https://" + u.Host + trimSlash(u.EscapedPath()) + protocol.PathMQTT
	ws, resp, err := websocket.Dial(upgrading, address, &websocket.DialOptions{
		HTTPClient: client, Subprotocols: []string{"mqtt"}, CompressionMode: websocket.CompressionDisabled,
		HTTPHeader: http.Header{"User-Agent": {""}}, // not sent
	})
	if err != nil {
		_ = tls.Close()
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return opened{}, unreachable("WebSocket with %s: it answered %s", u.Host, resp.Status)
		}
		return opened{}, unreachable("WebSocket with %s: %w", u.Host, err)
	}
	if ws.Subprotocol() != "mqtt" {
		_ = ws.CloseNow()
		return opened{}, unreachable("WebSocket with %s: it does not speak MQTT", u.Host)
	}
	conn := webSocketConn{Conn: websocket.NetConn(context.Background(), ws, websocket.MessageBinary), ws: ws, under: tls}
	return opened{Conn: conn, exporter: tls.Exporter, flush: func() error { return nil }}, nil
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
