package dispatch

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/protocol"
)

// DefaultLimit is how many rows there are where nobody says how many.
const DefaultLimit = 100

// MaxLimit is the most rows of one answer.
const MaxLimit = 1000

func limitOf(n int) int {
	if n <= 0 {
		return DefaultLimit
	}
	return min(n, MaxLimit)
}

// List returns jobs by name: one-shots, the latest first, or the others. Only keeps those that it is true for; nil: all.
func (d *Desk) List(oneShot OneShots, only func(*jobs.Job) bool) []Row {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var out []Row
	for _, j := range d.byID {
		if j.rec.OneShot == (oneShot == OnlyOneShots) && (only == nil || only(&j.rec)) {
			out = append(out, d.row(j))
		}
	}
	slices.SortFunc(out, func(a, b Row) int {
		if oneShot == OnlyOneShots {
			return cmp.Compare(b.Job.ID, a.Job.ID)
		}
		return strings.Compare(a.Job.Name, b.Job.Name)
	})
	return out
}

// OneShots says whether those are listed, or the others.
type OneShots int

// What is listed.
const (
	NoOneShots OneShots = iota
	OnlyOneShots
)

// row is the job in a list. The caller holds mu.
func (d *Desk) row(j *job) Row {
	v := j.latest()
	r := Row{Job: j.rec, Version: v, Words: d.words(v), Devices: j.meant, Withheld: j.withheld, Last: j.counts, Strip: make([]Beat, 0, len(j.strip))}
	for _, b := range j.strip {
		r.Strip = append(r.Strip, Beat{Due: time.Unix(b.due, 0).UTC(), Done: b.done, Failed: b.failed, Other: b.other})
	}
	if next := d.upcoming(j, "", "UTC", 1); len(next) > 0 {
		r.Next = next[0]
	}
	return r
}

// words says the schedule of a version.
func (d *Desk) words(v *jobs.Version) string {
	return jobs.Words(v.Zoned(d.cfg.Zone, ""), zoneWords(v.Zone))
}

func zoneWords(zone string) string {
	if zone == jobs.ZoneDevice {
		return "each device's own time"
	}
	return ""
}

// upcoming are the next times of a job on a device in that zone; "": the hub's view, without jitter. The caller holds mu.
func (d *Desk) upcoming(j *job, dev protocol.DeviceID, zone string, n int) []time.Time {
	if j.rec.Paused {
		return []time.Time{}
	}
	s := j.latest().Zoned(d.cfg.Zone, zone)
	if dev == "" {
		s.Jitter = 0
	}
	plan, err := jobs.NewPlan(s, j.id, dev)
	if err != nil {
		return []time.Time{}
	}
	next := plan.Upcoming(d.cfg.Now(), n)
	for i := range next {
		next[i] = next[i].UTC()
	}
	return next
}

// Get returns a job by its name.
func (d *Desk) Get(name string) (View, error) {
	d.mu.RLock()
	j := d.byName[name]
	if j == nil {
		d.mu.RUnlock()
		return View{}, notFound(name)
	}
	v := View{Row: d.row(j), Upcoming: d.upcoming(j, "", "UTC", 5)}
	d.mu.RUnlock()
	if v.Version.Script.Path != "" {
		script, err := d.cfg.Store.Blob(v.Version.Script.Hash)
		if err != nil {
			return View{}, fmt.Errorf("script of job %q: %w", name, err)
		}
		v.Script = script
	}
	return v, nil
}

// Named returns a job's record, and false where there is none of the name.
func (d *Desk) Named(name string) (jobs.Job, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	j := d.byName[name]
	if j == nil {
		return jobs.Job{}, false
	}
	return j.rec, true
}

// Has reports whether a device shall have a job, or runs of it are kept.
func (d *Desk) Has(name string, dev protocol.DeviceID) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	j := d.byName[name]
	return j != nil && j.devices[dev] != nil && j.devices[dev].shows("")
}

// Versions are those of a job that are kept, the latest first. They are not changed.
func (d *Desk) Versions(name string) ([]*jobs.Version, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	j := d.byName[name]
	if j == nil {
		return nil, notFound(name)
	}
	out := slices.Clone(j.versions)
	slices.Reverse(out)
	return out, nil
}

// Devices are those of a job by id, and how many there are that the filter lets pass, on whatever page. Of devices that
// shall not have it any more those are given of which there are runs.
func (d *Desk) Devices(name string, f DeviceFilter) (rows []DeviceRow, total int, err error) {
	d.mu.RLock()
	j := d.byName[name]
	if j == nil {
		d.mu.RUnlock()
		return nil, 0, notFound(name)
	}
	var ids []protocol.DeviceID
	for dev, a := range j.devices {
		if a.shows(f.Class) && (f.Sees == nil || f.Sees(dev)) {
			ids = append(ids, dev)
		}
	}
	d.mu.RUnlock()
	slices.Sort(ids)
	total = len(ids)
	i, found := slices.BinarySearch(ids, f.After)
	if found {
		i++
	}
	for _, dev := range ids[i:min(len(ids), i+limitOf(f.Limit))] {
		if r, ok := d.deviceRow(j, dev); ok {
			rows = append(rows, r)
		}
	}
	return rows, total, nil
}

// shows reports whether a device is of a class.
func (a *assigned) shows(class string) bool {
	switch class {
	case "":
		return a.meant || len(a.runs) > 0
	case "withheld":
		return a.meant && a.why.Code != ""
	case "never":
		return a.meant && a.class() == classNever
	}
	names := map[string]int{"done": int(classDone), "failed": int(classFailed), "running": int(classRunning), "other": int(classOther)}
	k, ok := names[class]
	return ok && int(a.class()) == k
}

// OfDevice are the jobs of a device by name; only as with List.
func (d *Desk) OfDevice(dev protocol.DeviceID, only func(*jobs.Job) bool) []DeviceRow {
	d.mu.RLock()
	var all []*job
	for j, a := range d.byDevice[dev] {
		if a.shows("") && (only == nil || only(&j.rec)) {
			all = append(all, j)
		}
	}
	d.mu.RUnlock()
	var out []DeviceRow
	for _, j := range all {
		if r, ok := d.deviceRow(j, dev); ok {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b DeviceRow) int { return strings.Compare(a.Job.Name, b.Job.Name) })
	return out
}

func (d *Desk) deviceRow(j *job, dev protocol.DeviceID) (DeviceRow, bool) {
	x, _ := d.cfg.Fleet.Device(dev)
	d.mu.RLock()
	a := j.devices[dev]
	if a == nil {
		d.mu.RUnlock()
		return DeviceRow{}, false
	}
	r := DeviceRow{Job: j.rec, Words: d.words(j.latest()), Device: dev, Name: x.Name, Group: x.Group, Runs: len(a.runs), Strip: []Mark{}, Next: []time.Time{}}
	if a.meant && a.why.Code != "" {
		r.Withheld = new(a.why)
	} else if a.meant {
		r.Next = d.upcoming(j, dev, x.Zone, 5)
	}
	for _, run := range a.runs {
		if classOf(run.state) == classFailed {
			r.Failures++
		}
	}
	for _, run := range a.runs[max(0, len(a.runs)-stripLength):] {
		r.Strip = append(r.Strip, Mark{Run: run.run, Due: time.Unix(run.due, 0).UTC(), State: run.state})
	}
	d.mu.RUnlock()
	if n := len(r.Strip); n > 0 {
		if last, err := d.cfg.Store.JobRun(RunKey{j.id, dev, r.Strip[n-1].Run}); err == nil {
			r.Last = &last
		}
	}
	return r, true
}

// Runs are those that a filter chooses, the latest first.
func (d *Desk) Runs(f Filter) ([]jobs.RunRecord, error) {
	keys, err := d.choose(f)
	if err != nil {
		return nil, err
	}
	out := make([]jobs.RunRecord, 0, len(keys))
	for _, k := range keys {
		r, err := d.cfg.Store.JobRun(k)
		if err == nil { // one that is not there went meanwhile
			out = append(out, r)
		}
	}
	return out, nil
}

// choice is a run that a filter lets pass.
type choice struct {
	key RunKey
	ref
}

func (c choice) place() RunPlace { return RunPlace{Due: c.due, Run: c.run, Device: c.key.Device} }

// compare orders places as they are listed: the latest first.
func (p RunPlace) compare(o RunPlace) int {
	return cmp.Or(cmp.Compare(o.Due, p.Due), cmp.Compare(o.Run, p.Run), strings.Compare(string(p.Device), string(o.Device)))
}

func placed(j *job, dev protocol.DeviceID, r ref) choice { return choice{RunKey{j.id, dev, r.run}, r} }

func (d *Desk) choose(f Filter) ([]RunKey, error) {
	var found []choice
	latest := func(a, b choice) int { return a.place().compare(b.place()) }
	most := limitOf(f.Limit)
	var last RunPlace // where full, what comes after it is not wanted
	full := false
	d.mu.RLock()
	defer d.mu.RUnlock()
	of := d.byID
	if f.Job != "" {
		j := d.byName[f.Job]
		if j == nil {
			return nil, notFound(f.Job)
		}
		of = map[uint64]*job{j.id: j}
	}
	for _, j := range of {
		each := j.devices
		if f.Device != "" {
			each = map[protocol.DeviceID]*assigned{}
			if a := j.devices[f.Device]; a != nil {
				each[f.Device] = a
			}
		}
		for dev, a := range each {
			if len(a.runs) == 0 || f.Sees != nil && !f.Sees(dev) {
				continue
			}
			older := a.runs
			if f.After != nil { // of a device they are in the order of places
				older = older[:sort.Search(len(older), func(i int) bool { return placed(j, dev, older[i]).place().compare(*f.After) <= 0 })]
			}
			for _, r := range slices.Backward(older) {
				c := placed(j, dev, r)
				if full && c.place().compare(last) > 0 {
					break // there are enough that come before it, and before all that are older
				}
				if f.State == 0 || r.state == f.State {
					found = append(found, c)
				}
			}
			if len(found) > 8*most {
				slices.SortFunc(found, latest)
				found = found[:most]
				full, last = true, found[most-1].place()
			}
		}
	}
	slices.SortFunc(found, latest)
	out := make([]RunKey, 0, min(most, len(found)))
	for _, c := range found[:min(most, len(found))] {
		out = append(out, c.key)
	}
	return out, nil
}

// OneRun returns a run by job, device and its ID there.
func (d *Desk) OneRun(name string, dev protocol.DeviceID, run uint64) (jobs.RunRecord, error) {
	j := d.named(name)
	if j == nil {
		return jobs.RunRecord{}, notFound(name)
	}
	return d.cfg.Store.JobRun(RunKey{j.id, dev, run})
}

// ReadOutput returns what the hub has of a stream of a run, and at which offset that begins.
func (d *Desk) ReadOutput(name string, dev protocol.DeviceID, at Place) (data []byte, from uint64, err error) {
	r, err := d.OneRun(name, dev, at.Run)
	if err != nil {
		return nil, 0, err
	}
	have := r.Stdout
	if at.Stream == protocol.StreamStderr {
		have = r.Stderr
	}
	pieces, err := d.cfg.Store.JobOutput(RunKey{r.Job, dev, at.Run}, at.Stream)
	if err != nil {
		return nil, 0, err
	}
	next := have.From
	for _, p := range pieces {
		end := p.Offset + uint64(len(p.Data))
		if p.Offset > next || end > have.To || end <= next {
			continue
		}
		data = append(data, p.Data[next-p.Offset:]...)
		next = end
	}
	return data, have.From, nil
}

// Place is a stream of a run.
type Place struct {
	Run    uint64
	Stream uint8
}
