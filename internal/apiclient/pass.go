package apiclient

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// Pass returns a handler that passes requests on to the API below a path, as they are: with streams, and with connections
// that change their protocol. It serves whoever reaches it with the Client's rights, so that it must not be reachable by
// others. header is sent with each request.
func (c *Client) Pass(path string, header http.Header) (http.Handler, error) {
	trust, err := trustOf(c.c)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: trust, TLSHandshakeTimeout: 30 * time.Second, IdleConnTimeout: time.Minute,
		TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}, // HTTP/1.1: connections change their protocol
	}
	below := c.base.JoinPath(c.c.Base).String() + path
	return &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1,
		Rewrite: func(p *httputil.ProxyRequest) {
			u, err := url.Parse(below + p.In.URL.EscapedPath())
			if err != nil { // of a path that was parsed before
				u = &url.URL{}
			}
			u.RawQuery = p.In.URL.RawQuery
			p.Out.URL, p.Out.Host = u, ""
			for name, values := range header {
				p.Out.Header[name] = values
			}
			p.Out.Header.Set("User-Agent", c.c.Agent)
			p.Out.Header.Set("Authorization", "Bearer "+c.c.Token)
		},
		ModifyResponse: spoken,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadGateway)
			_ = json.NewEncoder(w).Encode(map[string]string{"message": c.failed(r.Context(), err).Error()}) // who asked may have gone
		},
	}, nil
}

// spoken gives a problem of the API's own the form in which engines tell of errors.
func spoken(resp *http.Response) error {
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") {
		return nil
	}
	var p Problem
	err := json.NewDecoder(resp.Body).Decode(&p)
	_ = resp.Body.Close()
	if err != nil {
		return err
	}
	b, err := json.Marshal(map[string]string{"message": p.Error()})
	if err != nil {
		return err
	}
	resp.Header.Set("Content-Type", "application/json")
	resp.Header.Del("Content-Length")
	resp.ContentLength = int64(len(b))
	resp.Body = &text{Reader: strings.NewReader(string(b))}
	return nil
}

// text is an answer's body that is in memory.
type text struct{ *strings.Reader }

// Close implements io.Closer.
func (*text) Close() error { return nil }
