// Package vault seals the hub's secrets at rest: enrolment secrets, variables, credentials. Its key lies in a file
// of its own beside the database, so that a copy of the database alone gives nothing away.
//
// It never stores anything but its key, and never logs. A Vault is immutable after Open and safe for concurrent use.
package vault

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/farshore/farshore/internal/durable"
)

// FileName is the key file's name in the data folder.
const FileName = "secrets.key"

// Errors that callers tell apart.
var (
	// ErrOtherKey says that something was sealed with another key file.
	ErrOtherKey = errors.New("sealed with another secrets.key")
	// ErrAltered says that what was sealed was altered since, or was sealed for another purpose.
	ErrAltered = errors.New("sealed secret was altered or is of another purpose")
	// ErrBadKeyFile says that the key file cannot be used as it is.
	ErrBadKeyFile = errors.New("secrets key file cannot be used")
)

// What a sealed secret begins with: one byte of format, then the key's mark, then the nonce.
const (
	formatV1 = 1
	markLen  = 4
	headLen  = 1 + markLen + chacha20poly1305.NonceSizeX
)

// Vault seals and opens with one key.
type Vault struct {
	aead cipher.AEAD // XChaCha20-Poly1305: its 24-byte nonces may be drawn at random for ever
	key  []byte
	mark [markLen]byte
}

// Open reads the key file in the data folder dir, and makes it (32 random bytes, 0600) where there is none. A file
// that is damaged or readable by others fails with ErrBadKeyFile.
func Open(dir string) (*Vault, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder %q: %w", dir, err)
	}
	path := filepath.Join(dir, FileName)
	key, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(dir, path); err != nil {
			return nil, fmt.Errorf("make secrets key %q: %w", path, err)
		}
		key, err = read(path)
	}
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("use secrets key %q: %w", path, err)
	}
	v := &Vault{aead: aead, key: key}
	sum := sha256.Sum256(append([]byte("farshore vault key mark\x00"), key...))
	copy(v.mark[:], sum[:])
	return v, nil
}

// Seal encrypts plain for purpose, a constant word such as "enrolment": only Open with the same purpose gives it
// back. The result is 45 bytes longer than plain and differs each time.
func (v *Vault) Seal(purpose string, plain []byte) []byte {
	out := make([]byte, headLen, headLen+len(plain)+chacha20poly1305.Overhead)
	out[0] = formatV1
	copy(out[1:], v.mark[:])
	nonce := out[1+markLen : headLen]
	_, _ = rand.Read(nonce) // crypto/rand.Read never fails (Go 1.24)
	return v.aead.Seal(out, nonce, plain, []byte(purpose))
}

// Open gives back what Seal was handed. Errors wrap ErrOtherKey or ErrAltered.
func (v *Vault) Open(purpose string, sealed []byte) ([]byte, error) {
	if len(sealed) < headLen+chacha20poly1305.Overhead || sealed[0] != formatV1 {
		return nil, fmt.Errorf("open %s: %w", purpose, ErrAltered)
	}
	if !bytes.Equal(sealed[1:1+markLen], v.mark[:]) {
		return nil, fmt.Errorf("open %s: %w: put the %s that belongs to this database back into the data folder, or set the secret again",
			purpose, ErrOtherKey, FileName)
	}
	plain, err := v.aead.Open(nil, sealed[1+markLen:headLen], sealed[headLen:], []byte(purpose))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", purpose, ErrAltered)
	}
	return plain, nil
}

// Derive gives 32 secret bytes for purpose, a constant word: the same for as long as the key file is.
func (v *Vault) Derive(purpose string) ([]byte, error) {
	b, err := hkdf.Key(sha256.New, v.key, nil, "farshore vault derived key\x00"+purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("derive a key for %s: %w", purpose, err)
	}
	return b, nil
}

func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read secrets key %q: %w", path, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: %q can be read by others: chmod 600 it, and consider its secrets known", ErrBadKeyFile, path)
	}
	key, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read secrets key %q: %w", path, err)
	}
	if len(key) != chacha20poly1305.KeySize {
		return nil, fmt.Errorf("%w: %q has %d bytes, want %d: restore it from a backup, or remove it to begin with a new key (stored secrets must then be set again)",
			ErrBadKeyFile, path, len(key), chacha20poly1305.KeySize)
	}
	return key, nil
}

// create makes the key file whole or not at all; where another process was faster, its file stays.
func create(dir, path string) error {
	tmp, err := os.CreateTemp(dir, FileName+".*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	key := make([]byte, chacha20poly1305.KeySize)
	_, _ = rand.Read(key) // crypto/rand.Read never fails (Go 1.24)
	_, err = tmp.Write(key)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return durable.Sync(dir)
}
