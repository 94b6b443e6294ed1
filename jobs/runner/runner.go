package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/protocol"
)

// Errors that callers tell apart.
var (
	// ErrNever is wrapped by an Executor's error when the device cannot run such a job at all.
	ErrNever = errors.New("this device cannot run it")
	// ErrUnknown: the device has no such job or run.
	ErrUnknown = errors.New("not on this device")
	// ErrBusy: the job's overlap rule does not let it run now.
	ErrBusy = errors.New("a run of this job is under way")
)

// Runner runs jobs.
type Runner struct {
	cfg  Config
	wake chan struct{}

	mu      sync.Mutex // guards what follows; it is held while a change is written
	jobs    map[uint64]*job
	runs    map[uint64]*Run // all that are kept, over or not
	last    uint64
	running int
	floor   time.Time // the time is at least this, plus what passed since the start
	started time.Time
	ctx     context.Context //nolint:containedctx // of Run: runs end with it
	wait    sync.WaitGroup
}

// job is a job of the desired set, or one that goes while a run of it is under way.
type job struct {
	entry  protocol.Entry
	plan   jobs.Plan
	bad    string // why it cannot be planned
	cursor Cursor
	queue  []*Run // by their turn
	active *Run   // nil: none is under way
	cancel context.CancelCauseFunc
	gone   bool               // not in the desired set any more
	fetch  context.CancelFunc // of the fetch under way
	ready  bool               // what its next run needs is there, or cannot be fetched
	failed error              // why it cannot
	rests  bool               // the fetch waits before it tries again, until nudge
	nudge  chan struct{}
}

// New returns a Runner with what the state has. Run starts it.
func New(cfg Config) *Runner {
	r := &Runner{cfg: cfg, wake: make(chan struct{}, 1), jobs: map[uint64]*job{}, runs: map[uint64]*Run{}, started: time.Now()}
	if cfg.Enter == nil {
		r.cfg.Enter = func() (func(), bool) { return func() {}, true }
	}
	book := cfg.State.Jobs()
	r.last = book.Last
	if r.cfg.Look == 0 {
		r.cfg.Look = lookAgain
	}
	for _, c := range book.Cursors {
		r.jobs[c.Job] = &job{cursor: c, gone: true} // until the desired set is read
		if until := time.Unix(c.Until, 0); until.After(r.floor) {
			r.floor = until
		}
	}
	for _, run := range book.Runs {
		r.runs[run.ID] = &run
	}
	return r
}

// Wake tells that the desired set may have changed, or the time become known.
func (r *Runner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run runs jobs until ctx is done. Runs that are under way then are killed, and reported as interrupted.
func (r *Runner) Run(ctx context.Context) error {
	r.mu.Lock()
	r.ctx = ctx
	r.mu.Unlock()
	r.recover(ctx)
	woken := true
	for ctx.Err() == nil {
		next, err := r.step(woken)
		if err != nil {
			r.cfg.Log.Error("jobs cannot be journaled, and do not run", "error", err)
			next = again
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
		case <-r.wake:
			woken = true
		case <-timer.C:
			woken = err != nil
		}
		timer.Stop()
	}
	r.wait.Wait()
	return nil
}

// lookAgain is Config.Look where none is given.
const lookAgain = 30 * time.Second

// again is the pause after something could not be written.
const again = 10 * time.Second

// step takes over the desired set where it may have changed, accounts for what is due, and starts what can be. It returns
// after which time it is to be called again.
func (r *Runner) step(woken bool) (time.Duration, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, own := r.now()
	var errs []error
	if woken {
		errs = append(errs, r.adopt(now, own))
	}
	errs = append(errs, r.account(now, own), r.startAll())
	sleep := r.cfg.Look
	for _, j := range r.jobs {
		if j.gone || j.bad != "" {
			continue
		}
		if due, ok := j.plan.Next(now); ok {
			sleep = min(sleep, due.Sub(now))
		}
	}
	return max(sleep, time.Millisecond), errors.Join(errs...)
}

// now is the best time known; own: the hub has not vouched for it. A clock that is behind what was accounted for before the
// start was reset by the power cut: time goes on from there.
func (r *Runner) now() (t time.Time, own bool) {
	t, vouched := r.cfg.Now()
	if !vouched {
		if least := r.floor.Add(time.Since(r.started)); t.Before(least) {
			t = least
		}
	}
	return t, !vouched
}

// put writes a change, and takes it over.
func (r *Runner) put(c Change) error {
	if err := r.cfg.State.PutJobs(c); err != nil {
		return fmt.Errorf("journal of jobs: %w", err)
	}
	for _, cursor := range c.Cursors {
		if j := r.jobs[cursor.Job]; j != nil {
			j.cursor = cursor
		}
	}
	for _, run := range c.Runs {
		if have := r.runs[run.ID]; have != nil {
			*have = run
		} else {
			r.runs[run.ID] = &run
		}
	}
	for _, id := range c.DropRuns {
		delete(r.runs, id)
		if err := r.cfg.Outputs.Drop(id); err != nil {
			r.cfg.Log.Warn("output of a run cannot be removed", "run", id, "error", err)
		}
	}
	return nil
}

// recover gives an end to runs that were under way when an earlier agent died, and puts those that waited back into their
// queues. It comes back when that is journaled, or ctx is done.
func (r *Runner) recover(ctx context.Context) {
	for _, run := range r.cfg.State.Jobs().Runs {
		if run.Stage == Started {
			r.clear(ctx, r.cfg.Host, run.ID)
			r.clear(ctx, r.cfg.Container, run.ID)
		}
	}
	for {
		err := r.endInterrupted()
		if err == nil {
			return
		}
		r.cfg.Log.Error("jobs cannot be journaled, and do not run", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(again):
		}
	}
}

// clear removes what is left of a run, and tries again beside the jobs where that fails: an engine may come up later.
func (r *Runner) clear(ctx context.Context, e Executor, run uint64) {
	err := e.Clear(ctx, run)
	if err == nil {
		return
	}
	r.cfg.Log.Warn("what is left of an interrupted run cannot be removed, it is tried again", "run", run, "error", err)
	r.wait.Go(func() {
		for err != nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(fetchAgain):
			}
			err = e.Clear(ctx, run)
		}
	})
}

func (r *Runner) endInterrupted() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	specs := map[uint64]*protocol.Job{}
	for _, e := range r.cfg.State.Desired() {
		if e.Kind == protocol.EntryJob {
			specs[e.ID] = e.Job
		}
	}
	for _, j := range r.jobs {
		j.queue = nil
	}
	var c Change
	var keep []uint64
	for _, run := range r.sorted() {
		j := r.jobs[run.Job]
		if j == nil { // its job went with it under way
			c.DropRuns = append(c.DropRuns, run.ID)
		} else {
			keep = append(keep, run.ID)
		}
		switch run.Stage {
		case Queued:
			if j != nil {
				j.queue = append(j.queue, r.runs[run.ID])
			}
		case Started:
			run.State, run.Text, run.Stage = protocol.JobInterrupted, "The agent stopped while it ran: how far it came is not known.", Over
			r.streams(&run.JobRun)
			if spec := specs[run.Job]; spec != nil {
				c.Output = append(c.Output, r.following(&run.JobRun, spec)...)
			}
			c.Runs, c.Reports = append(c.Runs, run), append(c.Reports, run.JobRun)
		}
	}
	if err := r.cfg.Outputs.Only(keep); err != nil {
		r.cfg.Log.Warn("output of runs that are not known any more cannot be removed", "error", err)
	}
	if len(c.Runs) == 0 && len(c.DropRuns) == 0 {
		return nil
	}
	return r.put(c)
}

// sorted are all runs by ID.
func (r *Runner) sorted() []Run {
	out := make([]Run, 0, len(r.runs))
	for _, run := range r.runs {
		out = append(out, *run)
	}
	slices.SortFunc(out, func(a, b Run) int { return int(int64(a.ID - b.ID)) })
	return out
}

// next gives a new run its ID.
func (r *Runner) next(e *protocol.Entry, due int64, own bool) protocol.JobRun {
	r.last++
	return protocol.JobRun{ID: r.last, Job: e.ID, Version: e.Version, Due: due, Clock: own}
}
