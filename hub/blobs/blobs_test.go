package blobs

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/farshore/farshore/internal/transfer"
	"github.com/farshore/farshore/protocol"
)

const dev = protocol.DeviceID("abcdefghijklmnop")

// shelf is a store and the access of one device to all that is on it.
type shelf struct {
	blobs map[protocol.Hash][]byte
	reads int
}

func (s *shelf) put(b []byte) protocol.Hash {
	h := protocol.HashOf(b)
	if s.blobs == nil {
		s.blobs = map[protocol.Hash][]byte{}
	}
	s.blobs[h] = b
	return h
}

func (s *shelf) Blob(h protocol.Hash) ([]byte, error) {
	s.reads++
	if b, ok := s.blobs[h]; ok {
		return b, nil
	}
	return nil, errors.New("gone")
}

func (s *shelf) Readable(d protocol.DeviceID, short protocol.ShortHash) (protocol.Hash, bool) {
	for h := range s.blobs {
		if h.Short() == short && d == dev {
			return h, true
		}
	}
	return protocol.Hash{}, false
}

func (s *shelf) server(chunk uint32, cacheBytes int) *Server {
	return New(Config{
		Access: s, Store: s, Log: slog.New(slog.DiscardHandler), CacheBytes: cacheBytes,
		Chunk: func(protocol.DeviceID) uint32 { return chunk },
	})
}

// device takes chunks as an agent does.
type device struct {
	stream, base protocol.ShortHash
	size         int64
	data         []byte
}

func (d *device) take(t *testing.T, messages []protocol.Message) {
	t.Helper()
	for _, m := range messages {
		var c protocol.BlobChunk
		if m.Kind != protocol.KindChunk {
			t.Fatalf("got %s", m.Kind)
		}
		if err := m.Decode(&c); err != nil {
			t.Fatal(err)
		}
		if !c.Stream.IsZero() && c.Stream != d.stream {
			*d = device{stream: c.Stream, base: c.Base, size: c.Size}
		}
		if c.Offset != int64(len(d.data)) {
			t.Fatalf("chunk at %d, have %d", c.Offset, len(d.data))
		}
		d.data = append(d.data, c.Data...)
	}
}

func answer1(t *testing.T, s *Server, items ...protocol.WantItem) []protocol.Message {
	t.Helper()
	out, err := s.Answer(dev, protocol.Want{Items: items})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func noise(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// The device asks for random amounts, loses random parts of the answers, and the hub restarts in between with an
// empty cache: no byte is sent twice that the device has kept, and the blob is whole.
func TestTransferGoesOnAtTheByte(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	s := &shelf{}
	blob := noise(1, 200<<10)
	h := s.put(blob)
	server := s.server(1000, 0)
	d := &device{}
	for rounds := 0; d.size == 0 || int64(len(d.data)) < d.size; rounds++ {
		if rounds > 10000 {
			t.Fatal("does not end")
		}
		if r.IntN(5) == 0 {
			server = s.server(uint32(1+r.IntN(2000)), 0)
		}
		got := answer1(t, server, protocol.WantItem{
			Blob: h.Short(), Stream: d.stream, Offset: int64(len(d.data)), Max: int64(r.IntN(9000)),
		})
		before := d.stream
		d.take(t, got[:r.IntN(len(got)+1)])
		if !before.IsZero() && d.stream != before {
			t.Fatal("the transfer began anew")
		}
	}
	got, err := transfer.Unpack(d.data, nil, len(blob))
	if err != nil || !bytes.Equal(got, blob) {
		t.Fatalf("%d bytes, error %v", len(got), err)
	}
}

func TestPatchAgainstTheDevicesBase(t *testing.T) {
	s := &shelf{}
	var b strings.Builder
	for i := range 60 {
		fmt.Fprintf(&b, "  service%d:\n    image: registry.example/app%d:1.%d\n    restart: always\n", i, i*i, i)
	}
	old := []byte(b.String())
	next := bytes.Replace(old, []byte("app49:1.7"), []byte("app49:1.8"), 1)
	base, want := s.put(old), s.put(next)
	server := s.server(0, 0)
	d := &device{}
	messages := answer1(t, server, protocol.WantItem{Blob: want.Short(), Base: base.Short()})
	d.take(t, messages)
	frame, err := protocol.NewCodec().Encode(&protocol.Frame{Session: 1 << 40, Seq: 10, Ack: 9, Messages: messages})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("patch %d B, in a frame %d B, of %d B", len(d.data), len(frame), len(next))
	if d.base != base.Short() || len(d.data) > 100 {
		t.Errorf("base %s, %d B: want a patch of at most 100 B", d.base, len(d.data))
	}
	if got, err := transfer.Unpack(d.data, old, len(next)); err != nil || !bytes.Equal(got, next) {
		t.Errorf("patch gives %d bytes, error %v", len(got), err)
	}
	for name, b := range map[string]protocol.ShortHash{"unknown base": {1}, "itself": want.Short()} {
		d := &device{}
		d.take(t, answer1(t, server, protocol.WantItem{Blob: want.Short(), Base: b, Stream: protocol.ShortHash{7}, Offset: 20}))
		if got, err := transfer.Unpack(d.data, nil, len(next)); !d.base.IsZero() || err != nil || !bytes.Equal(got, next) {
			t.Errorf("%s: base %s, %d bytes, error %v", name, d.base, len(got), err)
		}
	}
}

func TestHostileWants(t *testing.T) {
	s := &shelf{}
	h := s.put(noise(2, 600<<10))
	server := s.server(0, 0)
	item := protocol.WantItem{Blob: h.Short(), Max: 1 << 62}
	var items []protocol.WantItem
	for range 1000 {
		items = append(items, item, protocol.WantItem{Blob: protocol.ShortHash{9}})
	}
	out := answer1(t, server, items...)
	frame, err := protocol.NewCodec().Encode(&protocol.Frame{Seq: 1, Messages: out})
	if err != nil || len(frame) > protocol.MaxFrame {
		t.Errorf("the answer does not fit a frame: %d messages, %d B, %v", len(out), len(frame), err)
	}
	for _, offset := range []int64{-1, -1 << 63, 1 << 62} {
		var c protocol.BlobChunk
		got := answer1(t, server, protocol.WantItem{Blob: h.Short(), Offset: offset, Max: -5})
		if err := got[0].Decode(&c); err != nil || c.Offset != 0 || len(c.Data) != protocol.MaxChunk {
			t.Errorf("offset %d: chunk of %d B at %d, error %v", offset, len(c.Data), c.Offset, err)
		}
	}
	other, err := server.Answer("other", protocol.Want{Items: []protocol.WantItem{{Blob: h.Short()}}})
	var none protocol.BlobChunk
	if err != nil || len(other) != 1 || other[0].Decode(&none) != nil || !none.Unknown || none.Blob != h.Short() {
		t.Errorf("a device that may not read it got %v, error %v", other, err)
	}
	flood := make([]protocol.WantItem, 5000)
	if n := len(answer1(t, server, flood...)); n > MaxChunks {
		t.Errorf("%d messages for unknown blobs", n)
	}
}

func TestCacheIsBoundedAndUsed(t *testing.T) {
	s := &shelf{}
	var hashes []protocol.Hash
	for i := range 20 {
		hashes = append(hashes, s.put(noise(uint64(i), 10<<10)))
	}
	server := s.server(0, 64<<10)
	for range 3 {
		answer1(t, server, protocol.WantItem{Blob: hashes[0].Short()})
	}
	if s.reads != 1 {
		t.Errorf("%d reads of the store for one transfer in three pieces", s.reads)
	}
	for _, h := range hashes {
		answer1(t, server, protocol.WantItem{Blob: h.Short()})
	}
	kept := 0
	for e := server.cache.order.Front(); e != nil; e = e.Next() {
		kept += len(e.Value.(*cached).t.data)
	}
	if kept > 64<<10 || kept < 40<<10 || len(server.cache.byKey) != server.cache.order.Len() {
		t.Errorf("the cache holds %d B of 64 kB, %d keys, %d transfers", kept, len(server.cache.byKey), server.cache.order.Len())
	}
}
