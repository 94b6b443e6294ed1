package meter_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/internal/wirelab"
)

// A link that suddenly takes long makes the hub send again what has long since come. The device pays for it twice, and
// says so.
func TestWhatComesTwiceIsCountedTwice(t *testing.T) {
	const block, blocks = 20_000, 5
	l := wirelab.New(t)
	hub, err := l.Hub.Listen(wirelab.HubAddress + ":9443")
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	go func() {
		c, err := hub.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for {
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				return
			}
			_, _ = c.Write(make([]byte, block))
		}
	}()
	tally := new(meter.Tally)
	err = l.Device.Do(func() error {
		raw, err := net.Dial("tcp", wirelab.HubAddress+":9443")
		if err != nil {
			return err
		}
		c := meter.Wrap(raw, tally, meter.AgentSide)
		defer c.Close()
		for i := range blocks {
			l.Wire.SetWeather(wirelab.Weather{Delay: time.Duration(i%2) * 400 * time.Millisecond})
			if _, err := c.Write([]byte{1}); err != nil {
				return err
			}
			if _, err := io.ReadFull(c, make([]byte, block)); err != nil {
				return err
			}
			l.Wire.Quiet(t, time.Second)
		}
		l.Wire.SetWeather(wirelab.Weather{})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	l.Wire.Quiet(t, 500*time.Millisecond)
	seen := l.Wire.Since(0)
	counts := tally.Counts()
	counted, again := counts.Total().Down, seen.Down().Again().Bytes()
	t.Logf("%d bytes down were counted, %d were on the wire, %d of them again", counted, seen.Down().Bytes(), again)
	if again < 2*1448 {
		t.Fatalf("only %d bytes came twice: this shows nothing", again)
	}
	if want := seen.Down().Bytes(); int(counted) < want-want/100 || int(counted) > want+want/50 {
		t.Errorf("%d bytes down were counted, %d were on the wire, %d of them again", counted, want, again)
	}
}
