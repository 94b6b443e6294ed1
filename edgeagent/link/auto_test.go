package link_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/edgeagent/link"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
)

// weather decides which kinds of connections can be made.
type weather struct {
	fails map[link.Kind]error
	tried []link.Kind
	cfg   link.Config
	open  int
}

type fakeTransport struct {
	w    *weather
	kind link.Kind
}

func (f *fakeTransport) Connect(context.Context) error {
	f.w.tried = append(f.w.tried, f.kind)
	if err := f.w.fails[f.kind]; err != nil {
		return err
	}
	f.w.open++
	return nil
}

func (f *fakeTransport) Name() protocol.Carrier {
	if f.kind == link.KindHTTPS {
		return protocol.CarrierHTTPS
	}
	return protocol.CarrierMQTT
}
func (f *fakeTransport) Send(context.Context, []byte) error { return nil }
func (f *fakeTransport) Ping(context.Context) error         { return nil }
func (f *fakeTransport) Push() bool                         { return f.kind != link.KindHTTPS }
func (f *fakeTransport) Close() error                       { return nil }

func newAuto(t *testing.T, w *weather, carrier protocol.Carrier) *link.Auto {
	t.Helper()
	a, err := link.NewAuto(link.AutoConfig{
		Carrier: carrier,
		Config: link.Config{
			EdgeKey: waitingroom.EdgeKey{HTTPS: "https://hub", MQTT: "mqtts://hub"},
			Key:     ed25519.NewKeyFromSeed(make([]byte, 32)), Log: slog.New(slog.DiscardHandler),
		},
		New: func(k link.Kind, cfg link.Config) link.Transport {
			w.cfg = cfg
			return &fakeTransport{w: w, kind: k}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var errDown = fmt.Errorf("%w: refused", link.ErrUnreachable)

func TestFallsBackAfterRepeatedFailure(t *testing.T) {
	const mqtt, ws, https = link.KindMQTT, link.KindMQTTWebSocket, link.KindHTTPS
	slow := fmt.Errorf("%w: %w", link.ErrUnreachable, context.DeadlineExceeded)
	for _, c := range []struct {
		name    string
		carrier protocol.Carrier
		fails   map[link.Kind]error
		want    []link.Kind
	}{
		{"all well", protocol.CarrierAuto, nil, []link.Kind{mqtt}},
		{"port closed", protocol.CarrierAuto, map[link.Kind]error{mqtt: errDown}, []link.Kind{mqtt, mqtt, ws}},
		{"port swallowed", protocol.CarrierAuto, map[link.Kind]error{mqtt: slow}, []link.Kind{mqtt, ws}},
		{"proxy breaks WebSockets", protocol.CarrierAuto, map[link.Kind]error{mqtt: slow, ws: errDown}, []link.Kind{mqtt, ws, ws, https}},
		{"mqtt wanted", protocol.CarrierMQTT, map[link.Kind]error{mqtt: errDown, ws: slow}, []link.Kind{mqtt, mqtt, ws, mqtt, mqtt, ws, mqtt}},
		{"https wanted", protocol.CarrierHTTPS, map[link.Kind]error{https: errDown}, []link.Kind{https, https, https, https, https, https, https}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &weather{fails: c.fails}
				a := newAuto(t, w, c.carrier)
				for range 7 {
					tr, err := a.Connect(t.Context(), link.Wanted{OnFrame: func([]byte) {}, OnDown: func(error) {}})
					if err == nil {
						_ = tr.Close()
						break
					}
				}
				if !slices.Equal(w.tried, c.want) {
					t.Errorf("tried %v, want %v", w.tried, c.want)
				}
			})
		})
	}
}

func TestRefusalIsNotTheCarriersFault(t *testing.T) {
	w := &weather{fails: map[link.Kind]error{link.KindMQTT: &protocol.Error{Code: protocol.CodeRevoked}}}
	a := newAuto(t, w, "")
	for range 5 {
		_, err := a.Connect(t.Context(), link.Wanted{})
		if protocol.CodeOf(err) != protocol.CodeRevoked {
			t.Fatal(err)
		}
	}
	if slices.Contains(w.tried, link.KindHTTPS) || slices.Contains(w.tried, link.KindMQTTWebSocket) {
		t.Errorf("tried %v", w.tried)
	}
}

func TestBetterCarrierIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &weather{fails: map[link.Kind]error{link.KindMQTT: errDown, link.KindMQTTWebSocket: errDown}}
		a := newAuto(t, w, protocol.CarrierAuto)
		down := make(chan error, 1)
		connect := func() link.Transport {
			for {
				tr, err := a.Connect(t.Context(), link.Wanted{OnDown: func(err error) { down <- err }})
				if err == nil {
					return tr
				}
			}
		}
		start := time.Now()
		var waits []time.Duration
		for range 6 {
			since := time.Now()
			tr := connect()
			if tr.Push() {
				t.Fatal("connected by MQTT while it was down")
			}
			if err := <-down; !errors.Is(err, link.ErrTryBetter) {
				t.Fatal(err)
			}
			waits = append(waits, time.Since(since))
			if err := tr.Close(); err != nil {
				t.Fatal(err)
			}
		}
		want := []time.Duration{2 * time.Minute, 8 * time.Minute, 32 * time.Minute, 128 * time.Minute, 3 * time.Hour, 3 * time.Hour}
		if !slices.Equal(waits, want) {
			t.Errorf("MQTT was tried after %v, want %v", waits, want)
		}
		w.fails = nil
		tr := connect()
		if !tr.Push() {
			t.Errorf("after %v MQTT works and is not used", time.Since(start))
		}
		time.Sleep(24 * time.Hour)
		if len(down) != 0 {
			t.Errorf("the best carrier was given up: %v", <-down)
		}
		_ = tr.Close()
		// A connection that was closed is not given up later.
		w.fails = map[link.Kind]error{link.KindMQTT: errDown, link.KindMQTTWebSocket: errDown}
		_ = connect().Close()
		time.Sleep(24 * time.Hour)
		if len(down) != 0 {
			t.Errorf("a closed connection was given up: %v", <-down)
		}
	})
}

func TestSettingsShapeTheConnection(t *testing.T) {
	w := &weather{}
	_, err := newAuto(t, w, "").Connect(t.Context(), link.Wanted{Settings: protocol.Settings{
		Ping: 1200, Snapshot: protocol.FrequencyPush, Command: 300, ConnectTimeout: 90, ExchangeTimeout: 120, KeyExchange: protocol.KeyExchangeClassic,
	}})
	if err != nil || w.cfg.KeepAlive != 20*time.Minute || w.cfg.Contacts != 5*time.Minute || w.cfg.ConnectTimeout != 90*time.Second ||
		w.cfg.ExchangeTimeout != 2*time.Minute || w.cfg.KeyExchange != protocol.KeyExchangeClassic {
		t.Errorf("%v: %+v", err, w.cfg)
	}
	if _, err := link.NewAuto(link.AutoConfig{Carrier: "pigeon"}); err == nil {
		t.Error("a carrier that does not exist was accepted")
	}
}
