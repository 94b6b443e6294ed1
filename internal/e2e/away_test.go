package e2e

import (
	"fmt"
	"testing"
)

// TestAppliedWhileHubIsOutOfReach: what a device was told goes on without the hub, through restarts of agent and
// engine.
func TestAppliedWhileHubIsOutOfReach(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	h := newHub(t, hubConfig{})
	a := newAgent(t, "auto", e)
	a.join(h.key("field"))
	device := h.admit(a, "box")
	s := newShop(t, h, e)
	s.apply(device, "open")
	h.runs(s.name, device, 1)
	before := e.mustRuns(s.name)
	h.kill()

	// The agent starts with the hub down: it puts back what somebody removes, and touches nothing else.
	a.stop()
	a.start()
	stackIs := func(state string) {
		t.Helper()
		until(t, "the agent says that the stack is "+state, func() error {
			st, err := a.status()
			if err != nil {
				return err
			}
			if st.Session.Connected || len(st.Stacks) != 1 || st.Stacks[0].State != state {
				return fmt.Errorf("it says %+v", st)
			}
			return nil
		})
	}
	stackIs("running")
	if err := e.ask("DELETE", "/containers/"+before["clock"].ID+"?force=1", nil); err != nil {
		t.Fatal(err)
	}
	until(t, "the removed container is back", func() error {
		now, err := e.runs(s.name)
		if err == nil && (now["clock"].ID == "" || now["clock"].ID == before["clock"].ID) {
			err = fmt.Errorf("there are %v", now)
		}
		return err
	})
	stackIs("running")
	s.untouched(before, "till", "web")

	// The engine goes and comes back; the agent says so, and goes on.
	before = e.mustRuns(s.name)
	if err := e.Stop(); err != nil {
		t.Fatal(err)
	}
	until(t, "the agent says that there is no engine", func() error {
		st, err := a.status()
		if err == nil && (st.Engine.State != "absent" || st.Engine.Reason == "") {
			err = fmt.Errorf("it says %+v", st.Engine)
		}
		return err
	})
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.shows("open")
	stackIs("running")
	after := e.mustRuns(s.name)
	for _, service := range allServices {
		if before[service].ID != after[service].ID {
			t.Errorf("service %s got another container with the restart of the engine", service)
		}
	}
	if err := e.ask("DELETE", "/containers/"+after["web"].ID+"?force=1", nil); err != nil {
		t.Fatal(err)
	}
	s.shows("open")

	h.start()
	h.connected(device, "")
	h.runs(s.name, device, 1)
	until(t, "the snapshot is what the engine says", func() error { return snapshotIs(h, device, e) })
}
