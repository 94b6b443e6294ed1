package store

import (
	"errors"

	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
)

// Buckets of the waiting room: enrolment keys by id, waiting devices by device id.
const (
	bucketEnrolmentKeys = "waitingroom.keys"
	bucketWaiting       = "waitingroom.devices"
)

func enrolmentKeyAt(id string) place {
	return place{bucket: bucketEnrolmentKeys, version: 1, key: []byte(id)}
}

func waitingAt(id protocol.DeviceID) place {
	return place{bucket: bucketWaiting, version: 1, key: []byte(id)}
}

// LoadWaitingRoom returns all enrolment keys and all devices in the waiting room.
func (s *Store) LoadWaitingRoom() (keys []waitingroom.EnrolmentKey, waiting []waitingroom.Waiting, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		err := each(tx, enrolmentKeyAt(""), func(_ []byte, k waitingroom.EnrolmentKey) error {
			keys = append(keys, k)
			return nil
		})
		if err != nil {
			return err
		}
		return each(tx, waitingAt(""), func(_ []byte, w waitingroom.Waiting) error {
			waiting = append(waiting, w)
			return nil
		})
	})
	return keys, waiting, err
}

// PutEnrolmentKey stores an enrolment key, new or changed.
func (s *Store) PutEnrolmentKey(k waitingroom.EnrolmentKey) error {
	return s.update(func(tx *bbolt.Tx) error { return put(tx, enrolmentKeyAt(k.ID), k) })
}

// RemoveEnrolmentKey removes an enrolment key; one that is not there is no error.
func (s *Store) RemoveEnrolmentKey(id string) error {
	return s.update(func(tx *bbolt.Tx) error { return remove(tx, enrolmentKeyAt(id)) })
}

// PutWaiting stores devices in the waiting room, new or changed. Calls at the same time share a transaction.
func (s *Store) PutWaiting(waiting ...waitingroom.Waiting) error {
	return s.batch(func(tx *bbolt.Tx) error {
		for _, w := range waiting {
			if err := put(tx, waitingAt(w.ID), w); err != nil {
				return err
			}
		}
		return nil
	})
}

// ChargeWaiting stores a device in the waiting room and adds uses, which may be negative, to what its enrolment key has
// used; a key that was removed meanwhile counts nothing. Calls at the same time share a transaction.
func (s *Store) ChargeWaiting(w waitingroom.Waiting, uses int) error {
	return s.batch(func(tx *bbolt.Tx) error {
		k, err := get[waitingroom.EnrolmentKey](tx, enrolmentKeyAt(w.EnrolmentKey))
		switch {
		case err == nil:
			k.Used = uint32(max(int(k.Used)+uses, 0))
			if err := put(tx, enrolmentKeyAt(k.ID), k); err != nil {
				return err
			}
		case !errors.Is(err, ErrNotFound):
			return err
		}
		return put(tx, waitingAt(w.ID), w)
	})
}

// RemoveWaiting removes a device from the waiting room. Calls at the same time share a transaction.
func (s *Store) RemoveWaiting(id protocol.DeviceID) error {
	return s.batch(func(tx *bbolt.Tx) error { return remove(tx, waitingAt(id)) })
}
