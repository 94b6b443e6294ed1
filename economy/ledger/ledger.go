// Package ledger keeps the hub's books of what devices spend on their links: by hour for two days, by day for 400, and
// for each device how far it is through its billing cycle, where that will end, and what about it is worth a warning.
//
// There are two counts of the same bytes: the hub's own of the connections it sees, and the device's, which knows of
// images and of days on which it was away. What counts of a day is the device's word and what the hub has counted since;
// see DESIGN.md. The device alone decides what it still spends; its stage is its own word too, until by what was counted
// since it must be further. The ledger never holds anything back, and never asks a device for anything.
//
// The books of a device go with its record: one that is removed is in no sum any more, of any day.
//
// A Ledger is safe for concurrent use. What devices report is stored before Report returns; what the hub counts is looked
// at and stored by Run every Every, and a crash loses what is younger of it.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
)

// Bounds of what is kept.
const (
	// KeepDays and KeepHours are how many days and hours are kept.
	KeepDays  = 400
	KeepHours = 48
	// Every is how often the hub's own counts are looked at.
	Every = time.Minute
	// saveAtOnce is how many records go into one transaction, so that other writes do not wait long.
	saveAtOnce = 2000
	// pruneAtOnce is how many old records one transaction drops.
	pruneAtOnce = 5000
)

// Link is what a device's settings say of its link.
type Link struct {
	// Rules that hold for it. Nil: none.
	Rules *protocol.LinkRules
	// Tariff by which it pays. The zero value: it costs nothing.
	Tariff economy.Tariff
	// Profile is the name of its link profile. "": none.
	Profile string
	// Connect is what a connection costs it. 0: as with the dearest settings.
	Connect uint64
}

// Store keeps the books. Each method is one transaction.
type Store interface {
	// LoadUsage gives what is kept of each device besides its counts.
	LoadUsage() (map[protocol.DeviceID]Standing, error)
	// UsageEntry gives the counts of a device in one hour or day; the zero Entry: there are none.
	UsageEntry(Slot, protocol.DeviceID) (Entry, error)
	// UsageOf gives all devices' counts of one hour or day.
	UsageOf(Slot, func(protocol.DeviceID, Entry)) error
	// SaveUsage stores what collect gives. It calls collect within its transaction, perhaps again in a further one, so
	// that what is stored last is what held last.
	SaveUsage(collect func() []Record) error
	// PruneUsage drops what is before a day and before an hour, at most so many, and reports whether that was all.
	PruneUsage(day, hour Slot, most int) (done bool, err error)
	// ForgetUsage drops all of a device within the bounds of what is kept, which are those of the slots given.
	ForgetUsage(dev protocol.DeviceID, slots []Slot) error
}

// Config of a Ledger. All is required where nothing else is said.
type Config struct {
	Store Store
	// Link gives a device's link, and false where there is no such device.
	Link func(protocol.DeviceID) (Link, bool)
	// Spent calls back with what each device's connections have cost since the hub started. No count goes down.
	Spent func(func(protocol.DeviceID, meter.Counts))
	// SpentBy is Spent of one device. Nil: when a device reports, what the hub has counted is as of the last look.
	SpentBy func(protocol.DeviceID) meter.Counts
	// Stage is told of each stage that follows from a look, without word of the device. It must not call the Ledger.
	// Nil: nobody is.
	Stage func(protocol.DeviceID, protocol.Spending)
	// Tell is told of what is worth a warning, once a cycle or day. It must not wait. Nil: nobody is told.
	Tell func(Notice)
	Log  *slog.Logger
}

// Ledger keeps the books. Create it with New.
type Ledger struct {
	c Config

	mu       sync.Mutex
	accounts map[protocol.DeviceID]*account     // guarded by mu
	seen     map[protocol.DeviceID]meter.Counts // guarded by mu: what Spent said last, of removed devices too
	cycles   map[billing]economy.Cycle          // guarded by mu: the present cycle of each sort
	asOf     time.Time                          // guarded by mu: when the hub's counts were looked at last
	total    meter.Counts                       // guarded by mu: what was entered since the start
	pruned   uint32                             // guarded by mu: the hour in which old records were dropped last
}

// billing is a sort of cycle.
type billing struct {
	day  uint8
	zone string
}

// New loads what is known of devices. It starts nothing: see Run.
func New(c Config) (*Ledger, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Tell == nil {
		c.Tell = func(Notice) {}
	}
	l := &Ledger{
		c: c, accounts: map[protocol.DeviceID]*account{}, seen: map[protocol.DeviceID]meter.Counts{}, cycles: map[billing]economy.Cycle{},
	}
	saved, err := c.Store.LoadUsage()
	if err != nil {
		return nil, fmt.Errorf("load what devices have spent: %w", err)
	}
	for id, s := range saved {
		l.accounts[id] = newAccount(s)
	}
	return l, nil
}

// Run looks at the hub's counts and stores them every Every, and a last time when ctx is done. What cannot be stored
// stays in memory and is tried again.
func (l *Ledger) Run(ctx context.Context) error {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	failed := false
	err := l.Look(time.Now())
	for {
		if err != nil && !failed {
			l.c.Log.Error("what devices spend could not be saved, and is kept in memory", "error", err)
		}
		failed = err != nil
		select {
		case <-ctx.Done():
			return l.Look(time.Now())
		case now := <-tick.C:
			err = errors.Join(l.Look(now), l.prune(ctx, now))
		}
	}
}

// Look takes over what the hub has counted, stores it, and works out how each device stands at now.
func (l *Ledger) Look(now time.Time) error {
	err := l.take(now)
	err = errors.Join(err, l.save(nil))
	notices, judgeErr := l.judgeAll(now)
	err = errors.Join(err, judgeErr, l.save(nil))
	l.tell(notices)
	return err
}

// take adds what the hub has counted since it was last asked.
func (l *Ledger) take(now time.Time) (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.c.Spent(func(id protocol.DeviceID, counts meter.Counts) { err = errors.Join(err, l.count(id, counts, now)) })
	l.asOf = now
	return err
}

// count adds what the hub has counted of a device since it was last asked. The caller holds mu.
func (l *Ledger) count(id protocol.DeviceID, counts meter.Counts, now time.Time) error {
	more := less(counts, l.seen[id])
	if more == (meter.Counts{}) {
		return nil
	}
	link, ok := l.c.Link(id)
	if !ok {
		l.seen[id] = counts
		return nil
	}
	a := l.account(id)
	today := economy.Day(now, l.cycle(link.Rules, now).Zone)
	hour, hourErr := l.open(id, a, HourOf(now))
	day, dayErr := l.open(id, a, Slot{Day, today})
	if hourErr != nil || dayErr != nil {
		return errors.Join(hourErr, dayErr) // they are taken the next time
	}
	l.seen[id] = counts
	before := day.counts()
	hour.hub.Add(more)
	day.hub.Add(more)
	l.total.Add(less(day.counts(), before))
	hour.edition++
	day.edition++
	a.began(today)
	return nil
}

// less gives how much more a is than b.
func less(a, b meter.Counts) meter.Counts {
	for i := range a {
		a[i].Up -= min(a[i].Up, b[i].Up)
		a[i].Down -= min(a[i].Down, b[i].Down)
	}
	return a
}

// cycle gives the present billing cycle by the rules. The caller holds mu.
func (l *Ledger) cycle(rules *protocol.LinkRules, now time.Time) economy.Cycle {
	var budget *protocol.Budget
	var sort billing
	if rules != nil && rules.Budget != nil {
		budget = rules.Budget
		sort = billing{budget.Day, budget.Zone}
	}
	c, ok := l.cycles[sort]
	if ok {
		if today := economy.Day(now, c.Zone); today >= c.First && today < c.Next {
			return c
		}
	}
	c = economy.CycleAt(budget, now)
	if len(l.cycles) >= maxCycles {
		clear(l.cycles)
	}
	l.cycles[sort] = c
	return c
}

// maxCycles bounds how many sorts of cycles are remembered.
const maxCycles = 1024

// save stores what has changed of the devices given; nil: of all.
func (l *Ledger) save(only []protocol.DeviceID) error {
	for l.dirty(only) {
		var done []func()
		err := l.c.Store.SaveUsage(func() []Record {
			l.mu.Lock()
			defer l.mu.Unlock()
			var records []Record
			records, done = l.unsaved(only)
			return records
		})
		if err != nil {
			return fmt.Errorf("save what devices spend: %w", err)
		}
		l.mu.Lock()
		for _, saved := range done {
			saved()
		}
		l.mu.Unlock()
	}
	return nil
}

// dirty reports whether something is not stored, of the devices given; nil: of all.
func (l *Ledger) dirty(only []protocol.DeviceID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if only == nil {
		for _, a := range l.accounts {
			if a.dirty() {
				return true
			}
		}
	}
	for _, id := range only {
		if a := l.accounts[id]; a != nil && a.dirty() {
			return true
		}
	}
	return false
}

// unsaved copies what is to be stored, at most saveAtOnce records and those of one device, and gives what follows once
// it is. The caller holds mu.
func (l *Ledger) unsaved(only []protocol.DeviceID) (records []Record, done []func()) {
	add := func(id protocol.DeviceID, a *account) bool {
		more, saved := a.unsaved(id)
		records, done = append(records, more...), append(done, saved...)
		return len(records) < saveAtOnce
	}
	if only != nil {
		for _, id := range only {
			if a := l.accounts[id]; a != nil {
				add(id, a)
			}
		}
		return records, done
	}
	for id, a := range l.accounts {
		if !add(id, a) {
			break
		}
	}
	return records, done
}

// prune drops once an hour what is older than is kept.
func (l *Ledger) prune(ctx context.Context, now time.Time) error {
	hour := HourOf(now)
	l.mu.Lock()
	due := l.pruned != hour.At
	l.pruned = hour.At
	l.mu.Unlock()
	if !due {
		return nil
	}
	day := Slot{Day, economy.Day(now, time.UTC)}
	for ctx.Err() == nil {
		done, err := l.c.Store.PruneUsage(day.before(KeepDays), hour.before(KeepHours), pruneAtOnce)
		if err != nil {
			return fmt.Errorf("drop old records of what devices spend: %w", err)
		}
		if done {
			break
		}
	}
	return nil
}

// Forget drops all that is known of a device that was removed.
func (l *Ledger) Forget(id protocol.DeviceID) error {
	l.mu.Lock()
	delete(l.accounts, id)
	l.mu.Unlock()
	now := time.Now()
	day, hour := Slot{Day, economy.Day(now, time.UTC)}, HourOf(now)
	slots := make([]Slot, 0, KeepDays+KeepHours+2*tomorrow+4)
	for n := range uint32(KeepDays + tomorrow + 2) {
		slots = append(slots, Slot{Day, day.At + tomorrow - min(n, day.At+tomorrow)})
	}
	for n := range uint32(KeepHours + 2) {
		slots = append(slots, hour.before(n))
	}
	if err := l.c.Store.ForgetUsage(id, slots); err != nil {
		return fmt.Errorf("forget what device %s has spent: %w", id, err)
	}
	return nil
}

func (l *Ledger) tell(notices []Notice) {
	for _, n := range notices {
		l.c.Tell(n)
	}
}
