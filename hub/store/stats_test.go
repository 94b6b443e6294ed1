package store

import (
	"errors"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// What was refused by a rule says nothing of the disk and is not counted.
func TestWritesAreCounted(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := s.Writes()
	for range 3 {
		if err := s.update(func(*bbolt.Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.update(func(*bbolt.Tx) error { return ErrConflict }); !errors.Is(err, ErrConflict) {
		t.Fatal(err)
	}
	after := s.Writes()
	if after.Count != before.Count+3 || after.Total <= before.Total {
		t.Errorf("before %+v, after three writes %+v", before, after)
	}

	var w writeTimes
	for _, took := range []time.Duration{time.Millisecond, 5 * time.Millisecond, time.Second, time.Minute} {
		w.add(took)
	}
	if got := [2]uint64{w.classes[0].Load(), w.classes[len(writeBounds)].Load()}; got != [2]uint64{2, 1} {
		t.Errorf("quick ones, slow ones: %v", got)
	}
}
