package e2e

import (
	"fmt"
	"slices"
	"time"

	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/internal/wirelab"
)

// hourOfDay is a part of the day in which one kind of work goes on.
type hourOfDay struct {
	of      string   // the class that the work is of
	up      bool     // or down: the way that its bytes go
	percent int      // of the bytes that went that way, at the least, are the class's
	beside  []string // classes that this work cannot be done without
	do      func()
}

// mixedDay has the device do what devices do in a day, one kind after the other, and holds what the agent counted for each
// to the packets that were on the wire meanwhile.
func (s *site) mixedDay(image string) {
	s.t.Helper()
	times := func(n int, do func()) func() {
		return func() {
			for range n {
				do()
			}
		}
	}
	set := func(args ...string) { s.hub.cli(append([]string{"groups", "set", "/"}, args...)...) }
	file, n := noise(500_000), 0
	again := func() {
		s.agent.stop()
		s.agent.start()
		s.agent.inSession()
	}
	set("--ping", "20m", "--snapshot", "off", "--command", "push")
	s.bundle(1, testengine.BusyboxImage, noise(1000))
	for _, h := range []hourOfDay{
		{"session", true, 100, nil, again},
		{"desired", false, 50, []string{"session"}, times(10, func() { n++; set("--ping", fmt.Sprint(20+n, "m")) })},
		{"results", true, 50, []string{"session", "desired"}, times(10, func() {
			s.hub.cli("command", "container-restart", s.device, "cargo-teller-1", "--wait")
		})},
		{"output", true, 95, []string{"session", "desired", "results"}, times(3, func() {
			s.hub.cli("command", "container-logs", s.device, "cargo-teller-1", "--tail", "400", "--wait")
		})},
		{"blob", false, 97, []string{"session", "desired", "results"}, func() { s.bundle(2, testengine.BusyboxImage, file) }},
		{"pull", false, 99, []string{"session", "desired", "results", "blob"}, func() { s.bundle(3, image, file) }},
		{"snapshot", true, 50, []string{"session", "desired"}, func() {
			set("--snapshot", "push")
			for range 10 {
				if err := s.engine.ask("POST", "/containers/cargo-teller-1/restart", nil); err != nil {
					s.t.Fatal(err)
				}
				s.Wire.Quiet(s.t, 300*time.Millisecond)
			}
		}},
	} {
		s.Wire.Quiet(s.t, 500*time.Millisecond)
		mark, before := s.Wire.Mark(), s.usage().counted()
		h.do()
		s.Wire.Quiet(s.t, 500*time.Millisecond)
		s.holds(h, s.usage().counted().less(before), s.Wire.Since(mark))
	}
}

// holds compares what was counted in a part of the day with what was on the wire.
func (s *site) holds(h hourOfDay, got counted, seen wirelab.Traffic) {
	s.t.Helper()
	within(s.t, "the part of the day of class "+h.of, got, seen)
	way, n := seen.Down().Bytes(), got[h.of].down
	if h.up {
		way, n = seen.Up().Bytes(), got[h.of].up
	}
	s.t.Logf("%d of the %d bytes that went its way are of class %s: %.1f %%", n, way, h.of, 100*float64(n)/float64(way))
	if n < way*h.percent/100 {
		s.t.Errorf("%d of the %d bytes that went its way are of class %s: want %d %%", n, way, h.of, h.percent)
	}
	for class, b := range got {
		if n := b.up + b.down; n != 0 && class != h.of && !slices.Contains(h.beside, class) {
			s.t.Errorf("while there was only work of class %s, %d bytes were counted for %s", h.of, n, class)
		}
	}
}
