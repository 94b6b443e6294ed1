package depot

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Bounds on waiting for registries.
const (
	dialTimeout   = 30 * time.Second
	headerTimeout = time.Minute
	quietTimeout  = time.Minute // of an answer of which nothing more comes
	maxRedirects  = 5
	maxToken      = 64 << 10
)

// source is one repository of a registry, for one order.
type source struct {
	order  *order
	of     imageOf
	http   *http.Client
	base   url.URL
	repo   string
	access protocol.RegistryAuth

	mu     sync.Mutex // guards the fields below
	header string     // Authorization; "": none is known to be wanted
	from   challenge  // what it answers
}

// newClient makes a client for one registry, whose connections are counted.
func (o *order) newClient(host string) *http.Client {
	d := o.d
	return &http.Client{
		Transport: &http.Transport{
			Proxy: d.cfg.Proxy,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := d.cfg.Dial(ctx, network, address)
				if err != nil {
					return nil, err
				}
				l := newLine(conn)
				o.mu.Lock()
				defer o.mu.Unlock()
				o.lines = append(o.lines, l)
				return l, nil
			},
			TLSClientConfig:     &tls.Config{RootCAs: d.authorities(host), MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: headerTimeout, IdleConnTimeout: 2 * time.Minute,
			DisableCompression: true, MaxResponseHeaderBytes: 64 << 10, // a range of what is packed anew would be another range
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// authorities are those of the system and those that engines have for the registry. Nil: the system's.
func (d *Depot) authorities(host string) *x509.CertPool {
	var pool *x509.CertPool
	for _, dir := range d.cfg.Authorities {
		files, _ := filepath.Glob(filepath.Join(dir, filepath.Base(host), "*.crt")) // the pattern is sound
		for _, file := range files {
			pem, err := os.ReadFile(file)
			if err == nil && pool == nil {
				pool, err = x509.SystemCertPool()
			}
			if err != nil || !pool.AppendCertsFromPEM(pem) {
				d.cfg.Log.Warn("an authority for a registry cannot be read", "file", file, "error", err)
			}
		}
	}
	return pool
}

func (o *order) source(n name) *source {
	scheme, address := baseOf(n.host)
	client := o.clients[n.host]
	if client == nil {
		client = o.newClient(n.host)
		o.clients[n.host] = client
	}
	return &source{order: o, of: imageOf{o.Stack, n.key}, http: client, repo: n.repo, base: url.URL{Scheme: scheme, Host: address}, access: authFor(n.host, o.Access)}
}

// refusal is an answer that is not what was asked for.
type refusal struct {
	status int
	what   string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("the registry answers %d %s for %s", r.status, http.StatusText(r.status), r.what)
}

func statusOf(err error) int {
	var r *refusal
	if errors.As(err, &r) {
		return r.status
	}
	return 0
}

// at is where something of the repository is.
func (s *source) at(kind, what string) *url.URL {
	u := s.base
	u.Path = "/v2/" + s.repo + "/" + kind + "/" + what
	return &u
}

// get asks for what is at u, logs in where that is wanted, and follows redirects. What is not of the registry itself
// gets no credentials. The answer is a success, and has been got from the address that is returned.
func (s *source) get(ctx context.Context, u *url.URL, header http.Header) (*http.Response, *url.URL, error) {
	return s.request(ctx, http.MethodGet, u, header)
}

func (s *source) request(ctx context.Context, method string, u *url.URL, header http.Header) (*http.Response, *url.URL, error) {
	asked := u
	for range maxRedirects {
		resp, err := s.ask(ctx, method, u, header)
		if err != nil {
			return nil, u, err
		}
		switch resp.StatusCode {
		case http.StatusOK, http.StatusPartialContent:
			return resp, u, nil
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
			discard(resp)
			next, err := u.Parse(resp.Header.Get("Location"))
			if err != nil || next.Host == "" {
				return nil, u, errors.New("the registry sends elsewhere and does not say where")
			}
			if next.Scheme != "https" && (next.Scheme != "http" || s.base.Scheme != "http") {
				return nil, u, fmt.Errorf("the registry sends to %s, which is not safe", next.Scheme)
			}
			u = next
		default:
			discard(resp)
			return nil, u, &refusal{resp.StatusCode, asked.Path}
		}
	}
	return nil, u, errors.New("the registry sends from one place to another, and that too often")
}

// ask makes one request, and once more with what the registry wants to be shown.
func (s *source) ask(ctx context.Context, method string, u *url.URL, header http.Header) (*http.Response, error) {
	own := u.Scheme == s.base.Scheme && u.Host == s.base.Host
	for again := false; ; again = true {
		shown := ""
		if own {
			s.mu.Lock()
			shown = s.header
			s.mu.Unlock()
		}
		resp, err := s.send(ctx, wish{method, u, header, shown})
		if err != nil || resp.StatusCode != http.StatusUnauthorized || !own || again {
			return resp, err
		}
		wants := readChallenges(resp.Header.Values("WWW-Authenticate"))
		discard(resp)
		if err := s.login(ctx, wants, shown); err != nil {
			return nil, err
		}
	}
}

// wish is one request, and the Authorization that is shown with it.
type wish struct {
	method string
	at     *url.URL
	header http.Header
	shown  string
}

func (s *source) send(ctx context.Context, w wish) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, w.method, w.at.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	for k, v := range w.header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", "farshore-agent")
	if w.shown != "" {
		req.Header.Set("Authorization", w.shown)
	}
	resp, err := s.http.Do(req)
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err // its text has the whole address, in which there may be a signature
	}
	return resp, err
}

// login gets what the registry wants, unless somebody has meanwhile.
func (s *source) login(ctx context.Context, wants []challenge, shown string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.header != shown {
		return nil
	}
	s.header = ""
	for _, c := range wants {
		switch c.scheme {
		case "basic":
			if s.access.User != "" || s.access.Password != "" {
				s.header = basic(s.access)
				return nil
			}
		case "bearer":
			token, err := s.token(ctx, c)
			if err != nil {
				return err
			}
			s.header, s.from = "Bearer "+token, c
			return nil
		}
	}
	return &refusal{http.StatusUnauthorized, "/v2/" + s.repo}
}

// token asks whom the registry names for a token that lets pull from the repository.
func (s *source) token(ctx context.Context, c challenge) (string, error) {
	realm, err := url.Parse(c.params["realm"])
	if err != nil || realm.Host == "" || realm.Scheme != "https" && (s.base.Scheme != "http" || !isLoopback(realm.Host)) {
		return "", fmt.Errorf("the registry sends to %.100q for a token, which is not safe", c.params["realm"])
	}
	q := realm.Query()
	if service := c.params["service"]; service != "" {
		q.Set("service", service)
	}
	q.Set("scope", "repository:"+s.repo+":pull")
	shown := ""
	if s.access.User != "" || s.access.Password != "" {
		q.Set("account", s.access.User)
		shown = basic(s.access)
	}
	realm.RawQuery = q.Encode()
	resp, err := s.send(ctx, wish{http.MethodGet, realm, nil, shown})
	if err != nil {
		return "", fmt.Errorf("ask %s for a token: %w", realm.Host, err)
	}
	defer discard(resp)
	if resp.StatusCode != http.StatusOK {
		return "", &refusal{resp.StatusCode, "a token for " + s.repo}
	}
	var got struct {
		Token  string `json:"token"`
		Access string `json:"access_token"`
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxToken))
	if err != nil {
		return "", err
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return "", errors.New("what the registry's giver of tokens sent is no token")
	}
	if got.Token == "" {
		got.Token = got.Access
	}
	if got.Token == "" || strings.ContainsAny(got.Token, "\r\n") {
		return "", errors.New("what the registry's giver of tokens sent is no token")
	}
	return got.Token, nil
}

func basic(a protocol.RegistryAuth) string {
	req := http.Request{Header: http.Header{}}
	req.SetBasicAuth(a.User, a.Password)
	return req.Header.Get("Authorization")
}

// discard ends with an answer; what is left of it is read where that keeps the connection and costs next to nothing.
func discard(resp *http.Response) {
	if resp.ContentLength >= 0 && resp.ContentLength < 1<<10 {
		_, _ = io.CopyN(io.Discard, resp.Body, 1<<10)
	}
	_ = resp.Body.Close()
}

// watched is an answer that is given up when nothing comes for a while.
type watched struct {
	io.ReadCloser
	timer  *time.Timer
	cancel context.CancelFunc
}

// watch makes an answer's context, and what to read it through.
func watch(parent context.Context) (context.Context, *watched) {
	ctx, cancel := context.WithCancelCause(parent)
	end := func() { cancel(nil) }
	return ctx, &watched{timer: time.AfterFunc(dialTimeout+2*headerTimeout, func() { cancel(errQuiet) }), cancel: end}
}

var errQuiet = errors.New("nothing came from the registry for too long")

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	w.timer.Reset(quietTimeout)
	return w.ReadCloser.Read(p)
}

// Close ends the request.
func (w *watched) Close() error {
	w.timer.Stop()
	w.cancel()
	if w.ReadCloser == nil {
		return nil
	}
	return w.ReadCloser.Close()
}
