package reconciler_test

import (
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/reconciler"
)

// decide does something at the device, and fails the test unless what comes of it contains want ("": success).
func (r *rig) decide(d reconciler.Decision, want string) {
	r.t.Helper()
	if d.By == "" {
		d.By, d.Reason = "kim", "line 4 is at work"
	}
	err := r.Decide(r.t.Context(), d)
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		r.t.Errorf("%s %s: %v, want %q", d.Deed, d.Stack, err, want)
	}
}

func (r *rig) local() reconciler.Local {
	r.t.Helper()
	list := reconciler.List(r.store)
	if len(list) != 1 {
		r.t.Fatalf("%d stacks on the device", len(list))
	}
	return list[0]
}

func TestHeldStackStaysAsItIs(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good\ndb good"))
		pass(10 * time.Second)
		r.engine.take()
		r.reach(false) // no hub is asked
		r.decide(reconciler.Decision{Stack: "s9", Deed: reconciler.DeedHold}, `no stack "s9"`)
		r.decide(reconciler.Decision{Stack: "s1", Deed: reconciler.DeedHold}, "")
		pass(10 * time.Second)
		r.expect(1, "running v1 running:0 held")
		st := r.store.Statuses()[0]
		if st.Hold != protocol.HoldKept || st.HeldBy != "kim" || !strings.Contains(st.Detail, "line 4 is at work") {
			t.Errorf("the hub is told %+v", st)
		}
		r.reach(true)
		r.desire(r.entry(1, 2, "web good2\ndb good"))
		r.engine.with(func() { delete(r.engine.containers, "s1-db-1") })
		pass(time.Hour)
		r.boot()
		pass(time.Hour)
		r.expectCalls()
		r.expect(1, "degraded v1 running:0 held")
		if l := r.local(); l.Wanted != 2 || l.Running != 1 || l.Hold != protocol.HoldKept || l.Reason == "" {
			t.Errorf("at the device: %+v", l)
		}
		r.desire() // even a removal waits
		pass(time.Hour)
		r.expectCalls()
		r.expect(1, "degraded v1 running:0 held")
		if st := r.store.Statuses()[0]; !strings.Contains(st.Detail, "removed, which waits") {
			t.Errorf("it says %q", st.Detail)
		}
		r.desire(r.entry(1, 2, "web good2\ndb good"))
		r.decide(reconciler.Decision{Stack: "1", Deed: reconciler.DeedResume}, "")
		pass(10 * time.Second)
		r.expect(1, "running v2 running:0")
		if st := r.store.Statuses()[0]; st.Hold != 0 || st.HeldBy != "" {
			t.Errorf("it is still held: %+v", st)
		}
		r.decide(reconciler.Decision{Stack: "s1", Deed: reconciler.DeedResume}, "is not held")
	})
}

func TestRemovalOfAHeldStackFollowsItsRelease(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good"))
		pass(10 * time.Second)
		r.decide(reconciler.Decision{Stack: "s1", Deed: reconciler.DeedHold}, "")
		r.desire()
		pass(time.Minute)
		r.expectContainers("s1-web-1")
		r.decide(reconciler.Decision{Stack: "s1", Deed: reconciler.DeedResume}, "")
		pass(time.Minute)
		r.expectContainers()
		r.expect(1, "removed v1 running:0")
	})
}

func TestStoppedStackStaysStopped(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good"))
		pass(10 * time.Second)
		r.decide(reconciler.Decision{Stack: "s1", Deed: reconciler.DeedStop}, "")
		pass(time.Minute)
		r.expectCalls("up s1", "stop s1")
		r.expect(1, "degraded v1 running:0 held")
		r.desire(r.entry(1, 2, "web good2"))
		r.boot()
		pass(time.Hour)
		r.expectCalls()
		r.desire(ruled(r.entry(1, 1, "web good"), atTwo)) // a technician's word waits for no window
		pass(4 * time.Hour)
		r.decide(reconciler.Decision{Stack: "s1", Deed: reconciler.DeedResume}, "")
		pass(time.Minute)
		r.expect(1, "running v1 running:0")
		r.expectCalls("up s1")
	})
}

func TestStopWithoutAnEngineIsNoted(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good"))
		pass(10 * time.Second)
		r.engine.with(func() { r.engine.absent = true })
		pass(time.Minute)
		r.decide(reconciler.Decision{Stack: "s1", Deed: reconciler.DeedStop}, "noted, but not done yet: the container engine does not answer")
		r.engine.with(func() { r.engine.absent = false })
		pass(time.Minute)
		r.expectCalls("up s1", "stop s1")
		r.expect(1, "degraded v1 running:0 held")
	})
}

func TestRollbackAtTheDevice(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good1"))
		pass(10 * time.Second)
		r.decide(reconciler.Decision{Stack: "s1", Deed: reconciler.DeedRollback}, "no earlier version")
		r.desire(r.entry(1, 2, "web good2"))
		pass(10 * time.Second)
		r.reach(false)
		r.decide(reconciler.Decision{Stack: "s1", Deed: reconciler.DeedRollback, Version: 9}, "is not kept")
		r.decide(reconciler.Decision{Stack: "s1", Deed: reconciler.DeedRollback}, "")
		r.expect(1, "rolled-back v2 running:1 held")
		if got := r.engine.containers["s1-web-1"].ImageRef; got != "good1" {
			t.Errorf("%s runs", got)
		}
		if st := r.store.Statuses()[0]; st.Hold != protocol.HoldBack || st.HeldBy != "kim" {
			t.Errorf("the hub is told %+v", st)
		}
		r.boot()
		pass(time.Hour)
		r.expect(1, "rolled-back v2 running:1 held")
		r.decide(reconciler.Decision{Stack: "s1", Deed: reconciler.DeedResume}, "")
		pass(10 * time.Second)
		r.expect(1, "running v2 running:0")
		r.decide(reconciler.Decision{Stack: "s1", Deed: reconciler.DeedRollback, Version: 1}, "")
		r.expect(1, "rolled-back v2 running:1 held")
	})
}

// Whatever a stack is at, somebody at the device can take it in hand, and let it go again.
func TestDecisionsAtEveryMoment(t *testing.T) {
	for _, deed := range []reconciler.Deed{reconciler.DeedHold, reconciler.DeedStop, reconciler.DeedRollback} {
		for _, compose := range []string{"web good2", "web sick", "web hang", "web gone"} {
			for at := range 8 {
				t.Run(strings.ReplaceAll(string(deed)+" "+compose, " ", "-"), func(t *testing.T) {
					device(t, func(r *rig) {
						r.desire(r.entry(1, 1, "web good1"))
						pass(10 * time.Second)
						r.engine.took["s1"] = time.Second
						r.desire(watched(r.entry(1, 2, compose), 2))
						pass(time.Duration(at) * 700 * time.Millisecond)
						r.decide(reconciler.Decision{Stack: "s1", Deed: deed}, "")
						pass(time.Minute)
						if st := r.store.Statuses()[0]; st.Hold == 0 || st.HeldBy != "kim" {
							t.Errorf("the hub is told %+v", st)
						}
						r.engine.take()
						r.boot()
						pass(time.Hour)
						r.expectCalls()
						r.desire(r.entry(1, 3, "web good3"))
						r.decide(reconciler.Decision{Stack: "s1", Deed: reconciler.DeedResume}, "")
						pass(time.Minute)
						r.expect(1, "running v3 running:0")
						if c := r.engine.containers["s1-web-1"]; c.State != protocol.ContainerRunning || c.ImageRef != "good3" {
							t.Errorf("%s is %s", c.ImageRef, c.State)
						}
					})
				})
			}
		}
	}
}
