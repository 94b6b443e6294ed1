package meter

import (
	"net"
	"syscall"
)

// kernel is what the system's own counters say of a TCP connection. They know what an estimate cannot: how many segments
// and bare acknowledgements there were, what was sent again, and what came and was never read. What came twice they do not
// tell of a connection; see twice.
type kernel struct {
	conn  syscall.RawConn
	last  counters
	agent bool
	tail  uint64 // payload of the last segment, as far as is known
}

// counters of one connection. Those of segments have 32 bits in the system, and go on at 0 when these are full.
type counters struct {
	in, out  uint32 // segments
	data     uint32 // those of in that had payload
	again    uint64 // payload sent again
	received uint64 // payload that came, without what came twice
	most     uint32 // payload of the largest segments that came
}

// kernelOf finds the connection of the system below c. Nil: there is none, or it cannot be asked.
func kernelOf(c net.Conn, side Side) *kernel {
	for {
		if s, ok := c.(syscall.Conn); ok {
			raw, err := s.SyscallConn()
			if err != nil {
				return nil
			}
			k := &kernel{conn: raw, last: opening(side), agent: side == AgentSide}
			if now, ok := k.ask(); !ok || now.in == 0 {
				return nil
			}
			return k
		}
		switch below := c.(type) {
		case interface{ Unwrap() net.Conn }:
			c = below.Unwrap()
		case interface{ NetConn() net.Conn }:
			c = below.NetConn()
		default:
			return nil
		}
	}
}

// opening is what the counters say of a connection that was just opened, which Wrap counts by itself. The end that answers
// does not count its answer.
func opening(side Side) counters {
	if side == AgentSide {
		return counters{in: 1, out: 2}
	}
	return counters{in: 2}
}

// more is what the connection has cost since it was asked last, but for payload, in and out. It is zero once the
// connection is gone.
func (k *kernel) more(header uint64, t *Tally) (in, out uint64) {
	now, ok := k.ask()
	if !ok {
		return 0, 0
	}
	in, out = now.since(k.last, header)
	if k.agent {
		in += k.twice(now, t)
	}
	k.last = now
	return in, out
}

// twice estimates the payload of segments that came twice: the other end has sent them again as an acknowledgement was
// late, and who pays for the link pays for both. More segments than what came fills may be such, or small ones; the
// machine's count of what came twice tells, of all connections together. Each is taken to be as large as the last segment
// that came, which is the one that is sent again when its acknowledgement is late.
func (k *kernel) twice(now counters, t *Tally) uint64 {
	segments, payload := grown(now.data, k.last.data), now.received-min(now.received, k.last.received)
	most := max(uint64(now.most), 1)
	if payload > 0 {
		k.tail = (payload-1)%most + 1
	}
	filled := (payload + most - 1) / most
	if segments <= filled {
		return 0
	}
	return t.repeated(segments-filled, repeated()) * k.tail
}

// since is what the headers cost, and what was sent again, since the counters stood at last. One that has gone back, as
// after a machine was restored in the midst of a connection, says nothing.
func (c counters) since(last counters, header uint64) (in, out uint64) {
	return grown(c.in, last.in) * header, grown(c.out, last.out)*header + c.again - min(c.again, last.again)
}

// grown is by how much a counter of 32 bits has grown. What looks like more than half of these is a step back.
func grown(now, last uint32) uint64 {
	by := now - last
	if by >= 1<<31 {
		return 0
	}
	return uint64(by)
}
