package backup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

// Source is the hub that is backed up.
type Source struct {
	// Dir is its data folder.
	Dir string
	// Database is the name of the database in it. It is not read as a file, but from Snapshot.
	Database string
	// Snapshot calls its argument with a consistent copy of the database: its size, and what writes it.
	Snapshot func(func(size int64, copyTo func(io.Writer) error) error) error
	// Version, Schema and Fingerprint are what the manifest says of the hub.
	Version     string
	Schema      uint64
	Fingerprint string
}

// Write makes a backup of src, locked with lock. The other files of the folder are read up to the size that they had
// when the copy of the database was taken, so what is only appended to fits it. An error means that what was written is
// no backup.
func Write(ctx context.Context, to io.Writer, lock Lock, src Source) (Manifest, error) {
	out, err := age.Encrypt(to, lock.recipients...)
	if err != nil {
		return Manifest{}, fmt.Errorf("encrypt backup: %w", noRoom(err))
	}
	packed, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return Manifest{}, fmt.Errorf("compress backup: %w", err)
	}
	w := &writer{ctx: ctx, tar: tar.NewWriter(packed), now: time.Now().UTC().Truncate(time.Second)}
	m, err := w.all(src)
	if err := errors.Join(err, w.close(err), packed.Close(), out.Close()); err != nil {
		return Manifest{}, fmt.Errorf("make backup of %q: %w", src.Dir, noRoom(err))
	}
	return m, nil
}

type writer struct {
	ctx    context.Context
	tar    *tar.Writer
	now    time.Time
	hashes hashes
}

// close ends the tar, but leaves one that failed without an end.
func (w *writer) close(failed error) error {
	if failed != nil {
		return nil
	}
	return w.tar.Close()
}

func (w *writer) all(src Source) (Manifest, error) {
	m := Manifest{Format: Format, Hub: src.Version, Schema: src.Schema, Created: w.now, Fingerprint: src.Fingerprint}
	var files []*os.File
	defer func() {
		for _, f := range files {
			_ = f.Close() // only read
		}
	}()
	err := src.Snapshot(func(size int64, copyTo func(io.Writer) error) error {
		m.Files = append(m.Files, File{Path: src.Database, Size: size})
		var err error
		if files, err = openAll(src, &m); err != nil {
			return err
		}
		raw, err := json.Marshal(m)
		if err != nil {
			return err
		}
		if err := m.check(); err != nil {
			return err
		}
		sum, err := w.entry(File{Path: manifestName, Size: int64(len(raw))}, func(to io.Writer) error { _, err := to.Write(raw); return err })
		if err != nil {
			return err
		}
		w.hashes.Manifest = sum
		return w.file(m.Files[0], copyTo)
	})
	if err != nil {
		return m, err
	}
	for i, f := range files {
		err := w.file(m.Files[1+i], func(to io.Writer) error {
			_, err := io.CopyN(to, f, m.Files[1+i].Size)
			if errors.Is(err, io.EOF) {
				return fmt.Errorf("%q became shorter while it was read: make the backup again", f.Name())
			}
			return err
		})
		if err != nil {
			return m, err
		}
	}
	raw, err := json.Marshal(w.hashes)
	if err != nil {
		return m, err
	}
	_, err = w.entry(File{Path: hashesName, Size: int64(len(raw))}, func(to io.Writer) error { _, err := to.Write(raw); return err })
	return m, err
}

// file writes one file of the data folder.
func (w *writer) file(f File, copyTo func(io.Writer) error) error {
	sum, err := w.entry(File{Path: dataPrefix + f.Path, Size: f.Size}, copyTo)
	w.hashes.Files = append(w.hashes.Files, sum)
	return err
}

// entry writes one entry and returns the hash of its content.
func (w *writer) entry(f File, copyTo func(io.Writer) error) (string, error) {
	err := w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.Path, Size: f.Size, Mode: 0o600, ModTime: w.now})
	if err != nil {
		return "", fmt.Errorf("write %q: %w", f.Path, err)
	}
	sum := sha256.New()
	if err := copyTo(io.MultiWriter(stoppable{w.ctx, w.tar}, sum)); err != nil {
		return "", fmt.Errorf("copy %q: %w", f.Path, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// stoppable fails when ctx has ended.
type stoppable struct {
	ctx context.Context
	w   io.Writer
}

func (s stoppable) Write(b []byte) (int, error) {
	if s.ctx.Err() != nil {
		return 0, context.Cause(s.ctx)
	}
	return s.w.Write(b)
}

// openAll opens what belongs to the data folder besides the database, and puts it into the manifest.
func openAll(src Source, m *Manifest) (files []*os.File, err error) {
	err = filepath.WalkDir(src.Dir, func(name string, e fs.DirEntry, err error) error {
		if name == src.Dir {
			return err
		}
		rel, relErr := filepath.Rel(src.Dir, name)
		if relErr != nil {
			return relErr
		}
		rel = filepath.ToSlash(rel)
		if passing(rel, src.Database) {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if errors.Is(err, fs.ErrNotExist) || err == nil && e.IsDir() {
			return nil
		}
		if err != nil {
			return err
		}
		f, size, err := open(name, e)
		if f == nil || err != nil {
			return err
		}
		files = append(files, f)
		m.Files = append(m.Files, File{Path: rel, Size: size})
		if len(files) >= maxFiles {
			return fmt.Errorf("more than %d files are in it: take away what is not the hub's", maxFiles)
		}
		return nil
	})
	return files, err
}

// open opens a regular file, also behind a link, as keys may be kept elsewhere. It is nil for sockets and the like.
func open(name string, e fs.DirEntry) (*os.File, int64, error) {
	if !e.Type().IsRegular() && e.Type() != fs.ModeSymlink {
		return nil, 0, nil
	}
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a link may lead to a pipe
	if errors.Is(err, fs.ErrNotExist) && e.Type().IsRegular() {
		return nil, 0, nil // it has just gone
	}
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%q is a link to what is no file: a backup would lack it: mount it in place of the link", name)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// passing reports whether a path in the data folder is no part of the hub's state: hidden files, which are temporary,
// what is being written or was set aside, and the database itself, which is copied otherwise.
func passing(rel, database string) bool {
	base := path.Base(rel)
	return rel == database || strings.HasPrefix(base, ".") || rel == "lost+found" ||
		slices.ContainsFunc([]string{".tmp", ".lock", ".sock", SetAside}, func(end string) bool { return strings.HasSuffix(base, end) })
}

// SetAside ends the names of files that were replaced and are kept until the hub has started well.
const SetAside = ".before-compaction"

// noRoom says it in a sentence when the disk is full.
func noRoom(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: free some, or choose another folder: %w", ErrNoRoom, err)
	}
	return err
}
