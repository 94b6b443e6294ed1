package store

import (
	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/hub/audit"
	"github.com/farshore/farshore/hub/audit/forward"
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

func destinationAt(name string) place { return place{"audit.destinations", 1, []byte(name)} }

func progressAt(name string) place { return place{"audit.progress", 1, []byte(name)} }

// LoadDestinations implements forward.Store.
func (s *Store) LoadDestinations() (out []forward.Saved, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		return each(tx, destinationAt(""), func(name []byte, d forward.Destination) error {
			p, err := optional[forward.Progress](tx, progressAt(string(name)))
			out = append(out, forward.Saved{Destination: d, Progress: p})
			return err
		})
	})
	return out, err
}

// PutDestination implements forward.Store.
func (s *Store) PutDestination(d forward.Destination, p forward.Progress) error {
	return s.update(func(tx *bbolt.Tx) error {
		w := writer{tx: tx}
		w.put(destinationAt(d.Name), d)
		w.put(progressAt(d.Name), p)
		return w.err
	})
}

// PutProgress implements forward.Store.
func (s *Store) PutProgress(name string, p forward.Progress) error {
	return s.update(func(tx *bbolt.Tx) error { return put(tx, progressAt(name), p) })
}

// RemoveDestination implements forward.Store.
func (s *Store) RemoveDestination(name string) error {
	return s.update(func(tx *bbolt.Tx) error {
		w := writer{tx: tx}
		w.remove(destinationAt(name))
		w.remove(progressAt(name))
		return w.err
	})
}
