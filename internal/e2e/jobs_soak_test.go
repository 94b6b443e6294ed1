//go:build soak

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSoakJobsMissed has the agent off while jobs are due, for some minutes of the machine's clock: each due time is
// accounted for by its job's rule.
func TestSoakJobsMissed(t *testing.T) {
	t.Parallel()
	w := newWorking(t, nil)
	at := time.Now().Add(20 * time.Second).UTC().Truncate(time.Second)
	w.put("skip", spec{"script": script("true"), "schedule": spec{"kind": "at", "at": at}, "missed": "skip"})
	w.put("once", spec{"script": script("true"), "schedule": spec{"kind": "at", "at": at}, "missed": "once"})
	w.put("all", spec{"script": script("true"), "schedule": spec{"kind": "cron", "cron": "* * * * *"}, "missed": "all", "missed_limit": 2})
	w.a.stop()
	off := time.Now()
	on := off.Truncate(time.Minute).Add(4*time.Minute + 20*time.Second) // four are due
	time.Sleep(time.Until(on))
	w.a.start()
	w.stand("skip", "missed")
	w.stand("once", "done")
	until(t, "each due time is accounted for", func() error {
		var got []string
		missed := 0
		for _, r := range w.runs("all") {
			if r.Due.Before(off) || !r.Due.Before(on) {
				continue
			}
			if r.State == "missed" {
				missed += max(r.Count, 1)
				continue
			}
			got = append(got, r.State)
		}
		return wanted("they", fmt.Sprint(strings.Join(got, " "), ", missed ", missed), "done done, missed 2")
	})
}

// TestSoakJobsKilledAsTheyBegin kills the agent fifty times at any moment while a run begins.
func TestSoakJobsKilledAsTheyBegin(t *testing.T) {
	t.Parallel()
	w := newWorking(t, nil)
	killedAsItBegins(w, 50)
	w.must(http.MethodDelete, "/jobs/begins", nil)
}
