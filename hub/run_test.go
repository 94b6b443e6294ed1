package hub

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot/fold"
)

// openHub opens a hub in a data folder. It must be run or closed.
func openHub(t *testing.T, data string, log *slog.Logger) *Hub {
	t.Helper()
	h, err := New(Config{Data: data, Listen: "127.0.0.1:0", MQTTListen: "127.0.0.1:0", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// A disk that hangs, or a part that waits for ever, must not keep the process from ending: whoever stops it would kill
// it, and blame the hub.
func TestAStopIsBoundedAsAWhole(t *testing.T) {
	h := openHub(t, t.TempDir(), slog.New(slog.DiscardHandler))
	h.limits = limits{serving: 10 * time.Second, all: 500 * time.Millisecond}
	id := addDevice(t, h.fleet, protocol.Facts{})
	listening := make(chan struct{})
	h.cfg.Listening = func(Addresses) { close(listening) }
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	<-listening

	stuck, free := make(chan struct{}), make(chan struct{})
	go func() {
		_, _ = h.fleet.Update(id, func(*fleet.Device) error { // whatever becomes of it
			close(stuck)
			<-free
			return errors.New("too late")
		})
	}()
	<-stuck
	stop()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "left behind") {
			t.Errorf("it ended with %v; want to hear that not everything had stopped", err)
		}
	case <-time.After(time.Minute):
		t.Error("it never ended")
	}
	close(free)
	if s, err := store.Open(h.cfg.Data); err != nil { // at most a second until the rest has let go
		t.Errorf("what was left behind never let go of the data folder: %v", err)
	} else if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestReady(t *testing.T) {
	h := openHub(t, t.TempDir(), slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	if err := h.ready(ctx); err != nil {
		t.Errorf("a hub that works is not ready: %v", err)
	}
	stop()
	if err := h.ready(ctx); err == nil || !strings.Contains(err.Error(), "stopping") {
		t.Errorf("a hub that stops is ready: %v", err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.ready(t.Context()); err == nil {
		t.Error("a hub without its store is ready")
	}
}

// lines hands on each line of a log.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// A part that fails at night must be in the log of that night, not of the next restart.
func TestAPartThatFailsIsLoggedAtOnce(t *testing.T) {
	log := make(lines, 10)
	h := &Hub{log: slog.New(slog.NewTextHandler(log, nil))}
	ctx, stop := context.WithCancel(t.Context())
	fails := func(context.Context) error { return errors.New("no such socket") }
	if err := h.keep(ctx, "local socket", fails); err != nil {
		t.Errorf("it is logged and returned: %v", err)
	}
	if line := <-log; !strings.Contains(line, "local socket: no such socket") {
		t.Errorf("the log says %s", line)
	}
	stop()
	if err := h.keep(ctx, "fleet", fails); err == nil || len(log) != 0 {
		t.Errorf("how a part stops is returned: %v, and not logged: %d lines", err, len(log))
	}
}

// What follows a revocation is done by a running hub. One that dies in between does it when it comes back: commands of
// a device that was revoked must not run when it is approved again, and of a removed one nothing stays.
func TestACrashAfterRevokingLeavesNothing(t *testing.T) {
	data := t.TempDir()
	quiet := slog.New(slog.DiscardHandler)
	h := openHub(t, data, quiet)
	stays, revoked, removed := addDevice(t, h.fleet, protocol.Facts{}), addDevice(t, h.fleet, protocol.Facts{}), addDevice(t, h.fleet, protocol.Facts{})
	all := []protocol.DeviceID{stays, revoked, removed}
	for _, id := range all {
		give(t, h, id)
		keepState(t, h, id)
	}
	if err := errors.Join(h.fleet.Revoke(revoked), h.fleet.Remove(removed)); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil { // it was never run: nothing has followed
		t.Fatal(err)
	}

	h = openHub(t, data, quiet)
	defer h.Close()
	for i, want := range []struct{ commands, snapshots, sets int }{{1, 1, 1}, {0, 1, 1}, {0, 0, 0}} {
		id := all[i]
		history, err := h.fold.History(id)
		if err != nil {
			t.Fatal(err)
		}
		set, err := h.store.AcceptedSet(id)
		if err != nil {
			t.Fatal(err)
		}
		if h.book.Open(id) != want.commands || len(history) != want.snapshots || (set != nil) != (want.sets > 0) {
			t.Errorf("device %d has %d open commands, %d snapshots, %d bytes of an accepted set; want %+v",
				i, h.book.Open(id), len(history), len(set), want)
		}
	}
}

func give(t *testing.T, h *Hub, id protocol.DeviceID) {
	t.Helper()
	_, err := h.book.Give(commands.Spec{Device: id, Command: protocol.Command{Kind: protocol.CommandSnapshot}, By: "ada"})
	if err != nil {
		t.Fatal(err)
	}
}

// keepState stores of a device what a hub keeps of each.
func keepState(t *testing.T, h *Hub, id protocol.DeviceID) {
	t.Helper()
	err := errors.Join(
		h.store.PutSnapshotSegment(id, fold.Segment{Number: 1, States: []fold.Stored{{At: time.Now().Unix(), Data: []byte("x")}}}),
		h.store.PutAcceptedSet(id, []byte("sealed")),
	)
	if err != nil {
		t.Fatal(err)
	}
}
