package apiclient

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
)

const fingerprintPrefix = "SHA256:"

// FingerprintOf gives the fingerprint of a certificate in DER form.
func FingerprintOf(der []byte) string {
	sum := sha256.Sum256(der)
	return fingerprintPrefix + base64.RawStdEncoding.EncodeToString(sum[:])
}

// ParseFingerprint gives a fingerprint as FingerprintOf writes it. Errors wrap ErrConfig.
func ParseFingerprint(text string) (string, error) {
	sum, ok := strings.CutPrefix(strings.TrimSpace(text), fingerprintPrefix)
	sum = strings.TrimRight(sum, "=")
	raw, err := base64.RawStdEncoding.DecodeString(sum)
	if !ok || err != nil || len(raw) != sha256.Size {
		return "", fmt.Errorf("fingerprint %.80q: %w: want SHA256: and 43 characters, as the hub prints at its start", text, ErrConfig)
	}
	return fingerprintPrefix + base64.RawStdEncoding.EncodeToString(raw), nil
}

// UntrustedError says that who answers is not shown to be the one that is meant. Nothing was sent to it. It is
// ErrUntrusted.
type UntrustedError struct {
	// Got is the fingerprint of the certificate that was shown.
	Got string
	// Want is the fingerprint that was given. "": none was, and Err says what is wrong with the certificate.
	Want string
	Err  error
}

// Error says what was shown, so that a person can compare.
func (e *UntrustedError) Error() string {
	if e.Want != "" {
		return fmt.Sprintf("%v: it shows the fingerprint %s, expected was %s: check the address; if the hub's certificate was changed, sign in again with the new fingerprint",
			ErrUntrusted, e.Got, e.Want)
	}
	return fmt.Sprintf("%v: %v: its fingerprint is %s: if that is what the hub printed at its start, give it with --fingerprint; or give --ca-file",
		ErrUntrusted, e.Err, e.Got)
}

// Unwrap gives ErrUntrusted, and what is wrong with the certificate.
func (e *UntrustedError) Unwrap() []error { return []error{ErrUntrusted, e.Err} }

// trustOf says who is taken for the one that is meant.
func trustOf(c Config) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	switch {
	case c.Fingerprint != "":
		want, err := ParseFingerprint(c.Fingerprint)
		if err != nil {
			return nil, err
		}
		t.InsecureSkipVerify = true // VerifyConnection decides, in each handshake
		t.VerifyConnection = func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return fmt.Errorf("%w: it shows none", ErrUntrusted)
			}
			if got := FingerprintOf(s.PeerCertificates[0].Raw); got != want {
				return &UntrustedError{Got: got, Want: want}
			}
			return nil
		}
	case c.CAFile != "":
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("file of authorities: %w: %w", ErrConfig, err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("file of authorities %q: %w: it has no certificate in PEM form", c.CAFile, ErrConfig)
		}
	}
	return t, nil
}

// untrusted finds in what failed that a certificate was not accepted. Nil: it was something else.
func untrusted(err error) error {
	var known *UntrustedError
	if errors.As(err, &known) {
		return known
	}
	if errors.Is(err, ErrUntrusted) {
		return unwrapURL(err)
	}
	var refused *tls.CertificateVerificationError
	if !errors.As(err, &refused) || len(refused.UnverifiedCertificates) == 0 {
		return nil
	}
	return &UntrustedError{Got: FingerprintOf(refused.UnverifiedCertificates[0].Raw), Err: refused.Err}
}
