package testengine

import (
	"os/exec"
	"syscall"
)

// isolatedCommand returns a command that will run as process 1 of new process and mount namespaces, and in a process
// group of its own, so that Ctrl-C reaches the tests first and the engine only through them.
func isolatedCommand(name string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Setpgid:    true,
	}
	return cmd, nil
}

// ownNetwork gives an isolated command a network of its own, with nothing in it.
func ownNetwork(cmd *exec.Cmd) { cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWNET }
