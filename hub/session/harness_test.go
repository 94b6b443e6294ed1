package session_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/hub/orders"
	"github.com/farshore/farshore/hub/session"
	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/protocol/window"
)

// hub is a real manager with real orders, over a fleet that the test sets.
type hub struct {
	*session.Manager
	pub ed25519.PublicKey

	mu       sync.Mutex
	keys     map[protocol.DeviceID]ed25519.PublicKey
	revoked  map[protocol.DeviceID]bool
	boots    map[protocol.DeviceID]protocol.Boot
	settings protocol.Settings
	desired  []protocol.Entry
	pending  []protocol.Command
	sent     []protocol.CommandID
	events   []string
	got      []string // what handlers processed, in order
	failing  error    // what handlers answer
	fold     protocol.ShortHash
	contacts int
}

func newHub(t *testing.T, edit func(*session.Config)) *hub {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &hub{
		pub: pub, keys: map[protocol.DeviceID]ed25519.PublicKey{}, revoked: map[protocol.DeviceID]bool{},
		boots: map[protocol.DeviceID]protocol.Boot{}, settings: protocol.DefaultSettings(protocol.ModeAsync),
	}
	record := func(_ context.Context, from *session.Peer, m protocol.Message) ([]protocol.Message, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.failing != nil {
			return nil, h.failing
		}
		h.got = append(h.got, m.Kind.String()+" "+string(m.Body[1:]))
		return nil, nil
	}
	c := session.Config{
		Codec: protocol.NewCodec(), Devices: h,
		Orders:   orders.New(orders.Config{Key: key, Sources: h}),
		Handlers: map[protocol.Kind]session.Handler{protocol.KindEvent: record, protocol.KindWant: wantHandler},
		Snapshot: func(protocol.DeviceID) protocol.ShortHash { return h.fold },
		Event: func(_ protocol.DeviceID, kind, _ string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.events = append(h.events, kind)
		},
	}
	if edit != nil {
		edit(&c)
	}
	h.Manager = session.New(c)
	return h
}

// wantHandler answers with as many chunks of 16 kB as the body says.
func wantHandler(_ context.Context, _ *session.Peer, m protocol.Message) ([]protocol.Message, error) {
	var w protocol.Want
	if err := m.Decode(&w); err != nil {
		return nil, err
	}
	var out []protocol.Message
	for range w.Items[0].Max {
		data := make([]byte, protocol.MaxChunk)
		if _, err := randRead(data); err != nil {
			return nil, err
		}
		msg, err := protocol.NewMessage(protocol.KindChunk, protocol.BlobChunk{Data: data})
		if err != nil {
			return nil, err
		}
		out = append(out, msg)
	}
	return out, nil
}

// run starts the manager and ends it with the test.
func (h *hub) run(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = h.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

func (h *hub) locked(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

func (h *hub) Key(id protocol.DeviceID) (ed25519.PublicKey, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.revoked[id] {
		return nil, &protocol.Error{Code: protocol.CodeRevoked, Text: "revoked"}
	}
	if k, ok := h.keys[id]; ok {
		return k, nil
	}
	return nil, &protocol.Error{Code: protocol.CodeUnknown, Text: "unknown"}
}

func (h *hub) Boot(id protocol.DeviceID) protocol.Boot {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.boots[id]
}

func (h *hub) Hello(id protocol.DeviceID, m *protocol.Hello) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.boots[id] = protocol.Boot{ID: [8]byte(m.BootID), Counter: m.BootCounter}
	return nil
}

func (h *hub) Contact(protocol.DeviceID, time.Time, protocol.Carrier) {
	h.locked(func() { h.contacts++ })
}

func (h *hub) Settings(protocol.DeviceID) (s protocol.Settings) {
	h.locked(func() { s = h.settings })
	return s
}

func (h *hub) Desired(protocol.DeviceID) (d []protocol.Entry) {
	h.locked(func() { d = h.desired })
	return d
}

func (h *hub) Pending(protocol.DeviceID, time.Time) (p []protocol.Command) {
	h.locked(func() { p = append(p, h.pending...) })
	return p
}
func (h *hub) Repealed(protocol.DeviceID) []protocol.CommandID { return nil }
func (h *hub) Tunnel(protocol.DeviceID) *protocol.TunnelAsk    { return nil }
func (h *hub) Sent(_ protocol.DeviceID, ids []protocol.CommandID) error {
	h.locked(func() { h.sent = append(h.sent, ids...) })
	return nil
}

func (h *hub) NotTaken(protocol.DeviceID, []protocol.CommandID) {}

// give puts a command to the device and says so.
func (h *hub) give(dev protocol.DeviceID) protocol.CommandID {
	id := protocol.NewCommandID(time.Now())
	h.locked(func() {
		h.pending = append(h.pending, protocol.Command{ID: id, Kind: protocol.CommandSnapshot, NotAfter: time.Now().Add(time.Hour).Unix()})
	})
	h.Notify(dev)
	return id
}

// agent is the device's side, as small as it can be: it acknowledges what it gets and keeps what it was told.
type agent struct {
	t    *testing.T
	h    *hub
	id   protocol.DeviceID
	boot protocol.Boot
	win  *window.Window
	cod  *protocol.Codec

	link   *session.Link
	conn   *conn
	mu     sync.Mutex // guards win and what follows
	mark   protocol.OrderMark
	set    []protocol.Entry
	have   *protocol.Settings
	slot   time.Duration
	spread time.Duration
	told   []protocol.CommandID
	times  []time.Time // when commands came
	codes  []protocol.Code
	kinds  []protocol.Kind
}

func (h *hub) enrol(t *testing.T) *agent {
	t.Helper()
	pub, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{t: t, h: h, id: protocol.DeviceIDFor(pub), cod: protocol.NewCodec(), boot: protocol.Boot{ID: [8]byte{1}, Counter: 1}}
	h.locked(func() { h.keys[a.id] = pub })
	return a
}

// copyOf is the same device in another run.
func (a *agent) copyOf(id byte, counter uint64) *agent {
	return &agent{t: a.t, h: a.h, id: a.id, cod: a.cod, boot: protocol.Boot{ID: [8]byte{id}, Counter: counter}}
}

// conn is a connection in memory.
type conn struct {
	a      *agent
	mu     sync.Mutex
	dead   bool // swallows what is sent
	closed error
	sent   int // frames, also those that are swallowed
	frames chan []byte
	tally  meter.Tally
}

func (c *conn) Carrier() protocol.Carrier { return protocol.CarrierMQTT }
func (c *conn) Tally() *meter.Tally       { return &c.tally }
func (c *conn) Close(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed == nil {
		c.closed = reason
		close(c.frames)
	}
}

func (c *conn) Send(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed != nil {
		return errors.New("closed")
	}
	c.sent++
	if !c.dead {
		c.frames <- b
	}
	return nil
}

func (c *conn) die() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
}

// connect attaches a new connection; the agent reads it until it is closed.
func (a *agent) connect() error {
	c := &conn{a: a, frames: make(chan []byte, 64)}
	l, err := a.h.Attach(a.id, a.boot, c)
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.link, a.conn = l, c
	a.mu.Unlock()
	go func() {
		for b := range c.frames {
			for _, f := range a.take(b) {
				l.Receive(f)
			}
		}
		l.Close()
	}()
	l.Ready()
	return nil
}

func (a *agent) mustConnect() {
	a.t.Helper()
	if err := a.connect(); err != nil {
		a.t.Fatal(err)
	}
}

// hello opens a session and returns its first frame.
func (a *agent) hello(session uint64) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.win = window.New(session)
	m := protocol.Hello{
		Capability: protocol.Capability, BootID: a.boot.ID[:], BootCounter: a.boot.Counter, Desired: protocol.DesiredHash(a.set),
		OrderEpoch: a.mark.Epoch, OrderSeq: a.mark.Seq,
	}
	if a.have != nil {
		m.Settings = a.have.Hash()
	}
	return a.encode(a.win.Next([]protocol.Message{a.message(protocol.KindHello, m)}))
}

func (a *agent) message(k protocol.Kind, v any) protocol.Message {
	m, err := protocol.NewMessage(k, v)
	if err != nil {
		panic(err)
	}
	return m
}

func (a *agent) encode(f *protocol.Frame) []byte {
	b, err := a.cod.Encode(f)
	if err != nil {
		panic(err)
	}
	return b
}

// event makes a numbered frame with one event.
func (a *agent) event(text string) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.encode(a.win.Next([]protocol.Message{a.message(protocol.KindEvent, text)}))
}

// take processes one frame from the hub and returns what answers it.
func (a *agent) take(b []byte) (replies [][]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f, err := a.cod.Decode(b)
	if err != nil {
		a.t.Errorf("the hub sent a frame that cannot be read: %v", err)
		return nil
	}
	for _, m := range f.Messages {
		if m.Kind == protocol.KindError {
			var e protocol.Error
			if err := m.Decode(&e); err != nil {
				a.t.Error(err)
			}
			a.codes = append(a.codes, e.Code)
		}
	}
	if a.win == nil || f.Session != a.win.Session() {
		return nil
	}
	switch v, _ := a.win.Receive(f); v {
	case window.Deliver:
		for _, m := range f.Messages {
			a.apply(m)
		}
		a.win.Done(f)
		return [][]byte{a.encode(a.win.Ack())}
	case window.Duplicate:
		return [][]byte{a.encode(a.win.Ack())}
	case window.Gap:
		return [][]byte{a.encode(a.win.Missing())}
	}
	return nil
}

func (a *agent) apply(m protocol.Message) {
	a.kinds = append(a.kinds, m.Kind)
	if m.Kind == protocol.KindWelcome {
		var w protocol.Welcome
		if err := m.Decode(&w); err != nil {
			a.t.Error(err)
		}
		a.slot, a.spread = time.Duration(w.Slot)*time.Millisecond, time.Duration(w.Spread)*time.Millisecond
	}
	if m.Kind != protocol.KindOrders {
		return
	}
	var o protocol.Orders
	if err := m.Decode(&o); err != nil {
		a.t.Error(err)
		return
	}
	body, err := o.Open(a.h.pub, a.id, a.mark)
	if err != nil {
		a.t.Errorf("the device refuses an order: %v", err)
		return
	}
	a.mark = protocol.OrderMark{Epoch: o.Epoch, Seq: o.Seq}
	if body.Settings != nil {
		a.have = body.Settings
	}
	if body.Desired != nil {
		set, ok := body.Desired.Apply(a.set)
		if !ok {
			a.t.Error("the desired set does not apply to what the device holds")
		}
		a.set = set
	}
	for _, c := range body.Commands {
		a.told = append(a.told, c.ID)
		a.times = append(a.times, time.Now())
	}
}

// begin connects and opens a session.
func (a *agent) begin() {
	a.t.Helper()
	a.mustConnect()
	a.link.Receive(a.hello(7))
	synctest.Wait()
}

// exchange sends one frame over HTTPS and processes what comes back.
func (a *agent) exchange(frame []byte) (answered bool) {
	a.t.Helper()
	reply, err := a.h.Exchange(a.t.Context(), session.Request{Device: a.id, Boot: a.boot, Frame: frame})
	if err != nil {
		a.t.Fatal(err)
	}
	if len(reply) > 0 {
		a.take(reply)
	}
	return len(reply) > 0
}

// ack is the frame with which the agent asks over HTTPS whether there is something.
func (a *agent) ack() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.encode(a.win.Ack())
}

// state returns copies of what the agent has got.
func (a *agent) state() (told []protocol.CommandID, codes []protocol.Code, kinds []protocol.Kind) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append(told, a.told...), append(codes, a.codes...), append(kinds, a.kinds...)
}
