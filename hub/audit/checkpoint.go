package audit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Checkpoint is a head of the chain, signed by the hub key: the trail up to it is as the hub wrote it.
type Checkpoint struct {
	// Seq and Hash are of the last entry before it. Seq 0: the trail begins here.
	Seq  uint64 `cbor:"1,keyasint" json:"seq"`
	Hash string `cbor:"2,keyasint" json:"hash"`
	// At is when it was signed, in RFC 3339.
	At string `cbor:"3,keyasint" json:"at"`
	// Key is the public hub key, and Sig the Ed25519 signature over signedText, both in base64.
	Key []byte `cbor:"4,keyasint" json:"hub_key"`
	Sig []byte `cbor:"5,keyasint" json:"sig"`
}

// What is wrong with a checkpoint.
var (
	errSignature = errors.New("the hub key has not signed it")
	errNoKey     = errors.New("no hub key was given")
)

// signedText is what the hub key signs. Its first line keeps it apart from whatever else that key signs.
func (c *Checkpoint) signedText() []byte {
	return fmt.Appendf(nil, "farshore audit checkpoint 1\n%d\n%s\n%s\n", c.Seq, c.Hash, c.At)
}

func newCheckpoint(key ed25519.PrivateKey, seq uint64, hash string) Checkpoint {
	c := Checkpoint{Seq: seq, Hash: hash, At: time.Now().UTC().Format(time.RFC3339), Key: key.Public().(ed25519.PublicKey)}
	c.Sig = ed25519.Sign(key, c.signedText())
	return c
}

// holds checks the signature against the hub key.
func (c *Checkpoint) holds(key ed25519.PublicKey) error {
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, c.signedText(), c.Sig) {
		return errSignature
	}
	return nil
}

// checkpoint signs the present head. l.mu is held.
func (l *Log) checkpoint() Checkpoint { return newCheckpoint(l.Key, l.seq, l.hash) }

// writeCheckpoint appends it to the trail. l.mu is held.
func (l *Log) writeCheckpoint(c Checkpoint) error {
	raw, err := checkpointLine(c)
	if err != nil {
		return err
	}
	return l.write(raw)
}

func checkpointLine(c Checkpoint) ([]byte, error) {
	raw, err := json.Marshal(map[string]Checkpoint{"checkpoint": c})
	if err != nil {
		return nil, fmt.Errorf("encode a checkpoint: %w", err)
	}
	return append(raw, '\n'), nil
}

// HubKey is the public key by which the trail is signed, as ParseHubKey reads it.
func (l *Log) HubKey() string { return base64.RawURLEncoding.EncodeToString(l.public()) }

func (l *Log) public() ed25519.PublicKey { return l.Key.Public().(ed25519.PublicKey) }

// KeyFingerprint names a public hub key: "SHA256:" and the unpadded base64 of its SHA-256.
func KeyFingerprint(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// KnownKey is a public hub key, or its fingerprint, that somebody wrote down.
type KnownKey struct {
	key         ed25519.PublicKey
	fingerprint string
}

// ParseHubKey reads a public hub key in base64, or its fingerprint.
func ParseHubKey(s string) (KnownKey, error) {
	if strings.HasPrefix(s, "SHA256:") && len(s) == len("SHA256:")+base64.RawStdEncoding.EncodedLen(sha256.Size) {
		return KnownKey{fingerprint: s}, nil
	}
	for _, e := range []*base64.Encoding{base64.RawURLEncoding, base64.StdEncoding} {
		if key, err := e.DecodeString(s); err == nil && len(key) == ed25519.PublicKeySize {
			return KnownKey{key: key}, nil
		}
	}
	return KnownKey{}, errors.New("this is neither a hub key (32 bytes in base64) nor a fingerprint (SHA256:…)")
}

// holds checks a signature against the known key.
func (k KnownKey) holds(c *Checkpoint) error {
	switch {
	case k.key != nil:
		return c.holds(k.key)
	case k.fingerprint == "":
		return errNoKey
	case len(c.Key) != ed25519.PublicKeySize || KeyFingerprint(c.Key) != k.fingerprint:
		return errSignature
	}
	return c.holds(c.Key)
}
