package gitsource_test

import (
	"testing"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/stacks/rollout"
)

// A commit reaches devices as the stack's plan and change rule say, and waits for a rollout that is under way.
func TestCommitsKeepToThePlanAndTheChangeRule(t *testing.T) {
	d, r := newDesk(t), newRepository(t)
	d.fleet = oneDevice{}
	d.restart()
	s := serveHTTP(t, r)
	r.write("web/compose.yml", composeOf("web:1"))
	r.commit("One")
	d.put(s.source(r))
	d.sync()
	files, err := d.plan.Bundle("web", 0)
	d.must(err)
	rule := stacks.ChangeRule{Approve: true, Windows: []protocol.ChangeWindow{{Start: "0 2 * * *", Minutes: 60, Zone: "Europe/Oslo"}}}
	_, _, err = d.plan.Apply(planner.ApplySpec{
		Name: "web", Files: files, Change: &rule, Manner: &planner.Manner{Plan: rollout.Plan{Batch: rollout.Amount{Count: 1}, Soak: 600}}, Author: "anna",
	})
	d.must(err)
	given := func() uint64 {
		t.Helper()
		set := d.plan.Desired(theDevice)
		if len(set) != 1 || set[0].Change == nil || len(set[0].Change.Windows) != 1 || set[0].Change.Windows[0].Zone != "Europe/Oslo" {
			t.Fatalf("the device is given %+v", set)
		}
		return set[0].Version
	}
	r.write("web/compose.yml", composeOf("web:2"))
	r.commit("Two")
	d.sync()
	v, err := d.plan.Rollout("web", 0)
	d.must(err)
	if d.version() != 2 || v.Version != 2 || v.Plan.Soak != 600 || !v.Approve || v.Approved != 0 || v.State.Phase.Over() || given() != 1 {
		t.Errorf("version %d, rollout %+v, the device has version %d", d.version(), v, given())
	}
	r.write("web/compose.yml", composeOf("web:3"))
	r.commit("Three")
	if out := d.sync(); out.Code != "" || d.version() != 3 {
		t.Errorf("while a rollout is under way: %+v, version %d", out, d.version())
	}
	list, err := d.plan.Rollouts("web")
	d.must(err)
	if !list[0].Queued || list[0].Version != 3 || list[1].Version != 2 || list[1].State.Phase.Over() || given() != 1 {
		t.Errorf("rollouts %+v", list)
	}
}
