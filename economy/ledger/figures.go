package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// Figures are how a device stands.
type Figures struct {
	Link  Link
	Cycle economy.Cycle
	Caps  economy.Caps
	// Stage is the device's word of this cycle, or what follows from what the hub has counted since, whichever is further;
	// free where it has none.
	Stage protocol.Spending
	// Spent bytes of this cycle.
	Spent uint64
	// Projected is where the cycle will end, if Known: see past.rate. A device of which less than a day is known has
	// no projection.
	Projected uint64
	Known     bool
	// Rate at which bytes came down lately, in bytes a second. 0: not measured.
	Rate uint32
	// Alerts that hold now.
	Alerts []Alert
}

// Cost is what the bytes of this cycle have cost, in millionths of the tariff's currency.
func (f *Figures) Cost() uint64 { return f.Link.Tariff.Price(0, f.Spent) }

// ProjectedCost is what the cycle will have cost at its end.
func (f *Figures) ProjectedCost() uint64 { return f.Link.Tariff.Price(0, f.Projected) }

// Share is how much of the hard cap is spent, or else of the soft one; 0 where there is none.
func (f *Figures) Share() float64 {
	limit := cmp.Or(f.Caps.Hard, f.Caps.Soft)
	if limit == 0 {
		return 0
	}
	return float64(f.Spent) / float64(limit)
}

// Over reports whether the device is, or will be, over a cap.
func (f *Figures) Over() bool {
	for _, limit := range []uint64{f.Caps.Soft, f.Caps.Hard} {
		if limit != 0 && (f.Spent >= limit || f.Known && f.Projected > limit) {
			return true
		}
	}
	return false
}

// Days of the past that are looked at.
const (
	rateDays  = 7
	usualDays = 14
)

// past is what follows from the days before today.
type past struct {
	today, cycle uint32
	// spent of the cycle before today, and counted, by the hub itself.
	spent, counted uint64
	// rate is what a day costs: the mean of the last seven full days, without the dearest and the cheapest where there
	// are five or more. The day on which the device was first seen is not a full one.
	rate uint64
	// full is how many full days are known, at most usualDays; usual is the median of them by class.
	full  int
	usual [protocol.Classes]uint64
}

// look works out the past of a device anew. The caller holds mu.
func (l *Ledger) look(id protocol.DeviceID, a *account, today uint32, cycle economy.Cycle) error {
	p := past{today: today, cycle: cycle.First}
	var totals []uint64
	var classes [protocol.Classes][]uint64
	from := max(min(cycle.First, today-min(today, usualDays)), a.First)
	for day := from; day < today; day++ {
		s, err := l.peek(id, a, Slot{Day, day})
		if err != nil {
			return err
		}
		counts := s.counts()
		total := sum(counts)
		if day >= cycle.First {
			p.spent += total
			p.counted += sum(s.hub)
		}
		if day > a.First && day+usualDays >= today {
			p.full++
			for class, b := range counts {
				classes[class] = append(classes[class], b.Up+b.Down)
			}
		}
		if day > a.First && day+rateDays >= today {
			totals = append(totals, total)
		}
	}
	p.rate = usualDay(totals)
	for class, all := range classes {
		p.usual[class] = median(all)
	}
	a.past, a.stale = p, false
	return nil
}

// peek gives a slot without keeping it in memory. The caller holds mu.
func (l *Ledger) peek(id protocol.DeviceID, a *account, at Slot) (*slot, error) {
	if s := a.slots[at]; s != nil {
		return s, nil
	}
	e, err := l.c.Store.UsageEntry(at, id)
	if err != nil {
		return nil, fmt.Errorf("read what device %s has spent: %w", id, err)
	}
	return e.slot(), nil
}

// usualDay is the mean of some days, without the dearest and the cheapest where there are five or more. 0: of none.
func usualDay(totals []uint64) uint64 {
	slices.Sort(totals)
	if len(totals) >= 5 {
		totals = totals[1 : len(totals)-1]
	}
	if len(totals) == 0 {
		return 0
	}
	all := uint64(0)
	for _, t := range totals {
		all += t
	}
	return all / uint64(len(totals))
}

func median(all []uint64) uint64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// judgeAll works out how all devices stand.
func (l *Ledger) judgeAll(now time.Time) (notices []Notice, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, a := range l.accounts {
		more, judgeErr := l.judge(id, a, now)
		err = errors.Join(err, judgeErr)
		notices = append(notices, more...)
	}
	return bounded(notices), err
}

// judge works out how a device stands at now, and what of it is worth telling. The caller holds mu.
func (l *Ledger) judge(id protocol.DeviceID, a *account, now time.Time) ([]Notice, error) {
	link, ok := l.c.Link(id)
	if !ok {
		return nil, nil
	}
	cycle := l.cycle(link.Rules, now)
	today := economy.Day(now, cycle.Zone)
	if a.stale || a.past.today != today || a.past.cycle != cycle.First {
		if err := l.look(id, a, today, cycle); err != nil {
			return nil, err
		}
	}
	day, err := l.open(id, a, Slot{Day, today})
	if err != nil {
		return nil, err
	}
	var budget *protocol.Budget
	if link.Rules != nil {
		budget = link.Rules.Budget
	}
	counts := day.counts()
	f := Figures{
		Link: link, Cycle: cycle, Caps: economy.CapsOf(budget, cycle.First), Rate: a.Rate,
		Spent: a.past.spent + sum(counts), Known: a.past.full > 0,
	}
	counted := a.past.counted + sum(day.hub)
	if a.heard {
		a.Counted = counted
	}
	f.Stage = a.stage(&f, budget, today, counted)
	if f.Known {
		f.Projected = f.Spent + uint64(float64(a.past.rate)*max(0, cycle.End().Sub(now).Hours()/24))
	}
	notices := a.warn(id, &f, today, counts, now)
	if f.Stage != a.Told {
		notices = append(notices, staged(id, a.Told, f.Stage))
		a.Told = f.Stage
		a.edition++
	}
	if l.c.Stage != nil && !a.heard {
		l.c.Stage(id, f.Stage)
	}
	a.now, a.heard = f, false
	a.tidy(HourOf(now), Slot{Day, today})
	return notices, nil
}
