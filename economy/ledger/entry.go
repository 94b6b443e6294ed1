package ledger

import (
	"fmt"
	"time"

	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
)

// Step is how long the time of one count is.
type Step uint8

// The steps.
const (
	Hour Step = 1
	Day  Step = 2
)

// Slot is one hour, counted from 1970-01-01 in UTC, or one day as protocol.UsageDay counts it.
type Slot struct {
	Step Step
	At   uint32
}

// HourOf gives the hour of a time.
func HourOf(t time.Time) Slot { return Slot{Hour, uint32(max(0, t.Unix()/3600))} }

// before gives the slot n steps earlier.
func (s Slot) before(n uint32) Slot { return Slot{s.Step, s.At - min(n, s.At)} }

// Entry are the counts of a device in one slot, as they are stored: a CBOR array.
type Entry struct {
	// Hub is what the hub counted.
	Hub []protocol.UsageCount
	// Device is what the device said. Of an hour it says nothing.
	Device []protocol.UsageCount
	// Lost is what the device had said before it lost its own books.
	Lost []protocol.UsageCount
	// Seen is what Hub was when the device said Device. Nil: it has said nothing, or nobody knows.
	Seen []protocol.UsageCount
}

// MarshalCBOR writes the array, without Seen where that is nil.
func (e Entry) MarshalCBOR() ([]byte, error) {
	parts := [][]protocol.UsageCount{e.Hub, e.Device, e.Lost}
	if e.Seen != nil {
		parts = append(parts, e.Seen)
	}
	return protocol.Marshal(parts)
}

// UnmarshalCBOR reads what MarshalCBOR writes.
func (e *Entry) UnmarshalCBOR(b []byte) error {
	var parts [][]protocol.UsageCount
	if err := protocol.Unmarshal(b, &parts); err != nil {
		return err
	}
	if len(parts) != 3 && len(parts) != 4 {
		return fmt.Errorf("usage in %d parts: want 3 or 4", len(parts))
	}
	*e = Entry{Hub: parts[0], Device: parts[1], Lost: parts[2]}
	if len(parts) == 4 {
		if e.Seen = parts[3]; e.Seen == nil {
			e.Seen = []protocol.UsageCount{}
		}
	}
	return nil
}

// Counts is what counts: see slot.counts.
func (e *Entry) Counts() meter.Counts { return e.slot().counts() }

func (e *Entry) slot() *slot {
	return &slot{hub: counts(e.Hub), device: counts(e.Device), lost: counts(e.Lost), seen: counts(e.Seen), told: e.Seen != nil}
}

// Record is what is stored of a device: an Entry in a slot, or its Standing.
type Record struct {
	Device protocol.DeviceID
	Slot   Slot
	Entry  Entry
	// Standing, where it is not nil, is what is stored in place of an entry.
	Standing *Standing
}

// counts spreads what is stored over the classes. A class that is not known here is class other.
func counts(list []protocol.UsageCount) (out meter.Counts) {
	for _, c := range list {
		out[known(c.Class)].Up += c.Up
		out[known(c.Class)].Down += c.Down
	}
	return out
}

func known(c protocol.Class) protocol.Class { return min(c, protocol.ClassOther) }

// list gives the classes that have something.
func list(c meter.Counts) (out []protocol.UsageCount) {
	for class, b := range c {
		if b != (meter.Bytes{}) {
			out = append(out, protocol.UsageCount{Class: protocol.Class(class), Up: b.Up, Down: b.Down})
		}
	}
	return out
}

// slot is an Entry in memory.
type slot struct {
	hub, device, lost meter.Counts
	// seen is what hub was when the device said device, if it is told.
	seen meter.Counts
	told bool
	// edition grows with each change, and saved is the one that is stored.
	edition, saved uint32
}

func (s *slot) entry() Entry {
	e := Entry{Hub: list(s.hub), Device: list(s.device), Lost: list(s.lost)}
	if s.told {
		if e.Seen = list(s.seen); e.Seen == nil {
			e.Seen = []protocol.UsageCount{}
		}
	}
	return e
}

// counts is what counts: the device's word, and what the hub has counted since. Before there is any, and where a device
// says so much less than the hub saw that it cannot be believed, it is the larger of both, by class and direction.
func (s *slot) counts() meter.Counts {
	out := s.device
	out.Add(s.lost)
	if s.told && sum(out)+doubt >= sum(s.seen)/4*3 {
		out.Add(less(s.hub, s.seen))
		return out
	}
	for i := range out {
		out[i].Up, out[i].Down = max(out[i].Up, s.hub[i].Up), max(out[i].Down, s.hub[i].Down)
	}
	return out
}

// doubt is how many bytes a device may have fewer than three quarters of what the hub counted, and still be believed.
const doubt = 64 << 10

func sum(c meter.Counts) uint64 {
	t := c.Total()
	return t.Up + t.Down
}
