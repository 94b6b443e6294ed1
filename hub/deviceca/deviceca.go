// Package deviceca asks devices for a certificate of the operator's own authority, beside their device key. It owns the
// judgement about such certificates: by which authorities, until when, and whether revoked.
//
// It never says who a device is: that is its key. The files are the operator's, and are read again when they change.
//
// An Authority is safe for concurrent use; Run looks at the files until its context ends.
package deviceca

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

// lookEvery is how often the files are looked at.
const lookEvery = 30 * time.Second

// ErrRefused wraps why a certificate is not accepted.
var ErrRefused = errors.New("client certificate refused")

// Config of an Authority.
type Config struct {
	// CAFile has the certificates of the authorities, PEM.
	CAFile string
	// CRLFile has their lists of revoked certificates, PEM or one in DER. "": none is asked.
	CRLFile string
	// Changed is told when the files have changed, so that connections are looked at again. Nil: nobody.
	Changed func()
	Log     *slog.Logger
}

// Authority judges certificates.
type Authority struct {
	c Config

	reading sync.Mutex
	print   [sha256.Size]byte // of the files in use; guarded by reading

	mu    sync.RWMutex
	rules rules
}

type rules struct {
	pool *x509.CertPool
	// revoked serial numbers by the authority's subject.
	revoked map[string]map[string]bool
}

// Open reads the files.
func Open(c Config) (*Authority, error) {
	if c.Changed == nil {
		c.Changed = func() {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	a := &Authority{c: c}
	return a, a.Reload()
}

// Reload reads the files if they have changed. With files that cannot be used, what was read before goes on to hold.
func (a *Authority) Reload() error {
	a.reading.Lock()
	defer a.reading.Unlock()
	ca, err := os.ReadFile(a.c.CAFile)
	if err != nil {
		return fmt.Errorf("read the authority of devices (--device-ca): %w", err)
	}
	var crl []byte
	if a.c.CRLFile != "" {
		if crl, err = os.ReadFile(a.c.CRLFile); err != nil {
			return fmt.Errorf("read the list of revoked certificates (--device-crl): %w", err)
		}
	}
	print := sha256.Sum256(append(append(ca[:len(ca):len(ca)], 0), crl...))
	if print == a.print {
		return nil
	}
	cas, err := certificates(ca)
	if err != nil {
		return fmt.Errorf("authority of devices %q: %w", a.c.CAFile, err)
	}
	r := rules{pool: x509.NewCertPool(), revoked: map[string]map[string]bool{}}
	for _, c := range cas {
		r.pool.AddCert(c)
	}
	if err := r.revoke(crl, cas); err != nil {
		return fmt.Errorf("list of revoked certificates %q: %w", a.c.CRLFile, err)
	}
	a.mu.Lock()
	a.rules = r
	a.mu.Unlock()
	a.print = print
	a.c.Log.Info("certificates of devices: files read", "authorities", len(cas), "revoked", r.count())
	a.c.Changed()
	return nil
}

func certificates(text []byte) (out []*x509.Certificate, err error) {
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("block %d (%.40s) is not a certificate: %w", len(out)+1, block.Type, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("there is no certificate in it: want PEM")
	}
	return out, nil
}

// revoke reads lists of revoked certificates, each of which one of the authorities must have signed.
func (r *rules) revoke(text []byte, cas []*x509.Certificate) error {
	var lists [][]byte
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		lists = append(lists, block.Bytes)
	}
	if len(lists) == 0 && len(bytes.TrimSpace(text)) > 0 {
		lists = [][]byte{text}
	}
	for i, der := range lists {
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			return fmt.Errorf("list %d cannot be read: want a CRL as PEM or DER: %w", i+1, err)
		}
		signed := false
		for _, ca := range cas {
			if bytes.Equal(ca.RawSubject, list.RawIssuer) && list.CheckSignatureFrom(ca) == nil {
				signed = true
			}
		}
		if !signed {
			return fmt.Errorf("list %d is of %.120q, whose certificate with the right to sign lists is not in --device-ca", i+1, list.Issuer)
		}
		serials := r.revoked[string(list.RawIssuer)]
		if serials == nil {
			serials = map[string]bool{}
			r.revoked[string(list.RawIssuer)] = serials
		}
		for _, e := range list.RevokedCertificateEntries {
			serials[e.SerialNumber.String()] = true
		}
	}
	return nil
}

func (r *rules) count() (n int) {
	for _, serials := range r.revoked {
		n += len(serials)
	}
	return n
}

func (a *Authority) now() rules {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.rules
}

// Agents is base with the demand for a certificate; see identity.Extras.
func (a *Authority) Agents(base *tls.Config) *tls.Config {
	c := base.Clone()
	c.ClientAuth = tls.RequireAndVerifyClientCert
	c.ClientCAs = a.now().pool
	c.VerifyConnection = func(s tls.ConnectionState) error { return a.Check(&s) }
	return c
}

// Check judges the certificate of a connection, also of one that is open. Errors wrap ErrRefused.
func (a *Authority) Check(s *tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return fmt.Errorf("%w: there is none", ErrRefused)
	}
	r, leaf := a.now(), s.PeerCertificates[0]
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: r.pool, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return fmt.Errorf("%w: %.120q: %w", ErrRefused, leaf.Subject, err)
	}
	for _, chain := range chains {
		if !r.anyRevoked(chain) {
			return nil
		}
	}
	return fmt.Errorf("%w: %.120q, serial number %s, was revoked", ErrRefused, leaf.Subject, leaf.SerialNumber)
}

// Refusal reports whether a server's handshake failed for the client's certificate.
func (a *Authority) Refusal(err error) bool {
	var unverified *tls.CertificateVerificationError
	return errors.Is(err, ErrRefused) || errors.As(err, &unverified) ||
		strings.Contains(err.Error(), "client didn't provide a certificate") // crypto/tls has no name for it
}

func (r *rules) anyRevoked(chain []*x509.Certificate) bool {
	for _, c := range chain {
		if r.revoked[string(c.RawIssuer)][c.SerialNumber.String()] {
			return true
		}
	}
	return false
}

// Run looks at the files until ctx ends.
func (a *Authority) Run(ctx context.Context) error {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if err := a.Reload(); err != nil && err.Error() != said {
			a.c.Log.Error("files about devices' certificates have changed and cannot be used: the former hold", "error", err)
			said = err.Error()
		}
	}
}
