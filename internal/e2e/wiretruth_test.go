package e2e

import (
	"testing"
	"time"

	"github.com/farshore/farshore/internal/testengine"
)

// TestMeterSaysWhatTheWireSees has a device do what devices do in a day, and compares what was counted with the packets
// on the wire.
func TestMeterSaysWhatTheWireSees(t *testing.T) {
	t.Parallel()
	for _, carrier := range []string{"mqtt", "https"} {
		t.Run(carrier, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, carrier)
			s.Wire.Quiet(t, 300*time.Millisecond)
			mark, before := s.Wire.Mark(), s.counts()
			s.mixedDay(testengine.BusyboxImage)
			s.agent.stop()
			s.Wire.Quiet(t, 300*time.Millisecond)
			seen, counts := s.Wire.Since(mark), s.counts().less(before)
			t.Logf("on the wire: %d up, %d down, in %d connections; sent again: %d B", seen.Up().Bytes(), seen.Down().Bytes(), len(seen.Flows()), seen.Again().Bytes())
			t.Logf("counted: %+v", counts)
			within(t, "what the hub counted", counts.total(), seen.Bytes(), 1)
		})
	}
}

// within holds a figure to another by percents.
func within(t *testing.T, what string, got, want, percent int) {
	t.Helper()
	off := 100 * float64(got-want) / float64(want)
	t.Logf("%s: %d of %d on the wire, %+.2f %%", what, got, want, off)
	if off > float64(percent) || off < -float64(percent) {
		t.Errorf("%s: %d bytes were counted, and %d were on the wire: %+.2f %%", what, got, want, off)
	}
}
