package boltfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"syscall"
)

// The layout of a bbolt file, in the byte order of the machine. A page begins with a header of 16 bytes: its number
// (8), flags (2), count of elements (2), and how many pages follow that belong to it (4). Elements are of 16 bytes
// each; positions in them count from the element itself.
const (
	headerSize  = 16
	elementSize = 16
	bucketSize  = 16 // root page (8), sequence (8)
	metaSize    = 64

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10
	flagBucket   = 0x01 // of an element

	magic         = 0xED0CDAED
	formatVersion = 2
	noFreelist    = ^uint64(0)

	// minPage to maxPage are the page sizes that bbolt looks for.
	minPage, maxPage = 1 << 10, 16 << 20
	// maxKey is the longest key that bbolt stores.
	maxKey = 32768
)

// meta is what one of the two first pages says of the file.
type meta struct {
	version, pageSize           uint32
	root, freelist, pages, txid uint64
}

// readMeta returns the meta page that bbolt will go by: the newer one of those that are whole.
func readMeta(r io.ReaderAt, size int64) (meta, error) {
	first, ok, err := metaAt(r, 0)
	if err != nil {
		return meta{}, err
	}
	if ok {
		if second, ok, err := metaAt(r, int64(first.pageSize)); err != nil || ok && second.txid > first.txid {
			return second, err
		}
		return first, first.sane()
	}
	for at := int64(minPage); at <= maxPage && at < size; at *= 2 {
		if m, ok, err := metaAt(r, at); err != nil || ok && int64(m.pageSize) == at {
			return m, err
		}
	}
	return meta{}, damaged("neither of its first two pages says what it is")
}

// metaAt reads the meta page at an offset, and reports whether it is a whole one.
func metaAt(r io.ReaderAt, at int64) (meta, bool, error) {
	b := make([]byte, metaSize)
	switch err := readAt(r, b, at+headerSize); {
	case errors.Is(err, io.EOF):
		return meta{}, false, nil
	case err != nil:
		return meta{}, false, err
	}
	n := binary.NativeEndian
	sum := fnv.New64a()
	_, _ = sum.Write(b[:56])
	if n.Uint32(b) != magic || n.Uint64(b[56:]) != sum.Sum64() {
		return meta{}, false, nil
	}
	m := meta{
		version: n.Uint32(b[4:]), pageSize: n.Uint32(b[8:]),
		root: n.Uint64(b[16:]), freelist: n.Uint64(b[32:]), pages: n.Uint64(b[40:]), txid: n.Uint64(b[48:]),
	}
	return m, m.sane() == nil, nil
}

// sane refuses a page size that no file has.
func (m meta) sane() error {
	if m.pageSize < minPage || m.pageSize > maxPage || m.pageSize&(m.pageSize-1) != 0 {
		return damaged("it speaks of pages of %d bytes", m.pageSize)
	}
	if m.pages < 3 || m.pages > 1<<48/uint64(m.pageSize) {
		return damaged("it speaks of %d pages", m.pages)
	}
	return nil
}

// readAt fills b. What the medium cannot give back is damage; a file that ends early is io.EOF.
func readAt(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, syscall.EIO):
		return fmt.Errorf("%w: the disk cannot read it at byte %d: %w", ErrDamaged, at, err)
	}
	return err
}

// walk goes through the pages that can be reached.
type walk struct {
	r    io.ReaderAt
	meta meta
	seen []bool // by page
}

// page is a page with what follows it, or the page inside the value of a small bucket.
type page struct {
	w     *walk
	id    uint64
	at    int64  // in the file; unused when head is all there is
	size  int64  // with the pages that follow
	head  []byte // how it begins: a page's worth
	flags uint16
	count int
}

// open reads how a page begins, and counts it as seen with those that follow it.
func (w *walk) open(id uint64) (*page, error) {
	if id < 2 || id >= w.meta.pages {
		return nil, damaged("page %d is asked for, there are %d", id, w.meta.pages)
	}
	size := int64(w.meta.pageSize)
	p := &page{w: w, id: id, at: int64(id) * size, head: make([]byte, size)}
	if err := readAt(w.r, p.head, p.at); errors.Is(err, io.EOF) {
		return nil, damaged("it ends before page %d", id)
	} else if err != nil {
		return nil, err
	}
	n := binary.NativeEndian
	if own := n.Uint64(p.head); own != id {
		return nil, damaged("page %d says that it is page %d", id, own)
	}
	more := uint64(n.Uint32(p.head[12:]))
	if id+more >= w.meta.pages {
		return nil, damaged("page %d goes on beyond the end", id)
	}
	for i := id; i <= id+more; i++ {
		if w.seen[i] {
			return nil, damaged("page %d is used twice", i)
		}
		w.seen[i] = true
	}
	p.size = size * int64(1+more)
	p.flags, p.count = n.Uint16(p.head[8:]), int(n.Uint16(p.head[10:]))
	return p, nil
}

// bytes returns n bytes at an offset in the page.
func (p *page) bytes(at, n int64) ([]byte, error) {
	if at < 0 || n < 0 || at+n > p.size {
		return nil, damaged("page %d speaks of what is outside of it", p.id)
	}
	if at+n <= int64(len(p.head)) {
		return p.head[at : at+n], nil
	}
	b := make([]byte, n)
	if err := readAt(p.w.r, b, p.at+at); errors.Is(err, io.EOF) {
		return nil, damaged("it ends within page %d", p.id)
	} else if err != nil {
		return nil, err
	}
	return b, nil
}

// element is one of a page's elements: a key with the child below it, or with its value.
type element struct {
	key    []byte
	child  uint64
	bucket bool
	at, n  int64 // of the value
}

func (p *page) element(i int) (element, error) {
	at := int64(headerSize + i*elementSize)
	raw, err := p.bytes(at, elementSize)
	if err != nil {
		return element{}, err
	}
	n := binary.NativeEndian
	var e element
	var pos, size int64
	if p.flags == flagBranch {
		pos, size, e.child = int64(n.Uint32(raw)), int64(n.Uint32(raw[4:])), n.Uint64(raw[8:])
	} else {
		pos, size, e.n = int64(n.Uint32(raw[4:])), int64(n.Uint32(raw[8:])), int64(n.Uint32(raw[12:]))
		e.bucket, e.at = n.Uint32(raw)&flagBucket != 0, at+pos+size
		if e.at+e.n > p.size {
			return e, damaged("page %d speaks of what is outside of it", p.id)
		}
	}
	if size == 0 || size > maxKey {
		return e, damaged("page %d has a key of %d bytes", p.id, size)
	}
	e.key, err = p.bytes(at+pos, size)
	return e, err
}

// span is which keys may be in a part of a tree: from, included, up to and without to. Nil: no bound.
type span struct{ from, to []byte }

// bucket walks through the tree below a root.
func (w *walk) bucket(root uint64) error {
	_, err := w.tree(root, span{})
	return err
}

// tree walks through a page and what is below it, and returns the last key there.
func (w *walk) tree(id uint64, keys span) (last []byte, err error) {
	p, err := w.open(id)
	if err != nil {
		return nil, err
	}
	switch p.flags {
	case flagLeaf:
		return w.leaf(p, keys)
	case flagBranch:
		return w.branch(p, keys)
	}
	return nil, damaged("page %d is of an unknown kind", id)
}

func (w *walk) branch(p *page, keys span) (last []byte, err error) {
	if p.count == 0 {
		return nil, damaged("page %d leads nowhere", p.id)
	}
	e, err := p.element(0)
	if err != nil {
		return nil, err
	}
	for i, before := 0, keys.from; i < p.count; i++ {
		if err := inOrder(p, i, e.key, span{before, keys.to}); err != nil {
			return nil, err
		}
		var next element
		below := span{e.key, keys.to}
		if i+1 < p.count {
			if next, err = p.element(i + 1); err != nil {
				return nil, err
			}
			below.to = next.key
		}
		if last, err = w.tree(e.child, below); err != nil {
			return nil, err
		}
		before, e = last, next
	}
	return last, nil
}

func (w *walk) leaf(p *page, keys span) (last []byte, err error) {
	last = keys.from
	for i := range p.count {
		e, err := p.element(i)
		if err != nil {
			return nil, err
		}
		if err := inOrder(p, i, e.key, span{last, keys.to}); err != nil {
			return nil, err
		}
		last = e.key
		if !e.bucket {
			continue
		}
		if err := w.child(p, e); err != nil {
			return nil, err
		}
	}
	return last, nil
}

// inOrder checks that the i-th key of a page comes after the one before it and fits between its neighbours.
func inOrder(p *page, i int, key []byte, keys span) error {
	after := 0 // the first may be what the page above names
	if i > 0 {
		after = 1
	}
	if keys.from != nil && bytes.Compare(key, keys.from) < after || keys.to != nil && bytes.Compare(key, keys.to) >= 0 {
		return damaged("the keys of page %d are not in order", p.id)
	}
	return nil
}

// child walks through the bucket that is the value of e: in pages of its own, or inside the value when it is small.
func (w *walk) child(p *page, e element) error {
	if e.n < bucketSize {
		return damaged("page %d has a bucket of %d bytes", p.id, e.n)
	}
	head, err := p.bytes(e.at, bucketSize)
	if err != nil {
		return err
	}
	if root := binary.NativeEndian.Uint64(head); root != 0 {
		return w.bucket(root)
	}
	if e.n < bucketSize+headerSize || e.n > int64(w.meta.pageSize) {
		return damaged("page %d has a bucket of %d bytes", p.id, e.n)
	}
	inside, err := p.bytes(e.at+bucketSize, e.n-bucketSize)
	if err != nil {
		return err
	}
	n := binary.NativeEndian
	small := &page{
		w: w, id: p.id, size: int64(len(inside)), head: inside,
		flags: n.Uint16(inside[8:]), count: int(n.Uint16(inside[10:])),
	}
	if small.flags != flagLeaf {
		return damaged("page %d has a bucket of an unknown kind", p.id)
	}
	_, err = w.leaf(small, span{})
	return err
}

// freelist checks the stored list of free pages, if there is one: a page that is free and used would be overwritten.
func (w *walk) freelist() error {
	if w.meta.freelist == noFreelist {
		return nil
	}
	p, err := w.open(w.meta.freelist)
	if err != nil {
		return err
	}
	if p.flags != flagFreelist {
		return damaged("page %d is not the list of free pages", p.id)
	}
	at, count := int64(headerSize), int64(p.count)
	n := binary.NativeEndian
	if p.count == 0xFFFF { // then the first entry is the count
		b, err := p.bytes(at, 8)
		if err != nil {
			return err
		}
		if n.Uint64(b) > w.meta.pages {
			return damaged("the list of free pages is longer than the file")
		}
		at, count = at+8, int64(n.Uint64(b))
	}
	list, err := p.bytes(at, 8*count)
	if err != nil {
		return err
	}
	for ; len(list) > 0; list = list[8:] {
		id := n.Uint64(list)
		if id < 2 || id >= w.meta.pages || w.seen[id] {
			return damaged("page %d is listed as free and is not", id)
		}
		w.seen[id] = true
	}
	return nil
}
