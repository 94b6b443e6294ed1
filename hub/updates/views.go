package updates

import (
	"errors"
	"slices"
	"time"

	"github.com/farshore/farshore/hub/releases"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/rollout"
)

// View is an update as it is shown.
type View struct {
	Update // without its devices: see Desk.Devices
	// Counts of devices by status.
	Counts map[rollout.Status]int
	// Batches are the counts of each, the first one first.
	Batches []map[rollout.Status]int
	// Why says what it waits for.
	Why string
	// Next is when it goes on by itself, as far as that is known.
	Next time.Time
	// Bytes that were given to devices to fetch.
	Bytes uint64
}

// maxBatches is how many batches a View has, the latest.
const maxBatches = 100

func (r *run) view() View {
	v := View{Update: r.Update, Counts: r.Rollout.Count(), Why: r.why}
	if !r.Rollout.Phase.Over() {
		v.Next = r.next
	}
	first := max(int(r.Rollout.Batch)-maxBatches, 0)
	v.Batches = make([]map[rollout.Status]int, int(r.Rollout.Batch)-first)
	for _, x := range r.Rollout.Devices {
		if i := int(x.Batch) - 1 - first; i >= 0 && i < len(v.Batches) {
			if v.Batches[i] == nil {
				v.Batches[i] = map[rollout.Status]int{}
			}
			v.Batches[i][x.Status]++
		}
	}
	for _, j := range r.jobs {
		v.Bytes += j.Bytes
	}
	v.Rollout.Devices = nil
	return v
}

// List gives all updates, the latest first.
func (d *Desk) List() []View {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]View, 0, len(d.runs))
	for _, r := range d.runs {
		out = append(out, r.view())
	}
	slices.SortFunc(out, func(a, b View) int {
		if a.Created != b.Created {
			return int(b.Created - a.Created)
		}
		if a.ID > b.ID {
			return -1
		}
		return 1
	})
	return out
}

// Get gives one update. The error wraps ErrNotFound where there is none.
func (d *Desk) Get(id string) (View, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.runs[id]; r != nil {
		return r.view(), nil
	}
	return View{}, notFound(id)
}

// Devices gives the devices of an update: first those that failed, then those under way, those that wait, and those that
// are done. The error wraps ErrNotFound.
func (d *Desk) Devices(id string) ([]Status, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.runs[id]
	if r == nil {
		return nil, notFound(id)
	}
	out := make([]Status, 0, len(r.Rollout.Devices))
	for dev, x := range r.Rollout.Devices {
		s := Status{Device: dev, Rollout: x, Code: x.Code}
		if j := r.jobs[dev]; j != nil {
			s.Job = *j
		}
		if v := r.seen[dev]; v.Standing == rollout.Deferred {
			s.Code, s.Next = v.Code, v.Next
		}
		out = append(out, s)
	}
	sortStatuses(out)
	return out, nil
}

// Counts gives how many devices of updates that are not over have each status.
func (d *Desk) Counts() map[rollout.Status]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[rollout.Status]int{}
	for _, r := range d.runs {
		if !r.Rollout.Phase.Over() {
			for s, n := range r.Rollout.Count() {
				out[s] += n
			}
		}
	}
	return out
}

// Estimate is what an update would be.
type Estimate struct {
	// Devices that are meant.
	Devices []Estimated
	// Bytes that they would fetch together; more where Preparing is not 0.
	Bytes uint64
	// Preparing is how many programs are still being made ready, so that their bytes are not known yet: ask again.
	Preparing int
}

// Estimated is one device of an Estimate.
type Estimated struct {
	Target
	// Code says why it would not get the update, or not now. "": it would. "current": it has it.
	Code string
	// Bytes that it would fetch, and whether they are patches. Ready: that is known.
	Bytes        uint64
	Patch, Ready bool
}

// CodeCurrent is the code of a device that runs the release already.
const CodeCurrent = "current"

// Preview says what an update would be, and has its programs made ready. Errors are those of Start.
func (d *Desk) Preview(s Spec) (Estimate, error) {
	if err := s.check(); err != nil {
		return Estimate{}, err
	}
	want, err := d.cfg.Shelf.Get(s.Release)
	if err != nil {
		return Estimate{}, err
	}
	targets, err := d.cfg.Fleet.Targets(s.Selector, s.Group)
	if err != nil {
		return Estimate{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	r := newRun(Update{Spec: s})
	now := time.Now()
	out := Estimate{Devices: make([]Estimated, len(targets))}
	preparing := map[string]bool{}
	for i := range targets {
		t := &targets[i]
		e := Estimated{Target: *t}
		v := d.see(r, t, now)
		switch v.Standing {
		case rollout.Succeeded:
			e.Code, e.Ready = CodeCurrent, true
		default:
			e.Code = v.Code
		}
		if v.Standing != rollout.Succeeded && v.Standing != rollout.Ended {
			var programs []protocol.UpdateProgram
			programs, e.Bytes, err = d.programs(t, want)
			e.Ready = err == nil
			for _, p := range programs {
				e.Patch = e.Patch || p.Base != protocol.Hash{}
			}
			if errors.Is(err, releases.ErrPreparing) {
				preparing[preparingKey(t)] = true
			}
			out.Bytes += e.Bytes
		}
		out.Devices[i] = e
	}
	out.Preparing = len(preparing)
	return out, nil
}

// preparingKey is the same for devices that need the same programs.
func preparingKey(t *Target) string {
	key := t.Platform
	for _, name := range []string{protocol.ProgramAgent, protocol.ProgramComposer} {
		f, _ := factOf(t, name)
		key += " " + f.Hash.String()
	}
	return key
}
