package spending

import (
	"slices"

	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
)

// Record is what a Keeper keeps durably.
type Record struct {
	// Days with what was spent on them, the oldest first, at most protocol.MaxUsageDays.
	Days []Day `cbor:"1,keyasint,omitempty"`
	// Reserved bytes may have been spent beyond what the days say. 0: the agent has stopped in order.
	Reserved uint64 `cbor:"2,keyasint,omitempty"`
	// Stage that was announced last, in the cycle and with the caps for which it holds.
	Stage protocol.Spending `cbor:"3,keyasint,omitempty"`
	Cycle uint32            `cbor:"4,keyasint,omitempty"`
	Soft  uint64            `cbor:"5,keyasint,omitempty"`
	Hard  uint64            `cbor:"6,keyasint,omitempty"`
	// Pinged is the day on which a silent device was in contact last. 0: on none.
	Pinged uint32 `cbor:"7,keyasint,omitempty"`
	// Day is the present one, on which Reserved counts.
	Day uint32 `cbor:"8,keyasint,omitempty"`
	// First is the first day of the present cycle, Spent what the days say of it, without Reserved.
	First uint32 `cbor:"9,keyasint,omitempty"`
	Spent uint64 `cbor:"10,keyasint,omitempty"`
}

// Lost gives the record of a device that has lost its own, and only knows the last day of which it had a count and what
// was spent in the cycle by then: none of it is given back.
func Lost(day uint32, spent uint64) Record {
	if day == 0 || spent == 0 {
		return Record{}
	}
	return Record{Day: day, Reserved: spent}
}

// Day is one day's spending: a CBOR array.
type Day struct {
	_ struct{} `cbor:",toarray"`
	// Day as in protocol.UsageDay.
	Day uint32
	// Told is how many bytes of it the hub has acknowledged.
	Told   uint64
	Counts []protocol.UsageCount
}

func (d *Day) total() (n uint64) {
	for _, c := range d.Counts {
		n += c.Up + c.Down
	}
	return n
}

// with gives the day with more counted on it.
func (d Day) with(more meter.Counts) Day {
	d.Counts = slices.Clone(d.Counts)
	for class, b := range more {
		d.add(protocol.Class(class), b)
	}
	return d
}

func (d *Day) add(class protocol.Class, b meter.Bytes) {
	if b == (meter.Bytes{}) {
		return
	}
	i := slices.IndexFunc(d.Counts, func(c protocol.UsageCount) bool { return c.Class >= class })
	if i < 0 {
		i = len(d.Counts)
	}
	if i == len(d.Counts) || d.Counts[i].Class != class {
		d.Counts = slices.Insert(d.Counts, i, protocol.UsageCount{Class: class})
	}
	d.Counts[i].Up += b.Up
	d.Counts[i].Down += b.Down
}

// counts gives the day as the meter counts.
func (d *Day) counts() (c meter.Counts) {
	for _, u := range d.Counts {
		if int(u.Class) < len(c) {
			c[u.Class].Up += u.Up
			c[u.Class].Down += u.Down
		}
	}
	return c
}

func minus(a, b meter.Counts) (c meter.Counts) {
	for i := range c {
		c[i] = meter.Bytes{Up: a[i].Up - b[i].Up, Down: a[i].Down - b[i].Down}
	}
	return c
}

func sum(c meter.Counts) uint64 {
	t := c.Total()
	return t.Up + t.Down
}
