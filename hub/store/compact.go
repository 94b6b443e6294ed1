package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/hub/backup"
	"github.com/farshore/farshore/internal/durable"
)

// Names beside the database: the one before it was compacted, and the one that is being made.
const (
	BeforeCompaction = FileName + backup.SetAside
	compacting       = "." + FileName + ".compacting" // hidden: no backup has it
)

// compactBatch is how many bytes one transaction of the new file takes.
const compactBatch = 16 << 20

// ErrKept: the database from before an earlier compaction is still there.
var ErrKept = errors.New("the database from before the last compaction is still there")

// Compact writes what is live in the database of the data folder dir into a new file, compares the two, and puts it in
// place; the one before stays as BeforeCompaction. No hub may run. At each moment there is a whole database under its
// name. It returns the bytes of both; errors are those of Open, or wrap ErrKept or ErrDiskFull.
func Compact(ctx context.Context, dir string) (before, after int64, err error) {
	kept := filepath.Join(dir, BeforeCompaction)
	if _, err := os.Lstat(kept); !errors.Is(err, fs.ErrNotExist) {
		return 0, 0, fmt.Errorf("%w: %q: when the hub has run well since, remove it with --drop-old, then compact again", ErrKept, kept)
	}
	old, err := OpenToRead(dir)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	path, made := old.db.Path(), filepath.Join(dir, compacting)
	survey, err := old.Survey(ctx)
	if err != nil {
		return 0, 0, err
	}
	if err := room(dir, survey.Live); err != nil {
		return 0, 0, err
	}
	if err := os.Remove(made); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one that was interrupted
		return 0, 0, err
	}
	defer os.Remove(made)
	if err := copyInto(ctx, old, made); err != nil {
		return 0, 0, fmt.Errorf("compact %q: the database was left as it is: %w", path, diskFull(err, path))
	}
	info, err := os.Stat(made)
	if err != nil {
		return 0, 0, err
	}
	if err := swap(made, path, kept); err != nil {
		return 0, 0, fmt.Errorf("put the compacted database in place of %q: %w", path, err)
	}
	return survey.Size, info.Size(), nil
}

// DropOld removes the database from before a compaction, once the one in its place has proved to be whole. It returns
// its bytes; the error wraps fs.ErrNotExist where there is none.
func DropOld(ctx context.Context, dir string) (freed int64, err error) {
	kept := filepath.Join(dir, BeforeCompaction)
	info, err := os.Lstat(kept)
	if err != nil {
		return 0, err
	}
	now, err := OpenToRead(dir)
	if err != nil {
		return 0, fmt.Errorf("%q was kept: %w", kept, err)
	}
	_, err = now.Survey(ctx)
	if err := errors.Join(err, now.Close()); err != nil {
		return 0, fmt.Errorf("%q was kept: %w", kept, err)
	}
	if err := os.Remove(kept); err != nil {
		return 0, err
	}
	return info.Size(), durable.Sync(dir)
}

// room says when the disk has not what the new file will need.
func room(dir string, live int64) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return fmt.Errorf("look how much room is on the disk of %q: %w", dir, err)
	}
	need := live + live/4 + 1<<20
	if free := int64(min(st.Bavail, 1<<40)) * st.Bsize; need > free {
		return fmt.Errorf("%w: compaction needs up to %d bytes beside %q and %d are free: nothing was changed: free some space and try again",
			ErrDiskFull, need, dir, free)
	}
	return nil
}

// copyInto makes the new file: whole, durable, checked, of the owner and mode of the old one.
func copyInto(ctx context.Context, old *Store, made string) (err error) {
	db, err := bbolt.Open(made, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType, NoFreelistSync: true, NoSync: true})
	if err != nil {
		return err
	}
	copied := &Store{db: db}
	defer func() { err = errors.Join(err, copied.Close()) }()
	if err := bbolt.Compact(db, old.db, compactBatch); err != nil {
		return err
	}
	if err := errors.Join(db.Sync(), copied.Check(ctx), same(old, copied)); err != nil {
		return err
	}
	info, err := os.Stat(old.db.Path())
	if err != nil {
		return err
	}
	if err := os.Chmod(made, info.Mode().Perm()); err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		return os.Chown(made, int(owner.Uid), int(owner.Gid))
	}
	return nil
}

// same makes sure that both databases hold the same.
func same(a, b *Store) error {
	return a.db.View(func(x *bbolt.Tx) error {
		return b.db.View(func(y *bbolt.Tx) error { return sameBuckets(x.Cursor(), y.Cursor()) })
	})
}

func sameBuckets(a, b *bbolt.Cursor) error {
	k, v := a.First()
	l, w := b.First()
	for ; k != nil && l != nil; k, v = a.Next() {
		if !bytes.Equal(k, l) || !bytes.Equal(v, w) {
			break
		}
		if v == nil && w == nil { // buckets
			x, y := a.Bucket().Bucket(k), b.Bucket().Bucket(l)
			if x == nil || y == nil || x.Sequence() != y.Sequence() {
				break
			}
			if err := sameBuckets(x.Cursor(), y.Cursor()); err != nil {
				return err
			}
		}
		l, w = b.Next()
	}
	if k != nil || l != nil {
		return errors.New("the new file does not hold what the old one does: look at memory and disk of this machine")
	}
	return nil
}

// swap gives the new file the place of the old one, which keeps another name.
func swap(made, path, kept string) error {
	dir := filepath.Dir(path)
	if err := durable.Sync(made); err != nil {
		return err
	}
	if err := os.Link(path, kept); err != nil {
		return err
	}
	if err := durable.Sync(dir); err != nil {
		return err
	}
	if err := os.Rename(made, path); err != nil {
		return err
	}
	return durable.Sync(dir)
}
