package broker

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/farshore/farshore/hub/session"
	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
)

// conn is what mochi is given: the CONNECT that was read already, then the stream; deadlines of our own.
//
// id, boot, link, ended, keepAlive and listening belong to the goroutine that serves the connection.
type conn struct {
	net.Conn
	stream  Stream
	timeout time.Duration // of a write

	head      []byte // of what was read already
	id        protocol.DeviceID
	boot      protocol.Boot
	link      *session.Link // nil: not authenticated
	ended     func()        // says that the connection costs nothing any more; nil: not authenticated
	keepAlive time.Duration
	listening bool // subscribed to the down topic
}

// CONNACK return codes of MQTT 3.1.1, table 3.1.
const (
	refusedVersion     = 1
	refusedIdentifier  = 2
	refusedUnavailable = 3
	refusedPassword    = 4
	refusedNotAllowed  = 5
)

// readConnect reads the first packet whole, so that a stranger costs 512 bytes and no more before it has said what
// it wants, and makes sure that it is a CONNECT of MQTT 3.1.1.
func (c *conn) readConnect() error {
	var b [1]byte
	next := func() (byte, error) {
		_, err := io.ReadFull(c.Conn, b[:])
		c.head = append(c.head, b[0])
		return b[0], err
	}
	first, err := next()
	if err != nil {
		return fmt.Errorf("read CONNECT: %w", err)
	}
	if first != packets.Connect<<4 {
		return fmt.Errorf("first packet is of type %d, not CONNECT", first>>4)
	}
	n := 0
	for shift := 0; ; shift += 7 {
		d, err := next()
		if err != nil {
			return fmt.Errorf("read CONNECT: %w", err)
		}
		n |= int(d&0x7f) << shift
		if n > maxConnect || shift > 7 {
			return fmt.Errorf("CONNECT of more than %d bytes", maxConnect)
		}
		if d&0x80 == 0 {
			break
		}
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c.Conn, body); err != nil {
		return fmt.Errorf("read CONNECT: %w", err)
	}
	c.head = append(c.head, body...)
	if len(body) < 7 || string(body[:7]) != "\x00\x04MQTT\x04" {
		_, _ = c.Write([]byte{packets.Connack << 4, 2, 0, refusedVersion}) // it is refused either way
		c.linger()
		return errors.New("not MQTT 3.1.1")
	}
	return nil
}

// linger waits a moment for a refused client to read the answer and close, because closing with unread bytes would
// tear the answer from it.
func (c *conn) linger() {
	if err := c.Conn.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, c.Conn, 4<<10)
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.head) > 0 {
		n := copy(p, c.head)
		if c.head = c.head[n:]; len(c.head) == 0 {
			c.head = nil
		}
		return n, nil
	}
	return c.Conn.Read(p)
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	if err != nil {
		_ = c.stream.Raw.Close() // a record may be half written
	}
	return n, err
}

// Close implements net.Conn. It does not say goodbye: that could block, and nobody needs it.
func (c *conn) Close() error { return c.stream.Raw.Close() }

// SetDeadline is what mochi calls before each packet it reads, with a time that overflows for a keep-alive beyond
// 12 h. What counts is one and a half times the keep-alive; until the device is known, its place among the
// strangers bounds its time.
func (c *conn) SetDeadline(time.Time) error {
	if c.keepAlive == 0 {
		return nil
	}
	return c.SetReadDeadline(time.Now().Add(c.keepAlive + c.keepAlive/2))
}

// pipe is the session's end of a connection.
type pipe struct {
	c  *conn
	cl *mqtt.Client
}

// Carrier implements session.Conn.
func (p pipe) Carrier() protocol.Carrier { return protocol.CarrierMQTT }

// Tally implements session.Conn.
func (p pipe) Tally() *meter.Tally { return p.c.stream.Tally }

// Close implements session.Conn.
func (p pipe) Close(reason error) { p.cl.Stop(reason) }

// Send implements session.Conn: QoS 0, since the session repeats what is not acknowledged.
func (p pipe) Send(frame []byte) error {
	return p.cl.WritePacket(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish},
		TopicName:   protocol.DownTopic(p.c.id),
		Payload:     frame,
	})
}
