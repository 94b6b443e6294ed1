package meter

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

func (k *kernel) ask() (c counters, ok bool) {
	err := k.conn.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if ok = err == nil; ok {
			c = counters{
				in: info.Segs_in, out: info.Segs_out, data: info.Data_segs_in, again: info.Bytes_retrans, received: info.Bytes_received,
				most: info.Rcv_mss,
			}
		}
	})
	return c, ok && err == nil
}

// repeated is how many segments came twice on all connections of this network together, as this end has told the other
// ends. 0 where that is not known.
func repeated() (n uint64) {
	text, err := os.ReadFile("/proc/thread-self/net/netstat")
	if err != nil {
		return 0
	}
	// Names are in one line, and what they count in the next.
	var names [][]byte
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		if len(fields) == 0 || !bytes.Equal(fields[0], []byte("TcpExt:")) {
			continue
		}
		for i := range min(len(names), len(fields)) {
			if name := string(names[i]); name == "TCPDSACKOldSent" || name == "TCPDSACKOfoSent" {
				more, _ := strconv.ParseUint(string(fields[i]), 10, 64) // else it counts for nothing
				n += more
			}
		}
		names = fields
	}
	return n
}
