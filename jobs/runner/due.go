package runner

import (
	"errors"
	"slices"
	"time"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/protocol"
)

const (
	// onTime is how late a run may be and still count as on time.
	onTime = time.Minute
	// ahead is by how much a cursor may be ahead of the time: beyond it, a clock was wrong, and was set back.
	ahead = 5 * time.Minute
	// farBack bounds how long ago what is due is looked for.
	farBack = 3 * 366 * 24 * time.Hour
)

// adopt takes over the jobs of the desired set.
func (r *Runner) adopt(now time.Time, own bool) error {
	var errs []error
	wanted := map[uint64]bool{}
	for _, e := range r.cfg.State.Desired() {
		if e.Kind != protocol.EntryJob || e.Job == nil {
			continue
		}
		wanted[e.ID] = true
		errs = append(errs, r.adoptOne(e, now, own))
	}
	for id, j := range r.jobs {
		if !wanted[id] {
			errs = append(errs, r.leave(id, j))
		}
	}
	return errors.Join(errs...)
}

func (r *Runner) adoptOne(e protocol.Entry, now time.Time, own bool) error {
	j, hash := r.jobs[e.ID], e.Content()
	if j != nil && !j.gone && j.cursor.Entry == hash {
		j.entry.Access = e.Access
		return nil
	}
	plan, bad := jobs.NewPlan(e.Job.Schedule, e.ID, r.cfg.Device)
	if j == nil {
		j = &job{}
	} else if j.cursor.Entry != hash { // what was due by the schedule before is accounted for first
		if err := r.accountOld(j, e, now, own); err != nil {
			return err
		}
	}
	if cursor := j.cursor.under(&e, hash, now); cursor != j.cursor {
		c, s := Change{Cursors: []Cursor{cursor}}, e.Job.Schedule
		var run protocol.JobRun
		switch {
		case bad != nil: // it will never be due: that is told once
			run = r.next(&e, now.Unix(), own)
			run.State, run.Text = protocol.JobRefused, bad.Error()
		case j.cursor.Job == 0 && s.Cron == "" && s.At != 0 && s.At <= r.cfg.State.Jobs().Lost:
			run = r.next(&e, s.At, own)
			run.State, run.Text = protocol.JobInterrupted, "The device lost its journal: it may have run before."
			cursor.Until = s.At + int64(s.Jitter)
			c.Cursors[0] = cursor
		}
		if run.ID != 0 {
			c.Runs, c.Reports = []Run{{run, Over}}, []protocol.JobRun{run}
		}
		if err := r.put(c); err != nil {
			return err
		}
		j.cursor = cursor
	}
	j.entry, j.plan, j.gone, j.bad = e, plan, false, ""
	if bad != nil {
		j.bad = bad.Error()
	}
	r.jobs[e.ID] = j
	r.prepare(j)
	return nil
}

// under is the cursor of a job from now on, which has this entry. The zero cursor is that of a job which is new.
func (c Cursor) under(e *protocol.Entry, hash protocol.Hash, now time.Time) Cursor {
	if c.Entry == hash {
		return c
	}
	s := e.Job.Schedule
	if c.Job != 0 && c.Schedule == s { // nothing that ran by it runs again
		c.Entry = hash
		return c
	}
	until := max(now.Unix(), c.Until)
	if s.Cron == "" {
		until = 0 // also what was due before the device heard of it
		if c.Schedule.Cron == "" && c.Schedule.At == s.At && c.Until != 0 {
			until = max(c.Until, s.At+int64(s.Jitter)) // it was
		}
	}
	return Cursor{Job: e.ID, Entry: hash, Schedule: s, From: until, Until: until}
}

// back is the cursor after a clock was set back.
func (c Cursor) back(now int64) Cursor {
	from, to := c.From, c.Until
	if from <= c.DoneTo && to >= c.DoneFrom {
		from, to = min(from, c.DoneFrom), max(to, c.DoneTo)
	}
	c.DoneFrom, c.DoneTo, c.From, c.Until = from, to, now, now
	return c
}

// accountOld accounts for what was due by the schedule that a job had until now.
func (r *Runner) accountOld(j *job, e protocol.Entry, now time.Time, own bool) error {
	plan, err := jobs.NewPlan(j.cursor.Schedule, e.ID, r.cfg.Device)
	if err != nil {
		return nil //nolint:nilerr // it was never due
	}
	before := *j
	j.plan, j.entry = plan, e
	if before.entry.Job != nil {
		j.entry = before.entry
	}
	err = r.accountOne(j, now, own)
	j.plan, j.entry = before.plan, before.entry
	return err
}

// leave ends what a job that is not wanted any more has under way, and forgets it.
func (r *Runner) leave(id uint64, j *job) error {
	j.gone = true // nothing of it starts any more
	if j.fetch != nil {
		j.fetch()
		j.fetch = nil
	}
	if j.active != nil {
		j.cancel(errRemoved) // when it is over this is called again
		return nil
	}
	c := Change{DropCursors: []uint64{id}}
	for _, run := range r.runs {
		if run.Job != id {
			continue
		}
		c.DropRuns = append(c.DropRuns, run.ID)
		if run.Stage == Queued {
			ended := run.JobRun
			ended.State, ended.Text = protocol.JobCancelled, errRemoved.Error()
			c.Reports = append(c.Reports, ended)
		}
	}
	if err := r.put(c); err != nil {
		return err
	}
	delete(r.jobs, id)
	return nil
}

// account accounts for all that is due.
func (r *Runner) account(now time.Time, own bool) error {
	var errs []error
	for _, j := range r.jobs {
		if !j.gone && j.bad == "" {
			errs = append(errs, r.accountOne(j, now, own))
		}
	}
	return errors.Join(errs...)
}

// accountOne decides about each due time of a job that is not accounted for: it is run, skipped or missed.
func (r *Runner) accountOne(j *job, now time.Time, own bool) error {
	until := time.Unix(j.cursor.Until, 0)
	if until.Sub(now) > ahead && !j.plan.Once() {
		return r.put(Change{Cursors: []Cursor{j.cursor.back(now.Unix())}})
	}
	if least := now.Add(-farBack); until.Before(least) && !j.plan.Once() {
		until = least
	}
	dues := r.due(j, until, now)
	if dues.count == 0 {
		return nil
	}
	cursor := j.cursor
	cursor.Until = dues.last
	c := Change{Cursors: []Cursor{cursor}}
	if n := dues.count - uint64(len(dues.newest)); n > 0 {
		run := r.next(&j.entry, dues.first, own)
		run.State, run.Text = protocol.JobMissed, "The device or its agent was off when it was due."
		if j.plan.Once() {
			run.Text = "It was due before the device was on and had it."
		}
		c.Cursors[0].From = dues.missed
		if n > 1 {
			run.Until, run.Count = dues.missed, n
		}
		c.Runs, c.Reports = append(c.Runs, Run{run, Over}), append(c.Reports, run)
	}
	busy := j.active != nil || len(j.queue) > 0
	for i, due := range dues.newest {
		run := Run{r.next(&j.entry, due, own), Queued}
		late := now.Sub(time.Unix(due, 0)) > onTime || i < len(dues.newest)-1
		if !late && busy && !r.overlaps(j, &run, &c) {
			continue
		}
		c.Runs = append(c.Runs, run)
	}
	r.forgetOld(j, &c)
	return r.enqueue(j, c)
}

// enqueue writes a change, and puts its queued runs into the job's queue, in place of those that it ends.
func (r *Runner) enqueue(j *job, c Change) error {
	if err := r.put(c); err != nil {
		return err
	}
	j.queue = slices.DeleteFunc(j.queue, func(waiting *Run) bool { return waiting.Stage == Over })
	if j.active != nil && j.entry.Job.Overlap == protocol.OverlapKill && slices.ContainsFunc(c.Runs, queued) {
		j.cancel(errOverlap)
	}
	for _, run := range c.Runs {
		if queued(run) {
			j.queue = append(j.queue, r.runs[run.ID])
		}
	}
	return nil
}

func queued(run Run) bool { return run.Stage == Queued }

// overlaps goes by the overlap rule for a run that is due while another is under way. False: it is skipped, and that is in
// the change.
func (r *Runner) overlaps(j *job, run *Run, c *Change) bool {
	switch {
	case j.entry.Job.Overlap == protocol.OverlapKill:
		for _, waiting := range j.queue {
			w := *waiting
			w.Stage, w.State, w.Text = Over, protocol.JobCancelled, errOverlap.Error()
			c.Runs, c.Reports = append(c.Runs, w), append(c.Reports, w.JobRun)
		}
		return true
	case j.entry.Job.Overlap == protocol.OverlapQueue && len(j.queue) < MaxQueued:
		return true
	}
	// Those that are skipped one after the other are one.
	if last := r.lastOf(j); last != nil && last.State == protocol.JobSkipped && last.Version == run.Version && len(c.Runs) == 0 {
		r.last-- // its ID was not used
		one := *last
		one.Until, one.Count = run.Due, max(one.Count, 1)+1
		c.Runs, c.Reports = append(c.Runs, one), append(c.Reports, one.JobRun)
		return false
	}
	run.Stage, run.State = Over, protocol.JobSkipped
	run.Text = "An earlier run was still under way."
	c.Runs, c.Reports = append(c.Runs, *run), append(c.Reports, run.JobRun)
	return false
}

// lastOf is the job's run with the highest ID; nil: none is kept.
func (r *Runner) lastOf(j *job) *Run {
	var last *Run
	for _, run := range r.runs {
		if run.Job == j.entry.ID && (last == nil || run.ID > last.ID) {
			last = run
		}
	}
	return last
}

// dues are the times at which a job was due and that are not accounted for.
type dues struct {
	count       uint64
	first, last int64
	newest      []int64 // those that are run, by time
	missed      int64   // the last of the others
}

// due gathers what is due after until and up to now. A clock that was wrong by a year must not cost more than a moment: what
// is not run is counted, not looked at one by one.
func (*Runner) due(j *job, until, now time.Time) dues {
	if next, ok := j.plan.Next(until); !ok || next.After(now) {
		return dues{}
	}
	last := j.plan.Newest(until, now, 1)
	if len(last) == 0 {
		return dues{}
	}
	want := int(min(j.entry.Job.Missed, protocol.MaxJobMissed))
	if end := j.entry.Job.Schedule.End; j.plan.Once() && end != 0 && now.Unix() > end {
		want = 0 // it came too late
	}
	d := dues{last: last[0].Unix()}
	most := max(want, 1)
	var newest []int64 // and the one before them
	for _, part := range j.cursor.open(until, now) {
		n := j.plan.Count(part[0], part[1])
		if n == 0 {
			continue
		}
		if d.count == 0 {
			first, _ := j.plan.Next(part[0])
			d.first = first.Unix()
		}
		d.count += n
		for _, due := range j.plan.Newest(part[0], part[1], most+1) {
			newest = append(newest, due.Unix())
		}
	}
	d.newest = newest[max(0, len(newest)-most):]
	if others := len(newest) - len(d.newest); others > 0 {
		d.missed = newest[others-1]
	}
	if d.count > 0 && want == 0 && now.Sub(time.Unix(d.last, 0)) > onTime { // not even the newest is run
		d.missed, d.newest = d.newest[0], nil
	}
	return d
}

// open are the stretches after until and up to now that are not accounted for by what was before a clock was set back.
func (c Cursor) open(until, now time.Time) [][2]time.Time {
	from, to := time.Unix(c.DoneFrom, 0), time.Unix(c.DoneTo, 0)
	if c.DoneTo <= c.DoneFrom || !to.After(until) || !from.Before(now) {
		return [][2]time.Time{{until, now}}
	}
	var out [][2]time.Time
	if from.After(until) {
		out = append(out, [2]time.Time{until, from})
	}
	if to.Before(now) {
		out = append(out, [2]time.Time{to, now})
	}
	return out
}

// forgetOld drops runs of a job that are over beyond KeepRuns.
func (r *Runner) forgetOld(j *job, c *Change) {
	var over []uint64
	for _, run := range r.sorted() {
		if run.Job == j.entry.ID && run.Stage == Over {
			over = append(over, run.ID)
		}
	}
	if n := len(over) - KeepRuns; n > 0 {
		c.DropRuns = append(c.DropRuns, over[:n]...)
	}
}
