package protocol

import (
	_ "embed" // the built-in dictionaries
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// ErrTooLarge is wrapped by every error about something beyond a limit of this package.
var ErrTooLarge = errors.New("too large")

// Codec bytes: the first byte of a frame as it travels.
const (
	codecRaw  = 0 // CBOR as it is
	codecZstd = 1 // zstd, no dictionary
	codecDict = 2 // zstd with built-in dictionary 1
)

// dictionary1 is raw dictionary number 1, tuned to first snapshots and compose files. Once released it never
// changes; a better one gets a number and a codec byte of its own.
//
//go:embed dictionaries/1.bin
var dictionary1 []byte

const dictionary1ID = 1

// compressFrom is the size from which compressing a frame is tried.
const compressFrom = 48

// Codec turns frames into bytes and back. One Codec serves a whole program and is safe for concurrent use; it holds
// about 1 MB once it has compressed something.
type Codec struct {
	plain, dict func() *zstd.Encoder
	dec         func() *zstd.Decoder
}

// NewCodec returns a Codec. It allocates its buffers when they are first needed.
func NewCodec() *Codec {
	encoder := func(opts ...zstd.EOption) func() *zstd.Encoder {
		return sync.OnceValue(func() *zstd.Encoder {
			opts = append(opts, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithWindowSize(128<<10),
				zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
			e, err := zstd.NewWriter(nil, opts...)
			if err != nil {
				panic(err) // the options are constants; a test encodes with them
			}
			return e
		})
	}
	return &Codec{
		plain: encoder(),
		dict:  encoder(zstd.WithEncoderDictRaw(dictionary1ID, dictionary1)),
		dec: sync.OnceValue(func() *zstd.Decoder {
			d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(MaxFrameDecoded),
				zstd.WithDecoderMaxWindow(MaxFrameDecoded), zstd.WithDecoderConcurrency(2),
				zstd.WithDecoderLowmem(true), zstd.WithDecoderDictRaw(dictionary1ID, dictionary1))
			if err != nil {
				panic(err) // the options are constants; a test decodes with them
			}
			return d
		}),
	}
}

// Encode returns the frame as it travels, by the codec that gives the fewest bytes. Errors wrap ErrTooLarge when the
// frame is beyond the limits.
func (c *Codec) Encode(f *Frame) ([]byte, error) {
	if len(f.Messages) > MaxMessages {
		return nil, fmt.Errorf("encode frame: %w: %d messages, at most %d", ErrTooLarge, len(f.Messages), MaxMessages)
	}
	body, err := Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encode frame: %w", err)
	}
	if len(body) > MaxFrameDecoded {
		return nil, fmt.Errorf("encode frame: %w: %d bytes, at most %d", ErrTooLarge, len(body), MaxFrameDecoded)
	}
	best := append(make([]byte, 0, len(body)+1), codecRaw)
	best = append(best, body...)
	if len(body) >= compressFrom {
		packed := c.dict().EncodeAll(body, append(make([]byte, 0, len(body)), codecDict))
		if len(packed) < len(best) {
			best = packed
		}
	}
	if len(best) > MaxFrame {
		return nil, fmt.Errorf("encode frame: %w: %d bytes as it travels, at most %d", ErrTooLarge, len(best), MaxFrame)
	}
	return best, nil
}

// Decode reads one frame. Errors wrap ErrTooLarge or ErrMalformed and name the thing.
func (c *Codec) Decode(b []byte) (*Frame, error) {
	if len(b) > MaxFrame {
		return nil, fmt.Errorf("frame: %w: %d bytes, at most %d", ErrTooLarge, len(b), MaxFrame)
	}
	if len(b) == 0 {
		return nil, fmt.Errorf("frame: %w: empty", ErrMalformed)
	}
	body := b[1:]
	switch b[0] {
	case codecRaw:
	case codecZstd, codecDict:
		var err error
		if body, err = c.dec().DecodeAll(b[1:], nil); err != nil {
			if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
				return nil, fmt.Errorf("frame: %w: more than %d bytes after decompression", ErrTooLarge, MaxFrameDecoded)
			}
			return nil, fmt.Errorf("frame: %w: zstd: %w", ErrMalformed, err)
		}
	default:
		return nil, fmt.Errorf("frame: %w: unknown codec %d", ErrMalformed, b[0])
	}
	var f Frame
	if err := Unmarshal(body, &f); err != nil {
		return nil, fmt.Errorf("frame: %w", err)
	}
	if len(f.Messages) > MaxMessages {
		return nil, fmt.Errorf("frame: %w: %d messages, at most %d", ErrTooLarge, len(f.Messages), MaxMessages)
	}
	return &f, nil
}
