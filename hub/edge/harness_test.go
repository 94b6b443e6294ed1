package edge_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/broker"
	"github.com/farshore/farshore/hub/edge"
	"github.com/farshore/farshore/hub/gate"
	"github.com/farshore/farshore/hub/identity"
	"github.com/farshore/farshore/hub/orders"
	"github.com/farshore/farshore/hub/session"
	"github.com/farshore/farshore/internal/doorway"
	"github.com/farshore/farshore/protocol"
)

// maxWeb is how many connections those who are not agents may have in these tests.
const maxWeb = 5

// hub is the real public port with real sessions and a real broker behind it, over a fleet that the test sets.
type hub struct {
	*session.Manager
	addr string
	door *doorway.Door
	id   *identity.Identity
	gate *gate.Gate

	mu      sync.Mutex
	keys    map[protocol.DeviceID]ed25519.PublicKey
	revoked map[protocol.DeviceID]bool
	got     int // events
	knock   func(context.Context, edge.KnockRequest) (protocol.KnockAnswer, error)
	fail    error // what handlers answer
}

func start(t *testing.T, door doorway.Config) *hub {
	t.Helper()
	h := &hub{keys: map[protocol.DeviceID]ed25519.PublicKey{}, revoked: map[protocol.DeviceID]bool{}, door: doorway.New(door), gate: openGate(t)}
	h.Manager = session.New(session.Config{
		Devices: h, Orders: orders.New(orders.Config{Key: ed25519.NewKeyFromSeed(make([]byte, 32)), Sources: h}),
		Handlers: map[protocol.Kind]session.Handler{
			protocol.KindEvent: func(context.Context, *session.Peer, protocol.Message) ([]protocol.Message, error) {
				h.mu.Lock()
				defer h.mu.Unlock()
				h.got++
				return nil, h.fail
			},
		},
	})
	var err error
	if h.id, err = identity.Open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	b, err := broker.New(broker.Config{Sessions: h.Manager, TLS: h.id.MQTTTLSConfig(identity.Extras{}), Gate: openGate(t), Door: h.door})
	if err != nil {
		t.Fatal(err)
	}
	web := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprintf(w, "console %s", r.Proto) })
	s := edge.New(edge.Config{Sessions: h.Manager, Knocker: h, Streams: b, Web: web, TLS: h.id.TLSConfig(identity.Extras{}), Gate: h.gate, Door: h.door, WebConnections: maxWeb})
	l, err := doorway.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = h.Run(ctx) })
	wg.Go(func() {
		if err := s.Serve(ctx, l); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return h
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
func (h *hub) Boot(protocol.DeviceID) protocol.Boot                    { return protocol.Boot{} }
func (h *hub) Hello(protocol.DeviceID, *protocol.Hello) error          { return nil }
func (h *hub) Contact(protocol.DeviceID, time.Time, protocol.Carrier)  {}
func (h *hub) Desired(protocol.DeviceID) []protocol.Entry              { return nil }
func (h *hub) Pending(protocol.DeviceID, time.Time) []protocol.Command { return nil }
func (h *hub) Repealed(protocol.DeviceID) []protocol.CommandID         { return nil }
func (h *hub) Tunnel(protocol.DeviceID) *protocol.TunnelAsk            { return nil }
func (h *hub) NotTaken(protocol.DeviceID, []protocol.CommandID)        {}
func (h *hub) Sent(protocol.DeviceID, []protocol.CommandID) error      { return nil }
func (h *hub) Settings(protocol.DeviceID) protocol.Settings {
	return protocol.DefaultSettings(protocol.ModeStandard)
}

func (h *hub) Knock(ctx context.Context, r edge.KnockRequest) (protocol.KnockAnswer, error) {
	return h.knock(ctx, r)
}

// device has a key, is known to the hub, and keeps one HTTPS connection.
type device struct {
	h      *hub
	id     protocol.DeviceID
	key    ed25519.PrivateKey
	boot   protocol.Boot
	conn   *tls.Conn
	client *http.Client
}

func (h *hub) enrol(t *testing.T) *device {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	id := protocol.DeviceIDFor(pub)
	h.keys[id] = pub
	d := &device{h: h, id: id, key: key, boot: protocol.Boot{ID: [8]byte{1}, Counter: 1}}
	d.dial(t)
	return d
}

// dial opens a new connection, which all further requests use.
func (d *device) dial(t *testing.T) {
	t.Helper()
	c, err := tls.Dial("tcp", d.h.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol.ALPN}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	d.conn = c
	once := false
	tr := &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
		if once {
			return nil, errors.New("the hub has closed the connection")
		}
		once = true
		return c, nil
	}}
	t.Cleanup(tr.CloseIdleConnections)
	d.client = &http.Client{Transport: tr}
}

func (d *device) sign(t *testing.T, purpose, detail string) []byte {
	t.Helper()
	state := d.conn.ConnectionState()
	exporter, err := protocol.Exporter(&state)
	if err != nil {
		t.Fatal(err)
	}
	return protocol.SignConnection(d.key, purpose, detail, exporter)
}

func (d *device) header(t *testing.T) string {
	t.Helper()
	return protocol.Authorization(d.id, d.boot, d.sign(t, protocol.PurposeHTTPS, d.boot.String()))
}

// post sends one request and returns status, headers and body.
func (d *device) post(t *testing.T, path, auth string, body []byte) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, "https://"+d.h.addr+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, b
}

func frame(t *testing.T, seq uint64, kind protocol.Kind, body any) []byte {
	t.Helper()
	m, err := protocol.NewMessage(kind, body)
	if err != nil {
		t.Fatal(err)
	}
	b, err := protocol.NewCodec().Encode(&protocol.Frame{Session: 1, Seq: seq, Messages: []protocol.Message{m}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (d *device) hello(t *testing.T) []byte {
	t.Helper()
	return frame(t, 1, protocol.KindHello, protocol.Hello{Capability: protocol.Capability, BootID: d.boot.ID[:], BootCounter: d.boot.Counter})
}

// refusal decodes an Error frame.
func refusal(t *testing.T, b []byte) protocol.Error {
	t.Helper()
	f, err := protocol.NewCodec().Decode(b)
	if err != nil || len(f.Messages) != 1 || f.Messages[0].Kind != protocol.KindError || f.Seq != 0 {
		t.Fatalf("%q is no Error frame: %v", b, err)
	}
	var e protocol.Error
	if err := f.Messages[0].Decode(&e); err != nil {
		t.Fatal(err)
	}
	return e
}

func openGate(t *testing.T) *gate.Gate {
	t.Helper()
	g, err := gate.New(gate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return g
}
