// Package apiclient speaks to an HTTP API that answers with JSON, with problems as in RFC 9457 and with server-sent
// events, over TLS that is trusted by a fingerprint or by certificate authorities.
//
// It knows no resource: callers give paths and the types to read into. It never writes a secret into an error, and
// never repeats a request by itself but to follow a stream. A Client is safe for concurrent use.
package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Errors that callers tell apart.
var (
	// ErrUnreachable: nobody answers at the address, or not as this API does.
	ErrUnreachable = errors.New("the hub cannot be reached")
	// ErrUntrusted: who answers is not known to be the one that is meant.
	ErrUntrusted = errors.New("the hub's certificate is not trusted")
	// ErrConfig: address, fingerprint or file of authorities cannot be used.
	ErrConfig = errors.New("cannot be used")
)

// DefaultTimeout bounds a request with its answer, streams apart.
const DefaultTimeout = 5 * time.Minute

// maxAnswer is the most bytes of an answer.
const maxAnswer = 256 << 20

// Config of a Client. URL is required.
type Config struct {
	// URL is the address, such as https://hub.example:9443; it may end in a path. Without a scheme it is https.
	URL string
	// Base is the API's path below URL, such as /api/v1.
	Base string
	// Token is sent as a bearer token. "": none.
	Token string
	// Fingerprint of the server's certificate: "SHA256:" and base64 of the SHA-256 of its DER form. With it nothing
	// else about the certificate counts. "": authorities decide.
	Fingerprint string
	// CAFile has authorities in PEM form. "": those of the system.
	CAFile string
	// Agent is sent as User-Agent. "": Go's own.
	Agent string
	// Timeout of a request. 0: DefaultTimeout.
	Timeout time.Duration
}

// Client speaks to one API.
type Client struct {
	c    Config
	base *url.URL
	http *http.Client
}

// New checks the configuration. It connects to nobody. Errors wrap ErrConfig.
func New(c Config) (*Client, error) {
	base, err := ParseURL(c.URL)
	if err != nil {
		return nil, err
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	trust, err := trustOf(c)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: trust, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 30 * time.Second, IdleConnTimeout: time.Minute,
	}
	return &Client{c: c, base: base, http: &http.Client{
		Transport: transport,
		// A redirect could lead the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// ParseURL reads an address as people give it. Errors wrap ErrConfig.
func ParseURL(text string) (*url.URL, error) {
	if text != "" && !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("address %.200q: %w: want https://HOST:PORT", text, ErrConfig)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

// Problem is what the API answers when it did not work.
type Problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	// Code is a stable word.
	Code string `json:"code"`
}

// Error implements error.
func (p *Problem) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return fmt.Sprintf("the hub answered %d %s", p.Status, p.Title)
}

// Request is one request. Method and Path are required.
type Request struct {
	Method string
	// Path below Base, escaped where needed.
	Path  string
	Query url.Values
	// Body is sent as JSON, or as it is where it is an io.Reader: then the request may take as long as it does. Nil: none.
	Body any
	// Header is sent beside the usual ones, or in their place. Nil: none.
	Header http.Header
	// Answered is filled with the header of the answer. Nil: nobody asks for it.
	Answered http.Header
}

// Do sends a request and reads the answer into out: as JSON, as it is where out is a *[]byte, or not at all where out
// is nil. Errors are *Problem, wrap ErrUnreachable or ErrUntrusted, or are those of ctx.
func (c *Client) Do(ctx context.Context, r Request, out any) error {
	if _, streams := r.Body.(io.Reader); !streams {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.c.Timeout, fmt.Errorf("%w: no whole answer within %s", ErrUnreachable, c.c.Timeout))
		defer cancel()
	}
	resp, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return c.failed(ctx, err)
	}
	switch to := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*to = raw
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%w: what answers at %s is not a hub, or of another version: %w", ErrUnreachable, c.base, err)
	}
	return nil
}

// Copy sends a request and writes the answer to out as it comes, however long that takes. What is cut short is an error.
func (c *Client) Copy(ctx context.Context, r Request, out io.Writer) error {
	resp, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(out, resp.Body); err != nil {
		return c.failed(ctx, err)
	}
	return nil
}

// send gives an answer that is not a problem; its body is to be closed.
func (c *Client) send(ctx context.Context, r Request) (*http.Response, error) {
	body, streams := r.Body.(io.Reader)
	if r.Body != nil && !streams {
		raw, err := json.Marshal(r.Body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	target := c.base.String() + c.c.Base + r.Path
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, target, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	switch {
	case streams:
		req.Header.Set("Content-Type", "application/octet-stream")
	case body != nil:
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range r.Header {
		req.Header[k] = v
	}
	if c.c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.c.Token)
	}
	if c.c.Agent != "" {
		req.Header.Set("User-Agent", c.c.Agent)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, c.problem(resp)
	}
	if r.Answered != nil {
		maps.Copy(r.Answered, resp.Header)
	}
	return resp, nil
}

func (c *Client) problem(resp *http.Response) error {
	p := &Problem{Status: resp.StatusCode, Title: http.StatusText(resp.StatusCode)}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind != "application/problem+json" {
		return fmt.Errorf("%w: what answers at %s is not a hub (%s): check the address", ErrUnreachable, c.base, resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(p); err != nil {
		return fmt.Errorf("%w: the answer of %s broke off: %w", ErrUnreachable, c.base, err)
	}
	return p
}

// failed says why there was no answer.
func (c *Client) failed(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err := untrusted(err); err != nil {
		return err
	}
	return fmt.Errorf("%w at %s: check the address, and that it runs: %w", ErrUnreachable, c.base, unwrapURL(err))
}

// unwrapURL takes away the method and address that net/http puts before an error.
func unwrapURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
