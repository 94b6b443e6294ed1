// Package releasefile is the form of the file in which a release travels to a hub: a tar archive, with or without zstd around it, of the
// signed release under the name "release", then its programs under names such as linux-arm64/farshore-agent, in the
// order of the release.
//
// It owns that form alone: it keeps nothing, and believes nothing that the signature does not cover. Its functions may
// be called concurrently; none holds a program in memory.
package releasefile

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/farshore/farshore/protocol"
)

// ErrInvalid is wrapped where a file is not a bundle, or not one of that release.
var ErrInvalid = errors.New("release bundle cannot be accepted")

const (
	releaseName = "release"
	// MaxSize is the most bytes of all programs of a bundle together.
	MaxSize = 1 << 30
	// maxWindow is the most memory that unpacking takes, in bytes.
	maxWindow = 8 << 20
)

// Reader reads a bundle from its beginning to its end.
type Reader struct {
	// Release and Signed are the release, as verified and as it was signed.
	Release protocol.Release
	Signed  []byte

	tar  *tar.Reader
	zstd *zstd.Decoder // nil: not compressed
	next int
}

// Open reads the release of a bundle and verifies it. Errors wrap ErrInvalid, protocol.ErrBadSignature, or are those of
// r. Close the Reader when done.
func Open(r io.Reader, keys []ed25519.PublicKey) (*Reader, error) {
	buffered := bufio.NewReader(r)
	head, err := buffered.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	out := &Reader{}
	var plain io.Reader = buffered
	if bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
		out.zstd, err = zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		plain = out.zstd
	}
	out.tar = tar.NewReader(plain)
	if err := out.open(keys); err != nil {
		out.Close()
		return nil, err
	}
	return out, nil
}

func (r *Reader) open(keys []ed25519.PublicKey) error {
	h, err := r.tar.Next()
	if err != nil {
		return r.broken(err)
	}
	if h.Name != releaseName || h.Size > protocol.MaxRelease {
		return fmt.Errorf("%w: it begins with %.60q, not with a release: make one with `farshore release make`", ErrInvalid, h.Name)
	}
	if r.Signed, err = io.ReadAll(r.tar); err != nil {
		return r.broken(err)
	}
	r.Release, err = protocol.OpenRelease(r.Signed, keys)
	switch {
	case errors.Is(err, protocol.ErrBadSignature):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	total := uint64(0)
	for _, p := range r.Release.Programs {
		total += p.Size
	}
	if total > MaxSize {
		return fmt.Errorf("%w: its programs have %d bytes together, at most %d", ErrInvalid, total, MaxSize)
	}
	return nil
}

func (r *Reader) broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, tar.ErrHeader) ||
		errors.Is(err, zstd.ErrMagicMismatch) || errors.Is(err, zstd.ErrCRCMismatch) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
		return fmt.Errorf("%w: it is no bundle, or not a whole one: %w", ErrInvalid, err)
	}
	return err
}

// Next writes the next program to w and gives it; io.EOF after the last. What was written is to be thrown away where
// there is an error: it is verified only when all of it was read.
func (r *Reader) Next(w func(protocol.Program) (io.Writer, error)) (protocol.Program, error) {
	if r.next == len(r.Release.Programs) {
		if _, err := r.tar.Next(); !errors.Is(err, io.EOF) {
			return protocol.Program{}, fmt.Errorf("%w: more follows after the last program", ErrInvalid)
		}
		return protocol.Program{}, io.EOF
	}
	p := r.Release.Programs[r.next]
	r.next++
	h, err := r.tar.Next()
	if err != nil {
		return p, r.broken(err)
	}
	if h.Name != NameOf(p) || h.Size < 0 || uint64(h.Size) != p.Size || h.Typeflag != tar.TypeReg {
		return p, fmt.Errorf("%w: %s of %d bytes should follow, and %.60q of %d does", ErrInvalid, NameOf(p), p.Size, h.Name, h.Size)
	}
	to, err := w(p)
	if err != nil {
		return p, err
	}
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(to, sum), r.tar); err != nil {
		return p, r.broken(err)
	}
	if protocol.Hash(sum.Sum(nil)) != p.Hash {
		return p, fmt.Errorf("%w: %s is not what was signed", ErrInvalid, NameOf(p))
	}
	return p, nil
}

// Close lets go of what reading took. It does not close what is read from.
func (r *Reader) Close() {
	if r.zstd != nil {
		r.zstd.Close()
	}
}

// NameOf is the name of a program in a bundle, and in the folder of which one is made: linux-armv7/farshore-agent.
func NameOf(p protocol.Program) string {
	arch := p.Arch
	if arch == "arm" {
		arch = "armv7"
	}
	return p.OS + "-" + arch + "/" + p.Name
}
