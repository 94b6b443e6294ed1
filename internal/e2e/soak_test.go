//go:build soak

package e2e

import (
	"strings"
	"testing"
)

// TestSoakKilledAtAnyPoint kills the hub, the agent, and both, fifty times each.
func TestSoakKilledAtAnyPoint(t *testing.T) {
	t.Parallel()
	for _, victims := range [][]string{{"hub"}, {"agent"}, {"hub", "agent"}} {
		t.Run(strings.Join(victims, " and "), func(t *testing.T) {
			t.Parallel()
			killRounds(t, 50, victims...)
		})
	}
}
