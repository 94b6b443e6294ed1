package hub_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub"
	"github.com/farshore/farshore/hub/identity"
	"github.com/farshore/farshore/waitingroom/admission"
)

// A hub key that is made anew would lock out every device without a word, so a hub whose key was lost says so and
// leaves everything as it was.
func TestALostHubKeyIsNotMadeAnew(t *testing.T) {
	data := t.TempDir()
	cfg := hub.Config{Data: data, Listen: "127.0.0.1:0", MQTTListen: "off", Log: slog.New(slog.DiscardHandler)}
	h, err := hub.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Services().Waiting.CreateKey(admission.KeySpec{Name: "field"}); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	key, aside := filepath.Join(data, identity.HubKeyFile), filepath.Join(t.TempDir(), "backup")
	if err := os.Rename(key, aside); err != nil {
		t.Fatal(err)
	}
	_, err = hub.New(cfg)
	if !errors.Is(err, hub.ErrHubKeyMissing) || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "backup") {
		t.Errorf("without its key the hub says %v; want the file and the remedy", err)
	}
	if _, err := os.Stat(key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another hub key was made: %v", err)
	}
	if err := os.Rename(aside, key); err != nil {
		t.Fatal(err)
	}
	if h, err = hub.New(cfg); err != nil {
		t.Fatalf("with its key back: %v", err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}
