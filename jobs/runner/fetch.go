package runner

import (
	"context"
	"time"

	"github.com/farshore/farshore/protocol"
)

// prepare fetches what a job needs ahead of its runs, until that works. The caller holds mu.
func (r *Runner) prepare(j *job) {
	if j.fetch != nil {
		j.fetch()
		j.fetch = nil
	}
	j.ready, j.failed = r.cfg.Fetch == nil || j.bad != "", nil
	if !j.ready {
		r.fetch(j, untilThere)
	}
}

// effort says how often a fetch that failed is tried again.
type effort uint8

const (
	untilThere effort = iota
	justOnce
)

// fetch fetches what a job needs, beside the jobs. The caller holds mu.
func (r *Runner) fetch(j *job, tries effort) {
	ctx, cancel := context.WithCancel(r.ctx)
	j.fetch, j.nudge, j.rests = cancel, make(chan struct{}, 1), false
	e, nudge := j.entry, j.nudge
	r.wait.Go(func() {
		defer cancel()
		for {
			err := r.cfg.Fetch(ctx, &e)
			r.mu.Lock()
			if ctx.Err() != nil { // it is about what the job was before
				r.mu.Unlock()
				return
			}
			over := err == nil || tries == justOnce
			j.failed, j.ready, j.rests = err, err == nil || len(j.queue) > 0, !over // where it failed, the run that waits says so
			if over {
				j.fetch = nil
			}
			r.mu.Unlock()
			r.Wake()
			if over {
				return
			}
			r.cfg.Log.Warn("what a job needs cannot be fetched, it is tried again", "job", e.Name, "error", err)
			select {
			case <-ctx.Done():
				return
			case <-nudge:
			case <-time.After(fetchAgain):
			}
			r.mu.Lock()
			j.rests = false
			r.mu.Unlock()
		}
	})
}

const (
	// fetchAgain is the pause after what a job needs could not be fetched.
	fetchAgain = time.Minute
	// waitTold is how long a run that somebody asked for waits for what it needs until that is told.
	waitTold = 10 * time.Second
)

// await reports whether the first run in the queue of a job has what it needs, and sees to it that it comes. For as long as it
// does not, for want of a budget perhaps, the run is queued like others: nothing of it has begun, and its timeout does not
// run. The caller holds mu.
func (r *Runner) await(j *job) bool {
	switch {
	case j.ready:
		return true
	case j.fetch == nil:
		r.fetch(j, justOnce)
	case j.rests:
		select {
		case j.nudge <- struct{}{}:
		default:
		}
		j.rests = false
	}
	return false
}

// tellWaiting tells of a run that somebody asked for and that waits for what it needs. The caller holds mu.
func (r *Runner) tellWaiting(j *job) error {
	run := *j.queue[0]
	now, _ := r.now()
	if run.State != 0 || run.Command == 0 && !j.plan.Once() || now.Unix()-run.Due < int64(waitTold/time.Second) {
		return nil
	}
	run.State, run.Text = protocol.JobRunning, "It waits for what it needs, its image or its script, to come to the device."
	return r.put(Change{Runs: []Run{run}, Reports: []protocol.JobRun{run.JobRun}})
}

// fetchAnew fetches for a further attempt what may not be there. It takes as long as it takes: no timeout runs.
func (r *Runner) fetchAnew(ctx context.Context, e *protocol.Entry, script []byte, failed error) error {
	if r.cfg.Fetch == nil || failed == nil && e.Job.Container == nil {
		return nil
	}
	without := *e
	if script != nil {
		without.Files = nil
	}
	return r.cfg.Fetch(ctx, &without)
}
