package edgeagent

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/internal/fleettest/fakeengine"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
)

// Somebody at the device sees what was spent and when contact is, and opens it; the hub will hear who.
func TestUsageAndContactAtTheDevice(t *testing.T) {
	dir := t.TempDir()
	key, err := waitingroom.EdgeKey{
		HTTPS: "https://hub.example:9443/", HubKey: make(ed25519.PublicKey, ed25519.PublicKeySize), KeyID: "k1", Secret: []byte("0123456789abcdef"),
	}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	store, err := state.OpenDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	next := time.Now().Add(48 * time.Hour).UTC()
	settings := protocol.DefaultSettings(protocol.ModeAsync)
	settings.Link = &protocol.LinkRules{
		Budget:  &protocol.Budget{Hard: 5_000_000, Soft: 4_000_000},
		Contact: &protocol.Contact{Passes: []protocol.Pass{{Start: next.Unix(), Seconds: 600}}},
	}
	err = errors.Join(store.SetEdgeKey(key), store.SetApproved(state.Approved),
		store.AcceptOrders(state.Accept{Mark: protocol.OrderMark{Epoch: 1, Seq: 1}, Settings: &settings}), store.Close())
	if err != nil {
		t.Fatal(err)
	}
	tried := make(chan struct{}, 100)
	a, err := New(Config{
		Data: dir, EdgeKey: key, Engine: fakeengine.New(fakeengine.Config{}), Log: slog.New(slog.DiscardHandler),
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			tried <- struct{}{}
			return nil, errors.New("no network here")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()
	usage, err := AskUsage(ctx, dir)
	for errors.Is(err, ErrNotRunning) {
		time.Sleep(10 * time.Millisecond)
		usage, err = AskUsage(ctx, dir)
	}
	if err != nil || usage.Hard != 5_000_000 || usage.Spent != 0 || usage.Open || usage.Opening == nil || usage.Opening.Start.Unix() != next.Unix() {
		t.Fatalf("usage %+v, %v", usage, err)
	}
	if len(tried) > 0 {
		t.Error("the device has tried to reach the hub outside of its times of contact")
	}
	if err := OpenContact(ctx, dir, 48*time.Hour, ""); err == nil || !strings.Contains(err.Error(), "up to 24h") {
		t.Errorf("two days: %v", err)
	}
	if err := OpenContact(ctx, dir, time.Minute, "kim"); err != nil {
		t.Fatal(err)
	}
	<-tried
	usage, err = AskUsage(ctx, dir)
	if err != nil || !usage.Open || usage.Local.IsZero() || usage.Spent == 0 {
		t.Errorf("contact was opened, and usage is %+v, %v", usage, err)
	}
	if status, err := AskStatus(ctx, dir); err != nil || status.Spending == nil || !status.Spending.Open {
		t.Errorf("status %+v, %v", status.Spending, err)
	}
	told := ""
	for _, it := range a.state.Outbox(1 << 20) {
		var e protocol.DeviceEvent
		if it.Kind == protocol.KindEvent && protocol.Unmarshal(it.Body, &e) == nil && e.Kind == "contact-opened" {
			told = e.Text
		}
	}
	if !strings.Contains(told, "kim") || !strings.Contains(told, "1m0s") {
		t.Errorf("the hub will hear %q", told)
	}
}
