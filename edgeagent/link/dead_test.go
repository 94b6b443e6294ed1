package link_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/edgeagent/link"
	"github.com/farshore/farshore/protocol"
)

// memory is a network of pipes to a test hub. Cut, its connections swallow what is sent and deliver nothing, as a dead radio
// link does; new connections then never answer.
type memory struct {
	h     *testHub
	web   chan net.Conn
	ended chan struct{}
	once  sync.Once

	mu    sync.Mutex
	cut   chan struct{} // closed when cut
	dials int
}

func newMemory(h *testHub) *memory {
	h.https, h.mqtts = "https://hub:9443", "mqtts://hub:8883"
	return &memory{h: h, web: make(chan net.Conn), ended: make(chan struct{}), cut: make(chan struct{})}
}

func (m *memory) sever() { close(m.cut) }

func (m *memory) heal() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut = make(chan struct{})
}

func (m *memory) dial(_ context.Context, _, address string) (net.Conn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dials++
	near, far := net.Pipe()
	server := tls.Server(&buffered{Conn: far}, m.h.tls())
	if address == "hub:8883" {
		go m.h.mqtt(server, server)
	} else {
		m.web <- server
	}
	return &radio{Conn: &buffered{Conn: near}, cut: m.cut}, nil
}

// Accept makes memory the listener of the hub's web server.
func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.web:
		return c, nil
	case <-m.ended:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (m *memory) Close() error {
	m.once.Do(func() { close(m.ended) })
	return nil
}

// Addr is the address of nothing.
func (m *memory) Addr() net.Addr { return &net.TCPAddr{} }

// radio is a connection whose link can die.
type radio struct {
	net.Conn
	cut chan struct{}
}

func (r *radio) dead() bool {
	select {
	case <-r.cut:
		return true
	default:
		return false
	}
}

func (r *radio) Write(b []byte) (int, error) {
	if r.dead() {
		return len(b), nil
	}
	return r.Conn.Write(b)
}

func (r *radio) Read(b []byte) (int, error) {
	for {
		n, err := r.Conn.Read(b)
		if err != nil || !r.dead() {
			return n, err
		}
	}
}

// buffered is a pipe whose writes do not wait for the reader, like those of a socket.
type buffered struct {
	net.Conn
	mu     sync.Mutex
	queue  [][]byte
	busy   bool
	failed error
}

func (b *buffered) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed != nil {
		return 0, b.failed
	}
	b.queue = append(b.queue, append([]byte(nil), p...))
	if !b.busy {
		b.busy = true
		go b.drain()
	}
	return len(p), nil
}

func (b *buffered) drain() {
	for {
		b.mu.Lock()
		if len(b.queue) == 0 || b.failed != nil {
			b.busy = false
			b.mu.Unlock()
			return
		}
		next := b.queue[0]
		b.queue = b.queue[1:]
		b.mu.Unlock()
		if _, err := b.Conn.Write(next); err != nil {
			b.mu.Lock()
			b.failed = err
			b.mu.Unlock()
		}
	}
}

// SetWriteDeadline has no effect: a socket's buffer takes what is written.
func (b *buffered) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline sets the read deadline.
func (b *buffered) SetDeadline(t time.Time) error { return b.SetReadDeadline(t) }

// inMemory runs a test in virtual time with a hub in memory.
func inMemory(t *testing.T, test func(t *testing.T, h *testHub, m *memory)) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHub(t)
		m := newMemory(h)
		served := make(chan error)
		h.http.ErrorLog = log.New(io.Discard, "", 0)
		go func() { served <- h.http.Serve(m) }()
		test(t, h, m)
		h.kick()
		_ = h.http.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

func TestDeadLinkIsFoundByAPing(t *testing.T) {
	each(t, func(t *testing.T, open func(link.Config) link.Transport) {
		inMemory(t, func(t *testing.T, h *testHub, m *memory) {
			a := h.agent()
			a.cfg.DialContext = m.dial
			tr := open(a.cfg)
			if err := tr.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := tr.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
			m.sever()
			start := time.Now()
			err := tr.Ping(t.Context())
			if took := time.Since(start); !errors.Is(err, link.ErrUnreachable) || took > protocol.DefaultExchangeTimeout {
				t.Errorf("%v after %v", err, took)
			}
			synctest.Wait()
			if n := len(a.down); tr.Push() && n != 1 || !tr.Push() && n != 0 {
				t.Errorf("the loss was told %d times", n)
			}
			m.heal()
			if err := errors.Join(tr.Close(), tr.Connect(t.Context()), tr.Ping(t.Context()), tr.Close()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	})
}

func TestDeadLinkIsFoundByASend(t *testing.T) {
	for _, name := range []string{"mqtt", "websocket"} {
		t.Run(name, func(t *testing.T) {
			inMemory(t, func(t *testing.T, h *testHub, m *memory) {
				a := h.agent()
				a.cfg.DialContext = m.dial
				tr := kinds[name](a.cfg)
				if err := tr.Connect(t.Context()); err != nil {
					t.Fatal(err)
				}
				m.sever()
				start := time.Now()
				if err := tr.Send(t.Context(), []byte("into the void")); err != nil {
					t.Fatal(err)
				}
				err := <-a.down
				if took := time.Since(start); !errors.Is(err, link.ErrUnreachable) || took != protocol.DefaultExchangeTimeout {
					t.Errorf("%v after %v, want it after %v", err, took, protocol.DefaultExchangeTimeout)
				}
				if err := tr.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestLiveLinkOutlivesUnansweredFrames(t *testing.T) {
	inMemory(t, func(t *testing.T, h *testHub, m *memory) {
		a := h.agent()
		a.cfg.DialContext = m.dial
		a.cfg.KeepAlive = time.Hour
		tr := link.NewMQTT(a.cfg)
		if err := tr.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 5 { // the hub answers none of them
			if err := tr.Send(t.Context(), []byte("x")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(7 * time.Minute)
		}
		if len(a.down) != 0 {
			t.Errorf("lost: %v", <-a.down)
		}
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestForgottenConnectionCostsHalfTheTimeNotTheFrame(t *testing.T) {
	inMemory(t, func(t *testing.T, h *testHub, m *memory) {
		a := h.agent()
		a.cfg.DialContext, a.cfg.KeepAlive = m.dial, 10*time.Minute
		tr := link.NewHTTPS(a.cfg)
		if err := tr.Send(t.Context(), []byte("one")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		m.sever() // the connection, by a router that has forgotten it
		m.heal()  // but not the link
		start := time.Now()
		if err := tr.Send(t.Context(), []byte("two")); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != protocol.DefaultExchangeTimeout/2 || len(h.frames) != 2 || m.dials != 2 {
			t.Errorf("took %v, %d frames, %d connections", took, len(h.frames), m.dials)
		}
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestConnectionIsKeptWhileContactsAreFrequent(t *testing.T) {
	for interval, dials := range map[time.Duration]int{20 * time.Minute: 1, time.Hour: 3} {
		t.Run(interval.String(), func(t *testing.T) {
			inMemory(t, func(t *testing.T, h *testHub, m *memory) {
				a := h.agent()
				a.cfg.DialContext, a.cfg.KeepAlive = m.dial, interval
				tr := link.NewHTTPS(a.cfg)
				for range 3 {
					for range 2 { // what belongs together shares a connection
						if err := tr.Send(t.Context(), []byte("x")); err != nil {
							t.Fatal(err)
						}
					}
					time.Sleep(interval)
				}
				if m.dials != dials {
					t.Errorf("%d connections for 3 contacts, want %d", m.dials, dials)
				}
				if err := tr.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestConnectEndsInTime(t *testing.T) {
	each(t, func(t *testing.T, open func(link.Config) link.Transport) {
		inMemory(t, func(t *testing.T, h *testHub, m *memory) {
			a := h.agent()
			a.cfg.DialContext = m.dial
			m.sever()
			start := time.Now()
			err := open(a.cfg).Connect(t.Context())
			if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != protocol.DefaultConnectTimeout {
				t.Errorf("%v after %v", err, took)
			}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			start = time.Now()
			if err := open(a.cfg).Connect(ctx); !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
				t.Errorf("%v after %v, want it to end with its context", err, time.Since(start))
			}
		})
	})
}
