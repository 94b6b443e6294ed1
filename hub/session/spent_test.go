package session_test

import (
	"io"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
)

// Whoever draws what links cost over time takes a count that goes down for a restart of the hub. So whatever
// connections do, and in whatever order they end, no class counts down, and in the end nothing is missing.
func TestWhatWasSpentNeverCountsDown(t *testing.T) {
	h := newHub(t, nil)
	ids := []protocol.DeviceID{h.enrol(t).id, h.enrol(t).id}
	type connection struct {
		raw   net.Conn
		tally *meter.Tally
		ended func()
	}
	var (
		open  []connection
		want  meter.Counts
		last  meter.Counts
		lived bool
	)
	for range 4000 {
		n := rand.IntN(len(open) + 1)
		switch op := rand.IntN(8); {
		case n == len(open) && len(open) < 6:
			here, there := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, there) }() // until here is closed
			tally := new(meter.Tally)
			c := connection{raw: meter.Wrap(here, tally, meter.HubSide), tally: tally}
			id := ids[rand.IntN(len(ids))]
			c.ended = h.Meter(id, tally)
			if op < 4 {
				c.ended = h.Meter(id, tally) // one that was met before
			}
			open = append(open, c)
		case n == len(open):
		case op == 0:
			c := open[n]
			open = append(open[:n], open[n+1:]...)
			_ = c.raw.Close()
			c.ended()
			want.Add(c.tally.Counts())
			c.ended()
		case op < 3:
			open[n].tally.Up(uint8(rand.IntN(meter.Classes)))
		case op < 5:
			open[n].tally.Down(uint8(rand.IntN(meter.Classes)))
		default:
			if _, err := open[n].raw.Write(make([]byte, rand.IntN(3000))); err != nil {
				t.Fatal(err)
			}
		}
		spent := h.SpentByAll()
		for class, b := range spent {
			if b.Up < last[class].Up || b.Down < last[class].Down {
				t.Fatalf("class %s went from %+v to %+v", protocol.Class(class), last[class], b)
			}
		}
		last, lived = spent, lived || spent.Total().Down > want.Total().Down
	}
	if !lived {
		t.Error("what living connections cost was never counted")
	}
	for _, c := range open {
		_ = c.raw.Close()
		c.ended()
		want.Add(c.tally.Counts())
	}
	if got := h.SpentByAll(); got != want {
		t.Errorf("in the end %+v were counted, and %+v passed", got, want)
	}
}
