package spending

import (
	"time"

	"github.com/farshore/farshore/protocol"
)

const (
	// tellAfter is how many bytes of the present day are worth telling the hub, tellLittle the same when it has not been
	// told for tellEvery.
	tellAfter  = 8 << 10
	tellLittle = 1 << 10
	tellEvery  = time.Hour
	// tellPause is between two times that it is told while nothing but counts has changed: each is durable on the hub.
	tellPause = 5 * time.Second
)

// told is what the hub was told last.
type told struct {
	cycle uint32
	stage protocol.Spending
	at    time.Time
}

// Usage is what should go with the next frame that is sent anyway: days that are over and that the hub does not know as
// they are, and the present one when enough has changed. !ok: nothing.
func (k *Keeper) Usage() (u protocol.Usage, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.turn()
	stage := k.stage()
	enough := uint64(tellAfter)
	if k.told.at.IsZero() || time.Since(k.told.at) >= tellEvery {
		enough = tellLittle
	}
	ok = k.rules.Budget != nil && (stage != k.told.stage || k.cycle.First != k.told.cycle)
	if !ok && !k.told.at.IsZero() && time.Since(k.told.at) < tellPause {
		return protocol.Usage{}, false
	}
	for _, d := range k.all() {
		news := d.total() - min(d.Told, d.total())
		if news > 0 && d.Day != k.day || news >= enough {
			ok = true
		}
		if news > 0 {
			u.Days = append(u.Days, protocol.UsageDay{Day: d.Day, Counts: d.Counts})
		}
	}
	if !ok {
		return protocol.Usage{}, false
	}
	u.Stage, u.Rate = stage, k.rate.bytes()
	if k.rules.Budget != nil {
		u.Cycle, u.Spent = k.cycle.First, k.spent()
	}
	return u, true
}

// Reported says that the hub has acknowledged what Usage gave. It is written with the next record: what the hub is told
// twice counts once.
func (k *Keeper) Reported(u protocol.Usage) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.settleDay()
	days := append([]Day(nil), k.days...)
	for _, d := range u.Days {
		for i := range days {
			if days[i].Day == d.Day {
				acked := Day{Counts: d.Counts}
				days[i].Told = max(days[i].Told, acked.total())
				k.dirty = true
			}
		}
	}
	k.days = days
	k.turnTo(k.day)
	k.told = told{cycle: u.Cycle, stage: u.Stage, at: time.Now()}
	return nil
}

// rate measures how fast bytes come down while they come one after the other.
type rate struct {
	bps   float64
	count int
	busy  time.Duration
}

const (
	// pause is from when on bytes that come are not of the run before.
	pause = 2 * time.Second
	// sample is how many bytes are measured at a time.
	sample = 64 << 10
)

func (r *rate) bytes() uint32 { return uint32(min(r.bps, 1<<31)) }

// arrived notes that n bytes were read on a connection, of which last is when some were read before.
func (k *Keeper) arrived(n int, last *time.Time) {
	now := time.Now()
	since := now.Sub(*last)
	*last = now
	if since >= pause {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	r := &k.rate
	r.count += n
	r.busy += since
	if r.count < sample || r.busy <= 0 {
		return
	}
	measured := float64(r.count) / r.busy.Seconds()
	if r.bps == 0 {
		r.bps = measured
	}
	r.bps = (3*r.bps + measured) / 4
	r.count, r.busy = 0, 0
}
