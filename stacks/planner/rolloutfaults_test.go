package planner_test

import (
	"slices"
	"testing"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/stacks/rollout"
)

// A canary that begins to apply a version and is never heard of again may be gone because of the version: nobody else gets
// it, whatever the time, until an operator says so.
func TestACanaryThatGoesDarkIsWaitedFor(t *testing.T) {
	for name, plan := range map[string]rollout.Plan{
		"by order":   {ByOrder: true, OnFailure: rollout.RollBackAll},
		"one by one": {Batch: rollout.Amount{Count: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, 4, func(i int) map[string]string {
				if i == 0 {
					return map[string]string{"ring": "canary"}
				}
				return nil
			})
			s.apply(web("one"))
			s.pass(0)
			s.ends = func(e protocol.Entry) protocol.StackState {
				if e.Version == 2 {
					return protocol.StackApplying
				}
				return protocol.StackRunning
			}
			spec := web("two")
			spec.Manner = &planner.Manner{Plan: plan}
			if plan.ByOrder {
				spec.Manner.Order = planner.Order{Label: "ring", Values: []string{"canary"}}
			}
			s.apply(spec)
			s.pass(time.Second)
			dark := s.devices[0].id
			s.expect("when the canary has begun", 2, 1, 1, 1)
			s.fleet.quiet[dark] = true
			for range 5 {
				s.restart()
				s.pass(24 * time.Hour)
			}
			s.expect("days after the canary went dark", 2, 1, 1, 1)
			devices, err := s.RolloutDevices("web", 0)
			s.must(err)
			if devices[0].Device != dark || devices[0].State.Status != rollout.StatusGoing || devices[0].Why != planner.CodeQuiet {
				t.Errorf("the canary is %+v", devices[0])
			}
			s.ends = func(protocol.Entry) protocol.StackState { return protocol.StackRunning }
			s.must(s.Act("web", 0, rollout.ActionSkip, "ada"))
			for range 5 {
				s.pass(time.Second)
			}
			s.expect("after an operator went on", 2, 2, 2, 2)
		})
	}
}

// Who cannot pay for what is new is passed over, and joins when it can.
func TestWhoseBudgetIsSpentIsDeferred(t *testing.T) {
	s := newSite(t, 3, func(int) map[string]string { return map[string]string{"spent": "no"} })
	s.apply(web("one"))
	s.pass(0)
	spend := func(spent string) {
		s.fleet.mu.Lock()
		s.fleet.devices[s.devices[0].id] = map[string]string{"spent": spent}
		s.fleet.mu.Unlock()
	}
	spend("yes")
	spec := web("two")
	spec.Manner = &planner.Manner{Plan: rollout.Plan{Batch: rollout.Amount{Count: 1}}}
	s.apply(spec)
	for range 5 {
		s.pass(time.Second)
	}
	s.expect("while its budget is spent", 1, 2, 2)
	devices, err := s.RolloutDevices("web", 0)
	s.must(err)
	at := slices.IndexFunc(devices, func(d planner.RolloutDevice) bool { return d.Device == s.devices[0].id })
	if at < 0 || devices[at].Why != stacks.CodeBudget {
		t.Errorf("of the one that cannot is said %+v", devices)
	}
	spend("no")
	for range 3 {
		s.pass(time.Second)
	}
	s.expect("with a new cycle", 2, 2, 2)
}

// What left a stack's target in the middle of a rollout that was brought back gets the version from before when it returns.
func TestWhatWasAwayDuringARollbackHasNotGotTheBadVersion(t *testing.T) {
	s := newSite(t, 4, func(int) map[string]string { return map[string]string{"line": "1"} })
	spec := web("one")
	spec.Selector = new("line=1")
	s.apply(spec)
	s.pass(0)
	spec = web("two")
	spec.Manner = &planner.Manner{Plan: rollout.Plan{Batch: rollout.Amount{Count: 2}, OnFailure: rollout.RollBackAll}}
	s.apply(spec)
	s.Look(s.now)
	moved := s.devices[0]
	s.exchange(moved)
	s.expect("when the first has succeeded", 2, 1, 1, 1)
	s.Look(s.now.Add(time.Second))
	move := func(line string) {
		s.fleet.mu.Lock()
		s.fleet.devices[moved.id] = map[string]string{"line": line}
		s.fleet.mu.Unlock()
		s.must(s.DeviceChanged(moved.id))
		s.exchange(moved)
		s.exchange(moved)
	}
	move("2")
	s.ends = func(e protocol.Entry) protocol.StackState {
		if e.Version == 2 {
			return protocol.StackFailed
		}
		return protocol.StackRunning
	}
	for range 4 {
		s.pass(time.Second)
	}
	s.expect("after it was brought back", 0, 1, 1, 1)
	s.restart()
	move("1")
	s.expect("after the other one came back", 1, 1, 1, 1)
}

// However often something is tried again, before or after a rollout is done, devices can tell each attempt from those before.
func TestEachAttemptIsMade(t *testing.T) {
	s := newSite(t, 1, func(int) map[string]string { return nil })
	s.apply(web("one"))
	s.pass(0)
	tries := 0
	s.ends = func(protocol.Entry) protocol.StackState { tries++; return protocol.StackFailed }
	spec := web("two")
	spec.Manner = &planner.Manner{Plan: rollout.Plan{Batch: rollout.Amount{Count: 1}}}
	s.apply(spec)
	for want := 1; want <= 6; want++ {
		s.pass(time.Second)
		s.pass(time.Second)
		if tries != want {
			t.Fatalf("it was tried %d times, want %d; the rollout is %s", tries, want, s.rollout().State.Phase)
		}
		if want == 2 { // it is done with that: its only device has ended
			s.must(s.Act("web", 0, rollout.ActionContinue, "ada"))
			s.pass(time.Second)
			if phase := s.rollout().State.Phase; phase != rollout.Done {
				t.Fatalf("it is %s", phase)
			}
		}
		s.must(s.Act("web", 0, rollout.ActionRetry, "ada"))
	}
}
