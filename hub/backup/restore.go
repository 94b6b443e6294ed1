package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/farshore/farshore/internal/durable"
)

// Restoration says what is restored where.
type Restoration struct {
	// Data is the data folder to be made: one that is missing or empty.
	Data string
	// From is the backup, and Key what opens it.
	From io.Reader
	Key  Key
	// Fits says whether this program can use the backup, before anything is written. Nil: it can.
	Fits func(Manifest) error
	// Prepare makes what was read, in the folder given, ready to be started. Nil: it is.
	Prepare func(dir string, m Manifest) error
	// First and Last are names in the folder: where not all can be put in place at once, First goes first and Last last,
	// so that a hub does not start on what a power cut left.
	First, Last string
}

// restoring begins the names of folders that are being filled.
const restoring = ".restore-"

// Restore puts a backup in place, whole or not at all. Errors are those of Check, ErrNotEmpty and ErrNoRoom, or come
// from Fits and Prepare.
func Restore(ctx context.Context, r Restoration) (Manifest, error) {
	there, err := look(r.Data)
	if err != nil {
		return Manifest{}, err
	}
	// Beside it, to be renamed; within it where it is there already, since it may be a mount.
	beside, name := filepath.Dir(filepath.Clean(r.Data)), restoring+filepath.Base(r.Data)+"-*"
	if there != nil {
		beside, name = r.Data, restoring+"*"
	} else if err := os.MkdirAll(beside, 0o755); err != nil {
		return Manifest{}, fmt.Errorf("make the folder for %q: %w", r.Data, err)
	}
	dir, err := os.MkdirTemp(beside, name)
	if err != nil {
		return Manifest{}, fmt.Errorf("restore into %q: %w", r.Data, noRoom(err))
	}
	defer os.RemoveAll(dir)
	m, err := read(ctx, r.From, r.Key, &folder{dir: dir, fits: r.Fits})
	if err != nil {
		return Manifest{}, noRoom(err)
	}
	if r.Prepare != nil {
		if err := r.Prepare(dir, m); err != nil {
			return Manifest{}, err
		}
	}
	if err := settle(dir, there); err != nil {
		return Manifest{}, fmt.Errorf("restore into %q: %w", r.Data, noRoom(err))
	}
	if err := r.place(dir, there != nil); err != nil {
		return Manifest{}, fmt.Errorf("put what was restored in place as %q: %w", r.Data, err)
	}
	return m, nil
}

// Interrupted returns the folders that a restore into data was filling when it was killed, or is filling.
func Interrupted(data string) ([]string, error) {
	clean := filepath.Clean(data)
	var left []string
	for dir, prefix := range map[string]string{clean: restoring, filepath.Dir(clean): restoring + filepath.Base(clean) + "-"} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if e.IsDir() && strings.HasPrefix(e.Name(), prefix) {
				left = append(left, filepath.Join(dir, e.Name()))
			}
		}
	}
	return left, nil
}

// look describes the folder to restore into; nil: it is missing. What an interrupted restore left is taken away.
func look(data string) (fs.FileInfo, error) {
	left, err := Interrupted(data)
	if err != nil {
		return nil, err
	}
	for _, dir := range left {
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
	}
	entries, err := os.ReadDir(data)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("restore into %q: %w", data, err)
	}
	for _, e := range entries {
		if e.Name() != "lost+found" {
			return nil, fmt.Errorf("%w: %q has %q in it: give another --data, or move away what is there", ErrNotEmpty, data, e.Name())
		}
	}
	return os.Stat(data)
}

// folder is a sink that writes files into a folder of its own.
type folder struct {
	dir  string
	fits func(Manifest) error
}

func (d *folder) begin(m *Manifest) error {
	if d.fits != nil {
		if err := d.fits(*m); err != nil {
			return err
		}
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &st); err != nil {
		return fmt.Errorf("look how much room is on the disk of %q: %w", d.dir, err)
	}
	if free := int64(min(st.Bavail, 1<<40)) * st.Bsize; m.Size() > free {
		return fmt.Errorf("%w: the backup holds %d bytes, %d are free", ErrNoRoom, m.Size(), free)
	}
	return nil
}

func (d *folder) file(f File) (io.WriteCloser, error) {
	name := filepath.Join(d.dir, filepath.FromSlash(f.Path))
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, noRoom(err)
	}
	w, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, noRoom(err)
	}
	return w, nil
}

// settle brings everything in dir to the disk and gives it to whoever owns the folder it is for.
func settle(dir string, owner fs.FileInfo) error {
	return filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if st, ok := stat(owner); ok && os.Geteuid() == 0 {
			if err := os.Lchown(name, int(st.Uid), int(st.Gid)); err != nil {
				return err
			}
		}
		return durable.Sync(name)
	})
}

func stat(info fs.FileInfo) (*syscall.Stat_t, bool) {
	if info == nil {
		return nil, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return st, ok
}

// place renames dir to the data folder, or what is in it into that.
func (r *Restoration) place(dir string, inside bool) error {
	if !inside {
		if err := os.Rename(dir, r.Data); err != nil {
			return err
		}
		return durable.Sync(filepath.Dir(filepath.Clean(r.Data)))
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	slices.SortStableFunc(entries, func(a, b fs.DirEntry) int { return r.turn(a.Name()) - r.turn(b.Name()) })
	for _, e := range entries {
		if err := os.Rename(filepath.Join(dir, e.Name()), filepath.Join(r.Data, e.Name())); err != nil {
			return err
		}
		if e.Name() == r.First {
			if err := durable.Sync(r.Data); err != nil {
				return err
			}
		}
	}
	return durable.Sync(r.Data)
}

func (r *Restoration) turn(name string) int {
	switch name {
	case r.First:
		return 0
	case r.Last:
		return 2
	}
	return 1
}
