// Package identity owns who the hub is: the hub key, by which devices know it and which signs every order; the edge
// certificate that this key vouches for on agents' connections; and the web certificate that browsers and the
// operator's CLI see.
//
// It never listens, never signs orders itself, and knows no device. The hub key and the web certificate live in files
// of the data folder, readable by their owner alone; the edge certificate is made afresh at each start and never
// written.
//
// An Identity does not change after Open and is safe for concurrent use.
package identity

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/farshore/farshore/internal/durable"
	"github.com/farshore/farshore/protocol"
)

// Names of the files in the data folder.
const (
	// HubKeyFile is the hub key: an Ed25519 private key, PKCS #8 in PEM. Whoever has it can give orders to every
	// device; whoever loses it has to let every device in again.
	HubKeyFile = "hub.key"
	// WebCertFile and WebKeyFile are certificate (chain) and key for browsers and CLI, in PEM. They are made when
	// neither is there; an operator may put his own in their place.
	WebCertFile = "web.crt"
	WebKeyFile  = "web.key"
)

// Identity is an opened hub identity.
type Identity struct {
	key  ed25519.PrivateKey
	edge tls.Certificate
	web  tls.Certificate
}

// Open reads the hub's identity from the data folder dir and makes what is not there yet. Errors name the file and
// the remedy.
func Open(dir string) (*Identity, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder %q: %w", dir, err)
	}
	key, err := openHubKey(filepath.Join(dir, HubKeyFile))
	if err != nil {
		return nil, err
	}
	edge, err := edgeCertificate(key)
	if err != nil {
		return nil, err
	}
	web, err := openWeb(filepath.Join(dir, WebCertFile), filepath.Join(dir, WebKeyFile))
	if err != nil {
		return nil, err
	}
	return &Identity{key: key, edge: edge, web: web}, nil
}

// Read is Open of what is there: where a file is missing it fails with fs.ErrNotExist and makes none.
func Read(dir string) (*Identity, error) {
	for _, name := range []string{HubKeyFile, WebCertFile, WebKeyFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return Open(dir)
}

// Key is the hub's private key. It signs orders; it must not be logged or sent.
func (i *Identity) Key() ed25519.PrivateKey { return i.key }

// Public is the hub's public key, as it is written into edge keys.
func (i *Identity) Public() ed25519.PublicKey { return i.key.Public().(ed25519.PublicKey) }

// Fingerprint is what `farshore login --fingerprint` compares: "SHA256:" and unpadded base64 of the SHA-256 of the
// web certificate (DER, the leaf).
func (i *Identity) Fingerprint() string { return FingerprintOf(i.web.Certificate[0]) }

// FingerprintOf gives the fingerprint of any certificate in DER form.
func FingerprintOf(der []byte) string {
	sum := sha256.Sum256(der)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// Extras of TLS that are not the hub's identity. The zero value adds nothing.
type Extras struct {
	// Web gives the certificate that browsers and the CLI see. Nil: the one that the hub made.
	Web func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Agents gives, for each connection, what is used in place of the configuration for agents, which it must not
	// change. Nil: that itself.
	Agents func(*tls.Config) *tls.Config
}

// Web is the certificate for browsers and the CLI that is in the data folder.
func (i *Identity) Web() *tls.Certificate { return &i.web }

// TLSConfig is for the public port: a client that offers protocol.ALPN gets the edge certificate and TLS 1.3 only,
// any other the web certificate with HTTP/2 and HTTP/1.1.
func (i *Identity) TLSConfig(x Extras) *tls.Config {
	agents := i.agents(protocol.ALPN)
	web := &tls.Config{
		Certificates: []tls.Certificate{i.web},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
	}
	if x.Web != nil {
		web.Certificates, web.GetCertificate = nil, x.Web
	}
	chosen := web.Clone()
	chosen.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(hello.SupportedProtos, protocol.ALPN) {
			return x.forAgents(agents), nil
		}
		return web, nil
	}
	return chosen
}

// MQTTTLSConfig is for the MQTT port, which only agents use: the edge certificate, TLS 1.3 only.
func (i *Identity) MQTTTLSConfig(x Extras) *tls.Config {
	agents := i.agents()
	chosen := agents.Clone()
	chosen.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return x.forAgents(agents), nil }
	return chosen
}

func (x Extras) forAgents(c *tls.Config) *tls.Config {
	if x.Agents == nil {
		return c
	}
	return x.Agents(c)
}

// agents is what agents see. Session tickets are off: they cost more bytes and memory than resumption saves.
func (i *Identity) agents(protocols ...string) *tls.Config {
	return &tls.Config{
		Certificates:           []tls.Certificate{i.edge},
		MinVersion:             tls.VersionTLS13,
		NextProtos:             protocols,
		SessionTicketsDisabled: true,
	}
}

func openHubKey(path string) (ed25519.PrivateKey, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newHubKey(path)
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("hub key %q can be read by others, and whoever has it can give orders to every device: chmod 600 it, and consider whether somebody did", path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read hub key %q: %w", path, err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("hub key %q is damaged (no PEM block): restore it from a backup; a new key would lock out every device", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("hub key %q is damaged: restore it from a backup; a new key would lock out every device: %w", path, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("hub key %q is a %T, want an Ed25519 key: restore the file that the hub made", path, parsed)
	}
	return key, nil
}

func newHubKey(path string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make hub key: %w", err)
	}
	if err := writePEM(path, "PRIVATE KEY", func() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(key) }); err != nil {
		return nil, err
	}
	return key, nil
}

// writePEM writes one PEM block, durable and complete or not at all, readable by the owner alone.
func writePEM(path, kind string, der func() ([]byte, error)) error {
	b, err := der()
	if err != nil {
		return fmt.Errorf("encode %q: %w", path, err)
	}
	if err := durable.Replace(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b})); err != nil {
		return fmt.Errorf("write %q: make room or give another --data: %w", path, err)
	}
	return nil
}
