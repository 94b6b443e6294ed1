package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/farshore/farshore/internal/script"
	"github.com/farshore/farshore/jobs/runner"
)

// How long things may take at the end of a run.
const (
	// gentle is from SIGTERM to SIGKILL.
	gentle = 10 * time.Second
	// leftGentle is that for what a script has left behind when it ended by itself.
	leftGentle = 2 * time.Second
	// pipeGrace is how long output is awaited when all that wrote it is gone.
	pipeGrace = 2 * time.Second
	// dying is how long processes may take to be gone after SIGKILL.
	dying = 10 * time.Second
)

// defaultPath is PATH where the agent has none.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Run implements runner.Executor.
func (x *Executor) Run(ctx context.Context, a runner.Attempt) (runner.Exit, error) {
	if x.contained() {
		return runner.Exit{}, never("its agent is in a container: run the job in one too, or install the agent as a service of the host")
	}
	if a.Script == nil {
		return runner.Exit{}, never("it has no script, and without a container there is no other program")
	}
	line, err := script.Read(a.Script)
	if err != nil {
		return runner.Exit{}, never("its script is no good: %w", err)
	}
	who, err := lookUp(a.Spec.User)
	if err != nil {
		return runner.Exit{}, err
	}
	env := x.environment(who, a)
	if err := interpreterThere(line, env); err != nil {
		return runner.Exit{}, err
	}
	if a.Spec.Dir != "" {
		if info, err := os.Stat(a.Spec.Dir); err != nil {
			return runner.Exit{}, fmt.Errorf("its working folder cannot be used: %w", err)
		} else if !info.IsDir() || !filepath.IsAbs(a.Spec.Dir) {
			return runner.Exit{}, fmt.Errorf("its working folder %s is no folder of this device", a.Spec.Dir)
		}
	}
	if err := x.Clear(context.WithoutCancel(ctx), a.Run); err != nil { // of an earlier attempt
		return runner.Exit{}, err
	}
	if err := ctx.Err(); err != nil {
		return runner.Exit{}, fmt.Errorf("it was not started: %w", err)
	}
	f, err := x.makeFolder(a.Run, who, a.Script)
	defer x.removeFolder(a.Run)
	if err != nil {
		return runner.Exit{}, fmt.Errorf("its folder on this device cannot be made: %w", err)
	}
	dir := a.Spec.Dir
	if dir == "" {
		dir = f.work
	}
	command := line.Command(f.script, a.Spec.Args)
	cmd := &exec.Cmd{Path: command[0], Args: command, Env: env, Dir: dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: who.credential()}
	return x.run(ctx, a, cmd)
}

func never(format string, args ...any) error {
	return fmt.Errorf("%w: %w", runner.ErrNever, fmt.Errorf(format, args...))
}

// environment is all that a script gets: what the job says, and what every program expects.
func (x *Executor) environment(who user, a runner.Attempt) []string {
	path, lang := os.Getenv("PATH"), os.Getenv("LANG")
	if path == "" {
		path = defaultPath
	}
	if lang == "" {
		lang = "C.UTF-8"
	}
	env := []string{"PATH=" + path, "HOME=" + who.home, "USER=" + who.name, "LANG=" + lang}
	if zone, ok := os.LookupEnv("TZ"); ok {
		env = append(env, "TZ="+zone)
	}
	for _, own := range a.Env {
		name, _, _ := strings.Cut(own, "=")
		env = slices.DeleteFunc(env, func(have string) bool { return strings.HasPrefix(have, name+"=") })
		if name != runVariable && name != deviceVariable {
			env = append(env, own)
		}
	}
	return append(x.marks(a.Run), env...)
}

// interpreterThere says which interpreter is missing, if any.
func interpreterThere(line script.Line, env []string) error {
	if _, err := os.Stat(line.Program); err != nil {
		return never("its interpreter %s is not on this device: install it, or name another in the script's first line", line.Program)
	}
	sought := line.Sought()
	if sought == "" {
		return nil
	}
	for _, v := range env {
		path, ok := strings.CutPrefix(v, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(path) {
			if info, err := os.Stat(filepath.Join(dir, sought)); err == nil && info.Mode()&0o111 != 0 && !info.IsDir() {
				return nil
			}
		}
	}
	return never("its interpreter %s is in no folder of PATH on this device: install it, or name another in the script's first line", sought)
}

// run starts the process and sees it through.
func (x *Executor) run(ctx context.Context, a runner.Attempt, cmd *exec.Cmd) (runner.Exit, error) {
	out, err := capture(a.Stdout)
	if err != nil {
		return runner.Exit{}, err
	}
	defer out.close()
	errs, err := capture(a.Stderr)
	if err != nil {
		return runner.Exit{}, err
	}
	defer errs.close()
	cmd.Stdout, cmd.Stderr = out.write, errs.write // stdin stays /dev/null
	keepFilesFromChildren()
	if err := cmd.Start(); err != nil {
		return runner.Exit{}, notStarted(err, a)
	}
	_ = out.write.Close()
	_ = errs.write.Close()
	pid := cmd.Process.Pid
	notSpared(pid)
	if err := x.noteLeader(a.Run, pid); err != nil {
		x.cfg.Log.Warn("the process of a run cannot be noted", "run", a.Run, "error", err)
	}

	// The process is seen to be over but is not reaped until all that it started is gone: so long its number, and with it
	// that of its session, means nothing else.
	over := make(chan struct{})
	go func() {
		defer close(over)
		for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
		}
	}()
	t := tree{x: x, run: a.Run, leader: pid}
	patience, ended := leftGentle, error(nil)
	select {
	case <-over:
	case <-ctx.Done():
		select {
		case <-over: // at the same moment, by itself
		default:
			patience, ended = gentle, ctx.Err()
		}
	}
	if ended == nil {
		out.await(leftGrace)
		errs.await(leftGrace)
	}
	left := t.end(patience)
	if len(left) > 0 {
		x.cfg.Log.Error("processes of a run cannot be killed", "run", a.Run, "processes", left)
		if slices.Contains(left, pid) { // it is waited for when the agent ends
			go func() { _ = cmd.Wait() }()
			return runner.Exit{}, fmt.Errorf("its process %d cannot be killed: %w", pid, errors.Join(ended, errStuck))
		}
	}
	out.await(pipeGrace)
	errs.await(pipeGrace)
	_ = cmd.Wait()
	exit := exitOf(cmd.ProcessState)
	if ended != nil {
		return exit, fmt.Errorf("it was killed: %w", ended)
	}
	return exit, nil
}

// leftGrace is how long what a script has left behind may go on to write, if it holds its output.
const leftGrace = time.Second

var errStuck = errors.New("the kernel does not let go of it")

func exitOf(s *os.ProcessState) runner.Exit {
	status, ok := s.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return runner.Exit{Signal: unix.SignalName(status.Signal())}
	}
	return runner.Exit{Code: int32(s.ExitCode())}
}

// notStarted words why a process could not be started.
func notStarted(err error, a runner.Attempt) error {
	switch {
	case a.Spec.User != "" && errors.Is(err, unix.EPERM):
		return never("the agent may not become user %s: let it run as root, with the capabilities CAP_SETUID and CAP_SETGID", a.Spec.User)
	case errors.Is(err, unix.E2BIG):
		return errors.New("its arguments and variables are longer than the system takes")
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("its interpreter may not be started, or its working folder not be used, as its user: %w", err)
	}
	return fmt.Errorf("it cannot be started: %w", err)
}

// keepFilesFromChildren lets no file that the agent inherited, or opened carelessly, go on to what it starts.
func keepFilesFromChildren() {
	if unix.CloseRange(3, ^uint(0)>>1&(1<<31-1), unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	names, _ := os.ReadDir("/proc/self/fd")
	for _, n := range names {
		if fd, ok := number(n.Name()); ok && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}

// notSpared: the agent may be spared when memory runs out, a script is not.
func notSpared(pid int) {
	path := fmt.Sprintf("/proc/%d/oom_score_adj", pid)
	if b, err := os.ReadFile(path); err == nil && strings.HasPrefix(string(b), "-") {
		_ = os.WriteFile(path, []byte("0"), 0)
	}
}

// stream copies what is written to a pipe.
type stream struct {
	read, write *os.File
	done        chan struct{}
}

func capture(to io.Writer) (*stream, error) {
	s := &stream{done: make(chan struct{})}
	var err error
	if s.read, s.write, err = os.Pipe(); err != nil {
		return nil, fmt.Errorf("its output cannot be read: %w", err)
	}
	go func() {
		defer close(s.done)
		_, _ = io.CopyBuffer(writerOnly{to}, readerOnly{s.read}, make([]byte, 64<<10))
	}()
	return s, nil
}

// They hide methods by which io.CopyBuffer would do without its buffer.
type (
	writerOnly struct{ io.Writer }
	readerOnly struct{ io.Reader }
)

// await waits until all that could write has closed the pipe, at most that long.
func (s *stream) await(atMost time.Duration) {
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	select {
	case <-s.done:
	case <-timer.C:
	}
}

// close ends the copying: nothing is written any more when it returns.
func (s *stream) close() {
	_ = s.write.Close()
	_ = s.read.Close()
	<-s.done
}
