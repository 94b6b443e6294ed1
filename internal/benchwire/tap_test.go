//go:build bench && linux

package benchwire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// recordOverhead is what TLS 1.3 adds to each record: header, content type, authentication tag.
const recordOverhead = 5 + 1 + 16

// mtu of the cable. A larger packet would be several that the kernel has not cut yet, and count too little.
const mtu = 1500

// synFlag is the TCP flag that opens a connection.
const synFlag = 2

// packet is one IP packet with a TCP segment.
type packet struct {
	at      time.Time
	flow    flow
	up      bool // from device to hub
	bytes   int  // of the IP packet, headers included
	payload int
	flags   byte
	records []int // bytes of application data in each TLS record that ends with this packet
	again   bool  // the segment was sent before
}

// flow is one TCP connection: the device's port and the hub's.
type flow struct{ device, hub uint16 }

// tap counts what passes on the cable.
type tap struct {
	mu      sync.Mutex
	packets []packet
	streams map[stream]*records
	broken  error // what makes the count wrong
}

type stream struct {
	flow
	up bool
}

// tap starts the counter on the namespace's cable. It ends with the test.
func (n *namespace) tap(t *testing.T) *tap {
	t.Helper()
	tp := &tap{streams: map[stream]*records{}}
	var fd int
	err := n.do(func() (err error) {
		cable, err := net.InterfaceByName("cable")
		if err != nil {
			return err
		}
		all := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL))
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(all)); err != nil {
			return err
		}
		return errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20),
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000}),
			unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: cable.Index}),
		)
	})
	if err != nil {
		t.Fatalf("count packets: %v", err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tp.read(fd, stop)
	}()
	t.Cleanup(func() {
		close(stop)
		<-stopped
		_ = unix.Close(fd)
		if tp.broken != nil {
			t.Errorf("the count is wrong: %v", tp.broken)
		}
	})
	return tp
}

func (tp *tap) read(fd int, stop <-chan struct{}) {
	buf := make([]byte, 128<<10)
	for {
		select {
		case <-stop:
			return
		default:
		}
		n, _, err := unix.Recvfrom(fd, buf, 0)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			tp.fail(fmt.Errorf("read packets: %w", err))
			return
		}
		tp.take(time.Now(), buf[:n])
		if stats, err := unix.GetsockoptTpacketStats(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil && stats.Drops > 0 {
			tp.fail(fmt.Errorf("%d packets were not seen", stats.Drops))
		}
	}
}

func (tp *tap) fail(err error) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	if tp.broken == nil {
		tp.broken = err
	}
}

// take counts one packet. What is not TCP over IPv4 (address resolution, neighbour discovery) is no part of the protocol.
func (tp *tap) take(at time.Time, b []byte) {
	if len(b) < 40 || b[0]>>4 != 4 || b[9] != unix.IPPROTO_TCP {
		return
	}
	if len(b) > mtu {
		tp.fail(fmt.Errorf("a packet of %d bytes was handed over uncut", len(b)))
	}
	total := int(binary.BigEndian.Uint16(b[2:]))
	segment := b[int(b[0]&15)*4 : total]
	from, to := binary.BigEndian.Uint16(segment), binary.BigEndian.Uint16(segment[2:])
	payload := segment[int(segment[12]>>4)*4:]
	p := packet{at: at, bytes: total, payload: len(payload), flags: segment[13]}
	p.up = net.IP(b[12:16]).String() == deviceAddress
	if p.flow = (flow{device: to, hub: from}); p.up {
		p.flow = flow{device: from, hub: to}
	}
	tp.mu.Lock()
	defer tp.mu.Unlock()
	s := stream{p.flow, p.up}
	if p.flags&synFlag != 0 || tp.streams[s] == nil {
		tp.streams[s] = &records{}
	}
	p.records, p.again = tp.streams[s].add(binary.BigEndian.Uint32(segment[4:]), payload)
	tp.packets = append(tp.packets, p)
}

// records finds the TLS records in one direction of a connection.
type records struct {
	next    uint32 // sequence number that follows; valid when begun
	begun   bool
	pending []byte
}

// add takes over a segment's payload and returns the sizes of the records of application data that are complete.
func (r *records) add(seq uint32, payload []byte) (sizes []int, again bool) {
	if len(payload) == 0 {
		return nil, false
	}
	if r.begun && seq != r.next {
		return nil, true
	}
	r.begun, r.next = true, seq+uint32(len(payload))
	r.pending = append(r.pending, payload...)
	for len(r.pending) >= 5 {
		n := 5 + int(binary.BigEndian.Uint16(r.pending[3:]))
		if len(r.pending) < n {
			break
		}
		if r.pending[0] == 23 {
			sizes = append(sizes, n-recordOverhead)
		}
		r.pending = append([]byte(nil), r.pending[n:]...)
	}
	return sizes, false
}

// traffic is what passed in a stretch of time.
type traffic []packet

// mark is a place in the order of packets.
func (tp *tap) mark() int {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return len(tp.packets)
}

// since returns the packets after mark.
func (tp *tap) since(mark int) traffic {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return append(traffic(nil), tp.packets[mark:]...)
}

// quiet waits until nothing has passed for as long, which must be longer than a delayed acknowledgement (40 to 200 ms).
func (tp *tap) quiet(t *testing.T, long time.Duration) {
	t.Helper()
	last, at, deadline := tp.mark(), time.Now(), time.Now().Add(time.Minute)
	for time.Since(at) < long {
		if time.Now().After(deadline) {
			t.Fatal("the cable never fell silent")
		}
		time.Sleep(10 * time.Millisecond)
		if now := tp.mark(); now != last {
			last, at = now, time.Now()
		}
	}
}

// on returns the packets of the connections.
func (tr traffic) on(flows ...flow) (out traffic) {
	for _, p := range tr {
		for _, f := range flows {
			if p.flow == f {
				out = append(out, p)
			}
		}
	}
	return out
}

// bytes is the sum over the packets, IP headers included. What TCP has sent again counts too.
func (tr traffic) bytes() (n int) {
	for _, p := range tr {
		n += p.bytes
	}
	return n
}

// again is how many segments TCP has sent again. The cable loses nothing: the machine was too busy to acknowledge in
// time.
func (tr traffic) again() (n int) {
	for _, p := range tr {
		if p.again {
			n++
		}
	}
	return n
}

// frames returns the sizes of the frames in MQTT PUBLISH packets of quality of service 0, taken from the sizes of the
// TLS records, each of which holds one packet. Records as small as a ping are none.
func (tr traffic) frames() (up, down []int) {
	for _, p := range tr {
		for _, n := range p.records {
			if n <= mqttPing {
				continue
			}
			f := n - publishOverhead
			if n-2 >= 128 { // the remaining length takes a second byte
				f--
			}
			if p.up {
				up = append(up, f)
			} else {
				down = append(down, f)
			}
		}
	}
	return up, down
}

const (
	// mqttPing is the size of PINGREQ and PINGRESP.
	mqttPing = 2
	// publishOverhead is the fixed header, the length of the topic, and the topic ("u/" and the id of 16 characters).
	publishOverhead = 2 + 2 + 18
)

// String lists the packets: direction, bytes, and what was in them.
func (tr traffic) String() string {
	var b strings.Builder
	for _, p := range tr {
		direction := "down"
		if p.up {
			direction = "up"
		}
		fmt.Fprintf(&b, "%s %-4s %5d B  payload %4d  records %v", p.at.Format("05.000"), direction, p.bytes, p.payload, p.records)
		if p.again {
			b.WriteString("  sent again: the machine was busy")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func sum(numbers []int) (n int) {
	for _, x := range numbers {
		n += x
	}
	return n
}
