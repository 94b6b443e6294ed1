package reconciler

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/staging"
)

// folders stages below dir, one folder per stack by its id.
type folders struct{ dir string }

func (f folders) Root(key protocol.EntryKey) string {
	return filepath.Join(f.dir, strconv.FormatUint(key.ID, 10))
}

// versionName names the folder of an entry. Only the files matter: a redeploy finds its folder as it is.
func versionName(e *protocol.Entry) string {
	b, err := protocol.Marshal(e.Files)
	if err != nil {
		panic(err) // a File has no field that can fail to encode
	}
	return "v" + protocol.HashOf(b).Short().String()
}

func (f folders) Stage(ctx context.Context, e protocol.Entry, read func(protocol.Hash) ([]byte, error)) (Place, error) {
	root := f.Root(e.EntryKey)
	files := make(map[string][]byte, len(e.Files))
	for _, file := range e.Files {
		b, err := read(file.Hash)
		if err != nil {
			return Place{}, err
		}
		files[file.Path] = b
	}
	var dir string
	err := f.locked(ctx, root, func(s *staging.Store) (err error) {
		dir, err = s.PutBundle(versionName(&e), files)
		return err
	})
	return Place{Dir: dir, Root: root}, err
}

func (f folders) Prune(e protocol.Entry) error {
	return f.locked(context.Background(), f.Root(e.EntryKey), func(s *staging.Store) error {
		return s.PruneBundles(versionName(&e))
	})
}

func (f folders) Remove(key protocol.EntryKey, volumes Volumes) error {
	root := f.Root(key)
	if _, err := os.Stat(root); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	data := false
	err := f.locked(context.Background(), root, func(s *staging.Store) error {
		if volumes == RemoveVolumes {
			if err := s.RemoveData(); err != nil {
				return err
			}
		}
		_, err := os.Stat(s.DataPath("."))
		data = err == nil
		return errors.Join(s.PruneBundles(), s.Sweep(nil))
	})
	if err != nil || data {
		return err
	}
	return os.RemoveAll(root)
}

// lockWait is how long a composer that outlived its agent may take to end.
const lockWait = 30 * time.Second

// locked opens a stack's folder while no composer works on it.
func (f folders) locked(ctx context.Context, root string, fn func(*staging.Store) error) error {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return fmt.Errorf("make stack folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(root, staging.LockName), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("lock stack folder: %w", err)
	}
	defer func() { _ = file.Close() }() // this lets go of the lock
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("lock stack folder: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lock stack folder %q: another composer works on it: %w", root, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
	s, err := staging.Open(root)
	if err != nil {
		return err
	}
	return fn(s)
}
