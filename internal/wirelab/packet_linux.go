package wirelab

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Packet is one IP packet as its sender sent it.
type Packet struct {
	At time.Time
	// Up: from device to hub.
	Up bool
	// Bytes of the IP packet, headers included.
	Bytes int
	// Protocol above IP; 6 is TCP. 0: it is not IPv4.
	Protocol byte
	// Flow is the connection. Zero where it is not TCP.
	Flow Flow
	// Payload bytes of TCP.
	Payload int
	// Flags of TCP.
	Flags byte
	// Records are the bytes of application data in each TLS record that ends with this packet.
	Records []int
	// Again: TCP has sent the segment before.
	Again bool
}

// Flow is one TCP connection: the device's port and the hub's.
type Flow struct{ Device, Hub uint16 }

// Flags of TCP: of the segments that open a connection, close it, and end it at once.
const (
	SYN = 2
	FIN = 1
	RST = 4
)

// take counts one packet and gives the weather that it meets.
func (w *Wire) take(at time.Time, d direction, b []byte) Weather {
	p := Packet{At: at, Up: d == up, Bytes: len(b)}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(b) >= 40 && b[0]>>4 == 4 {
		p.Protocol = b[9]
		if p.Protocol == unix.IPPROTO_TCP {
			w.segment(&p, b)
		}
	}
	w.packets = append(w.packets, p)
	close(w.changed)
	w.changed = make(chan struct{})
	return w.weather
}

// segment reads the TCP header. Callers hold mu.
func (w *Wire) segment(p *Packet, b []byte) {
	segment := b[int(b[0]&15)*4:]
	from, to := binary.BigEndian.Uint16(segment), binary.BigEndian.Uint16(segment[2:])
	payload := segment[int(segment[12]>>4)*4:]
	p.Payload, p.Flags = len(payload), segment[13]
	if p.Flow = (Flow{Device: to, Hub: from}); p.Up {
		p.Flow = Flow{Device: from, Hub: to}
	}
	s, seq := stream{p.Flow, p.Up}, binary.BigEndian.Uint32(segment[4:])
	if w.streams[s] == nil || p.Flags&SYN != 0 && w.streams[s].next != seq+1 {
		w.streams[s] = &tape{next: seq}
	}
	p.Records, p.Again = w.streams[s].add(seq, p.Flags, payload)
}

// stream is one direction of a connection.
type stream struct {
	Flow
	up bool
}

// recordOverhead is what TLS 1.3 adds to each record: header, content type, authentication tag.
const recordOverhead = 5 + 1 + 16

// tape finds the TLS records in a stream.
type tape struct {
	next    uint32 // sequence number that follows
	pending []byte
}

// add takes over a segment and returns the sizes of the records of application data that are complete with it.
func (r *tape) add(seq uint32, flags byte, payload []byte) (sizes []int, again bool) {
	takes := uint32(len(payload))
	if flags&(SYN|FIN) != 0 {
		takes++
	}
	if takes == 0 || flags&RST != 0 {
		return nil, false
	}
	if seq != r.next {
		return nil, true
	}
	r.next = seq + takes
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

// Traffic is what was sent in a stretch of time.
type Traffic []Packet

// Up returns the packets from the device to the hub.
func (tr Traffic) Up() Traffic { return tr.where(func(p Packet) bool { return p.Up }) }

// Down returns the packets from the hub to the device.
func (tr Traffic) Down() Traffic { return tr.where(func(p Packet) bool { return !p.Up }) }

// On returns the packets of the connections.
func (tr Traffic) On(flows ...Flow) Traffic {
	return tr.where(func(p Packet) bool { return slices.Contains(flows, p.Flow) })
}

// Again are the segments that TCP has sent again. On a wire that loses nothing the machine was too busy to acknowledge
// in time.
func (tr Traffic) Again() Traffic { return tr.where(func(p Packet) bool { return p.Again }) }

func (tr Traffic) where(holds func(Packet) bool) (out Traffic) {
	for _, p := range tr {
		if holds(p) {
			out = append(out, p)
		}
	}
	return out
}

// Bytes is the sum over the packets, IP headers included. What TCP has sent again counts too.
func (tr Traffic) Bytes() (n int) {
	for _, p := range tr {
		n += p.Bytes
	}
	return n
}

// Flows are the connections, in the order in which they come.
func (tr Traffic) Flows() (out []Flow) {
	for _, p := range tr {
		if p.Flow != (Flow{}) && !slices.Contains(out, p.Flow) {
			out = append(out, p.Flow)
		}
	}
	return out
}

// String lists the packets: time, direction, bytes, and what was in them.
func (tr Traffic) String() string {
	var b strings.Builder
	for _, p := range tr {
		way := "down"
		if p.Up {
			way = "up"
		}
		fmt.Fprintf(&b, "%s %-4s %5d B  payload %4d  records %v", p.At.Format("05.000"), way, p.Bytes, p.Payload, p.Records)
		switch {
		case p.Again:
			b.WriteString("  sent again: the machine was busy")
		case p.Protocol != unix.IPPROTO_TCP:
			fmt.Fprintf(&b, "  protocol %d", p.Protocol)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
