package localsocket

import (
	"net"

	"golang.org/x/sys/unix"
)

// peerOf is the user at the other end of a connection.
func peerOf(conn net.Conn) (uid uint32, ok bool) {
	c, is := conn.(*net.UnixConn)
	if !is {
		return 0, false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	var peer *unix.Ucred
	var asked error
	err = raw.Control(func(fd uintptr) { peer, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err != nil || asked != nil || peer == nil {
		return 0, false
	}
	return peer.Uid, true
}
