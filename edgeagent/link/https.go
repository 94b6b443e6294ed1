package link

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/farshore/farshore/protocol"
)

// linger is how long an HTTPS connection that is not kept waits for a next request: long enough for the answers that one
// frame calls for.
const linger = 5 * time.Second

type httpsTransport struct {
	cfg Config
	err error // of the edge key's address
	p   *poster
}

// NewHTTPS returns the transport that posts frames to the hub's public address.
func NewHTTPS(cfg Config) Transport {
	cfg = cfg.withDefaults()
	t := &httpsTransport{cfg: cfg, p: &poster{dial: cfg.dialer(), timeout: cfg.ExchangeTimeout}}
	t.p.base, t.err = endpoint(cfg.EdgeKey.HTTPS, "443")
	if cfg.Contacts == 0 || cfg.Contacts > cfg.IdleLimit {
		t.p.linger = linger
	}
	return t
}

func (t *httpsTransport) Name() protocol.Carrier { return protocol.CarrierHTTPS }

func (t *httpsTransport) Push() bool { return false }

func (t *httpsTransport) Connect(ctx context.Context) error {
	if t.err != nil {
		return t.err
	}
	return t.p.ready(ctx)
}

func (t *httpsTransport) Ping(ctx context.Context) error { return t.Send(ctx, nil) }

// Send posts the frame; an empty one asks whether there is something for the device.
func (t *httpsTransport) Send(ctx context.Context, frame []byte) error {
	switch {
	case t.err != nil:
		return t.err
	case len(frame) > protocol.MaxFrame:
		return fmt.Errorf("send frame: %w: %d bytes, at most %d", protocol.ErrTooLarge, len(frame), protocol.MaxFrame)
	}
	a, err := t.p.post(ctx, protocol.PathFrames, func(c *postConn) (string, []byte, error) {
		if !c.used.IsZero() {
			return "", frame, nil
		}
		sig := protocol.SignConnection(t.cfg.Key, protocol.PurposeHTTPS, t.cfg.Boot.String(), c.Exporter)
		return "Authorization: " + protocol.Authorization(t.cfg.id(), t.cfg.Boot, sig) + "\r\n", frame, nil
	})
	if err != nil {
		return err
	}
	switch a.status {
	case http.StatusOK, http.StatusNoContent:
	default:
		return a.refusal(t.cfg.Codec)
	}
	if len(a.body) > protocol.MaxFrame {
		return fmt.Errorf("answer of the hub: %w: %d bytes, at most %d", protocol.ErrTooLarge, len(a.body), protocol.MaxFrame)
	}
	if len(a.body) > 0 {
		t.cfg.OnFrame(a.body)
	}
	return nil
}

func (t *httpsTransport) Close() error {
	t.p.close()
	return nil
}
