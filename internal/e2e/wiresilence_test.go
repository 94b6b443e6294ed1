package e2e

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/internal/wirelab"
)

// TestSilenceBetweenPasses watches the wire of a device that is in contact for ten seconds every twenty. The link is cut in
// the midst of the second pass and mended after it; the hub has orders for the device all the time.
func TestSilenceBetweenPasses(t *testing.T) {
	t.Parallel()
	const passes, every, long = 3, 20 * time.Second, 10 * time.Second
	s := newSite(t, "mqtt")
	s.bundle(1, testengine.BusyboxImage, noise(1000))
	first := time.Now().Truncate(time.Second).Add(10 * time.Second)
	var table []map[string]any
	var open []opening
	for i := range passes {
		start := first.Add(time.Duration(i) * every)
		open = append(open, opening{start, start.Add(long)})
		table = append(table, map[string]any{"start": start.UTC().Format(time.RFC3339), "seconds": int(long.Seconds())})
	}
	s.put("/devices/"+s.device+"/passes", map[string]any{"passes": table, "after": "silent"})
	// When the table reaches it the device ends its connection, well before the first pass: it counts from there on.
	until(t, "the table has reached the device", func() error {
		status, err := s.agent.status()
		if err == nil && status.Session.Connected {
			err = errors.New("it is still connected")
		}
		return err
	})
	s.sail(time.Now().Add(time.Second), open, 1)
}

// opening is a time of contact.
type opening struct{ start, end time.Time }

// sail asks things of the device through all openings, and holds it to silence outside of them from a moment on. In one of
// the openings the link is cut, until after its end.
func (s *site) sail(from time.Time, open []opening, cut int) {
	s.t.Helper()
	time.Sleep(time.Until(from))
	for i, o := range open {
		s.ask()
		time.Sleep(time.Until(o.start.Add(o.end.Sub(o.start) / 2)))
		if i == cut {
			s.Wire.SetWeather(wirelab.Weather{Cut: true})
		}
		s.ask()
		time.Sleep(time.Until(o.end.Add(time.Second)))
		s.Wire.SetWeather(wirelab.Weather{})
	}
	last := open[len(open)-1].end
	time.Sleep(time.Until(last.Add(5 * time.Second)))
	for i, o := range open {
		n := 0
		for _, p := range s.Wire.Since(0).Up() {
			if !p.At.Before(o.start) && !p.At.After(o.end) {
				n++
			}
		}
		if n == 0 {
			s.t.Errorf("in opening %d the device sent nothing", i+1)
		}
	}
	var astray wirelab.Traffic
	for _, p := range s.Wire.Since(0) {
		if p.At.After(from) && outside(p.At, open) {
			astray = append(astray, p)
		}
	}
	if n := len(astray.Up()); n > 0 {
		s.t.Errorf("outside of its times of contact the device sent %d packets:\n%sits times were %s", n, astray, describe(open))
	}
	s.t.Logf("%d packets of the hub outside of the times of contact", len(astray.Down()))
}

// slack is how far two clocks may be apart that are the same.
const slack = 100 * time.Millisecond

func outside(at time.Time, open []opening) bool {
	for _, o := range open {
		if !at.Before(o.start.Add(-slack)) && !at.After(o.end.Add(slack)) {
			return false
		}
	}
	return true
}

func describe(open []opening) (text string) {
	for _, o := range open {
		text += fmt.Sprintf("%s to %s  ", o.start.Format("05.000"), o.end.Format("05.000"))
	}
	return text
}

// ask queues work for the device.
func (s *site) ask() {
	s.t.Helper()
	s.hub.cli("command", "container-restart", s.device, "cargo-teller-1")
	s.hub.cli("command", "container-logs", s.device, "cargo-teller-1", "--tail", "100")
}
