package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/internal/boltfile"
)

// OpenToRead opens the database in the data folder dir, which must be there, and changes nothing: no migration is run,
// and whatever writes fails. Other readers may have it open too; errors are those of Open, or wrap fs.ErrNotExist.
func OpenToRead(dir string) (*Store, error) {
	path := filepath.Join(dir, FileName)
	db, err := bbolt.Open(path, 0, &bbolt.Options{ReadOnly: true, Timeout: time.Second, OpenFile: boltfile.Open})
	if err != nil {
		return nil, notOpened(path, err)
	}
	s := &Store{db: db}
	if _, err := s.schema(); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %q: %w", path, err), db.Close())
	}
	return s, nil
}

// Survey is what a look at the whole file found.
type Survey struct {
	// Size of the file, and Live of it, in bytes. The rest is free for what comes.
	Size, Live int64
	// Newest is the time of the latest event. Zero: there is none.
	Newest time.Time
}

// Survey checks every page that belongs to the state as it is now, while others go on writing. The error wraps
// ErrDamaged for the first that does not hold.
func (s *Store) Survey(ctx context.Context) (out Survey, err error) {
	f, err := os.Open(s.db.Path())
	if err != nil {
		return Survey{}, err
	}
	defer f.Close() // only read
	for {
		err = s.db.View(func(tx *bbolt.Tx) error {
			info, err := f.Stat()
			if err != nil {
				return err
			}
			used, err := boltfile.CheckAt(f, info.Size(), uint64(tx.ID()))
			if errors.Is(err, boltfile.ErrDamaged) {
				return fmt.Errorf("store %q %w: %w", s.db.Path(), ErrDamaged, err)
			}
			out = Survey{Size: info.Size(), Live: used.Live * used.PageSize, Newest: newest(tx)}
			return err
		})
		if !errors.Is(err, boltfile.ErrPassed) || ctx.Err() != nil {
			return out, errors.Join(err, context.Cause(ctx))
		}
	}
}

// newest is the time of the latest event, of whose numbers it is made.
func newest(tx *bbolt.Tx) time.Time {
	b := tx.Bucket([]byte(eventAt(0).bucket))
	if b == nil {
		return time.Time{}
	}
	last, _ := b.Cursor().Last()
	if len(last) != 8 {
		return time.Time{}
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(last)))
}
