package fold

import (
	"fmt"
	"slices"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

// Segment is a run of states of one device, stored as one record. Its first state is packed whole, each other one is
// a patch against the one before. Segments are numbered from 1; the highest is the head, to which states are added.
type Segment struct {
	Number uint64   `cbor:"1,keyasint"`
	States []Stored `cbor:"2,keyasint,omitempty"`
	// Before is the stored size of all segments with lower numbers together, in bytes.
	Before int `cbor:"3,keyasint,omitempty"`
	// Oldest is the time of the device's oldest state, Unix seconds.
	Oldest int64 `cbor:"4,keyasint,omitempty"`
}

// Stored is one state in a segment.
type Stored struct {
	// At is when it was captured, Unix seconds.
	At   int64              `cbor:"1,keyasint"`
	Hash protocol.ShortHash `cbor:"2,keyasint"`
	// Data is a patch of package snapshot: against nothing for a segment's first state, else against the state before.
	Data []byte `cbor:"3,keyasint"`
}

func (s Segment) size() int {
	n := 0
	for i := range s.States {
		n += len(s.States[i].Data) + storedStateOverhead
	}
	return n
}

// full says that the next state starts a segment.
func (s Segment) full() bool {
	return len(s.States) == 0 || len(s.States) >= maxSegmentStates || s.size() >= maxSegmentBytes
}

// successor returns the empty segment after s, for a state of the time at.
func (s Segment) successor(at int64) Segment {
	next := Segment{Number: s.Number + 1, Before: s.Before + s.size(), Oldest: s.Oldest}
	if next.Oldest == 0 {
		next.Oldest = at
	}
	return next
}

// unpack returns all states of segments that follow each other, oldest first.
func (f *Fold) unpack(segs []Segment) ([]State, error) {
	p := <-f.patchers
	defer func() { f.patchers <- p }()
	var out []State
	for _, seg := range segs {
		var base []byte
		for i, st := range seg.States {
			next, err := p.Apply(base, st.Data)
			if err == nil && protocol.HashOf(next).Short() != st.Hash {
				err = snapshot.ErrWrongBase
			}
			if err != nil {
				return nil, fmt.Errorf("stored state %d of segment %d: %w", i, seg.Number, err)
			}
			out = append(out, State{At: time.Unix(st.At, 0), Hash: st.Hash, Canonical: next})
			base = next
		}
	}
	return out, nil
}

// AsOf returns the state that was known of the time t: the last one captured at or before it. Where there is none the
// error wraps ErrNone and names the oldest.
func (f *Fold) AsOf(dev protocol.DeviceID, t time.Time) (State, error) {
	segs, err := f.segments(dev)
	if err != nil {
		return State{}, err
	}
	for i := len(segs) - 1; i >= 0; i-- {
		n, _ := slices.BinarySearchFunc(segs[i].States, t.Unix()+1, func(s Stored, t int64) int {
			if s.At < t {
				return -1
			}
			return 1
		})
		if n == 0 {
			continue
		}
		states, err := f.unpack([]Segment{{Number: segs[i].Number, States: segs[i].States[:n]}})
		if err != nil {
			return State{}, fmt.Errorf("snapshot of device %s as of %s: %w", dev, t.UTC().Format(time.RFC3339), err)
		}
		return states[n-1], nil
	}
	if len(segs) == 0 || len(segs[0].States) == 0 {
		return State{}, fmt.Errorf("device %s: %w", dev, ErrNone)
	}
	return State{}, fmt.Errorf("device %s: %w as of %s: the oldest is of %s", dev, ErrNone,
		t.UTC().Format(time.RFC3339), time.Unix(segs[0].States[0].At, 0).UTC().Format(time.RFC3339))
}

// History returns the times of all states that AsOf can return, oldest first.
func (f *Fold) History(dev protocol.DeviceID) ([]time.Time, error) {
	segs, err := f.segments(dev)
	if err != nil {
		return nil, err
	}
	var out []time.Time
	for _, seg := range segs {
		for _, st := range seg.States {
			out = append(out, time.Unix(st.At, 0))
		}
	}
	return out, nil
}

func (f *Fold) segments(dev protocol.DeviceID) ([]Segment, error) {
	segs, err := f.cfg.Store.SnapshotSegments(dev)
	if err != nil {
		return nil, fmt.Errorf("read snapshots of device %s: %w", dev, err)
	}
	return segs, nil
}

// wantsThinning is asked when a segment begins. Age alone is a reason once a day at most, so that a device is not
// rewritten all the time.
func (f *Fold) wantsThinning(head Segment, at int64) bool {
	return head.Before > f.cfg.DeviceBytes || head.Oldest < at-int64((f.cfg.Keep+24*time.Hour)/time.Second)
}

// spacings is how far apart kept states are, at least, by age (up to a day, and beyond), in the order tried: the first
// that fits into half of DeviceBytes is taken, so that the next thinning is as far away as it can be.
var spacings = [...][2]time.Duration{
	{0, 0},
	{0, 15 * time.Minute},
	{time.Minute, time.Hour},
	{10 * time.Minute, 4 * time.Hour},
	{time.Hour, 12 * time.Hour},
	{4 * time.Hour, 24 * time.Hour},
}

// thin rewrites the device's history with head as its last segment, and returns head as it was stored.
func (f *Fold) thin(dev protocol.DeviceID, head Segment, now int64) (Segment, error) {
	segs, err := f.cfg.Store.SnapshotSegments(dev)
	if err != nil {
		return Segment{}, err
	}
	states, err := f.unpack(segs)
	if err != nil {
		f.cfg.Log.Warn("the stored history is damaged; it begins anew", "device", dev, "err", err)
		states = nil
	}
	states = f.withinKeep(states, now)
	var packed []Segment
	for _, spacing := range spacings {
		packed = f.pack(spaced(states, spacing, now))
		if sizeOf(packed) <= f.cfg.DeviceBytes/2 {
			break
		}
	}
	for len(packed) > 0 && sizeOf(packed) > f.cfg.DeviceBytes/2 {
		packed = packed[1:] // large states: fewer of them
	}
	head.Number = uint64(len(packed)) + 1
	packed = number(append(packed, head))
	return packed[len(packed)-1], f.cfg.Store.ReplaceSnapshots(dev, packed)
}

// withinKeep drops what is older than Keep, but for the state that held when that time began.
func (f *Fold) withinKeep(states []State, now int64) []State {
	cut := now - int64(f.cfg.Keep/time.Second)
	for len(states) > 1 && states[1].At.Unix() <= cut {
		states = states[1:]
	}
	return states
}

// spaced keeps, of the states that share a span of time, the last.
func spaced(states []State, spacing [2]time.Duration, now int64) []State {
	var kept []State
	var last int64 = -1
	for _, st := range states {
		at := st.At.Unix()
		step := int64(spacing[0] / time.Second)
		if now-at > 24*3600 {
			step = int64(spacing[1] / time.Second)
		}
		span := at
		if step > 0 {
			span = at / step
		}
		if step > 0 && span == last {
			kept[len(kept)-1] = st
			continue
		}
		kept, last = append(kept, st), span
		if step == 0 {
			last = -1
		}
	}
	return kept
}

// pack is the inverse of unpack. Numbers and sums are left to number.
func (f *Fold) pack(states []State) []Segment {
	p := <-f.patchers
	defer func() { f.patchers <- p }()
	var out []Segment
	var base []byte
	for _, st := range states {
		if len(out) == 0 || out[len(out)-1].full() {
			out, base = append(out, Segment{}), nil
		}
		seg := &out[len(out)-1]
		seg.States = append(seg.States, Stored{At: st.At.Unix(), Hash: st.Hash, Data: p.Patch(base, st.Canonical)})
		base = st.Canonical
	}
	return out
}

// number sets the numbers and sums of segments that follow each other from the first.
func number(segs []Segment) []Segment {
	before := 0
	for i := range segs {
		segs[i].Number = uint64(i + 1)
		segs[i].Before = before
		segs[i].Oldest = segs[0].States[0].At
		before += segs[i].size()
	}
	return segs
}

func sizeOf(segs []Segment) int {
	n := 0
	for i := range segs {
		n += segs[i].size()
	}
	return n
}
