package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
)

// Figures gives how a device stood when the hub last looked, and false where nothing is known of it yet.
func (l *Ledger) Figures(id protocol.DeviceID) (Figures, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[id]
	if a == nil || a.now.Cycle.Zone == nil {
		return Figures{}, false
	}
	return a.now, true
}

// Total is what was entered into the books since the hub started, for days long past too.
func (l *Ledger) Total() meter.Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// AsOf is when the hub's counts were looked at last.
func (l *Ledger) AsOf() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asOf
}

// Device gives the counts of a device in the slots from first up to, and without, next; fn is called with those that
// have any.
func (l *Ledger) Device(id protocol.DeviceID, first, next Slot, fn func(Slot, meter.Counts)) error {
	for at := first; at.At < next.At; at.At++ {
		e, err := l.c.Store.UsageEntry(at, id)
		if err != nil {
			return fmt.Errorf("read what device %s has spent: %w", id, err)
		}
		if c := e.Counts(); c != (meter.Counts{}) {
			fn(at, c)
		}
	}
	return nil
}

// All gives the counts of all devices in the slots from first up to, and without, next, slot by slot, until ctx is done.
func (l *Ledger) All(ctx context.Context, first, next Slot, fn func(Slot, protocol.DeviceID, meter.Counts)) error {
	for at := first; at.At < next.At; at.At++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.c.Store.UsageOf(at, func(id protocol.DeviceID, e Entry) { fn(at, id, e.Counts()) }); err != nil {
			return fmt.Errorf("read what devices have spent: %w", err)
		}
	}
	return nil
}
