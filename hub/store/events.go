package store

import (
	"bytes"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/hub/events"
)

func eventAt(id uint64) place { return place{"events", 1, number(id)} }

// LoadEvents implements events.Store.
func (s *Store) LoadEvents(limit int) (out []events.Stored, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(eventAt(0).bucket))
		if b == nil {
			return nil
		}
		c := b.Cursor()
		for k, raw := c.Last(); k != nil && len(out) < limit; k, raw = c.Prev() {
			e, err := decode[events.Stored](eventAt(0), raw)
			if err != nil {
				return err
			}
			out = append(out, e)
		}
		return nil
	})
	slices.Reverse(out)
	return out, err
}

// AppendEvents implements events.Store.
func (s *Store) AppendEvents(added []events.Stored, oldest uint64) error {
	return s.update(func(tx *bbolt.Tx) error {
		w := writer{tx: tx}
		for i := range added {
			w.put(eventAt(added[i].Event.ID), &added[i])
		}
		if w.err != nil {
			return w.err
		}
		b := tx.Bucket([]byte(eventAt(0).bucket))
		if b == nil {
			return nil
		}
		var old [][]byte // collected first: a bbolt cursor may skip after a delete
		c := b.Cursor()
		for k, _ := c.First(); k != nil && string(k) < string(number(oldest)); k, _ = c.Next() {
			old = append(old, bytes.Clone(k))
		}
		for _, k := range old {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
}
