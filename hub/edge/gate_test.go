package edge_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/gate"
	"github.com/farshore/farshore/internal/doorway"
	"github.com/farshore/farshore/protocol"
)

// greeted does a handshake that offers a protocol, sends a request, and returns the beginning of the answer.
func (h *hub) greeted(t *testing.T, alpn string) (string, error) {
	t.Helper()
	c, err := tls.Dial("tcp", h.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{alpn}})
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: hub\r\n\r\n"); err != nil {
		return "", err
	}
	b := make([]byte, 12)
	_, err = io.ReadFull(c, b)
	return string(b), err
}

func (h *hub) allow(t *testing.T, s gate.Settings) {
	t.Helper()
	if err := h.gate.Change(context.Background(), gate.Change{Settings: s}); err != nil {
		t.Fatal(err)
	}
}

func TestListsOfAddressesGoByWhoSpeaks(t *testing.T) {
	h := start(t, doorway.Config{})
	const here, elsewhere = "127.0.0.0/8", "192.0.2.0/24"
	for name, c := range map[string]struct {
		people, devices []string
		person, device  bool
	}{
		"no lists":           {nil, nil, true, true},
		"people elsewhere":   {[]string{elsewhere}, nil, false, true},
		"devices elsewhere":  {nil, []string{elsewhere}, true, false},
		"both elsewhere":     {[]string{elsewhere}, []string{elsewhere}, false, false},
		"both from here too": {[]string{elsewhere, here}, []string{here}, true, true},
	} {
		h.allow(t, gate.Settings{People: c.people, Devices: c.devices})
		for alpn, in := range map[string]bool{"http/1.1": c.person, protocol.ALPN: c.device} {
			answer, err := h.greeted(t, alpn)
			if in != (err == nil && strings.HasPrefix(answer, "HTTP/1.1")) {
				t.Errorf("%s: %s is answered %q, %v; want let in %v", name, alpn, answer, err, in)
			}
		}
	}
}

func TestAnAgentsConnectionEndsWithItsAddress(t *testing.T) {
	h := start(t, doorway.Config{})
	d := h.enrol(t)
	h.allow(t, gate.Settings{Devices: []string{"192.0.2.0/24"}})
	if n, err := d.conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes from a connection that should have ended", n)
	}
	h.allow(t, gate.Settings{})
	d.dial(t)
}

func TestPlainHTTPIsLedToHTTPSOrRefused(t *testing.T) {
	h := start(t, doorway.Config{})
	for request, want := range map[string]string{
		"GET /fleet?q=a HTTP/1.1\r\nHost: hub.example:9443\r\n\r\n":                        "Location: https://hub.example:9443/fleet?q=a\r\n",
		"GET / HTTP/1.1\r\nHost: [::1]:9443\r\n\r\n":                                       "Location: https://[::1]:9443/\r\n",
		"GET /api/v1/devices HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer fst_x\r\n\r\n": "400 Bad Request",
		"POST /api/v1/session HTTP/1.1\r\nHost: hub\r\nContent-Length: 2\r\n\r\n{}":        "400 Bad Request",
		"GET / HTTP/1.1\r\nHost: a\tb\r\n\r\n":                                             "400 Bad Request",
		"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", 100_000) + "\r\n\r\n":     "",
		"PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\n\r\n":                     "",
		"GARBAGE\r\n\r\n": "",
	} {
		c, err := net.Dial("tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, request)
		_ = c.(*net.TCPConn).CloseWrite()
		answer, _ := io.ReadAll(c) // it may end with a reset
		_ = c.Close()
		if want == "" && len(answer) > 0 || !strings.Contains(string(answer), want) || strings.Contains(string(answer), "fst_x") {
			t.Errorf("%.60q is answered %q, want %q", request, answer, want)
		}
	}
}
