package exchange

import (
	"context"
	"errors"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// errDone ends a connection that was made for one contact. It is not a failure.
var errDone = errors.New("the contact is over")

const (
	// leastHold is how long any path is believed to hold a silent connection.
	leastHold = time.Minute
	// holdAgain is after which time a path that once dropped a silent connection is tried with longer ones again.
	holdAgain = 3 * 24 * time.Hour
	// resultsWithin is how long a brief connection waits for what orders lead to: it costs nothing.
	resultsWithin = 2 * time.Second
)

// path is what is known of how long connections survive silence on the way to the hub. The zero path holds them for
// ever.
type path struct {
	held  time.Duration // the longest silence that was survived
	broke time.Duration // the shortest that was not; 0: none
	when  time.Time     // it was not
}

// hold is how long a connection may be left silent where it need not be for longer than every.
func (p *path) hold(every time.Duration) time.Duration {
	if p.broke == 0 || time.Since(p.when) > holdAgain {
		return every
	}
	try := max(p.held, leastHold)
	switch {
	case p.held == 0:
		try = max(p.broke/2, leastHold)
	case p.broke > p.held+p.held/4: // what lies between is not known
		try = max(p.held+(p.broke-p.held)/2, leastHold)
	}
	return min(every, try)
}

// survived and dropped note what became of a connection that was silent for d.
func (p *path) survived(d time.Duration) {
	p.held = max(p.held, d)
	if d >= p.broke {
		p.broke = 0
	}
}

func (p *path) dropped(d time.Duration) {
	if d < leastHold {
		return // it says nothing about silence
	}
	p.broke, p.when = d, time.Now()
	if p.held >= d {
		p.held = 0
	}
}

// brief reports whether connections are made for one contact each. Kept, a connection costs a ping for as long as the
// path holds it; brief, a new one each time.
func (e *Exchange) brief(s protocol.Settings, b bounds) bool {
	if e.cfg.Economy == nil || s.Link == nil {
		return false
	}
	if e.cfg.Economy.Stage() == protocol.SpendingSilent {
		return true // it was let through for its contact of the day
	}
	switch s.Link.Connection {
	case protocol.ConnectionKept:
		return false
	case protocol.ConnectionBrief:
		return true
	}
	every, ok := s.Ping.Duration()
	if !ok || b.bounded || s.Command == protocol.FrequencyPush || s.Snapshot == protocol.FrequencyPush {
		return false
	}
	const day = 24 * time.Hour
	kept := uint64(day/e.path.hold(every)) * economy.PingCost
	return uint64(day/every)*economy.Connect(s) < kept
}

// finished reports that nothing is left to be said or heard for now.
func (c *connection) finished() bool {
	if !c.contact || c.win == nil || !c.win.Idle() || c.ackDue || c.outboxDue || len(c.in) > 0 || !c.gatherTill.IsZero() {
		return false
	}
	if c.fullDue || c.snapDue && c.snapshotChanged() && c.may(protocol.ClassSnapshot, 1, usual) {
		return false
	}
	_, wanted := c.blobs.nextAsk()
	return !time.Now().Before(c.lingers) && !(wanted && c.may(protocol.ClassBlob, 1, usual))
}

// done reports that a brief connection has served its purpose. What a hub that pushes had to say it has said before it
// answers a ping.
func (c *connection) done(ctx context.Context) (bool, error) {
	if !c.brief(c.settings, c.until) || !c.finished() {
		return false, nil
	}
	if !c.unsure || !c.tr.Push() {
		return true, nil
	}
	c.unsure = false
	return false, c.ping(ctx)
}

// rest waits from one brief contact to the next.
func (e *Exchange) rest(ctx context.Context) error {
	for {
		now, s := time.Now(), e.inForce()
		if !e.rhythm.fits(s) {
			e.rhythm = rhythm{laid: true, of: s, ticks: newTicks(s, grid{start: e.heard, slot: e.slot})}
		}
		t := &e.rhythm.ticks
		ping, snap, command := t.ping.due(now), t.snapshot.due(now), t.command.due(now)
		at, ticking := t.nextAt()
		if ping || command || snap && e.snapshotChanged() || e.cannotWait(s, ticking) {
			return nil
		}
		e.setStatus(func(st *Status) {
			st.Connected, st.LastError, st.NextTry, st.Waiting = false, "", at, "between two contacts"
		})
		wait := lookAgain
		if ticking {
			wait = min(wait, time.Until(at))
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-e.wake:
		case <-e.changes():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// rhythm are the ticks that brief connections share, and the settings that they were laid for.
type rhythm struct {
	laid  bool
	of    protocol.Settings
	ticks ticks
}

func (r *rhythm) fits(s protocol.Settings) bool { return r.laid && sameRhythm(s, r.of) }

func sameRhythm(a, b protocol.Settings) bool {
	return a.Ping == b.Ping && a.Snapshot == b.Snapshot && a.Command == b.Command
}

// cannotWait reports that something has come up which is worth a contact of its own.
func (e *Exchange) cannotWait(s protocol.Settings, ticking bool) bool {
	if at, wanted := e.blobs.nextAsk(); wanted && !time.Now().Before(at) && e.may(protocol.ClassBlob, 1, usual) {
		return true
	}
	if s.Snapshot == protocol.FrequencyPush && e.snapshotChanged() && !time.Now().Before(e.heard.Add(pushEvery)) {
		return true
	}
	if s.Command != protocol.FrequencyPush && ticking {
		return false
	}
	for _, it := range e.cfg.State.Outbox(frameRoom) {
		if e.may(it.Class, uint64(len(it.Body)), usual) {
			return true
		}
	}
	return false
}
