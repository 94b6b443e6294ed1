package state

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/farshore/farshore/internal/durable"
	"github.com/farshore/farshore/protocol"
)

// Names below the folder of blobs: ab/<hex> is a blob whose hash begins with ab, parts/<hex> is what is there of a
// transfer, tmp-… is being written and of no worth after a crash.
const (
	partsName  = "parts"
	tempPrefix = "tmp-"
)

// A part's file is a header and the bytes of the transfer; how much is there is in the file's length.
const (
	partMagic  = "fsp1"
	partHeader = len(partMagic) + 8 + 8 + 8
)

// fileBlobs keeps blobs in files. The file system is the index: a file has its name only when its content is complete
// and on disk.
type fileBlobs struct {
	dir string
}

func openBlobs(dir string) (*fileBlobs, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, diskError(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return nil, err
			}
		}
	}
	return &fileBlobs{dir: dir}, nil
}

func (f *fileBlobs) path(h protocol.Hash) string {
	name := h.String()
	return filepath.Join(f.dir, name[:2], name)
}

func (f *fileBlobs) partPath(h protocol.Hash) string {
	return filepath.Join(f.dir, partsName, h.String())
}

func (f *fileBlobs) has(h protocol.Hash) bool {
	_, err := os.Stat(f.path(h))
	return err == nil
}

func (f *fileBlobs) get(h protocol.Hash) ([]byte, error) {
	b, err := os.ReadFile(f.path(h))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if err != nil {
		return nil, err
	}
	if protocol.HashOf(b) != h {
		return nil, errors.Join(ErrDamaged, os.Remove(f.path(h)))
	}
	return b, nil
}

func (f *fileBlobs) put(h protocol.Hash, b []byte) error {
	if f.has(h) {
		return nil
	}
	return f.place(f.path(h), b)
}

func (f *fileBlobs) remove(h protocol.Hash) error {
	if err := os.Remove(f.path(h)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// place writes a file under a temporary name and then gives it its own.
func (f *fileBlobs) place(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(f.dir, tempPrefix)
	if err != nil {
		return err
	}
	_, err = tmp.Write(content)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return errors.Join(durable.Sync(filepath.Dir(path)), durable.Sync(f.dir))
}

func (f *fileBlobs) partials() partials { return f }

func (f *fileBlobs) partial(h protocol.Hash) (Partial, bool) {
	file, err := os.Open(f.partPath(h))
	if err != nil {
		return Partial{}, false
	}
	defer func() { _ = file.Close() }() // only read
	head := make([]byte, partHeader)
	if n, err := file.Read(head); n != partHeader || err != nil || string(head[:len(partMagic)]) != partMagic {
		return Partial{}, false
	}
	info, err := file.Stat()
	if err != nil {
		return Partial{}, false
	}
	rest := head[len(partMagic):]
	p := Partial{
		Stream: protocol.ShortHash(rest[:8]), Base: protocol.ShortHash(rest[8:16]),
		Size: int64(binary.BigEndian.Uint64(rest[16:])), Offset: info.Size() - int64(partHeader),
	}
	return p, p.Offset <= p.Size
}

func (f *fileBlobs) begin(h protocol.Hash, p Partial) error {
	head := append(make([]byte, 0, partHeader), partMagic...)
	head = append(head, p.Stream[:]...)
	head = append(head, p.Base[:]...)
	head = binary.BigEndian.AppendUint64(head, uint64(p.Size))
	return f.place(f.partPath(h), head)
}

func (f *fileBlobs) extend(h protocol.Hash, data []byte) error {
	file, err := os.OpenFile(f.partPath(h), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync()); err != nil {
		// A part that was written in part would be continued at the wrong place.
		return errors.Join(err, file.Truncate(info.Size()), file.Close())
	}
	return file.Close()
}

func (f *fileBlobs) read(h protocol.Hash) ([]byte, error) {
	b, err := os.ReadFile(f.partPath(h))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(b) < partHeader {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return b[partHeader:], nil
}

func (f *fileBlobs) drop(h protocol.Hash) error {
	if err := os.Remove(f.partPath(h)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (f *fileBlobs) collect(keepBlobs, keepPartials map[protocol.Hash]bool) error {
	folders, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		keep := keepBlobs
		if folder.Name() == partsName {
			keep = keepPartials
		}
		if err := collectFolder(filepath.Join(f.dir, folder.Name()), keep); err != nil {
			return err
		}
	}
	return nil
}

func collectFolder(dir string, keep map[protocol.Hash]bool) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		var h protocol.Hash
		if raw, err := hex.DecodeString(file.Name()); err == nil && len(raw) == len(h) {
			copy(h[:], raw)
			if keep[h] {
				continue
			}
		}
		if err := os.Remove(filepath.Join(dir, file.Name())); err != nil {
			return err
		}
	}
	return nil
}
