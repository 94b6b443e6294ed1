package composer

import (
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// sharesNetwork says whether the process behind a Unix socket is in the same network namespace as this one, so that a
// port that is taken here is taken there. What cannot be found out counts as no.
func sharesNetwork(socket string) bool {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return false
	}
	var peer *unix.Ucred
	if err := raw.Control(func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil || peer == nil || peer.Pid == 0 {
		return false
	}
	ours, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return false
	}
	theirs, err := os.Readlink("/proc/" + strconv.Itoa(int(peer.Pid)) + "/ns/net")
	return err == nil && ours == theirs
}
