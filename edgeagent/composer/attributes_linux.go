package composer

import "syscall"

// attributes puts the composer into a process group of its own, so that Ctrl-C on the agent does not reach it before
// the agent decides, and has the kernel end it when the agent dies.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
