package spending

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A hub that sends without end over a real connection gets no more into the device than the cap, and a hundredth of it
// for what was on its way: by what the hub's own system says was acknowledged.
func TestFloodEndsAtTheCap(t *testing.T) {
	const hard = 5_000_000
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	acked := make(chan uint64, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			acked <- 0
			return
		}
		defer c.Close()
		raw, _ := c.(*net.TCPConn).SyscallConn()
		got := uint64(0)
		for block := make([]byte, 8<<10); err == nil; {
			_ = raw.Control(func(fd uintptr) {
				if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
					got = max(got, info.Bytes_acked)
				}
			})
			_, err = c.Write(block)
		}
		_ = raw.Control(func(fd uintptr) {
			if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
				got = max(got, info.Bytes_acked)
			}
		})
		acked <- got
	}()
	b := newBox(t, capped(hard))
	defer b.stop()
	asFarAway := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) { // segments of 64 kB are of this machine alone
		return errors.Join(raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, 1448) }), err)
	}}
	raw, err := b.Attempts(asFarAway.DialContext)(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := b.Wrap(raw)
	defer c.Close()
	n, err := io.Copy(io.Discard, c)
	if !errors.Is(err, ErrNotNow) || n > hard || n < hard*95/100 {
		t.Errorf("%d bytes were read, until %v", n, err)
	}
	if got := <-acked; got > hard*101/100 || got < hard*95/100 {
		t.Errorf("the device's system took %d bytes, it read %d", got, n)
	}
}
