package exchange

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// Around the ends of a time of contact.
const (
	// widest is how long after its beginning a device connects at the latest: a fleet does not come at one moment.
	widest = 5 * time.Second
	// retryWithin is the most that is waited between two attempts in an opening: it is soon over.
	retryWithin = 20 * time.Second
	// lookAgain is how often what is waited for is worked out anew: clocks are set, and machines sleep.
	lookAgain = 10 * time.Minute
)

// errOver ends what belongs to a time of contact that is over, or to a budget that is spent. It is not a failure.
var errOver = errors.New("the time of contact is over")

// bounds are those of an opening, by the clock of this process.
type bounds struct {
	begin   time.Time // zero: it has begun
	last    time.Time // nothing new is begun from then on; zero: there is no end
	gone    time.Time // there is no connection from then on
	end     time.Time
	bounded bool
}

// awaited is the opening that was waited for, and when this device connects in it.
type awaited struct{ start, begin time.Time }

// bounds gives the opening of now or else the next one; false: there is none any more.
func (e *Exchange) bounds() (b bounds, ok bool) {
	if e.cfg.Economy == nil {
		return bounds{}, true
	}
	o, ok := e.cfg.Economy.Opening()
	if !ok {
		return bounds{}, false
	}
	hub, _ := e.clock.Now()
	now := time.Now()
	at := func(t time.Time) time.Time { return now.Add(t.Sub(hub)) }
	if o.Start.After(hub) {
		e.awaited = awaited{start: o.Start, begin: at(o.Start).Add(e.lateness(o))}
	}
	if e.awaited.start.Equal(o.Start) && e.awaited.begin.After(now) {
		b.begin = e.awaited.begin
	}
	if o.Bounded(hub) {
		g := o.Guard()
		b.last, b.gone, b.end, b.bounded = at(o.End.Add(-g)), at(o.End.Add(-g/2)), at(o.End), true
	}
	return b, true
}

// lateness is how long after the beginning of an opening this device connects, the same each time.
func (e *Exchange) lateness(o economy.Opening) time.Duration {
	most := min(widest, o.End.Sub(o.Start)/5)
	if most <= 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(e.cfg.State.Identity().ID)) // never fails
	return time.Duration(h.Sum64() % uint64(most))
}

// limit gives a context that ends when the connection has to be gone.
func (b bounds) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if !b.bounded {
		return context.WithCancel(ctx)
	}
	return context.WithDeadlineCause(ctx, b.gone, errOver)
}

// Contact returns when the link may be used, with a context that ends before that does, or with the error of ctx. It is
// for one user at a time: Run, or whoever knocks while Run does not.
func (e *Exchange) Contact(ctx context.Context) (context.Context, context.CancelFunc, error) {
	b, err := e.admitted(ctx)
	if err != nil {
		return nil, nil, err
	}
	within, cancel := b.limit(ctx)
	return within, cancel, nil
}

// admitted blocks until a connection may be made, and gives until when it may last.
func (e *Exchange) admitted(ctx context.Context) (bounds, error) {
	told := ""
	for {
		b, ok := e.bounds()
		now := time.Now()
		var until time.Time
		why := ""
		switch {
		case !ok:
			why = "its last time of contact is over: somebody at the device can open contact (`farshore-agent contact`)"
		case now.Before(b.begin):
			until, why = b.begin, "no time of contact"
		case b.bounded && !now.Before(b.last):
			until, why = b.end, "the time of contact ends"
		case !e.may(protocol.ClassSession, economy.Connect(e.ordered()), urgent):
			why = "the budget of this billing cycle is spent"
		default:
			e.setStatus(func(s *Status) { s.Waiting = "" })
			return b, nil
		}
		if why != told {
			told = why
			log := e.log.With("why", why)
			if !until.IsZero() {
				log = log.With("until", until)
			}
			log.Info("not in contact with the hub")
		}
		e.setStatus(func(s *Status) { s.Connected, s.LastError, s.NextTry, s.Waiting = false, "", until, why })
		if err := e.pass(ctx, until); err != nil {
			return b, err
		}
	}
}

// pass waits until a moment, or until something about the economy has changed, or it is time to look again. A zero
// moment never comes.
func (e *Exchange) pass(ctx context.Context, until time.Time) error {
	wait := lookAgain
	if !until.IsZero() {
		wait = min(wait, time.Until(until))
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-e.changes():
	case <-t.C:
	}
	return nil
}

// bound takes over until when the connection may last.
func (c *connection) bound() error {
	b, ok := c.Exchange.bounds()
	if !ok || !b.begin.IsZero() {
		return fmt.Errorf("%w: other times are in force now", errOver)
	}
	c.until = b
	return nil
}

// leave ends the connection before the opening does: what came is acknowledged, and what is under way has until the
// connection has to be gone.
func (c *connection) leave(ctx context.Context) error {
	c.leaving = true
	ctx, cancel := c.until.limit(ctx)
	defer cancel()
	for {
		if c.ackDue {
			c.ackAt, c.askAgain = time.Now(), true
			if err := c.acknowledge(ctx); err != nil {
				return fmt.Errorf("%w: %w", errOver, err)
			}
		}
		if c.win == nil || c.win.Idle() || !c.tr.Push() {
			return errOver
		}
		select {
		case <-ctx.Done():
			return errOver
		case <-c.down:
			return errOver
		case a := <-c.in:
			if err := c.receive(ctx, a); err != nil {
				return fmt.Errorf("%w: %w", errOver, err)
			}
		}
	}
}

// asking bounds what is asked for on this connection.
func (c *connection) asking() asking {
	return asking{
		chunk: c.settings.Chunk, left: c.timeLeft(),
		may: func(n uint64) bool { return c.may(protocol.ClassBlob, n, usual) },
	}
}

// timeLeft is how long something new may still be begun; 0: as long as one likes.
func (c *connection) timeLeft() time.Duration {
	if !c.until.bounded {
		return 0
	}
	return max(time.Until(c.until.last), time.Nanosecond)
}

// mayAsk reports whether blobs may be asked for now.
func (c *connection) mayAsk() bool {
	return !c.leaving && c.may(protocol.ClassBlob, leastAsk, usual) && c.blobs.roomFor(c.timeLeft()) >= leastAsk
}
