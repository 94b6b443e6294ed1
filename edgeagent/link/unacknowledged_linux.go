package link

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// limitUnacknowledged lets the kernel end a connection whose sent bytes stay unacknowledged for d. It costs no byte on the
// wire. Where it cannot be set, the timeouts above TCP find out as well, only later.
func limitUnacknowledged(conn net.Conn, d time.Duration) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	})
}
