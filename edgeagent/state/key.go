package state

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/farshore/farshore/internal/durable"
	"github.com/farshore/farshore/protocol"
)

// KeyName is the device key's file in the data folder: PKCS#8 in PEM, mode 0600. It is apart from the database, so
// that a device can keep its identity when the database is lost.
const KeyName = "device.key"

const keyType = "PRIVATE KEY"

// loadKey reads the device key. A fresh folder gets one; a folder that belongs to device must have that device's.
func loadKey(dir, device string) (ed25519.PrivateKey, error) {
	path := filepath.Join(dir, KeyName)
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && device == "":
		return makeKey(path)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("device key %q is missing and the folder is that of device %s: restore the key, or empty the folder to join as a new device", path, device)
	case err != nil:
		return nil, fmt.Errorf("read device key: %w", err)
	}
	key, err := parseKey(raw)
	if err != nil {
		return nil, fmt.Errorf("device key %q %w: restore it, or empty the folder to join as a new device: %w", path, ErrDamaged, err)
	}
	if id := protocol.DeviceIDFor(key.Public().(ed25519.PublicKey)); device != "" && string(id) != device {
		return nil, fmt.Errorf("device key %q is that of device %s, but the folder is that of device %s: put the right key back, or empty the folder to join as a new device", path, id, device)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, fmt.Errorf("keep others from reading the device key: %w", err)
	}
	return key, nil
}

func makeKey(path string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make device key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make device key: %w", err)
	}
	if err := durable.Replace(path, pem.EncodeToMemory(&pem.Block{Type: keyType, Bytes: der})); err != nil {
		return nil, fmt.Errorf("write device key: %w", diskError(err))
	}
	return key, nil
}

func parseKey(raw []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != keyType {
		return nil, errors.New("want a PEM block of type " + keyType)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("want a PKCS#8 key")
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("want an Ed25519 key")
	}
	return key, nil
}
