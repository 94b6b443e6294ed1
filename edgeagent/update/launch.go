//go:build linux

package update

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Variables by which a program knows that it was launched.
const (
	// LauncherVariable names the installed program that launched this one.
	LauncherVariable = "FARSHORE_LAUNCHER"
	// WaitingVariable is set where the launcher waits for this program as its parent.
	WaitingVariable = "FARSHORE_LAUNCHER_WAITS"
)

// ExitSwitch is the exit code by which a program whose launcher waits asks to be launched anew.
const ExitSwitch = 75

const (
	// maxAttempts is how often a program on trial may end before it has proved itself.
	maxAttempts = 3
	// betweenAttempts is the pause after it has ended.
	betweenAttempts = time.Second
	// killAfter is how long it may take to stop when its time is over.
	killAfter = 15 * time.Second
	// maxTail is how much of what it printed is kept.
	maxTail = 2 << 10
)

// LaunchConfig is what Launch needs. All fields but Signals are required.
type LaunchConfig struct {
	Data string
	// Self is the installed program: this one.
	Self string
	// Args of the program, without its name.
	Args []string
	// Output is where a program on trial prints.
	Output io.Writer
	// Signals are passed on to a program on trial. Nil: none are.
	Signals <-chan os.Signal
	Log     *slog.Logger
}

// ErrSelf: the installed program itself is to run.
var ErrSelf = errors.New("the installed program runs")

// ExitError is the exit code of a program that has ended and that the launcher waited for.
type ExitError struct{ Code int }

// Error implements error.
func (e *ExitError) Error() string { return fmt.Sprintf("the agent ended with code %d", e.Code) }

// Launch runs what the record says. A slot that has proved itself takes the place of this process, and Launch does not
// return. One on trial runs as a child until it ends. ErrSelf says that the installed program is to run, *ExitError that
// the child has ended after it had proved itself; nil that ctx has ended.
func Launch(ctx context.Context, cfg LaunchConfig) error {
	l := &launcher{LaunchConfig: cfg, folder: In(cfg.Data)}
	for {
		r, err := l.folder.Read()
		if err != nil {
			l.Log.Error("the installed agent runs, since it is not known what else should", "error", err)
			return ErrSelf
		}
		if len(r.Slots) == 0 {
			return ErrSelf
		}
		if l.replaced(&r) {
			return ErrSelf
		}
		if r.Trial == nil {
			return l.current(r)
		}
		err = l.trial(ctx, r)
		if err != nil || ctx.Err() != nil {
			return err
		}
	}
}

type launcher struct {
	LaunchConfig
	folder Folder
}

// replaced reports whether the installed program is another than the one that filled the slots; then they are given up.
func (l *launcher) replaced(r *Record) bool {
	hash, err := hashFile(l.Self)
	if err == nil && hash == r.Launcher {
		return false
	}
	if err != nil {
		l.Log.Error("the installed agent cannot be read", "path", l.Self, "error", err)
		return false
	}
	l.Log.Info("another agent was installed: it runs in place of the one that the hub had sent", "installed", l.Self)
	if r.Trial != nil {
		r.end("another agent was installed meanwhile", "")
	}
	r.forget(SlotA)
	r.forget(SlotB)
	r.Current, r.Previous, r.Launcher = Installed, "", hash
	if err := l.folder.write(*r); err != nil {
		l.Log.Error("update", "error", err)
		return true
	}
	if err := errors.Join(l.folder.drop(SlotA), l.folder.drop(SlotB)); err != nil {
		l.Log.Warn("programs that are not needed could not be removed", "error", err)
	}
	return true
}

// current runs what has proved itself.
func (l *launcher) current(r Record) error {
	if r.Current == Installed {
		return ErrSelf
	}
	slot := r.Current
	err := l.folder.whole(&r, slot)
	if err == nil {
		path := l.folder.Path(slot, protocol.ProgramAgent)
		err = syscall.Exec(path, append([]string{path}, l.Args...), Environment(os.Environ(), LauncherVariable+"="+l.Self))
	}
	l.Log.Error("the agent that the hub had sent cannot run: the installed one does", "slot", slot, "error", err)
	r.forget(slot)
	if err := l.folder.write(r); err != nil {
		l.Log.Error("update", "error", err)
	}
	return ErrSelf
}

// trial runs the slot on trial. Nil: look at the record again.
func (l *launcher) trial(ctx context.Context, r Record) error {
	t := r.Trial
	if t.Attempts >= maxAttempts {
		return l.revert(r, fmt.Sprintf("it was stopped %d times before it was in session with the hub", t.Attempts), "")
	}
	if err := l.folder.whole(&r, t.Slot); err != nil {
		return l.revert(r, err.Error(), "")
	}
	t.Attempts++
	if err := l.folder.write(r); err != nil {
		l.Log.Error("the update is not tried, since that cannot be recorded", "error", err)
		return l.current(r)
	}
	l.Log.Info("agent on trial", "version", t.To, "slot", t.Slot, "attempt", t.Attempts, "seconds", t.Seconds)
	c, err := l.start(l.folder.Path(t.Slot, protocol.ProgramAgent))
	if err != nil {
		return l.revert(r, "it could not be started: "+err.Error(), "")
	}
	why := l.watch(ctx, c, time.Duration(t.Seconds)*time.Second)
	if r, err = l.folder.Read(); err != nil {
		return err
	}
	switch {
	case r.Trial == nil && (ctx.Err() != nil || c.code != ExitSwitch && why == ""):
		return &ExitError{c.code}
	case r.Trial == nil:
		return nil // it has proved itself: launch what is current
	case ctx.Err() != nil: // whoever stops the agent says nothing about it
		r.Trial.Attempts--
		return l.folder.write(r)
	case why != "":
		return l.revert(r, why, c.tail.String())
	}
	l.Log.Warn("the agent on trial ended", "version", r.Trial.To, "how", c.how)
	if r.Trial.Attempts >= maxAttempts {
		return l.revert(r, fmt.Sprintf("it ended %d times before it was in session with the hub, the last time %s", r.Trial.Attempts, c.how), c.tail.String())
	}
	select {
	case <-ctx.Done():
	case <-time.After(betweenAttempts):
	}
	return nil
}

// revert gives up the slot on trial.
func (l *launcher) revert(r Record, reason, output string) error {
	slot := r.Trial.Slot
	l.Log.Error("update given up: the earlier agent is back", "version", r.Trial.To, "reason", reason)
	r.end(reason, output)
	if err := l.folder.write(r); err != nil {
		l.Log.Error("update", "error", err)
		return l.current(r)
	}
	if err := l.folder.drop(slot); err != nil {
		l.Log.Warn("programs that are not needed could not be removed", "error", err)
	}
	return nil
}

// watch waits until the child has ended. It returns why it was ended by the launcher, "" when it ended by itself or ctx
// did.
func (l *launcher) watch(ctx context.Context, c *child, limit time.Duration) (why string) {
	started, deadline := time.Now(), time.NewTimer(limit)
	defer deadline.Stop()
	stop := ctx.Done()
	for {
		select {
		case <-c.done:
			return ""
		case <-stop:
			stop = nil
			c.signal(syscall.SIGTERM) // whoever stops the launcher knows for how long to wait
		case s := <-l.Signals:
			c.signal(s)
		case <-deadline.C:
			r, err := l.folder.Read()
			if err == nil && r.Trial == nil {
				continue
			}
			if err == nil && time.Duration(r.Trial.Seconds)*time.Second > limit { // it has waited for contact
				limit = time.Duration(r.Trial.Seconds) * time.Second
				deadline.Reset(time.Until(started.Add(limit)))
				continue
			}
			if ctx.Err() != nil {
				continue
			}
			c.end()
			return fmt.Sprintf("it was not in session with the hub within %.0f s", limit.Seconds())
		}
	}
}

// child is a program on trial.
type child struct {
	cmd  *exec.Cmd
	tail *tail
	done chan struct{}
	// code and how it ended, valid after done.
	code int
	how  string
}

func (c *child) signal(s os.Signal) { _ = c.cmd.Process.Signal(s) } // it may have ended

// end stops the child, at last by force, and returns when it is gone.
func (c *child) end() {
	c.signal(syscall.SIGTERM)
	select {
	case <-c.done:
	case <-time.After(killAfter):
		c.signal(syscall.SIGKILL)
		<-c.done
	}
}

func ended(err error) (code int, how string) {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, "with code 0"
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitCode(), fmt.Sprintf("with code %d", exit.ExitCode())
	case errors.As(err, &exit):
		return 1, "by " + exit.String()
	}
	return 1, err.Error()
}

// Environment returns an environment without the variables of a launcher, and with those given.
func Environment(all []string, with ...string) []string {
	var out []string
	for _, kv := range all {
		if !strings.HasPrefix(kv, LauncherVariable+"=") && !strings.HasPrefix(kv, WaitingVariable+"=") {
			out = append(out, kv)
		}
	}
	return append(out, with...)
}

// Relaunch lets the launcher decide anew what runs, in the place of this process or as its child. It returns only an
// error: *ExitError where the launcher waits.
func Relaunch(args []string) error {
	if os.Getenv(WaitingVariable) != "" {
		return &ExitError{ExitSwitch}
	}
	path := os.Getenv(LauncherVariable)
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("start the agent anew: %w", err)
		}
		path = self
	}
	err := syscall.Exec(path, append([]string{filepath.Base(path)}, args...), Environment(os.Environ()))
	return fmt.Errorf("start the agent anew: %q: %w", path, err)
}

// tail keeps the end of what is written to it.
type tail struct {
	next io.Writer
	b    []byte
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - maxTail; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	_, _ = t.next.Write(p) // what cannot be shown is kept all the same
	return len(p), nil
}

func (t *tail) String() string { return strings.ToValidUTF8(string(t.b), "") }
