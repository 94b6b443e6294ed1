package store

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/protocol"
)

// Buckets of blobs. A blob is kept as long as somebody owns it: commit, drop and garbage collection of a blob are part
// of the transaction that changes its owner, so nothing is ever left over or missing.
const (
	bucketBlobs      = "blobs"        // by hash
	bucketBlobOwners = "blobs.owners" // index: hash and owner, no value
)

func blobAt(h protocol.Hash) place { return place{bucket: bucketBlobs, version: 1, key: h[:]} }

// Blob returns a blob's bytes, or ErrNotFound. They are checked against the hash.
func (s *Store) Blob(h protocol.Hash) (data []byte, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		data, err = get[[]byte](tx, blobAt(h))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", h, err)
	}
	if protocol.HashOf(data) != h {
		return nil, fmt.Errorf("blob %s is damaged in the store: restore a backup, or apply its stack again", h)
	}
	return data, nil
}

// ownBlob makes owner an owner of the blob. Data is what to store when the blob is not there yet.
func ownBlob(tx *bbolt.Tx, owner string, h protocol.Hash, data []byte) error {
	b, err := tx.CreateBucketIfNotExists([]byte(bucketBlobOwners))
	if err != nil {
		return err
	}
	if err := b.Put(append(h[:], owner...), nil); err != nil {
		return err
	}
	if blobs := tx.Bucket([]byte(bucketBlobs)); blobs != nil && blobs.Get(h[:]) != nil {
		return nil
	}
	if protocol.HashOf(data) != h {
		return fmt.Errorf("blob %s: %w, and its content was not given", h, ErrNotFound)
	}
	return put(tx, blobAt(h), data)
}

// disownBlob takes an owner from the blob; with its last owner the blob goes.
func disownBlob(tx *bbolt.Tx, owner string, h protocol.Hash) error {
	b := tx.Bucket([]byte(bucketBlobOwners))
	if b == nil {
		return nil
	}
	if err := b.Delete(append(h[:], owner...)); err != nil {
		return err
	}
	if k, _ := b.Cursor().Seek(h[:]); hasPrefix(k, h[:]) {
		return nil
	}
	return remove(tx, blobAt(h))
}

// notFound turns ErrNotFound into the sentinel of the feature that asked, naming the thing.
func notFound(err, sentinel error, thing string) error {
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%s: %w", thing, sentinel)
	}
	return err
}
