package link_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/farshore/farshore/edgeagent/link"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
)

// testHub is as little of a hub as carriers need: it authenticates by exporter signatures and hands frames to a function.
type testHub struct {
	t     *testing.T
	key   ed25519.PrivateKey
	cert  tls.Certificate
	http  *http.Server
	codec *protocol.Codec
	https string // addresses
	mqtts string

	mu       sync.Mutex
	device   ed25519.PublicKey
	frames   [][]byte
	reply    []byte
	revoked  bool
	code     byte // by which CONNECT is refused, if not 0
	status   int  // answered in place of 200, if not 0
	knock    func(exporter []byte, s protocol.SignedKnock) protocol.KnockAnswer
	clients  []*client
	requests int
	auths    int
	arrived  chan struct{}
	idle     chan net.Conn // connections of the web server that rest
}

func newTestHub(t *testing.T) *testHub {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &testHub{t: t, key: key, cert: edgeCertificate(t, key), codec: protocol.NewCodec(), arrived: make(chan struct{}, 100), idle: make(chan net.Conn, 100)}
	h.http = &http.Server{
		Handler: http.HandlerFunc(h.serve), ErrorLog: log.New(io.Discard, "", 0),
		ConnState: h.state,
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, visitKey{}, new(visit))
		},
	}
	return h
}

// edgeCertificate is a leaf signed by the hub key, as the hub sends it alone.
func edgeCertificate(t *testing.T, hub ed25519.PrivateKey) tls.Certificate {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	past := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC) // dates are not judged
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: past, NotAfter: past.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, &x509.Certificate{PublicKey: hub.Public()}, pub, hub)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (h *testHub) tls() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{h.cert}, SessionTicketsDisabled: true,
	}
}

// listen serves on free ports of the loopback address, IPv6 if v6 is "::1".
func (h *testHub) listen(host string) {
	h.t.Helper()
	open := func() net.Listener {
		l, err := (&net.ListenConfig{KeepAlive: -1}).Listen(h.t.Context(), "tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			h.t.Fatal(err)
		}
		return tls.NewListener(l, h.tls())
	}
	web, mq := open(), open()
	h.https, h.mqtts = "https://"+web.Addr().String(), "mqtts://"+mq.Addr().String()
	var wg sync.WaitGroup
	wg.Go(func() { _ = h.http.Serve(web) })
	wg.Go(func() {
		for {
			c, err := mq.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { h.mqtt(c, c.(*tls.Conn)) })
		}
	})
	h.t.Cleanup(func() {
		_ = errors.Join(h.http.Close(), mq.Close())
		h.kick()
		wg.Wait()
	})
}

func (h *testHub) state(c net.Conn, s http.ConnState) {
	if s == http.StateIdle {
		h.idle <- c
	}
}

// kick ends all MQTT connections.
func (h *testHub) kick() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.clients {
		_ = c.Close()
	}
	h.clients = nil
}

// stream is MQTT bytes and the state of the TLS connection below them.
type stream struct {
	net.Conn
	state func() tls.ConnectionState
}

func (h *testHub) mqtt(c net.Conn, t *tls.Conn) {
	defer c.Close()
	if t.Handshake() == nil {
		h.speak(stream{Conn: c, state: t.ConnectionState})
	}
}

// client is a connected device as a broker sees it.
type client struct {
	stream
	mu sync.Mutex
	id protocol.DeviceID
}

func (c *client) write(p packets.ControlPacket) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return p.Write(c.stream)
}

// speak is the least of a broker: it authenticates, answers, and hands over what is published to the device's own topic. The real
// one is tried together with the real agent in internal/fleettest.
func (h *testHub) speak(s stream) {
	c := &client{stream: s}
	first, err := packets.ReadPacket(s)
	connect, ok := first.(*packets.ConnectPacket)
	if err != nil || !ok {
		return
	}
	ack := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
	if ack.ReturnCode = h.admit(connect, s); ack.ReturnCode != packets.Accepted {
		_ = c.write(ack)
		return
	}
	c.id = protocol.DeviceID(connect.ClientIdentifier)
	h.mu.Lock()
	h.clients = append(h.clients, c)
	h.mu.Unlock()
	for err = c.write(ack); err == nil; {
		var p packets.ControlPacket
		if p, err = packets.ReadPacket(s); err != nil {
			return
		}
		switch p := p.(type) {
		case *packets.SubscribePacket:
			ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			ack.MessageID, ack.ReturnCodes = p.MessageID, []byte{0}
			if len(p.Topics) != 1 || p.Topics[0] != protocol.DownTopic(c.id) {
				ack.ReturnCodes[0] = 0x80
			}
			err = c.write(ack)
		case *packets.PingreqPacket:
			err = c.write(packets.NewControlPacket(packets.Pingresp))
		case *packets.PublishPacket:
			if p.TopicName != protocol.UpTopic(c.id) || p.Qos != 0 || p.Retain {
				return
			}
			h.got(p.Payload)
		default:
			return
		}
	}
}

func (h *testHub) admit(p *packets.ConnectPacket, s stream) byte {
	state := s.state()
	exporter, err := protocol.Exporter(&state)
	if err != nil {
		return packets.ErrRefusedNotAuthorised
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, bootErr := protocol.ParseBoot(p.Username)
	switch {
	case p.ProtocolVersion != 4:
		return packets.ErrRefusedBadProtocolVersion
	case h.code != 0:
		return h.code
	case h.revoked, bootErr != nil, p.Keepalive == 0, p.WillFlag, !p.CleanSession,
		p.ClientIdentifier != string(protocol.DeviceIDFor(h.device)),
		protocol.VerifyConnection(h.device, protocol.ConnectionSignature{
			Purpose: protocol.PurposeMQTT, Detail: p.Username, Exporter: exporter, Sig: p.Password,
		}) != nil:
		return packets.ErrRefusedNotAuthorised
	}
	return packets.Accepted
}

func (h *testHub) got(frame []byte) {
	h.mu.Lock()
	h.frames = append(h.frames, bytes.Clone(frame))
	h.mu.Unlock()
	h.arrived <- struct{}{}
}

// push sends a frame to the device.
func (h *testHub) push(frame []byte) {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	cl := h.clients[len(h.clients)-1]
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload = protocol.DownTopic(cl.id), frame
	err := cl.write(p)
	if err != nil {
		h.t.Error(err)
	}
}

type visitKey struct{}

type visit struct{ known bool }

func (h *testHub) serve(w http.ResponseWriter, r *http.Request) {
	w.Header()["Date"] = nil
	w.Header()["Content-Type"] = nil
	exporter, err := protocol.Exporter(r.TLS)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch r.URL.Path {
	case "/edge" + protocol.PathFrames, protocol.PathFrames:
		h.frame(w, r, exporter)
	case protocol.PathKnock:
		h.knocked(w, r, exporter)
	case protocol.PathMQTT:
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"mqtt"}, CompressionMode: websocket.CompressionDisabled})
		if err != nil {
			return
		}
		defer ws.CloseNow()
		c := websocket.NetConn(context.Background(), ws, websocket.MessageBinary)
		h.speak(stream{Conn: c, state: func() tls.ConnectionState { return *r.TLS }})
	default:
		http.NotFound(w, r)
	}
}

func (h *testHub) frame(w http.ResponseWriter, r *http.Request, exporter []byte) {
	v := r.Context().Value(visitKey{}).(*visit)
	h.mu.Lock()
	h.requests++
	status, reply, revoked, device := h.status, h.reply, h.revoked, h.device
	h.mu.Unlock()
	if header := r.Header.Get("Authorization"); header != "" {
		id, boot, sig, err := protocol.ParseAuthorization(header)
		if err == nil && id == protocol.DeviceIDFor(device) {
			err = protocol.VerifyConnection(device, protocol.ConnectionSignature{
				Purpose: protocol.PurposeHTTPS, Detail: boot.String(), Exporter: exporter, Sig: sig,
			})
		}
		v.known = err == nil
		h.mu.Lock()
		h.auths++
		h.mu.Unlock()
	}
	body, _ := io.ReadAll(r.Body)
	switch {
	case status != 0:
		w.WriteHeader(status)
		_, _ = w.Write([]byte("<html>from a proxy</html>"))
	case revoked, !v.known:
		m, _ := protocol.NewMessage(protocol.KindError, protocol.Error{Code: protocol.CodeRevoked, Text: "this device was revoked"})
		b, _ := h.codec.Encode(&protocol.Frame{Messages: []protocol.Message{m}})
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write(b)
	case reply == nil:
		h.got(body)
		w.WriteHeader(http.StatusNoContent)
	default:
		h.got(body)
		_, _ = w.Write(reply)
	}
}

func (h *testHub) knocked(w http.ResponseWriter, r *http.Request, exporter []byte) {
	body, _ := io.ReadAll(r.Body)
	var s protocol.SignedKnock
	if err := protocol.Unmarshal(body, &s); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	h.requests++
	answer := h.knock(exporter, s)
	h.mu.Unlock()
	b, _ := protocol.Marshal(answer)
	_, _ = w.Write(b)
}

func (h *testHub) edgeKey() waitingroom.EdgeKey {
	return waitingroom.EdgeKey{
		HTTPS: h.https, MQTT: h.mqtts, HubKey: h.key.Public().(ed25519.PublicKey), KeyID: "k1", Secret: []byte("0123456789abcdef"),
	}
}

// agent is the other end: a device key and what it received.
type agent struct {
	cfg    link.Config
	frames chan []byte
	down   chan error
}

func (h *testHub) agent() *agent {
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	h.device = pub
	a := &agent{frames: make(chan []byte, 10), down: make(chan error, 10)}
	a.cfg = link.Config{
		EdgeKey: h.edgeKey(), Key: key, Boot: protocol.Boot{ID: [8]byte{1, 2, 3}, Counter: 7}, KeepAlive: time.Minute,
		OnFrame: func(b []byte) { a.frames <- bytes.Clone(b) }, OnDown: func(err error) { a.down <- err },
		Log: slog.New(slog.DiscardHandler),
	}
	return a
}
