// Package store is the hub's database: one bbolt file. It is the only importer of bbolt on the hub and knows no
// rules: each feature declares the small interface it needs, and a file of this package implements it, one method
// one use case one transaction.
//
// Records are stored as CBOR arrays of record version and payload; payloads are the features' own types, so there is
// one declaration per fact. The schema version in the meta bucket says which migrations have run; a file of a newer
// version is refused untouched.
//
// A Store is safe for concurrent use. Writes that can wait some milliseconds for others share one transaction.
package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/farshore/farshore/internal/boltfile"
	"github.com/farshore/farshore/protocol"
)

// SchemaVersion is the version of the store's layout that this build reads and writes.
const SchemaVersion = 1

// FileName is the database's name in the data folder.
const FileName = "farshore.db"

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("exists already")
	ErrConflict = errors.New("was changed by somebody else meanwhile")
	ErrLocked   = errors.New("data folder is in use by another process")
	ErrNewer    = errors.New("data folder was written by a newer version")
	// ErrDamaged: what is in the file is not what was written there.
	ErrDamaged = errors.New("is damaged")
)

// Store is an open database.
type Store struct {
	db      *bbolt.DB
	batches batcher
	times   writeTimes
	broken  atomic.Pointer[error] // why the last write could not be made durable; nil: it could
}

// Open opens or creates the database in the data folder dir. It waits up to 1 s for another process to let go and
// then fails with ErrLocked; a newer schema fails with ErrNewer, a file that cannot be read to its end with ErrDamaged:
// both are left as they are. Missing migrations are run, each in its own transaction.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder %q: %w", dir, err)
	}
	path := filepath.Join(dir, FileName)
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:        time.Second,
		FreelistType:   bbolt.FreelistMapType,
		NoFreelistSync: true,
		OpenFile:       boltfile.Open,
	})
	if err != nil {
		return nil, notOpened(path, err)
	}
	s := &Store{db: db}
	if err := s.migrate(); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %q: %w", path, diskFull(err, path)), db.Close())
	}
	return s, nil
}

// notOpened says in a sentence why the file cannot be opened.
func notOpened(path string, err error) error {
	switch dir := filepath.Dir(path); {
	case errors.Is(err, boltfile.ErrLocked), errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%w: %q: stop the other farshore-hub, or give this one another --data", ErrLocked, dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("open store %q: no permission: run as the folder's owner, or give another --data: %w", path, err)
	case errors.Is(err, boltfile.ErrDamaged), errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch):
		return fmt.Errorf("open store %q: it %w and was left as it is: put back the data folder from a backup, on a disk that is sound: %w", path, ErrDamaged, err)
	}
	return fmt.Errorf("open store %q: %w", path, diskFull(err, path))
}

// Close waits for running transactions and closes the file. It may be called twice.
func (s *Store) Close() error { return s.db.Close() }

// Check reads the whole file and reports the first damage found.
func (s *Store) Check(ctx context.Context) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		var first error
		for err := range tx.Check() { // to its end: the checker stops only then
			if first == nil {
				first = fmt.Errorf("store is damaged: %w", err)
			}
		}
		return errors.Join(first, context.Cause(ctx))
	})
}

// Size is the file's size in bytes.
func (s *Store) Size() (n int64) {
	_ = s.db.View(func(tx *bbolt.Tx) error { n = tx.Size(); return nil })
	return n
}

var (
	bucketMeta = []byte("meta")
	keySchema  = []byte("schema")
)

// migrations[i] brings schema i to i+1. Entries are never changed once released.
func migrations() []func(*bbolt.Tx) error {
	return []func(*bbolt.Tx) error{
		func(*bbolt.Tx) error { return nil }, // 0 → 1: an empty file; buckets are made when first written
	}
}

// schema reads the version of the layout; one that this build does not know is ErrNewer.
func (s *Store) schema() (have uint64, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(bucketMeta); b != nil {
			if v := b.Get(keySchema); len(v) == 8 {
				have = binary.BigEndian.Uint64(v)
			}
		}
		return nil
	})
	if err == nil && have > SchemaVersion {
		err = fmt.Errorf("%w: schema %d, this build knows %d: start the newer farshore-hub again, or restore a backup made by this version",
			ErrNewer, have, SchemaVersion)
	}
	return have, err
}

func (s *Store) migrate() error {
	have, err := s.schema()
	if err != nil {
		return err
	}
	for v := have; v < SchemaVersion; v++ {
		err := s.db.Update(func(tx *bbolt.Tx) error {
			if err := migrations()[v](tx); err != nil {
				return err
			}
			b, err := tx.CreateBucketIfNotExists(bucketMeta)
			if err != nil {
				return err
			}
			return b.Put(keySchema, binary.BigEndian.AppendUint64(nil, v+1))
		})
		if err != nil {
			return fmt.Errorf("migrate schema %d to %d: %w", v, v+1, err)
		}
	}
	return nil
}

// record is how every value is stored.
type record struct {
	_       struct{} `cbor:",toarray"`
	Version uint
	Body    []byte
}

// put stores v under key as a record of the given record version, making the bucket where needed.
func put(tx *bbolt.Tx, at place, v any) error {
	body, err := protocol.Marshal(v)
	if err != nil {
		return fmt.Errorf("store %s: %w", at.bucket, err)
	}
	raw, err := protocol.Marshal(record{Version: at.version, Body: body})
	if err != nil {
		return fmt.Errorf("store %s: %w", at.bucket, err)
	}
	b, err := tx.CreateBucketIfNotExists([]byte(at.bucket))
	if err != nil {
		return fmt.Errorf("store %s: %w", at.bucket, err)
	}
	return b.Put(at.key, raw)
}

// place is where a record lives: top-level bucket, key, and the record version it is written with.
type place struct {
	bucket  string
	version uint
	key     []byte
}

// get reads the record at at into a T. A missing record is ErrNotFound; one of a newer record version is ErrNewer.
func get[T any](tx *bbolt.Tx, at place) (T, error) {
	var v T
	b := tx.Bucket([]byte(at.bucket))
	if b == nil {
		return v, ErrNotFound
	}
	raw := b.Get(at.key)
	if raw == nil {
		return v, ErrNotFound
	}
	return decode[T](at, raw)
}

func decode[T any](at place, raw []byte) (T, error) {
	var (
		v T
		r record
	)
	if err := protocol.Unmarshal(raw, &r); err != nil {
		return v, fmt.Errorf("read %s: a record %w: %w", at.bucket, ErrDamaged, err)
	}
	if r.Version > at.version {
		return v, fmt.Errorf("read %s: %w: record version %d, this build knows %d", at.bucket, ErrNewer, r.Version, at.version)
	}
	if err := protocol.Unmarshal(r.Body, &v); err != nil {
		return v, fmt.Errorf("read %s: a record %w: %w", at.bucket, ErrDamaged, err)
	}
	return v, nil
}

// remove deletes the record at at; one that is not there is no error.
func remove(tx *bbolt.Tx, at place) error {
	b := tx.Bucket([]byte(at.bucket))
	if b == nil {
		return nil
	}
	return b.Delete(at.key)
}

// each calls fn with key and value of every record whose key begins with at.key, in key order, until fn fails.
// Keys are only valid within the call.
func each[T any](tx *bbolt.Tx, at place, fn func(key []byte, v T) error) error {
	b := tx.Bucket([]byte(at.bucket))
	if b == nil {
		return nil
	}
	c := b.Cursor()
	for k, raw := c.Seek(at.key); k != nil && hasPrefix(k, at.key); k, raw = c.Next() {
		v, err := decode[T](at, raw)
		if err != nil {
			return err
		}
		if err := fn(k, v); err != nil {
			return err
		}
	}
	return nil
}

func hasPrefix(b, prefix []byte) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == string(prefix)
}

// number gives the big-endian form of n, so that keys sort by number.
func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
