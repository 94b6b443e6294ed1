package dispatch

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/protocol"
)

// Bounds of jobs.
const (
	// MaxJobs is the most jobs, one-shots not counted.
	MaxJobs = 10_000
	// KeepVersions is how many versions of a job are kept, the latest.
	KeepVersions = 50
	// MaxEntry is the most bytes of a job's entry in a desired set.
	MaxEntry = 64 << 10
)

// Put makes a job what the spec says, and returns it with its latest version. The same content makes no new version.
// Errors about the spec wrap jobs.ErrInvalid, and nothing was changed then.
func (d *Desk) Put(spec Spec) (jobs.Job, jobs.Version, error) {
	return d.put(spec, false)
}

func (d *Desk) put(spec Spec, oneShot bool) (jobs.Job, jobs.Version, error) {
	rec, v, tell, err := d.apply(spec, oneShot)
	if err != nil {
		return jobs.Job{}, jobs.Version{}, err
	}
	if tell != nil {
		d.cfg.Events(Notice{Kind: KindApplied, Job: rec.Name, Version: rec.Latest, Group: rec.Reach.Group, Owner: rec.Owner, By: spec.Author, Text: spec.Message})
	}
	d.tell(tell)
	return rec, v, nil
}

func (d *Desk) tell(devices []protocol.DeviceID) {
	for _, dev := range devices {
		d.cfg.Notify(dev)
	}
}

// planned is a change that would do.
type planned struct {
	job    *job // as it is; nil: there is none
	change Change
	next   *jobs.Version // it has a number where it is new
	wanted map[protocol.DeviceID]bool
	look   look
}

// same: it is so already.
func (p *planned) same() bool {
	return p.job != nil && p.change.Version == nil && reflect.DeepEqual(p.change.Job, p.job.rec)
}

// work works out what a spec changes. The caller holds change.
func (d *Desk) work(spec Spec, oneShot bool) (p planned, err error) {
	d.mu.RLock()
	j, many := d.byName[spec.Name], len(d.byID)
	d.mu.RUnlock()
	p.job = j
	if spec.Expect != nil {
		var now *jobs.Job
		if j != nil {
			now = new(j.rec)
		}
		if err := spec.Expect(now); err != nil {
			return p, err
		}
	}
	if j == nil && many >= MaxJobs {
		return p, fmt.Errorf("%w: there are %d jobs already: remove some", jobs.ErrInvalid, many)
	}
	if p.next, err = d.prepare(j, spec); err != nil {
		return p, err
	}
	p.change = d.plan(j, spec, p.next)
	p.change.Job.OneShot = oneShot
	if p.same() {
		return p, nil
	}
	if p.wanted, err = d.matching(&p.change.Job); err != nil {
		return p, fmt.Errorf("%w: %w", jobs.ErrInvalid, err)
	}
	// Whoever makes a change is bound by policies as they are, whoever made the version.
	judged := *p.next
	judged.Exempt = spec.Exempt
	p.look = look(d.cfg.Fleet.Device).once()
	return p, d.judge(&p.change.Job, &judged, p.wanted, p.look)
}

// Try returns the job that Put would make of a spec, and changes nothing. Errors are those of Put.
func (d *Desk) Try(spec Spec) (View, error) {
	d.change.Lock()
	defer d.change.Unlock()
	p, err := d.work(spec, false)
	if err != nil {
		return View{}, err
	}
	if p.same() {
		return d.Get(spec.Name)
	}
	v := View{Row: Row{Job: p.change.Job, Version: p.next, Words: d.words(p.next), Devices: len(p.wanted), Strip: []Beat{}}, Upcoming: []time.Time{}, Script: spec.Script}
	if p.change.Version == nil {
		v.Version = p.job.latest()
	}
	if s := p.next.Zoned(d.cfg.Zone, "UTC"); !v.Job.Paused {
		s.Jitter = 0
		plan, err := jobs.NewPlan(s, 1, "")
		if err != nil {
			return View{}, err
		}
		for _, at := range plan.Upcoming(d.cfg.Now(), 5) {
			v.Upcoming = append(v.Upcoming, at.UTC())
		}
	}
	if len(v.Upcoming) > 0 {
		v.Next = v.Upcoming[0]
	}
	return v, nil
}

// apply returns the devices to be told, nil when nothing was changed.
func (d *Desk) apply(spec Spec, oneShot bool) (rec jobs.Job, v jobs.Version, tell []protocol.DeviceID, err error) {
	d.change.Lock()
	defer d.change.Unlock()
	p, err := d.work(spec, oneShot)
	if err != nil {
		return rec, v, nil, err
	}
	j, c, wanted := p.job, p.change, p.wanted
	if p.same() {
		return j.rec, *j.latest(), nil, nil
	}
	c.Job.Updated = d.cfg.Now().Unix()
	rec, err = d.cfg.Store.ApplyJob(c)
	if err != nil {
		return rec, v, nil, fmt.Errorf("store job %q: %w", spec.Name, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if j == nil {
		j = d.add(rec)
	}
	j.rec = rec
	if c.Version != nil {
		c.Version.Job = rec.ID
		j.versions = append(slices.Clone(j.versions), c.Version)
	}
	j.versions = slices.DeleteFunc(slices.Clone(j.versions), func(v *jobs.Version) bool { return slices.Contains(c.Drop, v.Number) })
	tell = d.assign(j, wanted, p.look)
	for dev, a := range j.devices {
		if a.meant {
			tell = append(tell, dev)
		}
	}
	if slices.Sort(tell); tell == nil {
		tell = []protocol.DeviceID{}
	}
	return rec, *j.latest(), slices.Compact(tell), nil
}

// judge says why policies forbid a version at the job's home, or on a device.
func (d *Desk) judge(rec *jobs.Job, v *jobs.Version, wanted map[protocol.DeviceID]bool, look look) error {
	if v.Exempt {
		return nil
	}
	fine := map[string]bool{}
	check := func(group, where string) error {
		if fine[group] {
			return nil
		}
		if err := d.cfg.Allows(group, v); err != nil {
			return fmt.Errorf("job %q%s: %w", rec.Name, where, err)
		}
		fine[group] = true
		return nil
	}
	if err := check(rec.Reach.Group, ""); err != nil {
		return err
	}
	for dev := range wanted {
		if x, there := look(dev); there {
			if err := check(x.Group, " on device "+string(dev)); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepare checks a spec and makes a version without number of it. The caller holds change.
func (d *Desk) prepare(j *job, spec Spec) (*jobs.Version, error) {
	v := &jobs.Version{
		Spec: spec.Job, Zone: spec.Zone, Env: maps.Clone(spec.Env), Secret: slices.Clone(spec.Secret),
		Author: spec.Author, Message: spec.Message, Created: d.cfg.Now().Unix(), Exempt: spec.Exempt,
	}
	if spec.Now {
		v.Spec.Schedule.At = d.now(j, &spec)
		v.Spec.Missed = max(v.Spec.Missed, 1)
	}
	if spec.Script != nil {
		v.Script = protocol.File{Path: protocol.JobScript, Hash: protocol.HashOf(spec.Script), Size: int64(len(spec.Script)), Mode: 0o700}
	}
	if err := d.keep(j, spec, v); err != nil {
		return nil, err
	}
	slices.Sort(v.Secret)
	v.Secret = slices.Compact(v.Secret)
	if err := d.check(spec, v); err != nil {
		return nil, err
	}
	if len(v.Env) > 0 {
		b, err := protocol.Marshal(v.Env)
		if err != nil {
			return nil, fmt.Errorf("encode variables: %w", err)
		}
		v.SealedEnv = d.cfg.Vault.Seal(sealPurpose, b)
	}
	return v, nil
}

// now is the moment at which a job that runs now was applied: the same job applied again does not run again.
func (d *Desk) now(j *job, spec *Spec) int64 {
	now := d.cfg.Now().Unix()
	if j == nil {
		return now
	}
	old := j.latest()
	same := spec.Job
	same.Schedule.At, same.Missed = old.Spec.Schedule.At, max(same.Missed, 1)
	script := protocol.Hash{}
	if spec.Script != nil {
		script = protocol.HashOf(spec.Script)
	}
	if old.Spec.Schedule.At != 0 && script == old.Script.Hash && reflect.DeepEqual(same, old.Spec) && (len(spec.Keep) > 0 || maps.Equal(spec.Env, old.Env)) {
		return old.Spec.Schedule.At
	}
	return now
}

// keep gives a version the variables that are kept of the latest one.
func (d *Desk) keep(j *job, spec Spec, v *jobs.Version) error {
	for _, name := range spec.Keep {
		if _, anew := spec.Env[name]; anew {
			continue
		}
		var old *jobs.Version
		if j != nil {
			old = j.latest()
		}
		text, has := "", false
		if old != nil {
			text, has = old.Env[name]
		}
		if !has {
			return &jobs.FieldError{Field: "keep_env", Reason: fmt.Sprintf("the variable %.80q has no value that could be kept: give one", name)}
		}
		if v.Env == nil {
			v.Env = map[string]string{}
		}
		v.Env[name] = text
		if slices.Contains(old.Secret, name) {
			v.Secret = append(v.Secret, name)
		}
	}
	for _, name := range v.Secret {
		if _, has := v.Env[name]; !has {
			return &jobs.FieldError{Field: "secret", Reason: fmt.Sprintf("the secret variable %.80q has no value: give one, or leave it out", name)}
		}
	}
	return nil
}

// check holds a version to what devices can take.
func (d *Desk) check(spec Spec, v *jobs.Version) error {
	probe := jobs.Job{ID: 1, Name: spec.Name, Reach: spec.Reach}
	if err := jobs.Check(&probe, v, spec.Script); err != nil {
		return err
	}
	b, err := protocol.Marshal(probe.Entry(v, v.Zoned(d.cfg.Zone, "UTC"), v.Env))
	if err != nil {
		return fmt.Errorf("%w: %w", jobs.ErrInvalid, err)
	}
	if len(b) > MaxEntry {
		return &jobs.FieldError{Field: "args", Reason: fmt.Sprintf(
			"all but the script has %d bytes, at most %d: put what is long into the script", len(b), MaxEntry)}
	}
	if err := d.cfg.Fleet.Check(spec.Reach.Selector); err != nil {
		return &jobs.FieldError{Field: "selector", Reason: err.Error()}
	}
	return nil
}

// plan works out what has to be stored. The caller holds change.
func (d *Desk) plan(j *job, spec Spec, v *jobs.Version) Change {
	c := Change{Job: jobs.Job{Name: spec.Name, Created: v.Created}}
	if j != nil {
		c.Job = j.rec
	}
	c.Job.Reach, c.Job.Owner = spec.Reach, spec.Owner
	if spec.Paused != nil {
		c.Job.Paused = *spec.Paused
	}
	if j != nil && j.latest().Same(v) {
		return c
	}
	c.Job.Latest++
	v.Number, v.Job = c.Job.Latest, c.Job.ID
	c.Version, c.Script = v, spec.Script
	if j != nil {
		for _, old := range j.versions[:max(0, len(j.versions)+1-KeepVersions)] {
			c.Drop = append(c.Drop, old.Number)
		}
	}
	return c
}

// Remove takes a job from all devices, with its history.
func (d *Desk) Remove(name, by string) error {
	rec, tell, err := d.remove(name)
	if err != nil {
		return err
	}
	d.cfg.Events(Notice{Kind: KindRemoved, Job: name, Group: rec.Reach.Group, Owner: rec.Owner, By: by})
	d.tell(tell)
	return nil
}

func (d *Desk) remove(name string) (jobs.Job, []protocol.DeviceID, error) {
	d.change.Lock()
	defer d.change.Unlock()
	j := d.named(name)
	if j == nil {
		return jobs.Job{}, nil, notFound(name)
	}
	if err := d.cfg.Store.DeleteJob(j.id); err != nil {
		return jobs.Job{}, nil, fmt.Errorf("delete job %q: %w", name, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var tell []protocol.DeviceID
	for dev, a := range j.devices {
		if a.meant {
			tell = append(tell, dev)
		}
		for _, r := range a.runs {
			d.runs, d.output = d.runs-1, d.output-uint64(r.output)
		}
		delete(d.byDevice[dev], j)
		if len(d.byDevice[dev]) == 0 {
			delete(d.byDevice, dev)
		}
	}
	delete(d.byID, j.id)
	delete(d.byName, name)
	return j.rec, tell, nil
}

// Pause takes a job off all devices until Resume.
func (d *Desk) Pause(name, by string) (jobs.Job, error) { return d.setPaused(name, by, KindPaused) }

// Resume gives a paused job back.
func (d *Desk) Resume(name, by string) (jobs.Job, error) { return d.setPaused(name, by, KindResumed) }

func (d *Desk) setPaused(name, by, kind string) (jobs.Job, error) {
	rec, tell, err := d.pause(name, kind == KindPaused)
	if err != nil || tell == nil {
		return rec, err
	}
	d.cfg.Events(Notice{Kind: kind, Job: name, Group: rec.Reach.Group, Owner: rec.Owner, By: by})
	d.tell(tell)
	return rec, nil
}

func (d *Desk) pause(name string, paused bool) (jobs.Job, []protocol.DeviceID, error) {
	d.change.Lock()
	defer d.change.Unlock()
	j := d.named(name)
	if j == nil {
		return jobs.Job{}, nil, notFound(name)
	}
	if j.rec.Paused == paused {
		return j.rec, nil, nil
	}
	rec := j.rec
	rec.Paused, rec.Updated = paused, d.cfg.Now().Unix()
	rec, err := d.cfg.Store.ApplyJob(Change{Job: rec})
	if err != nil {
		return jobs.Job{}, nil, fmt.Errorf("store job %q: %w", name, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	j.rec = rec
	tell := []protocol.DeviceID{}
	for dev, a := range j.devices {
		if a.meant {
			d.refit(j, a, d.cfg.Fleet.Device)
			tell = append(tell, dev)
		}
	}
	return rec, tell, nil
}

func (d *Desk) named(name string) *job {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.byName[name]
}

// errAway is that of a device that is not there.
func errAway(dev protocol.DeviceID) error { return fmt.Errorf("%w: %.40q", ErrDevice, dev) }

// inTime is the end of what may begin from now on for so long.
func (d *Desk) inTime(wait time.Duration) (int64, error) {
	if wait < time.Second || wait > 400*24*time.Hour {
		return 0, fmt.Errorf("%w: it may wait %s: want 1s to 400 days", jobs.ErrInvalid, wait)
	}
	return d.cfg.Now().Add(wait).Unix(), nil
}
