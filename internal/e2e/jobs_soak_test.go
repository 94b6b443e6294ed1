//go:build soak

package e2e

import (
	"net/http"
	"testing"
)

// TestSoakJobsKilledAsTheyBegin kills the agent fifty times at any moment while a run begins.
func TestSoakJobsKilledAsTheyBegin(t *testing.T) {
	t.Parallel()
	w := newWorking(t, nil)
	killedAsItBegins(w, 50)
	w.must(http.MethodDelete, "/jobs/begins", nil)
}
