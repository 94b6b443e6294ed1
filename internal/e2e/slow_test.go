package e2e

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// Numbers of slow clients: more than the hub gives strangers places at a time.
const (
	silent = 600
	slow   = 25 // of each other kind
)

// TestSlowClients: clients that say nothing, or say it byte by byte, are put out in bounded time, and neither people
// nor devices have to wait for that, known or new.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	h := newHub(t, hubConfig{})
	known := map[string]string{}
	for _, carrier := range []string{"mqtt", "https"} {
		a := newAgent(t, carrier, nil)
		a.join(h.key("field-" + carrier))
		known[carrier] = h.admit(a, "box-"+carrier)
		h.connected(known[carrier], carrier)
	}
	began := h.log.mark()

	plain := func(port int) func() (net.Conn, error) {
		return func() (net.Conn, error) { return net.Dial("tcp", address(port)) }
	}
	secure := func(port int, alpn ...string) func() (net.Conn, error) {
		return func() (net.Conn, error) {
			return tls.Dial("tcp", address(port), &tls.Config{InsecureSkipVerify: true, NextProtos: alpn})
		}
	}
	header := "POST /api/v1/session HTTP/1.1\r\nHost: hub\r\nX-Slow: " + strings.Repeat("x", 200)
	body := "POST /api/v1/session HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
	var all sync.WaitGroup
	stop := make(chan struct{})
	for _, c := range []struct {
		name  string
		count int
		dial  func() (net.Conn, error)
		first string // said at once
		drip  string // said byte by byte
	}{
		{"silent, public port", silent, plain(h.port), "", ""},
		{"silent, MQTT port", slow, plain(h.mqtt), "", ""},
		{"TLS byte by byte", slow, plain(h.port), "\x16\x03\x01\x02\x00", strings.Repeat("\x01", 500)},
		{"plain HTTP byte by byte", slow, plain(h.port), "G", "ET / HTTP/1.1\r\nX: " + strings.Repeat("x", 500)},
		{"silent after TLS", slow, secure(h.port, "http/1.1"), "", ""},
		{"headers byte by byte", slow, secure(h.port, "http/1.1"), "", header},
		{"a body that stalls", slow, secure(h.port, "http/1.1"), body, ""},
		{"a body byte by byte", slow, secure(h.port, "http/1.1"), body, strings.Repeat("x", 900)},
		{"a body that nobody asked for", slow, secure(h.port, "http/1.1"), strings.Replace(body, "/api/v1/session", "/healthz", 1), ""},
		{"a body that nobody asked for, byte by byte", slow, secure(h.port, "http/1.1"), strings.Replace(body, "/api/v1/session", "/nothing", 1), strings.Repeat("x", 900)},
		{"headers of an agent byte by byte", slow, secure(h.port, "farshore/1"), "", header},
		{"a body of an agent that stalls", slow, secure(h.port, "farshore/1"), "POST /k HTTP/1.1\r\nHost: hub\r\nContent-Length: 1000\r\n\r\n", ""},
		{"MQTT byte by byte", slow, secure(h.mqtt), "\x10", "\x7f\x00\x04MQTT" + strings.Repeat("x", 100)},
	} {
		for range c.count {
			all.Go(func() {
				if err := dawdle(c.dial, c.first, c.drip, stop); err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
			})
		}
	}

	fresh := newAgent(t, "https", nil)
	fresh.join(h.key("field-new"))
	h.connected(h.admit(fresh, "box-new"), "https")
	h.login()
	for _, device := range known {
		h.heard(device)
	}
	ended := make(chan struct{})
	go func() { all.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("slow clients are still there")
	}
	close(stop)
	<-ended
	if said := h.log.since(began); strings.Contains(said, "panic") || strings.Contains(said, "ERROR") {
		t.Errorf("the hub said:\n%s", said)
	}
}

// dawdle says drip byte by byte until the hub ends the connection, which it must.
func dawdle(dial func() (net.Conn, error), first, drip string, stop <-chan struct{}) error {
	c, err := dial()
	if err != nil {
		return nil // turned away at once: there were too many
	}
	defer c.Close()
	var talk sync.WaitGroup
	defer talk.Wait()
	gone := make(chan struct{})
	defer close(gone)
	talk.Go(func() {
		if _, err := io.WriteString(c, first); err != nil {
			return
		}
		pace := time.NewTicker(700 * time.Millisecond)
		defer pace.Stop()
		for i := 0; ; i++ {
			select {
			case <-gone:
				return
			case <-stop:
				_ = c.SetDeadline(time.Now())
				return
			case <-pace.C:
			}
			if i < len(drip) {
				if _, err := c.Write([]byte{drip[i]}); err != nil {
					return
				}
			}
		}
	})
	if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("the hub kept the connection")
	}
	return nil
}

// TestOversizedRequests: what is too large is refused before it is read, on each side of the public port.
func TestOversizedRequests(t *testing.T) {
	t.Parallel()
	h := newHub(t, hubConfig{})
	long := strings.Repeat("x", 64<<10)
	for name, c := range map[string]struct{ alpn, request string }{
		"a header":         {"http/1.1", "GET /api/v1/devices HTTP/1.1\r\nHost: hub\r\nX: " + long + "\r\n\r\n"},
		"many headers":     {"http/1.1", "GET /api/v1/devices HTTP/1.1\r\nHost: hub\r\n" + strings.Repeat("X: y\r\n", 20_000) + "\r\n"},
		"a path":           {"http/1.1", "GET /" + long + " HTTP/1.1\r\nHost: hub\r\n\r\n"},
		"a cookie":         {"http/1.1", "GET /api/v1/devices HTTP/1.1\r\nHost: hub\r\nCookie: a=" + long + "\r\n\r\n"},
		"an agent's":       {"farshore/1", "POST /f HTTP/1.1\r\nHost: hub\r\nX: " + long + "\r\n\r\n"},
		"a body":           {"http/1.1", "POST /api/v1/session HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: 10000000\r\n\r\n" + long},
		"an endless body":  {"http/1.1", "POST /api/v1/session HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("10000\r\n"+long+"\r\n", 40)},
		"a line break":     {"http/1.1", "GET /api/v1/devices HTTP/1.1\r\nHost: hub\r\nX: a\nAuthorization : Bearer b\r\n\r\n"},
		"an agent's knock": {"farshore/1", "POST /k HTTP/1.1\r\nHost: hub\r\nContent-Length: 10000000\r\n\r\n" + long},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := tls.Dial("tcp", address(h.port), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{c.alpn}})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = io.WriteString(conn, c.request) }() // the hub need not read it
			answer, err := io.ReadAll(conn)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the hub kept the connection, having said %q", answer)
			}
			if !bytes.HasPrefix(answer, []byte("HTTP/1.1 4")) && len(answer) > 0 {
				t.Errorf("the hub said %.200q", answer)
			}
			if n := bytes.Count(answer, []byte("HTTP/1.1 ")); n > 1 {
				t.Errorf("the hub took it for %d requests: %q", n, answer)
			}
		})
	}
	if _, err := h.shown(); err != nil {
		t.Error(fmt.Errorf("the hub does not answer any more: %w", err))
	}
}
