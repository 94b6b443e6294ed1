package store

import (
	"bytes"

	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/protocol"
)

// Strays returns the devices of which there are snapshots, a timeline, usage or an accepted set, and which are not known. It
// reads keys only.
func (s *Store) Strays(known func(protocol.DeviceID) bool) (strays []protocol.DeviceID, err error) {
	seen := map[protocol.DeviceID]bool{}
	note := func(id protocol.DeviceID) {
		if !seen[id] && !known(id) {
			strays = append(strays, id)
		}
		seen[id] = true
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		for _, name := range []string{snapshotBucket, timelineBucket} {
			if b := tx.Bucket([]byte(name)); b != nil {
				for _, id := range devicesIn(b) {
					note(protocol.DeviceID(id))
				}
			}
		}
		for _, name := range []string{acceptedAt("").bucket, usageStandingAt("").bucket} {
			if b := tx.Bucket([]byte(name)); b != nil {
				if err := b.ForEach(func(k, _ []byte) error { note(protocol.DeviceID(k)); return nil }); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return strays, err
}

// devicesIn are the devices of a bucket whose keys are a device and a number. It does not read each key.
func devicesIn(b *bbolt.Bucket) (ids [][]byte) {
	c, last := b.Cursor(), number(1<<64-1)
	for k, _ := c.First(); len(k) > len(last); {
		id := bytes.Clone(k[:len(k)-len(last)])
		ids = append(ids, id)
		if k, _ = c.Seek(append(bytes.Clone(id), last...)); hasPrefix(k, id) {
			k, _ = c.Next()
		}
	}
	return ids
}
