package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/protocol/window"
)

// receive takes over one frame. An error ends the connection; what was not acknowledged comes again on the next.
func (c *connection) receive(ctx context.Context, b []byte) error {
	f, err := c.cfg.Codec.Decode(b)
	if err != nil {
		return fmt.Errorf("the hub sent what cannot be read: %w", err)
	}
	c.contacted()
	if f.Seq == 0 {
		for _, m := range f.Messages {
			if m.Kind == protocol.KindError {
				if err := c.refused(ctx, m); err != nil {
					return err
				}
			}
		}
	}
	if c.win == nil {
		return c.open(ctx)
	}
	verdict, acked := c.win.Receive(f)
	for _, a := range acked {
		if err := c.acked(a); err != nil {
			return err
		}
	}
	switch verdict {
	case window.Foreign:
		return nil
	case window.Deliver:
		if err := c.process(f.Messages); err != nil {
			return err
		}
		c.win.Done(f)
		c.ackDue = true
		c.askAgain = slices.ContainsFunc(f.Messages, func(m protocol.Message) bool { return m.Kind != protocol.KindWelcome })
	case window.Duplicate:
		c.ackDue = true
	case window.Gap:
		if err := c.sendFrame(ctx, c.win.Missing()); err != nil {
			return err
		}
	}
	if c.reopen {
		return c.open(ctx)
	}
	if f.Repeat {
		if err := c.repeat(ctx); err != nil {
			return err
		}
	}
	if err := c.flush(ctx); err != nil {
		return err
	}
	if c.reconnect && c.win.Idle() {
		return fmt.Errorf("settings changed: %w", ErrReconnect)
	}
	return nil
}

// acked does what was to be done when the hub has processed a frame.
func (c *connection) acked(f *protocol.Frame) error {
	c.repeats = 0
	onAck := c.onAck[f.Seq]
	delete(c.onAck, f.Seq)
	if onAck == nil {
		return nil
	}
	return onAck()
}

// refused handles an Error message. It returns an error when the connection must end.
func (c *connection) refused(ctx context.Context, m protocol.Message) error {
	var e protocol.Error
	if err := m.Decode(&e); err != nil {
		return err
	}
	switch e.Code {
	case protocol.CodeHelloWanted:
		if c.win != nil && c.sessionUnanswered() {
			return nil // it crossed our Hello
		}
		c.log.Info("the hub does not know this session: opening a new one")
		return c.open(ctx)
	case protocol.CodeRevoked, protocol.CodeUnknown, protocol.CodeCopy, protocol.CodeTooOld, protocol.CodeBusy:
		return &e
	}
	c.log.Warn("the hub refused what was sent", "code", e.Code.String(), "error", e.Text)
	return c.cfg.State.PutEvent("refused-by-hub", e.Error())
}

// process takes over the messages of one frame, making durable what the acknowledgement will stand for.
func (c *connection) process(messages []protocol.Message) error {
	for _, m := range messages {
		if err := c.processOne(m); err != nil {
			return fmt.Errorf("%s: %w", m.Kind, err)
		}
	}
	return nil
}

func (c *connection) processOne(m protocol.Message) error {
	switch m.Kind {
	case protocol.KindWelcome:
		var w protocol.Welcome
		if err := m.Decode(&w); err != nil {
			return err
		}
		c.welcome(w)
	case protocol.KindOrders:
		var o protocol.Orders
		if err := m.Decode(&o); err != nil {
			return err
		}
		return c.orders(&o)
	case protocol.KindChunk:
		var chunk protocol.BlobChunk
		if err := m.Decode(&chunk); err != nil {
			return err
		}
		return c.blobs.take(chunk)
	case protocol.KindFullWanted:
		c.fullDue, c.sending = true, false
	default:
		c.log.Debug("message of an unknown kind was skipped", "kind", m.Kind.String())
	}
	return nil
}

func (c *connection) welcome(w protocol.Welcome) {
	c.clock.set(time.UnixMilli(w.Time))
	c.spread = time.Duration(w.Spread) * time.Millisecond
	c.slot = time.Duration(w.Slot) * time.Millisecond
	c.ticks = newTicks(c.settings, time.Now().Add(c.slot), c.tr.Push())
	c.outboxDue, c.snapDue = true, true
	if c.cfg.OnCommands != nil {
		c.cfg.OnCommands() // the hub's time is known now: what waited for it can be decided
	}
	c.log.Info("session opened", "carrier", c.tr.Name(), "hub_version", w.Version, "clock_offset", c.clock.Offset().Round(time.Millisecond))
}

// orders verifies and takes over orders. Orders that do not verify are dropped and reported; orders for a desired set
// that the device does not have lead to a new session, in which the hub learns what it has.
func (c *connection) orders(o *protocol.Orders) error {
	have := c.cfg.State.Orders()
	body, err := o.Open(c.cfg.HubKey, c.cfg.State.Identity().ID, have.Mark)
	if err != nil {
		c.log.Warn("orders were refused", "error", err, "seq", o.Seq)
		if err := c.cfg.State.PutEvent("order-refused", "Orders from the hub were refused: "+err.Error()+"."); err != nil {
			return err
		}
		if errors.Is(err, protocol.ErrReplayed) {
			c.reopen = true // the hub learns from the next Hello which orders the device has seen
		}
		return nil
	}
	accept := state.Accept{
		Mark:     protocol.OrderMark{Epoch: o.Epoch, Seq: o.Seq},
		Settings: body.Settings,
		Commands: body.Commands,
		Repeal:   body.Repeal,
	}
	if body.Desired != nil {
		set, ok := body.Desired.Apply(have.Desired)
		if ok {
			accept.Desired = &set
		} else {
			c.log.Warn("desired set does not fit what the device has: telling the hub")
			c.reopen = true
		}
	}
	if err := c.cfg.State.AcceptOrders(accept); err != nil {
		return err
	}
	if body.Settings != nil {
		c.applySettings(*body.Settings)
	}
	if accept.Desired != nil && c.cfg.OnDesired != nil {
		c.cfg.OnDesired()
	}
	if len(body.Commands)+len(body.Repeal) > 0 && c.cfg.OnCommands != nil {
		c.cfg.OnCommands()
	}
	return nil
}

// applySettings takes new frequencies into force. What the connection itself was made with (keep-alive, key exchange)
// follows with a new connection.
func (c *connection) applySettings(s protocol.Settings) {
	old := c.settings
	c.settings = s
	c.ticks = newTicks(s, time.Now().Add(c.slot), c.tr.Push())
	if c.cfg.OnSettings != nil {
		c.cfg.OnSettings(s)
	}
	c.reconnect = c.reconnect || old.Ping != s.Ping && c.tr.Push() || old.KeyExchange != s.KeyExchange
}
