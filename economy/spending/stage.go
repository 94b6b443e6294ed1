package spending

import (
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// caps are those of the present cycle.
func (k *Keeper) caps() economy.Caps { return economy.CapsOf(k.rules.Budget, k.cycle.First) }

// effective are the caps that are kept to.
func (k *Keeper) effective() economy.Caps {
	c := k.caps()
	if c.Hard == 0 {
		return c
	}
	pings := uint64(1)
	if k.rules.Budget.DailyPing {
		pings = uint64(k.cycle.Next - 1 - min(k.day, k.cycle.Next-1))
		if k.ping.day != k.day {
			pings++
		}
	}
	return c.Kept(k.rules.Budget, pings, k.pingSize())
}

// stage is that of now. Within a cycle and its caps it never goes back, although what is kept for contacts gets less.
func (k *Keeper) stage() protocol.Spending {
	c := k.effective()
	stage := c.Stage(k.spent())
	k.reach(stage)
	return k.reached
}

// reach notes a stage.
func (k *Keeper) reach(stage protocol.Spending) {
	caps := k.caps()
	if k.reachedIn == k.cycle.First && k.reachedAt.Soft == caps.Soft && k.reachedAt.Hard == caps.Hard {
		stage = max(stage, k.reached)
	}
	k.reached, k.reachedIn, k.reachedAt = stage, k.cycle.First, caps
	if stage != k.seen.stage {
		signal(k.kick)
	}
}

// ping is the contact a day of a device that is silent.
type ping struct {
	day      uint32    // of the last one, by the clock
	at       time.Time // of the last one, or of the start
	until    uint64    // up to what sum of the cycle the present one may spend. 0: there is none
	attempts int       // on day tried that did not connect
	tried    uint32
}

// pingAttempts is how often a day it is tried to connect for the contact of the day.
const pingAttempts = 4

// pingSize is what one contact may cost.
func (k *Keeper) pingSize() uint64 { return economy.SilentContact(k.connect) }

// mayPing reports whether a silent device may spend n bytes on its contact of the day: on the one there is, or on one to
// come.
func (k *Keeper) mayPing(now time.Time, n uint64) bool {
	if k.ping.until != 0 {
		return k.spent()+n <= k.ping.until
	}
	return k.pingDue(now) && n <= k.pingSize()
}

// pingDue reports whether a contact of the day may begin. Without leave for one a day there is one all the same when the
// clock says that the cycle has ended and nobody has vouched for it.
func (k *Keeper) pingDue(now time.Time) bool {
	b := k.rules.Budget
	if b == nil || k.spent()+k.pingSize() > k.caps().Hard {
		return false
	}
	unsure := !k.vouched && (economy.Day(now, k.zone()) >= k.cycle.Next || k.lost(now))
	if !b.DailyPing && !unsure {
		return false
	}
	day := k.pingDay(now)
	if k.ping.tried == day && k.ping.attempts >= pingAttempts {
		return false
	}
	return day > k.ping.day || time.Since(k.ping.at) >= 24*time.Hour
}

func (k *Keeper) pingDay(now time.Time) uint32 {
	if k.vouched {
		return k.day
	}
	return max(1, economy.Day(now, k.zone()))
}

// beginPing notes that the contact of the day is being made.
func (k *Keeper) beginPing(now time.Time) {
	k.ping.day, k.ping.at, k.ping.until = k.pingDay(now), time.Now(), k.spent()+k.pingSize()
}

// tryPing notes an attempt to connect for it.
func (k *Keeper) tryPing(now time.Time) {
	if day := k.pingDay(now); k.ping.tried != day {
		k.ping.tried, k.ping.attempts = day, 0
	}
	k.ping.attempts++
}
