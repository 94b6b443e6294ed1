package dispatch_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
)

// says has a device send a piece of the standard output of a run.
func (r *rig) says(run uint64, attempt uint32, offset int, text string) {
	r.t.Helper()
	if err := r.desk.Output(kari, protocol.JobOutput{Run: run, Attempt: attempt, Offset: uint64(offset), Data: []byte(text)}); err != nil {
		r.t.Fatal(err)
	}
}

// reads is what the hub has of the standard output of a run, and from where.
func (r *rig) reads(run uint64) (string, uint64) {
	r.t.Helper()
	b, from, err := r.desk.ReadOutput("nightly", kari, dispatch.Place{Run: run})
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b), from
}

func TestOutputComesInPiecesWithGapsOfSeveralAttempts(t *testing.T) {
	r := newRig(t)
	j := r.put(nightly())
	r.run(kari, protocol.JobRun{ID: 1, Job: j.ID, Version: 1, State: protocol.JobRunning})
	for _, step := range []struct {
		attempt uint32
		offset  int
		text    string
		want    string
		from    uint64
	}{
		{1, 0, "one ", "one ", 0},
		{1, 4, "two ", "one two ", 0},
		{1, 4, "two ", "one two ", 0},                         // again
		{1, 6, "o three", "one two three", 0},                 // overlaps
		{1, 20, "later", "later", 20},                         // after a gap the end counts
		{1, 10, "what was so later", "what was so later", 10}, // somebody asked for more
		{2, 0, "anew", "anew", 0},                             // another attempt takes the place of the first
		{1, 25, "late", "anew", 0},                            // what is left of the first does not count
		{2, 4, " end", "anew end", 0},
	} {
		r.says(1, step.attempt, step.offset, step.text)
		for _, when := range []string{"", " after a restart"} {
			if got, from := r.reads(1); got != step.want || from != step.from {
				t.Errorf("after %q at %d of attempt %d%s: %q from %d, want %q from %d", step.text, step.offset, step.attempt, when, got, from, step.want, step.from)
			}
			r.open()
		}
	}
	r.run(kari, protocol.JobRun{ID: 1, Job: j.ID, Version: 1, State: protocol.JobFailed, Attempt: 2, Stdout: &protocol.JobStream{Size: 10, Kept: 10, Follow: 10}})
	r.says(1, 2, 8, "!!!!")
	if got, _ := r.reads(1); got != "anew end!!" {
		t.Errorf("at the end it is %q: more than the run wrote, or less", got)
	}
}

func TestOfARunTheEndIsKeptWithinItsBound(t *testing.T) {
	r := newRig(t)
	j := r.put(nightly())
	r.run(kari, protocol.JobRun{ID: 1, Job: j.ID, Version: 1, State: protocol.JobRunning})
	piece := strings.Repeat("x", 8000)
	for i := range 40 {
		r.says(1, 1, i*len(piece), piece)
	}
	text, from := r.reads(1)
	if len(text) != 128<<10 || from != uint64(40*len(piece)-len(text)) {
		t.Errorf("%d bytes are kept, from %d", len(text), from)
	}
}

// A device that says more than any honest one is heard so much a day, and others as before.
func TestWhatADeviceMayTellInADay(t *testing.T) {
	r := newRig(t)
	j := r.put(nightly())
	last := func() uint64 { return r.runs(dispatch.Filter{Device: kari, Limit: 1})[0].ID }
	theirs := nightly()
	theirs.Name, theirs.Reach.Devices = "theirs", []protocol.DeviceID{knut}
	other := r.put(theirs)
	r.run(kari, protocol.JobRun{ID: 1, Job: j.ID, Version: 1, State: protocol.JobRunning})
	for i := range uint64(20_000) { // of a job that is not its own: that counts too
		r.run(kari, protocol.JobRun{ID: 2 + i, Job: other.ID, Version: 1, State: protocol.JobDone})
	}
	r.run(kari, protocol.JobRun{ID: 1, Job: j.ID, Version: 1, State: protocol.JobDone})
	if got := r.runs(dispatch.Filter{Device: kari}); len(got) != 1 || got[0].State != protocol.JobRunning {
		t.Errorf("what it said after 20,000 runs on one day was heard: %+v", got)
	}
	r.run(knut, protocol.JobRun{ID: 9, Job: j.ID, Version: 1, State: protocol.JobDone})
	if len(r.runs(dispatch.Filter{Device: knut})) != 1 {
		t.Error("another device is not heard")
	}
	r.now = r.now.Add(24 * time.Hour)
	r.run(kari, protocol.JobRun{ID: 77, Job: j.ID, Version: 1, State: protocol.JobRunning})
	if last() != 77 {
		t.Error("on the next day it is not heard")
	}
	data := bytes.Repeat([]byte{7}, protocol.MaxJobOutputPiece)
	most := 64 << 20 / len(data)
	for range most { // all but the first is there already, and counts as well
		if err := r.desk.Output(kari, protocol.JobOutput{Run: 77, Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	before, _ := r.reads(77)
	r.says(77, 1, len(before), "more")
	if after, _ := r.reads(77); after != before || len(before) == 0 {
		t.Errorf("after 64 MB in a day %d bytes more are kept", len(after)-len(before))
	}
}

func TestOldVersionsGoWithTheirScripts(t *testing.T) {
	r := newRig(t)
	var hashes []protocol.Hash
	for i := range dispatch.KeepVersions + 3 {
		s := nightly()
		s.Script = []byte("#!/bin/sh\nexit " + strings.Repeat("1", i+1) + "\n")
		hashes = append(hashes, protocol.HashOf(s.Script))
		r.put(s)
	}
	for _, when := range []string{"at once", "after a restart"} {
		v, err := r.desk.Versions("nightly")
		if err != nil || len(v) != dispatch.KeepVersions || v[0].Number != dispatch.KeepVersions+3 || v[len(v)-1].Number != 4 {
			t.Fatalf("%s: %d versions, %v", when, len(v), err)
		}
		for i, h := range hashes {
			if _, err := r.store.Blob(h); (err == nil) != (i >= 3) {
				t.Errorf("%s: the script of version %d: %v", when, i+1, err)
			}
		}
		r.open()
	}
	// A run of a version that went is still told.
	r.run(kari, protocol.JobRun{ID: 1, Job: 1, Version: 2, State: protocol.JobDone})
	if got := r.runs(dispatch.Filter{}); len(got) != 1 || got[0].Version != 2 {
		t.Errorf("a run of an old version: %+v", got)
	}
}

// Pages of runs have each run once, whatever their limit, with and without a state.
func TestPagesOfRuns(t *testing.T) {
	r := newRig(t)
	j := r.put(nightly())
	start := r.now
	want := map[protocol.JobState][]dispatch.RunPlace{}
	for i := range uint64(50) {
		for n, dev := range []protocol.DeviceID{kari, knut} {
			r.now = start.Add(time.Duration(i/3) * time.Hour)
			state := protocol.JobDone
			if (i+uint64(n))%5 == 0 {
				state = protocol.JobFailed
			}
			run := protocol.JobRun{ID: i + 1, Job: j.ID, Version: 1, State: state, Due: r.now.Unix()}
			r.run(dev, run)
			place := dispatch.RunPlace{Due: run.Due, Run: run.ID, Device: dev}
			want[state], want[0] = append(want[state], place), append(want[0], place)
		}
	}
	for _, state := range []protocol.JobState{0, protocol.JobDone, protocol.JobFailed} {
		for _, limit := range []int{1, 3, 7, 100} {
			var got []dispatch.RunPlace
			f := dispatch.Filter{Job: "nightly", State: state, Limit: limit}
			for {
				page := r.runs(f)
				for i := range page {
					got = append(got, dispatch.PlaceOf(&page[i]))
				}
				if len(page) < limit {
					break
				}
				f.After = new(got[len(got)-1])
			}
			sorted := slices.IsSortedFunc(got, func(a, b dispatch.RunPlace) int { return int(b.Due - a.Due) })
			unique := map[dispatch.RunPlace]bool{}
			for _, p := range got {
				unique[p] = true
			}
			if len(got) != len(want[state]) || len(unique) != len(got) || !sorted {
				t.Errorf("state %d in pages of %d: %d runs, %d of them different, want %d; sorted: %t", state, limit, len(got), len(unique), len(want[state]), sorted)
			}
		}
	}
}

// What is too old or too much goes, the oldest first; the newest stay.
func TestSweepTakesTheOldest(t *testing.T) {
	r := newRig(t)
	j := r.put(nightly())
	for i := range uint64(10) {
		r.run(kari, protocol.JobRun{ID: i + 1, Job: j.ID, Version: 1, State: protocol.JobDone, Stdout: &protocol.JobStream{Size: 4, Kept: 4, Follow: 4}})
		r.says(i+1, 1, 0, "text")
		r.now = r.now.Add(24 * time.Hour)
	}
	r.now = r.now.Add(dispatch.KeepFor - 5*24*time.Hour - time.Hour)
	if err := r.desk.Sweep(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got := r.runs(dispatch.Filter{})
		if len(got) != 6 && len(got) != 5 || got[len(got)-1].ID != 11-uint64(len(got)) || got[0].ID != 10 {
			t.Fatalf("%d runs are left: %+v", len(got), got)
		}
		if text, _ := r.reads(10); text != "text" {
			t.Errorf("output of the newest: %q", text)
		}
		if pieces, err := r.store.JobOutput(dispatch.RunKey{Job: j.ID, Device: kari, Run: 1}, 0); err != nil || len(pieces) != 0 {
			t.Errorf("output of one that went: %v, %v", pieces, err)
		}
		r.open()
	}
	if row := r.desk.List(dispatch.NoOneShots, func(*jobs.Job) bool { return true })[0]; row.Last.Done != 1 {
		t.Errorf("counted are %+v", row.Last)
	}
}

// Where there are more runs, or bytes of output, than are kept in all, the oldest go, and the hub says that output is lost.
func TestSweepKeepsWithinTheBoundsOfAll(t *testing.T) {
	r := newRig(t)
	r.most, r.mostOutput = 6, 4000
	r.open()
	j := r.put(nightly())
	text := strings.Repeat("x", 1000)
	for i := range uint64(10) {
		r.run(kari, protocol.JobRun{ID: i + 1, Job: j.ID, Version: 1, State: protocol.JobDone, Stdout: &protocol.JobStream{Size: 1000, Kept: 1000, Follow: 1000}})
		r.says(i+1, 1, 0, text)
		r.now = r.now.Add(time.Hour)
	}
	for _, when := range []string{"at once", "after a restart"} {
		if err := r.desk.Sweep(); err != nil {
			t.Fatal(err)
		}
		got := r.runs(dispatch.Filter{})
		if len(got) != 6 || got[5].ID != 5 {
			t.Fatalf("%s: %d runs are left: %+v", when, len(got), got)
		}
		var has []uint64
		for _, run := range got {
			if out, _ := r.reads(run.ID); out == text {
				has = append(has, run.ID)
			} else if out != "" || !run.Stdout.Lost {
				t.Errorf("%s: run %d has %d bytes, and is %+v", when, run.ID, len(out), run.Stdout)
			}
		}
		if !slices.Equal(has, []uint64{10, 9, 8}) { // a tenth more than has to goes
			t.Errorf("%s: output is kept of %v", when, has)
		}
		r.open()
	}
}
