package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Check reads a backup to its end and says what is in it. Errors wrap ErrWrongKey, ErrDamaged, ErrNoBackup, ErrNewer or
// ErrUnsafe.
func Check(ctx context.Context, from io.Reader, key Key) (Manifest, error) {
	return read(ctx, from, key, discard{})
}

// sink takes the files of a backup.
type sink interface {
	// begin is told of the manifest before the first file.
	begin(*Manifest) error
	// file makes a file.
	file(File) (io.WriteCloser, error)
}

type discard struct{}

func (discard) begin(*Manifest) error             { return nil }
func (discard) file(File) (io.WriteCloser, error) { return nopCloser{io.Discard}, nil }

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// read hands the files of a backup to a sink. They count for nothing when it returns an error.
func read(ctx context.Context, from io.Reader, key Key, into sink) (Manifest, error) {
	plain, err := key.open(from)
	if err != nil {
		return Manifest{}, err
	}
	unpacked, err := zstd.NewReader(plain, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return Manifest{}, fmt.Errorf("read backup: %w", err)
	}
	defer unpacked.Close()
	r := &reader{ctx: ctx, tar: tar.NewReader(unpacked), into: into}
	if err := r.manifest(); err != nil {
		return Manifest{}, err
	}
	if err := r.files(); err != nil {
		return Manifest{}, err
	}
	return r.m, r.end(unpacked, plain)
}

type reader struct {
	ctx  context.Context
	tar  *tar.Reader
	into sink
	m    Manifest
	sums hashes
}

// damaged is what reading errors mean; those of writing are passed through.
func damaged(where string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrDamaged, where, err)
}

// next wants the entry of this name, and of this size where it is known (-1: it is not).
func (r *reader) next(name string, size int64) (*tar.Header, error) {
	h, err := r.tar.Next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%w: it ends where %q should follow", ErrDamaged, name)
	case err != nil:
		return nil, damaged(name, err)
	case h.Typeflag != tar.TypeReg:
		return nil, fmt.Errorf("%w: %.80q is no plain file (type %q)", ErrUnsafe, h.Name, h.Typeflag)
	case h.Name != name:
		return nil, fmt.Errorf("%w: %.80q where %q should follow", ErrUnsafe, h.Name, name)
	case size >= 0 && h.Size != size:
		return nil, fmt.Errorf("%w: %q has %d bytes, the manifest says %d", ErrUnsafe, name, h.Size, size)
	}
	return h, nil
}

// index reads a small entry whole.
func (r *reader) index(name string) ([]byte, error) {
	h, err := r.next(name, -1)
	if err != nil {
		return nil, err
	}
	if h.Size > maxIndex {
		return nil, fmt.Errorf("%w: %q has %d bytes", ErrUnsafe, name, h.Size)
	}
	raw, err := io.ReadAll(r.tar)
	if err != nil {
		return nil, damaged(name, err)
	}
	return raw, nil
}

func (r *reader) manifest() error {
	raw, err := r.index(manifestName)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoBackup, err)
	}
	if err := json.Unmarshal(raw, &r.m); err != nil {
		return fmt.Errorf("%w: its manifest is no JSON", ErrNoBackup)
	}
	if r.m.Format > Format || r.m.Format < 1 {
		return fmt.Errorf("%w: format %d, this one knows %d: use farshore-hub %s", ErrNewer, r.m.Format, Format, plainText(r.m.Hub))
	}
	if err := r.m.check(); err != nil {
		return err
	}
	r.sums.Manifest = sum(raw)
	return r.into.begin(&r.m)
}

func (r *reader) files() error {
	for _, f := range r.m.Files {
		if _, err := r.next(dataPrefix+f.Path, f.Size); err != nil {
			return err
		}
		if err := r.file(f); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) file(f File) error {
	to, err := r.into.file(f)
	if err != nil {
		return err
	}
	w, h, from := &counted{w: to}, sha256.New(), &failing{r: r.tar}
	_, err = io.Copy(io.MultiWriter(stoppable{r.ctx, w}, h), from)
	if from.err != nil {
		err = damaged(f.Path, err)
	}
	if err := errors.Join(err, to.Close()); err != nil {
		return err
	}
	if w.n != f.Size {
		return fmt.Errorf("%w: %q has %d bytes of %d", ErrDamaged, f.Path, w.n, f.Size)
	}
	r.sums.Files = append(r.sums.Files, hex.EncodeToString(h.Sum(nil)))
	return nil
}

// counted counts what is written.
type counted struct {
	w io.Writer
	n int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// failing remembers how reading failed.
type failing struct {
	r   io.Reader
	err error
}

func (f *failing) Read(b []byte) (int, error) {
	n, err := f.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// end compares the hashes and wants nothing behind them.
func (r *reader) end(unpacked, plain io.Reader) error {
	raw, err := r.index(hashesName)
	if err != nil {
		return err
	}
	var said hashes
	if err := json.Unmarshal(raw, &said); err != nil {
		return damaged(hashesName, err)
	}
	want, err := json.Marshal(r.sums)
	if err != nil {
		return err
	}
	got, err := json.Marshal(said)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(want, got) != 1 {
		return fmt.Errorf("%w: the hashes at its end are not those of what it holds", ErrDamaged)
	}
	if h, err := r.tar.Next(); err == nil {
		return fmt.Errorf("%w: %.80q behind its end", ErrUnsafe, h.Name)
	} else if !errors.Is(err, io.EOF) {
		return damaged("its end", err)
	}
	for _, rest := range []io.Reader{unpacked, plain} { // to the end, so that all is authenticated
		n, err := io.Copy(io.Discard, io.LimitReader(rest, 1<<20))
		if err != nil {
			return damaged("its end", err)
		}
		if n == 1<<20 {
			return fmt.Errorf("%w: more than 1 MiB behind its end", ErrUnsafe)
		}
	}
	return nil
}

func sum(raw []byte) string {
	s := sha256.Sum256(raw)
	return hex.EncodeToString(s[:])
}

// plainText makes text of a backup fit for a terminal.
func plainText(s string) string {
	return string(bytes.ToValidUTF8([]byte(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s[:min(len(s), 100)])), nil))
}
