// Package boltfile opens bbolt files that may be damaged. bbolt maps its file into memory and trusts it: a file that
// was cut short, or whose pages hold something else, ends the whole process by a signal or by a panic in a goroutine of
// bbolt's own, which nobody can recover from. So the file is read before bbolt sees it, with plain reads and checked
// bounds, and what would end the process becomes an error.
//
// It owns nothing, changes nothing in a file, and does not read the values stored. Its functions are safe for
// concurrent use.
package boltfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

var (
	// ErrDamaged: the file is no bbolt database, or not a whole one.
	ErrDamaged = errors.New("database file is damaged")
	// ErrLocked: another process has the file open.
	ErrLocked = errors.New("database file is in use by another process")
	// ErrPassed: the state that was asked for is not the last nor the one before it.
	ErrPassed = errors.New("database has been written to since")
)

// How long Open waits for another process, and how often it looks.
const (
	lockWait = time.Second
	lockPoll = 20 * time.Millisecond
)

// Open opens the file for bbolt; it has the shape of bbolt's Options.OpenFile. The file is locked with the lock that
// bbolt itself takes, and then checked; an empty one is fine. It waits up to 1 s for the lock, then fails with
// ErrLocked. With ErrDamaged the file is returned too, still locked: the caller moves it away if it wants to, and
// closes it.
//
// Where files cannot be locked as bbolt does on Unix, the file is opened without a check.
func Open(name string, flag int, perm os.FileMode) (*os.File, error) {
	for deadline := time.Now().Add(lockWait); ; {
		f, err := os.OpenFile(name, flag, perm)
		if err != nil {
			return nil, err
		}
		err = claim(f, deadline)
		switch {
		case errors.Is(err, errMoved):
			if err := f.Close(); err != nil {
				return nil, err
			}
			continue // whoever had it has put another in its place
		case errors.Is(err, errors.ErrUnsupported):
			return f, nil
		case err != nil:
			return nil, errors.Join(err, f.Close())
		}
		info, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if err := Check(f, info.Size()); errors.Is(err, ErrDamaged) {
			return f, err
		} else if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	}
}

// errMoved: the file that was locked is not the one of that name any more.
var errMoved = errors.New("file was replaced")

// claim locks f and makes sure that it is still the file of its name.
func claim(f *os.File, deadline time.Time) error {
	for {
		got, err := tryLock(f)
		if err != nil {
			return err
		}
		if got {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: %q", ErrLocked, f.Name())
		}
		time.Sleep(lockPoll)
	}
	mine, err := f.Stat()
	if err != nil {
		return err
	}
	if named, err := os.Stat(f.Name()); err != nil || !os.SameFile(mine, named) {
		return errMoved
	}
	return nil
}

// Check reads the pages of a bbolt file of size bytes in the order in which bbolt would, and returns an error that
// wraps ErrDamaged for the first that bbolt could not stand. Each page is read once at most, of it only headers and
// keys. A file of another version of the format is left to bbolt, which refuses it.
func Check(r io.ReaderAt, size int64) error {
	if size == 0 {
		return nil
	}
	m, err := readMeta(r, size)
	if err != nil || m.version != formatVersion {
		return err
	}
	_, err = m.check(r, size)
	return err
}

// Usage is what of a file is in use.
type Usage struct {
	// Pages that the file speaks of, and Live of them that hold something, each of PageSize bytes.
	Pages, Live, PageSize int64
}

// CheckAt is Check of the state that transaction tx left, of a file that others may be writing to: whoever calls holds a
// reading transaction of that number open, so that its pages stay as they are. The error wraps ErrPassed when more
// than one transaction has followed it before it was looked at.
func CheckAt(r io.ReaderAt, size int64, tx uint64) (Usage, error) {
	m, err := readMeta(r, size)
	if err != nil {
		return Usage{}, err
	}
	for _, at := range []int64{0, int64(m.pageSize)} {
		if m, ok, err := metaAt(r, at); err != nil {
			return Usage{}, err
		} else if ok && m.txid == tx {
			return m.check(r, size)
		}
	}
	return Usage{}, ErrPassed
}

func (m meta) check(r io.ReaderAt, size int64) (Usage, error) {
	if int64(m.pages) > size/int64(m.pageSize) {
		return Usage{}, damaged("it is %d bytes long, %d are missing", size, int64(m.pages)*int64(m.pageSize)-size)
	}
	w := &walk{r: r, meta: m, seen: make([]bool, m.pages)}
	w.seen[0], w.seen[1] = true, true
	if err := w.bucket(m.root); err != nil {
		return Usage{}, err
	}
	used := Usage{Pages: int64(m.pages), PageSize: int64(m.pageSize)}
	for _, seen := range w.seen {
		if seen {
			used.Live++
		}
	}
	return used, w.freelist()
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
}
