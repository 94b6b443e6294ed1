// Package composer runs farshore-composer, the short-lived process that acts on the engine for stacks. It owns finding
// the program, starting it, and ending it.
//
// It never links the Compose library, and knows nothing of stacks beyond the request it hands over. A Runner is safe
// for concurrent use; each Run is one process, and none outlives its Run. When the agent itself is killed, the kernel
// ends its composers (on Linux).
package composer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// Name is the program's file name.
const Name = "farshore-composer"

// grace is how long a composer may take to end by itself once it is told to.
const grace = 20 * time.Second

// maxNoise is how much of what the libraries print is kept, from the end.
const maxNoise = 4 << 10

// Config is what New needs.
type Config struct {
	// Path of the program. Empty: Name, beside the agent's own program, or else in PATH.
	Path string
	// Log is required.
	Log *slog.Logger
}

// Runner runs composers.
type Runner struct {
	cfg Config
}

// New returns a Runner. The program is looked for at each run, so it may be installed later.
func New(cfg Config) *Runner { return &Runner{cfg: cfg} }

// Find returns the program's path; the error says where it was looked for and what to do.
func (r *Runner) Find() (string, error) {
	if r.cfg.Path != "" {
		path, err := exec.LookPath(r.cfg.Path)
		if err != nil {
			return "", fmt.Errorf("the composer %q cannot be run: correct the setting, or install it there: %w", r.cfg.Path, err)
		}
		return path, nil
	}
	beside := ""
	if self, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(self); err == nil {
			self = real
		}
		beside = filepath.Join(filepath.Dir(self), Name)
		if path, err := exec.LookPath(beside); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(Name)
	if err != nil {
		return "", fmt.Errorf("%s is not at %q and not in PATH: install it beside farshore-agent, or set its path: %w", Name, beside, err)
	}
	return path, nil
}

// Run starts a composer for one request, hands its progress to progress (which may be nil) and returns its final event.
// A program that is not there is a failed event of code stacks.CodeComposerAbsent. The error is for a composer that
// died without a result. When ctx is done the composer is told to end, and killed if it does not.
func (r *Runner) Run(ctx context.Context, req ipc.Request, progress func(ipc.Event)) (ipc.Event, error) {
	path, err := r.Find()
	if err != nil {
		return absent(err), nil
	}
	body, err := json.Marshal(req)
	if err != nil {
		return ipc.Event{}, fmt.Errorf("run composer: %w", err)
	}
	type result struct {
		event ipc.Event
		err   error
	}
	out := make(chan result)
	go func() {
		// The kernel's parent-death signal is tied to the thread that starts the process, so it has to live as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		event, err := r.run(ctx, path, process{body, progress})
		out <- result{event, err}
	}()
	got := <-out
	return got.event, got.err
}

type process struct {
	stdin    []byte
	progress func(ipc.Event)
}

func (r *Runner) run(ctx context.Context, path string, p process) (ipc.Event, error) {
	noise := &tail{}
	cmd := exec.CommandContext(ctx, path)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(p.stdin), noise
	cmd.Env = environment(os.Environ())
	cmd.SysProcAttr = attributes()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = grace
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return ipc.Event{}, fmt.Errorf("run composer: %w", err)
	}
	if err := cmd.Start(); err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOEXEC) {
			return absent(fmt.Errorf("the composer %q cannot be run: install it for this machine: %w", path, err)), nil
		}
		return ipc.Event{}, fmt.Errorf("run composer %q: %w", path, err)
	}
	final, readErr := ipc.ReadEvents(stdout, p.progress)
	if readErr != nil {
		_, _ = io.Copy(io.Discard, stdout) // so that it cannot block on a full pipe
	}
	waitErr := cmd.Wait()
	if noise.String() != "" {
		r.cfg.Log.Debug("composer said", "text", noise.String())
	}
	if readErr != nil {
		return ipc.Event{}, fmt.Errorf("run composer: %w", errors.Join(readErr, waitErr, ctx.Err()))
	}
	return final, nil // a failed event and the exit code say the same
}

func absent(err error) ipc.Event {
	return ipc.Event{Kind: ipc.KindFailed, Code: stacks.CodeComposerAbsent, Detail: err.Error()}
}

// environment keeps what a program needs to find its way, and what the operator set for the engine's registries; no
// other setting of the agent, whose environment may hold an edge key or a proxy's password.
func environment(all []string) []string {
	var out []string
	for _, kv := range all {
		name, _, _ := strings.Cut(kv, "=")
		switch name {
		case "PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "DOCKER_CONFIG", "SSL_CERT_FILE", "SSL_CERT_DIR":
			out = append(out, kv)
		}
	}
	return out
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - maxNoise; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.TrimSpace(strings.ToValidUTF8(string(t.b), "")) }
