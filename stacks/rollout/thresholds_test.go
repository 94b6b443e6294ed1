package rollout_test

import (
	"testing"

	"github.com/farshore/farshore/stacks/rollout"
)

func span(from, to int) (out []int) {
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return out
}

// How many of a batch of ten may fail, and how many must succeed, before the next one begins.
func TestHowManyMayFail(t *testing.T) {
	ten := rollout.Amount{Count: 10}
	for _, c := range []struct {
		name      string
		plan      rollout.Plan
		succeeded int
		failed    int
		phase     rollout.Phase
		begins    bool // the next batch
		says      string
	}{
		{"none", rollout.Plan{}, 9, 1, rollout.Paused, false, "9 of the 10 devices of batch 1 succeeded, 1 failed"},
		{"a number, kept", rollout.Plan{Failures: rollout.Amount{Count: 2}}, 8, 2, rollout.Running, true, ""},
		{"a number, exceeded while others are at work", rollout.Plan{Failures: rollout.Amount{Count: 2}}, 0, 3, rollout.Paused, false, "3 of the 10 devices of batch 1 failed"},
		{"a share, kept", rollout.Plan{Failures: rollout.Amount{Percent: 25}}, 8, 2, rollout.Running, true, ""},
		{"a share, exceeded", rollout.Plan{Failures: rollout.Amount{Percent: 25}}, 7, 3, rollout.Paused, false, "7 of the 10"},
		{"a share that must succeed, reached", rollout.Plan{Success: 75, Failures: rollout.Amount{Count: 10}}, 8, 0, rollout.Running, true, ""},
		{"a share that must succeed, missed", rollout.Plan{Success: 75, Failures: rollout.Amount{Count: 10}}, 7, 3, rollout.Paused, false, "7 of the 10"},
		{"a share that must succeed, still open", rollout.Plan{Success: 75, Failures: rollout.Amount{Count: 10}}, 7, 2, rollout.Running, false, "batch 1 is under way"},
		{"all, where it goes on", rollout.Plan{OnFailure: rollout.Continue}, 0, 10, rollout.Running, true, ""},
		{"nobody succeeds", rollout.Plan{Failures: rollout.Amount{Percent: 100}}, 0, 10, rollout.Paused, false, "0 of the 10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.plan.Batch = ten
			f := newFleet(t, c.plan, 20)
			f.step()
			f.all(rollout.Started, span(0, 10)...)
			f.all(rollout.Succeeded, span(0, c.succeeded)...)
			f.all(rollout.Ended, span(c.succeeded, c.succeeded+c.failed)...)
			if !c.begins {
				f.says(c.phase, c.says)
				return
			}
			if got, out := f.step(); len(out.Start) != 10 || f.state.Phase != c.phase || f.state.Batch != 2 {
				t.Errorf("started are %q in batch %d; it is %s: %s", got, f.state.Batch, f.state.Phase, out.Why)
			}
		})
	}
}

// Only the batch that failed is brought back; then an operator decides, and who goes on goes on with the next.
func TestRollingBackTheBatchLeavesTheOthers(t *testing.T) {
	f := newFleet(t, rollout.Plan{Batch: rollout.Amount{Count: 3}, OnFailure: rollout.RollBackBatch}, 9)
	f.step()
	f.all(rollout.Succeeded, 0, 1, 2)
	f.starts("3 4 5")
	f.all(rollout.Succeeded, 3, 4)
	f.all(rollout.Ended, 5)
	f.step()
	f.all(rollout.Pending, 3, 4)
	if _, out := f.step(); len(out.Back) != 2 || out.Back[0].ID != id(3) || out.Back[1].ID != id(4) || len(out.Start) != 0 {
		t.Fatalf("brought back are %+v, want those of batch 2 that succeeded", out.Back)
	}
	f.all(rollout.Succeeded, 3, 4)
	f.says(rollout.Paused, "2 of the 3 devices of batch 2 succeeded, 1 failed; it was brought back")
	if got := f.state.Count(); got[rollout.StatusSucceeded] != 3 || got[rollout.StatusReturned] != 2 || got[rollout.StatusFailed] != 1 || got[rollout.StatusWaiting] != 3 {
		t.Errorf("devices are %v", got)
	}
	if err := f.state.Do(rollout.ActionContinue, "anna"); err != nil {
		t.Fatal(err)
	}
	f.starts("6 7 8")
}

// However large the batch, no more devices of one group are under way than may be.
func TestNotAllOfOneSiteAtOnce(t *testing.T) {
	f := newFleet(t, rollout.Plan{PerGroup: 2}, 7)
	for i := range f.seen {
		f.seen[i].Group = "oslo"
	}
	f.seen[5].Group, f.seen[6].Group = "bergen", ""
	if _, out := f.step(); len(out.Start) != 4 {
		t.Fatalf("started are %+v: want two of oslo, one of bergen, and the one of no group", out.Start)
	}
	f.all(rollout.Started, 0, 1, 5, 6)
	f.says(rollout.Running, "no more than 2 may be under way at once")
	f.all(rollout.Succeeded, 1)
	f.starts("2")
}
