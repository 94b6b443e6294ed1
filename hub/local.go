package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"

	"github.com/farshore/farshore/hub/doctor"
	"github.com/farshore/farshore/internal/localsocket"
)

// SocketName is the Unix socket in the data folder by which `farshore-hub` asks the running hub.
const SocketName = "hub.sock"

// ErrNotRunning: no hub runs with the data folder.
var ErrNotRunning = errors.New("no hub is running with this data folder")

// serveLocal answers on the socket in the data folder. A hub on listeners that somebody else made has none.
func (h *Hub) serveLocal(ctx context.Context) error {
	if h.cfg.ListenFunc != nil {
		return nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /admin-link", func(w http.ResponseWriter, _ *http.Request) {
		h.record("access.admin-link", "a one-time administrator link was made on the hub's machine")
		_, _ = io.WriteString(w, h.adminLink()) // a caller that has gone needs no link
	})
	mux.HandleFunc("POST /reset-access-lists", func(w http.ResponseWriter, _ *http.Request) {
		if err := h.gate.Reset(); err != nil {
			h.log.Error("reset the address lists", "error", err)
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		h.record("hub.reset-access-lists", "the lists of addresses and of trusted proxies were emptied on the hub's machine")
	})
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		if err := h.ready(ctx); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ready")
	})
	mux.HandleFunc("GET /doctor", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(doctor.Run(r.Context(), h.checks())) // to a caller that may have gone
	})
	return localsocket.Serve(ctx, filepath.Join(h.cfg.Data, SocketName), mux, h.log)
}

// AskAdminLink asks the hub that runs with the data folder for a one-time administrator link.
func AskAdminLink(ctx context.Context, data string) (string, error) {
	return ask(ctx, data, http.MethodPost, "/admin-link")
}

// ResetAccessLists makes the hub that runs with the data folder let in every address again.
func ResetAccessLists(ctx context.Context, data string) error {
	_, err := ask(ctx, data, http.MethodPost, "/reset-access-lists")
	return err
}

// AskHealth asks the hub that runs with the data folder whether it can do its work; the error says why not.
func AskHealth(ctx context.Context, data string) (string, error) {
	return ask(ctx, data, http.MethodGet, "/health")
}

func ask(ctx context.Context, data, method, path string) (string, error) {
	answer, err := localsocket.Ask(ctx, filepath.Join(data, SocketName), method, path)
	if errors.Is(err, localsocket.ErrNobody) {
		return "", fmt.Errorf("%w: %q: start it with `farshore-hub serve`", ErrNotRunning, data)
	}
	return string(answer), err
}
