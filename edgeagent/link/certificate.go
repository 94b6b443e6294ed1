package link

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
)

// ErrCertificate: the hub wants a certificate of the operator's authority, beside the device key. It comes with
// ErrUnreachable: what is wrong may be put right on either side.
var ErrCertificate = errors.New("the hub wants another client certificate")

// clientCertificate gives the hub what it asks for, read afresh for each connection, so that it can be renewed.
func (d *Dialer) clientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	if d.cfg.CertFile == "" {
		return new(tls.Certificate), nil // none; the hub says whether it insists
	}
	pair, err := tls.LoadX509KeyPair(d.cfg.CertFile, d.cfg.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("%w, and %q with %q (--client-cert, --client-key) cannot be used: put a matching PEM pair there: %w", ErrCertificate, d.cfg.CertFile, d.cfg.KeyFile, err)
	}
	return &pair, nil
}

// Read implements net.Conn. In TLS 1.3 a server refuses a certificate after the handshake, so it is said here.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	var remote *net.OpError
	if err != nil && errors.As(err, &remote) && remote.Op == "remote error" && strings.Contains(err.Error(), "certificate") {
		if c.certFile == "" {
			return n, fmt.Errorf("%w: it lets in only devices with a certificate of the operator's authority: give this one a certificate with --client-cert and --client-key: %w", ErrCertificate, err)
		}
		return n, fmt.Errorf("%w than %q: look at its dates, whether it was revoked, and whether the hub's --device-ca signed it: %w", ErrCertificate, c.certFile, err)
	}
	return n, err
}
