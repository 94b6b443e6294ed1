package ledger

import (
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
	_ struct{} `cbor:",toarray"`
	// Hub is what the hub counted.
	Hub []protocol.UsageCount
	// Device is what the device said. Of an hour it says nothing.
	Device []protocol.UsageCount
	// Lost is what the device had said before it lost its own books.
	Lost []protocol.UsageCount
}

// Counts is what counts: by class and direction the larger of what the hub counted and what the device said in all.
func (e *Entry) Counts() meter.Counts { return larger(counts(e.Hub), counts(e.Device), counts(e.Lost)) }

func larger(hub, device, lost meter.Counts) meter.Counts {
	device.Add(lost)
	for i := range device {
		device[i].Up, device[i].Down = max(device[i].Up, hub[i].Up), max(device[i].Down, hub[i].Down)
	}
	return device
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
	// edition grows with each change, and saved is the one that is stored.
	edition, saved uint32
}

func (s *slot) entry() Entry {
	return Entry{Hub: list(s.hub), Device: list(s.device), Lost: list(s.lost)}
}

func (s *slot) counts() meter.Counts { return larger(s.hub, s.device, s.lost) }

func sum(c meter.Counts) uint64 {
	t := c.Total()
	return t.Up + t.Down
}
