package spending

import (
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
)

// stepBack is by how many days a clock may go back without being believed: the day stays until it is reached again.
const stepBack = 2

// turn looks at the clock and, where another day has come, settles the one before. It returns the time. The caller holds
// mu.
func (k *Keeper) turn() time.Time {
	now, vouched := k.cfg.Clock()
	if vouched == k.vouched && !now.Before(k.dayStart) && now.Before(k.dayEnd) {
		return now
	}
	k.vouched = vouched
	zone := k.zone()
	day := max(1, economy.Day(now, zone))
	k.dayStart, k.dayEnd = economy.Date(day, zone), economy.Date(day+1, zone)
	switch {
	case k.day == 0:
	case !vouched: // it never begins a cycle, and never goes back
		day = min(max(day, k.day), k.cycle.Next-1)
	case day < k.day && k.day-day <= stepBack:
		day = k.day
	}
	if day != k.day {
		k.settleDay()
		k.turnTo(day)
		signal(k.kick)
	}
	return now
}

func (k *Keeper) zone() *time.Location {
	if k.rules.Budget == nil {
		return time.UTC
	}
	return economy.Zone(k.rules.Budget.Zone)
}

// turnTo makes day the present one. Days that have not come yet are counted for it: a clock that was ahead, or a time
// zone that is another now, makes nothing unspent.
func (k *Keeper) turnTo(day uint32) {
	k.day = day
	if day == 0 {
		return
	}
	keep, ahead := k.days[:0:0], meter.Counts{}
	for _, d := range k.days {
		if d.Day > day {
			ahead.Add(d.counts())
		} else {
			keep = append(keep, d)
		}
	}
	k.days = keep
	k.add(day, ahead)
	k.cycle = economy.CycleAt(k.rules.Budget, economy.Date(day, k.zone()).Add(12*time.Hour))
	k.before = 0
	for i := range k.days {
		if k.days[i].Day >= k.cycle.First {
			k.before += k.days[i].total()
		}
	}
}

// add counts more on a day, which is the last one.
func (k *Keeper) add(day uint32, more meter.Counts) {
	if sum(more) == 0 {
		return
	}
	n := len(k.days)
	if n == 0 || k.days[n-1].Day != day {
		k.days = append(k.days[:n:n], Day{Day: day})
		if len(k.days) > protocol.MaxUsageDays {
			k.days = k.days[1:]
		}
		n = len(k.days)
	}
	last := k.days[n-1].with(more)
	k.days = append(k.days[:n-1:n-1], last)
}

// settleDay moves what was counted to the line of the present day.
func (k *Keeper) settleDay() {
	if k.day == 0 {
		return // it comes with the day that is found
	}
	k.hub.Up(0)
	k.hub.Down(0)
	counted := k.withClasses(k.hub.Claimed()) // what gathers from now on is the next day's
	k.add(k.day, minus(counted, k.base))
	k.base = counted
}

// counted is all that was counted since the start.
func (k *Keeper) counted() meter.Counts { return k.withClasses(k.hub.Counts()) }

func (k *Keeper) withClasses(c meter.Counts) meter.Counts {
	for class, tally := range k.by {
		if tally == nil {
			continue
		}
		own := tally.Counts()
		t := own.Total()
		c[class].Up += t.Up
		c[class].Down += t.Down
	}
	return c
}

// since is what was counted on the present day and is not in its line yet.
func (k *Keeper) since() meter.Counts { return minus(k.counted(), k.base) }

// spent is what was spent in the present cycle.
func (k *Keeper) spent() uint64 { return k.before + sum(k.since()) }

// today is the present day's line as it would be now.
func (k *Keeper) today() Day {
	d := Day{Day: k.day}
	if n := len(k.days); n > 0 && k.days[n-1].Day == k.day {
		d = k.days[n-1]
	}
	return d.with(k.since())
}

// all gives all days, the present one as it is now.
func (k *Keeper) all() []Day {
	out, today := k.days, k.today()
	if n := len(out); n > 0 && out[n-1].Day == k.day {
		out = out[:n-1]
	}
	out = out[:len(out):len(out)]
	if len(today.Counts) > 0 {
		out = append(out, today)
	}
	if len(out) > protocol.MaxUsageDays {
		out = out[1:]
	}
	return out
}
