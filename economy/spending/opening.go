package spending

import (
	"context"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

const (
	// lostFor is how long a device that does not know the time is in contact, to learn it, each lostEvery.
	lostFor   = 2 * time.Minute
	lostEvery = 24 * time.Hour
)

// lost reports that the clock cannot be right: nobody has vouched for it, and it is before what was spent last.
func (k *Keeper) lost(now time.Time) bool {
	return !k.vouched && k.day != 0 && economy.Day(now, k.zone())+stepBack < k.day
}

// openingAt gives the opening of now or the next one.
func (k *Keeper) openingAt(now time.Time) (economy.Opening, bool) {
	if left := time.Until(k.local); left > 0 {
		return economy.Opening{Start: now, End: now.Add(left)}, true
	}
	if k.contact.Always() {
		return k.contact.Next(now)
	}
	if k.lost(now) { // the table is of no use without the time, and the hub has it
		up := time.Since(k.started)
		start := now.Add(-(up % lostEvery))
		if up%lostEvery >= lostFor {
			start = start.Add(lostEvery)
		}
		return economy.Opening{Start: start, End: start.Add(lostFor)}, true
	}
	if !now.Before(k.opening.Start) && now.Before(k.opening.End) {
		return k.opening, true
	}
	o, ok := k.contact.Next(now)
	k.opening = o
	return o, ok
}

func (k *Keeper) isOpen(now time.Time) bool {
	o, ok := k.openingAt(now)
	return ok && !o.Start.After(now) && now.Before(o.End)
}

// trialOpenings is the most openings that Takes counts on.
const trialOpenings = 3

// Takes says how long it is from now until there was contact for a time, by the clock and the times of contact that are
// known, and at most until the end of the third opening. Where there is none any more it is the time itself. A device that is
// silent at its cap counts from the end of its cycle on: a contact of the day may be too little, and too early for a window.
func (k *Keeper) Takes(contact time.Duration) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.turn()
	at := now
	o, ok := k.openingAt(now)
	if k.stage() == protocol.SpendingSilent {
		if at = k.cycle.End(); at.Before(now) {
			at = now
		}
		if !o.End.After(at) {
			o, ok = k.contact.Next(at)
		}
	}
	for range trialOpenings {
		if !ok {
			break
		}
		if o.Start.After(at) {
			at = o.Start
		}
		open := o.End.Sub(at)
		if open >= contact {
			return at.Add(contact).Sub(now)
		}
		contact, at = contact-open, o.End
		o, ok = k.contact.Next(o.End)
	}
	if !ok {
		at = at.Add(contact)
	}
	return at.Sub(now)
}

// Holds reports whether work that is not urgent waits now, because the hard cap is near or met. changed is closed when that
// may be otherwise. It needs Run.
func (k *Keeper) Holds() (holds bool, changed <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.turn()
	return k.stage() >= protocol.SpendingLast, k.waiters
}

// Await returns when n bytes may be spent on a class, or with the error of ctx. It needs Run.
func (k *Keeper) Await(ctx context.Context, class protocol.Class, n uint64) error {
	for {
		k.mu.Lock()
		may, changed := k.may(class, n, false), k.waiters
		k.mu.Unlock()
		if may {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}
