package localsocket

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// The socket gives administrator links, so nobody else may connect at any moment: it is watched from before it is
// there, in a folder that all may enter and with no umask.
func TestNobodyElseCanConnectAtAnyMoment(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "hub.sock")
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		done, watched := make(chan error, 1), make(chan fs.FileMode, 1)
		go func() {
			for {
				if info, err := os.Lstat(path); err == nil {
					watched <- info.Mode().Perm()
					return
				}
			}
		}()
		go func() { done <- Serve(ctx, path, http.NotFoundHandler(), slog.New(slog.DiscardHandler)) }()
		mode := <-watched
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if mode != 0o600 {
			t.Fatalf("the socket was there with mode %o", mode)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Fatalf("left behind: %v, %v", left, err)
		}
	}
}

func TestAskIsAnswered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	if _, err := Ask(t.Context(), path, http.MethodGet, "/x"); !errors.Is(err, ErrNobody) {
		t.Errorf("without a server: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil { // what a crash left
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Serve(ctx, path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(r.Method + r.URL.Path))
		}), slog.New(slog.DiscardHandler))
	}()
	defer func() { cancel(); <-done }()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		got, err := Ask(t.Context(), path, http.MethodPost, "/y")
		if err == nil && string(got) == "POST/y" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}
