package e2e

import (
	"testing"
	"time"

	"github.com/farshore/farshore/internal/testengine"
)

// TestHardCapOnTheWire asks everything of a device that may spend a megabyte, and goes on when that is spent.
func TestHardCapOnTheWire(t *testing.T) {
	t.Parallel()
	hardCap(t, 1_000_000, 20*time.Second)
}

// hardCap asks a device for more than it may spend, and then goes on asking for so long.
func hardCap(t *testing.T, hard int, beyond time.Duration) {
	s := newSite(t, "mqtt")
	s.hub.cli("groups", "set", "/", "--ping", "20m", "--snapshot", "push", "--command", "push")
	s.put("/profiles/capped", map[string]any{
		"settings": map[string]any{"ping": "20m", "snapshot": "push", "command": "push"},
		"link":     map[string]any{"budget": map[string]any{"cycle_day": 1, "hard": hard, "reserve": hard / 200}},
	})
	s.hub.cli("groups", "set", "/", "--profile", "capped")
	until(t, "the device knows its cap", func() error {
		var u struct{ Hard int }
		decode(t, s.agent.mustBox("usage", "--json"), &u)
		return wanted("the cap", u.Hard, hard)
	})
	s.bundle(1, testengine.BusyboxImage, noise(50_000))
	file := noise(hard) // each version has another piece of it
	rounds := 0
	ask := func() {
		rounds++
		from := rounds * (hard / 40) % (hard * 3 / 4)
		s.version(testengine.BusyboxImage, file[from:from+hard/40])
		s.hub.cli("command", "container-restart", s.device, "cargo-teller-1")
		s.hub.cli("command", "container-logs", s.device, "cargo-teller-1", "--tail", "400")
	}
	wait(t, 5*time.Minute, "the cap is met", func() error {
		ask()
		return wanted("the stage", s.usage().Stage, "silent")
	})
	met := s.Wire.Since(0)
	t.Logf("at the cap the agent says %+v, and %d bytes were on the wire, %d of them up; sent again: %d up, %d down", s.usage(),
		met.Bytes(), met.Up().Bytes(), met.Again().Up().Bytes(), met.Again().Down().Bytes())
	// The hub keeps 256 open commands for a device that does not come for them, and refuses more.
	const most = 100
	for began := time.Now(); time.Since(began) < beyond; time.Sleep(max(time.Second, beyond/most)) {
		ask()
	}
	all := s.Wire.Since(0)
	seen, again := all.Bytes(), all.Again().Down().Bytes()
	t.Logf("%d bytes were on the wire, %+.2f %% of the cap, and %d that the hub has sent again", seen, 100*float64(seen-hard)/float64(hard), again)
	if seen > hard+hard/100 {
		t.Errorf("%d bytes were on the wire of a device that may spend %d", seen, hard)
	}
	if seen < hard*9/10 {
		t.Errorf("%d bytes of %d were spent, and then nothing more", seen, hard)
	}
}
