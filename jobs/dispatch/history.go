package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/farshore/farshore/jobs"
)

// sweepEvery is how often what is too old goes.
const sweepEvery = time.Minute

// dropMost is how many runs go in one transaction.
const dropMost = 1000

// Keep lets go of what is too old, until ctx ends.
func (d *Desk) Keep(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := d.Sweep(); err != nil {
				d.cfg.Log.Error("let go of old runs", "error", err)
			}
		}
	}
}

// Sweep takes scripts whose time is over off devices, and drops runs and output beyond the bounds.
func (d *Desk) Sweep() error {
	return errors.Join(d.sweepOneShots(), d.sweepRuns(), d.sweepOutput())
}

func (d *Desk) sweepOneShots() error {
	now := d.cfg.Now().Unix()
	var gone []string
	d.mu.Lock()
	for _, j := range d.byID {
		if !j.rec.OneShot {
			continue
		}
		if j.rec.Created < now-int64(KeepOneShot/time.Second) {
			gone = append(gone, j.rec.Name)
		}
		for _, a := range j.devices {
			if a.meant && d.refit(j, a, d.cfg.Fleet.Device) {
				defer d.cfg.Notify(a.dev)
			}
		}
	}
	d.mu.Unlock()
	var errs []error
	for _, name := range gone {
		_, tell, err := d.remove(name)
		d.tell(tell)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// aged is a run with its place.
type aged struct {
	j   *job
	a   *assigned
	ref ref
}

// oldest collects runs that fit, the oldest first.
func (d *Desk) oldest(fits func(ref) bool) (all []aged) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, j := range d.byID {
		for _, a := range j.devices {
			for _, r := range a.runs {
				if fits(r) {
					all = append(all, aged{j, a, r})
				}
			}
		}
	}
	slices.SortFunc(all, func(x, y aged) int { return cmp.Compare(x.ref.told, y.ref.told) })
	return all
}

func (d *Desk) sweepRuns() error {
	before := d.cfg.Now().Add(-KeepFor).Unix()
	d.mu.RLock()
	over := d.runs - d.cfg.MaxRuns
	d.mu.RUnlock()
	var old []aged
	if over > 0 {
		old = d.oldest(func(ref) bool { return true })
		n := max(0, over)
		for n < len(old) && old[n].ref.told < before {
			n++
		}
		old = old[:min(n, len(old))]
	} else {
		old = d.oldest(func(r ref) bool { return r.told < before })
	}
	for some := range slices.Chunk(old, dropMost) {
		var keys []RunKey
		for _, x := range some {
			keys = append(keys, RunKey{x.j.id, x.a.dev, x.ref.run})
		}
		if err := d.cfg.Store.DropJobRuns(keys); err != nil {
			return fmt.Errorf("drop old runs: %w", err)
		}
		d.mu.Lock()
		for _, x := range some {
			if d.byID[x.j.id] == x.j && x.j.devices[x.a.dev] == x.a {
				x.j.edit(x.a, func() { d.leave(x.j, x.a, x.ref.run) })
				if !x.a.meant && len(x.a.runs) == 0 {
					d.drop(x.j, x.a.dev)
				}
			}
		}
		d.mu.Unlock()
	}
	return nil
}

func (d *Desk) sweepOutput() error {
	d.mu.RLock()
	all := d.output
	d.mu.RUnlock()
	if all <= d.cfg.MaxOutput {
		return nil
	}
	var bare []jobs.RunRecord
	for _, x := range d.oldest(func(r ref) bool { return r.output > 0 }) {
		if all <= d.cfg.MaxOutput-d.cfg.MaxOutput/10 {
			break
		}
		all -= uint64(x.ref.output)
		r, err := d.cfg.Store.JobRun(RunKey{x.j.id, x.a.dev, x.ref.run})
		if err != nil {
			continue
		}
		r.Stdout, r.Stderr, r.OutputAttempt = jobs.Have{From: r.Stdout.To, To: r.Stdout.To, Lost: true}, jobs.Have{From: r.Stderr.To, To: r.Stderr.To, Lost: true}, 0
		bare = append(bare, r)
	}
	for some := range slices.Chunk(bare, dropMost) {
		if err := d.cfg.Store.DropJobOutput(some); err != nil {
			return fmt.Errorf("drop old output: %w", err)
		}
		d.mu.Lock()
		for i := range some {
			if j := d.byID[some[i].Job]; j != nil {
				d.enter(j, &some[i])
			}
		}
		d.mu.Unlock()
	}
	return nil
}
