// Package timeline keeps what happened to each device: contacts, how it is heard of, who changed its record, stacks and
// commands. It is for people who ask of one device; the stream of what happens everywhere is package events.
//
// It never decides anything, and no ping reaches it. What a device can bring about as it likes is folded and counted, so
// that a device that flaps, or means harm, costs a bounded number of entries and of writes, and pushes nothing of
// what operators did out of its timeline at once.
//
// A Timeline is safe for concurrent use. Came, Went and Note touch memory only; Run writes, within FlushEvery, and a
// crash loses what is younger.
package timeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Bounds of what is kept.
const (
	// Keep is how many entries of a device are kept, the newest.
	Keep = 500
	// KeepFor is how long they are kept.
	KeepFor = 90 * 24 * time.Hour
	// FlushEvery is how often new entries are written.
	FlushEvery = 2 * time.Second
	// foldFor is how long contacts in a row are one entry; one that follows the last within againWithin goes into it
	// whatever else has happened since.
	foldFor     = 24 * time.Hour
	againWithin = time.Minute
	// An entry that was written promptWrites times is written again after lazyEvery only.
	promptWrites = 5
	lazyEvery    = 5 * time.Minute
	// pruneAfter is after how many new entries of a device its old ones are dropped.
	pruneAfter = 25
	// Old entries of all devices are dropped sweepFirst after the start and each sweepEvery.
	sweepFirst = 10 * time.Minute
	sweepEvery = 24 * time.Hour
	// sweepAtOnce is how many entries a sweep drops in one transaction.
	sweepAtOnce = 5000
)

// Record is an entry of a device.
type Record struct {
	Device protocol.DeviceID
	Entry  Entry
}

// Limit says what is dropped: entries with an ID below Oldest, and of each device those beyond the Keep newest.
type Limit struct {
	Oldest uint64
	Keep   int
}

// Store keeps entries. Each method is one transaction.
type Store interface {
	// SaveTimeline stores entries, in place of those with the same ID, and drops old ones of the devices in prune.
	SaveTimeline(records []Record, prune []protocol.DeviceID, limit Limit) error
	// Timeline returns the entries of a device by ID.
	Timeline(protocol.DeviceID) ([]Entry, error)
	// ForgetTimeline drops all entries of a device.
	ForgetTimeline(protocol.DeviceID) error
	// PruneTimeline drops old entries of all devices, at most so many, and reports whether it came to the end.
	PruneTimeline(limit Limit, most int) (done bool, err error)
}

// Config of a Timeline.
type Config struct {
	Store Store
	// Known tells whether there is such a device; entries of others are dropped. Nil: all are known.
	Known func(protocol.DeviceID) bool
	Log   *slog.Logger
}

// Timeline is the memory of what happened. Create it with New.
type Timeline struct {
	store   Store
	known   func(protocol.DeviceID) bool
	log     *slog.Logger
	started uint64 // the first ID this one gives: entries below are of an earlier run of the hub

	writing sync.Mutex // held while entries are written or forgotten; taken before mu

	mu      sync.Mutex
	last    uint64                         // guarded by mu: the highest ID given
	devices map[protocol.DeviceID]*account // guarded by mu
}

// New returns a Timeline. It starts nothing: see Run.
func New(c Config) *Timeline {
	t := &Timeline{store: c.Store, known: c.Known, log: c.Log, devices: map[protocol.DeviceID]*account{}}
	if t.known == nil {
		t.known = func(protocol.DeviceID) bool { return true }
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	t.started = uint64(max(time.Now().UnixMicro(), 0))
	t.last = t.started
	return t
}

// Came notes that a device has connected by a carrier, or has come over one that stays not connected.
func (t *Timeline) Came(id protocol.DeviceID, c protocol.Carrier) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.account(id, now).came(t, c, now)
}

// Went notes that the connection of a device has ended. Without one nothing happens.
func (t *Timeline) Went(id protocol.DeviceID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.devices[id]; a != nil {
		a.went(time.Now())
	}
}

// Note notes what happened to a device. ID is given; At is where it is 0.
func (t *Timeline) Note(id protocol.DeviceID, e Entry) {
	now := time.Now()
	if e.At == 0 {
		e.At = now.UnixMilli()
	}
	e.Text = protocol.Cut(e.Text, protocol.MaxText)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.account(id, now).add(t, e, now)
}

// account returns what is in memory of a device. The caller holds mu.
func (t *Timeline) account(id protocol.DeviceID, now time.Time) *account {
	a := t.devices[id]
	if a == nil {
		a = &account{left: burst, filled: now}
		t.devices[id] = a
	}
	return a
}

// next gives an ID. The caller holds mu.
func (t *Timeline) next(now time.Time) uint64 {
	t.last = max(t.last+1, uint64(max(now.UnixMicro(), 0)))
	return t.last
}

// Forget drops all that is known of a device that was removed.
func (t *Timeline) Forget(id protocol.DeviceID) error {
	t.writing.Lock()
	defer t.writing.Unlock()
	t.mu.Lock()
	delete(t.devices, id)
	t.mu.Unlock()
	if err := t.store.ForgetTimeline(id); err != nil {
		return fmt.Errorf("forget the timeline of device %s: %w", id, err)
	}
	return nil
}

// Run writes new entries every FlushEvery and drops old ones, until ctx is done; then it writes what is left. What
// cannot be written stays in memory and is tried again.
func (t *Timeline) Run(ctx context.Context) error {
	tick, sweep := time.NewTicker(FlushEvery), time.NewTimer(sweepFirst)
	defer tick.Stop()
	defer sweep.Stop()
	failed := false
	for {
		var err error
		select {
		case <-ctx.Done():
			return t.Flush()
		case now := <-tick.C:
			err = t.flush(now)
		case now := <-sweep.C:
			sweep.Reset(sweepEvery)
			err = t.sweep(ctx, now)
		}
		if err != nil && !failed {
			t.log.Error("timelines of devices could not be saved and are kept in memory", "error", err)
		}
		failed = err != nil
	}
}

// Flush writes all that is not written yet.
func (t *Timeline) Flush() error { return t.flush(time.Time{}) }

// flush writes what is due at now; zero: everything.
func (t *Timeline) flush(now time.Time) error {
	t.writing.Lock()
	defer t.writing.Unlock()
	records, prune, written := t.due(now)
	if len(records) == 0 {
		return nil
	}
	if err := t.store.SaveTimeline(records, prune, limit(time.Now())); err != nil {
		return fmt.Errorf("save %d entries of timelines: %w", len(records), err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range written {
		w()
	}
	return nil
}

// due copies what is to be written, and gives what follows once it is. Devices that are not known are dropped.
func (t *Timeline) due(now time.Time) (records []Record, prune []protocol.DeviceID, written []func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, a := range t.devices {
		if len(a.unsaved) == 0 {
			continue
		}
		if !t.known(id) {
			delete(t.devices, id)
			continue
		}
		if a.added >= pruneAfter {
			prune = append(prune, id)
			written = append(written, func() { a.added = 0 })
		}
		for _, l := range a.unsaved {
			if !l.due(now) {
				continue
			}
			records = append(records, Record{id, l.Entry})
			edition := l.edition
			written = append(written, func() { a.saved(l, edition) })
		}
	}
	return records, prune, written
}

func limit(now time.Time) Limit {
	return Limit{Oldest: uint64(max(now.Add(-KeepFor).UnixMicro(), 0)), Keep: Keep}
}

// sweep drops old entries of all devices, a part at a time, so that other writes do not wait.
func (t *Timeline) sweep(ctx context.Context, now time.Time) error {
	for ctx.Err() == nil {
		done, err := t.store.PruneTimeline(limit(now), sweepAtOnce)
		if err != nil {
			return fmt.Errorf("drop old entries of timelines: %w", err)
		}
		if done {
			break
		}
	}
	return nil
}

// ErrCursor is returned for a place that no page gave.
var ErrCursor = errors.New("the cursor is not one that a page gave: begin without")

// Query asks for entries of a device.
type Query struct {
	Device protocol.DeviceID
	// Before is a cursor from Page. Empty: from the newest.
	Before string
	// Limit is the most entries. It must be positive.
	Limit int
	// Kinds that are wanted. Empty: all.
	Kinds []Kind
}

// Page returns entries, the newest first, and the cursor of the next page; "": there is none.
func (t *Timeline) Page(q Query) ([]Entry, string, error) {
	before, err := parseCursor(q.Before)
	if err != nil {
		return nil, "", err
	}
	all, err := t.entries(q.Device)
	if err != nil {
		return nil, "", err
	}
	out := make([]Entry, 0, min(q.Limit, len(all)))
	for _, e := range slices.Backward(all) {
		if q.Before != "" && compare(e, before) >= 0 || len(q.Kinds) > 0 && !slices.Contains(q.Kinds, e.Kind) {
			continue
		}
		if len(out) == q.Limit {
			return out, cursor(out[len(out)-1]), nil
		}
		out = append(out, e)
	}
	return out, "", nil
}

// entries are all of a device, the oldest first.
func (t *Timeline) entries(id protocol.DeviceID) ([]Entry, error) {
	mine := t.unsaved(id) // first: what is written meanwhile is in both
	all, err := t.store.Timeline(id)
	if err != nil {
		return nil, fmt.Errorf("read the timeline of device %s: %w", id, err)
	}
	for _, e := range mine {
		i, there := slices.BinarySearchFunc(all, e.ID, func(e Entry, id uint64) int { return compareIDs(e.ID, id) })
		if there {
			all[i] = e
		} else {
			all = slices.Insert(all, i, e)
		}
	}
	oldest := limit(time.Now()).Oldest
	all = slices.DeleteFunc(all, func(e Entry) bool { return e.ID < oldest })
	all = all[max(0, len(all)-Keep):]
	for i := range all {
		e := &all[i]
		e.explain()
		if e.Open && e.ID < t.started {
			e.Open = false
			e.Text += ", when the hub was last told; it was started again since"
		}
	}
	slices.SortFunc(all, compare)
	return all, nil
}

func (t *Timeline) unsaved(id protocol.DeviceID) (out []Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.devices[id]; a != nil {
		for _, l := range a.unsaved {
			out = append(out, l.Entry)
		}
	}
	return out
}
