package e2e

import (
	"slices"
	"strings"
	"time"

	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/internal/wirelab"
)

// hourOfDay is a part of the day in which one kind of work goes on.
type hourOfDay struct {
	name   string
	shares []share
	beside string // classes that this work cannot be done without, as far as they are in no share
	do     func()
}

// share is how much of the bytes that went one way is of a class at the least.
type share struct {
	class   string
	up      bool
	percent int
}

// mixedDay has the device do what devices do in a day, one kind after the other, and holds what the agent counted for each
// to the packets that were on the wire meanwhile.
func (s *site) mixedDay(image string) {
	s.t.Helper()
	file := noise(500_000)
	ping := "20m"
	if s.agent.carrier == "https" {
		ping = "5s" // it is told of work when it asks
	}
	s.hub.cli("groups", "set", "/", "--ping", ping, "--snapshot", "off", "--command", "push")
	s.bundle(1, testengine.BusyboxImage, noise(1000))
	command := func(n int, args ...string) {
		for range n {
			s.hub.cli(append([]string{"command"}, append(args, "--wait")...)...)
		}
	}
	for _, h := range []hourOfDay{
		{"it connects", []share{{"session", true, 75}, {"session", false, 90}}, "snapshot", func() {
			s.agent.stop()
			s.agent.start()
			s.agent.inSession()
		}},
		{"commands", []share{{"desired", false, 25}, {"results", true, 25}}, "session", func() {
			command(5, "container-restart", s.device, "cargo-teller-1")
		}},
		{"logs", []share{{"output", true, 90}}, "session desired results", func() {
			command(4, "container-logs", s.device, "cargo-teller-1", "--tail", "400")
		}},
		{"files", []share{{"blob", false, 97}}, "session desired results", func() { s.bundle(2, testengine.BusyboxImage, file) }},
		{"an image", []share{{"pull", false, 99}}, "session desired results blob", func() { s.bundle(3, image, file) }},
		{"changes", []share{{"snapshot", true, 25}}, "session desired", func() {
			s.hub.cli("groups", "set", "/", "--snapshot", "push")
			for range 5 {
				if err := s.engine.ask("POST", "/containers/cargo-teller-1/restart", nil); err != nil {
					s.t.Fatal(err)
				}
				s.Wire.Quiet(s.t, 300*time.Millisecond)
			}
		}},
	} {
		s.Wire.Quiet(s.t, 300*time.Millisecond)
		mark, before := s.Wire.Mark(), s.usage().counted()
		h.do()
		s.Wire.Quiet(s.t, 300*time.Millisecond)
		s.holds(h, s.usage().counted().less(before), s.Wire.Since(mark))
	}
}

// lag is what may be on the wire at a moment and in no count yet: bare acknowledgements are counted with what follows.
const lag = 4 * 52

// holds compares what was counted in a part of the day with what was on the wire.
func (s *site) holds(h hourOfDay, got counted, seen wirelab.Traffic) {
	s.t.Helper()
	wire, again, n := seen.Bytes(), seen.Again().Bytes(), got.total()
	s.t.Logf("%s: %d bytes, %d on the wire, %d of those sent again: %+v", h.name, n, wire, again, got)
	if n > wire+wire/100+lag || n < wire-again-wire/100-lag {
		s.t.Errorf("%s: %d bytes were counted, and %d were on the wire, of those %d sent again", h.name, n, wire, again)
	}
	classes := strings.Fields(h.beside)
	for _, x := range h.shares {
		classes = append(classes, x.class)
		way, n, name := seen.Down().Bytes(), got[x.class].down, "down"
		if x.up {
			way, n, name = seen.Up().Bytes(), got[x.class].up, "up"
		}
		s.t.Logf("%s: %d of the %d bytes %s are of class %s: %.1f %%", h.name, n, way, name, x.class, 100*float64(n)/float64(way))
		if n < way*x.percent/100 || n > way+way/100+lag {
			s.t.Errorf("%s: %d of the %d bytes %s are of class %s, want %d %%", h.name, n, way, name, x.class, x.percent)
		}
	}
	for class, b := range got {
		if n := b.up + b.down; n != 0 && !slices.Contains(classes, class) {
			s.t.Errorf("%s: %d bytes were counted for %s", h.name, n, class)
		}
	}
}
