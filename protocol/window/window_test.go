package window

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/farshore/farshore/protocol"
)

// side is a user of a Window: it sends what it has to say, and notes what it was told.
type side struct {
	w     *Window
	said  uint64
	heard []uint64
}

// weather loses, repeats and reorders what is under way.
type weather struct {
	rng  *rand.Rand
	wire []protocol.Frame
}

func (n *weather) put(f *protocol.Frame) {
	if len(n.wire) > 4*MaxUnacked {
		return // a full link loses what comes on top
	}
	for range n.rng.IntN(3) { // 0: lost, 1, 2: repeated
		at := n.rng.IntN(len(n.wire) + 1)
		if n.rng.IntN(4) > 0 {
			at = len(n.wire)
		}
		n.wire = append(n.wire[:at], append([]protocol.Frame{*f}, n.wire[at:]...)...)
	}
}

func (n *weather) take() (protocol.Frame, bool) {
	if len(n.wire) == 0 {
		return protocol.Frame{}, false
	}
	f := n.wire[0]
	n.wire = n.wire[1:]
	return f, true
}

func message(n uint64) []protocol.Message {
	m, err := protocol.NewMessage(protocol.KindEvent, protocol.DeviceEvent{ID: n})
	if err != nil {
		panic(err)
	}
	return []protocol.Message{m}
}

func (s *side) step(rng *rand.Rand, in, out *weather, total uint64) {
	if s.said < total && !s.w.Full() && rng.IntN(2) == 0 {
		s.said++
		out.put(s.w.Next(message(s.said)))
	}
	if rng.IntN(10) == 0 { // time-out
		for _, f := range s.w.Repeat() {
			out.put(f)
		}
	}
	f, ok := in.take()
	if !ok {
		return
	}
	verdict, _ := s.w.Receive(&f)
	switch verdict {
	case Deliver:
		if rng.IntN(8) == 0 {
			return // the handler failed: nothing is acknowledged, it comes again
		}
		for _, m := range f.Messages {
			var e protocol.DeviceEvent
			if err := m.Decode(&e); err != nil {
				panic(err)
			}
			s.heard = append(s.heard, e.ID)
		}
		s.w.Done(&f)
		out.put(s.w.Ack())
	case Duplicate:
		out.put(s.w.Ack())
	case Gap:
		out.put(s.w.Missing())
	}
	if f.Repeat && verdict != Foreign {
		for _, f := range s.w.Repeat() {
			out.put(f)
		}
	}
}

// Whatever the weather, each side hears everything the other said, once and in order.
func TestExactlyOnceInOrder(t *testing.T) {
	const total = 200
	for seed := range uint64(50) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			a, b := &side{w: New(7)}, &side{w: New(7)}
			ab, ba := &weather{rng: rng}, &weather{rng: rng}
			for range 200_000 {
				a.step(rng, ba, ab, total)
				b.step(rng, ab, ba, total)
				if a.w.Idle() && b.w.Idle() && len(a.heard) == total && len(b.heard) == total {
					break
				}
			}
			for _, s := range []*side{a, b} {
				if len(s.heard) != total || !s.w.Idle() {
					t.Fatalf("heard %d of %d, idle %v", len(s.heard), total, s.w.Idle())
				}
				for i, n := range s.heard {
					if n != uint64(i)+1 {
						t.Fatalf("heard %d in place %d", n, i+1)
					}
				}
			}
		})
	}
}

func TestForeignFrames(t *testing.T) {
	w := New(2)
	w.Next(nil)
	for name, f := range map[string]protocol.Frame{
		"earlier session":          {Session: 1, Seq: 1},
		"acknowledges the unknown": {Session: 2, Seq: 1, Ack: 2},
	} {
		if v, acked := w.Receive(&f); v != Foreign || len(acked) != 0 {
			t.Errorf("%s: verdict %v, acked %d", name, v, len(acked))
		}
	}
	if w.Idle() || w.Received() != 0 {
		t.Error("a foreign frame changed the window")
	}
	if v, acked := w.Receive(&protocol.Frame{Session: 2, Ack: 1}); v != Bare || len(acked) != 1 || !w.Idle() {
		t.Errorf("a bare acknowledgement: verdict %v, acked %d", v, len(acked))
	}
}
