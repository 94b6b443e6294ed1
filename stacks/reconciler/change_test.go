package reconciler_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/stacks/reconciler"
)

// In virtual time it is midnight of Saturday, 1 January 2000, in UTC.
var atTwo = &protocol.ChangeRule{Windows: []protocol.ChangeWindow{{Start: "0 2 * * *", Minutes: 60, Zone: "Europe/Oslo"}}}

func ruled(e protocol.Entry, c *protocol.ChangeRule) protocol.Entry {
	e.Change = c
	return e
}

func TestOtherRuleOrAccessNeedsNoWork(t *testing.T) {
	device(t, func(r *rig) {
		e := r.entry(1, 1, "web good")
		r.desire(e)
		pass(10 * time.Second)
		r.expectCalls("up s1")
		e.Access, e.Change = []byte("sealed"), atTwo
		r.desire(e)
		pass(10 * time.Second)
		r.expectCalls()
		r.expect(1, "running v1 running:0")
		if got := r.store.Applied()[0].Entry; string(got.Access) != "sealed" || got.Change == nil {
			t.Errorf("the journal has %+v", got)
		}
	})
}

// A registry that said no is asked again when there is something new to show it.
func TestOtherAccessTriesAnew(t *testing.T) {
	device(t, func(r *rig) {
		e := r.entry(1, 1, "web gone")
		r.desire(e)
		pass(24 * time.Hour)
		r.expect(1, "failed v1 running:0 image-unavailable")
		before := r.engine.fetches
		e.Access = []byte("sealed")
		r.stop()
		r.cfg = func(c *reconciler.Config) {
			c.OpenAccess = func(*protocol.Entry) (a protocol.RegistryAccess, err error) { return a, nil }
		}
		r.boot()
		r.desire(e)
		pass(time.Second)
		if r.engine.fetches != before+1 {
			t.Errorf("fetched %d times", r.engine.fetches-before)
		}
	})
}

func TestWindow(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(ruled(r.entry(1, 1, "web good"), atTwo))
		pass(time.Minute)
		r.expect(1, "waiting-for-window v1 running:0 window")
		if st := r.store.Statuses()[0]; !strings.Contains(st.Detail, "Sat 1 Jan 02:00 Europe/Oslo") {
			t.Errorf("it says %q", st.Detail)
		}
		if r.engine.fetches != 1 || len(r.asked) != 1 {
			t.Errorf("images were fetched %d times, files asked for: %d", r.engine.fetches, len(r.asked))
		}
		r.reach(false)
		r.boot() // no hub is needed, and a restart changes nothing
		rev := r.store.Statuses()[0].Rev
		pass(58 * time.Minute)
		r.expectCalls()
		if now := r.store.Statuses()[0].Rev; now != rev {
			t.Errorf("waiting was told %d times more", now-rev)
		}
		pass(2 * time.Minute) // 02:00 in Oslo
		r.expectCalls("up s1")
		r.expect(1, "running v1 running:0")
		if r.engine.fetches != 1 {
			t.Errorf("images were fetched %d times", r.engine.fetches)
		}

		// The next version waits for the next night, and what runs is looked after meanwhile. A removal does not wait.
		r.reach(true)
		pass(time.Hour)
		r.desire(ruled(r.entry(1, 2, "web good2"), atTwo))
		pass(time.Minute)
		r.expect(1, "waiting-for-window v2 running:1 window")
		r.engine.with(func() { delete(r.engine.containers, "s1-web-1") })
		pass(time.Minute)
		r.expectContainers("s1-web-1")
		r.expect(1, "waiting-for-window v2 running:1 window")
		r.expectCalls("up s1")
		if err := r.Redeploy(r.t.Context(), 1); err != nil { // an operator's own word
			t.Error(err)
		}
		r.expectCalls("up s1")
		r.expect(1, "running v2 running:0")
		r.desire(ruled(r.entry(1, 3, "web good3"), atTwo))
		pass(time.Minute)
		r.desire()
		pass(time.Minute)
		r.expect(1, "removed v3 running:0")
	})
}

func TestWindowThatClosesDoesNotStopWhatHasBegun(t *testing.T) {
	device(t, func(r *rig) {
		r.engine.took["s1"] = 50 * time.Minute
		r.desire(ruled(r.entry(1, 1, "web good"), &protocol.ChangeRule{
			Windows: []protocol.ChangeWindow{{Start: "0 1 * * *", Minutes: 30, Zone: "UTC"}},
		}))
		pass(80 * time.Minute)
		r.expect(1, "applying v1 running:0")
		r.boot() // the composer died with the agent
		pass(51 * time.Minute)
		r.expect(1, "running v1 running:0")
	})
}

func TestApproval(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good"))
		pass(10 * time.Second)
		r.engine.take()
		r.desire(ruled(r.entry(1, 2, "web good2"), &protocol.ChangeRule{Hold: true}))
		pass(time.Hour)
		r.expect(1, "fetched v2 running:1 approval")
		r.expectCalls()
		r.desire(r.entry(1, 2, "web good2"))
		pass(10 * time.Second)
		r.expect(1, "running v2 running:0")
		fetched := r.engine.fetches
		late := ruled(r.entry(1, 3, "web good3"), &protocol.ChangeRule{Hold: true, FetchLate: true})
		r.desire(late)
		pass(time.Hour)
		r.expect(1, "waiting-for-window v3 running:2 approval")
		if r.engine.fetches != fetched || len(r.asked) != 2 {
			t.Error("it was fetched before it was approved")
		}
	})
}

// A version that was given up in the middle, as a newer one came that has to wait, does not leave the device in between.
func TestDeviceDoesNotWaitInTheMiddle(t *testing.T) {
	device(t, func(r *rig) {
		r.desire(r.entry(1, 1, "web good"))
		pass(10 * time.Second)
		r.engine.took["s1"] = 50 * time.Minute
		r.desire(r.entry(1, 2, "web other"))
		pass(time.Minute)
		r.engine.took["s1"] = 0
		r.desire(ruled(r.entry(1, 3, "web good3"), atTwo))
		pass(time.Minute)
		r.expect(1, "waiting-for-window v3 running:1 window")
		r.expectCalls("up s1", "up s1", "up s1")
		if got := r.engine.containers["s1-web-1"].ImageRef; got != "good" {
			t.Errorf("%s runs", got)
		}
	})
}

// Images come while others are at work on the engine, and a registry that never answers holds up nobody.
func TestRegistryThatNeverAnswersHoldsUpNobody(t *testing.T) {
	device(t, func(r *rig) {
		set := []protocol.Entry{r.entry(9, 1, "web good")}
		for id := range uint64(4) {
			set = append(set, r.entry(id+1, 1, "web hang"))
		}
		r.desire(set[1])
		pass(10 * time.Second)
		r.desire(set[0], set[1])
		pass(time.Second)
		r.expect(9, "running v1 running:0") // one: at once
		r.desire(set[1:]...)
		pass(5 * time.Second)
		r.desire(set...)
		pass(5 * time.Minute)
		r.expect(9, "running v1 running:0") // many: after a while
		pass(20 * time.Minute)
		r.expect(1, "failed v1 running:0 image-unavailable")
	})
}

func TestProgressIsToldSeldom(t *testing.T) {
	device(t, func(r *rig) {
		for i := range int64(1000) {
			r.engine.pulled = append(r.engine.pulled, ipc.Event{Kind: ipc.KindStep, Done: i << 20, Total: 1000 << 20})
		}
		r.engine.pulls = time.Second
		r.desire(r.entry(1, 1, "web good"))
		pass(501 * time.Second)
		st := r.store.Statuses()[0]
		if st.State != protocol.StackFetching || st.Total != 1000<<20 || st.Done < 400<<20 || st.Done > 501<<20 || st.Rev > 7 {
			t.Errorf("in the middle it was %+v", st)
		}
		pass(time.Hour)
		if st := r.store.Statuses()[0]; st.Rev > 13 || st.Done != 0 || st.State != protocol.StackRunning {
			t.Errorf("in the end it was %+v", st)
		}
	})
}

func TestSecretsReachTheComposerAndNothingElse(t *testing.T) {
	device(t, func(r *rig) {
		e := r.entry(1, 1, "web good")
		e.Sealed, e.Access = []byte("sealed"), []byte("sealed as well")
		r.desire(e)
		pass(time.Minute)
		r.expect(1, "failed v1 running:0 "+stacks.CodeSealed)
		before := r.engine.fetches
		pass(24 * time.Hour)
		if r.engine.fetches != before {
			t.Error("what cannot be opened was tried again")
		}
		r.stop()
		r.cfg = func(c *reconciler.Config) {
			c.OpenSecrets = func(e *protocol.Entry) (s protocol.Secrets, err error) {
				if string(e.Sealed) != "sealed" {
					return s, errors.New("other")
				}
				return protocol.Secrets{Env: map[string]string{"TOKEN": "hunter2"}}, nil
			}
			c.OpenAccess = func(*protocol.Entry) (a protocol.RegistryAccess, err error) { return a, nil }
		}
		r.boot()
		if err := r.Redeploy(r.t.Context(), 1); err != nil {
			t.Error(err)
		}
		if r.engine.last.Secrets["TOKEN"] != "hunter2" || r.engine.last.Pull != ipc.PullFetched {
			t.Errorf("the composer was asked %+v", r.engine.last)
		}
		for _, a := range r.store.Applied() {
			if b, _ := protocol.Marshal(a); strings.Contains(string(b), "hunter2") {
				t.Error("the journal has a secret in clear")
			}
		}
	})
}
