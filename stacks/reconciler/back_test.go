package reconciler_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/reconciler"
)

func watched(e protocol.Entry, seconds uint32) protocol.Entry {
	e.Verify = seconds
	return e
}

func TestVersionThatFailsGivesWayToTheLastGoodOne(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good"))
		pass(10 * time.Second)
		r.desire(r.entry(1, 2, "web sick"))
		pass(5 * time.Second)
		r.expect(1, "rolled-back v2 running:1 unhealthy")
		if st := r.store.Statuses()[0]; !strings.Contains(st.Detail, "cannot connect") {
			t.Errorf("why is not said: %q", st.Detail)
		}
		if got := r.engine.containers["s1-web-1"].ImageRef; got != "good" {
			t.Errorf("%s runs", got)
		}
		r.expectCalls("up s1", "up s1", "up s1")
		r.boot()
		pass(24 * time.Hour)
		r.expectCalls() // it is not tried again by itself
		r.engine.with(func() { delete(r.engine.containers, "s1-web-1") })
		pass(time.Minute)
		r.expectContainers("s1-web-1") // and what runs is looked after
		r.expectCalls("up s1")
		r.expect(1, "rolled-back v2 running:1 unhealthy")
		r.desire(r.entry(1, 3, "web good3"))
		pass(5 * time.Second)
		r.expect(1, "running v3 running:0")
	})
}

func TestGoingBackSurvivesTheAgentsDeath(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good"))
		pass(10 * time.Second)
		r.engine.took["s1"] = 10 * time.Second
		r.desire(r.entry(1, 2, "web sick"))
		pass(12 * time.Second)
		r.expect(1, "rolling-back v2 running:0 unhealthy")
		r.boot()
		r.reach(false)
		pass(20 * time.Second)
		r.expect(1, "rolled-back v2 running:1 unhealthy")
		r.expectContainers("s1-web-1")
		if got := r.engine.containers["s1-web-1"].ImageRef; got != "good" {
			t.Errorf("%s runs", got)
		}
	})
}

func TestGoingBackWaitsForTheEngine(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good"))
		pass(10 * time.Second)
		r.engine.took["s1"] = 10 * time.Second
		r.desire(r.entry(1, 2, "web sick"))
		pass(12 * time.Second)
		r.engine.with(func() { r.engine.absent = true })
		pass(time.Hour)
		r.expect(1, "waiting v2 running:0 "+stacks.CodeEngineAbsent)
		r.engine.with(func() { r.engine.absent = false })
		pass(30 * time.Second)
		r.expect(1, "rolled-back v2 running:1 unhealthy")
	})
}

func TestFirstVersionThatFailsStays(t *testing.T) {
	device(t, func(r *rig) {
		e := r.entry(1, 1, "web sick")
		e.Retries = 2
		r.desire(e)
		pass(24 * time.Hour)
		r.expect(1, "failed v1 running:0 unhealthy")
		r.expectContainers("s1-web-1") // for people to look at
		r.expectCalls("up s1", "up s1", "up s1")
		if st := r.store.Statuses()[0]; !strings.Contains(st.Detail, "gave up after 3 attempts") {
			t.Errorf("it says %q", st.Detail)
		}
		r.boot()
		pass(time.Hour)
		r.expectCalls()
		e.Nonce = 1 // an operator demands another try
		r.desire(e)
		pass(time.Second)
		r.expectCalls("up s1")
	})
}

func TestVersionThatShallStayStays(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good"))
		pass(10 * time.Second)
		e := r.entry(1, 2, "web sick")
		e.Stay = true
		r.desire(e)
		pass(24 * time.Hour)
		r.expect(1, "failed v2 running:0 unhealthy")
		if got := r.engine.containers["s1-web-1"].ImageRef; got != "sick" {
			t.Errorf("%s runs", got)
		}
	})
}

func TestVerify(t *testing.T) {
	restart := func(c *protocol.Container) { c.Restarts++ }
	cases := []struct {
		name string
		fate func(*protocol.Container)
		want string
	}{
		{"well", func(*protocol.Container) {}, "running v2 running:0"},
		{"restarts", restart, "rolled-back v2 running:1 service-down"},
		{"ends", func(c *protocol.Container) { c.State, c.ExitCode = protocol.ContainerExited, 1 }, "rolled-back v2 running:1 service-down"},
		{"unhealthy", func(c *protocol.Container) { c.Health = protocol.HealthUnhealthy }, "rolled-back v2 running:1 service-unhealthy"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			device(t, func(r *rig) {
				r.stop()
				r.cfg = func(cfg *reconciler.Config) {
					cfg.Tail = func(_ context.Context, name string) (string, error) { return "last words of " + name, nil }
				}
				r.boot()
				r.desire(watched(r.entry(1, 1, "web good"), 60))
				pass(30 * time.Second)
				r.expect(1, "verifying v1 running:0")
				pass(31 * time.Second)
				r.expect(1, "running v1 running:0")
				r.desire(watched(r.entry(1, 2, "web good2"), 60))
				pass(30 * time.Second)
				r.expect(1, "verifying v2 running:0")
				r.engine.with(func() {
					x := r.engine.containers["s1-web-1"]
					c.fate(&x)
					r.engine.containers["s1-web-1"] = x
				})
				pass(31 * time.Second)
				r.expect(1, c.want)
				if st := r.store.Statuses()[0]; c.name != "well" && !strings.Contains(st.Detail, "last words of s1-web-1") {
					t.Errorf("it says %q", st.Detail)
				}
			})
		})
	}
}

// What ended with the engine or with the agent does not speak against the version, whose trial begins anew.
func TestVerifyBeginsAnewAfterTheEngineOrTheAgentDied(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good"))
		pass(10 * time.Second)
		r.desire(watched(r.entry(1, 2, "web good2"), 60))
		pass(30 * time.Second)
		r.engine.with(func() {
			r.engine.absent = true
			x := r.engine.containers["s1-web-1"]
			x.State, x.ExitCode = protocol.ContainerExited, 137
			r.engine.containers["s1-web-1"] = x
		})
		pass(time.Hour)
		r.expect(1, "waiting v2 running:0 "+stacks.CodeEngineAbsent)
		r.engine.with(func() { r.engine.absent = false })
		pass(45 * time.Second)
		r.expect(1, "verifying v2 running:0")
		r.boot()
		pass(45 * time.Second)
		r.expect(1, "verifying v2 running:0")
		pass(45 * time.Second)
		r.expect(1, "running v2 running:0")
	})
}

func TestContainersOfNobodyAreToldOfAndLeftAlone(t *testing.T) {
	device(t, func(r *rig) {
		before, _ := r.store.Pending()
		r.engine.with(func() {
			r.engine.containers["old-web-1"] = protocol.Container{Name: "old-web-1", Project: "old", Service: "web", Stack: 77}
		})
		pass(time.Hour)
		r.engine.tell()
		pass(time.Hour)
		if now, _ := r.store.Pending(); now != before+1 {
			t.Errorf("the hub is told %d things", now-before)
		}
		r.expectContainers("old-web-1")
		r.expectCalls()
	})
}

func TestRedeployOfAHeldStackSaysWhoHoldsIt(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good"))
		pass(10 * time.Second)
		if err := r.Decide(r.t.Context(), reconciler.Decision{Stack: "s1", Deed: reconciler.DeedHold, By: "kim"}); err != nil {
			t.Fatal(err)
		}
		if err := r.Redeploy(r.t.Context(), 1); err == nil || errors.Is(err, reconciler.ErrNotHere) || !strings.Contains(err.Error(), "by kim") {
			t.Errorf("it says %v", err)
		}
	})
}
