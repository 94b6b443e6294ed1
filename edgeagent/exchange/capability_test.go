package exchange

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/protocol/window"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/snapshot/capture"
)

// greeter is a hub that only says welcome, with a capability of its own.
type greeter struct {
	codec *protocol.Codec

	mu         sync.Mutex // guards what follows
	capability uint
	connected  int
	frame      func([]byte)
	win        *window.Window
	others     int // messages of the device other than hello
}

func (g *greeter) connect(_ context.Context, _ protocol.Settings, in Inbox) (Transport, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.connected++
	g.frame = in.Frame
	return g, nil
}

func (g *greeter) Name() protocol.Carrier     { return protocol.CarrierMQTT }
func (g *greeter) Ping(context.Context) error { return nil }
func (g *greeter) Push() bool                 { return true }
func (g *greeter) Close() error               { return nil }

func (g *greeter) Send(_ context.Context, b []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	f, err := g.codec.Decode(b)
	if err != nil {
		return err
	}
	if g.win == nil || g.win.Session() != f.Session {
		g.win = window.New(f.Session)
	}
	if verdict, _ := g.win.Receive(f); verdict != window.Deliver {
		return nil
	}
	g.win.Done(f)
	answer := g.win.Ack()
	for _, m := range f.Messages {
		if m.Kind != protocol.KindHello {
			g.others++
			continue
		}
		w, err := protocol.NewMessage(protocol.KindWelcome, protocol.Welcome{Capability: g.capability, Time: time.Now().UnixMilli()})
		if err != nil {
			return err
		}
		answer = g.win.Next([]protocol.Message{w})
	}
	out, err := g.codec.Encode(answer)
	if err != nil {
		return err
	}
	g.frame(out)
	return nil
}

func TestHubThatIsTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := &greeter{capability: protocol.OldestCapability - 1, codec: protocol.NewCodec()}
		st := state.NewMemory(1)
		if err := st.PutEvent("waiting", "for the hub"); err != nil {
			t.Fatal(err)
		}
		e := New(Config{
			State: st, HubKey: ed25519.PublicKey(st.Identity().Key[32:]), Codec: hub.codec, Patcher: snapshot.NewPatcher(),
			Latest: func() capture.Capture { return capture.Capture{} }, Connect: hub.connect,
			Mode: protocol.ModeStandard, Log: slog.New(slog.DiscardHandler),
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()
		defer func() {
			cancel()
			<-ended
		}()

		time.Sleep(24 * time.Hour)
		synctest.Wait()
		hub.mu.Lock()
		status := e.Status()
		if status.Connected || status.Capability != 0 || !strings.Contains(status.LastError, "update farshore-hub") {
			t.Errorf("status %+v", status)
		}
		if hub.connected < 24*6/2 || hub.connected > 24*60 {
			t.Errorf("%d connections in a day: want a pause that grows to some minutes, and no end", hub.connected)
		}
		if hub.others > 0 {
			t.Errorf("%d messages were sent to a hub that cannot understand them", hub.others)
		}

		hub.capability = protocol.Capability + 5 // it was updated
		hub.mu.Unlock()
		time.Sleep(time.Hour)
		synctest.Wait()
		hub.mu.Lock()
		defer hub.mu.Unlock()
		if status := e.Status(); !status.Connected || status.Capability != protocol.Capability {
			t.Errorf("after the update: %+v", status)
		}
		if items, _ := st.Pending(); items > 0 || hub.others == 0 {
			t.Errorf("%d items wait after the update, %d were sent", items, hub.others)
		}
	})
}
