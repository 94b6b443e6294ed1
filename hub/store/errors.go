package store

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// ErrDiskFull says that a change was not made because the disk is full. What was stored before is untouched.
var ErrDiskFull = errors.New("the disk is full")

// update runs an operator's change: one transaction of its own. A full disk is said in a sentence.
func (s *Store) update(fn func(*bbolt.Tx) error) error { return s.explain(s.write(fn)) }

// batch runs one of many concurrent writes; those that come while the disk works share a transaction. fn may be run twice.
func (s *Store) batch(fn func(*bbolt.Tx) error) error { return s.explain(s.batches.do(s.write, fn)) }

// write runs one transaction and remembers whether it could be made durable. Of one that fn refused nothing is learnt.
func (s *Store) write(fn func(*bbolt.Tx) error) error {
	refused := false
	began := time.Now()
	err := s.db.Update(func(tx *bbolt.Tx) error {
		err := fn(tx)
		refused = err != nil
		return err
	})
	switch {
	case refused:
	case err != nil:
		s.broken.Store(&err)
	default:
		s.times.add(time.Since(began))
		s.broken.Store(nil)
	}
	return err
}

// Broken says why the last write could not be made durable, such as a full disk; nil: it could.
func (s *Store) Broken() error {
	if err := s.broken.Load(); err != nil {
		return s.explain(*err)
	}
	return nil
}

// explain adds the remedy where the cause is not in the data.
func (s *Store) explain(err error) error {
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return fmt.Errorf("the store is closed because the hub is stopping: %w", err)
	}
	return diskFull(err, s.db.Path())
}

// diskFull says in a sentence that the disk with path is full, where that is the cause.
func diskFull(err error, path string) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: nothing was changed and nothing stored is lost: free some space beside %q and try again: %w",
			ErrDiskFull, path, err)
	}
	return err
}
