package forward

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Headers of a webhook's requests.
const (
	headerTime      = "X-Farshore-Timestamp" // Unix seconds
	headerSignature = "X-Farshore-Signature" // sha256= and the HMAC-SHA256, in hexadecimal, of the time, a dot, and the body
)

// webhook posts entries as JSON lines, as the trail has them. An answer of 2xx says that they have arrived.
type webhook struct {
	to     Destination
	secret []byte
	client *http.Client
	sure   uint64
}

func newWebhook(to Destination, c *tls.Config, secret []byte) *webhook {
	return &webhook{to: to, secret: secret, client: &http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			DialContext: (&net.Dialer{Timeout: patience}).DialContext, TLSClientConfig: c, TLSHandshakeTimeout: patience,
			ForceAttemptHTTP2: true, MaxIdleConns: 1, MaxResponseHeaderBytes: 64 << 10,
		},
		// What is at another address was not chosen by an administrator.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (h *webhook) gone() <-chan struct{} { return nil }

func (h *webhook) send(ctx context.Context, lines []line) error {
	var body bytes.Buffer
	for _, l := range lines {
		body.Write(l.text)
		body.WriteByte('\n')
	}
	if err := h.post(ctx, body.Bytes()); err != nil {
		return err
	}
	h.sure = lines[len(lines)-1].seq
	return nil
}

func (h *webhook) test(ctx context.Context) error {
	body, err := json.Marshal(map[string]any{"test": true, "at": time.Now().UTC(), "detail": "a test of this destination, and no entry"})
	if err != nil {
		return err
	}
	return h.post(ctx, append(body, '\n'))
}

func (h *webhook) post(ctx context.Context, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.to.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	now := strconv.FormatInt(time.Now().Unix(), 10)
	r.Header.Set("Content-Type", "application/x-ndjson")
	r.Header.Set("User-Agent", "farshore-hub")
	r.Header.Set(headerTime, now)
	switch {
	case h.to.Header != "":
		r.Header.Set(h.to.Header, string(h.secret))
	case len(h.secret) > 0:
		mac := hmac.New(sha256.New, h.secret)
		_, _ = mac.Write([]byte(now + ".")) // never fails
		_, _ = mac.Write(body)
		r.Header.Set(headerSignature, "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	resp, err := h.client.Do(r)
	if err != nil {
		var about *url.Error
		if errors.As(err, &about) { // it repeats the address, which the destination has
			err = about.Err
		}
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	if resp.StatusCode/100 != 2 {
		if resp.StatusCode/100 == 3 {
			return fmt.Errorf("it answered %s: redirects are not followed: give the address that it leads to", resp.Status)
		}
		return fmt.Errorf("it answered %s", resp.Status)
	}
	return nil
}

func (h *webhook) arrived(time.Time) uint64 { return h.sure }

func (h *webhook) close(bool) bool {
	h.client.CloseIdleConnections()
	return false
}
