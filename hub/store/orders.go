package store

import (
	"errors"

	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/protocol"
)

const ordersVersion = 1

func acceptedAt(dev protocol.DeviceID) place {
	return place{bucket: "orders", version: ordersVersion, key: []byte(dev)}
}

// AcceptedSet returns the desired set that the device is known to hold; nil: none is known.
func (s *Store) AcceptedSet(dev protocol.DeviceID) (set []protocol.Entry, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		set, err = get[[]protocol.Entry](tx, acceptedAt(dev))
		if errors.Is(err, ErrNotFound) {
			set, err = nil, nil
		}
		return err
	})
	return set, err
}

// PutAcceptedSet replaces the desired set that the device is known to hold. An empty one is not kept.
func (s *Store) PutAcceptedSet(dev protocol.DeviceID, set []protocol.Entry) error {
	return s.db.Batch(func(tx *bbolt.Tx) error {
		if len(set) == 0 {
			return remove(tx, acceptedAt(dev))
		}
		return put(tx, acceptedAt(dev), set)
	})
}
