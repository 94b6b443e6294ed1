//go:build bench && linux

package benchwire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Addresses of the two ends of the cable.
const (
	hubAddress    = "10.99.0.1"
	deviceAddress = "10.99.0.2"
)

// lab is two network namespaces, a cable between them, and the counter on it.
type lab struct {
	hub, device *namespace
	tap         *tap
	counted     int // place up to which connections were counted
}

// namespace is a network namespace that has no name and lives as long as its descriptor.
type namespace struct{ file *os.File }

// newLab makes the namespaces and the cable. It skips the test where that is not allowed.
func newLab(t *testing.T) *lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("counting on the wire needs root rights, for network namespaces")
	}
	l := &lab{hub: newNamespace(t), device: newNamespace(t)}
	peer := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), l.device.file.Fd())
	// Segments leave one by one, as they would on a cable: without this the kernel hands over several as one packet.
	l.hub.ip(t, "link", "add", "cable", "gso_max_segs", "1", "type", "veth", "peer", "name", "cable", "gso_max_segs", "1", "netns", peer)
	for n, address := range map[*namespace]string{l.hub: hubAddress, l.device: deviceAddress} {
		n.ip(t, "address", "add", address+"/24", "dev", "cable")
		n.ip(t, "link", "set", "lo", "up")
		n.ip(t, "link", "set", "cable", "up")
	}
	l.tap = l.hub.tap(t)
	return l
}

// newNamespace makes an empty network namespace.
func newNamespace(t *testing.T) *namespace {
	t.Helper()
	type made struct {
		file *os.File
		err  error
	}
	result := make(chan made)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			result <- made{err: fmt.Errorf("make a network namespace: %w", err)}
			return
		}
		file, err := os.Open("/proc/thread-self/ns/net")
		result <- made{file, err}
	}()
	m := <-result
	if errors.Is(m.err, unix.EPERM) {
		t.Skip(m.err)
	}
	if m.err != nil {
		t.Fatal(m.err)
	}
	t.Cleanup(func() { _ = m.file.Close() })
	return &namespace{m.file}
}

// do runs fn on a thread that is in the namespace. Sockets and processes that fn makes stay there.
func (n *namespace) do(fn func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err == nil {
			defer home.Close()
			if err = unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err == nil {
				err = fn()
			}
			if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
				runtime.UnlockOSThread() // else the thread, which is in the wrong place, ends with the goroutine
			}
		}
		done <- err
	}()
	return <-done
}

func (n *namespace) ip(t *testing.T, args ...string) {
	t.Helper()
	err := n.do(func() error {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// start starts a process in the namespace.
func (n *namespace) start(cmd *exec.Cmd) error { return n.do(cmd.Start) }

// listen opens a listener in the namespace, as the hub does: without TCP keep-alive.
func (n *namespace) listen(address string) (l net.Listener, err error) {
	err = n.do(func() error {
		l, err = (&net.ListenConfig{KeepAlive: -1}).Listen(context.Background(), "tcp", address)
		return err
	})
	return l, err
}

// dial connects from the namespace, as the agent does: without TCP keep-alive.
func (n *namespace) dial(ctx context.Context, network, address string) (c net.Conn, err error) {
	err = n.do(func() error {
		c, err = (&net.Dialer{KeepAlive: -1}).DialContext(ctx, network, address)
		return err
	})
	return c, err
}
