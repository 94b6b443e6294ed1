package e2e

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/farshore/farshore/internal/wirelab"
)

// stopTimeout is how long a program may take to stop in good order; the hub's own limit is 10 s.
const stopTimeout = 15 * time.Second

// workDir is a folder for one scenario, with a path short enough for Unix sockets below it.
func workDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fs-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the scenario's folder: %v", err)
		}
	})
	return dir
}

// process is one program under test. What it prints is in its log.
type process struct {
	t    *testing.T
	name string
	log  *output
	pid  int

	done chan struct{} // closed when it has ended
	code int           // valid after done; -1: ended by a signal
}

// command is what to run: a program under test, or another where path is set. Env is added to a bare environment. It runs
// in the namespace in, or in the machine's where that is nil.
type command struct {
	name, path string
	args, env  []string
	stdin      string
	in         *wirelab.Namespace
}

// bareEnv is what a program needs to find its way; settings of whoever runs the tests do not reach the programs.
func bareEnv() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "TMPDIR=" + os.TempDir()}
}

// start is launch for a program that can be started without doubt.
func start(t *testing.T, log *output, c command) *process {
	t.Helper()
	p, err := launch(t, log, c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// launch runs a program until the test ends, or the process is stopped or killed.
func launch(t *testing.T, log *output, c command) (*process, error) {
	p := &process{t: t, name: c.name, log: log, done: make(chan struct{})}
	cmd := exec.Command(cmp.Or(c.path, program(c.name)), c.args...)
	cmd.Env = append(bareEnv(), c.env...)
	cmd.Stdout, cmd.Stderr = log, log
	// The kernel ends it with the thread that started it, so that thread has to live as long.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.in.Enter(cmd.Start)
		started <- err
		if err != nil {
			return
		}
		p.code = exitCode(cmd.Wait())
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	p.pid = cmd.Process.Pid
	t.Cleanup(p.kill)
	return p, nil
}

func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	default:
		return -1
	}
}

// running tells whether the process has not ended.
func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// kill ends the process as `kill -9` does, and returns when it is gone.
func (p *process) kill() {
	if p.running() {
		// It is a child that was not waited for, so the id is still its own.
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
	}
	<-p.done
}

// stop ends the process as an init system does; it must stop in good order and in time.
func (p *process) stop() {
	p.t.Helper()
	if !p.running() {
		p.t.Errorf("%s had ended by itself, with code %d", p.name, p.code)
		return
	}
	if err := syscall.Kill(p.pid, syscall.SIGTERM); err != nil {
		p.t.Errorf("stop %s: %v", p.name, err)
	}
	select {
	case <-p.done:
		if p.code != 0 {
			p.t.Errorf("%s ended with code %d when it was stopped", p.name, p.code)
		}
	case <-time.After(stopTimeout):
		p.kill()
		p.t.Errorf("%s did not stop within %s", p.name, stopTimeout)
	}
}

// mustEnd waits until a program that cannot work has ended, and returns its exit code.
func (p *process) mustEnd() int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.code
	case <-time.After(stopTimeout):
		p.t.Fatalf("%s still runs; it printed:\n%s", p.name, p.log.text())
		return 0
	}
}

// output is what a program printed, through all its starts; a test that fails shows its end.
type output struct {
	name string

	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func newOutput(t *testing.T, name string) *output {
	t.Helper()
	o := &output{name: name}
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		if dir := os.Getenv("FARSHORE_E2E_LOGS"); dir != "" {
			file := filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "-")+"-"+name+".log")
			if err := os.WriteFile(file, []byte(o.text()), 0o644); err == nil {
				t.Logf("all that %s printed is in %s", name, file)
				return
			}
		}
		t.Logf("the end of what %s printed:\n%s", name, lastLines(o.text(), 40))
	})
	return o
}

// Write keeps what a process prints.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// mark is the place at which the output ends now; see since.
func (o *output) mark() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Len()
}

func (o *output) since(mark int) string { return o.text()[mark:] }

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// field finds the value of a line `name: value`.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+": "); ok {
			return value
		}
	}
	return ""
}

// lookAgain is when to look at a condition again that was waited for so long. Each look may start a program, which takes
// time away from what is waited for, and a long wait may well take a tenth longer.
func lookAgain(waited time.Duration) time.Duration {
	return min(max(waited/10, 150*time.Millisecond), time.Second)
}

// wait looks at a condition until check returns nil. When it does not within limit, the test ends with the last reason.
func wait(t *testing.T, limit time.Duration, what string, check func() error) {
	t.Helper()
	began := time.Now()
	for {
		err := check()
		if err == nil {
			return
		}
		waited := time.Since(began)
		if waited > limit {
			t.Fatalf("not within %s: %s: %v", limit, what, err)
		}
		time.Sleep(lookAgain(waited))
	}
}

// patience is how long a wait may last where no rule says how long the thing itself may take.
const patience = 60 * time.Second

// until is wait with patience.
func until(t *testing.T, what string, check func() error) {
	t.Helper()
	wait(t, patience, what, check)
}

// wanted makes a condition's error of a got and a want.
func wanted[T comparable](what string, got, want T) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("%s is %v, want %v", what, got, want)
}
