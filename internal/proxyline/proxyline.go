// Package proxyline reads what a proxy says of a connection before the connection's own bytes: the PROXY protocol of
// HAProxy, versions 1 and 2.
//
// It believes whatever it reads: callers hand it connections of proxies that they trust, and bound the time that reading
// may take by closing the connection. It holds no state; a connection belongs to whoever reads from it.
package proxyline

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
)

// ErrMalformed: the connection begins like the PROXY protocol and does not go on like it.
var ErrMalformed = errors.New("PROXY protocol line is malformed")

// Beginnings and bounds.
const (
	v1        = "PROXY "
	v2        = "\r\n\r\n\x00\r\nQUIT\n"
	maxV1     = 107
	maxV2Body = 536 // as HAProxy advises; what is longer is no address
)

// Conn is a connection whose other end is where a proxy says it is.
type Conn struct {
	net.Conn
	remote net.Addr // nil: the connection's own
	head   []byte   // was read already and belongs to the stream
}

// Unwrap returns the connection below.
func (c *Conn) Unwrap() net.Conn { return c.Conn }

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	if len(c.head) > 0 {
		n := copy(b, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr {
	if c.remote != nil {
		return c.remote
	}
	return c.Conn.RemoteAddr()
}

// Peek returns the connection's first byte, which is still there to be read.
func (c *Conn) Peek() (byte, error) {
	if len(c.head) == 0 {
		b := make([]byte, 1)
		if _, err := io.ReadFull(c.Conn, b); err != nil {
			return 0, err
		}
		c.head = b
	}
	return c.head[0], nil
}

// Plain returns c as it is.
func Plain(c net.Conn) *Conn { return &Conn{Conn: c} }

// Read takes the line from the beginning of c. A connection without one is returned as it is. Errors wrap ErrMalformed,
// or are those of the connection.
func Read(c net.Conn) (*Conn, error) {
	out := Plain(c)
	first, err := out.Peek()
	if err != nil {
		return nil, err
	}
	switch first {
	case v1[0]:
		return out, out.begins(v1, out.readV1)
	case v2[0]:
		return out, out.begins(v2, out.readV2)
	}
	return out, nil
}

// begins reads on as long as the stream is like want, and calls rest if it is to its end.
func (c *Conn) begins(want string, rest func() error) error {
	for len(c.head) < len(want) {
		b, err := c.next(1)
		if err != nil {
			return err
		}
		c.head = append(c.head, b...)
		if !strings.HasPrefix(want, string(c.head)) {
			return nil // something else, to be read as it came
		}
	}
	c.head = nil
	return rest()
}

func (c *Conn) next(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(c.Conn, b)
	return b, err
}

func (c *Conn) readV1() error {
	var line []byte
	for !bytes.HasSuffix(line, []byte("\r\n")) {
		if len(line) > maxV1 {
			return fmt.Errorf("%w: it has no end", ErrMalformed)
		}
		b, err := c.next(1)
		if err != nil {
			return err
		}
		line = append(line, b...)
	}
	words := strings.Fields(string(line))
	if len(words) > 0 && words[0] == "UNKNOWN" {
		return nil
	}
	if len(words) != 5 || words[0] != "TCP4" && words[0] != "TCP6" {
		return fmt.Errorf("%w: %.120q", ErrMalformed, line)
	}
	at, err := netip.ParseAddrPort(net.JoinHostPort(words[1], words[3]))
	if err != nil {
		return fmt.Errorf("%w: %.120q", ErrMalformed, line)
	}
	c.remote = net.TCPAddrFromAddrPort(at)
	return nil
}

func (c *Conn) readV2() error {
	head, err := c.next(4)
	if err != nil {
		return err
	}
	n := int(binary.BigEndian.Uint16(head[2:]))
	if head[0]>>4 != 2 || n > maxV2Body {
		return fmt.Errorf("%w: version %d with %d bytes", ErrMalformed, head[0]>>4, n)
	}
	body, err := c.next(n)
	if err != nil {
		return err
	}
	var size int
	switch {
	case head[0]&0xf == 0: // the proxy's own connection, such as a health check
		return nil
	case head[1]>>4 == 1:
		size = 4
	case head[1]>>4 == 2:
		size = 16
	default:
		return nil // neither IPv4 nor IPv6: nothing that could be used
	}
	if n < 2*size+4 {
		return fmt.Errorf("%w: %d bytes of addresses", ErrMalformed, n)
	}
	addr, _ := netip.AddrFromSlice(body[:size])
	c.remote = net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, binary.BigEndian.Uint16(body[2*size:])))
	return nil
}
