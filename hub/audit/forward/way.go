package forward

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"net/url"
	"regexp"
	"strings"

	"github.com/farshore/farshore/hub/audit"
)

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// check refuses what cannot be a destination. Errors wrap ErrInvalid.
func check(d *Destination) error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
	}
	if !nameForm.MatchString(d.Name) {
		return wrong("destination %.70q: give it a name of small letters, digits, . _ and -", d.Name)
	}
	u, err := url.Parse(d.URL)
	if err != nil || len(d.URL) > 2000 || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return wrong("the address of a destination is tls://HOST:PORT or tcp://HOST:PORT for syslog, or https://HOST/PATH for a webhook")
	}
	syslog := u.Scheme == "tls" || u.Scheme == "tcp"
	switch {
	case !syslog && u.Scheme != "https":
		return wrong("address %.100q: want tls:// or tcp:// for syslog, or https:// for a webhook", d.URL)
	case syslog && (u.Port() == "" || u.Path != "" || u.RawQuery != ""):
		return wrong("address %.100q: want HOST:PORT behind %s://", d.URL, u.Scheme)
	case u.Scheme == "tcp" && (d.CA != "" || d.Pin != "" || d.ServerName != ""):
		return wrong("by tcp:// nothing is encrypted, and no certificate shown: use tls://")
	case syslog && (d.Header != "" || len(d.Sealed) > 0):
		return wrong("a header and a secret are for webhooks")
	case d.Header != "" && len(d.Sealed) == 0:
		return wrong("give the secret that is sent in the header %s", d.Header)
	case d.Header != "" && !regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`).MatchString(d.Header):
		return wrong("header %.70q: want letters, digits and -", d.Header)
	case d.CA != "" && d.Pin != "":
		return wrong("give an authority or a pinned certificate, not both")
	}
	switch textproto.CanonicalMIMEHeaderKey(d.Header) {
	case "Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection":
		return wrong("header %s is not for secrets", d.Header)
	}
	_, err = tlsConfig(d)
	return err
}

// tlsConfig is how the receiver is trusted.
func tlsConfig(d *Destination) (*tls.Config, error) {
	u, err := url.Parse(d.URL)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}
	if d.ServerName != "" {
		c.ServerName = d.ServerName
	}
	if d.CA != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(d.CA)) {
			return nil, fmt.Errorf("%w: the authority has no certificate in PEM", ErrInvalid)
		}
	}
	if d.Pin == "" {
		return c, nil
	}
	want, err := base64.RawStdEncoding.DecodeString(strings.TrimPrefix(d.Pin, "SHA256:"))
	if err != nil || len(want) != sha256.Size || !strings.HasPrefix(d.Pin, "SHA256:") {
		return nil, fmt.Errorf("%w: a pinned certificate is SHA256: and 43 characters", ErrInvalid)
	}
	c.InsecureSkipVerify = true // the pin says more than a chain does
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if got := sha256.Sum256(s.PeerCertificates[0].Raw); string(got[:]) != string(want) {
			return fmt.Errorf("the receiver shows the certificate SHA256:%s, which is not the pinned one", base64.RawStdEncoding.EncodeToString(got[:]))
		}
		return nil
	}
	return c, nil
}

// open makes a way to the receiver.
func (w *worker) open(ctx context.Context) (sender, error) {
	u, err := url.Parse(w.to.URL)
	if err != nil {
		return nil, err
	}
	c, err := tlsConfig(&w.to)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "https" {
		var secret []byte
		if len(w.to.Sealed) > 0 {
			if secret, err = w.d.Vault.Open(purpose, w.to.Sealed); err != nil {
				return nil, fmt.Errorf("give the destination its secret again: %w", err)
			}
		}
		return newWebhook(w.to, c, secret), nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "tcp" {
		return newSyslog(conn), nil
	}
	secure := tls.Client(conn, c)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("TLS with %s: %w", u.Host, err), conn.Close())
	}
	return newSyslog(secure), nil
}

// lines reads the numbers of entries.
func (w *worker) lines(texts [][]byte) ([]line, error) {
	out := make([]line, 0, len(texts))
	for _, text := range texts {
		l, err := audit.ParseLine(text)
		if err != nil {
			return nil, fmt.Errorf("read the audit trail: %w", err)
		}
		out = append(out, line{seq: l.Seq, text: text})
	}
	return out, nil
}
