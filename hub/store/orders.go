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

// AcceptedSet returns the sealed desired set that the device is known to hold; nil: none is known.
func (s *Store) AcceptedSet(dev protocol.DeviceID) (sealed []byte, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		sealed, err = get[[]byte](tx, acceptedAt(dev))
		if errors.Is(err, ErrNotFound) {
			sealed, err = nil, nil
		}
		return err
	})
	return sealed, err
}

// PutAcceptedSet replaces the sealed desired set that the device is known to hold; nil removes it.
func (s *Store) PutAcceptedSet(dev protocol.DeviceID, sealed []byte) error {
	return s.batch(func(tx *bbolt.Tx) error {
		if len(sealed) == 0 {
			return remove(tx, acceptedAt(dev))
		}
		return put(tx, acceptedAt(dev), sealed)
	})
}
