package edge_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/farshore/farshore/hub/edge"
	"github.com/farshore/farshore/hub/identity"
	"github.com/farshore/farshore/internal/doorway"
	"github.com/farshore/farshore/protocol"
)

func TestFramesOverHTTPS(t *testing.T) {
	h := start(t, doorway.Config{})
	d := h.enrol(t)
	resp, b := d.post(t, protocol.PathFrames, d.header(t), d.hello(t))
	f, err := protocol.NewCodec().Decode(b)
	if err != nil || resp.StatusCode != http.StatusOK || f.Ack != 1 || f.Messages[0].Kind != protocol.KindWelcome {
		t.Fatalf("%s: %+v, %v", resp.Status, f, err)
	}
	if len(resp.Header) != 1 { // Content-Length
		t.Errorf("headers that cost bytes with each exchange: %v", resp.Header)
	}
	// The connection is known now; a prefix before the path is the proxy's or the operator's business.
	ack, err := protocol.NewCodec().Encode(&protocol.Frame{Session: 1, Ack: 1})
	if err != nil {
		t.Fatal(err)
	}
	resp, b = d.post(t, "/some/prefix"+protocol.PathFrames, "", ack)
	if resp.StatusCode != http.StatusNoContent || len(b) != 0 || len(resp.Header) != 0 {
		t.Errorf("an acknowledgement alone: %s, %d bytes, headers %v", resp.Status, len(b), resp.Header)
	}
	if c, ok := h.Online(d.id); !ok || c != protocol.CarrierHTTPS {
		t.Errorf("online %v by %q", ok, c)
	}
	d.post(t, protocol.PathFrames, "", frame(t, 2, protocol.KindEvent, strings.Repeat("x", 2000)))
	if up := h.Spent(d.id)[protocol.ClassResults].Up; up < 100 {
		t.Errorf("on a connection that lives the event was counted as %d bytes", up)
	}
	before := h.Spent(d.id)
	h.mu.Lock()
	h.revoked[d.id] = true
	h.mu.Unlock()
	resp, b = d.post(t, protocol.PathFrames, "", ack)
	if resp.StatusCode != http.StatusForbidden || refusal(t, b).Code != protocol.CodeRevoked {
		t.Errorf("after revoking: %s %v", resp.Status, refusal(t, b))
	}
	// The connection is over; its bytes are counted for what they were spent on.
	for end := time.Now().Add(10 * time.Second); h.Spent(d.id) == before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the end was not counted")
		}
	}
	c := h.Spent(d.id)
	if up := c[protocol.ClassResults].Up; up < 100 || up > 2500 {
		t.Errorf("the event was counted as %d bytes", up)
	}
	if down := c[protocol.ClassDesired].Down + c[protocol.ClassSession].Down; down < 500 || c.Total().Down != down {
		t.Errorf("down: %+v", c)
	}
}

func TestWhoMayNotExchange(t *testing.T) {
	h := start(t, doorway.Config{})
	other := h.enrol(t)
	cases := map[string]struct {
		auth   func(*device) string
		status int
		code   protocol.Code
	}{
		"no signature": {func(*device) string { return "" }, 401, protocol.CodeBadSignature},
		"replayed":     {func(d *device) string { s := d.header(t); d.dial(t); return s }, 401, protocol.CodeBadSignature},
		"another's key": {func(d *device) string {
			return protocol.Authorization(other.id, d.boot, d.sign(t, protocol.PurposeHTTPS, d.boot.String()))
		}, 401, protocol.CodeBadSignature},
		"signed for MQTT": {func(d *device) string {
			return protocol.Authorization(d.id, d.boot, d.sign(t, protocol.PurposeMQTT, d.boot.String()))
		}, 401, protocol.CodeBadSignature},
		"garbage": {func(*device) string { return "Farshore x y z" }, 400, protocol.CodeMalformed},
		"unknown": {func(d *device) string {
			h.mu.Lock()
			delete(h.keys, d.id)
			h.mu.Unlock()
			return d.header(t)
		}, 403, protocol.CodeUnknown},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := h.enrol(t)
			resp, b := d.post(t, protocol.PathFrames, c.auth(d), d.hello(t))
			if e := refusal(t, b); resp.StatusCode != c.status || e.Code != c.code {
				t.Errorf("%s, %v; want %d, %v", resp.Status, &e, c.status, c.code)
			}
			if !resp.Close {
				t.Error("the connection is kept")
			}
		})
	}
	t.Run("another device on a known connection", func(t *testing.T) {
		d := h.enrol(t)
		d.post(t, protocol.PathFrames, d.header(t), d.hello(t))
		twin := &device{h: h, id: other.id, key: other.key, boot: other.boot, conn: d.conn}
		_, b := d.post(t, protocol.PathFrames, twin.header(t), d.hello(t))
		if e := refusal(t, b); e.Code != protocol.CodeBadSignature {
			t.Error(&e)
		}
	})
}

func TestHostileBodies(t *testing.T) {
	h := start(t, doorway.Config{})
	for name, c := range map[string]struct {
		body   []byte
		status int
		code   protocol.Code
	}{
		"too large":   {make([]byte, protocol.MaxFrame+1), http.StatusRequestEntityTooLarge, protocol.CodeTooLarge},
		"not a frame": {[]byte("\x00nonsense"), http.StatusOK, protocol.CodeMalformed},
	} {
		d := h.enrol(t)
		resp, b := d.post(t, protocol.PathFrames, d.header(t), c.body)
		if e := refusal(t, b); resp.StatusCode != c.status || e.Code != c.code {
			t.Errorf("%s: %s, %v", name, resp.Status, &e)
		}
	}
	// A fault inside is not told.
	h.fail = errors.New("secret detail of the database")
	d := h.enrol(t)
	d.post(t, protocol.PathFrames, d.header(t), d.hello(t))
	_, b := d.post(t, protocol.PathFrames, "", frame(t, 2, protocol.KindEvent, "x"))
	if e := refusal(t, b); e.Code != protocol.CodeInternal || strings.Contains(e.Text, "secret") {
		t.Errorf("told %v", &e)
	}
}

func TestKnocks(t *testing.T) {
	h := start(t, doorway.Config{Timeout: time.Second})
	d := h.enrol(t)
	body, err := protocol.Marshal(protocol.SignedKnock{Knock: []byte("k"), Sig: []byte("s")})
	if err != nil {
		t.Fatal(err)
	}
	decode := func(b []byte) (a protocol.KnockAnswer) {
		t.Helper()
		if err := protocol.Unmarshal(b, &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	state := d.conn.ConnectionState()
	exporter, _ := protocol.Exporter(&state)

	// Held for longer than a stranger may stay; then answered, on the same connection.
	h.knock = func(ctx context.Context, r edge.KnockRequest) (protocol.KnockAnswer, error) {
		if string(r.Signed.Knock) != "k" || !bytes.Equal(r.Exporter, exporter) || !r.Remote.IsLoopback() {
			t.Errorf("the waiting room was given %+v", r)
		}
		select {
		case <-time.After(1500 * time.Millisecond):
		case <-ctx.Done():
			t.Error("the knock was cut short")
		}
		return protocol.KnockAnswer{State: protocol.KnockWaiting}, nil
	}
	if resp, b := d.post(t, protocol.PathKnock, "", body); resp.StatusCode != 200 || decode(b).State != protocol.KnockWaiting || resp.Close {
		t.Errorf("%s %+v", resp.Status, decode(b))
	}
	h.knock = func(context.Context, edge.KnockRequest) (protocol.KnockAnswer, error) {
		return protocol.KnockAnswer{}, &protocol.Error{Code: protocol.CodeKeyUsed, Text: "no uses left"}
	}
	if resp, b := d.post(t, protocol.PathKnock, "", body); resp.StatusCode != 403 || decode(b).State != protocol.KnockRefused || decode(b).Code != protocol.CodeKeyUsed || !resp.Close {
		t.Errorf("%s %+v", resp.Status, decode(b))
	}
	d.dial(t)
	h.knock = func(context.Context, edge.KnockRequest) (protocol.KnockAnswer, error) {
		return protocol.KnockAnswer{}, errors.New("secret detail of the database")
	}
	if resp, b := d.post(t, protocol.PathKnock, "", body); resp.StatusCode != 500 || decode(b).Code != protocol.CodeInternal || strings.Contains(decode(b).Text, "secret") {
		t.Errorf("%s %+v", resp.Status, decode(b))
	}
	d.dial(t)
	if resp, b := d.post(t, protocol.PathKnock, "", make([]byte, 40<<10)); resp.StatusCode != 413 || decode(b).Code != protocol.CodeTooLarge {
		t.Errorf("%s %+v", resp.Status, decode(b))
	}

	// One that has been answered and does not knock on is a stranger again.
	d.dial(t)
	h.knock = func(context.Context, edge.KnockRequest) (protocol.KnockAnswer, error) {
		return protocol.KnockAnswer{State: protocol.KnockWaiting}, nil
	}
	d.post(t, protocol.PathKnock, "", body)
	if _, err := d.conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection stays")
	}
}

func TestBrowsersGetTheConsole(t *testing.T) {
	h := start(t, doorway.Config{})
	for proto, want := range map[string]string{"h2": "console HTTP/2.0", "http/1.1": "console HTTP/1.1"} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: proto == "h2"}
		resp, err := (&http.Client{Transport: tr}).Get("https://" + h.addr + "/f")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(b) != want {
			t.Errorf("%s: got %q", proto, b)
		}
		if got := identity.FingerprintOf(resp.TLS.PeerCertificates[0].Raw); got != h.id.Fingerprint() {
			t.Errorf("%s: certificate %s, the hub prints %s", proto, got, h.id.Fingerprint())
		}
		tr.CloseIdleConnections()
	}
}

func TestMQTTOverWebSocket(t *testing.T) {
	h := start(t, doorway.Config{})
	d := h.enrol(t)
	open := func(t *testing.T) net.Conn {
		ws, resp, err := websocket.Dial(t.Context(), "https://"+h.addr+"/prefix"+protocol.PathMQTT, &websocket.DialOptions{HTTPClient: d.client, Subprotocols: []string{"mqtt"}})
		if err != nil {
			t.Fatal(err)
		}
		if resp.Header.Get("Sec-WebSocket-Extensions") != "" {
			t.Error("compression was agreed on")
		}
		return websocket.NetConn(context.Background(), ws, websocket.MessageBinary)
	}
	connect := func(c net.Conn, password []byte) (paho.Client, error) {
		cl := paho.NewClient(paho.NewClientOptions().AddBroker("ssl://hub").SetProtocolVersion(4).SetClientID(string(d.id)).
			SetUsername(d.boot.String()).SetPassword(string(password)).SetAutoReconnect(false).SetConnectRetry(false).
			SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return c, nil }))
		tok := cl.Connect()
		if !tok.WaitTimeout(10 * time.Second) {
			return cl, errors.New("no answer")
		}
		return cl, tok.Error()
	}
	old := d.sign(t, protocol.PurposeMQTT, d.boot.String())
	d.dial(t)
	if _, err := connect(open(t), old); err == nil {
		t.Error("a replayed password was accepted")
	}
	d.dial(t)
	cl, err := connect(open(t), d.sign(t, protocol.PurposeMQTT, d.boot.String()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Disconnect(0)
	down := make(chan []byte, 4)
	cl.Subscribe(protocol.DownTopic(d.id), 0, func(_ paho.Client, m paho.Message) { down <- m.Payload() }).WaitTimeout(10 * time.Second)
	cl.Publish(protocol.UpTopic(d.id), 0, false, d.hello(t))
	select {
	case b := <-down:
		if f, err := protocol.NewCodec().Decode(b); err != nil || f.Messages[0].Kind != protocol.KindWelcome {
			t.Errorf("got %+v, %v", f, err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no welcome")
	}
	if c, ok := h.Online(d.id); !ok || c != protocol.CarrierMQTT {
		t.Errorf("online %v by %q", ok, c)
	}
}

func TestStrangersAndCrowds(t *testing.T) {
	h := start(t, doorway.Config{Timeout: 500 * time.Millisecond})
	d := h.enrol(t)
	// One that says nothing after the handshake, and one that sends a header bit by bit.
	for _, said := range []string{"", "POST /f HTTP/1.1\r\nHost: x\r\nX: "} {
		d.dial(t)
		if _, err := d.conn.Write([]byte(said)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := d.conn.Read(make([]byte, 1)); err == nil || time.Since(start) > 5*time.Second {
			t.Errorf("%q: still there after %s", said, time.Since(start))
		}
	}
	// A device keeps at most four connections.
	var conns []*tls.Conn
	for range 6 {
		d.dial(t)
		conns = append(conns, d.conn)
		if resp, _ := d.post(t, protocol.PathFrames, d.header(t), d.hello(t)); resp.StatusCode != 200 {
			t.Fatal(resp.Status)
		}
	}
	for i, c := range conns[:2] {
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		var timeout net.Error
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("connection %d of 6 is kept: %v", i+1, err)
		}
	}
	if resp, _ := d.post(t, protocol.PathFrames, "", nil); resp.StatusCode != http.StatusNoContent && resp.StatusCode != 200 {
		t.Error("the newest was closed:", resp.Status)
	}
}

func TestNoAgentsWithoutTheirTLS(t *testing.T) {
	// The web handler never reaches the agents' side, whatever the path: there is no way in without ALPN and TLS 1.3.
	h := start(t, doorway.Config{})
	_, err := tls.Dial("tcp", h.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol.ALPN}, MaxVersion: tls.VersionTLS12})
	if err == nil {
		t.Error("an agent was let in with TLS 1.2")
	}
}

// Whoever sends one request is no stranger of the door any more, but must not hold any number of connections either.
func TestBrowsersAtRestMakeRoom(t *testing.T) {
	h := start(t, doorway.Config{})
	browse := func() (*tls.Conn, error) {
		c, err := tls.Dial("tcp", h.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: hub\r\n\r\n")); err != nil {
			return nil, err
		}
		_, err = c.Read(make([]byte, 4096))
		return c, err
	}
	var conns []*tls.Conn
	for range 3 * maxWeb {
		c, err := browse()
		if err != nil {
			t.Fatalf("connection %d: %v", len(conns), err)
		}
		conns = append(conns, c)
	}
	if err := conns[0].SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conns[0].Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection that rests longest is kept: %v", err)
	}
	last := conns[len(conns)-1]
	if err := last.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := last.Write([]byte("GET / HTTP/1.1\r\nHost: hub\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if n, err := last.Read(make([]byte, 4096)); n == 0 {
		t.Errorf("the newest connection was closed: %v", err)
	}
}

// A handler that refuses a request does not read it, and net/http would wait for the rest of it without end.
func TestARefusedRequestIsNotWaitedFor(t *testing.T) {
	h := start(t, doorway.Config{})
	c, err := tls.Dial("tcp", h.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: hub\r\nContent-Length: 1000\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	if said, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(said), "HTTP/1.1 200") {
		t.Errorf("the hub said %q, and then: %v", said, err)
	}
}
