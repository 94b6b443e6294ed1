package store

import (
	"bytes"
	"encoding/binary"

	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/economy/ledger"
	"github.com/farshore/farshore/protocol"
)

// Counts are kept by time and then by device, so that what is written at the same time is in the same pages, and what is
// old is at the beginning.

func usageAt(at ledger.Slot, dev protocol.DeviceID) place {
	bucket := "usage.days"
	if at.Step == ledger.Hour {
		bucket = "usage.hours"
	}
	return place{bucket, 1, append(binary.BigEndian.AppendUint32(nil, at.At), dev...)}
}

func usageStandingAt(dev protocol.DeviceID) place { return place{"usage.devices", 1, []byte(dev)} }

// LoadUsage implements ledger.Store.
func (s *Store) LoadUsage() (out map[protocol.DeviceID]ledger.Standing, err error) {
	out = map[protocol.DeviceID]ledger.Standing{}
	err = s.db.View(func(tx *bbolt.Tx) error {
		return each(tx, usageStandingAt(""), func(key []byte, v ledger.Standing) error {
			out[protocol.DeviceID(key)] = v
			return nil
		})
	})
	return out, err
}

// UsageEntry implements ledger.Store.
func (s *Store) UsageEntry(at ledger.Slot, dev protocol.DeviceID) (e ledger.Entry, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		e, err = optional[ledger.Entry](tx, usageAt(at, dev))
		return err
	})
	return e, err
}

// UsageOf implements ledger.Store.
func (s *Store) UsageOf(at ledger.Slot, fn func(protocol.DeviceID, ledger.Entry)) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		in := usageAt(at, "")
		return each(tx, in, func(key []byte, e ledger.Entry) error {
			fn(protocol.DeviceID(key[len(in.key):]), e)
			return nil
		})
	})
}

// SaveUsage implements ledger.Store.
func (s *Store) SaveUsage(collect func() []ledger.Record) error {
	return s.batch(func(tx *bbolt.Tx) error {
		w := writer{tx: tx}
		for _, r := range collect() {
			if r.Standing != nil {
				w.put(usageStandingAt(r.Device), r.Standing)
			} else {
				w.put(usageAt(r.Slot, r.Device), &r.Entry)
			}
		}
		return w.err
	})
}

// PruneUsage implements ledger.Store. It writes only where there is something to drop.
func (s *Store) PruneUsage(day, hour ledger.Slot, most int) (done bool, err error) {
	left := most
	for _, oldest := range []ledger.Slot{day, hour} {
		at := usageAt(oldest, "")
		var old [][]byte
		err := s.db.View(func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(at.bucket))
			if b == nil {
				return nil
			}
			c := b.Cursor()
			for k, _ := c.First(); k != nil && bytes.Compare(k, at.key) < 0 && len(old) < left; k, _ = c.Next() {
				old = append(old, bytes.Clone(k))
			}
			return nil
		})
		if err != nil {
			return false, err
		}
		if len(old) == 0 {
			continue
		}
		left -= len(old)
		if err := s.batch(func(tx *bbolt.Tx) error { return deleteKeys(tx.Bucket([]byte(at.bucket)), old) }); err != nil {
			return false, err
		}
	}
	return left > 0, nil
}

// ForgetUsage implements ledger.Store.
func (s *Store) ForgetUsage(dev protocol.DeviceID, slots []ledger.Slot) error {
	return s.batch(func(tx *bbolt.Tx) error {
		w := writer{tx: tx}
		for _, at := range slots {
			w.remove(usageAt(at, dev))
		}
		w.remove(usageStandingAt(dev))
		return w.err
	})
}
