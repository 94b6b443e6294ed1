package link

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// cork gathers what is written until somebody reads, so that the end of the TLS handshake and the first data travel in
// one segment. Once pulled it passes everything on.
type cork struct {
	net.Conn
	pulled atomic.Bool

	mu   sync.Mutex
	held []byte
}

func (c *cork) Write(b []byte) (int, error) {
	if c.pulled.Load() {
		return c.Conn.Write(b)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pulled.Load() {
		return c.Conn.Write(b)
	}
	c.held = append(c.held, b...)
	return len(b), nil
}

func (c *cork) Read(b []byte) (int, error) {
	if !c.pulled.Load() {
		c.mu.Lock()
		err := c.flush()
		c.mu.Unlock()
		if err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(b)
}

// pull sends what is held and holds nothing from now on.
func (c *cork) pull() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pulled.Store(true)
	return c.flush()
}

func (c *cork) flush() error {
	if len(c.held) == 0 {
		return nil
	}
	b := c.held
	c.held = nil
	_, err := c.Conn.Write(b)
	return err
}

// Close sends what is held, an alert perhaps, and closes.
func (c *cork) Close() error {
	if !c.pulled.Load() {
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		_ = c.pull() // the peer may be gone; closing is what was asked for
	}
	return c.Conn.Close()
}
