package proxyline_test

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/farshore/farshore/internal/proxyline"
)

const v2 = "\r\n\r\n\x00\r\nQUIT\n"

func TestRead(t *testing.T) {
	four := "\x21\x11\x00\x0c\xc0\x00\x02\x07\x0a\x00\x00\x01\x12\x67\x01\xbb"
	for name, c := range map[string]struct {
		sent, remote, rest string
		bad                bool
	}{
		"TLS without a line":    {sent: "\x16\x03\x01rest", rest: "\x16\x03\x01rest"},
		"plain HTTP, like it":   {sent: "PRI * HTTP/2.0", rest: "PRI * HTTP/2.0"},
		"version 1, IPv4":       {sent: "PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\nrest", remote: "192.0.2.7:4711", rest: "rest"},
		"version 1, IPv6":       {sent: "PROXY TCP6 2001:db8::7 ::1 4711 443\r\nrest", remote: "[2001:db8::7]:4711", rest: "rest"},
		"version 1, unknown":    {sent: "PROXY UNKNOWN\r\nrest", rest: "rest"},
		"version 1, no address": {sent: "PROXY TCP4 there here 1 2\r\n", bad: true},
		"version 1, endless":    {sent: "PROXY " + string(make([]byte, 300)), bad: true},
		"version 2, IPv4":       {sent: v2 + four + "rest", remote: "192.0.2.7:4711", rest: "rest"},
		"version 2, with more":  {sent: v2 + "\x21\x11\x00\x10" + four[4:] + "\x04\x00\x01x" + "rest", remote: "192.0.2.7:4711", rest: "rest"},
		"version 2, local":      {sent: v2 + "\x20\x00\x00\x00rest", rest: "rest"},
		"version 2, Unix":       {sent: v2 + "\x21\x31\x00\x02xyrest", rest: "rest"},
		"version 2, cut":        {sent: v2 + "\x21\x11\x00\x04\xc0\x00\x02\x07", bad: true},
		"version 2, huge":       {sent: v2 + "\x21\x11\xff\xff", bad: true},
		"version 3":             {sent: v2 + "\x31\x11\x00\x0c", bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := net.Pipe()
			defer b.Close()
			go func() {
				_, _ = io.WriteString(a, c.sent)
				_ = a.Close()
			}()
			conn, err := proxyline.Read(b)
			if c.bad {
				if !errors.Is(err, proxyline.ErrMalformed) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := c.remote
			if want == "" {
				want = b.RemoteAddr().String()
			}
			rest, err := io.ReadAll(conn)
			if err != nil || string(rest) != c.rest || conn.RemoteAddr().String() != want {
				t.Errorf("from %s, then %q, %v; want %s, %q", conn.RemoteAddr(), rest, err, want, c.rest)
			}
		})
	}
}
