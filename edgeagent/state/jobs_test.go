package state

import (
	"reflect"
	"testing"

	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
)

func journal() runner.Change {
	return runner.Change{
		Cursors: []runner.Cursor{{Job: 9, Entry: protocol.HashOf([]byte("e")), Schedule: protocol.JobSchedule{Cron: "0 2 * * *", Zone: "UTC"}, Until: 1795305600}},
		Runs: []runner.Run{
			{JobRun: protocol.JobRun{ID: 41, Job: 9, Version: 2, Due: 1795305600, State: protocol.JobDone}, Stage: runner.Over},
			{JobRun: protocol.JobRun{ID: 42, Job: 9, Version: 2, Due: 1795305700}, Stage: runner.Queued},
		},
		Reports: []protocol.JobRun{{ID: 41, Job: 9, Version: 2, Due: 1795305600, State: protocol.JobRunning}},
	}
}

func TestTheJournalOfJobsIsKept(t *testing.T) {
	backings(t, func(t *testing.T, d device) {
		want := journal()
		must(t, d.open(t).PutJobs(want))
		got := d.open(t).Jobs()
		if !reflect.DeepEqual(got.Cursors, want.Cursors) || !reflect.DeepEqual(got.Runs, want.Runs) || got.Last != 42 {
			t.Errorf("kept is %+v", got)
		}
		must(t, d.open(t).PutJobs(runner.Change{DropCursors: []uint64{9}, DropRuns: []uint64{41, 42}}))
		if got := d.open(t).Jobs(); len(got.Cursors)+len(got.Runs) > 0 || got.Last != 42 {
			t.Errorf("after it was dropped there is %+v: no run gets an ID twice", got)
		}
	})
}

func TestTheLaterWordOnARunReplacesTheEarlier(t *testing.T) {
	backings(t, func(t *testing.T, d device) {
		s := d.open(t)
		must(t, s.PutJobs(journal()))
		done := journal().Runs[0].JobRun
		must(t, s.PutJobs(runner.Change{Reports: []protocol.JobRun{done}}))
		items := s.Outbox(1 << 20)
		if len(items) != 1 || items[0].Kind != protocol.KindJobRun || items[0].Class != protocol.ClassResults {
			t.Fatalf("outbox %+v", items)
		}
		var said protocol.JobRun
		must(t, protocol.Unmarshal(items[0].Body, &said))
		if said.State != protocol.JobDone {
			t.Errorf("said is %v", said.State)
		}
		ackAll(t, s)
		if n, _ := s.Pending(); n != 0 {
			t.Errorf("%d items after they were acknowledged", n)
		}
	})
}

// Output of jobs and of commands share the room there is; the oldest goes first, and that is said.
func TestTheOldestOutputOfJobsGoesFirst(t *testing.T) {
	backings(t, func(t *testing.T, d device) {
		s := d.open(t)
		piece := make([]byte, protocol.MaxJobOutputPiece)
		for run := uint64(1); run <= 5; run++ {
			var c runner.Change
			for offset := 0; offset < protocol.MaxJobOutput; offset += len(piece) {
				c.Output = append(c.Output, protocol.JobOutput{Run: run, Offset: uint64(offset), Data: piece})
			}
			must(t, s.PutJobs(c))
		}
		bytes, dropped := map[uint64]int{}, map[uint64]bool{}
		for _, it := range s.Outbox(1 << 30) {
			if it.Kind != protocol.KindJobOutput {
				continue
			}
			var p protocol.JobOutput
			must(t, protocol.Unmarshal(it.Body, &p))
			bytes[p.Run] += len(p.Data)
			dropped[p.Run] = dropped[p.Run] || p.Dropped
		}
		if bytes[1] != 0 || !dropped[1] || dropped[2] || bytes[5] != protocol.MaxJobOutput {
			t.Errorf("bytes %v, dropped %v", bytes, dropped)
		}
	})
}
