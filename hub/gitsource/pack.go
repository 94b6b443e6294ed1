package gitsource

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// maxObjects bounds how many objects come in one pack.
const maxObjects = 200_000

// objects are what was fetched, unpacked, by hash.
type objects struct {
	all map[plumbing.Hash]object
	// wire and room are how many bytes may still come, and may still be unpacked.
	wire, room, limit int64
}

type object struct {
	kind    plumbing.ObjectType
	content []byte
}

func newObjects(limit int64) *objects {
	return &objects{all: map[plumbing.Hash]object{}, wire: limit, room: limit, limit: limit}
}

func (o *objects) tooLarge() error {
	return faultf(codeTooLarge, "more than %d MiB would have to be fetched or unpacked: keep large files out of the repository, or put the stack into one of its own", max(o.limit>>20, 1))
}

// spend takes the size of an object from the room that is left, before memory is taken.
func (o *objects) spend(size int64) error {
	if size < 0 || size > o.room {
		return o.tooLarge()
	}
	o.room -= size
	return nil
}

// delta is an object that is said as its difference to another.
type delta struct {
	at   int64
	data []byte
}

// pack is the work of unpacking one.
type pack struct {
	*objects
	byOffset map[int64]plumbing.Hash
	// What waits for its base, by the base's place or hash.
	atOffset map[int64][]delta
	atHash   map[plumbing.Hash][]delta
	waiting  int
}

// unpack reads a pack. All it needs of memory is spent before it is taken.
func (o *objects) unpack(r io.Reader) error {
	scan := packfile.NewScanner(struct{ io.Reader }{r}) // only to read: it shall not try to seek
	_, n, err := scan.Header()
	if err != nil {
		return err
	}
	if n > maxObjects {
		return faultf(codeTooLarge, "the commit has %d files and folders, at most %d: put the stack into a repository of its own", n, maxObjects)
	}
	p := &pack{objects: o, byOffset: map[int64]plumbing.Hash{}, atOffset: map[int64][]delta{}, atHash: map[plumbing.Hash][]delta{}}
	for range n {
		if err := p.next(scan); err != nil {
			return err
		}
	}
	if p.waiting > 0 {
		return fmt.Errorf("%d objects are differences to what is not there", p.waiting)
	}
	_, err = io.Copy(io.Discard, r) // to its end, so that a server's last word is heard
	return err
}

func (p *pack) next(scan *packfile.Scanner) error {
	h, err := scan.NextObjectHeader()
	if err != nil {
		return err
	}
	if err := p.spend(h.Length); err != nil {
		return err
	}
	var content bytes.Buffer
	if _, _, err := scan.NextObject(&content); err != nil {
		return err
	}
	d := delta{h.Offset, content.Bytes()}
	switch h.Type {
	case plumbing.OFSDeltaObject:
		if base, ok := p.byOffset[h.OffsetReference]; ok {
			return p.patch(p.all[base], d)
		}
		p.atOffset[h.OffsetReference] = append(p.atOffset[h.OffsetReference], d)
		p.waiting++
		return nil
	case plumbing.REFDeltaObject:
		if base, ok := p.all[h.Reference]; ok {
			return p.patch(base, d)
		}
		p.atHash[h.Reference] = append(p.atHash[h.Reference], d)
		p.waiting++
		return nil
	}
	return p.put(h.Offset, object{h.Type, content.Bytes()})
}

// put keeps an object, and then all that waited for it.
func (p *pack) put(at int64, o object) error {
	type found struct {
		at int64
		object
	}
	for work := []found{{at, o}}; len(work) > 0; {
		f := work[len(work)-1]
		work = work[:len(work)-1]
		hash := plumbing.ComputeHash(f.kind, f.content)
		p.all[hash], p.byOffset[f.at] = f.object, hash
		ready := append(p.atOffset[f.at], p.atHash[hash]...)
		delete(p.atOffset, f.at)
		delete(p.atHash, hash)
		p.waiting -= len(ready)
		for _, d := range ready {
			content, err := p.patched(f.content, d.data)
			if err != nil {
				return err
			}
			work = append(work, found{d.at, object{f.kind, content}})
		}
	}
	return nil
}

func (p *pack) patch(base object, d delta) error {
	content, err := p.patched(base.content, d.data)
	if err != nil {
		return err
	}
	return p.put(d.at, object{base.kind, content})
}

// patched applies a difference, which begins with the sizes of what it is applied to and of what it gives.
func (p *pack) patched(base, data []byte) ([]byte, error) {
	_, n := binary.Uvarint(data)
	if n <= 0 {
		return nil, packfile.ErrInvalidDelta
	}
	size, m := binary.Uvarint(data[n:])
	if m <= 0 || size > uint64(p.limit) {
		return nil, p.tooLarge()
	}
	if err := p.spend(int64(size)); err != nil {
		return nil, err
	}
	return packfile.PatchDelta(base, data)
}
