package link_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent/link"
	"github.com/farshore/farshore/protocol"
)

// kinds are the ways to connect, by what they are to be called in tests.
var kinds = map[string]func(link.Config) link.Transport{
	"mqtt": link.NewMQTT, "websocket": link.NewMQTTWebSocket, "https": link.NewHTTPS,
}

func each(t *testing.T, test func(t *testing.T, open func(link.Config) link.Transport)) {
	for name, open := range kinds {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// roundTrip sends frames both ways and a ping.
func roundTrip(t *testing.T, h *testHub, a *agent, tr link.Transport) {
	t.Helper()
	ctx := within(t)
	big := bytes.Repeat([]byte{9}, protocol.MaxFrame)
	h.reply = []byte("answer")
	if err := tr.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	for _, frame := range [][]byte{[]byte("one"), big} {
		if err := tr.Send(ctx, frame); err != nil {
			t.Fatal(err)
		}
		select {
		case <-h.arrived:
		case <-ctx.Done():
			t.Fatal("the frame did not arrive")
		}
	}
	if len(h.frames) != 2 || string(h.frames[0]) != "one" || !bytes.Equal(h.frames[1], big) {
		t.Fatalf("%d frames arrived, not what was sent", len(h.frames))
	}
	if tr.Push() {
		h.push([]byte("answer"))
		h.push(big)
	}
	want := [][]byte{[]byte("answer"), big}
	if !tr.Push() {
		want[1] = want[0]
	}
	for _, w := range want {
		select {
		case got := <-a.frames:
			if !bytes.Equal(got, w) {
				t.Fatalf("got %.20q of %d bytes, want %.20q", got, len(got), w)
			}
		case <-ctx.Done():
			t.Fatal("the hub's frame did not arrive")
		}
	}
	if err := tr.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tr.Close(), tr.Close()); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-a.down:
		t.Fatalf("closing told a loss: %v", err)
	default:
	}
}

func TestFramesBothWays(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			if l, err := net.Listen("tcp", net.JoinHostPort(host, "0")); err != nil {
				t.Skipf("no address %s on this machine: %v", host, err)
			} else if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			each(t, func(t *testing.T, open func(link.Config) link.Transport) {
				h := newTestHub(t)
				h.listen(host)
				a := h.agent()
				roundTrip(t, h, a, open(a.cfg))
			})
		})
	}
}

func TestTooLargeFramesAreNotSent(t *testing.T) {
	each(t, func(t *testing.T, open func(link.Config) link.Transport) {
		h := newTestHub(t)
		h.listen("127.0.0.1")
		tr := open(h.agent().cfg)
		defer tr.Close()
		if err := tr.Connect(within(t)); err != nil {
			t.Fatal(err)
		}
		if err := tr.Send(within(t), make([]byte, protocol.MaxFrame+1)); !errors.Is(err, protocol.ErrTooLarge) {
			t.Error(err)
		}
		if err := tr.Send(within(t), []byte("still works")); err != nil {
			t.Error(err)
		}
	})
}

func TestAnotherHubIsNotTrusted(t *testing.T) {
	each(t, func(t *testing.T, open func(link.Config) link.Transport) {
		h := newTestHub(t)
		h.listen("127.0.0.1")
		a := h.agent()
		a.cfg.EdgeKey.HubKey, _, _ = ed25519.GenerateKey(nil)
		tr := open(a.cfg)
		defer tr.Close()
		err := tr.Connect(within(t))
		if !errors.Is(err, link.ErrWrongHub) || !strings.Contains(err.Error(), "edge key") {
			t.Errorf("%v, want ErrWrongHub with a remedy", err)
		}
		if _, err := link.NewKnocker(a.cfg).Knock(within(t), func([]byte) ([]byte, error) {
			t.Error("a stranger was told something")
			return nil, errors.New("no")
		}); !errors.Is(err, link.ErrWrongHub) {
			t.Error(err)
		}
	})
}

func TestRefusalsAreToldApartFromFaults(t *testing.T) {
	each(t, func(t *testing.T, open func(link.Config) link.Transport) {
		h := newTestHub(t)
		h.listen("127.0.0.1")
		tr := open(h.agent().cfg)
		defer tr.Close()
		try := func() error {
			if err := tr.Connect(within(t)); err != nil {
				return err
			}
			return tr.Ping(within(t))
		}
		h.mu.Lock()
		h.revoked = true
		h.mu.Unlock()
		var refused *protocol.Error
		if err := try(); !errors.As(err, &refused) || refused.Code != protocol.CodeRevoked {
			t.Errorf("revoked: %v", err)
		}
		h.mu.Lock()
		h.revoked = tr.Push() // MQTT is still refused, and a proxy answers when the agent asks why
		h.status = http.StatusBadGateway
		h.mu.Unlock()
		if err := try(); !errors.Is(err, link.ErrUnreachable) || errors.As(err, &refused) {
			t.Errorf("502 of a proxy: %v, want nothing but ErrUnreachable", err)
		}
		h.mu.Lock()
		h.revoked, h.status = false, 0
		h.mu.Unlock()
		if err := try(); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestMQTTRefusalsHaveReasons(t *testing.T) {
	h := newTestHub(t)
	h.listen("127.0.0.1")
	cfg := h.agent().cfg
	for code, want := range map[byte]protocol.Code{2: protocol.CodeCopy, 3: protocol.CodeBusy, 4: protocol.CodeBadSignature} {
		h.mu.Lock()
		h.code = code
		h.mu.Unlock()
		var refused *protocol.Error
		if err := link.NewMQTT(cfg).Connect(within(t)); !errors.As(err, &refused) || refused.Code != want || refused.Text == "" {
			t.Errorf("return code %d: %v, want %v with a text", code, err, want)
		}
	}
}

func TestLossIsToldOnce(t *testing.T) {
	for _, name := range []string{"mqtt", "websocket"} {
		t.Run(name, func(t *testing.T) {
			h := newTestHub(t)
			h.listen("127.0.0.1")
			a := h.agent()
			closed := make(chan error, 1)
			var tr link.Transport
			a.cfg.OnDown = func(err error) {
				a.down <- err
				closed <- tr.Close() // must not wait for the goroutine it is called from
			}
			tr = kinds[name](a.cfg)
			if err := tr.Connect(within(t)); err != nil {
				t.Fatal(err)
			}
			h.kick()
			select {
			case err := <-a.down:
				if !errors.Is(err, link.ErrUnreachable) {
					t.Error(err)
				}
			case <-within(t).Done():
				t.Fatal("the loss was not told")
			}
			if err := <-closed; err != nil {
				t.Error(err)
			}
			if err := tr.Send(within(t), []byte("x")); !errors.Is(err, link.ErrUnreachable) {
				t.Errorf("send after the loss: %v", err)
			}
			if err := tr.Connect(within(t)); err != nil {
				t.Fatal(err)
			}
			if err := tr.Close(); err != nil {
				t.Fatal(err)
			}
			if len(a.down) != 0 {
				t.Errorf("told again: %v", <-a.down)
			}
		})
	}
}

func TestOneSignatureForManyRequests(t *testing.T) {
	h := newTestHub(t)
	h.listen("127.0.0.1")
	a := h.agent()
	a.cfg.EdgeKey.HTTPS += "/edge/" // a hub below a path
	tr := link.NewHTTPS(a.cfg)
	defer tr.Close()
	for range 5 {
		if err := tr.Send(within(t), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if h.auths != 1 || h.requests != 5 {
		t.Errorf("%d signatures for %d requests, want 1 for 5", h.auths, h.requests)
	}
	for range 4 {
		<-h.idle
	}
	if err := (<-h.idle).Close(); err != nil { // as a hub or a proxy does after a while
		t.Fatal(err)
	}
	if err := tr.Send(within(t), []byte("again")); err != nil {
		t.Fatalf("after the hub closed the connection: %v", err)
	}
	if h.auths != 2 || string(h.frames[len(h.frames)-1]) != "again" {
		t.Errorf("%d signatures, last frame %q", h.auths, h.frames[len(h.frames)-1])
	}
}

func TestKnockIsBoundToItsConnection(t *testing.T) {
	h := newTestHub(t)
	h.listen("127.0.0.1")
	a := h.agent()
	var exporters [][]byte
	h.knock = func(exporter []byte, s protocol.SignedKnock) protocol.KnockAnswer {
		exporters = append(exporters, exporter)
		if err := protocol.VerifyConnection(h.device, protocol.ConnectionSignature{
			Purpose: protocol.PurposeKnock, Detail: string(s.Knock), Exporter: exporter, Sig: s.Sig,
		}); err != nil {
			t.Error(err)
		}
		return protocol.KnockAnswer{State: protocol.KnockWaiting, RetryAfter: uint32(len(exporters))}
	}
	k := link.NewKnocker(a.cfg)
	defer k.Close()
	for i := range 4 {
		answer, err := k.Knock(within(t), func(exporter []byte) ([]byte, error) {
			body := []byte{0xa0}
			return protocol.Marshal(protocol.SignedKnock{Knock: body, Sig: protocol.SignConnection(a.cfg.Key, protocol.PurposeKnock, string(body), exporter)})
		})
		if err != nil || answer.State != protocol.KnockWaiting || answer.RetryAfter != uint32(i+1) {
			t.Fatalf("%+v, %v", answer, err)
		}
		if i == 1 {
			if err := k.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !bytes.Equal(exporters[0], exporters[1]) || bytes.Equal(exporters[1], exporters[2]) || !bytes.Equal(exporters[2], exporters[3]) {
		t.Error("want one connection before Close and one after it")
	}
}

func TestHubThatBreaksMQTT(t *testing.T) {
	h := newTestHub(t)
	h.listen("127.0.0.1")
	for name, send := range map[string][]byte{
		"huge length":   {0x30, 0xff, 0xff, 0xff, 0x7f},
		"endless":       {0x30, 0xff, 0xff, 0xff, 0xff, 0xff},
		"connect":       {0x10, 0},
		"foreign topic": append([]byte{0x30, 9}, "\x00\x05d/abcxy"...),
		"short publish": {0x30, 1, 0},
		"retry":         {0x36, 5, 0, 1, 'x', 0, 1},
		"connack again": {0x20, 2, 0, 0},
		"empty suback":  {0x90, 2, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			a := h.agent()
			tr := link.NewMQTT(a.cfg)
			defer tr.Close()
			if err := tr.Connect(within(t)); err != nil {
				t.Fatal(err)
			}
			h.mu.Lock()
			cl := h.clients[len(h.clients)-1]
			h.mu.Unlock()
			if _, err := cl.Write(send); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-a.down:
				if !errors.Is(err, protocol.ErrMalformed) && !errors.Is(err, protocol.ErrTooLarge) {
					t.Error(err)
				}
			case <-within(t).Done():
				t.Fatal("the connection lives on")
			}
			if len(a.frames) != 0 {
				t.Errorf("a frame was taken from it: %q", <-a.frames)
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	each(t, func(t *testing.T, open func(link.Config) link.Transport) {
		h := newTestHub(t)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		h.https, h.mqtts = fmt.Sprintf("https://%s", l.Addr()), fmt.Sprintf("mqtts://%s", l.Addr())
		tr := open(h.agent().cfg)
		defer tr.Close()
		if err := tr.Connect(within(t)); !errors.Is(err, link.ErrUnreachable) || !strings.Contains(err.Error(), l.Addr().String()) {
			t.Errorf("%v, want ErrUnreachable with the address", err)
		}
	})
}
