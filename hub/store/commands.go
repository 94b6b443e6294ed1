package store

import (
	"bytes"
	"encoding/binary"

	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/protocol"
)

// Buckets of commands. The indexes hold keys and no records: commands.devices has device and id, with one byte that
// says whether the command is final; commands.open has the ids of those that are not.
const (
	bucketCommands       = "commands"         // by id
	bucketCommandOutput  = "commands.output"  // by id and offset
	bucketCommandDevices = "commands.devices" // index
	bucketCommandOpen    = "commands.open"    // index
)

func commandAt(id protocol.CommandID) place {
	return place{bucket: bucketCommands, version: 1, key: number(uint64(id))}
}

func commandOutputAt(id protocol.CommandID, offset ...uint64) place {
	key := number(uint64(id))
	for _, o := range offset {
		key = binary.BigEndian.AppendUint64(key, o)
	}
	return place{bucket: bucketCommandOutput, version: 1, key: key}
}

func commandIndexKey(dev protocol.DeviceID, id protocol.CommandID) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(dev), '/'), uint64(id))
}

// OpenCommands returns the records of all commands that are not final.
func (s *Store) OpenCommands() (out []commands.Record, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error { return openCommands(tx, &out) })
	return out, err
}

func openCommands(tx *bbolt.Tx, out *[]commands.Record) error {
	b := tx.Bucket([]byte(bucketCommandOpen))
	if b == nil {
		return nil
	}
	return b.ForEach(func(k, _ []byte) error {
		r, err := get[commands.Record](tx, commandAt(protocol.CommandID(binary.BigEndian.Uint64(k))))
		*out = append(*out, r)
		return err
	})
}

// PutCommand stores a new or changed record. When it is final, the oldest final records of its device beyond keep go,
// with their output. Calls at the same time share a transaction.
func (s *Store) PutCommand(r commands.Record, keep int) error {
	return s.batch(func(tx *bbolt.Tx) error { return putCommand(tx, r, keep) })
}

func putCommand(tx *bbolt.Tx, r commands.Record, keep int) error {
	if err := put(tx, commandAt(r.ID), r); err != nil {
		return err
	}
	byDevice, err := tx.CreateBucketIfNotExists([]byte(bucketCommandDevices))
	if err != nil {
		return err
	}
	open, err := tx.CreateBucketIfNotExists([]byte(bucketCommandOpen))
	if err != nil {
		return err
	}
	key := commandIndexKey(r.Device, r.ID)
	if !r.State.Final() {
		if err := open.Put(number(uint64(r.ID)), nil); err != nil {
			return err
		}
		return byDevice.Put(key, []byte{0})
	}
	if err := open.Delete(number(uint64(r.ID))); err != nil {
		return err
	}
	if err := byDevice.Put(key, []byte{1}); err != nil {
		return err
	}
	return pruneCommands(tx, byDevice, r.Device, keep)
}

// pruneCommands drops the oldest final commands of the device beyond keep.
func pruneCommands(tx *bbolt.Tx, byDevice *bbolt.Bucket, dev protocol.DeviceID, keep int) error {
	prefix := append([]byte(dev), '/')
	var final [][]byte
	c := byDevice.Cursor()
	for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		if len(v) == 1 && v[0] == 1 {
			final = append(final, bytes.Clone(k))
		}
	}
	for _, k := range final[:max(0, len(final)-keep)] {
		if err := byDevice.Delete(k); err != nil {
			return err
		}
		id := protocol.CommandID(binary.BigEndian.Uint64(k[len(prefix):]))
		if err := remove(tx, commandAt(id)); err != nil {
			return err
		}
		if err := removeAll(tx, commandOutputAt(id)); err != nil {
			return err
		}
	}
	return nil
}

// removeAll deletes every key of a bucket that begins with at.key.
func removeAll(tx *bbolt.Tx, at place) error {
	b := tx.Bucket([]byte(at.bucket))
	if b == nil {
		return nil
	}
	var keys [][]byte
	c := b.Cursor()
	for k, _ := c.Seek(at.key); k != nil && bytes.HasPrefix(k, at.key); k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// AddCommandOutput stores a record with a piece of its output. A record that is not there any more is ErrNotFound.
// Calls at the same time share a transaction.
func (s *Store) AddCommandOutput(r commands.Record, p commands.Piece) error {
	return s.batch(func(tx *bbolt.Tx) error {
		if _, err := get[commands.Record](tx, commandAt(r.ID)); err != nil {
			return err
		}
		if err := put(tx, commandAt(r.ID), r); err != nil {
			return err
		}
		if len(p.Data) == 0 {
			return nil
		}
		return put(tx, commandOutputAt(r.ID, p.Offset), p.Data)
	})
}

// Command returns one record, or commands.ErrNotFound.
func (s *Store) Command(id protocol.CommandID) (r commands.Record, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		r, err = get[commands.Record](tx, commandAt(id))
		return err
	})
	if err != nil {
		return r, notFound(err, commands.ErrNotFound, "command "+id.String())
	}
	return r, nil
}

// Commands returns the records that the filter chooses, latest first, at most f.Limit.
func (s *Store) Commands(f commands.Filter) (out []commands.Record, err error) {
	bucket, prefix := bucketCommands, []byte(nil)
	if f.Device != "" {
		bucket, prefix = bucketCommandDevices, append([]byte(f.Device), '/')
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		if b == nil {
			return nil
		}
		c := b.Cursor()
		k, _ := lastOf(c, prefix)
		for ; k != nil && bytes.HasPrefix(k, prefix) && len(out) < f.Limit; k, _ = c.Prev() {
			r, err := get[commands.Record](tx, commandAt(protocol.CommandID(binary.BigEndian.Uint64(k[len(prefix):]))))
			if err != nil {
				return err
			}
			if (f.State == 0 || r.State == f.State) && (f.Only == nil || f.Only(&r)) {
				out = append(out, r)
			}
		}
		return nil
	})
	return out, err
}

// lastOf moves the cursor to the last key that begins with prefix, or to one before all of them.
func lastOf(c *bbolt.Cursor, prefix []byte) (key, value []byte) {
	if len(prefix) == 0 {
		return c.Last()
	}
	after := bytes.Clone(prefix)
	after[len(after)-1]++ // prefixes end in '/' or a number's byte that is not the last
	if k, _ := c.Seek(after); k == nil {
		return c.Last()
	}
	return c.Prev()
}

// CommandOutput returns the pieces of a command's output by offset.
func (s *Store) CommandOutput(id protocol.CommandID) (out []commands.Piece, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		if _, err := get[commands.Record](tx, commandAt(id)); err != nil {
			return notFound(err, commands.ErrNotFound, "command "+id.String())
		}
		return each(tx, commandOutputAt(id), func(key []byte, data []byte) error {
			out = append(out, commands.Piece{Offset: binary.BigEndian.Uint64(key[8:]), Data: data})
			return nil
		})
	})
	return out, err
}
