// Package certtest makes authorities and certificates for tests. It keeps no state.
package certtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"
)

// Authority signs certificates.
type Authority struct {
	// PEM of its own certificate.
	PEM  []byte
	cert *x509.Certificate
	key  crypto.Signer
	t    testing.TB
}

// Pair is a certificate with its key, in PEM.
type Pair struct {
	// Chain has the certificate first, then the authorities between it and the root.
	Chain, Key []byte
	Leaf       *x509.Certificate
}

// TLS returns the pair as crypto/tls uses it.
func (p Pair) TLS(t testing.TB) tls.Certificate {
	t.Helper()
	c, err := tls.X509KeyPair(p.Chain, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// New returns a root authority.
func New(t testing.TB, name string) *Authority {
	t.Helper()
	a := &Authority{t: t}
	a.make(name, a)
	return a
}

// Below returns an authority that a signed.
func (a *Authority) Below(name string) *Authority {
	a.t.Helper()
	b := &Authority{t: a.t}
	b.make(name, a)
	return b
}

func (a *Authority) make(name string, by *Authority) {
	a.t.Helper()
	a.key = newKey(a.t)
	a.cert = &x509.Certificate{
		SerialNumber: serial(a.t), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(5, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, by.cert, a.key.Public(), by.key)
	if err != nil {
		a.t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		a.t.Fatal(err)
	}
	a.PEM = block("CERTIFICATE", der)
}

// Server issues a certificate for names and addresses. Changes are made before it is signed.
func (a *Authority) Server(names []string, changes ...func(*x509.Certificate)) Pair {
	a.t.Helper()
	c := &x509.Certificate{Subject: pkix.Name{CommonName: names[0]}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, n)
		}
	}
	return a.issue(c, newKey(a.t), changes)
}

// Client issues a certificate for a client.
func (a *Authority) Client(name string, changes ...func(*x509.Certificate)) Pair {
	a.t.Helper()
	return a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, newKey(a.t), changes)
}

// ServerFor is Server with a key of the test's.
func (a *Authority) ServerFor(name string, key crypto.Signer) Pair {
	a.t.Helper()
	return a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}}, key, nil)
}

func (a *Authority) issue(c *x509.Certificate, key crypto.Signer, changes []func(*x509.Certificate)) Pair {
	a.t.Helper()
	c.SerialNumber, c.NotBefore, c.NotAfter = serial(a.t), time.Now().Add(-time.Hour), time.Now().AddDate(0, 3, 0)
	c.KeyUsage = x509.KeyUsageDigitalSignature
	for _, change := range changes {
		change(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	p := Pair{Chain: block("CERTIFICATE", der)}
	if p.Leaf, err = x509.ParseCertificate(der); err != nil {
		a.t.Fatal(err)
	}
	if a.cert.CheckSignatureFrom(a.cert) != nil { // not a root
		p.Chain = append(p.Chain, a.PEM...)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	p.Key = block("PRIVATE KEY", raw)
	return p
}

// Revoke returns a list of revoked certificates, PEM.
func (a *Authority) Revoke(revoked ...*x509.Certificate) []byte {
	a.t.Helper()
	list := &x509.RevocationList{Number: serial(a.t), ThisUpdate: time.Now(), NextUpdate: time.Now().AddDate(0, 1, 0)}
	for _, c := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: c.SerialNumber, RevocationTime: time.Now(),
		})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return block("X509 CRL", der)
}

// Pool trusts the authority alone.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func serial(t testing.TB) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
