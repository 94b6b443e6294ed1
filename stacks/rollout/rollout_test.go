package rollout_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/rollout"
)

var start = time.Unix(1_760_000_000, 0)

// fleet is what a test sees of its devices; a test changes it.
type fleet struct {
	t     *testing.T
	now   time.Time
	seen  []rollout.Seen
	state rollout.State
}

func newFleet(t *testing.T, p rollout.Plan, n int) *fleet {
	t.Helper()
	f := &fleet{t: t, now: start}
	var err error
	if f.state, err = rollout.New(p, time.Time{}); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		f.seen = append(f.seen, rollout.Seen{ID: id(i)})
	}
	return f
}

func id(i int) protocol.DeviceID { return protocol.DeviceID(fmt.Sprintf("d%03d", i)) }

// step gives the numbers of those that start, as text, and the sentence.
func (f *fleet) step() (string, rollout.Output) {
	out := f.state.Step(f.now, f.seen)
	var names []string
	for _, task := range out.Start {
		names = append(names, strings.TrimLeft(string(task.ID), "d0"))
	}
	return strings.Join(names, " "), out
}

func (f *fleet) starts(want string) {
	f.t.Helper()
	if got, out := f.step(); got != want {
		f.t.Fatalf("started are %q, want %q (%s: %s)", got, want, f.state.Phase, out.Why)
	}
}

func (f *fleet) says(phase rollout.Phase, words string) {
	f.t.Helper()
	got, out := f.step()
	if got != "" || f.state.Phase != phase || !strings.Contains(out.Why, words) {
		f.t.Fatalf("it is %s, starts %q and says %q; want %s and %q", f.state.Phase, got, out.Why, phase, words)
	}
}

func (f *fleet) all(s rollout.Standing, which ...int) {
	for _, i := range which {
		f.seen[i].Standing = s
		f.seen[i].Attempt = f.state.Devices[f.seen[i].ID].Attempt
	}
}

func TestBatchesDoubleAndAreWatched(t *testing.T) {
	f := newFleet(t, rollout.Plan{Batch: rollout.Amount{Count: 1}, Doubling: true, Soak: 60}, 8)
	f.seen[0].ID = "d009" // so that no name is trimmed away
	f.starts("1")
	f.all(rollout.Started, 1)
	f.says(rollout.Running, "batch 1 is under way: 0 of 1 device succeeded")
	f.all(rollout.Succeeded, 1)
	f.says(rollout.Soaking, "is watched until 2025-10-09T08:54:20Z")
	f.now = f.now.Add(time.Minute)
	f.starts("2 3")
	f.all(rollout.Succeeded, 2, 3)
	f.says(rollout.Soaking, "batch 2")
	f.now = f.now.Add(time.Minute)
	f.starts("4 5 6 7")
	f.all(rollout.Succeeded, 4, 5, 6, 7)
	f.step()
	f.now = f.now.Add(time.Minute)
	f.starts("9")
	f.all(rollout.Succeeded, 0)
	f.step()
	f.now = f.now.Add(time.Minute)
	f.says(rollout.Done, "")
}

func TestAFailureWhileABatchIsWatchedPauses(t *testing.T) {
	f := newFleet(t, rollout.Plan{Batch: rollout.Amount{Percent: 50}, Soak: 60}, 4)
	f.step()
	f.all(rollout.Succeeded, 0, 1)
	f.says(rollout.Soaking, "")
	f.all(rollout.Ended, 1)
	f.says(rollout.Paused, "1 of the 2 devices of batch 1 succeeded, 1 failed")
	if err := f.state.Do(rollout.ActionContinue, "anna"); err != nil {
		t.Fatal(err)
	}
	f.says(rollout.Soaking, "")
	f.now = f.now.Add(time.Minute)
	f.starts("2 3")
	f.all(rollout.Succeeded, 2, 3)
	f.step()
	if err := f.state.Do(rollout.ActionRetry, "anna"); err != nil {
		t.Fatal(err)
	}
	f.all(rollout.Pending, 1)
	f.now = f.now.Add(time.Hour)
	f.starts("1")
}

func TestQuietDevicesAreDeferredAndJoin(t *testing.T) {
	f := newFleet(t, rollout.Plan{Batch: rollout.Amount{Count: 2}}, 4)
	f.all(rollout.Deferred, 1, 2)
	f.seen[1].Next = start.Add(time.Hour)
	f.seen[1].Code = "outside its change window"
	f.seen[2].Code = "outside its change window"
	f.step()
	f.all(rollout.Started, 0, 3)
	f.step()
	f.all(rollout.Succeeded, 0)
	f.all(rollout.Deferred, 3) // quiet before it began
	f.says(rollout.Running, "3 devices cannot change now (2 outside its change window), the first one can at 2025-10-09T09:53:20Z")
	f.all(rollout.Pending, 1, 3)
	f.starts("1 3")
	f.all(rollout.Succeeded, 1, 3)
	f.says(rollout.Running, "1 device cannot change now (outside its change window)")
	f.all(rollout.Succeeded, 2)
	f.says(rollout.Done, "")
}

func TestCanariesGoFirstThoughTheyAreQuiet(t *testing.T) {
	f := newFleet(t, rollout.Plan{ByOrder: true}, 4)
	for i := range f.seen {
		f.seen[i].Order = 7
	}
	f.seen[2].Order, f.seen[3].Order = 3, 3
	f.all(rollout.Deferred, 2, 3)
	f.says(rollout.Running, "no device of order 3 has succeeded yet: 2 devices cannot change now")
	f.all(rollout.Pending, 2)
	f.starts("2")
	f.all(rollout.Succeeded, 2)
	if got, _ := f.step(); got != " 1" {
		t.Errorf("after the canary started are %q", got)
	}

	f = newFleet(t, rollout.Plan{ByOrder: true}, 2)
	f.seen[1].Order = 5
	f.all(rollout.Deferred, 0)
	f.says(rollout.Running, "order 0")
	if err := f.state.Do(rollout.ActionSkip, "anna"); err != nil {
		t.Fatal(err)
	}
	f.starts("1")
}

func TestRollingBackAllBringsBackWhatWasChangedHere(t *testing.T) {
	f := newFleet(t, rollout.Plan{Batch: rollout.Amount{Count: 3}, OnFailure: rollout.RollBackAll}, 6)
	f.all(rollout.Succeeded, 5) // was so before
	f.step()
	f.all(rollout.Succeeded, 0, 1, 2)
	f.starts("3 4")
	f.all(rollout.Started, 4)
	f.all(rollout.Ended, 3)
	_, out := f.step()
	if f.state.Phase != rollout.RollingBack || len(out.Back) != 0 || !out.Next.Equal(f.now) {
		t.Fatalf("it is %s and gives %+v; want another look at once", f.state.Phase, out)
	}
	f.all(rollout.Pending, 0, 1, 2)
	if _, out = f.step(); len(out.Back) != 3 || out.Back[0].Attempt != 1 {
		t.Fatalf("brought back are %+v, want the first three", out.Back)
	}
	f.all(rollout.Succeeded, 0, 1, 2, 4)
	f.step() // 4 has succeeded meanwhile, and turns around
	f.all(rollout.Pending, 4)
	if _, out = f.step(); len(out.Back) != 1 || out.Back[0].ID != id(4) {
		t.Fatalf("brought back are %+v, want the one that was under way", out.Back)
	}
	f.all(rollout.Succeeded, 4)
	f.says(rollout.Failed, "failed")
	if got := f.state.Count(); !reflect.DeepEqual(got, map[rollout.Status]int{
		rollout.StatusReturned: 4, rollout.StatusFailed: 1, rollout.StatusSucceeded: 1,
	}) {
		t.Errorf("devices are %v", got)
	}
}

func TestActionsThatAreNotPossibleSaySo(t *testing.T) {
	f := newFleet(t, rollout.Plan{}, 1)
	f.step()
	for a, says := range map[rollout.Action]string{
		rollout.ActionContinue: "only a paused one", rollout.ActionRetry: "no device has failed", "x": "want pause, continue",
	} {
		if err := f.state.Do(a, "anna"); !errors.Is(err, rollout.ErrNotNow) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", a, err, says)
		}
	}
	if err := f.state.Do(rollout.ActionAbort, "anna"); err != nil {
		t.Fatal(err)
	}
	f.says(rollout.Aborted, "aborted by anna")
	if _, out := f.step(); !out.TakeBack {
		t.Error("what has not begun is not taken back")
	}
	for _, a := range []rollout.Action{rollout.ActionPause, rollout.ActionContinue, rollout.ActionAbort, rollout.ActionSkip, rollout.ActionRetry} {
		if err := f.state.Do(a, "anna"); !errors.Is(err, rollout.ErrNotNow) {
			t.Errorf("%s of an aborted one: %v", a, err)
		}
	}
}

func TestPlansThatCannotBeDone(t *testing.T) {
	for text, says := range map[string]string{
		`{"batch":"ten"}`:          "a number of devices such as 10, or a share such as 25%",
		`{"batch":"101%"}`:         "a share such as 25%",
		`{"doubling":true}`:        "the size of the first batch",
		`{"soak_seconds":9999999}`: "at most 30 days",
		`{"success_percent":101}`:  "at most 100%",
		`{"on_failure":"panic"}`:   "want pause, continue, roll-back-batch or roll-back-all",
		`{"btach":"1"}`:            "btach",
		`{} {}`:                    "more follows",
		`[`:                        "plan cannot be accepted",
	} {
		if _, err := rollout.ParsePlan([]byte(text)); !errors.Is(err, rollout.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
	p, err := rollout.ParsePlan([]byte(`{"batch":"10%","doubling":true,"by_order":true,"soak_seconds":900,"failures":"2","on_failure":"roll-back-all","per_group":3}`))
	if err != nil {
		t.Fatal(err)
	}
	const want = "Batches that double, from 10% of the devices, those of the lowest order first, at most 3 of a group at once. " +
		"Each is watched for 15m0s before the next begins. When more than 2 of a batch fail: bring all back, and end."
	if got := p.Words(); got != want {
		t.Errorf("the plan reads %q", got)
	}
}

var makeGolden = flag.Bool("golden", false, "write golden files that are missing")

// A stored rollout is read for ever: its file is never changed.
func TestStoredRolloutsAreReadForEver(t *testing.T) {
	want := rollout.State{
		Plan: rollout.Plan{
			Batch: rollout.Amount{Percent: 10}, Doubling: true, ByOrder: true, Soak: 900, Success: 90, Failures: rollout.Amount{Count: 2},
			OnFailure: rollout.RollBackAll, PerGroup: 3,
		},
		Phase: rollout.Paused, Begin: 1_760_000_000, Reason: "paused by anna", Batch: 2, SoakUntil: 1_760_000_900, Waived: 1, Skipped: true,
		Floor: 1, Held: 4, Undo: rollout.RollBackAll, Resume: rollout.RollingBack,
		Devices: map[protocol.DeviceID]rollout.Device{
			"qz3x4y5w6v7u2t3s": {Status: rollout.StatusStuck, Batch: 1, Attempt: 2, Code: "update-reverted"},
			"bbbbbbbbbbbbbbbb": {Status: rollout.StatusWaiting},
		},
	}
	now, err := protocol.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "v1", "state.cbor")
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && *makeGolden {
		raw, err = now, errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, now, 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
	var got rollout.State
	if err := protocol.Unmarshal(raw, &got); err != nil || !reflect.DeepEqual(got, want) || !bytes.Equal(raw, now) {
		t.Errorf("the file gives\n%+v, %v\nwant\n%+v\nstored now as %x", got, err, want, now)
	}
}

func FuzzParsePlan(f *testing.F) {
	f.Add([]byte(`{"batch":"10%","doubling":true,"soak_seconds":900,"failures":"2","on_failure":"pause"}`))
	f.Add([]byte(`{"batch":"-1"}`))
	f.Add([]byte(`{"success_percent":90,"per_group":1,"by_order":true}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := rollout.ParsePlan(text)
		if err != nil {
			if !errors.Is(err, rollout.ErrInvalid) {
				t.Errorf("%v is not ErrInvalid", err)
			}
			return
		}
		s, err := rollout.New(p, time.Time{})
		if err != nil {
			t.Fatalf("a plan that was read is not good: %v", err)
		}
		_ = p.Words()
		for range 3 { // whatever the plan, a lone device gets its turn
			for _, task := range s.Step(start, []rollout.Seen{{ID: "a"}}).Start {
				if task.ID == "a" {
					return
				}
			}
		}
		t.Errorf("%s never starts anybody", text)
	})
}

func BenchmarkStep(b *testing.B) {
	s, err := rollout.New(rollout.Plan{Batch: rollout.Amount{Count: 500}, PerGroup: 5, ByOrder: true}, time.Time{})
	if err != nil {
		b.Fatal(err)
	}
	seen := make([]rollout.Seen, 5000)
	for i := range seen {
		seen[i] = rollout.Seen{ID: protocol.DeviceID(fmt.Sprintf("device%010d", i)), Order: uint32(i % 3), Group: fmt.Sprint(i % 200)}
	}
	s.Step(start, seen)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		seen[i%len(seen)].Standing = rollout.Started
		s.Step(start, seen)
	}
}
