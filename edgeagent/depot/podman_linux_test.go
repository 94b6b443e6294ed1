package depot_test

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// listenBeside listens on the loopback of whoever serves the engine's socket: a private Podman has its own.
func listenBeside(host string) (net.Listener, error) {
	conn, err := net.Dial("unix", strings.TrimPrefix(host, "unix://"))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	var peer *unix.Ucred
	if e := raw.Control(func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); e != nil || err != nil {
		return nil, fmt.Errorf("ask who serves %s: %w, %w", host, e, err)
	}
	type result struct {
		net.Listener
		error
	}
	came := make(chan result)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine, and its network with it
		listener, err := func() (net.Listener, error) {
			ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", peer.Pid))
			if err != nil {
				return nil, err
			}
			defer ns.Close()
			if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
				return nil, err
			}
			return net.Listen("tcp", "127.0.0.1:0")
		}()
		came <- result{listener, err}
	}()
	got := <-came
	return got.Listener, got.error
}

// Podman takes images from the agent as Docker does, by tag and by digest; it has layers wherever they are from.
func TestPodman(t *testing.T) {
	host := testengine.StartPodman(t)
	r := newRigOn(t, host)
	r.cfg.Listen = func() (net.Listener, error) { return listenBeside(host) }
	r.restart()
	base, app, next := newLayer(t, "base", 2<<20), newLayer(t, "app", 500<<10), newLayer(t, "app", 200<<10)
	put(t, r.registry.Addr, "plant/app", "1", "", base, app)
	pinned := put(t, r.registry.Addr, "plant/app", "2", "", base, next)
	r.bring(1, ipc.PullMissing, r.ref("plant/app:1"))
	if got, size := r.front.total(), len(base.packed)+len(app.packed); got < size || got > size+2<<10 {
		t.Errorf("blobs of %d bytes were sent for an image of %d", got, size)
	}
	before := r.front.total()
	r.bring(2, ipc.PullMissing, r.ref("plant/app@"+pinned))
	if got := r.front.total() - before; got < len(next.packed) || got > len(next.packed)+2<<10 {
		t.Errorf("%d bytes were sent for a layer of %d", got, len(next.packed))
	}
	asked := r.front.asked()
	r.bring(2, ipc.PullMissing, r.front.addr+"/plant/app@"+pinned)
	r.bring(2, ipc.PullMissing, r.front.addr+"/plant/app:1")
	if r.front.asked() != asked {
		t.Error("an image that is there was asked for")
	}
}
