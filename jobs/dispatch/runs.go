package dispatch

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/protocol"
)

// Bounds of what is kept, and of what a device may tell in a day.
const (
	// KeepRuns is how many runs of a job on a device are kept, KeepFor how long, MaxRuns how many in all.
	KeepRuns = 50
	KeepFor  = 90 * 24 * time.Hour
	MaxRuns  = 1_000_000
	// KeepOneShot is how long a script that ran once is kept.
	KeepOneShot = 7 * 24 * time.Hour
	// maxRunOutput is how many bytes of a run's output are kept, MaxOutput those of all.
	maxRunOutput = 256 << 10
	MaxOutput    = 2 << 30
	// A device may tell of so many runs, and send so many bytes of output, in a day.
	maxRunsADay   = 20_000
	maxOutputADay = 64 << 20
)

// maxSignal and maxAttempts bound what a device says.
const (
	maxSignal   = 16
	maxAttempts = 1_000_000
	maxCount    = 1 << 40
)

// quota is what a device has told on a day.
type quota struct {
	day    int64
	runs   int
	output int
	left   bool // something was left out, and that was logged
}

// within reports whether a device may tell so much more today. The caller holds mu.
func (d *Desk) within(dev protocol.DeviceID, runs, output int) bool {
	day := d.cfg.Now().Unix() / 86400
	q := d.quotas[dev]
	if q == nil || q.day != day {
		q = &quota{day: day}
		d.quotas[dev] = q
	}
	q.runs, q.output = q.runs+runs, q.output+output
	ok := q.runs <= maxRunsADay && q.output <= maxOutputADay
	if !ok && !q.left {
		q.left = true
		d.cfg.Log.Warn("device tells of more runs, or sends more of their output, than is kept of one device in a day: the rest is left out", "device", dev)
	}
	return ok
}

// Run takes what a device says of a run. Of several the later one counts. One of a job that the device never had is
// dropped. An error means that it was not kept, or, wrapping protocol.ErrMalformed, that it is nonsense.
func (d *Desk) Run(dev protocol.DeviceID, r protocol.JobRun) error {
	if err := sane(&r); err != nil {
		return err
	}
	news, err := d.run(dev, r)
	if news != nil {
		d.cfg.Events(*news)
	}
	return err
}

// sane holds what a device says to what can be, and makes texts printable.
func sane(r *protocol.JobRun) error {
	bad := func(what string) error { return fmt.Errorf("%w: run %d: %s", protocol.ErrMalformed, r.ID, what) }
	switch {
	case r.ID == 0 || r.Job == 0 || r.Version == 0:
		return bad("it names no run, job or version")
	case r.State < protocol.JobRunning || r.State > protocol.JobRefused:
		return bad("a state that is not known")
	case len(r.Signal) > maxSignal || r.Attempt > maxAttempts || r.Count > maxCount || r.Took > 1<<50:
		return bad("a signal or numbers that cannot be")
	case !anyTime(r.Due) || !anyTime(r.Until) || !anyTime(r.Started/1000):
		return bad("a time that cannot be")
	}
	for _, s := range []*protocol.JobStream{r.Stdout, r.Stderr} {
		if s != nil && (s.Kept > s.Size || s.Follow > s.Kept || s.Size > 1<<60) {
			return bad("sizes of output that cannot be")
		}
	}
	r.Signal, r.Text = protocol.Printable(r.Signal, maxSignal), protocol.Printable(r.Text, protocol.MaxText)
	return nil
}

// anyTime reports whether Unix seconds are between 1970 and 9999.
func anyTime(at int64) bool { return at >= 0 && at < 253402300800 }

func (d *Desk) run(dev protocol.DeviceID, r protocol.JobRun) (*Notice, error) {
	defer d.devices.Lock(string(dev))()
	now := d.cfg.Now().Unix()
	d.mu.Lock()
	j := d.byID[r.Job]
	known := j != nil && r.Version <= j.rec.Latest && d.within(dev, 1, 0)
	has := known && d.has(j, dev)
	d.mu.Unlock()
	// One that was taken from the device while it was away is in the set that it has taken last.
	if known && !has {
		has = d.cfg.Holds(dev, protocol.EntryKey{Kind: protocol.EntryJob, ID: j.id})
	}
	if !has {
		d.cfg.Log.Debug("run is dropped: of a job that the device does not have, or too many", "device", dev, "job", r.Job, "run", r.ID)
		return nil, nil
	}
	rec := jobs.RunRecord{JobRun: r, Device: dev, Told: now}
	old, err := d.cfg.Store.JobRun(RunKey{r.Job, dev, r.ID})
	switch {
	case err == nil:
		if old.Due == r.Due && old.State.Final() && !r.State.Final() {
			return nil, nil // it came again
		}
		rec.By, rec.Stdout, rec.Stderr, rec.OutputAttempt = old.By, old.Stdout, old.Stderr, old.OutputAttempt
	case !errors.Is(err, jobs.ErrNotFound):
		return nil, err
	}
	if r.Command != 0 {
		rec.By = cmp.Or(old.By, d.cfg.By(dev, r.Command))
	}
	drop, was, fresh := d.room(j, &rec)
	if drop == nil && !fresh {
		return nil, nil // older than all that are kept
	}
	if err := d.cfg.Store.PutJobRun(rec, drop); err != nil {
		d.mu.RLock()
		defer d.mu.RUnlock()
		if d.byID[r.Job] != j {
			return nil, nil // the job went meanwhile
		}
		return nil, fmt.Errorf("store run %d of device %s: %w", r.ID, dev, err)
	}
	news := d.took(j, &rec, drop, was)
	if j.rec.OneShot && r.State.Final() { // OneShot never changes
		d.cfg.Notify(dev)
	}
	return news, nil
}

// has reports whether a device shall have a job, or had it. The caller holds mu.
func (d *Desk) has(j *job, dev protocol.DeviceID) bool {
	a := j.devices[dev]
	return a != nil && (a.meant || a.had || len(a.runs) > 0)
}

// room says which runs go so that another may come, what the latest one before it was, and whether it is kept.
func (d *Desk) room(j *job, rec *jobs.RunRecord) (drop []RunKey, was class, fits bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	a := j.devices[rec.Device]
	if a == nil {
		return nil, classNever, true
	}
	others := slices.DeleteFunc(slices.Clone(a.runs), func(r ref) bool { return r.run == rec.ID })
	for _, r := range slices.Backward(others) {
		if k := classOf(r.state); k == classDone || k == classFailed {
			was = k
			break
		}
	}
	if len(others) >= KeepRuns && compareRefs(refOf(rec), others[len(others)-KeepRuns]) < 0 {
		return nil, was, false
	}
	for _, r := range others[:max(0, len(others)+1-KeepRuns)] {
		drop = append(drop, RunKey{j.id, rec.Device, r.run})
	}
	return drop, was, true
}

// took takes over a run that was stored, and says what is to be told of it.
func (d *Desk) took(j *job, rec *jobs.RunRecord, drop []RunKey, was class) *Notice {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byID[j.id] != j {
		return nil
	}
	d.enter(j, rec)
	a := j.devices[rec.Device]
	j.edit(a, func() {
		for _, k := range drop {
			d.leave(j, a, k.Run)
		}
	})
	if j.rec.OneShot {
		d.refit(j, a, d.cfg.Fleet.Device)
	}
	n := Notice{Job: j.rec.Name, Version: rec.Version, Device: rec.Device, Group: j.rec.Reach.Group, Owner: j.rec.Owner}
	switch k := classOf(rec.State); {
	case k == classFailed && was != classFailed:
		n.Kind, n.Text = KindFailed, outcome(rec)
	case k == classDone && was == classFailed:
		n.Kind = KindRecovered
	default:
		return nil
	}
	n.Quiet = !j.told.may(d.cfg.Now())
	return &n
}

// outcome says how a run ended.
func outcome(r *jobs.RunRecord) string {
	s := r.State.String()
	switch {
	case r.Signal != "":
		s += ", " + r.Signal
	case r.Code != 0:
		s += fmt.Sprintf(", exit code %d", r.Code)
	}
	if r.Text != "" {
		s += ": " + r.Text
	}
	return s
}

// telling bounds how many devices of one job are told of in an hour.
type telling struct {
	hour int64
	n    int
}

const tellAnHour = 20

func (t *telling) may(now time.Time) bool {
	if hour := now.Unix() / 3600; hour != t.hour {
		t.hour, t.n = hour, 0
	}
	t.n++
	return t.n <= tellAnHour
}

// Output takes a piece of what a run wrote. Pieces of runs that are not known, and what goes beyond what was said, are
// dropped. Errors are as with Run.
func (d *Desk) Output(dev protocol.DeviceID, o protocol.JobOutput) error {
	if o.Stream > protocol.StreamStderr || len(o.Data) > protocol.MaxJobOutputPiece || o.Offset > 1<<60 {
		return fmt.Errorf("%w: output of run %d: a stream, a size or an offset that cannot be", protocol.ErrMalformed, o.Run)
	}
	defer d.devices.Lock(string(dev))()
	d.mu.Lock()
	j := d.holder(dev, o.Run)
	may := j != nil && d.within(dev, 0, len(o.Data))
	d.mu.Unlock()
	if !may {
		d.cfg.Log.Debug("output is dropped: of a run that is not known, or too much", "device", dev, "run", o.Run)
		return nil
	}
	rec, err := d.cfg.Store.JobRun(RunKey{j.id, dev, o.Run})
	if errors.Is(err, jobs.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	p, ok := follow(&rec, o)
	if !ok {
		return nil
	}
	if err := d.cfg.Store.PutJobOutput(rec, p); err != nil {
		if errors.Is(err, jobs.ErrNotFound) {
			return nil
		}
		return fmt.Errorf("store output of run %d of device %s: %w", o.Run, dev, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byID[j.id] == j {
		d.enter(j, &rec)
	}
	return nil
}

// holder is the job that a device's run is of; nil: none is known. The caller holds mu.
func (d *Desk) holder(dev protocol.DeviceID, run uint64) (found *job) {
	var told int64
	for j, a := range d.byDevice[dev] {
		for _, r := range a.runs {
			if r.run == run && (found == nil || r.told > told) {
				found, told = j, r.told
			}
		}
	}
	return found
}

// follow notes on a run what comes with a piece, and says what of it is stored; false: nothing.
func follow(rec *jobs.RunRecord, o protocol.JobOutput) (Piece, bool) {
	attempt := max(o.Attempt, 1)
	have, other, said := &rec.Stdout, &rec.Stderr, rec.JobRun.Stdout
	if o.Stream == protocol.StreamStderr {
		have, other, said = &rec.Stderr, &rec.Stdout, rec.JobRun.Stderr
	}
	p := Piece{Stream: o.Stream, Offset: o.Offset, Data: o.Data}
	if rec.State.Final() {
		if attempt != max(rec.Attempt, 1) {
			return p, false
		}
		size := uint64(0)
		if said != nil {
			size = said.Size
		}
		if p.Offset >= size && len(p.Data) > 0 {
			return p, false
		}
		p.Data = p.Data[:min(uint64(len(p.Data)), size-min(size, p.Offset))]
	}
	switch {
	case attempt < rec.OutputAttempt:
		return p, false
	case attempt > rec.OutputAttempt:
		p.Anew = rec.OutputAttempt != 0
		*have, *other, rec.OutputAttempt = jobs.Have{}, jobs.Have{}, attempt
	}
	have.Lost = have.Lost || o.Dropped
	end := p.Offset + uint64(len(p.Data))
	switch {
	case len(p.Data) == 0:
	case have.To == have.From, p.Offset > have.To, end < have.From:
		p.Fresh = p.Fresh || have.To != have.From
		have.From, have.To = p.Offset, end
	case p.Offset >= have.From && end <= have.To:
		return p, false // it is there
	case p.Offset < have.From: // an earlier stretch comes, and goes on to the end
		p.Fresh = true
		have.From, have.To = p.Offset, end
	default:
		p.Data = p.Data[have.To-p.Offset:]
		p.Offset, have.To = have.To, end
	}
	if room := maxRunOutput / 2; kept(*have) > uint64(room) {
		have.From = have.To - uint64(room)
	}
	return p, true
}
