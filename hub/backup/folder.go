package backup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/farshore/farshore/internal/durable"
)

// checkFolder says why backups cannot be kept in a folder of the hub's machine.
func checkFolder(folder, data string) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: the folder %q "+format, append([]any{ErrInvalid, folder}, args...)...)
	}
	if !filepath.IsAbs(folder) || len(folder) > 1000 {
		return bad("must be named from the root, such as /var/backups/farshore")
	}
	info, err := os.Stat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return bad("is not there: make it, for the user that the hub runs as")
	case err != nil:
		return bad("cannot be looked at: %w", err)
	case !info.IsDir():
		return bad("is a file")
	}
	in, err := within(folder, data)
	if err != nil {
		return bad("cannot be looked at: %w", err)
	}
	if in {
		return bad("is in the hub's data folder: choose one on another disk, or better on another machine")
	}
	probe, err := os.CreateTemp(folder, partPrefix+"*")
	if err != nil {
		return bad("cannot be written to: make it writable for the user that the hub runs as: %w", noRoom(err))
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// within reports whether folder is dir or below it, whatever links lead there.
func within(folder, dir string) (bool, error) {
	folder, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return false, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return false, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return false, err
	}
	rel, err := filepath.Rel(dir, folder)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../"), nil
}

// partPrefix begins the names of files that are not whole yet.
const partPrefix = ".farshore-backup-"

// store copies a backup into the folder under a name that is not there yet: whole, or not at all.
func store(from io.Reader, folder, name string) (size int64, err error) {
	part, err := os.CreateTemp(folder, partPrefix+"*") // 0600
	if err != nil {
		return 0, noRoom(err)
	}
	defer os.Remove(part.Name())
	size, err = io.Copy(part, from)
	if err := errors.Join(err, part.Sync(), part.Close()); err != nil {
		return 0, noRoom(err)
	}
	if err := os.Link(part.Name(), filepath.Join(folder, name)); errors.Is(err, fs.ErrExist) {
		return 0, err
	} else if err != nil { // a share that has no links
		if err := os.Rename(part.Name(), filepath.Join(folder, name)); err != nil {
			return 0, err
		}
	}
	return size, durable.Sync(folder)
}
