package edgeagent_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/knock"
)

// console hands on what an agent prints.
type console chan string

func (c console) Write(p []byte) (int, error) {
	c <- string(p)
	return len(p), nil
}

func keyless(t *testing.T, cfg edgeagent.Config) *edgeagent.Agent {
	t.Helper()
	cfg.Data, cfg.EngineHost = t.TempDir(), "unix://"+filepath.Join(t.TempDir(), "none")
	cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	a, err := edgeagent.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// run runs the agent until the returned function is called, which gives its error.
func run(t *testing.T, a *edgeagent.Agent) (stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	return func() error {
		cancel()
		return <-ran
	}
}

// edgeKey is of a hub that nobody reaches.
func edgeKey(t *testing.T) string {
	t.Helper()
	key, err := waitingroom.EdgeKey{
		HTTPS: "https://127.0.0.1:1/prefix/", HubKey: make(ed25519.PublicKey, ed25519.PublicKeySize), KeyID: "k1",
		Secret: []byte("0123456789abcdef"),
	}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// knocks waits until the agent has tried its hub.
func knocks(t *testing.T, a *edgeagent.Agent) edgeagent.Status {
	t.Helper()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		s := a.Status()
		if s.Waiting != nil && s.Waiting.State == knock.StateUnreachable {
			return s
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("the agent does not knock: %+v", s)
		}
	}
}

func TestKeyFromThePageIsKept(t *testing.T) {
	printed := make(console, 10)
	a := keyless(t, edgeagent.Config{KeyPage: edgeagent.KeyPage{Address: "127.0.0.1:0", Console: printed}})
	stop := run(t, a)
	_, pin, found := strings.Cut(strings.TrimSpace(<-printed), "PIN ")
	s := a.Status()
	if !found || !s.NoEdgeKey || s.KeyPage == "" || len(s.PairingCode) != 9 || s.ApproveURL != "" {
		t.Errorf("without a key it is %+v", s)
	}
	body, err := json.Marshal(map[string]string{"pin": pin, "key": edgeKey(t)})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, s.KeyPage+"/key", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", s.KeyPage)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("the key is answered %s", resp.Status)
	}
	if s := knocks(t, a); s.NoEdgeKey || s.ApproveURL != "https://127.0.0.1:1/prefix/waiting?code="+s.PairingCode {
		t.Errorf("with a key it is %+v", s)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestKeyThatComesLater: what cannot be a key is passed over, and the page closes when the agent has one.
func TestKeyThatComesLater(t *testing.T) {
	answers := make(chan string, 2)
	answers <- "hello"
	answers <- edgeKey(t)
	a := keyless(t, edgeagent.Config{
		KeyPage: edgeagent.KeyPage{Address: "127.0.0.1:0"},
		LateKey: func() (string, error) { return <-answers, nil },
	})
	stop := run(t, a)
	knocks(t, a)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if page := a.Status().KeyPage; page != "" {
		t.Errorf("the page %s is open still", page)
	}
}

func TestWithoutAKeyAndAWayToGetOne(t *testing.T) {
	_, err := edgeagent.New(edgeagent.Config{Data: t.TempDir()})
	if !errors.Is(err, edgeagent.ErrNoEdgeKey) {
		t.Errorf("without a page: %v", err)
	}
	a := keyless(t, edgeagent.Config{KeyPage: edgeagent.KeyPage{Address: "192.0.2.7:9009"}})
	if err := a.Run(t.Context()); !errors.Is(err, edgeagent.ErrNoEdgeKey) || !strings.Contains(err.Error(), "192.0.2.7:9009") {
		t.Errorf("with a page that cannot be opened: %v", err)
	}
}
