// Package sealed seals bytes to one device's key: secret variables and what registries ask for, on their way from the hub and for
// as long as they lie on the device. Who has the database of the device, or reads the orders, learns their length alone.
//
// It says nothing of who sealed them: that is the hub key's signature over the order around them. It keeps nothing and
// never logs. A Sealer is immutable and safe for concurrent use. DESIGN.md has the construction.
package sealed

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"

	"filippo.io/edwards25519"
	"golang.org/x/crypto/curve25519"
	"golang.org/x/crypto/nacl/box"
)

// Errors that callers tell apart.
var (
	// ErrKey says that a key is not one that can be sealed to.
	ErrKey = errors.New("not a device key that can be sealed to")
	// ErrSealed says that what was sealed was altered, is for another device, or for another context.
	ErrSealed = errors.New("sealed for another device or purpose, or altered")
)

const (
	formatV1   = 1
	contextLen = 16
	// Overhead is how much longer a sealed text is than the plain one.
	Overhead = 1 + box.AnonymousOverhead + contextLen
)

// Sealer seals with the secret of one hub.
type Sealer struct{ secret []byte }

// NewSealer returns a Sealer. The secret has at least 32 bytes, and is the same for as long as equal texts shall be equal
// when sealed; nobody but the hub knows it. It is not needed to open anything.
func NewSealer(secret []byte) *Sealer { return &Sealer{secret: bytes.Clone(secret)} }

// Seal encrypts plain so that only the device can open it, and only under the same context, such as "stack 7 secrets".
// Equal arguments give equal results, so that what has not changed need not be sent again. Errors wrap ErrKey.
func (s *Sealer) Seal(device ed25519.PublicKey, context string, plain []byte) ([]byte, error) {
	to, err := publicOf(device)
	if err != nil {
		return nil, err
	}
	tag, sum := tagOf(context), sha256.Sum256(plain)
	info := append([]byte("farshore sealed ephemeral key 1\x00"), device...)
	info = append(append(info, tag...), sum[:]...)
	ephemeral, err := hkdf.Key(sha256.New, s.secret, nil, string(info), curve25519.ScalarSize)
	if err != nil {
		return nil, fmt.Errorf("derive a key for sealing: %w", err)
	}
	return box.SealAnonymous([]byte{formatV1}, append(tag, plain...), to, bytes.NewReader(ephemeral))
}

// Open gives back what was sealed for the device with this key under this context. Errors wrap ErrSealed or ErrKey.
func Open(key ed25519.PrivateKey, context string, sealed []byte) ([]byte, error) {
	if len(sealed) < Overhead || sealed[0] != formatV1 {
		return nil, ErrSealed
	}
	private, public, err := pairOf(key)
	if err != nil {
		return nil, err
	}
	// A point of low order would make one box that opens with every key.
	if _, err := curve25519.X25519(private[:], sealed[1:1+curve25519.PointSize]); err != nil {
		return nil, ErrSealed
	}
	plain, ok := box.OpenAnonymous(nil, sealed[1:], public, private)
	if !ok || !bytes.Equal(plain[:contextLen], tagOf(context)) {
		return nil, ErrSealed
	}
	return plain[contextLen:], nil
}

func tagOf(context string) []byte {
	sum := sha256.Sum256([]byte("farshore sealed context 1\x00" + context))
	return sum[:contextLen:contextLen]
}

// publicOf gives the X25519 key that belongs to a device's Ed25519 key (RFC 7748, section 4.1).
func publicOf(device ed25519.PublicKey) (*[32]byte, error) {
	point, err := new(edwards25519.Point).SetBytes(device)
	if err != nil || new(edwards25519.Point).MultByCofactor(point).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return nil, ErrKey
	}
	return (*[32]byte)(point.BytesMontgomery()), nil
}

// pairOf gives the X25519 keys of a device: Ed25519 makes its scalar of the seed in the same way (RFC 8032, 5.1.5).
func pairOf(key ed25519.PrivateKey) (private, public *[32]byte, err error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, nil, ErrKey
	}
	sum := sha512.Sum512(key.Seed())
	private = (*[32]byte)(sum[:32])
	p, err := curve25519.X25519(private[:], curve25519.Basepoint)
	if err != nil {
		return nil, nil, ErrKey
	}
	return private, (*[32]byte)(p), nil
}
