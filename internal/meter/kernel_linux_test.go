package meter

import (
	"io"
	"math"
	"net"
	"testing"
)

// The system's counters of segments wrap after 2^32, which a connection that lasts for months reaches; and one that was
// restored with its machine may begin anew.
func TestCountersThatWrapOrGoBack(t *testing.T) {
	for name, c := range map[string]struct {
		last, now counters
		in, out   uint64
	}{
		"they grow":      {counters{in: 10, out: 20, again: 100}, counters{in: 13, out: 25, again: 150}, 3 * 52, 5*52 + 50},
		"they stay":      {counters{in: 10, out: 20, again: 100}, counters{in: 10, out: 20, again: 100}, 0, 0},
		"segments wrap":  {counters{in: math.MaxUint32 - 1, out: math.MaxUint32}, counters{in: 1, out: 4}, 3 * 52, 5 * 52},
		"they go back":   {counters{in: 900, out: 800, again: 70_000}, counters{in: 2, out: 1, again: 0}, 0, 0},
		"one goes back":  {counters{in: 900, out: 800, again: 70_000}, counters{in: 901, out: 1, again: 70_010}, 52, 10},
		"back past zero": {counters{in: 1, out: 1}, counters{in: math.MaxUint32, out: math.MaxUint32 - 7}, 0, 0},
	} {
		if in, out := c.now.since(c.last, 52); in != c.in || out != c.out {
			t.Errorf("%s: %d in and %d out, want %d and %d", name, in, out, c.in, c.out)
		}
	}
}

// A connection of which the counters were set back is counted on with what was really there, not with 2^32 segments.
func TestAConnectionGoesOnWhenItsCountersWereSetBack(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	far := make(chan net.Conn, 1)
	go func() {
		c, _ := l.Accept()
		far <- c
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	tally := new(Tally)
	near, there := Wrap(c, tally, AgentSide), <-far
	defer near.Close()
	defer there.Close()
	if near.kernel == nil {
		t.Skip("this system tells nothing of its connections")
	}
	say := func() {
		if _, err := near.Write(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(there, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	say()
	near.kernel.last = counters{in: 1 << 20, out: 1 << 20, again: 1 << 40, received: 1 << 40}
	before := all(tally)
	say()
	say()
	if by := all(tally) - before; by < 200 || by > 200+10*52 {
		t.Errorf("200 bytes were sent after the counters went back, and %d counted", by)
	}
	near.Close()
	if by := all(tally) - before; by > 200+20*52 {
		t.Errorf("with its end, %d bytes were counted for 200", by)
	}
}

func all(t *Tally) uint64 {
	c := t.Counts()
	sum := c.Total()
	return sum.Up + sum.Down
}
