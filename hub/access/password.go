package access

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"
)

// Cost of one password hash: about 100 ms of one core and 46 MiB, and two at a time at most, so that strangers who try
// passwords cost bounded memory. Stored hashes carry their own cost, so these can be raised at any time.
const (
	argonTime    = 2
	argonMemory  = 46 << 10 // KiB
	argonThreads = 1
	argonSlots   = 2
	argonWaiting = 16 // at most so many wait for a slot; the next are sent away
)

type hasher struct {
	cost    phc // of new hashes
	slots   chan struct{}
	waiting atomic.Int32
}

func newHasher() *hasher {
	return &hasher{
		cost:  phc{time: argonTime, memory: argonMemory, threads: argonThreads},
		slots: make(chan struct{}, argonSlots),
	}
}

// derive is argon2id in a slot. Too many at once: a *DelayError.
func (h *hasher) derive(password string, p phc) ([]byte, error) {
	if h.waiting.Add(1) > argonWaiting+argonSlots {
		h.waiting.Add(-1)
		return nil, &DelayError{After: time.Second}
	}
	defer h.waiting.Add(-1)
	h.slots <- struct{}{}
	defer func() { <-h.slots }()
	return argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.threads, 32), nil
}

func (h *hasher) hash(password string) (string, error) {
	p := h.cost
	p.salt = make([]byte, 16)
	_, _ = rand.Read(p.salt) // crypto/rand.Read never fails (Go 1.24)
	sum, err := h.derive(password, p)
	if err != nil {
		return "", err
	}
	p.sum = sum
	return p.String(), nil
}

func (h *hasher) verify(stored, password string) (bool, error) {
	p, err := parsePHC(stored)
	if err != nil {
		return false, err
	}
	if len(password) > maxPassword {
		password = ""
	}
	sum, err := h.derive(password, p)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(sum, p.sum) == 1, nil
}

// decoy is a hash that nothing fits, of the usual cost.
func (h *hasher) decoy() string {
	p := h.cost
	p.salt, p.sum = make([]byte, 16), make([]byte, 32)
	_, _ = rand.Read(p.sum)
	return p.String()
}

// phc is a password hash in the PHC string format.
type phc struct {
	time, memory uint32
	threads      uint8
	salt, sum    []byte
}

func (p phc) String() string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.threads, b64(p.salt), b64(p.sum))
}

func parsePHC(s string) (p phc, err error) {
	bad := fmt.Errorf("stored password: %w: not in a form this version knows: set the password again", ErrInvalid)
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, bad
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); err != nil || p.time == 0 || p.threads == 0 {
		return p, bad
	}
	if p.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return p, bad
	}
	if p.sum, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(p.sum) != 32 {
		return p, bad
	}
	return p, nil
}
