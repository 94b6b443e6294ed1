package link

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// maxProxyAnswer bounds the header of a proxy's answer.
const maxProxyAnswer = 16 << 10

// proxyAddress returns host and port of a proxy.
func proxyAddress(proxy *url.URL) (string, error) {
	port := proxy.Port()
	switch {
	case proxy.Hostname() == "":
		return "", fmt.Errorf("proxy %s: want http://host:port", proxy.Redacted())
	case proxy.Scheme == "http" && port == "":
		port = "80"
	case proxy.Scheme == "https" && port == "":
		port = "443"
	case proxy.Scheme != "http" && proxy.Scheme != "https":
		return "", fmt.Errorf("proxy %s: scheme %q is not supported: want http or https", proxy.Redacted(), proxy.Scheme)
	}
	return net.JoinHostPort(proxy.Hostname(), port), nil
}

// proxyTo is a host behind a proxy.
type proxyTo struct {
	proxy *url.URL
	host  string
}

// connectThrough asks the proxy at the other end of conn for a connection to the host (RFC 9110, section 9.3.6), with Basic
// credentials where its URL has some. Errors name the proxy without its password.
func connectThrough(ctx context.Context, conn net.Conn, to proxyTo) (net.Conn, error) {
	if to.proxy.Scheme == "https" {
		secure := tls.Client(conn, &tls.Config{ServerName: to.proxy.Hostname()})
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("TLS with proxy %s: %w", to.proxy.Redacted(), err)
		}
		conn = secure
	}
	// The deadline is moved into the past when ctx ends, which interrupts what blocks.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	answer, err := askProxy(conn, to)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("proxy %s: %w", to.proxy.Redacted(), err)
	}
	switch answer {
	case http.StatusOK:
		return conn, nil
	case http.StatusProxyAuthRequired, http.StatusUnauthorized: // the latter from tinyproxy for a wrong password
		return nil, fmt.Errorf("proxy %s: it wants another user name and password (%d): give them as http://user:password@host:port in HTTPS_PROXY", to.proxy.Redacted(), answer)
	case http.StatusForbidden:
		return nil, fmt.Errorf("proxy %s: it does not allow connections to %s (403): its operator must allow that host and port", to.proxy.Redacted(), to.host)
	}
	return nil, fmt.Errorf("proxy %s: no connection to %s: %d %s", to.proxy.Redacted(), to.host, answer, http.StatusText(answer))
}

func askProxy(conn net.Conn, to proxyTo) (status int, err error) {
	var ask bytes.Buffer
	fmt.Fprintf(&ask, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", to.host, to.host)
	if u := to.proxy.User; u != nil {
		password, _ := u.Password()
		ask.WriteString("Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)) + "\r\n")
	}
	ask.WriteString("\r\n")
	if _, err := conn.Write(ask.Bytes()); err != nil {
		return 0, fmt.Errorf("ask for a connection to %s: %w", to.host, err)
	}
	r := bufio.NewReader(&io.LimitedReader{R: conn, N: maxProxyAnswer})
	resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return 0, fmt.Errorf("read its answer: %w", err)
	}
	_ = resp.Body.Close() // nothing of the body is used
	if resp.StatusCode == http.StatusOK && r.Buffered() > 0 {
		return 0, errors.New("it sent data of its own before the hub could: it is not a plain CONNECT proxy")
	}
	return resp.StatusCode, nil
}
