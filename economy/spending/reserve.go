package spending

import (
	"fmt"
	"time"

	"github.com/farshore/farshore/economy"
)

const (
	// leastSlice is what is reserved at a time where little is spent and no cap asks for less.
	leastSlice = 16 << 10
	// sliceLasts is how long a slice should last. What is spent faster is reserved in larger ones.
	sliceLasts = time.Hour
	// tryAgain is how long nothing is written after the disk refused.
	tryAgain = time.Minute
)

// reserved reports whether need more bytes are covered by the record. The caller holds mu.
func (k *Keeper) reserved(need uint64) bool { return sum(k.counted())+k.held+need <= k.upTo }

// reserve makes the record cover need more bytes.
func (k *Keeper) reserve(need uint64) error {
	k.writing.Lock()
	defer k.writing.Unlock()
	k.mu.Lock()
	if k.reserved(need) {
		k.mu.Unlock()
		return nil
	}
	if k.broken != nil && time.Now().Before(k.again) {
		defer k.mu.Unlock()
		return k.unkept(need)
	}
	k.nextSlice()
	r := k.record()
	r.Reserved = max(k.slice, k.held+need)
	counted := sum(k.counted())
	k.mu.Unlock()

	err := k.cfg.Store.PutSpending(r)

	k.mu.Lock()
	first := err != nil && k.broken == nil
	k.broken = err
	if err == nil {
		k.upTo, k.dirty = counted+r.Reserved, false
		k.mu.Unlock()
		return nil
	}
	k.again = time.Now().Add(tryAgain)
	refused := k.unkept(need)
	k.mu.Unlock()
	if first {
		text := "What is spent on the link cannot be written down, and the count may be too low after a power cut: "
		if refused != nil {
			text = "Nothing more is spent on the link, as it cannot be written down, until that succeeds: "
		}
		k.cfg.Log.Error(text + err.Error())
		k.announce("spending-unkept", text+err.Error())
	}
	return refused
}

// unkept is what follows from a disk that takes nothing: where there is a cap, nothing is spent that is not written
// down; else it is counted in memory alone.
func (k *Keeper) unkept(need uint64) error {
	if k.rules.Budget != nil && k.rules.Budget.Hard != 0 {
		return fmt.Errorf("%w, so nothing is spent under a hard cap: free some space on the device: %w", ErrNotKept, k.broken)
	}
	k.upTo = sum(k.counted()) + k.held + max(need, k.slice)
	return nil
}

// nextSlice fits the size of slices to how fast they are used up.
func (k *Keeper) nextSlice() {
	most := economy.Slice(k.rules.Budget)
	least := min(leastSlice, most)
	switch lasted := time.Since(k.wrote); {
	case k.wrote.IsZero():
		k.slice = least
	case lasted < sliceLasts:
		k.slice *= 2
	case lasted > 4*sliceLasts:
		k.slice /= 2
	}
	k.slice = min(max(k.slice, least), most)
	k.wrote = time.Now()
}

// record is what is to be kept now, with nothing reserved.
func (k *Keeper) record() Record {
	r := k.said
	r.Days, r.Day, r.Reserved, r.Pinged, r.First, r.Spent = k.all(), k.day, 0, k.ping.day, k.cycle.First, k.spent()
	return r
}

// keep writes the record without reserving more.
func (k *Keeper) keep() error {
	k.writing.Lock()
	defer k.writing.Unlock()
	k.mu.Lock()
	r, counted := k.record(), sum(k.counted())
	r.Reserved = k.upTo - min(counted, k.upTo)
	closed := k.closed
	k.mu.Unlock()
	if closed {
		return nil
	}
	return k.cfg.Store.PutSpending(r)
}

// Close writes what was really spent, so that nothing is counted that was only reserved. Nothing can be spent
// afterwards. It may be called twice.
func (k *Keeper) Close() error {
	k.writing.Lock()
	defer k.writing.Unlock()
	k.mu.Lock()
	done, r := k.closed, k.record()
	clean := k.upTo == 0 && !k.dirty
	k.closed = true
	k.notify()
	k.mu.Unlock()
	k.unpark()
	if done || clean {
		return nil
	}
	return k.cfg.Store.PutSpending(r)
}
