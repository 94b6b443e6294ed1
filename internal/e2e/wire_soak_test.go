//go:build soak

package e2e

import (
	"testing"
	"time"

	"github.com/farshore/farshore/internal/testengine"
)

// TestSoakHardCapOnTheWire asks for five megabytes and goes on asking for ten minutes.
func TestSoakHardCapOnTheWire(t *testing.T) {
	t.Parallel()
	hardCap(t, 5_000_000, 10*time.Minute)
}

// TestSoakSilenceBetweenWindows watches ten contact windows of 20 s every two minutes.
func TestSoakSilenceBetweenWindows(t *testing.T) {
	t.Parallel()
	const windows, every, long = 10, 2 * time.Minute, 20 * time.Second
	s := newSite(t, "mqtt")
	s.bundle(1, testengine.BusyboxImage, noise(1000))
	s.put("/profiles/windowed", map[string]any{
		"settings": map[string]any{"ping": "5s", "snapshot": "push", "command": "push"},
		"link": map[string]any{"contact": map[string]any{"windows": []map[string]any{
			{"start": "*/2 * * * *", "seconds": int(long.Seconds()), "zone": "UTC"},
		}}},
	})
	first := time.Now().Add(10 * time.Second).Truncate(every).Add(every)
	// Until then the device would be in contact, if a window is open now.
	s.hub.cli("groups", "set", "/", "--ping", "5s", "--profile", "windowed")
	var open []opening
	for i := range windows {
		start := first.Add(time.Duration(i) * every)
		open = append(open, opening{start, start.Add(long)})
	}
	s.sail(first.Add(-5*time.Second), open, 4)
}
