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
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	defer os.Remove(path)
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("local socket: %w", err)
	}
	return nil
}

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
// or until the deadline of ctx where it has one. The error wraps ErrNobody where nobody answers.
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
		err = fmt.Errorf("%s %s: %s", method, target, body)
	}
	return body, err
}
