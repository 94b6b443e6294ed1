// Package engine speaks with the device's container engine (Docker, or Podman through its Docker API) and is the only
// importer of the Docker SDK on the agent. It observes: lists and inspections become the types of package protocol,
// without environment, command lines and other secrets. It acts on containers, images and volumes one at a time.
//
// It decides nothing, retries nothing and keeps nothing but the inspections that its event stream vouches for; that
// the engine is absent is an answer, snapshot.ErrEngineAbsent. The API version is negotiated, anew after each loss of
// the engine, so that an upgrade of the engine under a running agent is no event.
//
// An Engine is safe for concurrent use. Observations wait for each other.
package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

// DefaultHost is the address used where Config names none.
const DefaultHost = client.DefaultDockerHost

// Config of an Engine.
type Config struct {
	// Host is the engine's address: unix:///path, or tcp://host:port without TLS. Empty: DefaultHost.
	Host string
	// Log gets what is skipped. Nil: slog.Default.
	Log *slog.Logger
}

// Engine is one container engine.
type Engine struct {
	cfg Config

	// observing is held for one observation; it is taken before mu.
	observing sync.Mutex

	// mu guards the rest. No request is made under it.
	mu     sync.Mutex
	api    *client.Client // nil: to be made anew
	cached cache
}

// New returns an Engine. It speaks to nobody yet.
func New(cfg Config) *Engine {
	cfg.Host = cmp.Or(cfg.Host, DefaultHost)
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Engine{cfg: cfg}
}

// Close closes idle connections. It may be called twice, and the Engine may be used again.
func (e *Engine) Close() error {
	e.forget(nil)
	return nil
}

// connect returns the client, made when there is none. It negotiates the API version with its first request.
func (e *Engine) connect() (*client.Client, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.api != nil {
		return e.api, nil
	}
	api, err := client.NewClientWithOpts(client.WithHost(e.cfg.Host), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("%w: %q is not an engine's address (want unix:///path or tcp://host:port): %w",
			snapshot.ErrEngineAbsent, e.cfg.Host, err)
	}
	e.api = api
	return api, nil
}

// forget drops the client old, so that the next request finds the engine and its version anew. Nil: whichever is there.
func (e *Engine) forget(old *client.Client) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.api == nil || (old != nil && old != e.api) {
		return
	}
	_ = e.api.Close() // closes idle connections only
	e.api = nil
}

// conflict is what an answer "409 conflict" means for a request.
type conflict error

// fail makes the error of a request to api: what was wanted, why not, and what to do.
func (e *Engine) fail(api *client.Client, err error, what string, onConflict conflict) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", what, err)
	case lost(err):
		e.forget(api)
		return fmt.Errorf("%s: %w", what, e.absent(err))
	case errdefs.IsNotFound(err):
		return fmt.Errorf("%s: %w (%s): see the device's latest snapshot for what is there", what, snapshot.ErrNoSuch, said(err))
	case errdefs.IsConflict(err):
		return fmt.Errorf("%s: %w: %s", what, onConflict, said(err))
	case errdefs.IsInvalidArgument(err), errdefs.IsPermissionDenied(err), errdefs.IsNotImplemented(err),
		errdefs.IsInternal(err), errdefs.IsUnavailable(err):
		return fmt.Errorf("%s: %w: %s", what, snapshot.ErrRefused, said(err))
	}
	return fmt.Errorf("%s: %w", what, err)
}

// lost says that err is of the connection, not of an engine that answers.
func lost(err error) bool {
	var op *net.OpError
	return client.IsErrConnectionFailed(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &op)
}

// said is what the engine answered, in bounds.
func said(err error) string {
	text := strings.TrimSpace(strings.TrimPrefix(err.Error(), "Error response from daemon: "))
	if len(text) > protocol.MaxText/4 {
		text = strings.ToValidUTF8(text[:protocol.MaxText/4], "") + " …"
	}
	return text
}

// absent says why nobody answers. Of one cause it always says the same, so that a snapshot does not change with it.
func (e *Engine) absent(err error) error {
	path, isUnix := strings.CutPrefix(e.cfg.Host, "unix://")
	if isUnix {
		_, statErr := os.Stat(path)
		switch {
		case errors.Is(statErr, fs.ErrNotExist):
			return fmt.Errorf("%w: there is no socket %s: start the engine, or give the agent its address", snapshot.ErrEngineAbsent, path)
		case errors.Is(statErr, fs.ErrPermission), errors.Is(err, fs.ErrPermission),
			strings.Contains(err.Error(), "permission denied"):
			return fmt.Errorf("%w: no permission to use %s: run the agent as a user that may, such as a member of the group docker",
				snapshot.ErrEngineAbsent, path)
		}
	}
	return fmt.Errorf("%w: nobody answers at %s: start the engine, or give the agent its address", snapshot.ErrEngineAbsent, e.cfg.Host)
}
