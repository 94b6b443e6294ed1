// Package events is the hub's stream of what happened: devices that came and went, approvals, rollouts, results. It
// keeps the last Keep events, in memory and in the store, and lets any number of readers follow from any of them, also
// after the hub was restarted.
//
// It never decides anything and drops no event for a reader: readers hold a place in the one ring, not a queue of
// their own, so a slow one costs nothing, and is told of a gap when the ring has moved past its place.
//
// A Bus is safe for concurrent use. Publish never waits for the disk: events are written within FlushEvery by Run,
// and a crash loses what is younger. Ids of lost events are never given again.
package events

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"sort"
	"sync"
	"time"

	"github.com/farshore/farshore/protocol"
)

const (
	// Keep is how many events are kept.
	Keep = 20_000
	// FlushEvery is how often new events are written.
	FlushEvery = time.Second
	// MaxData is the most bytes of an event's data as JSON; larger data is left out.
	MaxData = 16 << 10
	// readAtOnce is how many events a reader copies at a time.
	readAtOnce = 256
)

// Places to read from, besides the id of an event.
const (
	FromOldest uint64 = 0              // all that is kept
	FromNow    uint64 = math.MaxUint64 // only what comes
)

// keepPassing is about how many passing events are kept for readers who are a little behind.
const keepPassing = 1000

// KindGap is the kind of the event that tells a reader that earlier ones are not kept any more.
const KindGap = "gap"

// Event is one thing that happened.
type Event struct {
	// ID grows; it is made of the time in microseconds. Publish gives it.
	ID uint64 `cbor:"1,keyasint" json:"id"`
	// At is when. Publish gives it where it is zero.
	At time.Time `cbor:"-" json:"at"`
	// Kind is a stable word such as device.approved or stack.status. Required.
	Kind string `cbor:"2,keyasint" json:"kind"`
	// Device, Group and Stack (a name) are what it is about. Empty: nothing of that sort.
	Device protocol.DeviceID `cbor:"3,keyasint,omitempty" json:"device,omitempty"`
	Group  string            `cbor:"4,keyasint,omitempty" json:"group,omitempty"`
	Stack  string            `cbor:"5,keyasint,omitempty" json:"stack,omitempty"`
	// Text is a sentence for people, at most protocol.MaxText bytes.
	Text string `cbor:"6,keyasint,omitempty" json:"text,omitempty"`
	// Owner says whose that is. The zero value: administrators'.
	Owner protocol.Owner `cbor:"7,keyasint,omitzero" json:"-"`
	// Passing events are for those who listen now: they are not stored, and do not push others out of the ring.
	Passing bool `cbor:"-" json:"-"`
	// Data is more for programs: anything that encodes to JSON. Readers get it as json.RawMessage. No secrets.
	Data any `cbor:"-" json:"data,omitempty"`
}

// Stored is how a Store keeps an event.
type Stored struct {
	Event Event `cbor:"1,keyasint"`
	// At in Unix milliseconds.
	At int64 `cbor:"2,keyasint"`
	// Data as JSON. Empty: none.
	Data []byte `cbor:"3,keyasint,omitempty"`
}

func (s *Stored) event() Event {
	e := s.Event
	e.At = time.UnixMilli(s.At).UTC()
	if len(s.Data) > 0 {
		e.Data = json.RawMessage(s.Data)
	}
	return e
}

// Store keeps the ring. Each method is one transaction.
type Store interface {
	// LoadEvents gives the newest events, at most limit of them, oldest first.
	LoadEvents(limit int) ([]Stored, error)
	// AppendEvents adds events and removes those with ids below oldest.
	AppendEvents(added []Stored, oldest uint64) error
}

// Config of a Bus.
type Config struct {
	Store Store
	Log   *slog.Logger
	// Keep is how many events are kept. Zero: the constant Keep.
	Keep int
}

// Bus is the stream. Create it with New.
type Bus struct {
	store Store
	log   *slog.Logger
	keep  int

	flushing sync.Mutex // held while events are written; taken before mu

	mu      sync.Mutex
	ring    []Stored      // guarded by mu: oldest first; what is before start does not count any more
	start   int           // guarded by mu
	durable int           // guarded by mu: how many from start on are not passing; at most keep
	dropped uint64        // guarded by mu: the highest id that is not in the ring any more
	last    uint64        // guarded by mu: the highest id given
	saved   uint64        // guarded by mu: the highest id that is stored
	news    chan struct{} // guarded by mu: closed at the next event; nil: nobody waits
}

// New loads what is stored. It starts nothing: see Run.
func New(c Config) (*Bus, error) {
	b := &Bus{store: c.Store, log: c.Log, keep: c.Keep}
	if b.keep <= 0 {
		b.keep = Keep
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	ring, err := c.Store.LoadEvents(b.keep)
	if err != nil {
		return nil, fmt.Errorf("load events: %w", err)
	}
	b.ring, b.durable = ring, len(ring)
	if n := len(ring); n > 0 {
		b.last, b.saved = ring[n-1].Event.ID, ring[n-1].Event.ID
		b.dropped = ring[0].Event.ID - 1
	}
	return b, nil
}

// Publish tells everybody of an event and gives its id. It never blocks on the disk or on readers.
func (b *Bus) Publish(e Event) uint64 {
	now := time.Now()
	if e.At.IsZero() {
		e.At = now
	}
	s := Stored{At: e.At.UnixMilli(), Data: encode(b.log, &e)}
	e.At, e.Data, e.Text = time.Time{}, nil, protocol.Cut(e.Text, protocol.MaxText)
	s.Event = e

	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = max(b.last+1, uint64(max(now.UnixMicro(), 0)))
	s.Event.ID = b.last
	b.ring = append(b.ring, s)
	if !e.Passing {
		b.durable++
	}
	for ; b.durable > b.keep; b.start++ {
		if old := &b.ring[b.start].Event; !old.Passing {
			b.durable--
			b.dropped = old.ID
		}
	}
	if len(b.ring) >= 2*b.keep {
		b.compact()
	}
	if b.news != nil {
		close(b.news)
		b.news = nil
	}
	return b.last
}

func encode(log *slog.Logger, e *Event) []byte {
	if e.Data == nil {
		return nil
	}
	data, err := json.Marshal(e.Data)
	if err == nil && len(data) > MaxData {
		err = fmt.Errorf("%d bytes, at most %d are kept", len(data), MaxData)
	}
	if err != nil {
		log.Warn("data of an event is left out", "kind", e.Kind, "device", e.Device, "err", err)
		return nil
	}
	return data
}

// kept is the part of the ring that counts. Callers hold mu.
func (b *Bus) kept() []Stored { return b.ring[b.start:] }

// compact makes room in the ring: what does not count any more goes, and so do passing events but the newest. Callers
// hold mu.
func (b *Bus) compact() {
	kept := b.kept()
	surplus := len(kept) - b.durable - min(keepPassing, b.keep/2)
	ring := make([]Stored, 0, 2*b.keep)
	for _, s := range kept {
		if s.Event.Passing && surplus > 0 {
			surplus--
			continue
		}
		ring = append(ring, s)
	}
	b.ring, b.start = ring, 0
}

// Next gives the events after the one with the given id, oldest first, and waits for one where there is none. Where
// events in between are not kept any more, the first given is of KindGap and has the id of the last that is missing.
// Its only errors are those of ctx.
func (b *Bus) Next(ctx context.Context, after uint64) ([]Event, error) {
	b.mu.Lock()
	if after == FromNow {
		after = b.last
	}
	for {
		if out := b.after(after); len(out) > 0 {
			b.mu.Unlock()
			return out, nil
		}
		if b.news == nil {
			b.news = make(chan struct{})
		}
		news := b.news
		b.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-news:
		}
		b.mu.Lock()
	}
}

// after copies what a reader at the given place has to read. Callers hold mu.
func (b *Bus) after(id uint64) (out []Event) {
	if id != FromOldest && id < b.dropped {
		out = append(out, Event{
			ID: b.dropped, At: time.Now().UTC(), Kind: KindGap,
			Text: "events before this one are not kept any more: read the state of what you follow anew",
		})
	}
	kept := b.kept()
	from := sort.Search(len(kept), func(i int) bool { return kept[i].Event.ID > id })
	for i := from; i < len(kept) && len(out) < readAtOnce; i++ {
		out = append(out, kept[i].event())
	}
	return out
}

// Subscribe follows the stream from after the event with the given id (or FromOldest, FromNow) until ctx is done or
// the loop is left.
func (b *Bus) Subscribe(ctx context.Context, after uint64) iter.Seq[Event] {
	if after == FromNow {
		b.mu.Lock()
		after = max(b.last, 1) // what comes between this call and the loop counts; 0 would mean FromOldest
		b.mu.Unlock()
	}
	return func(yield func(Event) bool) {
		for {
			batch, err := b.Next(ctx, after)
			if err != nil {
				return
			}
			for _, e := range batch {
				if !yield(e) {
					return
				}
				after = e.ID
			}
		}
	}
}

// Since gives the place from which to read what happened at t or later.
func (b *Bus) Since(t time.Time) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	kept := b.kept()
	for i := range kept {
		if kept[i].At >= t.UnixMilli() {
			if i == 0 {
				return FromOldest
			}
			return kept[i-1].Event.ID
		}
	}
	return max(b.last, 1)
}

// Run writes new events every FlushEvery until ctx is done, and what is left then. Events that cannot be written stay
// in memory and are tried again.
func (b *Bus) Run(ctx context.Context) error {
	tick := time.NewTicker(FlushEvery)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return b.Flush()
		case <-tick.C:
			err := b.Flush()
			if err != nil && !failed {
				b.log.Error("events could not be saved and are kept in memory", "err", err)
			}
			failed = err != nil
		}
	}
}

// Flush writes new events now.
func (b *Bus) Flush() error {
	b.flushing.Lock()
	defer b.flushing.Unlock()
	b.mu.Lock()
	kept := b.kept()
	from := sort.Search(len(kept), func(i int) bool { return kept[i].Event.ID > b.saved })
	var fresh []Stored
	for _, s := range kept[from:] {
		if !s.Event.Passing {
			fresh = append(fresh, s)
		}
	}
	oldest := b.dropped + 1
	b.mu.Unlock()
	if len(fresh) == 0 {
		return nil
	}
	if err := b.store.AppendEvents(fresh, oldest); err != nil {
		return fmt.Errorf("save %d events: %w", len(fresh), err)
	}
	b.mu.Lock()
	b.saved = fresh[len(fresh)-1].Event.ID
	b.mu.Unlock()
	return nil
}
