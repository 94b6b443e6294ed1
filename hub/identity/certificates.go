package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"time"
)

// edgeCertificate makes the certificate of agents' connections: a fresh Ed25519 key, vouched for by the hub key. It
// travels in every handshake, so it holds nothing but that; agents know the hub key and judge the signature alone,
// no names and no dates.
func edgeCertificate(hub ed25519.PrivateKey) (tls.Certificate, error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make edge certificate: %w", err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC),
	}
	issuer := &x509.Certificate{PublicKey: hub.Public()}
	der, err := x509.CreateCertificate(rand.Reader, leaf, issuer, pub, hub)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make edge certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func openWeb(certFile, keyFile string) (tls.Certificate, error) {
	haveCert, haveKey := exists(certFile), exists(keyFile)
	if haveCert && !haveKey {
		return tls.Certificate{}, fmt.Errorf("web key %q is missing while its certificate %q is there: put it back, or remove the certificate to have a new pair made", keyFile, certFile)
	}
	// The key is written before the certificate, so a key alone is left over from a stop in between.
	if !haveKey {
		if err := makeWebKey(keyFile); err != nil {
			return tls.Certificate{}, err
		}
	}
	if !haveCert {
		if err := makeWebCertificate(certFile, keyFile); err != nil {
			return tls.Certificate{}, err
		}
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("web certificate %q with key %q cannot be used: put a matching PEM pair there, or remove both to have a new one made: %w",
			certFile, keyFile, err)
	}
	return pair, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func makeWebKey(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make web key: %w", err)
	}
	return writePEM(path, "PRIVATE KEY", func() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(key) })
}

// makeWebCertificate signs a certificate for the key in keyFile with that key itself.
func makeWebCertificate(certFile, keyFile string) error {
	raw, err := os.ReadFile(keyFile)
	if err != nil {
		return fmt.Errorf("read web key %q: %w", keyFile, err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return fmt.Errorf("web key %q is damaged (no PEM block): remove it to have a new pair made", keyFile)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("web key %q has no certificate %q beside it and is not one the hub made: put the certificate there, or remove the key: %w",
			keyFile, certFile, err)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return fmt.Errorf("web key %q is a %T, which cannot sign: put an ECDSA, RSA or Ed25519 key there", keyFile, parsed)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return fmt.Errorf("make web certificate: %w", err)
	}
	names := []string{"localhost"}
	if host, err := os.Hostname(); err == nil && host != "" && host != "localhost" {
		names = append(names, host)
	}
	now := time.Now()
	leaf := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "Farshore hub"},
		NotBefore:             now.Add(-24 * time.Hour),
		NotAfter:              now.AddDate(20, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              names,
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	return writePEM(certFile, "CERTIFICATE", func() ([]byte, error) {
		return x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
	})
}
