package protocol

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// DeviceID names a device for ever. It is derived from the device key, so that it can be claimed only with the key:
// 16 characters of lower-case base32 (RFC 4648 alphabet, no padding) over the first 10 bytes of SHA-256 of the
// Ed25519 public key.
type DeviceID string

const deviceIDLen = 16

// base32Lower is RFC 4648 base32 in lower case without padding. It is never changed.
var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// DeviceIDFor returns the id that belongs to a device's public key.
func DeviceIDFor(pub ed25519.PublicKey) DeviceID {
	sum := sha256.Sum256(pub)
	return DeviceID(base32Lower.EncodeToString(sum[:10]))
}

// ParseDeviceID checks that s has the form of a device id.
func ParseDeviceID(s string) (DeviceID, error) {
	if len(s) != deviceIDLen {
		return "", fmt.Errorf("device id %.40q: want %d characters of a-z and 2-7", s, deviceIDLen)
	}
	if _, err := base32Lower.DecodeString(s); err != nil {
		return "", fmt.Errorf("device id %.40q: want %d characters of a-z and 2-7", s, deviceIDLen)
	}
	return DeviceID(s), nil
}

// CommandID names a command for ever, also across a hub that was restored from a backup: 41 bits of milliseconds
// since 2020-01-01 UTC and 22 random bits, so ids sort by time of creation. Its text form is decimal-free base 36.
type CommandID uint64

var commandEpoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// NewCommandID returns a fresh id for a command created at now. Times before 2020 count as 2020.
func NewCommandID(now time.Time) CommandID {
	ms := max(now.Sub(commandEpoch).Milliseconds(), 0)
	var b [4]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails (Go 1.24)
	return CommandID(uint64(ms)<<22 | uint64(binary.BigEndian.Uint32(b[:])&(1<<22-1)))
}

// String gives the text form: 13 lower-case base 36 characters at most.
func (c CommandID) String() string { return strconv.FormatUint(uint64(c), 36) }

// ParseCommandID reads what String gives.
func ParseCommandID(s string) (CommandID, error) {
	n, err := strconv.ParseUint(strings.ToLower(s), 36, 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("command id %.40q: want the id that was printed when the command was given", s)
	}
	return CommandID(n), nil
}

// MarshalText implements encoding.TextMarshaler, so that JSON carries the text form.
func (c CommandID) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *CommandID) UnmarshalText(b []byte) error {
	id, err := ParseCommandID(string(b))
	*c = id
	return err
}

// MarshalCBOR writes the id as a CBOR unsigned integer, not as its text form.
func (c CommandID) MarshalCBOR() ([]byte, error) { return Marshal(uint64(c)) }

// UnmarshalCBOR reads what MarshalCBOR writes.
func (c *CommandID) UnmarshalCBOR(b []byte) error { return Unmarshal(b, (*uint64)(c)) }

// Hash is a SHA-256 sum. It names blobs.
type Hash [32]byte

// HashOf returns the SHA-256 of b.
func HashOf(b []byte) Hash { return sha256.Sum256(b) }

// String gives lower-case hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Short returns the first 8 bytes, which travel where the full hash is known from a signed order.
func (h Hash) Short() ShortHash { return ShortHash(h[:8]) }

// MarshalText implements encoding.TextMarshaler (JSON carries hex).
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(b []byte) error { return unhex(h[:], b) }

// MarshalCBOR writes the hash as a byte string.
func (h Hash) MarshalCBOR() ([]byte, error) { return Marshal(h[:]) }

// UnmarshalCBOR reads a byte string of exactly 32 bytes.
func (h *Hash) UnmarshalCBOR(b []byte) error { return fixedBytes(h[:], b) }

// ShortHash is the first 8 bytes of a SHA-256 sum: enough to tell a device's own states apart.
// The zero value means "none".
type ShortHash [8]byte

// String gives lower-case hex.
func (h ShortHash) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether h is "none"; such a field is left out of a payload.
func (h ShortHash) IsZero() bool { return h == ShortHash{} }

// MarshalText implements encoding.TextMarshaler (JSON carries hex).
func (h ShortHash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *ShortHash) UnmarshalText(b []byte) error { return unhex(h[:], b) }

// MarshalCBOR writes the hash as a byte string.
func (h ShortHash) MarshalCBOR() ([]byte, error) { return Marshal(h[:]) }

// UnmarshalCBOR reads a byte string of exactly 8 bytes.
func (h *ShortHash) UnmarshalCBOR(b []byte) error { return fixedBytes(h[:], b) }

func unhex(dst, text []byte) error {
	if len(text) != hex.EncodedLen(len(dst)) {
		return fmt.Errorf("hash %.80q: want %d hex digits", text, hex.EncodedLen(len(dst)))
	}
	if _, err := hex.Decode(dst, text); err != nil {
		return fmt.Errorf("hash %.80q: want %d hex digits", text, hex.EncodedLen(len(dst)))
	}
	return nil
}

// fixedBytes reads a byte string of exactly as many bytes as dst has. Snapshots have hundreds of them, so the one
// encoding that peers send is read at a glance; whatever else there may be is judged by the decoder.
func fixedBytes(dst, encoded []byte) error {
	n := len(dst)
	switch {
	case n < 24 && len(encoded) == 1+n && encoded[0] == 0x40|byte(n):
		copy(dst, encoded[1:])
		return nil
	case n >= 24 && n < 256 && len(encoded) == 2+n && encoded[0] == 0x58 && encoded[1] == byte(n):
		copy(dst, encoded[2:])
		return nil
	}
	var b []byte
	if err := Unmarshal(encoded, &b); err != nil {
		return err
	}
	if len(b) != len(dst) {
		return fmt.Errorf("%w: a hash of %d bytes, want %d", ErrMalformed, len(b), len(dst))
	}
	copy(dst, b)
	return nil
}

// smallNumber reads an unsigned number of 8 bits, at a glance where it takes one byte.
func smallNumber(dst *uint8, encoded []byte) error {
	if len(encoded) == 1 && encoded[0] < 24 {
		*dst = encoded[0]
		return nil
	}
	return Unmarshal(encoded, dst)
}
