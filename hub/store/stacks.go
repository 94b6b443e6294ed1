package store

import (
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
)

// Buckets of stacks. The sequence of the first one gives ids, so that none is used again.
const (
	bucketStacks       = "stacks"          // by id
	bucketVersions     = "stacks.versions" // by stack id and number
	bucketStackDevices = "stacks.devices"  // by stack id and device
)

func stackAt(id uint64) place { return place{bucket: bucketStacks, version: 1, key: number(id)} }

func versionAt(stack, n uint64) place {
	return place{bucket: bucketVersions, version: 1, key: append(number(stack), number(n)...)}
}

func stackDeviceAt(stack uint64, dev protocol.DeviceID) place {
	return place{bucket: bucketStackDevices, version: 1, key: append(number(stack), dev...)}
}

// versionOwner is how a version owns its blobs.
func versionOwner(stack, n uint64) string { return fmt.Sprintf("stack/%d/%d", stack, n) }

// LoadStacks returns all stacks, versions and device records, by id and number.
func (s *Store) LoadStacks() (saved planner.Saved, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		err := each(tx, place{bucket: bucketStacks, version: 1}, func(_ []byte, v stacks.Stack) error {
			saved.Stacks = append(saved.Stacks, v)
			return nil
		})
		if err != nil {
			return err
		}
		err = each(tx, place{bucket: bucketVersions, version: 1}, func(_ []byte, v stacks.Version) error {
			saved.Versions = append(saved.Versions, v)
			return nil
		})
		if err != nil {
			return err
		}
		return each(tx, place{bucket: bucketStackDevices, version: 1}, func(_ []byte, v stacks.DeviceRecord) error {
			saved.Devices = append(saved.Devices, v)
			return nil
		})
	})
	return saved, err
}

// ApplyStack stores a stack with what else changed, and gives one whose ID is 0 a fresh id. Blobs of the new version
// are stored with it, those of dropped versions go where nothing else owns them.
func (s *Store) ApplyStack(c planner.Change) (stacks.Stack, error) {
	stack := c.Stack
	err := s.update(func(tx *bbolt.Tx) error {
		if stack.ID == 0 {
			b, err := tx.CreateBucketIfNotExists([]byte(bucketStacks))
			if err != nil {
				return err
			}
			if stack.ID, err = b.NextSequence(); err != nil {
				return err
			}
		}
		if err := put(tx, stackAt(stack.ID), stack); err != nil {
			return err
		}
		if c.Version != nil {
			v := *c.Version
			v.Stack = stack.ID
			if err := put(tx, versionAt(stack.ID, v.Number), v); err != nil {
				return err
			}
			for _, f := range v.Files {
				if err := ownBlob(tx, versionOwner(stack.ID, v.Number), f.Hash, c.Blobs[f.Hash]); err != nil {
					return fmt.Errorf("file %q: %w", f.Path, err)
				}
			}
		}
		for _, n := range c.Drop {
			if err := dropVersion(tx, stack.ID, n); err != nil {
				return err
			}
		}
		return nil
	})
	return stack, err
}

func dropVersion(tx *bbolt.Tx, stack, n uint64) error {
	v, err := get[stacks.Version](tx, versionAt(stack, n))
	if err != nil {
		return fmt.Errorf("version %d: %w", n, err)
	}
	for _, f := range v.Files {
		if err := disownBlob(tx, versionOwner(stack, n), f.Hash); err != nil {
			return err
		}
	}
	return remove(tx, versionAt(stack, n))
}

// DeleteStack removes a stack with its versions, device records, and blobs that nothing else owns.
func (s *Store) DeleteStack(id uint64) error {
	return s.update(func(tx *bbolt.Tx) error {
		var numbers []uint64
		err := each(tx, place{bucket: bucketVersions, version: 1, key: number(id)}, func(_ []byte, v stacks.Version) error {
			numbers = append(numbers, v.Number)
			return nil
		})
		if err != nil {
			return err
		}
		for _, n := range numbers {
			if err := dropVersion(tx, id, n); err != nil {
				return err
			}
		}
		if err := removeAll(tx, stackDeviceAt(id, "")); err != nil {
			return err
		}
		return remove(tx, stackAt(id))
	})
}

// PutStackDevice stores one device record. A stack that is not there is ErrNotFound. Calls at the same time share a
// transaction.
func (s *Store) PutStackDevice(r stacks.DeviceRecord) error {
	return s.batch(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucketStacks))
		if b == nil || b.Get(number(r.Stack)) == nil {
			return fmt.Errorf("stack %d: %w", r.Stack, ErrNotFound)
		}
		return put(tx, stackDeviceAt(r.Stack, r.Device), r)
	})
}

// DropStackDevice removes one device record; one that is not there is no error. Calls at the same time share a
// transaction.
func (s *Store) DropStackDevice(stack uint64, dev protocol.DeviceID) error {
	return s.batch(func(tx *bbolt.Tx) error { return remove(tx, stackDeviceAt(stack, dev)) })
}
