package store

import (
	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/protocol"
)

// Strays returns the devices of which there are snapshots or an accepted set, and which are not known. It reads keys
// only.
func (s *Store) Strays(known func(protocol.DeviceID) bool) (strays []protocol.DeviceID, err error) {
	seen := map[protocol.DeviceID]bool{}
	note := func(id protocol.DeviceID) {
		if !seen[id] && !known(id) {
			strays = append(strays, id)
		}
		seen[id] = true
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		if b := tx.Bucket([]byte(snapshotBucket)); b != nil {
			c, last := b.Cursor(), number(1<<64-1)
			for k, _ := c.First(); len(k) > len(last); {
				id := k[:len(k)-len(last)]
				note(protocol.DeviceID(id))
				if k, _ = c.Seek(append(id[:len(id):len(id)], last...)); hasPrefix(k, id) {
					k, _ = c.Next()
				}
			}
		}
		if b := tx.Bucket([]byte(acceptedAt("").bucket)); b != nil {
			return b.ForEach(func(k, _ []byte) error { note(protocol.DeviceID(k)); return nil })
		}
		return nil
	})
	return strays, err
}
