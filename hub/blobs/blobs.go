// Package blobs answers devices that want bytes: it packs blobs into transfers, as a patch where the device has an
// earlier version, and cuts out the piece that is asked for, so that a transfer goes on at the byte where it stopped.
//
// It owns the cache of packed transfers and the bounds of an answer. It never decides who may read what (see Access)
// and never stores anything: blobs are kept by the store, which drops a blob when its last owner goes. A Server is
// safe for concurrent use; blobs are packed one at a time, so that their memory is bounded.
package blobs

import (
	"fmt"
	"log/slog"
	"sync"

	"github.com/farshore/farshore/internal/transfer"
	"github.com/farshore/farshore/protocol"
)

// DefaultCache is how many bytes of packed transfers are kept.
const DefaultCache = 32 << 20

// Bounds of one answer, so that it fits frames of the protocol with room for other messages.
const (
	// MaxAnswer is the most bytes of blob data in one answer.
	MaxAnswer = 192 << 10
	// MaxChunks is the most messages in one answer.
	MaxChunks = 128
)

// Access says which blobs a device may read.
type Access interface {
	// Readable returns the whole hash of a blob that the device may read, and false for any other.
	Readable(dev protocol.DeviceID, blob protocol.ShortHash) (protocol.Hash, bool)
}

// Store keeps blobs by their hash.
type Store interface {
	// Blob returns a blob's bytes, which are not changed by the caller.
	Blob(h protocol.Hash) ([]byte, error)
}

// Config is what a Server is made of.
type Config struct {
	Access Access
	Store  Store
	// Chunk is the most bytes in one message to a device, by its settings. Nil, or a result of 0: protocol.MaxChunk.
	Chunk func(protocol.DeviceID) uint32
	// CacheBytes of packed transfers. 0: DefaultCache.
	CacheBytes int
	// Log must be set.
	Log *slog.Logger
}

// Server answers devices that want bytes.
type Server struct {
	cfg   Config // immutable
	cache cache  // guards itself
	// packing is held while a blob is packed. It is taken before the cache's own lock.
	packing sync.Mutex
}

// New returns a Server.
func New(cfg Config) *Server {
	if cfg.CacheBytes == 0 {
		cfg.CacheBytes = DefaultCache
	}
	return &Server{cfg: cfg, cache: newCache(cfg.CacheBytes)}
}

// Answer returns the messages that answer a Want, in the order of its items: chunks, or one that says Unknown for
// a blob that the device may not read. What goes beyond MaxAnswer or MaxChunks is left out; the device
// asks again for what it still lacks. The error is of this side only, and then nothing is answered.
func (s *Server) Answer(dev protocol.DeviceID, want protocol.Want) ([]protocol.Message, error) {
	a := answer{chunk: s.chunk(dev), room: MaxAnswer}
	for _, item := range want.Items {
		if a.full() {
			break
		}
		h, ok := s.cfg.Access.Readable(dev, item.Blob)
		if !ok {
			if err := a.unknown(item.Blob); err != nil {
				return nil, err
			}
			continue
		}
		t, err := s.transfer(dev, h, item.Base)
		if err != nil {
			return nil, fmt.Errorf("answer device %s: %w", dev, err)
		}
		if err := a.add(item, t); err != nil {
			return nil, err
		}
	}
	return a.messages, nil
}

func (s *Server) chunk(dev protocol.DeviceID) int64 {
	if s.cfg.Chunk == nil {
		return protocol.MaxChunk
	}
	n := s.cfg.Chunk(dev)
	if n == 0 || n > protocol.MaxChunk {
		return protocol.MaxChunk
	}
	return int64(n)
}

// packed is one transfer. It is immutable.
type packed struct {
	stream protocol.ShortHash
	base   protocol.ShortHash // zero: made without a base
	data   []byte
}

// transfer returns the transfer of h to the device, as a patch against base where the device may read that and it
// makes the transfer smaller.
func (s *Server) transfer(dev protocol.DeviceID, h protocol.Hash, base protocol.ShortHash) (*packed, error) {
	key := cacheKey{blob: h}
	if !base.IsZero() {
		if b, ok := s.cfg.Access.Readable(dev, base); ok && b != h {
			key.base = b
		}
	}
	if t := s.cache.get(key); t != nil {
		return t, nil
	}
	s.packing.Lock()
	defer s.packing.Unlock()
	if t := s.cache.get(key); t != nil {
		return t, nil
	}
	t, err := s.pack(key)
	if err != nil {
		return nil, err
	}
	s.cache.put(key, t)
	return t, nil
}

func (s *Server) pack(key cacheKey) (*packed, error) {
	blob, err := s.cfg.Store.Blob(key.blob)
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", key.blob, err)
	}
	data, err := transfer.Pack(blob, nil)
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", key.blob, err)
	}
	t := &packed{data: data}
	if patch := s.patch(key, blob); patch != nil && len(patch) < len(data) {
		t.data, t.base = patch, key.base.Short()
	}
	t.stream = protocol.HashOf(t.data).Short()
	return t, nil
}

// patch returns nil where there is no patch: the whole blob is sent then.
func (s *Server) patch(key cacheKey, blob []byte) []byte {
	if key.base == (protocol.Hash{}) {
		return nil
	}
	base, err := s.cfg.Store.Blob(key.base)
	if err == nil && len(base) > 0 {
		patch, perr := transfer.Pack(blob, base)
		if perr == nil {
			return patch
		}
		err = perr
	}
	if err != nil {
		s.cfg.Log.Warn("blob is sent whole: its base cannot be used", "blob", key.blob.String(), "base", key.base.String(), "error", err)
	}
	return nil
}

// answer collects the messages of one answer.
type answer struct {
	chunk    int64 // most bytes in a message
	room     int64 // bytes that may still come
	messages []protocol.Message
}

func (a *answer) full() bool { return a.room <= 0 || len(a.messages) >= MaxChunks }

func (a *answer) unknown(blob protocol.ShortHash) error {
	return a.message(protocol.KindChunk, &protocol.BlobChunk{Blob: blob, Unknown: true})
}

// add appends the chunks of one item.
func (a *answer) add(item protocol.WantItem, t *packed) error {
	size := int64(len(t.data))
	from := int64(0)
	if item.Stream == t.stream && item.Offset > 0 && item.Offset <= size {
		from = item.Offset
	}
	want := item.Max
	if want <= 0 {
		want = a.chunk
	}
	end := from + min(want, a.room, size-from)
	for at, first := from, true; first || at < end; first = false {
		if len(a.messages) >= MaxChunks {
			return nil
		}
		next := min(at+a.chunk, end)
		c := protocol.BlobChunk{Blob: item.Blob, Offset: at, Data: t.data[at:next]}
		if first {
			c.Stream, c.Base, c.Size = t.stream, t.base, size
		}
		if err := a.message(protocol.KindChunk, &c); err != nil {
			return err
		}
		a.room -= next - at
		at = next
	}
	return nil
}

func (a *answer) message(kind protocol.Kind, body any) error {
	m, err := protocol.NewMessage(kind, body)
	if err != nil {
		return err
	}
	a.messages = append(a.messages, m)
	return nil
}
