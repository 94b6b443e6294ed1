package state

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/farshore/farshore/protocol"
)

// ErrOffset: data of a transfer does not begin where the stored part ends.
var ErrOffset = errors.New("data does not begin where the stored part ends")

// Partial is a transfer of a blob that is not complete.
type Partial struct {
	// Stream and Base are as in protocol.BlobChunk.
	Stream, Base protocol.ShortHash
	// Size of the whole transfer, and how much of it is there, in bytes.
	Size, Offset int64
}

// maxTransfer bounds a transfer: a blob that does not compress, with zstd's framing.
const maxTransfer = protocol.MaxBlob + protocol.MaxBlob/64 + 1<<10

// blobs keeps blobs and parts of transfers. It is safe for concurrent use.
type blobs interface {
	has(h protocol.Hash) bool
	get(h protocol.Hash) ([]byte, error)
	put(h protocol.Hash, b []byte) error
	remove(h protocol.Hash) error
	partials() partials
	collect(keepBlobs, keepPartials map[protocol.Hash]bool) error
}

type partials interface {
	partial(h protocol.Hash) (Partial, bool)
	begin(h protocol.Hash, p Partial) error
	extend(h protocol.Hash, data []byte) error
	read(h protocol.Hash) ([]byte, error)
	drop(h protocol.Hash) error
}

// HasBlob reports whether the blob is in the store.
func (s *Store) HasBlob(h protocol.Hash) bool { return s.blobs.has(h) }

// Blob returns a blob, verified. The error wraps ErrNotFound, or ErrDamaged for one that the disk has spoilt: it is
// removed then, so that it is fetched again.
func (s *Store) Blob(h protocol.Hash) ([]byte, error) {
	b, err := s.blobs.get(h)
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", h, diskError(err))
	}
	return b, nil
}

// PutBlob stores a blob and drops what was there of its transfer. The error wraps ErrDamaged when b
// does not have the hash, ErrDiskFull when there is no room.
func (s *Store) PutBlob(h protocol.Hash, b []byte) error {
	if protocol.HashOf(b) != h {
		return fmt.Errorf("store blob %s: the content %w: fetch it again", h, ErrDamaged)
	}
	if err := errors.Join(s.blobs.put(h, b), s.blobs.partials().drop(h)); err != nil {
		return fmt.Errorf("store blob %s: %w", h, diskError(err))
	}
	return nil
}

// Partial returns how much of a blob's transfer is there; false when nothing is.
func (s *Store) Partial(h protocol.Hash) (Partial, bool) { return s.blobs.partials().partial(h) }

// AppendPartial stores data of a blob's transfer durably. p says which transfer, and where in it data goes: at 0 it
// begins the transfer anew, elsewhere it must be where the stored part of the same transfer ends, or the error wraps
// ErrOffset.
func (s *Store) AppendPartial(h protocol.Hash, p Partial, data []byte) error {
	parts := s.blobs.partials()
	if p.Size < 0 || p.Size > maxTransfer || p.Offset < 0 || p.Offset+int64(len(data)) > p.Size {
		return fmt.Errorf("store part of blob %s: %w: %d bytes at %d of %d", h, protocol.ErrTooLarge, len(data), p.Offset, p.Size)
	}
	if p.Offset == 0 {
		if err := parts.begin(h, p); err != nil {
			return fmt.Errorf("store part of blob %s: %w", h, diskError(err))
		}
	} else if have, ok := parts.partial(h); !ok || have != p {
		return fmt.Errorf("store part of blob %s: %w", h, ErrOffset)
	}
	if err := parts.extend(h, data); err != nil {
		return fmt.Errorf("store part of blob %s: %w", h, diskError(err))
	}
	return nil
}

// PartialData returns what is there of a blob's transfer.
func (s *Store) PartialData(h protocol.Hash) ([]byte, error) {
	b, err := s.blobs.partials().read(h)
	if err != nil {
		return nil, fmt.Errorf("read part of blob %s: %w", h, err)
	}
	return b, nil
}

// DropPartial forgets what is there of a blob's transfer.
func (s *Store) DropPartial(h protocol.Hash) error {
	if err := s.blobs.partials().drop(h); err != nil {
		return fmt.Errorf("drop part of blob %s: %w", h, err)
	}
	return nil
}

// DropBlob removes a blob and what is there of its transfer. One that is not there is no error.
func (s *Store) DropBlob(h protocol.Hash) error {
	if err := errors.Join(s.blobs.remove(h), s.blobs.partials().drop(h)); err != nil {
		return fmt.Errorf("remove blob %s: %w", h, err)
	}
	return nil
}

// CollectBlobs removes the blobs that neither the desired set, nor the reconciler's journal, nor an update that has not
// ended names, and transfers that neither the desired set nor such an update asks for.
func (s *Store) CollectBlobs() error {
	s.mu.Lock()
	defer s.mu.Unlock() // keeps an order from being accepted meanwhile
	wanted, kept := map[protocol.Hash]bool{}, map[protocol.Hash]bool{}
	name := func(into map[protocol.Hash]bool, e *protocol.Entry) {
		for _, f := range e.Files {
			into[f.Hash] = true
		}
	}
	for i := range s.data.desired {
		name(wanted, &s.data.desired[i])
		name(kept, &s.data.desired[i])
	}
	for _, a := range s.data.applied {
		name(kept, &a.Entry)
		for _, e := range []*protocol.Entry{a.Next, a.Earlier} {
			if e != nil {
				name(kept, e)
			}
		}
	}
	for _, c := range s.data.commands {
		if u := c.Command.Update; u != nil && (c.Stage == stageAccepted || c.Stage == stageStarted) {
			for _, p := range u.Programs {
				for _, part := range p.Parts {
					wanted[part.Blob], kept[part.Blob] = true, true
				}
			}
		}
	}
	if err := s.blobs.collect(kept, wanted); err != nil {
		return fmt.Errorf("remove blobs that are not needed: %w", err)
	}
	return nil
}

// memoryBlobs keeps blobs in maps.
type memoryBlobs struct {
	mu    sync.Mutex
	blobs map[protocol.Hash][]byte
	parts map[protocol.Hash]memoryPartial
}

type memoryPartial struct {
	Partial
	data []byte
}

func (m *memoryBlobs) has(h protocol.Hash) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.blobs[h]
	return ok
}

func (m *memoryBlobs) get(h protocol.Hash) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blobs[h]
	if !ok {
		return nil, ErrNotFound
	}
	return b, nil
}

func (m *memoryBlobs) put(h protocol.Hash, b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	putIn(&m.blobs, h, slices.Clone(b))
	return nil
}

func (m *memoryBlobs) remove(h protocol.Hash) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.blobs, h)
	return nil
}

func (m *memoryBlobs) partials() partials { return m }

func (m *memoryBlobs) partial(h protocol.Hash) (Partial, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.parts[h]
	return p.Partial, ok
}

func (m *memoryBlobs) begin(h protocol.Hash, p Partial) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	putIn(&m.parts, h, memoryPartial{Partial: p})
	return nil
}

func (m *memoryBlobs) extend(h protocol.Hash, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.parts[h]
	p.data = append(p.data, data...)
	p.Offset = int64(len(p.data))
	m.parts[h] = p
	return nil
}

func (m *memoryBlobs) read(h protocol.Hash) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.parts[h]
	if !ok {
		return nil, ErrNotFound
	}
	return slices.Clone(p.data), nil
}

func (m *memoryBlobs) drop(h protocol.Hash) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.parts, h)
	return nil
}

func (m *memoryBlobs) collect(keepBlobs, keepPartials map[protocol.Hash]bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for h := range m.blobs {
		if !keepBlobs[h] {
			delete(m.blobs, h)
		}
	}
	for h := range m.parts {
		if !keepPartials[h] {
			delete(m.parts, h)
		}
	}
	return nil
}
