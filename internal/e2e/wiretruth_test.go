package e2e

import (
	"testing"
	"time"

	"github.com/farshore/farshore/internal/testengine"
)

// TestMeterSaysWhatTheWireSees has a device do what devices do in a day, and compares what hub and agent counted with the
// packets on the wire.
func TestMeterSaysWhatTheWireSees(t *testing.T) {
	t.Parallel()
	for _, carrier := range []string{"mqtt", "https"} {
		t.Run(carrier, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, carrier)
			s.Wire.Quiet(t, 300*time.Millisecond)
			mark, before := s.Wire.Mark(), s.hubCounts()
			s.mixedDay(testengine.BusyboxImage)
			s.agent.stop()
			s.Wire.Quiet(t, 300*time.Millisecond)
			within(t, "what the hub counted since it was let in", s.hubCounts().less(before), s.Wire.Since(mark).Bytes())

			// What the agent counted it tells once it runs again, which costs what it then has to be told of.
			s.agent.start()
			s.hub.connected(s.device, "")
			s.hub.heard(s.device)
			s.Wire.Quiet(t, 300*time.Millisecond)
			told := s.usage()
			within(t, "what the agent counted, from its first knock on", told.counted(), s.Wire.Since(0).Bytes())
		})
	}
}

// within holds a count to the wire by one percent.
func within(t *testing.T, what string, got counted, wire int) {
	t.Helper()
	off := 100 * float64(got.total()-wire) / float64(wire)
	t.Logf("%s: %d bytes, %d on the wire: %+.2f %%: %+v", what, got.total(), wire, off, got)
	if off > 1 || off < -1 {
		t.Errorf("%s: %d bytes, and %d were on the wire: %+.2f %%", what, got.total(), wire, off)
	}
}
