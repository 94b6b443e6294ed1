package store

import (
	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/hub/edgegroups"
)

// bucketEdgeGroups has edge groups by id. Its sequence gives ids, so that none is used again.
const bucketEdgeGroups = "edge-groups"

func edgeGroupAt(id uint64) place { return place{bucketEdgeGroups, 1, number(id)} }

// LoadEdgeGroups implements edgegroups.Store.
func (s *Store) LoadEdgeGroups() (out []edgegroups.Group, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error { return all(tx, place{bucketEdgeGroups, 1, nil}, &out) })
	return out, err
}

// SaveEdgeGroups implements edgegroups.Store.
func (s *Store) SaveEdgeGroups(groups []edgegroups.Group) error {
	return s.update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(bucketEdgeGroups))
		if err != nil {
			return err
		}
		for i := range groups {
			g := &groups[i]
			if g.ID == 0 {
				if g.ID, err = b.NextSequence(); err != nil {
					return err
				}
			}
			if err := put(tx, edgeGroupAt(g.ID), *g); err != nil {
				return err
			}
		}
		return nil
	})
}

// RemoveEdgeGroup implements edgegroups.Store.
func (s *Store) RemoveEdgeGroup(id uint64) error {
	return s.update(func(tx *bbolt.Tx) error { return remove(tx, edgeGroupAt(id)) })
}
