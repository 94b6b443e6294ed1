package reconciler_test

import (
	"testing"
	"time"
)

// TestFilesCostTheirVersion cuts the power while files are on their way: what they have cost until then is not forgotten,
// and what a later version costs is its own.
func TestFilesCostTheirVersion(t *testing.T) {
	device(t, func(r *rig) {
		r.boot()
		spent := func() uint64 { return r.store.Statuses()[0].Spent }
		asked := func() uint64 {
			r.mu.Lock()
			defer r.mu.Unlock()
			return uint64(len(r.asked))
		}
		r.reach(false)
		r.desire(r.entry(1, 1, "web good"))
		pass(10 * time.Second)
		first := asked()
		r.boot()
		pass(10 * time.Second)
		if asked() <= first {
			t.Fatal("after the power cut the files are not asked for")
		}
		r.reach(true)
		pass(time.Minute)
		r.expect(1, "running v1 running:0")
		if got, want := spent(), asked()*fileCost; got != want {
			t.Errorf("version 1 has cost %d bytes by the status, and %d were spent", got, want)
		}
		before := asked()
		r.desire(r.entry(1, 2, "web good\ndb good"))
		pass(time.Minute)
		r.expect(1, "running v2 running:0")
		if got, want := spent(), (asked()-before)*fileCost; got != want || want == 0 {
			t.Errorf("version 2 has cost %d bytes by the status, and %d were spent", got, want)
		}
	})
}
