package update

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/farshore/farshore/internal/durable"
	"github.com/farshore/farshore/internal/transfer"
	"github.com/farshore/farshore/protocol"
)

// fill makes the slot of a plan whole. What a stopped process left is used where it is of the same programs.
func (u *Updater) fill(ctx context.Context, p *plan) error {
	if err := u.empty(p); err != nil {
		return disk(err)
	}
	for _, t := range p.targets {
		if err := u.bring(ctx, p, t); err != nil {
			return err
		}
	}
	for _, t := range p.targets { // names last: a slot with a program of its own name has it whole
		if err := os.Rename(p.path(u.folder, t), u.folder.Path(p.slot, t.program.Name)); err != nil {
			return disk(err)
		}
	}
	return disk(errors.Join(durable.Sync(filepath.Join(u.folder.dir, string(p.slot))), durable.Sync(u.folder.dir)))
}

// empty takes the slot off the record, clears what is of no use, and sees whether there is room.
func (u *Updater) empty(p *plan) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	r, err := u.folder.Read()
	if err != nil {
		return err
	}
	if _, named := r.Slots[p.slot]; named || r.Previous == p.slot {
		r.forget(p.slot)
		if err := u.folder.write(r); err != nil {
			return err
		}
	}
	dir := filepath.Join(u.folder.dir, string(p.slot))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	useful := map[string]bool{}
	for _, t := range p.targets {
		useful[filepath.Base(p.path(u.folder, t))] = true
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var there uint64
	for _, f := range files {
		if !useful[f.Name()] {
			if err := os.RemoveAll(filepath.Join(dir, f.Name())); err != nil {
				return err
			}
		} else if info, err := f.Info(); err == nil {
			there += uint64(info.Size())
		}
	}
	free, err := freeBytes(dir)
	if err != nil {
		return err
	}
	if need := p.size(); need > there && need-there > free {
		return noRoom(need-there, free, u.cfg.Data)
	}
	return nil
}

// bring makes one program, under the name it has until the slot is whole.
func (u *Updater) bring(ctx context.Context, p *plan, t *target) error {
	path := p.path(u.folder, t)
	if hash, err := hashFile(path); err == nil && hash == t.program.Hash {
		return nil
	}
	if t.have != "" {
		if err := os.RemoveAll(path); err != nil {
			return disk(err)
		}
		if err := u.folder.copyFile(t.have, path); err != nil {
			return disk(err)
		}
	} else if err := u.assemble(ctx, path, t); err != nil {
		return err
	}
	hash, err := hashFile(path)
	switch {
	case err != nil:
		return disk(err)
	case hash != t.program.Hash:
		return errors.Join(
			fail(protocol.UpdateFetch, "%s of release %s did not come as it was signed: give the update again", t.program.Name, p.release.Version),
			os.Remove(path))
	}
	return nil
}

// assemble fetches the pieces of a program one after the other. A piece is dropped when the file has it durably, so the
// file's length says where to go on; the last piece is made once more, as its bytes may not have reached the disk.
func (u *Updater) assemble(ctx context.Context, path string, t *target) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o700)
	if err != nil {
		return disk(err)
	}
	info, err := file.Stat()
	if err == nil {
		err = u.pieces(ctx, file, resume{target: t, length: info.Size()})
	}
	return errors.Join(disk(err), file.Close())
}

type resume struct {
	*target
	length int64
}

func (u *Updater) pieces(ctx context.Context, file *os.File, t resume) error {
	at, done := int64(0), 0
	for i, part := range t.parts { // as far as was synced
		if at+int64(part.Size) > t.length || u.cfg.Blobs.HasBlob(part.Blob) {
			break
		}
		at, done = at+int64(part.Size), i+1
	}
	if err := file.Truncate(at); err != nil {
		return err
	}
	for i, part := range t.parts[done:] {
		b, err := u.piece(ctx, t.target, part)
		if err != nil {
			return err
		}
		if _, err := file.WriteAt(b, at); err != nil {
			return err
		}
		if err := file.Sync(); err != nil {
			return err
		}
		if err := u.cfg.Blobs.DropBlob(part.Blob); err != nil {
			return err
		}
		at += int64(part.Size)
		u.cfg.Log.Debug("piece of a program is there", "program", t.program.Name, "piece", done+i+1, "of", len(t.parts))
	}
	return nil
}

// piece fetches and unpacks one piece.
func (u *Updater) piece(ctx context.Context, t *target, part protocol.UpdatePart) ([]byte, error) {
	if err := u.cfg.Fetch(ctx, protocol.File{Hash: part.Blob, Size: int64(part.BlobSize)}); err != nil {
		if isFull(err) {
			return nil, err
		}
		return nil, fail(protocol.UpdateFetch, "a piece of %s could not be fetched: %v", t.program.Name, err)
	}
	frame, err := u.cfg.Blobs.Blob(part.Blob)
	if err != nil {
		return nil, err
	}
	base, err := readAt(t.base, part)
	if err != nil {
		return nil, fail(protocol.UpdateFetch, "%s cannot be patched: %v", t.program.Name, err)
	}
	b, err := transfer.UnpackPiece(frame, base, int(part.Size))
	if err != nil {
		return nil, fail(protocol.UpdateFetch, "a piece of %s: %v", t.program.Name, errors.Join(err, u.cfg.Blobs.DropBlob(part.Blob)))
	}
	return b, nil
}

// readAt reads the bytes of the base that a piece is patched from.
func readAt(path string, part protocol.UpdatePart) ([]byte, error) {
	if part.BaseSize == 0 {
		return nil, nil
	}
	if part.BaseSize > transfer.MaxPieceBase {
		return nil, fmt.Errorf("a piece from %d bytes of the base, at most %d", part.BaseSize, transfer.MaxPieceBase)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	b := make([]byte, part.BaseSize)
	_, err = file.ReadAt(b, int64(part.BaseFrom))
	if errors.Is(err, io.EOF) {
		err = errors.New("it names bytes beyond the base")
	}
	return b, errors.Join(err, file.Close())
}

// disk gives an error of the file system its code.
func disk(err error) error {
	var f *failure
	switch {
	case err == nil, errors.As(err, &f), errors.Is(err, context.Canceled):
		return err
	case isFull(err):
		return fail(protocol.UpdateDisk, "the disk is full: make room and give the update again")
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fail(protocol.UpdateDisk, "the data folder cannot be written: %v", err)
	}
	return fail(protocol.UpdateDisk, "%v", err)
}

func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
