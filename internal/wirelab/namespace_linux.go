package wirelab

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

// Namespace is a network namespace that has no name and lives as long as its descriptor.
type Namespace struct{ file *os.File }

// newNamespace makes an empty network namespace. It skips the test where that is not allowed.
func newNamespace(t testing.TB) *Namespace {
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
	return &Namespace{m.file}
}

// Do runs fn on a thread that is in the namespace. Sockets that fn makes and processes that it starts stay there. A nil
// namespace is the machine's.
func (n *Namespace) Do(fn func() error) error {
	if n == nil {
		return fn()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := n.Enter(fn)
		if !errors.Is(err, errNotHome) {
			runtime.UnlockOSThread() // else the thread, which is in the wrong place, ends with the goroutine
		}
		done <- err
	}()
	return <-done
}

var errNotHome = errors.New("the thread cannot leave the namespace")

// Enter is Do on the thread of the caller, who has locked it.
func (n *Namespace) Enter(fn func() error) error {
	if n == nil {
		return fn()
	}
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer home.Close()
	if err = unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err == nil {
		err = fn()
	}
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, errNotHome, back)
	}
	return err
}

// Start starts a process in the namespace.
func (n *Namespace) Start(cmd *exec.Cmd) error { return n.Do(cmd.Start) }

// Listen opens a TCP listener in the namespace, as the hub does: without TCP keep-alive.
func (n *Namespace) Listen(address string) (l net.Listener, err error) {
	err = n.Do(func() error {
		l, err = (&net.ListenConfig{KeepAlive: -1}).Listen(context.Background(), "tcp", address)
		return err
	})
	return l, err
}

// Dial connects from the namespace, as the agent does: without TCP keep-alive.
func (n *Namespace) Dial(ctx context.Context, network, address string) (c net.Conn, err error) {
	err = n.Do(func() error {
		c, err = (&net.Dialer{KeepAlive: -1}).DialContext(ctx, network, address)
		return err
	})
	return c, err
}

func (n *Namespace) ip(t testing.TB, args ...string) {
	t.Helper()
	err := n.Do(func() error {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// plug makes the namespace's end of the wire: a TUN device with an address.
func (n *Namespace) plug(t testing.TB, address string) *os.File {
	t.Helper()
	fd := -1
	err := n.Do(func() (err error) {
		if fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0); err != nil {
			return fmt.Errorf("open /dev/net/tun: %w", err)
		}
		request, err := unix.NewIfreq("wire")
		if err != nil {
			return err
		}
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		return unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	})
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	// Without an address of IPv6 the kernel looks for no neighbours and routers: what is on the wire is what programs want.
	n.ip(t, "link", "set", "wire", "addrgenmode", "none")
	n.ip(t, "address", "add", address+"/24", "dev", "wire")
	n.ip(t, "link", "set", "lo", "up")
	n.ip(t, "link", "set", "wire", "mtu", fmt.Sprint(mtu), "up")
	return os.NewFile(uintptr(fd), "wire of "+address)
}
