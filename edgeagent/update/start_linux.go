package update

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// start starts a program on trial. The kernel ends it with the launcher; it has a process group of its own, so that
// signals reach it once.
func (l *launcher) start(path string) (*child, error) {
	c := &child{done: make(chan struct{}), tail: &tail{next: l.Output}}
	c.cmd = exec.Command(path, l.Args...)
	c.cmd.Stdout, c.cmd.Stderr = c.tail, c.tail
	c.cmd.WaitDelay = killAfter // what it has started may hold its output open
	c.cmd.Env = Environment(os.Environ(), LauncherVariable+"="+l.Self, WaitingVariable+"=1")
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		// The kernel's parent-death signal is tied to the thread that starts the process, so it has to live as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		c.code, c.how = ended(c.cmd.Wait())
		close(c.done)
	}()
	return c, <-started
}
