package gitsource

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
)

// smartHTTP speaks with a repository over HTTP, as in gitprotocol-http(5), version 0.
type smartHTTP struct {
	at             string // without a slash at its end
	host           string
	user, password string
	client         *http.Client
}

const uploadPack = "git-upload-pack"

func (d *Desk) newHTTP(src *Source, at address, secrets *Secrets) (*smartHTTP, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if src.CA != "" {
		roots.AppendCertsFromPEM([]byte(src.CA))
	}
	h := &smartHTTP{at: at.url.String(), host: at.url.Host, password: secrets.Password, user: src.User}
	if h.password != "" && h.user == "" {
		h.user = "git" // servers that take tokens take any name with them, but not none
	}
	h.client = &http.Client{
		Transport: &http.Transport{
			DialContext: d.dialer().DialContext, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: 20 * time.Second, ResponseHeaderTimeout: 2 * time.Minute, MaxResponseHeaderBytes: 64 << 10,
			ForceAttemptHTTP2: true, MaxIdleConns: 1,
		},
		CheckRedirect: func(to *http.Request, via []*http.Request) error {
			from := via[0].URL
			if to.URL.Scheme != from.Scheme || !strings.EqualFold(to.URL.Host, from.Host) || to.URL.User != nil || len(via) > 5 {
				return faultf(codeRedirect, "%s sends on to %s://%s, which nobody has chosen, and the hub does not go there: give the address at which the repository is", from.Host, clean(to.URL.Scheme, 20), clean(to.URL.Host, 200))
			}
			return nil
		},
	}
	return h, nil
}

func (h *smartHTTP) Close() error {
	h.client.CloseIdleConnections()
	return nil
}

func (h *smartHTTP) refs(ctx context.Context) (*packp.AdvRefs, error) {
	body, err := h.do(ctx, http.MethodGet, "/info/refs?service="+uploadPack, nil)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return advertised(ctx, h.host, body)
}

func (h *smartHTTP) pack(ctx context.Context, ask []byte) (io.ReadCloser, error) {
	return h.do(ctx, http.MethodPost, "/"+uploadPack, ask)
}

func (h *smartHTTP) do(ctx context.Context, method, below string, body []byte) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, method, h.at+below, bytes.NewReader(body))
	if err != nil {
		return nil, reached(ctx, h.host, err)
	}
	r.Header.Set("User-Agent", "git/farshore-hub")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-"+uploadPack+"-request")
		r.Header.Set("Accept", "application/x-"+uploadPack+"-result")
	}
	if h.password != "" {
		r.SetBasicAuth(h.user, h.password)
	}
	resp, err := h.client.Do(r)
	if err != nil {
		return nil, h.failed(ctx, err)
	}
	if err := h.answer(resp, method); err != nil {
		return nil, errors.Join(err, resp.Body.Close())
	}
	return resp.Body, nil
}

func (h *smartHTTP) failed(ctx context.Context, err error) error {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	switch {
	case errors.As(err, &unknown):
		return faultf(codeCertificate, "the certificate of %s is not of an authority that the hub knows: give the authority's certificate (CA) with the source", h.host)
	case errors.As(err, &name):
		return faultf(codeCertificate, "the certificate of %s is for another name: use the name that it is for", h.host)
	case errors.As(err, &invalid), errors.As(err, &verify):
		return faultf(codeCertificate, "the certificate of %s does not hold (%s): have it renewed there", h.host, clean(errors.Unwrap(errors.Unwrap(err)).Error(), 200))
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return faultf(codeServer, "%s does not speak HTTPS at that port: see whether the address is right", h.host)
	}
	return reached(ctx, h.host, err)
}

// answer judges what the server says before any of it is read.
func (h *smartHTTP) answer(resp *http.Response, method string) error {
	want := "application/x-" + uploadPack + "-result"
	if method == http.MethodGet {
		want = "application/x-" + uploadPack + "-advertisement"
	}
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized && h.password == "":
		return faultf(codeSignIn, "%s wants somebody to sign in: give a user and a token, or see whether the address is right; some servers say this of repositories that are not there", h.host)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return faultf(codeSignIn, "%s does not let the hub in with what it was given (%d): see whether the token still holds, and whether it may read the repository", h.host, code)
	case code == http.StatusNotFound, code == http.StatusGone:
		return faultf(codeRepository, "%s has no such repository, or none that it shows to the hub (%d): see whether the address is right, and whether the hub has to sign in", h.host, code)
	case code != http.StatusOK:
		return faultf(codeServer, "%s answers %d: try later, or ask who runs it", h.host, code)
	case resp.Header.Get("Content-Type") != want:
		return faultf(codeServer, "what is at this address of %s is no Git repository: give the address by which it is cloned", h.host)
	}
	return nil
}
