package state

import (
	"encoding/binary"

	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
)

// Jobs returns the journal of jobs. It implements runner.State.
func (s *Store) Jobs() runner.Book {
	return view(s, func(d *data) runner.Book {
		return runner.Book{Cursors: sortedValues(d.cursors, compareIDs), Runs: sortedValues(d.runs, compareIDs), Last: d.counters.Run, Lost: max(d.jobsLost, 0)}
	})
}

// PutJobs writes a change of the journal of jobs and queues its reports and output for the hub, in one transaction. It
// implements runner.State.
func (s *Store) PutJobs(c runner.Change) error {
	return s.update("store journal of jobs", func(t *txn) error {
		for _, cursor := range c.Cursors {
			setIn(t, &t.d.cursors, cursor.Job, cursor)
			t.put(cursorKey(cursor.Job), cursor)
		}
		for _, job := range c.DropCursors {
			deleteIn(t, &t.d.cursors, job)
			t.remove(cursorKey(job))
		}
		last := t.d.counters.Run
		for _, run := range c.Runs {
			run.Text = clip(run.Text)
			setIn(t, &t.d.runs, run.ID, run)
			t.put(runKey(run.ID), run)
			last = max(last, run.ID)
		}
		if last != t.d.counters.Run {
			set(t, &t.d.counters.Run, last)
			t.put(keyCounters, t.d.counters)
		}
		for _, id := range c.DropRuns {
			deleteIn(t, &t.d.runs, id)
			t.remove(runKey(id))
		}
		for _, run := range c.Reports {
			t.putRun(run)
		}
		t.putJobOutput(c.Output)
		return nil
	})
}

// putRun queues what is said of a run, in place of an earlier word on it that still waits.
func (t *txn) putRun(run protocol.JobRun) {
	run.Text = clip(run.Text)
	for id, it := range t.d.outbox {
		if it.Kind == protocol.KindJobRun && it.Run == run.ID {
			t.removeItem(id)
		}
	}
	t.putItem(item{Run: run.ID}, protocol.KindJobRun, run)
}

// putJobOutput queues pieces of what runs wrote, and drops the oldest output where it is too much.
func (t *txn) putJobOutput(pieces []protocol.JobOutput) {
	size := 0
	for _, p := range pieces {
		size += len(p.Data)
	}
	if size == 0 {
		return
	}
	t.makeRoomForOutput(size)
	for _, p := range pieces {
		t.putItem(item{Run: p.Run, Size: len(p.Data)}, protocol.KindJobOutput, p)
	}
}

// lostJustNow stands for a time of loss that is not known yet: a device that lost its database may have lost its clock.
const lostJustNow = -1

func (t *txn) setJobsLost(at int64) {
	set(t, &t.d.jobsLost, at)
	t.put(keyJobsLost, at)
}

func cursorKey(job uint64) place { return place{bucketCursors, number(job), 1} }
func runKey(run uint64) place    { return place{bucketRuns, number(run), 1} }

// loadRun takes over a stored run; its key is its ID.
func loadRun(into *data) func(key []byte, run runner.Run) {
	return func(key []byte, run runner.Run) { putIn(&into.runs, binary.BigEndian.Uint64(key), run) }
}
