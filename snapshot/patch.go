package snapshot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/farshore/farshore/protocol"
)

// ErrWrongBase says that a patch was made for another base, or was damaged: the whole snapshot is needed.
var ErrWrongBase = errors.New("patch is not for this base")

const (
	// minWindow is enough for hosts of some hundred containers; the encoder then takes 0.9 MB.
	minWindow = 128 << 10
	// noBase stands for an empty base. It is part of the stored form: it never changes.
	noBase = "\xa6\x01\xa9\x01\x02\x03\x04\x05\x06\x07\x08\x09\x02\xa5\x03docker\x04\x05\x06overlay2\x07systemd/2\x03" +
		"\xa4\x01\x58\x20\x02\x81:latest\x03\x1a\x04\x1alocalhost:5000/\x04\xab\x01\x48\x02-1\x03\x01\x08\x1a\x09\x1a" +
		"\x0c\xa2\x01\x19\x1f\x90\x02\x19\x1f\x90\x0d\xa1org.opencontainers.image.version\x0e\x0f\x11\x81\xa2\x01" +
		"_default\x02\x6a172.18.0.2\x12\x81\xa2\x02_data\x03/var/lib/\x05\xa2\x01\x03\x1a\x06\x83\xa4\x01\x48\x02" +
		"bridge\x03bridge\x04\x81\x6d172.17.0.0/16"
)

// Patcher makes and applies patches: zstd frames whose raw dictionary is the base and whose dictionary id is made of
// the base's hash. An empty base stands for a short built-in text, so that a patch against nothing is the packed
// form. Its buffers, about 1 MB, are made when first needed. Safe for concurrent use; it does one thing at a time.
type Patcher struct {
	encMu  sync.Mutex
	enc    *zstd.Encoder
	window int

	decMu sync.Mutex
	dec   *zstd.Decoder
}

// NewPatcher returns a Patcher.
func NewPatcher() *Patcher { return &Patcher{} }

// baseOf returns dictionary id and content for a base.
func baseOf(base []byte) (uint32, []byte) {
	if len(base) == 0 {
		return 1, []byte(noBase)
	}
	h := protocol.HashOf(base)
	return dictionaryID(h.Short()), base
}

// dictionaryID is never 0, which would mean that there is no dictionary.
func dictionaryID(h protocol.ShortHash) uint32 { return binary.BigEndian.Uint32(h[:4]) | 1 }

// Patch returns what turns base into next. Both are at most protocol.MaxSnapshot bytes.
func (p *Patcher) Patch(base, next []byte) []byte {
	id, dict := baseOf(base)
	p.encMu.Lock()
	defer p.encMu.Unlock()
	var out bytes.Buffer
	err := p.encoder(&out, id, dict, len(next))
	if err == nil {
		_, err = p.enc.Write(next)
	}
	if err == nil {
		err = p.enc.Close()
	}
	if err != nil {
		panic(fmt.Errorf("make a snapshot patch: %w", err)) // a bytes.Buffer takes everything and the options are constants
	}
	return out.Bytes()
}

// encoder readies p.enc for one frame of size bytes. The window must reach from the end of the frame to the start of
// the base; it is larger than minWindow for very large snapshots only, and goes back afterwards.
func (p *Patcher) encoder(out *bytes.Buffer, id uint32, dict []byte, size int) error {
	window := minWindow
	if need := len(dict) + size; need > window {
		window = 1 << bits.Len(uint(need-1))
	}
	raw := zstd.WithEncoderDictRaw(id, dict)
	if p.enc != nil && p.window == window {
		return p.enc.ResetWithOptions(out, raw)
	}
	enc, err := zstd.NewWriter(out, raw, zstd.WithWindowSize(window), zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return err
	}
	p.enc, p.window = enc, window
	return nil
}

// Apply returns what base becomes by patch. Errors wrap ErrWrongBase, or protocol.ErrTooLarge where the result would
// be larger than a snapshot may be.
func (p *Patcher) Apply(base, patch []byte) ([]byte, error) {
	id, dict := baseOf(base)
	var head zstd.Header
	if err := head.Decode(patch); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWrongBase, err)
	}
	if head.Skippable || head.DictionaryID != id {
		return nil, ErrWrongBase
	}
	p.decMu.Lock()
	defer p.decMu.Unlock()
	if p.dec == nil {
		dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(protocol.MaxSnapshot), zstd.WithDecoderMaxWindow(protocol.MaxPatchWindow))
		if err != nil {
			panic(err) // the options are constants; every test decodes with them
		}
		p.dec = dec
	}
	err := p.dec.ResetWithOptions(nil, zstd.WithDecoderDictDelete(), zstd.WithDecoderDictRaw(id, dict))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWrongBase, err)
	}
	out, err := p.dec.DecodeAll(patch, make([]byte, 0, len(base)+64))
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, fmt.Errorf("snapshot: %w: more than %d bytes", protocol.ErrTooLarge, protocol.MaxSnapshot)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrWrongBase, err)
	}
	return out, nil
}

// BaseOf tells whether a patch claims to be for the snapshot with the hash base, without applying it. Two hashes in
// two thousand million look alike; the hash of the result decides.
func BaseOf(patch []byte, base protocol.ShortHash) bool {
	var head zstd.Header
	return head.Decode(patch) == nil && !head.Skippable && head.DictionaryID == dictionaryID(base)
}
