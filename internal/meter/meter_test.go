package meter

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// pair returns a metered end, its tally and the other end.
func pair(t *testing.T) (*Conn, *Tally, net.Conn) {
	t.Helper()
	a, b := net.Pipe()
	tally := new(Tally)
	return Wrap(a, tally, HubSide), tally, b
}

// exchange lets the far end send n bytes and the metered end answer with m.
func exchange(t *testing.T, near, far net.Conn, n, m int) {
	t.Helper()
	go func() {
		_, _ = far.Write(make([]byte, n))
		_, _ = io.ReadFull(far, make([]byte, m))
	}()
	if _, err := io.ReadFull(near, make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if _, err := near.Write(make([]byte, m)); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// The trial in the protocol notes measured 204 bytes for an MQTT ping of 24 and 24 bytes of TLS record.
func TestPingCostsWhatWasMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, tally, far := pair(t)
		defer far.Close()
		exchange(t, near, far, 24, 24)
		first := tally.Counts()
		time.Sleep(time.Minute)
		exchange(t, near, far, 24, 24)
		second := tally.Counts()
		if got := second.Total().Up + second.Total().Down - first.Total().Up - first.Total().Down; got != 204 {
			t.Errorf("a ping was counted as %d bytes, the wire says 204", got)
		}
	})
}

func TestClassesAddUpToTheTotal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, tally, far := pair(t)
		defer far.Close()
		tally.Up(0)
		tally.Down(0)
		exchange(t, near, far, 5000, 100)
		tally.Up(3)
		tally.Down(2)
		exchange(t, near, far, 10, 10)
		if err := near.Close(); err != nil {
			t.Fatal(err)
		}
		c := tally.Counts()
		if c[3].Up != 5000+4*52 {
			t.Errorf("snapshot up: %d, want 5000 and 4 segments", c[3].Up)
		}
		if c[2].Down != 100+52+2*52 {
			t.Errorf("desired down: %d, want 100, its segment and 2 acknowledgements of the upload", c[2].Down)
		}
		if c[0].Up == 0 || c[0].Down == 0 {
			t.Error("what nobody claimed is missing from class 0")
		}
		var sum Counts
		sum.Add(c)
		if sum.Total() != c.Total() {
			t.Error("sums differ")
		}
		total := c.Total()
		_ = near.Close()
		after := tally.Counts()
		if after.Total() != total {
			t.Error("closing twice was counted twice")
		}
	})
}
