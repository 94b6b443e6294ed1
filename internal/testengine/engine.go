package testengine

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// initScript is process 1 of the engine's namespaces.
//
//go:embed init.sh
var initScript string

// ErrUnsupported is returned by Engine.Start on systems where a private engine cannot be run at all.
var ErrUnsupported = errors.New("a private Docker Engine needs Linux")

// ErrClosed is returned by methods of an Engine after Close.
var ErrClosed = errors.New("the private Docker Engine is closed")

// DefaultStartTimeout bounds one start of dockerd, until it answers.
const DefaultStartTimeout = 60 * time.Second

// Config says how to run a private engine. The zero value is complete.
type Config struct {
	// TempDir is the folder in which the engine makes its own; empty means the system's folder for temporary files.
	// It should be short: a Unix socket's path has at most 107 bytes.
	TempDir string
	// StartTimeout bounds one start; zero means DefaultStartTimeout.
	StartTimeout time.Duration
	// In calls its argument, which starts the engine, where the engine's network shall be; nil means the machine's.
	In func(start func() error) error
}

// Engine is one private Docker Engine: a dockerd and a containerd with data, sockets and networks of their own.
type Engine struct {
	cfg Config // immutable after New

	mu     sync.Mutex // held during each order, so that orders and answers pair up
	dir    string     // guarded by mu; empty until the first start
	init   *exec.Cmd  // guarded by mu
	orders io.WriteCloser
	answer *bufio.Reader
	closed bool // guarded by mu
}

// New returns an engine that does not run yet.
func New(cfg Config) *Engine {
	if cfg.StartTimeout == 0 {
		cfg.StartTimeout = DefaultStartTimeout
	}
	if cfg.In == nil {
		cfg.In = func(start func() error) error { return start() }
	}
	return &Engine{cfg: cfg}
}

// Start starts the engine, or starts it again after Stop, Kill or PowerCut, and returns when it answers. On an engine
// that runs it does nothing.
func (e *Engine) Start(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return ErrClosed
	}
	if e.init == nil {
		if err := e.launch(); err != nil {
			return fmt.Errorf("start the private Docker Engine: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, e.cfg.StartTimeout)
	defer cancel()
	err := e.order("start")
	if err == nil {
		err = e.waitReady(ctx)
	}
	if err != nil {
		return fmt.Errorf("start the private Docker Engine: %w\n%s", err, e.logTail())
	}
	return nil
}

// Stop ends dockerd in good order; containers are stopped, and containerd stays.
func (e *Engine) Stop() error { return e.locked("term") }

// Kill ends dockerd with SIGKILL. Containers go on until the next Start, as with an engine that crashed.
func (e *Engine) Kill() error { return e.locked("kill") }

// PowerCut ends everything at once, containers included. Only the engine's data stays, for the next Start.
func (e *Engine) PowerCut() error { return e.locked("cut") }

// Host is the engine's address, "unix:///…/d.sock", the same for all starts; empty before the first.
func (e *Engine) Host() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.dir == "" {
		return ""
	}
	return "unix://" + e.socket()
}

// Close ends the engine and removes its data. It returns when all is gone; a second call does nothing.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.init == nil {
		e.closed = true
		return nil
	}
	e.closed = true
	e.orders.Close() // the end of its orders tells process 1 to clear up and exit
	if err := e.init.Wait(); err != nil {
		return fmt.Errorf("end the private Docker Engine in %q: %w", e.dir, err)
	}
	return nil
}

func (e *Engine) socket() string { return filepath.Join(e.dir, "d.sock") }

// launch starts process 1 and waits until it has made its namespaces and claimed its network.
func (e *Engine) launch() error {
	dir, err := os.MkdirTemp(e.cfg.TempDir, "farshore-engine-")
	if err != nil {
		return err
	}
	e.dir = dir
	cmd, err := isolatedCommand("/bin/bash", "-c", initScript, "engine-init")
	if err != nil {
		os.Remove(dir)
		return err
	}
	cmd.Env = append(os.Environ(), "ENGINE_DIR="+dir)
	cmd.Dir = "/"
	cmd.Stderr = os.Stderr
	orders, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	answer, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := e.cfg.In(cmd.Start); err != nil {
		os.Remove(dir)
		return fmt.Errorf("make namespaces (root rights and CAP_SYS_ADMIN are needed): %w", err)
	}
	e.init, e.orders, e.answer = cmd, orders, bufio.NewReader(answer)
	return e.readAnswer()
}

func (e *Engine) locked(order string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.init == nil {
		return ErrClosed
	}
	if err := e.order(order); err != nil {
		return fmt.Errorf("private Docker Engine, order %q: %w", order, err)
	}
	return nil
}

// order writes one order and reads its answer. Callers hold mu.
func (e *Engine) order(order string) error {
	if _, err := io.WriteString(e.orders, order+"\n"); err != nil {
		return err
	}
	return e.readAnswer()
}

func (e *Engine) readAnswer() error {
	line, err := e.answer.ReadString('\n')
	if err != nil {
		return fmt.Errorf("process 1 of the engine has ended: %w", err)
	}
	if line = strings.TrimSpace(line); line != "ok" {
		return errors.New(strings.TrimPrefix(line, "error: "))
	}
	return nil
}

// waitReady returns when dockerd answers, or with the reason why it will not.
func (e *Engine) waitReady(ctx context.Context) error {
	api := newAPI("unix://" + e.socket())
	defer api.close()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		if api.ping(ctx) == nil {
			return nil
		}
		if err := e.order("alive"); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("dockerd does not answer: %w", ctx.Err())
		case <-poll.C:
		}
	}
}

// logTail returns the last lines of both logs, for an error message.
func (e *Engine) logTail() string {
	var out strings.Builder
	for _, name := range []string{"containerd.log", "dockerd.log"} {
		text, err := os.ReadFile(filepath.Join(e.dir, name))
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		if len(lines) > 15 {
			lines = lines[len(lines)-15:]
		}
		fmt.Fprintf(&out, "last lines of %s:\n%s\n", name, strings.Join(lines, "\n"))
	}
	return out.String()
}
