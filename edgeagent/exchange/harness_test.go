package exchange

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/protocol/window"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/snapshot/capture"
)

// hub is the other end of the session, made by hand: it acknowledges what it gets, and says what a test tells it to.
type hub struct {
	t     *testing.T
	key   ed25519.PrivateKey
	codec *protocol.Codec
	state *state.Store
	e     *Exchange
	push  bool

	mu       sync.Mutex
	conn     *conn          // the last one
	win      *window.Window // nil: it does not know the session
	welcome  protocol.Welcome
	settings protocol.Settings
	captured capture.Capture
	connects []time.Time
	pings    []time.Time
	frames   []*protocol.Frame // received
	at       []time.Time       // when
	deaf     bool              // it answers nothing
	refuse   *protocol.Error   // what it answers every frame with
	answer   func(m protocol.Message) []protocol.Message
	forgets  time.Duration // after which silence the path drops a connection without a word; 0: never
	lost     int           // pings that were not answered for it
	rate     int           // bytes a second of what the agent sends; 0: it takes no time
	begun    []int         // sizes of the frames that it began to send
}

// conn is one connection to it.
type conn struct {
	h    *hub
	in   Inbox
	last time.Time // that something passed
}

// forgotten reports that the path has dropped the connection. It needs h.mu.
func (c *conn) forgotten() bool {
	gone := c.h.forgets > 0 && time.Since(c.last) > c.h.forgets
	if !gone {
		c.last = time.Now()
	}
	return gone
}

func (c *conn) Name() protocol.Carrier {
	if c.h.push {
		return protocol.CarrierMQTT
	}
	return protocol.CarrierHTTPS
}
func (c *conn) Push() bool   { return c.h.push }
func (c *conn) Close() error { return nil }

func (c *conn) Ping(ctx context.Context) error {
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	if c.forgotten() {
		c.h.lost++
		<-ctx.Done()
		return ctx.Err()
	}
	c.h.pings = append(c.h.pings, time.Now())
	if c.h.deaf {
		return errors.New("no answer")
	}
	return nil
}

func (c *conn) Send(ctx context.Context, b []byte) error {
	h := c.h
	h.mu.Lock()
	h.begun = append(h.begun, len(b))
	rate := h.rate
	h.mu.Unlock()
	if rate > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(len(b)) * time.Second / time.Duration(rate)):
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	f, err := h.codec.Decode(b)
	if err != nil {
		h.t.Errorf("the agent sent what cannot be read: %v", err)
		return err
	}
	h.frames, h.at = append(h.frames, f), append(h.at, time.Now())
	if h.deaf && h.push {
		return nil
	}
	if h.deaf {
		return errors.New("no answer")
	}
	if h.refuse != nil {
		c.say(&protocol.Frame{Messages: []protocol.Message{message(protocol.KindError, h.refuse)}})
		return nil
	}
	var replies []protocol.Message
	if f.Seq == 1 && len(f.Messages) > 0 && f.Messages[0].Kind == protocol.KindHello && (h.win == nil || h.win.Session() != f.Session) {
		h.win = window.New(f.Session)
		w := h.welcome
		w.Capability, w.Time = protocol.Capability, time.Now().UnixMilli()
		replies = append(replies, message(protocol.KindWelcome, w))
	}
	if h.win == nil || h.win.Session() != f.Session {
		c.say(&protocol.Frame{Session: f.Session, Messages: []protocol.Message{message(protocol.KindError, &protocol.Error{Code: protocol.CodeHelloWanted})}})
		return nil
	}
	verdict, _ := h.win.Receive(f)
	if verdict == window.Deliver {
		if h.answer != nil {
			for _, m := range f.Messages {
				replies = append(replies, h.answer(m)...)
			}
		}
		if h.win == nil {
			return nil // it has just been restarted
		}
		h.win.Done(f)
	}
	switch {
	case len(replies) > 0:
		c.say(h.win.Next(replies))
	case verdict == window.Deliver || verdict == window.Duplicate:
		c.say(h.win.Ack())
	}
	return nil
}

func (c *conn) say(f *protocol.Frame) {
	b, err := c.h.codec.Encode(f)
	if err != nil {
		c.h.t.Errorf("encode: %v", err)
		return
	}
	c.in.Frame(b)
}

// says sends messages to the agent, on a carrier that pushes.
func (h *hub) says(messages ...protocol.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conn.say(h.win.Next(messages))
}

func message(kind protocol.Kind, body any) protocol.Message {
	m, err := protocol.NewMessage(kind, body)
	if err != nil {
		panic(err)
	}
	return m
}

// orders signs an order for the device.
func (h *hub) orders(key ed25519.PrivateKey, mark protocol.OrderMark, body protocol.OrderBody) protocol.Message {
	o, err := protocol.SignOrders(key, h.state.Identity().ID, mark, &body)
	if err != nil {
		h.t.Fatal(err)
	}
	return message(protocol.KindOrders, o)
}

// newHub makes a device with its exchange, and the hub that it talks to. Settings are what the device was last ordered.
func newHub(t *testing.T, push bool, settings protocol.Settings) *hub {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &hub{t: t, key: key, codec: protocol.NewCodec(), state: state.NewMemory(1), push: push}
	if err := h.state.AcceptOrders(state.Accept{Mark: protocol.OrderMark{Epoch: 1, Seq: 1}, Settings: &settings}); err != nil {
		t.Fatal(err)
	}
	h.capture(1)
	h.e = New(Config{
		State: h.state, HubKey: pub, Codec: h.codec, Patcher: snapshot.NewPatcher(), Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Latest: func() capture.Capture {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.captured
		},
		Connect: func(_ context.Context, _ protocol.Settings, in Inbox) (Transport, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.connects = append(h.connects, time.Now())
			if h.deaf {
				return nil, errors.New("no answer")
			}
			h.conn = &conn{h: h, in: in, last: time.Now()}
			return h.conn, nil
		},
		Rand: rand.New(rand.NewPCG(1, 1)),
	})
	return h
}

// capture changes the device's state to the n-th.
func (h *hub) capture(n int) {
	canonical, hash := snapshot.Canonical(protocol.Snapshot{Host: protocol.Host{Name: "gw", CPUs: uint32(n)}})
	h.mu.Lock()
	h.captured = capture.Capture{OK: true, Canonical: canonical, Hash: hash, At: time.Now()}
	h.mu.Unlock()
	if h.e != nil {
		h.e.Wake()
	}
}

// run runs the exchange for the rest of the test; done gets how it ended.
func (h *hub) run() (done chan error) {
	ctx, cancel := context.WithCancel(context.Background())
	done = make(chan error, 2)
	go func() {
		err := h.e.Run(ctx)
		done <- err
		done <- err
	}()
	h.t.Cleanup(func() { cancel(); <-done })
	return done
}

// kinds lists the messages in all frames since the last call.
func (h *hub) kinds() (kinds []protocol.Kind) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.frames {
		for _, m := range f.Messages {
			kinds = append(kinds, m.Kind)
		}
	}
	h.frames, h.at = nil, nil
	return kinds
}

func (h *hub) count(kind protocol.Kind) (n int) {
	for _, k := range h.kinds() {
		if k == kind {
			n++
		}
	}
	return n
}

func (h *hub) locked(fn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fn()
}

func (h *hub) pinged() (n int) {
	h.locked(func() { n = len(h.pings) })
	return n
}

func (h *hub) connected() (n int) {
	h.locked(func() { n = len(h.connects) })
	return n
}

// now is the device's state.
func (h *hub) now() (hash protocol.ShortHash) {
	h.locked(func() { hash = h.captured.Hash })
	return hash
}
