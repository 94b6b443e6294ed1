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
func (c *connection) receive(ctx context.Context, a arrival) error {
	if a.err != nil {
		return a.err
	}
	f := a.frame
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
	verdict, acked := c.win.Receive(f)
	for _, a := range acked {
		if err := c.acked(a); err != nil {
			return fmt.Errorf("%w: %w", errNotKept, err)
		}
	}
	switch verdict {
	case window.Foreign:
		return nil
	case window.Deliver:
		if err := c.process(f.Messages); err != nil {
			return fmt.Errorf("%w: %w", errNotKept, err)
		}
		c.win.Done(f)
		c.oweAck()
		c.askAgain = slices.ContainsFunc(f.Messages, func(m protocol.Message) bool { return m.Kind != protocol.KindWelcome })
		c.unsure = c.unsure || c.askAgain
	case window.Duplicate:
		c.oweAck()
	case window.Gap:
		if err := c.askForMissing(ctx); err != nil {
			return err
		}
	}
	if c.reopen {
		return c.openAgain(ctx)
	}
	if f.Repeat {
		if err := c.repeat(ctx); err != nil {
			return err
		}
	}
	if c.reconnect || c.newRules {
		c.ackAt = time.Now() // there may be no later on this connection
	}
	err := c.flush(ctx)
	if c.newRules {
		c.newRules = false
		c.rules(c.base)
	}
	if err != nil {
		return err
	}
	if c.reconnect && c.win.Idle() {
		return fmt.Errorf("settings changed: %w", ErrReconnect)
	}
	return nil
}

// askForMissing asks for what is missing, once for all the frames that came behind the gap.
func (c *connection) askForMissing(ctx context.Context) error {
	next := c.win.Received() + 1
	if c.missing == next && time.Since(c.missingAt) < time.Second {
		return nil
	}
	c.missing, c.missingAt = next, time.Now()
	return c.sendFrame(ctx, c.win.Missing())
}

// maxMisfits is how many sessions may be opened in a row because orders did not fit, before that counts as a failure.
const maxMisfits = 3

// openAgain opens a session so that the hub learns what the device has. Where that does not help, it is not done in a
// circle: the connection ends, and the next is made after a pause that grows.
func (c *connection) openAgain(ctx context.Context) error {
	if c.misfits++; c.misfits <= maxMisfits {
		return c.open(ctx)
	}
	c.win, c.reopen = nil, false
	return fmt.Errorf("%w: orders do not fit what this device has, whatever it says: update farshore-agent if it is older than the hub", errNotKept)
}

// acked does what was to be done when the hub has processed a frame.
func (c *connection) acked(f *protocol.Frame) error {
	c.repeats, c.lastSent = 0, time.Now()
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
	switch {
	case e.Code == protocol.CodeHelloWanted:
		if c.sessionUnanswered() {
			return nil // it crossed our Hello
		}
		c.log.Info("the hub does not know this session: opening a new one")
		return c.open(ctx)
	case e.Kind != 0:
		return c.messageRefused(e)
	case e.Code == protocol.CodeRevoked, e.Code == protocol.CodeUnknown, e.Code == protocol.CodeCopy,
		e.Code == protocol.CodeTooOld, e.Code == protocol.CodeBusy:
		return &e
	}
	c.log.Warn("the hub refused a frame", "code", e.Code.String(), "error", e.Text)
	return c.cfg.State.PutEvent("refused-by-hub", e.Error())
}

// messageRefused handles an Error about one message; the session goes on. What the hub could not do just now comes
// again by itself; what it will not do is told to people.
func (c *connection) messageRefused(e protocol.Error) error {
	c.log.Warn("the hub refused a message", "kind", e.Kind.String(), "code", e.Code.String(), "error", e.Text)
	switch e.Code {
	case protocol.CodeBusy, protocol.CodeInternal:
		if e.Kind == protocol.KindWant {
			c.blobs.postpone(time.Duration(max(e.RetryAfter, 1)) * time.Second)
		}
		return nil
	}
	return c.cfg.State.PutEvent("refused-by-hub", fmt.Sprintf("%s: %s", e.Kind, e.Error()))
}

// process takes over the messages of one frame, making durable what the acknowledgement will stand for.
func (c *connection) process(messages []protocol.Message) error {
	for _, m := range messages {
		err := c.processOne(m)
		if errors.Is(err, protocol.ErrMalformed) { // it would be no better the next time
			c.log.Warn("message of the hub cannot be read and is skipped", "error", err)
			err = c.cfg.State.PutEvent("message-skipped", "A message from the hub could not be read and was skipped: "+err.Error()+".")
		}
		if err != nil {
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
		return c.welcome(w)
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
	case protocol.KindError:
		var e protocol.Error
		if err := m.Decode(&e); err != nil {
			return err
		}
		return c.messageRefused(e)
	default:
		c.log.Debug("message of an unknown kind was skipped", "kind", m.Kind.String())
	}
	return nil
}

// welcome takes over what the hub says of itself and the session. From a hub that is too old nothing is taken over: a
// new session finds out, after a pause, whether it is newer by then.
func (c *connection) welcome(w protocol.Welcome) error {
	if w.Capability < protocol.OldestCapability {
		c.win = nil
		return fmt.Errorf("the hub speaks version %d of the protocol, this agent needs %d or newer: update farshore-hub", w.Capability, protocol.OldestCapability)
	}
	c.clock.set(time.UnixMilli(w.Time))
	if err := c.bound(); err != nil {
		return err
	}
	c.spread = time.Duration(w.Spread) * time.Millisecond
	c.slot = time.Duration(w.Slot) * time.Millisecond
	c.ticks = newTicks(c.settings, c.grid())
	c.outboxDue, c.snapDue = true, true
	if c.cfg.OnCommands != nil {
		c.cfg.OnCommands() // the hub's time is known now: what waited for it can be decided
	}
	if c.cfg.OnSession != nil {
		c.cfg.OnSession()
	}
	agreed := min(w.Capability, protocol.Capability)
	c.agreed = agreed
	c.setStatus(func(s *Status) { s.Capability = agreed })
	c.log.Info("session opened", "carrier", c.tr.Name(), "hub_version", w.Version, "capability", agreed,
		"clock_offset", c.clock.Offset().Round(time.Millisecond))
	return nil
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
	if !c.reopen {
		c.misfits = 0
	}
	if body.Settings != nil {
		c.applySettings(*body.Settings)
	}
	if body.Tunnel != nil && c.cfg.OnTunnel != nil {
		c.cfg.OnTunnel(*body.Tunnel)
	}
	if accept.Desired != nil && c.cfg.OnDesired != nil {
		c.cfg.OnDesired()
	}
	if len(body.Commands) > 0 || accept.Desired != nil {
		c.lingers = time.Now().Add(resultsWithin)
	}
	if len(body.Commands)+len(body.Repeal) > 0 && c.cfg.OnCommands != nil {
		c.cfg.OnCommands()
	}
	return nil
}

// applySettings takes new frequencies into force. What the connection itself was made with (keep-alive, key exchange)
// follows with a new connection.
func (c *connection) applySettings(s protocol.Settings) {
	old := c.base
	c.base, c.settings, c.newRules = s, c.inForce(), true
	c.ticks = newTicks(c.settings, c.grid())
	if c.cfg.OnSettings != nil {
		c.cfg.OnSettings(s)
	}
	c.reconnect = c.reconnect || keepAlive(old) != keepAlive(s) && c.tr.Push() || old.KeyExchange != s.KeyExchange ||
		old.ConnectTimeout != s.ConnectTimeout || old.ExchangeTimeout != s.ExchangeTimeout
}

// keepAlive is what pings let a connection promise. A device with a budget promises nothing: it may come to save them.
func keepAlive(s protocol.Settings) protocol.Frequency {
	if s.Link != nil && s.Link.Budget != nil {
		return protocol.FrequencyOff
	}
	return s.Ping
}
