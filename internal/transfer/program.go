package transfer

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// PieceSize is how much of a program comes in one piece.
const PieceSize = 4 << 20

// baseMargin is how far around a piece's own place in the earlier program its bytes are looked for. A program in which
// something changed is the earlier one shifted by less than that.
const baseMargin = 4 << 20

// MaxPieceBase is the most of the earlier program that one piece is patched from.
const MaxPieceBase = PieceSize + 2*baseMargin

// Piece is one part of a program as it travels.
type Piece struct {
	// Frame is a zstd frame.
	Frame []byte
	// Size is how many bytes of the program it gives.
	Size int
	// BaseFrom and BaseSize are the bytes of the earlier program that it is patched from. BaseSize 0: none.
	BaseFrom, BaseSize int
}

// PackProgram cuts a program into pieces and hands them to each, in order. Where an earlier program is given as base, a
// piece is patched from the bytes around the same place in it, if that makes it smaller. It takes some 60 MB beside
// program and base, and a second for a few MB.
func PackProgram(program, base []byte, each func(Piece) error) error {
	for at := 0; at < len(program); at += PieceSize {
		end := min(at+PieceSize, len(program))
		from, to := max(min(at, len(base))-baseMargin, 0), min(end+baseMargin, len(base))
		piece, err := packPiece(program[at:end], base[from:to])
		if err != nil {
			return fmt.Errorf("pack program at byte %d: %w", at, err)
		}
		if piece.BaseSize > 0 {
			piece.BaseFrom = from
		}
		if err := each(piece); err != nil {
			return err
		}
	}
	return nil
}

func packPiece(b, base []byte) (Piece, error) {
	piece := Piece{Size: len(b)}
	var err error
	if piece.Frame, err = compress(b, nil); err != nil || len(base) == 0 {
		return piece, err
	}
	patch, err := compress(b, base)
	if err == nil && len(patch) < len(piece.Frame) {
		piece.Frame, piece.BaseSize = patch, len(base)
	}
	return piece, err
}

func compress(b, base []byte) ([]byte, error) {
	opts := []zstd.EOption{
		zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(PieceSize + MaxPieceBase), zstd.WithLowerEncoderMem(true),
		// Measured on an agent with one line changed: 184 kB in place of 203 kB by the level below, of 4.3 MB whole.
		zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderCRC(false),
	}
	if len(base) > 0 {
		opts = append(opts, zstd.WithEncoderDictRaw(dictID(base), base))
	}
	e, err := zstd.NewWriter(nil, opts...)
	if err != nil {
		return nil, err
	}
	return e.EncodeAll(b, nil), nil
}

// UnpackPiece returns the bytes of a program that a piece gives. Base holds those that it is patched from, and size is
// what it must give. Beside frame and base it holds no more than PieceSize. Errors wrap ErrDamaged or ErrTooLarge; a
// caller verifies the hash of the program all the same.
func UnpackPiece(frame, base []byte, size int) ([]byte, error) {
	if size < 0 || size > PieceSize || len(base) > MaxPieceBase {
		return nil, fmt.Errorf("unpack piece: %w: %d bytes from %d, at most %d from %d", ErrTooLarge, size, len(base), PieceSize, MaxPieceBase)
	}
	opts := []zstd.DOption{
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(PieceSize + MaxPieceBase),
		zstd.WithDecoderMaxMemory(PieceSize),
	}
	if len(base) > 0 {
		opts = append(opts, zstd.WithDecoderDictRaw(dictID(base), base))
	}
	d, err := zstd.NewReader(nil, opts...)
	if err != nil {
		return nil, fmt.Errorf("unpack piece: %w", err)
	}
	defer d.Close()
	b, err := d.DecodeAll(frame, make([]byte, 0, size))
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded), len(b) > size:
		return nil, fmt.Errorf("unpack piece: %w: more than %d bytes", ErrTooLarge, size)
	case err != nil:
		return nil, fmt.Errorf("unpack piece: %w: %w", ErrDamaged, err)
	case len(b) != size:
		return nil, fmt.Errorf("unpack piece: %w: %d bytes, want %d", ErrDamaged, len(b), size)
	}
	return b, nil
}
