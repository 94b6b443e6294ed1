package e2e

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/farshore/farshore/internal/certtest"
	"github.com/farshore/farshore/internal/wirelab"
)

// TestMeterSaysWhatTheWireSees has a device do what devices do in a day, and compares what hub and agent counted with the
// packets on the wire.
func TestMeterSaysWhatTheWireSees(t *testing.T) {
	t.Parallel()
	for _, carrier := range []string{"mqtt", "https"} {
		t.Run(carrier, func(t *testing.T) {
			t.Parallel()
			authority := certtest.New(t, "registries")
			trusted := filepath.Join(workDir(t), "authority.pem")
			write(t, trusted, string(authority.PEM))
			s := newSite(t, carrier, "SSL_CERT_FILE="+trusted)
			s.put("/profiles/by-agent", map[string]any{"settings": map[string]any{}, "link": map[string]any{"images": "agent"}})
			s.hub.cli("groups", "set", "/", "--profile", "by-agent")
			image := s.registry(authority, 3_000_000)
			s.Wire.Quiet(t, 300*time.Millisecond)
			mark, before := s.Wire.Mark(), s.hubCounts()
			s.mixedDay(image)
			s.agent.stop()
			s.Wire.Quiet(t, 300*time.Millisecond)
			within(t, "what the hub counted since it was let in", s.hubCounts().less(before), toHub(s.Wire.Since(mark)))

			// What the agent counted it tells once it runs again, which costs what it then has to be told of.
			s.agent.start()
			s.agent.inSession()
			s.Wire.Quiet(t, 300*time.Millisecond)
			told := s.usage()
			within(t, "what the agent counted, from its first knock on", told.counted(), s.Wire.Since(0))
			pulled := told.counted()["pull"]
			within(t, "what it counted for images", counted{"pull": pulled}, toRegistry(s.Wire.Since(0)))
		})
	}
}

// registryPort is where the registry beside the hub listens.
const registryPort = 5000

// toHub leaves out what passed between the device and the registry.
func toHub(tr wirelab.Traffic) (out wirelab.Traffic) {
	for _, p := range tr {
		if p.Flow.Hub != registryPort {
			out = append(out, p)
		}
	}
	return out
}

func toRegistry(tr wirelab.Traffic) (out wirelab.Traffic) {
	for _, p := range tr {
		if p.Flow.Hub == registryPort {
			out = append(out, p)
		}
	}
	return out
}

// within holds a count to the wire by one percent. What TCP sends twice, as the machine is busy, is known to its sender
// alone: one end may count it or not.
func within(t *testing.T, what string, got counted, seen wirelab.Traffic) {
	t.Helper()
	wire, again := seen.Bytes(), seen.Again().Bytes()
	off := 100 * float64(got.total()-wire) / float64(wire)
	t.Logf("%s: %d bytes, %d on the wire, of those %d sent again: %+.2f %%: %+v", what, got.total(), wire, again, off, got)
	if n := got.total(); n > wire+wire/100 || n < wire-again-wire/100 {
		t.Errorf("%s: %d bytes, and %d were on the wire, of those %d sent again: %+.2f %%", what, n, wire, again, off)
	}
}
