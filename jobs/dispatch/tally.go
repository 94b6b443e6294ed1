package dispatch

import (
	"cmp"
	"slices"
	"time"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/protocol"
)

// stripLength is how many due times, or runs, a strip has.
const stripLength = 20

// beat is what became of one due time.
type beat struct {
	due                 int64
	done, failed, other int
}

// class is what people are told of a state.
type class int

const (
	classNever class = iota
	classDone
	classFailed
	classRunning
	classOther
)

func classOf(s protocol.JobState) class {
	switch s {
	case protocol.JobRunning:
		return classRunning
	case protocol.JobDone:
		return classDone
	case protocol.JobFailed, protocol.JobTimedOut, protocol.JobInterrupted, protocol.JobRefused:
		return classFailed
	}
	return classOther
}

// class is that of the latest run.
func (a *assigned) class() class {
	if len(a.runs) == 0 {
		return classNever
	}
	return classOf(a.runs[len(a.runs)-1].state)
}

// of is the number for a class.
func (c *Counts) of(x class) *int {
	switch x {
	case classDone:
		return &c.Done
	case classFailed:
		return &c.Failed
	case classRunning:
		return &c.Running
	case classNever:
		return &c.Never
	}
	return &c.Other
}

// count counts a device that shall have the job in or out. The caller holds mu.
func (j *job) count(a *assigned, n int) { *j.counts.of(a.class()) += n }

// edit changes the runs of a device and keeps the counts. The caller holds mu.
func (j *job) edit(a *assigned, fn func()) {
	if !a.meant {
		fn()
		return
	}
	j.count(a, -1)
	fn()
	j.count(a, 1)
}

// early is by how much a device may be ahead of the hub in what it tells, in seconds.
const early = int64(10 * time.Minute / time.Second)

// beat counts a run in the strip of the job in or out. The caller holds mu.
func (j *job) beat(dev protocol.DeviceID, r ref, n int) {
	k := classOf(r.state)
	if k == classRunning || r.due > r.told+early || r.due <= 0 {
		return // not over, or due at a time that cannot be
	}
	due := r.due
	if v := j.version(r.version); v != nil {
		due -= int64(jobs.Late(j.id, dev, v.Spec.Schedule.Jitter) / time.Second)
	}
	i, there := slices.BinarySearchFunc(j.strip, due, func(b beat, due int64) int { return cmp.Compare(b.due, due) })
	switch {
	case !there && (n < 0 || i == 0 && len(j.strip) == stripLength):
		return
	case !there:
		j.strip = slices.Insert(j.strip, i, beat{due: due})
		if len(j.strip) > stripLength {
			j.strip = slices.Delete(j.strip, 0, 1)
			i--
		}
	}
	b := &j.strip[i]
	switch k {
	case classDone:
		b.done += n
	case classFailed:
		b.failed += n
	default:
		b.other += n
	}
	if *b == (beat{due: b.due}) {
		j.strip = slices.Delete(j.strip, i, i+1)
	}
}

func compareRefs(a, b ref) int { return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.run, b.run)) }

func refOf(r *jobs.RunRecord) ref {
	return ref{
		run: r.ID, version: r.Version, due: r.Due, told: r.Told, count: r.Count, state: r.State,
		output: uint32(min(kept(r.Stdout)+kept(r.Stderr), maxRunOutput)),
	}
}

func kept(h jobs.Have) uint64 { return h.To - min(h.From, h.To) }

// enter puts a run into memory in place of the one that it follows. The caller holds mu, or the Desk is new.
func (d *Desk) enter(j *job, rec *jobs.RunRecord) {
	a, r := d.on(j, rec.Device), refOf(rec)
	j.edit(a, func() {
		d.leave(j, a, rec.ID)
		i, _ := slices.BinarySearchFunc(a.runs, r, compareRefs)
		a.runs = slices.Insert(a.runs, i, r)
		d.runs, d.output = d.runs+1, d.output+uint64(r.output)
		j.beat(a.dev, r, 1)
	})
}

// leave takes a run out of memory. The caller holds mu, and counts.
func (d *Desk) leave(j *job, a *assigned, run uint64) {
	i := slices.IndexFunc(a.runs, func(r ref) bool { return r.run == run })
	if i < 0 {
		return
	}
	d.runs, d.output = d.runs-1, d.output-uint64(a.runs[i].output)
	j.beat(a.dev, a.runs[i], -1)
	a.runs = slices.Delete(a.runs, i, i+1)
}
