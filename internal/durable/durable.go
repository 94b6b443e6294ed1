// Package durable writes files that are there after a power cut. It knows nothing of what is in them, and keeps no state:
// its functions may be called from any number of goroutines, for one path by one at a time.
package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// Replace gives the file at path this content, for its owner alone (mode 0600): after a crash the old content is there or
// the new one, and after it returned the new one. Until then path with ".new" behind it is in use.
func Replace(path string, content []byte) error {
	made := path + ".new"
	err := Write(made, content)
	if err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		_ = os.Remove(made) // the next one begins it anew
		return err
	}
	return Sync(filepath.Dir(path))
}

// Write writes a file of mode 0600 in its place, and waits until its content is on disk; its name is when its folder was
// given to Sync. After a failure something may be there.
func Write(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// Sync waits until a file's content, or the names in a folder, are on disk.
func Sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
