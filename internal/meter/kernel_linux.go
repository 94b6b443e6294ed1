package meter

import "golang.org/x/sys/unix"

func (k *kernel) ask() (c counters, ok bool) {
	err := k.conn.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if ok = err == nil; ok {
			c = counters{in: info.Segs_in, out: info.Segs_out, again: info.Bytes_retrans, received: info.Bytes_received}
		}
	})
	return c, ok && err == nil
}
