package store

import (
	"bytes"
	"encoding/binary"

	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/hub/timeline"
	"github.com/farshore/farshore/protocol"
)

const timelineBucket = "timeline" // by device and id

func timelineAt(dev protocol.DeviceID, id uint64) place {
	return place{timelineBucket, 1, append([]byte(dev), number(id)...)}
}

// SaveTimeline implements timeline.Store.
func (s *Store) SaveTimeline(records []timeline.Record, prune []protocol.DeviceID, limit timeline.Limit) error {
	return s.batch(func(tx *bbolt.Tx) error {
		w := writer{tx: tx}
		for i := range records {
			w.put(timelineAt(records[i].Device, records[i].Entry.ID), &records[i].Entry)
		}
		if w.err != nil {
			return w.err
		}
		b := tx.Bucket([]byte(timelineBucket))
		if b == nil {
			return nil
		}
		for _, dev := range prune {
			if err := deleteKeys(b, surplus(timelineKeys(b, []byte(dev)), limit)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Timeline implements timeline.Store.
func (s *Store) Timeline(dev protocol.DeviceID) (out []timeline.Entry, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		return all(tx, place{timelineBucket, 1, []byte(dev)}, &out)
	})
	return out, err
}

// ForgetTimeline implements timeline.Store.
func (s *Store) ForgetTimeline(dev protocol.DeviceID) error {
	return s.batch(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(timelineBucket))
		if b == nil {
			return nil
		}
		return deleteKeys(b, timelineKeys(b, []byte(dev)))
	})
}

// PruneTimeline implements timeline.Store. It reads keys only, and writes only where there is something to drop.
func (s *Store) PruneTimeline(limit timeline.Limit, most int) (done bool, err error) {
	var old [][]byte
	err = s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(timelineBucket))
		if b == nil {
			return nil
		}
		for _, dev := range devicesIn(b) {
			old = append(old, surplus(timelineKeys(b, dev), limit)...)
			if len(old) >= most {
				break
			}
		}
		return nil
	})
	if err != nil || len(old) == 0 {
		return true, err
	}
	return len(old) < most, s.batch(func(tx *bbolt.Tx) error {
		return deleteKeys(tx.Bucket([]byte(timelineBucket)), old)
	})
}

// timelineKeys copies the keys of a device, in order.
func timelineKeys(b *bbolt.Bucket, dev []byte) (keys [][]byte) {
	c := b.Cursor()
	for k, _ := c.Seek(dev); k != nil && hasPrefix(k, dev); k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	return keys
}

// surplus are those of a device's keys that the limit drops: the first ones.
func surplus(keys [][]byte, limit timeline.Limit) [][]byte {
	n := max(0, len(keys)-limit.Keep)
	for n < len(keys) && binary.BigEndian.Uint64(keys[n][len(keys[n])-8:]) < limit.Oldest {
		n++
	}
	return keys[:n]
}

func deleteKeys(b *bbolt.Bucket, keys [][]byte) error {
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
