package store

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"go.etcd.io/bbolt"
)

// Writes that share transactions are as good as alone: what succeeded is there, what failed is not and says so, and
// nobody is forgotten.
func TestBatchedWritesAreEachOwn(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	bad := errors.New("bad")
	var wait sync.WaitGroup
	for i := range 400 {
		wait.Go(func() {
			err := s.batch(func(tx *bbolt.Tx) error {
				b, err := tx.CreateBucketIfNotExists([]byte("test"))
				if err != nil {
					return err
				}
				if err := b.Put(fmt.Appendf(nil, "%d", i), []byte{1}); err != nil {
					return err
				}
				if i%7 == 0 {
					return bad
				}
				return nil
			})
			if (i%7 == 0) != errors.Is(err, bad) {
				t.Errorf("write %d: got %v", i, err)
			}
		})
	}
	wait.Wait()
	err = s.db.View(func(tx *bbolt.Tx) error {
		for i := range 400 {
			there := tx.Bucket([]byte("test")).Get(fmt.Appendf(nil, "%d", i)) != nil
			if there == (i%7 == 0) {
				t.Errorf("write %d: there %v", i, there)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.batch(func(*bbolt.Tx) error { return nil }); err == nil {
		t.Error("a write after Close succeeded")
	}
}
