package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/farshore/farshore/protocol"
)

// gather is how long results and status wait for each other before they are sent at once.
const gather = 20 * time.Millisecond

// maxRepeats is how often unacknowledged frames are repeated before the connection counts as lost.
const maxRepeats = 2

// connection is the use of one transport, from connecting to loss.
type connection struct {
	*Exchange
	tr       Transport
	in       <-chan arrival
	down     <-chan error
	base     protocol.Settings // as ordered
	settings protocol.Settings // those in force at the stage of spending
	ticks    ticks
	until    bounds

	contact    bool      // the hub has answered
	ackDue     bool      // something was processed that was not acknowledged yet
	ackAt      time.Time // when it is acknowledged at the latest, on a carrier that pushes
	askAgain   bool      // what was processed may not have been all the hub had to say
	lastPush   time.Time // when a snapshot was last sent on change
	lastSent   time.Time // when a numbered frame was last sent or repeated
	outboxDue  bool      // the outbox is to be sent with the next frame
	snapDue    bool      // so is a changed snapshot
	gatherTill time.Time // zero: nothing gathers
	reconnect  bool      // the connection was made for other settings
	missing    uint64    // the last frame that was asked for again
	missingAt  time.Time // when
	leaving    bool      // nothing new is begun any more
	newRules   bool      // of the link, to be taken into force
	unsure     bool      // the hub may have more to say
	lingers    time.Time // until when a brief connection waits for what orders lead to
	quiet      time.Time // since when nothing has passed
}

// arrival is a frame that came, or why what came is none.
type arrival struct {
	frame *protocol.Frame
	err   error
}

// read decodes what came, and says what it was for.
func (e *Exchange) read(b []byte) arrival {
	f, err := e.cfg.Codec.Decode(b)
	if err != nil {
		e.receivedFrame(protocol.ClassSession, len(b))
		return arrival{err: fmt.Errorf("the hub sent what cannot be read: %w", err)}
	}
	e.blobs.charge(f.Messages, e.receivedFrame(protocol.ClassOf(f.Messages), len(b)))
	return arrival{frame: f}
}

func (c *connection) grid() grid { return grid{start: time.Now(), slot: c.slot, push: c.tr.Push()} }

// serve uses the connection until it is lost or ctx ends.
func (c *connection) serve(outer context.Context) (err error) {
	limited := c.until
	ctx, cancel := limited.limit(outer)
	defer func() {
		if err = over(ctx, err); errors.Is(err, errOver) {
			err = errors.Join(err, c.unfinished(limited))
		}
		cancel()
	}()
	c.ticks = newTicks(c.settings, c.grid())
	if c.rhythm.fits(c.settings) {
		c.ticks = c.rhythm.ticks
	}
	c.setStatus(func(s *Status) {
		s.Carrier, s.Connected, s.LastError, s.NextTry, s.Waiting = c.tr.Name(), true, "", time.Time{}, ""
	})
	if err := c.begin(ctx); err != nil {
		return err
	}
	if c.tr.Push() {
		c.contacted() // it was connected with a ping that the hub has answered
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if c.until != limited {
			cancel()
			limited = c.until
			ctx, cancel = limited.limit(outer)
		}
		if done, err := c.done(ctx); err != nil {
			return err
		} else if done {
			c.rhythm = rhythm{laid: true, of: c.settings, ticks: c.ticks}
			return errDone
		}
		timer.Reset(time.Until(c.nextDue()))
		select {
		case <-outer.Done():
			c.farewell()
			return outer.Err()
		case <-c.changes():
			if err := c.changed(); err != nil {
				return err
			}
		case err := <-c.down:
			if err == nil {
				err = errors.New("the hub closed the connection")
			}
			return c.last(ctx, err)
		case a := <-c.in:
			if err := c.receive(ctx, a); err != nil {
				return err
			}
		case <-c.wake:
			c.somethingNew()
		case <-timer.C:
			if err := c.due(ctx); err != nil {
				return err
			}
		}
	}
}

// last takes over what had arrived before the connection was lost: acknowledgements, and why the hub ended it.
func (c *connection) last(ctx context.Context, lost error) error {
	for {
		select {
		case a := <-c.in:
			var refused *protocol.Error
			if err := c.receive(ctx, a); errors.As(err, &refused) {
				return err
			} else if err != nil {
				return lost
			}
		default:
			return lost
		}
	}
}

// stale is how long a session may have been silent for its unacknowledged frames still to be worth repeating. After
// that a new session says how things are now, and sets the clock.
const stale = 10 * time.Minute

// begin opens a session, or goes on with the one there is: what was not acknowledged is repeated, and a carrier that
// cannot push asks what is new.
func (c *connection) begin(ctx context.Context) error {
	c.outboxDue, c.snapDue = true, true
	c.blobs.reconnected()
	if c.win == nil || !c.win.Idle() && time.Since(c.heard) > stale {
		return c.open(ctx)
	}
	if !c.win.Idle() {
		return c.repeat(ctx)
	}
	if err := c.flush(ctx); err != nil {
		return err
	}
	if !c.tr.Push() && c.win.Idle() {
		return c.sendFrame(ctx, c.win.Ack())
	}
	return nil
}

// farewell tells the hub what is ready before the agent stops, as far as a second allows.
func (c *connection) farewell() {
	if !c.tr.Push() || c.win == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c.outboxDue = true
	if err := c.flush(ctx); err != nil {
		c.log.Debug("last frame before stopping", "error", err)
	}
}

// nextDue is the next time at which due has something to do.
func (c *connection) nextDue() time.Time {
	at := time.Now().Add(time.Hour)
	if t, ok := c.ticks.nextAt(); ok && t.Before(at) {
		at = t
	}
	if !c.gatherTill.IsZero() && c.gatherTill.Before(at) {
		at = c.gatherTill
	}
	if t, ok := c.blobs.nextAsk(); ok && c.canSend() && t.Before(at) && c.mayAsk() {
		at = t
	}
	if t, ok := c.silentUntil(); ok && t.Before(at) {
		at = t
	}
	if c.until.bounded && c.until.last.Before(at) {
		at = c.until.last
	}
	if t := c.lingers; t.After(time.Now()) && t.Before(at) {
		at = t
	}
	if c.ackDue && c.tr.Push() && c.win != nil && c.ackAt.Before(at) {
		at = c.ackAt
	}
	if c.win != nil && !c.win.Idle() {
		if t := c.lastSent.Add(exchangeTimeout(c.settings)); t.Before(at) {
			at = t
		}
	}
	return at
}

// due does what time has brought: repeats, ticks, and what has gathered.
func (c *connection) due(ctx context.Context) error {
	now := time.Now()
	if c.until.bounded && !now.Before(c.until.last) {
		return c.leave(ctx)
	}
	if c.win != nil && !c.win.Idle() && !now.Before(c.lastSent.Add(exchangeTimeout(c.settings))) {
		if c.repeats++; c.repeats > maxRepeats {
			return fmt.Errorf("no answer for %s", time.Duration(maxRepeats+1)*exchangeTimeout(c.settings))
		}
		if err := c.repeat(ctx); err != nil {
			return err
		}
	}
	ping, snap, command := c.ticks.ping.due(now), c.ticks.snapshot.due(now), c.ticks.command.due(now)
	if ping || snap || command {
		c.outboxDue = true
	}
	c.snapDue = c.snapDue || snap || (ping || command) && c.overdueChanged()
	if !c.gatherTill.IsZero() && !now.Before(c.gatherTill) {
		c.gatherTill = time.Time{}
	}
	sent := c.sentNumber()
	ask, wanted := c.blobs.nextAsk()
	if c.gatherTill.IsZero() || ping || snap || command || wanted && !now.Before(ask) && c.mayAsk() {
		if err := c.flush(ctx); err != nil {
			return err
		}
	} else if err := c.acknowledge(ctx); err != nil {
		return err
	}
	if c.sentNumber() != sent {
		return nil // what was sent is acknowledged, which shows as much as a ping
	}
	quiet, ok := c.silentUntil()
	switch {
	case !c.tr.Push() && (ping || command || snap) && c.win != nil && len(c.in) == 0:
		return c.poll(ctx)
	case ping && c.tr.Push():
		return c.ping(ctx)
	case ok && !now.Before(quiet):
		c.ticks.ping.next = now.Add(c.ticks.ping.every) // it shows as much as a tick
		return c.ping(ctx)
	}
	return nil
}

// poll asks the hub what is new, and lets what was spent go with it.
func (c *connection) poll(ctx context.Context) error {
	if c.canSend() {
		if m, onAck, ok := c.usage(); ok {
			return c.sendMessages(ctx, []protocol.Message{m}, onAck)
		}
	}
	return c.sendFrame(ctx, c.win.Ack())
}

// silentUntil is when a ping is due only so that the path does not forget the connection.
func (c *connection) silentUntil() (time.Time, bool) {
	if c.cfg.Economy == nil || !c.tr.Push() || c.ticks.ping.every <= 0 {
		return time.Time{}, false
	}
	hold := c.path.hold(c.ticks.ping.every)
	return c.quiet.Add(hold), hold < c.ticks.ping.every
}

// changed takes over what has changed about the economy.
func (c *connection) changed() error {
	if !c.may(protocol.ClassSession, 1, urgent) {
		return fmt.Errorf("%w: nothing more may be spent", errOver)
	}
	if err := c.bound(); err != nil {
		return err
	}
	if s := c.inForce(); !sameRhythm(s, c.settings) {
		c.settings = s
		c.ticks = newTicks(s, c.grid())
	} else {
		c.settings = s
	}
	c.outboxDue = true // what had to wait may go
	c.gatherUntil(time.Now().Add(gather))
	return nil
}

func (c *connection) sentNumber() uint64 {
	if c.win == nil {
		return 0
	}
	return c.win.Sent()
}

func (c *connection) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout(c.settings))
	defer cancel()
	silent := time.Since(c.quiet)
	if err := c.tr.Ping(ctx); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			c.path.dropped(silent)
		}
		return fmt.Errorf("ping: %w", err)
	}
	c.path.survived(silent)
	c.sent(protocol.ClassSession)
	c.receivedFrame(protocol.ClassSession, 0)
	c.contacted()
	return nil
}

// somethingNew decides when what has come up is sent: at once where the frequencies say so, else at the next tick.
func (c *connection) somethingNew() {
	now := time.Now()
	soon := now.Add(gather)
	_, ticking := c.ticks.nextAt()
	if c.settings.Command == protocol.FrequencyPush || !ticking || c.until.bounded { // the opening may end before a tick
		c.outboxDue = true
		c.gatherUntil(soon)
	}
	if (c.settings.Snapshot == protocol.FrequencyPush || c.snapDue) && c.snapshotChanged() {
		c.snapDue = true
		if earliest := c.lastPush.Add(pushEvery); earliest.After(soon) {
			soon = earliest
		}
		c.gatherUntil(soon)
	}
}

func (c *connection) gatherUntil(t time.Time) {
	if c.gatherTill.IsZero() || t.Before(c.gatherTill) {
		c.gatherTill = t
	}
}

func (c *connection) contacted() {
	c.contact, c.heard, c.quiet = true, time.Now(), time.Now()
	now, _ := c.clock.Now()
	c.setStatus(func(s *Status) { s.LastContact = now })
}
