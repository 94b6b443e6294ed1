package edgeagent

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/farshore/farshore/edgeagent/engine"
	"github.com/farshore/farshore/edgeagent/link"
	"github.com/farshore/farshore/edgeagent/tunnel"
	"github.com/farshore/farshore/internal/splice"
	"github.com/farshore/farshore/protocol"
)

// assembleTunnel makes the device's end of tunnels. base is how the hub is reached.
func (a *Agent) assembleTunnel(base link.Config) {
	base.DialContext = a.spending.Dial(protocol.ClassTunnel, a.dial)
	base.Wrap = a.metered(func(c net.Conn) net.Conn { return c })
	dial := a.cfg.DialEngine
	if dial == nil {
		dial = engine.Dialer(a.cfg.EngineHost)
	}
	a.tunnel = tunnel.New(tunnel.Config{
		Mode: a.cfg.Mode, Key: base.Key, HubKey: a.edgeKey.HubKey, Log: a.log,
		Dial: func(ctx context.Context) (net.Conn, error) { return link.DialTunnel(ctx, base) },
		Docker: func(ctx context.Context) (splice.Stream, error) {
			c, err := dial(ctx)
			if err != nil {
				return nil, err
			}
			s, ok := c.(splice.Stream)
			if !ok {
				_ = c.Close()
				return nil, fmt.Errorf("a connection of kind %T cannot be half closed", c)
			}
			return s, nil
		},
		Closing: func(ctx context.Context) {
			if err := a.capture.Now(ctx); err != nil {
				a.log.Debug("no snapshot before the tunnel closed", "error", err)
			}
		},
		Refuse: func(r protocol.TunnelRefusal) {
			if err := a.state.PutTunnelRefusal(r); err != nil {
				a.log.Warn("the hub is not told that no tunnel is opened", "error", err)
			}
			a.exchange.Wake()
		},
		Now: func() time.Time {
			now, _ := a.exchange.Clock().Now()
			return now
		},
	})
}
