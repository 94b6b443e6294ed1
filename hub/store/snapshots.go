package store

import (
	"errors"

	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot/fold"
)

// snapshotBucket has a fold.Segment by device id and segment number.
const snapshotBucket = "snapshots"

// snapshotPlace is where a segment lives. Device ids all have one length, so none is a prefix of another.
func snapshotPlace(dev protocol.DeviceID, rest []byte) place {
	return place{bucket: snapshotBucket, version: 1, key: append([]byte(dev), rest...)}
}

var errNoDevice = errors.New("store snapshots: no device id")

// SnapshotHead implements fold.Store.
func (s *Store) SnapshotHead(dev protocol.DeviceID) (seg fold.Segment, ok bool, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(snapshotBucket))
		if b == nil {
			return nil
		}
		at := snapshotPlace(dev, nil)
		c := b.Cursor()
		step := c.Prev
		if k, _ := c.Seek(snapshotPlace(dev, number(1<<64-1)).key); k == nil {
			step = c.Last
		}
		k, raw := step()
		if k == nil || !hasPrefix(k, at.key) {
			return nil
		}
		var err error
		seg, err = decode[fold.Segment](at, raw)
		ok = err == nil
		return err
	})
	return seg, ok, err
}

// SnapshotSegments implements fold.Store.
func (s *Store) SnapshotSegments(dev protocol.DeviceID) (segs []fold.Segment, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		return each(tx, snapshotPlace(dev, nil), func(_ []byte, seg fold.Segment) error {
			segs = append(segs, seg)
			return nil
		})
	})
	return segs, err
}

// PutSnapshotSegment implements fold.Store. It shares its transaction with others.
func (s *Store) PutSnapshotSegment(dev protocol.DeviceID, seg fold.Segment) error {
	if dev == "" {
		return errNoDevice
	}
	return s.batch(func(tx *bbolt.Tx) error {
		return put(tx, snapshotPlace(dev, number(seg.Number)), seg)
	})
}

// ReplaceSnapshots implements fold.Store.
func (s *Store) ReplaceSnapshots(dev protocol.DeviceID, segs []fold.Segment) error {
	if dev == "" {
		return errNoDevice
	}
	return s.batch(func(tx *bbolt.Tx) error {
		if b := tx.Bucket([]byte(snapshotBucket)); b != nil {
			if err := removePrefix(b, []byte(dev)); err != nil {
				return err
			}
		}
		for _, seg := range segs {
			if err := put(tx, snapshotPlace(dev, number(seg.Number)), seg); err != nil {
				return err
			}
		}
		return nil
	})
}

// removePrefix deletes all keys that begin with prefix.
func removePrefix(b *bbolt.Bucket, prefix []byte) error {
	var keys [][]byte // a cursor must not be moved over a bucket that changes
	c := b.Cursor()
	for k, _ := c.Seek(prefix); k != nil && hasPrefix(k, prefix); k, _ = c.Next() {
		keys = append(keys, append([]byte(nil), k...))
	}
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
