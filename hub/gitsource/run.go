package gitsource

import (
	"context"
	"math/rand/v2"
	"time"
)

// maxPause is the longest pause after failures.
const maxPause = time.Hour

// Run looks at sources when they are due, until ctx ends, and then waits for the looks under way, which end with it.
func (d *Desk) Run(ctx context.Context) error {
	defer d.looks.Wait()
	for {
		wait := d.begin(ctx)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-d.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// hurry has Run see what is due now.
func (d *Desk) hurry() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// begin starts the looks that are due, as far as there is room, the longest due first, and returns how long nothing
// has to be done.
func (d *Desk) begin(ctx context.Context) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	for ctx.Err() == nil {
		var first *entry
		for _, e := range d.sources {
			if !e.looking && !e.due.IsZero() && (first == nil || e.due.Before(first.due)) {
				first = e
			}
		}
		if first == nil || d.looking >= lookAtOnce {
			return time.Hour // the end of a look wakes, and so does what is asked for
		}
		if wait := time.Until(first.due); wait > 0 {
			return min(wait, time.Hour) // the clock may be set
		}
		d.start(ctx, first)
	}
	return time.Hour
}

// start begins a look. mu is held.
func (d *Desk) start(ctx context.Context, e *entry) {
	ctx, stop := context.WithCancel(ctx)
	e.looking, e.stop = true, stop
	d.looking++
	src, waiting := e.src, e.waiting
	e.due, e.waiting = time.Time{}, nil
	d.looks.Go(func() {
		defer stop()
		found := d.look(ctx, src, func() bool { return d.current(e, src.Rev) })
		for _, n := range d.ended(ctx, e, src, found) {
			d.cfg.Notice(n)
		}
		for _, w := range waiting {
			w <- found.Outcome
		}
		d.hurry()
	})
}

// current reports whether a source is still as it was when a look began.
func (d *Desk) current(e *entry, rev uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !e.removed && e.src.Rev == rev
}

// ended takes over what a look found, and returns what is to be told.
func (d *Desk) ended(ctx context.Context, e *entry, src Source, found finding) []Notice {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looking--
	e.looking, e.stop, e.looked = false, nil, time.Now()
	if e.removed {
		return nil
	}
	if e.src.Rev != src.Rev { // it was changed meanwhile, and is due at once; what was made was made
		if found.applied {
			e.src.Progress.Version, e.src.Progress.Applied = found.progress.Version, found.progress.Applied
		}
		return nil
	}
	if found.Code == codeStopped {
		if ctx.Err() == nil && e.due.IsZero() {
			e.due = time.Now().Add(jitter(d.cfg.Limits.Retry, 1))
		}
		return nil
	}
	was := e.src.Progress
	changed := found.progress != was || found.applied && e.src.Target != nil
	e.src.Progress = found.progress
	if found.applied {
		e.src.Target = nil
	}
	if changed {
		if err := d.cfg.Store.PutSource(e.src); err != nil {
			d.cfg.Log.Error("how a source stands could not be stored", "stack", e.src.Stack, "error", err)
		}
	}
	d.plan(e, found)
	switch {
	case found.Code != "" && (was.Problem == "" || was.Code != found.Code || was.Bad != found.progress.Bad):
		return []Notice{{Kind: KindFailing, Text: found.Text, Source: e.src}}
	case found.Code == "" && was.Problem != "":
		return []Notice{{Kind: KindWorks, Text: found.Text, Source: e.src}}
	}
	return nil
}

// plan says when a source is looked at next, unless somebody has asked for it meanwhile. mu is held.
func (d *Desk) plan(e *entry, found finding) {
	next, interval := time.Time{}, time.Duration(e.src.Interval)*time.Second
	if interval > 0 {
		next = time.Now().Add(jitter(interval, 0.1))
	}
	e.failures++
	if found.Code == "" || found.progress.Bad != "" { // a commit that is broken stays so: the next one may not be
		e.failures = 0
	} else {
		pause := d.cfg.Limits.Retry << min(e.failures-1, 10)
		next = time.Now().Add(jitter(min(pause, max(maxPause, d.cfg.Limits.Retry)), 0.2))
	}
	if e.due.IsZero() {
		e.due = next
	}
}

// jitter varies a time by up to a part of it, so that many do not come at once.
func jitter(t time.Duration, part float64) time.Duration {
	return t + time.Duration((rand.Float64()*2-1)*part*float64(t))
}

// Sync looks at the source of a stack now, and returns what that came to. It waits for one that is under way.
func (d *Desk) Sync(ctx context.Context, stack string) (Outcome, error) {
	done := make(chan Outcome, 1)
	d.mu.Lock()
	e := d.sources[stack]
	if e == nil {
		d.mu.Unlock()
		return Outcome{}, notFound(stack)
	}
	e.due, e.waiting = time.Now(), append(e.waiting, done)
	d.mu.Unlock()
	d.hurry()
	select {
	case out := <-done:
		return out, nil
	case <-ctx.Done():
		return Outcome{}, context.Cause(ctx)
	}
}
