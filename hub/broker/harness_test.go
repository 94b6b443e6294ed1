package broker_test

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/farshore/farshore/hub/broker"
	"github.com/farshore/farshore/hub/gate"
	"github.com/farshore/farshore/hub/identity"
	"github.com/farshore/farshore/hub/orders"
	"github.com/farshore/farshore/hub/session"
	"github.com/farshore/farshore/internal/doorway"
	"github.com/farshore/farshore/protocol"
)

// hub is a real broker on a real port, with real sessions over a fleet that the test sets.
type hub struct {
	*session.Manager
	addr string
	door *doorway.Door

	mu      sync.Mutex
	keys    map[protocol.DeviceID]ed25519.PublicKey
	revoked map[protocol.DeviceID]bool
	got     map[protocol.DeviceID][]string // bodies of events
	arrived chan struct{}                  // something was put into got
}

func start(t *testing.T, door doorway.Config) *hub {
	t.Helper()
	h := newHub(t, door)
	l, err := doorway.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = l.Addr().String()
	b := h.broker(t)
	h.run(t, func(ctx context.Context) error { return b.Serve(ctx, l) })
	return h
}

func newHub(t *testing.T, door doorway.Config) *hub {
	t.Helper()
	h := &hub{
		keys: map[protocol.DeviceID]ed25519.PublicKey{}, revoked: map[protocol.DeviceID]bool{},
		got: map[protocol.DeviceID][]string{}, arrived: make(chan struct{}, 1000), door: doorway.New(door),
	}
	h.Manager = session.New(session.Config{
		Devices: h, Orders: orders.New(orders.Config{Key: ed25519.NewKeyFromSeed(make([]byte, 32)), Sources: h}),
		Handlers: map[protocol.Kind]session.Handler{
			protocol.KindEvent: func(_ context.Context, from *session.Peer, m protocol.Message) ([]protocol.Message, error) {
				h.mu.Lock()
				defer h.mu.Unlock()
				h.got[from.ID] = append(h.got[from.ID], string(m.Body[1:]))
				h.arrived <- struct{}{}
				return nil, nil
			},
		},
	})
	return h
}

func (h *hub) broker(t *testing.T) *broker.Broker {
	t.Helper()
	id, err := identity.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b, err := broker.New(broker.Config{Sessions: h.Manager, TLS: id.MQTTTLSConfig(identity.Extras{}), Gate: openGate(t), Door: h.door})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// run starts the hub and ends it with the test.
func (h *hub) run(t *testing.T, serve func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = h.Run(ctx) })
	wg.Go(func() {
		if err := serve(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
}

func (h *hub) Key(id protocol.DeviceID) (ed25519.PublicKey, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.revoked[id] {
		return nil, &protocol.Error{Code: protocol.CodeRevoked}
	}
	if k, ok := h.keys[id]; ok {
		return k, nil
	}
	return nil, &protocol.Error{Code: protocol.CodeUnknown}
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

// device has a key, and is known to the hub.
type device struct {
	id   protocol.DeviceID
	key  ed25519.PrivateKey
	boot protocol.Boot
}

func (h *hub) enrol(t *testing.T) device {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	id := protocol.DeviceIDFor(pub)
	h.keys[id] = pub
	return device{id: id, key: key, boot: protocol.Boot{ID: [8]byte{1}, Counter: 1}}
}

// dialTLS opens a connection to the MQTT port.
func (h *hub) dialTLS(t *testing.T) *tls.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", h.addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// sign proves on connection c to be the device that has the key.
func sign(t *testing.T, c *tls.Conn, d device) string {
	t.Helper()
	state := c.ConnectionState()
	exporter, err := protocol.Exporter(&state)
	if err != nil {
		t.Fatal(err)
	}
	return string(protocol.SignConnection(d.key, protocol.PurposeMQTT, d.boot.String(), exporter))
}

// foreign makes a paho client on connection c, in the name of the device. It must not connect by itself again.
func foreign(c net.Conn, d device, password string) *paho.ClientOptions {
	return paho.NewClientOptions().AddBroker("ssl://hub").SetProtocolVersion(4).SetClientID(string(d.id)).
		SetUsername(d.boot.String()).SetPassword(password).SetAutoReconnect(false).SetConnectRetry(false).
		SetConnectTimeout(8 * time.Second).SetWriteTimeout(5 * time.Second).
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return c, nil })
}

// connect waits for the outcome of a CONNECT.
func connect(t *testing.T, o *paho.ClientOptions) (paho.Client, error) {
	t.Helper()
	c := paho.NewClient(o)
	t.Cleanup(func() { c.Disconnect(0) })
	tok := c.Connect()
	if !tok.WaitTimeout(15 * time.Second) {
		return c, errors.New("no answer to CONNECT")
	}
	return c, tok.Error()
}

// enter connects the device as it should.
func (h *hub) enter(t *testing.T, d device, edit func(*paho.ClientOptions)) paho.Client {
	t.Helper()
	c := h.dialTLS(t)
	o := foreign(c, d, sign(t, c, d))
	if edit != nil {
		edit(o)
	}
	cl, err := connect(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

// frame encodes one message in a frame of session 1.
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

func (d device) hello(t *testing.T) []byte {
	return frame(t, 1, protocol.KindHello, protocol.Hello{Capability: protocol.Capability, BootID: d.boot.ID[:], BootCounter: d.boot.Counter})
}

// heard is what the hub got from a device.
func (h *hub) heard(id protocol.DeviceID) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.got[id], ",")
}

func openGate(t *testing.T) *gate.Gate {
	t.Helper()
	g, err := gate.New(gate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return g
}
