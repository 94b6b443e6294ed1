package store

import (
	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/hub/updates"
	"github.com/farshore/farshore/protocol"
)

func updateAt(id string) place { return place{"updates", 1, []byte(id)} }

// updateJobAt is by the update's id, "/" and the device.
func updateJobAt(id string, dev protocol.DeviceID) place {
	return place{"updates.jobs", 1, []byte(id + "/" + string(dev))}
}

// LoadUpdates implements updates.Store.
func (s *Store) LoadUpdates() (out []updates.Update, jobs map[string][]updates.Job, err error) {
	jobs = map[string][]updates.Job{}
	err = s.db.View(func(tx *bbolt.Tx) error {
		if err := all(tx, updateAt(""), &out); err != nil {
			return err
		}
		for i := range out {
			var of []updates.Job
			if err := all(tx, updateJobAt(out[i].ID, ""), &of); err != nil {
				return err
			}
			jobs[out[i].ID] = of
		}
		return nil
	})
	return out, jobs, err
}

// PutUpdate implements updates.Store.
func (s *Store) PutUpdate(u *updates.Update, jobs []updates.Job) error {
	return s.update(func(tx *bbolt.Tx) error {
		w := writer{tx: tx}
		w.put(updateAt(u.ID), u)
		for i := range jobs {
			w.put(updateJobAt(u.ID, jobs[i].Device), &jobs[i])
		}
		return w.err
	})
}

// DropUpdate implements updates.Store.
func (s *Store) DropUpdate(id string) error {
	return s.update(func(tx *bbolt.Tx) error {
		if err := removeAll(tx, updateJobAt(id, "")); err != nil {
			return err
		}
		return remove(tx, updateAt(id))
	})
}
