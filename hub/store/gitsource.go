package store

import (
	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/hub/gitsource"
)

func sourceAt(stack string) place { return place{"stacks.sources", 1, []byte(stack)} }

// LoadSources implements gitsource.Store.
func (s *Store) LoadSources() (out []gitsource.Source, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error { return all(tx, sourceAt(""), &out) })
	return out, err
}

// PutSource implements gitsource.Store.
func (s *Store) PutSource(src gitsource.Source) error {
	return s.update(func(tx *bbolt.Tx) error { return put(tx, sourceAt(src.Stack), src) })
}

// RemoveSource implements gitsource.Store.
func (s *Store) RemoveSource(stack string) error {
	return s.update(func(tx *bbolt.Tx) error { return remove(tx, sourceAt(stack)) })
}
