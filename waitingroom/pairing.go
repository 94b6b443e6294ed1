package waitingroom

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// ErrPairingCode is wrapped by errors about a text that is no pairing code.
var ErrPairingCode = errors.New("not a pairing code")

// The pairing code is 40 bits of argon2id over the device's public key. The cost is about 100 ms of one core of a small
// ARM board: a technician does not notice it, and grinding keys until one has a given code takes 2^40 times as long.
// These values are frozen: another value is another code.
const (
	codeSalt    = "farshore pairing code 1"
	codePasses  = 1
	codeMemory  = 16 << 10 // KiB
	codeThreads = 1
	codeBytes   = 5
	codeLen     = 8
)

// crockford is the alphabet of Crockford's base 32: no I, L, O and U.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// PairingCode derives the short code of a device key, such as "7ZK4-M0QD". It takes 10 to 100 ms and 16 MiB.
func PairingCode(pub ed25519.PublicKey) string {
	sum := argon2.IDKey(pub, []byte(codeSalt), codePasses, codeMemory, codeThreads, codeBytes)
	var n uint64
	for _, b := range sum {
		n = n<<8 | uint64(b)
	}
	var text [codeLen]byte
	for i := codeLen - 1; i >= 0; i-- {
		text[i] = crockford[n&31]
		n >>= 5
	}
	return FormatCode(string(text[:]))
}

// FormatCode puts the dash between the two groups of eight characters; other texts are returned as they are.
func FormatCode(s string) string {
	if len(s) != codeLen {
		return s
	}
	return s[:codeLen/2] + "-" + s[codeLen/2:]
}

// NormalizeCode reads a pairing code as people type it: small letters, with or without dash and spaces, O for 0, I and L
// for 1. It returns the form that PairingCode gives, or an error that wraps ErrPairingCode.
func NormalizeCode(s string) (string, error) {
	var b strings.Builder
	for _, r := range strings.ToUpper(s) {
		switch r {
		case ' ', '-', '\t', '\n', '\r', '_':
			continue
		case 'O':
			r = '0'
		case 'I', 'L':
			r = '1'
		}
		if !strings.ContainsRune(crockford, r) {
			return "", fmt.Errorf("%w: %.40q: the character %q is in no code; it has eight letters and digits, such as 7ZK4-M0QD", ErrPairingCode, s, r)
		}
		b.WriteRune(r)
	}
	if b.Len() != codeLen {
		return "", fmt.Errorf("%w: %.40q: it has %d letters and digits, want %d, such as 7ZK4-M0QD", ErrPairingCode, s, b.Len(), codeLen)
	}
	return FormatCode(b.String()), nil
}
