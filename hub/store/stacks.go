package store

import (
	"errors"
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
	bucketManners      = "stacks.manners"  // by stack id
	bucketRollouts     = "stacks.rollouts" // by stack id and number
	bucketGrants       = "stacks.grants"   // by stack id and device
)

func stackAt(id uint64) place { return place{bucket: bucketStacks, version: 1, key: number(id)} }

func versionAt(stack, n uint64) place {
	return place{bucket: bucketVersions, version: 1, key: append(number(stack), number(n)...)}
}

func stackDeviceAt(stack uint64, dev protocol.DeviceID) place {
	return place{bucket: bucketStackDevices, version: 1, key: append(number(stack), dev...)}
}

func mannerAt(stack uint64) place {
	return place{bucket: bucketManners, version: 1, key: number(stack)}
}

func rolloutAt(stack, n uint64) place {
	return place{bucket: bucketRollouts, version: 1, key: append(number(stack), number(n)...)}
}

func stackGrantAt(stack uint64, dev protocol.DeviceID) place {
	return place{bucket: bucketGrants, version: 1, key: append(number(stack), dev...)}
}

// versionOwner is how a version owns its blobs.
func versionOwner(stack, n uint64) string { return fmt.Sprintf("stack/%d/%d", stack, n) }

// LoadStacks returns all stacks with what belongs to them, by id and number, but the blobs.
func (s *Store) LoadStacks() (saved planner.Saved, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		return errors.Join(
			all(tx, place{bucket: bucketStacks, version: 1}, &saved.Stacks),
			all(tx, place{bucket: bucketVersions, version: 1}, &saved.Versions),
			all(tx, place{bucket: bucketStackDevices, version: 1}, &saved.Devices),
			all(tx, place{bucket: bucketManners, version: 1}, &saved.Manners),
			all(tx, place{bucket: bucketRollouts, version: 1}, &saved.Rollouts),
			all(tx, place{bucket: bucketGrants, version: 1}, &saved.Grants),
		)
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
		return putRollouts(tx, stack.ID, c)
	})
	return stack, err
}

func putRollouts(tx *bbolt.Tx, stack uint64, c planner.Change) error {
	w := writer{tx: tx}
	if c.Manner != nil {
		m := *c.Manner
		m.Stack = stack
		w.put(mannerAt(stack), m)
	}
	for _, r := range c.Ended {
		w.put(rolloutAt(stack, r.Number), r)
	}
	if c.Rollout != nil {
		r := *c.Rollout
		r.Stack = stack
		w.put(rolloutAt(stack, r.Number), r)
	}
	for _, n := range c.DropRollouts {
		w.remove(rolloutAt(stack, n))
	}
	for _, g := range c.Grants {
		w.put(stackGrantAt(stack, g.Device), g)
	}
	return w.err
}

// DropGrants implements planner.Store.
func (s *Store) DropGrants(dev protocol.DeviceID, of []uint64) error {
	return s.batch(func(tx *bbolt.Tx) error {
		w := writer{tx: tx}
		for _, stack := range of {
			w.remove(stackGrantAt(stack, dev))
		}
		return w.err
	})
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
		w := writer{tx: tx}
		for _, at := range []place{stackDeviceAt(id, ""), stackGrantAt(id, ""), {bucket: bucketRollouts, version: 1, key: number(id)}} {
			w.removeAll(at)
		}
		w.remove(mannerAt(id))
		w.remove(stackAt(id))
		return w.err
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
