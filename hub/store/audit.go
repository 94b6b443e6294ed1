package store

import (
	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/hub/audit"
)

// trailAt are the places of what the database knows of the audit trail.
func trailAt(key string) place { return place{"audit.trail", 1, []byte(key)} }

// LoadTrail implements audit.Store.
func (s *Store) LoadTrail() (out audit.Saved, err error) {
	err = s.db.View(func(tx *bbolt.Tx) (err error) {
		if out.Head, err = optional[audit.Checkpoint](tx, trailAt("head")); err != nil {
			return err
		}
		if out.Start, err = optional[audit.Checkpoint](tx, trailAt("start")); err != nil {
			return err
		}
		out.Retention, err = optional[audit.Retention](tx, trailAt("retention"))
		return err
	})
	return out, err
}

// PutTrailHead implements audit.Store.
func (s *Store) PutTrailHead(c audit.Checkpoint) error {
	return s.update(func(tx *bbolt.Tx) error { return put(tx, trailAt("head"), c) })
}

// PutTrailStart implements audit.Store.
func (s *Store) PutTrailStart(c audit.Checkpoint) error {
	return s.update(func(tx *bbolt.Tx) error { return put(tx, trailAt("start"), c) })
}

// PutRetention implements audit.Store.
func (s *Store) PutRetention(r audit.Retention) error {
	return s.update(func(tx *bbolt.Tx) error { return put(tx, trailAt("retention"), r) })
}
