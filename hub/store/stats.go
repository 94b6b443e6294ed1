package store

import (
	"sync/atomic"
	"time"
)

// writeBounds are the upper bounds of the classes in Writes.Within.
var writeBounds = [...]time.Duration{5 * time.Millisecond, 25 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, 2500 * time.Millisecond}

// Writes are the transactions that the store has made durable since it was opened.
type Writes struct {
	Count uint64
	Total time.Duration
	// Within is how many took at most so long, each with all that were quicker.
	Within map[time.Duration]uint64
}

// writeTimes counts transactions by how long they took. It is safe for concurrent use.
type writeTimes struct {
	nanoseconds atomic.Int64
	classes     [len(writeBounds) + 1]atomic.Uint64
}

func (w *writeTimes) add(took time.Duration) {
	class := 0
	for class < len(writeBounds) && took > writeBounds[class] {
		class++
	}
	w.classes[class].Add(1)
	w.nanoseconds.Add(int64(took))
}

// Writes tells how long writing takes: what the disk gives.
func (s *Store) Writes() Writes {
	out := Writes{Total: time.Duration(s.times.nanoseconds.Load()), Within: make(map[time.Duration]uint64, len(writeBounds))}
	for i := range s.times.classes {
		out.Count += s.times.classes[i].Load()
		if i < len(writeBounds) {
			out.Within[writeBounds[i]] = out.Count
		}
	}
	return out
}
