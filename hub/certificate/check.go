package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrInvalid wraps what is wrong with a certificate or its key.
var ErrInvalid = errors.New("cannot be used")

// maxPEM is the most bytes of a chain or a key.
const maxPEM = 64 << 10

func invalid(format string, args ...any) error {
	return fmt.Errorf("certificate %w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// parse makes a pair of a chain, the hub's own certificate first, and its key, both PEM. Nothing of the key is ever
// part of the error. A pair that is outside its dates parses.
func parse(chain, key []byte) (*tls.Certificate, error) {
	if len(chain) > maxPEM || len(key) > maxPEM {
		return nil, invalid("it has more than %d kB: give the chain alone, without other authorities", maxPEM>>10)
	}
	certs, err := parseChain(chain)
	if err != nil {
		return nil, err
	}
	if err := checkKeyForm(key); err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		if strings.Contains(err.Error(), "does not match") {
			return nil, invalid("the key is not that of the first certificate (%s): give the key with which it was requested, and the hub's own certificate first", subject(certs[0]))
		}
		return nil, invalid("the key is damaged or of a kind that is not known: want RSA or ECDSA, PEM, not encrypted")
	}
	if err := checkUse(certs[0]); err != nil {
		return nil, err
	}
	pair.Leaf = certs[0]
	return &pair, checkOrder(certs)
}

func parseChain(chain []byte) (certs []*x509.Certificate, err error) {
	for rest := chain; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, invalid("certificate %d of the chain is damaged: copy it again, whole", len(certs)+1)
		}
		certs = append(certs, c)
	}
	switch {
	case len(certs) == 0:
		return nil, invalid("there is none in it: want PEM that begins with -----BEGIN CERTIFICATE-----")
	case len(certs) > 10:
		return nil, invalid("the chain has %d certificates, at most 10: give the hub's own and those between it and the root", len(certs))
	}
	return certs, nil
}

func checkKeyForm(key []byte) error {
	block, _ := pem.Decode(key)
	switch {
	case block == nil:
		return invalid("there is no key: want PEM that begins with -----BEGIN PRIVATE KEY-----")
	case strings.Contains(block.Type, "ENCRYPTED"), block.Headers["DEK-Info"] != "":
		return invalid("the key is encrypted: decrypt it first, such as with openssl pkey; the hub keeps it sealed")
	}
	return nil
}

// checkUse holds the hub's own certificate to what browsers ask for.
func checkUse(leaf *x509.Certificate) error {
	switch k := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return invalid("its RSA key has %d bits, which browsers refuse: want 2048 or more", k.N.BitLen())
		}
	case *ecdsa.PublicKey:
	default:
		return invalid("its key is a %T, which browsers refuse: want RSA or ECDSA", k)
	}
	if len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 {
		return invalid("it is for no name (%s): browsers want names or addresses as subject alternative names", subject(leaf))
	}
	for _, use := range leaf.ExtKeyUsage {
		if use == x509.ExtKeyUsageServerAuth || use == x509.ExtKeyUsageAny {
			return nil
		}
	}
	if len(leaf.ExtKeyUsage) > 0 {
		return invalid("it is not for servers (%s): have one made with the extended key usage serverAuth", subject(leaf))
	}
	return nil
}

// checkOrder makes sure that each certificate is signed by the next.
func checkOrder(certs []*x509.Certificate) error {
	for i, c := range certs[:len(certs)-1] {
		if next := certs[i+1]; !bytes.Equal(c.RawIssuer, next.RawSubject) || c.CheckSignatureFrom(next) != nil {
			return invalid("certificate %d (%s) is not signed by the next one (%s): put each before the one that signed it, the hub's own first",
				i+1, subject(c), subject(next))
		}
	}
	return nil
}

// checkDates is asked of what is to be used from now on.
func checkDates(leaf *x509.Certificate, now time.Time) error {
	switch {
	case now.After(leaf.NotAfter):
		return invalid("it (%s) ended on %s: have it renewed", subject(leaf), leaf.NotAfter.UTC().Format(time.DateOnly))
	case now.Before(leaf.NotBefore):
		return invalid("it (%s) is only good from %s: wait, or look at the hub's clock", subject(leaf), leaf.NotBefore.UTC().Format(time.DateTime))
	}
	return nil
}

func subject(c *x509.Certificate) string {
	if s := c.Subject.String(); s != "" {
		return fmt.Sprintf("%.200q", s)
	}
	return fmt.Sprintf("%.200q", strings.Join(names(c), ", "))
}

// names are what the certificate is good for: host names and addresses.
func names(c *x509.Certificate) []string {
	out := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		out = append(out, ip.String())
	}
	return out
}
