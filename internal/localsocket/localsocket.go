// Package localsocket serves HTTP on a Unix socket in a program's data folder, for its own command line: who may enter
// the folder may ask. It keeps no state; Serve belongs to its caller's goroutine.
package localsocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrNobody: nobody answers on the socket.
var ErrNobody = errors.New("nobody answers")

// Serve serves handler on the socket at path until ctx ends. A socket that cannot be opened is logged, and nothing is
// served: the program's work does not depend on it.
func Serve(ctx context.Context, path string, handler http.Handler, log *slog.Logger) error {
	l, err := listen(path)
	if err != nil {
		log.Warn("local socket cannot be opened: the command line cannot ask this program", "error", err)
		<-ctx.Done()
		return nil
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			if uid, ok := peerOf(conn); ok {
				ctx = context.WithValue(ctx, peerKey{}, uid)
			}
			return ctx
		},
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	defer os.Remove(path)
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("local socket: %w", err)
	}
	return nil
}

type peerKey struct{}

// Peer is the number of the user who asks, by the context of the request; ok is false where the system does not tell.
func Peer(ctx context.Context) (uid uint32, ok bool) {
	uid, ok = ctx.Value(peerKey{}).(uint32)
	return uid, ok
}

// Refusal is the answer of a program that does not do what it is asked for.
type Refusal struct {
	// Text is its sentence for people.
	Text    string
	request string
}

// Error names the request as well.
func (r *Refusal) Error() string { return r.request + ": " + r.Text }

// listen makes the socket in a folder that its owner alone may enter, and gives it its place when it has its mode: at
// no moment can another user of the machine connect, whatever the umask and the mode of the data folder.
func listen(path string) (net.Listener, error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".s") // mode 0700, and short: a socket's path has at most 107 bytes
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	made := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it is not there any more; the next start replaces what is left
	if err := os.Chmod(made, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if err := os.Rename(made, path); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Ask sends a request to the program that serves the socket at path and returns the answer's body. It waits for 10 s,
// or until the deadline of ctx where it has one. The error wraps ErrNobody where nobody answers, and is a *Refusal where
// the program refuses.
func Ask(ctx context.Context, path, method, target string) ([]byte, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
	}
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
		DisableKeepAlives: true,
	}}
	req, err := http.NewRequestWithContext(ctx, method, "http://local"+target, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("no permission for %q: run as the same user, or as root", path)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("no answer in time on %q: %w", path, context.Cause(ctx))
	case err != nil:
		return nil, fmt.Errorf("%w on %q", ErrNobody, path)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err == nil && resp.StatusCode >= 300 {
		err = &Refusal{Text: strings.TrimSpace(string(body)), request: method + " " + target}
	}
	return body, err
}
