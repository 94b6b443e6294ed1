package runner

import (
	"fmt"
	"slices"
	"time"

	"github.com/farshore/farshore/protocol"
)

// RunNow makes a job run as soon as its overlap rule lets it, because a command says so, and returns the run's ID. Errors
// wrap ErrUnknown or ErrBusy.
func (r *Runner) RunNow(id uint64, command protocol.CommandID) (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, own := r.now()
	j := r.jobs[id]
	if j == nil || j.gone {
		return 0, fmt.Errorf("job %d: %w: it is not meant for it, or has not come yet", id, ErrUnknown)
	}
	for _, run := range r.runs {
		if command != 0 && run.Command == command { // the power went before its result was journaled
			return run.ID, nil
		}
	}
	run := Run{r.next(&j.entry, now.Unix(), own), Queued}
	run.Command = command
	c := Change{}
	if j.active != nil || len(j.queue) > 0 {
		switch j.entry.Job.Overlap {
		case protocol.OverlapSkip:
			r.last--
			return 0, fmt.Errorf("job %s: %w: wait for its end, or cancel it", j.entry.Name, ErrBusy)
		case protocol.OverlapQueue:
			if len(j.queue) >= MaxQueued {
				r.last--
				return 0, fmt.Errorf("job %s: %w, and %d wait for it: cancel one", j.entry.Name, ErrBusy, len(j.queue))
			}
		case protocol.OverlapKill:
			r.overlaps(j, &run, &c)
		}
	}
	c.Runs = append(c.Runs, run)
	if err := r.enqueue(j, c); err != nil {
		return 0, err
	}
	r.Wake()
	return run.ID, nil
}

// CancelAll kills what is under way of a job, and takes what waits from its queue. It returns how many runs that are. The
// error wraps ErrUnknown for a job that is not there.
func (r *Runner) CancelAll(id uint64) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := r.jobs[id]
	if j == nil {
		return 0, fmt.Errorf("job %d: %w: it is not meant for it, or has not come yet", id, ErrUnknown)
	}
	c := Change{}
	for _, waiting := range j.queue {
		ended := *waiting
		ended.Stage, ended.State, ended.Text = Over, protocol.JobCancelled, errCancelled.Error()
		c.Runs, c.Reports = append(c.Runs, ended), append(c.Reports, ended.JobRun)
	}
	if len(c.Runs) > 0 {
		if err := r.put(c); err != nil {
			return 0, err
		}
		n, j.queue = len(c.Runs), nil
	}
	if j.active != nil {
		j.cancel(errCancelled)
		n++
	}
	return n, nil
}

// Cancel kills a run that is under way, or takes it from its queue. The error wraps ErrUnknown for one that is not known; one
// that is over stays as it is, and gives its state.
func (r *Runner) Cancel(id uint64) (protocol.JobState, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	run := r.runs[id]
	if run == nil {
		return 0, fmt.Errorf("run %d: %w", id, ErrUnknown)
	}
	j := r.jobs[run.Job]
	switch {
	case run.Stage == Over || j == nil:
		return run.State, nil
	case j.active == run:
		j.cancel(errCancelled)
		return protocol.JobCancelled, nil
	}
	ended := *run
	ended.Stage, ended.State, ended.Text = Over, protocol.JobCancelled, errCancelled.Error()
	if err := r.put(Change{Runs: []Run{ended}, Reports: []protocol.JobRun{ended.JobRun}}); err != nil {
		return 0, err
	}
	j.queue = slices.DeleteFunc(j.queue, func(waiting *Run) bool { return waiting.ID == id })
	return protocol.JobCancelled, nil
}

// Output queues output of a run for the hub, also of one that is under way, and returns how many bytes that is. The error
// wraps ErrUnknown where nothing is known of the run any more.
func (r *Runner) Output(ask protocol.JobAsk) (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	run := r.runs[ask.Run]
	if run == nil {
		return 0, fmt.Errorf("run %d: %w: of each job the last %d runs are kept", ask.Run, ErrUnknown, KeepRuns)
	}
	var (
		c     Change
		total uint64
	)
	stdout, stderr := r.cfg.Outputs.Sizes(run.ID)
	for stream, s := range []protocol.JobStream{stdout, stderr} {
		from := max([]uint64{ask.Stdout, ask.Stderr}[stream], s.Size-s.Kept)
		if most := outputCap(ask.Max); s.Size > most {
			from = max(from, s.Size-most)
		}
		if from >= s.Size {
			continue
		}
		pieces, err := r.pieces(&run.JobRun, uint8(stream), from, s.Size)
		if err != nil {
			return 0, fmt.Errorf("output of run %d: %w", run.ID, err)
		}
		for _, p := range pieces {
			total += uint64(len(p.Data))
		}
		c.Output = append(c.Output, pieces...)
	}
	if total == 0 {
		return 0, nil
	}
	return total, r.put(c)
}

// Local is a job as the agent tells of it to somebody at the device.
type Local struct {
	ID      uint64      `json:"id"`
	Name    string      `json:"name"`
	Version uint64      `json:"version"`
	Problem string      `json:"problem,omitempty"`
	Next    []time.Time `json:"next,omitempty"`
	Waiting int         `json:"waiting,omitempty"`
	// Active is the run that is under way, Runs those that are over and kept, the latest first.
	Active *protocol.JobRun  `json:"active,omitempty"`
	Runs   []protocol.JobRun `json:"runs,omitempty"`
}

// List tells of all jobs by name.
func (r *Runner) List() []Local {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, _ := r.now()
	out := make([]Local, 0, len(r.jobs))
	for _, j := range r.jobs {
		if j.gone {
			continue
		}
		l := Local{ID: j.entry.ID, Name: j.entry.Name, Version: j.entry.Version, Problem: j.bad, Next: j.plan.Upcoming(now, 5), Waiting: len(j.queue)}
		if j.active != nil {
			active := j.active.JobRun
			l.Active = &active
		}
		for _, run := range slices.Backward(r.sorted()) {
			if run.Job == l.ID && run.Stage == Over {
				l.Runs = append(l.Runs, run.JobRun)
			}
		}
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b Local) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return out
}
