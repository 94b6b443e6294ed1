package edgeagent

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/internal/fleettest/fakeengine"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/protocol/sealed"
	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/waitingroom"
)

// asks is a composer that hands on what it is asked, and has done it when done is closed.
type asks chan question

type question struct {
	ipc.Request
	done chan struct{}
}

// answered takes the next question and answers it.
func (a asks) answered() ipc.Request {
	q := <-a
	close(q.done)
	return q.Request
}

func (a asks) Run(ctx context.Context, req ipc.Request, _ func(ipc.Event)) (ipc.Event, error) {
	q := question{req, make(chan struct{})}
	select {
	case a <- q:
	case <-ctx.Done():
		return ipc.Event{Kind: ipc.KindFailed, Code: ipc.CodeCancelled}, nil
	}
	select {
	case <-q.done:
		return ipc.Event{Kind: ipc.KindDone}, nil
	case <-ctx.Done():
		return ipc.Event{Kind: ipc.KindFailed, Code: ipc.CodeCancelled}, nil
	}
}

const (
	plainSecret   = "correct-horse-battery"
	plainPassword = "tr0ub4dor-and-3"
)

// nowhereIn fails the test when a file below dir has a secret in clear.
func nowhereIn(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(plainSecret)) || bytes.Contains(b, []byte(plainPassword)) {
			t.Errorf("%s has a secret in clear", path)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files read: %v", files, err)
	}
}

// What is sealed for a device reaches its composer, before and after the agent died, and is in clear in none of its files.
func TestSealedStaysSealedOnTheDevice(t *testing.T) {
	dir := t.TempDir()
	key, err := waitingroom.EdgeKey{
		HTTPS: "https://127.0.0.1:1/", HubKey: make(ed25519.PublicKey, ed25519.PublicKeySize), KeyID: "k1", Secret: []byte("0123456789abcdef"),
	}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	boot := func(dir string) (store *state.Store, asked asks, stop func()) {
		t.Helper()
		asked = make(asks)
		a, err := New(Config{
			Data: dir, EdgeKey: key, RunComposer: asked, Engine: fakeengine.New(fakeengine.Config{}),
			Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.reconciler.Run(ctx) }()
		return a.state, asked, func() {
			cancel()
			if err := errors.Join(<-done, a.Close()); err != nil {
				t.Error(err)
			}
		}
	}
	store, _, stop := boot(dir)
	order(t, store)
	stop()
	_, asked, stop := boot(dir)
	if req := asked.answered(); req.Action != ipc.ActionFetch || len(req.Registries) != 1 || req.Registries[0].Password != plainPassword {
		t.Errorf("asked to %s with %d registries", req.Action, len(req.Registries))
	}
	if req := asked.answered(); req.Action != ipc.ActionUp || req.Secrets["TOKEN"] != plainSecret || len(req.Registries) != 0 {
		t.Errorf("asked to %s with %d secrets and %d registries", req.Action, len(req.Secrets), len(req.Registries))
	}
	stop()
	nowhereIn(t, dir)

	store, _, stop = boot(dir)
	if err := store.AcceptOrders(state.Accept{Mark: protocol.OrderMark{Seq: 2}, Desired: &[]protocol.Entry{again(store)}}); err != nil {
		t.Fatal(err)
	}
	stop()
	_, asked, stop = boot(dir)
	asked.answered()
	<-asked // up, which is not answered: the copy is what the agent's death would leave
	dead := filepath.Join(t.TempDir(), "dead")
	if err := os.CopyFS(dead, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	stop()
	nowhereIn(t, dead)
	_, asked, stop = boot(dead)
	if req := asked.answered(); req.Action != ipc.ActionUp || req.Secrets["TOKEN"] != plainSecret {
		t.Errorf("after the agent's death: asked to %s with %d secrets", req.Action, len(req.Secrets))
	}
	stop()
	nowhereIn(t, dead)
	if bytes.Contains(log.Bytes(), []byte(plainSecret)) || bytes.Contains(log.Bytes(), []byte(plainPassword)) {
		t.Error("a secret is in the log")
	}
}

// order gives the device a stack with secrets.
func order(t *testing.T, store *state.Store) {
	t.Helper()
	compose := []byte("services: {a: {image: x, environment: [TOKEN]}}")
	entry := protocol.Entry{
		EntryKey: protocol.EntryKey{Kind: protocol.EntryStack, ID: 7}, Version: 1, Name: "pumps",
		Files: []protocol.File{{Path: "compose.yml", Hash: protocol.HashOf(compose), Size: int64(len(compose))}},
	}
	seal := sealed.NewSealer(bytes.Repeat([]byte{1}, 32))
	device := store.Identity().Key.Public().(ed25519.PublicKey)
	var err, other error
	entry.Sealed, err = seal.Secrets(device, entry.EntryKey, protocol.Secrets{Env: map[string]string{"TOKEN": plainSecret}})
	entry.Access, other = seal.Access(device, entry.EntryKey, protocol.RegistryAccess{
		Registries: []protocol.RegistryAuth{{Registry: "registry.example", User: "edge", Password: plainPassword}},
	})
	err = errors.Join(err, other, store.PutBlob(entry.Files[0].Hash, compose))
	err = errors.Join(err, store.AcceptOrders(state.Accept{Mark: protocol.OrderMark{Seq: 1}, Desired: &[]protocol.Entry{entry}}))
	if err != nil {
		t.Fatal(err)
	}
}

// again is the stack with a demand to apply it once more.
func again(store *state.Store) protocol.Entry {
	e := store.Desired()[0]
	e.Nonce++
	return e
}
