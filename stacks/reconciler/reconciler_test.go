package reconciler_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/stacks/reconciler"
)

func TestStackFromFirstVersionToRemoval(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good\ninit job"))
		pass(10 * time.Second)
		r.expect(1, "running v1 running:0")
		r.expectContainers("s1-init-1", "s1-web-1")
		r.desire(r.entry(1, 2, "web good2\ninit job"))
		pass(10 * time.Second)
		r.expect(1, "running v2 running:0")
		if last := r.asked[len(r.asked)-1]; last.Base != protocol.HashOf([]byte("web good\ninit job")) {
			t.Error("the new version was not asked for as a patch of the old one")
		}
		if !r.store.HasBlob(protocol.HashOf([]byte("web good\ninit job"))) {
			t.Error("nobody can go back to the version before")
		}
		r.desire(r.entry(1, 3, "web good3\ninit job"))
		pass(10 * time.Second)
		if r.store.HasBlob(protocol.HashOf([]byte("web good\ninit job"))) {
			t.Error("the blob of a version before the last two was kept")
		}
		r.expectCalls("up s1", "up s1", "up s1")
		r.desire()
		pass(10 * time.Second)
		r.expect(1, "removed v3 running:0")
		r.expectContainers()
		r.expectCalls("down s1")
		if left, _ := os.ReadDir(r.dir); len(left) != 0 || len(r.store.Applied()) != 0 {
			t.Errorf("the removed stack left behind %v and %v", left, r.store.Applied())
		}
	})
}

func TestRestartTouchesNothingThatRunsAsDesired(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good"), r.entry(2, 1, "db good\ninit job"))
		pass(10 * time.Second)
		r.expectAny("up s1", "up s2")
		items, _ := r.store.Pending()
		for range 3 {
			r.boot()
			pass(time.Hour)
		}
		r.expectCalls()
		if again, _ := r.store.Pending(); again != items {
			t.Errorf("restarts queued %d items for the hub", again-items)
		}
		r.expect(2, "running v1 running:0")
	})
}

func TestDesiredIsAppliedWithoutAHub(t *testing.T) {
	device(t, func(r *rig) {
		e := r.entry(1, 1, "web good")
		r.engine.with(func() { r.engine.absent = true })
		r.desire(e)
		pass(time.Minute) // files have come, the engine is away
		r.expect(1, "waiting v1 running:0 "+stacks.CodeEngineAbsent)
		r.reach(false)
		r.boot()
		pass(time.Minute)
		r.expectCalls() // a composer would only tell what the snapshot says
		r.engine.with(func() { r.engine.absent = false })
		pass(2 * time.Second)
		r.expect(1, "running v1 running:0")

		// What is not on the device yet waits for the hub, and holds up nobody.
		r.desire(r.entry(1, 2, "web good3"), r.entry(2, 1, "web good"))
		pass(time.Hour)
		r.expect(1, "fetching v2 running:1")
		r.expect(2, "running v1 running:0")
		r.reach(true)
		pass(10 * time.Second)
		r.expect(1, "running v2 running:0")
	})
}

func TestVersionThatCannotBeHadLeavesThePreviousOneRunning(t *testing.T) {
	cases := []struct{ name, compose, want string }{
		{"image", "web gone", "failed v2 running:1 image-unavailable"},
		{"syntax", "???", "failed v2 running:1 compose-syntax"},
		{"registry away", "web away", "failed v2 running:1 image-unavailable"},
		{"port", "web port", "failed v2 running:1 port-in-use"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			device(t, func(r *rig) {
				r.desire(r.entry(1, 1, "web good"))
				pass(10 * time.Second)
				r.desire(r.entry(1, 2, c.compose))
				pass(10 * time.Second)
				r.expect(1, c.want)
				r.expectContainers("s1-web-1")
				rev := r.store.Statuses()[0].Rev
				r.boot()
				pass(24 * time.Hour)
				r.expect(1, c.want)
				// What is the version's fault is tried as often as the entry says, and each time says which it is; a registry
				// that does not answer may do so later, which says nothing new.
				tries, told, detail := r.engine.fetches-1, r.store.Statuses()[0].Rev-rev, r.store.Statuses()[0].Detail
				switch c.name {
				case "syntax":
					if tries != 1 || told != 0 {
						t.Errorf("%d tries in a day, told %d times", tries, told)
					}
				case "registry away":
					if tries < 50 || tries > 200 || told != 0 {
						t.Errorf("%d tries in a day, told %d times", tries, told)
					}
				default:
					if tries != 6 || told > 5 || !strings.Contains(detail, "gave up after 6 attempts") {
						t.Errorf("%d tries in a day, told %d times: %s", tries, told, detail)
					}
				}
				r.desire(r.entry(1, 3, "web good"))
				pass(10 * time.Second)
				r.expect(1, "running v3 running:0")
			})
		})
	}
}

func TestOtherStacksAreNotHeldUpByAFailingOne(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web gone"), r.entry(2, 1, "web good"), r.entry(3, 1, "???"))
		pass(5 * time.Second)
		r.expect(2, "running v1 running:0")
		r.expect(1, "failed v1 running:0 image-unavailable")
	})
}

func TestOnlyOneComposerAtATime(t *testing.T) {
	device(t, func(r *rig) {
		var set []protocol.Entry
		for id := range uint64(4) {
			set = append(set, r.entry(id+1, 1, "web good"))
			r.engine.took[fmt.Sprintf("s%d", id+1)] = time.Minute
		}
		r.desire(set...)
		pass(90 * time.Second)
		r.engine.mu.Lock()
		if n := len(r.engine.running); n != 1 {
			t.Errorf("%d composers run at the same time", n)
		}
		r.engine.mu.Unlock()
		pass(10 * time.Minute)
		r.expectAny("up s1", "up s2", "up s3", "up s4")
	})
}

func TestNewerOrderEndsTheWorkOnTheOlder(t *testing.T) {
	device(t, func(r *rig) {
		r.engine.took["s1"] = 50 * time.Minute
		r.desire(r.entry(1, 1, "web good"))
		pass(time.Minute)
		r.expect(1, "applying v1 running:0")
		r.engine.mu.Lock()
		r.engine.took["s1"] = 0
		r.engine.mu.Unlock()
		r.desire(r.entry(1, 2, "web better"))
		pass(10 * time.Second)
		r.expect(1, "running v2 running:0")
		r.engine.mu.Lock()
		r.engine.took["s1"] = 50 * time.Minute
		r.engine.mu.Unlock()
		r.desire(r.entry(1, 3, "web best"))
		pass(time.Minute)
		r.engine.mu.Lock()
		r.engine.took["s1"] = 0
		r.engine.mu.Unlock()
		r.desire() // removed in the middle of an update
		pass(10 * time.Second)
		r.expect(1, "removed v3 running:0")
		r.expectContainers()
	})
}

func TestContainerThatSomebodyRemovedComesBack(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good\ndb good"))
		pass(10 * time.Second)
		r.engine.take()
		r.engine.with(func() { delete(r.engine.containers, "s1-web-1") })
		synctest.Wait()
		r.expect(1, "degraded v1 running:0 "+stacks.CodeServiceMissing)
		pass(10 * time.Second)
		r.expect(1, "running v1 running:0")
		r.expectContainers("s1-db-1", "s1-web-1")
		// Somebody who removes it again and again is not fought without pause.
		for range 600 {
			r.engine.with(func() { delete(r.engine.containers, "s1-web-1") })
			pass(time.Second)
		}
		if n := len(r.engine.take()); n < 4 || n > 12 {
			t.Errorf("healed %d times in 10 minutes", n)
		}
	})
}

func TestContainerStoppedByACommandStaysStopped(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good\ndb good"))
		pass(10 * time.Second)
		r.engine.take()
		stop := func(name string) {
			c := r.engine.containers[name]
			c.State, c.ExitCode = protocol.ContainerExited, 137
			r.engine.containers[name] = c
		}
		r.Stopped("s1-web-1")
		r.engine.with(func() { stop("s1-web-1") })
		pass(time.Hour)
		r.expect(1, "degraded v1 running:0 "+stacks.CodeServiceStopped)
		r.boot()
		r.engine.with(func() { delete(r.engine.containers, "s1-db-1") })
		pass(time.Hour)
		r.expectCalls() // healing would start what was stopped
		r.expect(1, "degraded v1 running:0 "+stacks.CodeServiceMissing)
		if err := r.Redeploy(r.t.Context(), 1); err != nil { // the operator's own word
			t.Error(err)
		}
		pass(10 * time.Second)
		r.expect(1, "running v1 running:0")
		// One that ended by itself is told apart.
		r.engine.with(func() { stop("s1-db-1") })
		pass(10 * time.Second)
		r.expect(1, "degraded v1 running:0 "+stacks.CodeServiceDown)
		r.engine.take()
	})
}

func TestContainerStoppedBeforeAnySnapshotKnewItStaysStopped(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good"))
		pass(50 * time.Millisecond) // the composer is at work
		r.Stopped("s1-web-1")
		r.Stopped("somebody-elses")
		pass(10 * time.Second)
		r.engine.with(func() {
			c := r.engine.containers["s1-web-1"]
			c.State = protocol.ContainerExited
			r.engine.containers["s1-web-1"] = c
		})
		pass(10 * time.Second)
		r.expect(1, "degraded v1 running:0 "+stacks.CodeServiceStopped)
		r.Started("s1-web-1")
		pass(10 * time.Second)
		r.expect(1, "degraded v1 running:0 "+stacks.CodeServiceDown)
	})
}

func TestContainersThatARebootEndedAreStarted(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good\ninit job"))
		pass(10 * time.Second)
		r.engine.take()
		r.stop()
		c := r.engine.containers["s1-web-1"]
		c.State, c.ExitCode = protocol.ContainerExited, 255
		r.engine.containers["s1-web-1"] = c
		booted := time.Now().Add(time.Minute)
		pass(5 * time.Minute)
		r.boot()
		s := protocol.Snapshot{Host: protocol.Host{Booted: booted.Unix()}}
		for _, c := range r.engine.containers {
			s.Containers = append(s.Containers, c)
		}
		r.Observed(s)
		pass(10 * time.Second)
		r.expectCalls("up s1")
		r.expect(1, "running v1 running:0")
	})
}

func TestRedeploy(t *testing.T) {
	device(t, func(r *rig) {
		if err := r.Redeploy(r.t.Context(), 9); !errors.Is(err, reconciler.ErrNotHere) {
			t.Errorf("redeploy of a stack that is not here: %v", err)
		}
		r.desire(r.entry(1, 1, "web good"), r.entry(2, 1, "???"))
		pass(10 * time.Second)
		r.engine.take()
		if err := r.Redeploy(r.t.Context(), 1); err != nil {
			t.Error(err)
		}
		if err := r.Redeploy(r.t.Context(), 2); err == nil || !strings.Contains(err.Error(), "compose-syntax") {
			t.Errorf("redeploy of a stack that cannot be applied: %v", err)
		}
		r.expectCalls("up s1")
		r.expect(2, "failed v1 running:0 compose-syntax")
	})
}

func TestNameIsFreedBeforeItIsTaken(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(7, 1, "web good\nold good"))
		pass(10 * time.Second)
		r.engine.take()
		next := r.entry(3, 1, "web good")
		next.Name = "s7" // removed and made anew with the same name
		r.desire(next)
		pass(10 * time.Second)
		r.expectCalls("down s7", "up s7")
		r.expectContainers("s7-web-1")
		r.expect(7, "removed v1 running:0")
		r.expect(3, "running v1 running:0")
		next.Name, next.Version = "renamed", 2
		r.desire(next)
		pass(10 * time.Second)
		r.expectCalls("down s7", "up renamed")
		r.expectContainers("renamed-web-1")
		r.expect(3, "running v2 running:0")
	})
}

// fullState is a state on a full disk.
type fullState struct {
	*state.Store
	mu   sync.Mutex
	full bool
}

func (f *fullState) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full {
		return fmt.Errorf("write: %w", syscall.ENOSPC)
	}
	return nil
}

func (f *fullState) PutApplied(a reconciler.Applied) error {
	return errors.Join(f.err(), f.Store.PutApplied(a))
}

func TestFullDiskIsSaidAndGotOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		f := &fullState{Store: r.store, full: true}
		r.cfg = func(c *reconciler.Config) { c.State = f }
		r.boot()
		defer r.stop()
		r.desire(r.entry(1, 1, "web good"))
		pass(time.Minute)
		r.expect(1, "waiting v1 running:0 "+stacks.CodeDiskFull)
		r.expectCalls() // what cannot be journaled is not done
		f.mu.Lock()
		f.full = false
		f.mu.Unlock()
		pass(time.Hour)
		r.expect(1, "running v1 running:0")
	})
}

func TestAbsentComposerIsSaid(t *testing.T) {
	device(t, func(r *rig) {
		r.stop()
		r.cfg = func(c *reconciler.Config) { c.Composer = noComposer{} }
		r.boot()
		r.desire(r.entry(1, 1, "web good"))
		pass(time.Minute)
		r.expect(1, "waiting v1 running:0 "+stacks.CodeComposerAbsent)
		r.cfg = func(*reconciler.Config) {}
		r.boot()
		pass(time.Minute)
		r.expect(1, "running v1 running:0")
	})
}

type noComposer struct{}

func (noComposer) Run(context.Context, ipc.Request, func(ipc.Event)) (ipc.Event, error) {
	return failed(stacks.CodeComposerAbsent), nil
}
