package planner_test

import (
	"errors"
	"sync"

	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
)

var errFault = errors.New("the disk has a fault")

// fault is what goes wrong with the next write.
type fault uint8

const (
	sound   fault = iota
	refused       // nothing is stored, and the hub goes on
	lost          // the power goes before it is stored
	untold        // the power goes after it was stored, before anybody is told
)

// faultyStore is a real store that fails as it is told, and shows what it has made durable. Once the power is gone it
// stores nothing more.
type faultyStore struct {
	*store.Store
	books *books

	mu   sync.Mutex
	next fault
	dead bool
	had  int // faults
}

func (s *faultyStore) arm(f fault) { s.mu.Lock(); s.next = f; s.mu.Unlock() }

func (s *faultyStore) powerless() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.dead }

// faults counts what could not be stored, or was not told.
func (s *faultyStore) faults() int { s.mu.Lock(); defer s.mu.Unlock(); return s.had }

func (s *faultyStore) write(do func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.next
	s.next = sound
	if s.dead = s.dead || f == lost; s.dead || f == refused {
		s.had++
		return errFault
	}
	err := do()
	if f == untold {
		s.dead = true
		s.had++
		return errFault
	}
	return err
}

func (s *faultyStore) ApplyStack(c planner.Change) (rec stacks.Stack, err error) {
	err = s.write(func() (err error) {
		if rec, err = s.Store.ApplyStack(c); err == nil {
			s.books.stored(c, rec)
		}
		return err
	})
	return rec, err
}

func (s *faultyStore) DeleteStack(id uint64) error {
	return s.write(func() error {
		defer s.books.deleted(id)
		return s.Store.DeleteStack(id)
	})
}

func (s *faultyStore) PutStackDevice(r stacks.DeviceRecord) error {
	return s.write(func() error {
		err := s.Store.PutStackDevice(r)
		if err == nil {
			s.books.hear(r)
		}
		return err
	})
}

func (s *faultyStore) DropStackDevice(stack uint64, dev protocol.DeviceID) error {
	return s.write(func() error {
		s.books.unhear(stack, dev)
		return s.Store.DropStackDevice(stack, dev)
	})
}

func (s *faultyStore) DropGrants(dev protocol.DeviceID, of []uint64) error {
	return s.write(func() error { return s.Store.DropGrants(dev, of) })
}
