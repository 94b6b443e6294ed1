// Package transfer turns a blob into the bytes that travel, and back: zstd, with an earlier version of the blob as raw
// dictionary where there is one (a patch).
//
// The result is the same for the same input and build, so that a transfer can be resumed at a byte. The package does
// no I/O and keeps no state; its functions may be called concurrently. A call with large blobs takes some tens of MB
// for its duration, so callers bound how many run at once.
package transfer

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/klauspost/compress/zstd"
)

// MaxWindow is the largest zstd window used, in bytes.
const MaxWindow = 8 << 20

// StoreBelow is the size below which a blob without base is not compressed but stored in a zstd frame: it fits one
// frame of the protocol, which compresses it together with its neighbours and with the built-in dictionary.
const StoreBelow = 16 << 10

// smallInput is up to how many bytes of blob and base the default search is used.
const smallInput = 256 << 10

// Errors of Unpack.
var (
	// ErrDamaged: the bytes are not a transfer, or it was made with another base.
	ErrDamaged = errors.New("transfer is damaged or made for another base")
	// ErrTooLarge: the blob would be larger than allowed.
	ErrTooLarge = errors.New("blob is larger than allowed")
)

// Pack returns the transfer of blob. An empty base means none; otherwise the transfer can only be unpacked with the
// same base.
func Pack(blob, base []byte) ([]byte, error) {
	if len(base) == 0 && len(blob) < StoreBelow {
		return stored(blob), nil
	}
	// The default search misses a large base (measured: 1.3 MB for one changed byte of 2 MB), the better one finds it
	// (242 B); for small ones both do, and the default takes 2 MB in place of 8.
	level := zstd.SpeedDefault
	if len(blob)+len(base) > smallInput {
		level = zstd.SpeedBetterCompression
	}
	opts := []zstd.EOption{
		zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window(len(blob) + len(base))), zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderLevel(level), zstd.WithEncoderCRC(len(base) > 0),
	}
	if len(base) > 0 {
		opts = append(opts, zstd.WithEncoderDictRaw(dictID(base), base))
	}
	e, err := zstd.NewWriter(nil, opts...)
	if err != nil {
		return nil, fmt.Errorf("pack blob: %w", err)
	}
	return e.EncodeAll(blob, nil), nil
}

// Unpack returns the blob of a transfer, which has at most limit bytes. Base is what Pack was given. It never holds
// more than the larger of limit and MaxWindow. Errors wrap ErrDamaged or ErrTooLarge; a caller verifies the blob's hash all the same.
func Unpack(transfer, base []byte, limit int) ([]byte, error) {
	opts := []zstd.DOption{
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(MaxWindow),
		zstd.WithDecoderMaxMemory(uint64(max(limit, MaxWindow))),
	}
	if len(base) > 0 {
		opts = append(opts, zstd.WithDecoderDictRaw(dictID(base), base))
	}
	d, err := zstd.NewReader(nil, opts...)
	if err != nil {
		return nil, fmt.Errorf("unpack blob: %w", err)
	}
	defer d.Close()
	blob, err := d.DecodeAll(transfer, nil)
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded), len(blob) > limit:
		return nil, fmt.Errorf("unpack blob: %w: more than %d bytes", ErrTooLarge, limit)
	case err != nil:
		return nil, fmt.Errorf("unpack blob: %w: %w", ErrDamaged, err)
	}
	return blob, nil
}

// window is the smallest power of two that reaches over n bytes, within what a decoder is ready to hold.
func window(n int) int {
	return min(max(1<<bits.Len(uint(max(n-1, 0))), zstd.MinWindowSize), MaxWindow)
}

// dictID ties a patch to its base. Ids below 32768 and from 2^31 are kept for a registrar by RFC 8878.
func dictID(base []byte) uint32 {
	sum := sha256.Sum256(base)
	return binary.BigEndian.Uint32(sum[:4])&0x3fffffff | 0x40000000
}

// stored is a zstd frame (RFC 8878) of one segment, with content size, no checksum, and one raw block. The blob is
// shorter than StoreBelow, which is below the largest block.
func stored(blob []byte) []byte {
	out := make([]byte, 0, len(blob)+10)
	out = append(out, 0x28, 0xb5, 0x2f, 0xfd)
	if n := len(blob); n < 256 {
		out = append(out, 0x20, byte(n))
	} else {
		out = binary.LittleEndian.AppendUint16(append(out, 0x60), uint16(n-256))
	}
	head := uint32(len(blob))<<3 | 1 // raw block, the last
	out = append(out, byte(head), byte(head>>8), byte(head>>16))
	return append(out, blob...)
}
