package dispatch

import (
	"errors"
	"fmt"
	"slices"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/protocol"
)

// matching returns the devices that shall have the job.
func (d *Desk) matching(rec *jobs.Job) (map[protocol.DeviceID]bool, error) {
	list, err := d.cfg.Fleet.Matching(rec.Reach)
	if err != nil {
		return nil, fmt.Errorf("selector %q: %w", rec.Reach.Selector, err)
	}
	out := make(map[protocol.DeviceID]bool, len(list))
	for _, dev := range list {
		out[dev] = true
	}
	return out, nil
}

// assign makes wanted the devices that shall have the job, and returns those for which that is new. The caller holds
// change and mu, or the Desk is new. Look describes devices as Fleet.Device does.
func (d *Desk) assign(j *job, wanted map[protocol.DeviceID]bool, look look) (changed []protocol.DeviceID) {
	for dev := range wanted {
		if d.want(j, dev, look) {
			changed = append(changed, dev)
		}
	}
	for dev, a := range j.devices {
		if !wanted[dev] && a.meant {
			d.unwant(j, a)
			changed = append(changed, dev)
		}
	}
	return changed
}

// look describes a device, and is false for one that is not there.
type look func(protocol.DeviceID) (Device, bool)

// once asks for each device once: to describe one takes long where thousands of jobs are worked out.
func (of look) once() look {
	type known struct {
		Device
		there bool
	}
	all := map[protocol.DeviceID]known{}
	return func(dev protocol.DeviceID) (Device, bool) {
		k, asked := all[dev]
		if !asked {
			k.Device, k.there = of(dev)
			all[dev] = k
		}
		return k.Device, k.there
	}
}

// on is the job on the device, made where it is not there. The caller holds mu.
func (d *Desk) on(j *job, dev protocol.DeviceID) *assigned {
	if a := j.devices[dev]; a != nil {
		return a
	}
	a := &assigned{dev: dev}
	j.devices[dev] = a
	of := d.byDevice[dev]
	if of == nil {
		of = map[*job]*assigned{}
		d.byDevice[dev] = of
	}
	of[j] = a
	return a
}

// want says that a device shall have the job, and reports whether what it is given may differ now. The caller holds mu.
func (d *Desk) want(j *job, dev protocol.DeviceID, look look) bool {
	a := d.on(j, dev)
	if a.meant {
		return d.refit(j, a, look)
	}
	a.meant = true
	j.meant++
	j.count(a, 1)
	d.refit(j, a, look)
	return true
}

// unwant says that a device shall not have the job. Its runs stay known. The caller holds mu.
func (d *Desk) unwant(j *job, a *assigned) {
	j.count(a, -1)
	j.meant--
	if a.why.Code != "" {
		j.withheld--
	}
	a.meant, a.why = false, Reason{}
	if len(a.runs) == 0 && !a.had {
		d.drop(j, a.dev)
	}
}

func (d *Desk) drop(j *job, dev protocol.DeviceID) {
	delete(j.devices, dev)
	of := d.byDevice[dev]
	if delete(of, j); len(of) == 0 {
		delete(d.byDevice, dev)
	}
}

// refit works out anew whether the device can be given the job, and reports whether that differs. The caller holds mu.
func (d *Desk) refit(j *job, a *assigned, look look) bool {
	x, there := look(a.dev)
	why := Reason{}
	if there {
		why = d.unfit(j, a.dev, x)
	}
	return d.withhold(j, a, why)
}

// withhold notes why a device is not given the job. The caller holds mu.
func (d *Desk) withhold(j *job, a *assigned, why Reason) bool {
	differs := a.why != why
	if a.meant {
		switch {
		case a.why.Code == "" && why.Code != "":
			j.withheld++
		case a.why.Code != "" && why.Code == "":
			j.withheld--
		}
		a.why = why
	}
	return differs
}

// DeviceChanged works out anew which jobs a device shall have: after it was admitted, removed or revoked, or its name,
// group, labels, identity or agent changed.
func (d *Desk) DeviceChanged(dev protocol.DeviceID) error {
	changed, err := d.deviceChanged(dev)
	if changed {
		d.cfg.Notify(dev)
	}
	return err
}

// GivenChanged is DeviceChanged after variables or credentials for the device changed.
func (d *Desk) GivenChanged(dev protocol.DeviceID) error {
	_, err := d.deviceChanged(dev)
	d.mu.RLock()
	some := len(d.byDevice[dev]) > 0
	d.mu.RUnlock()
	if some {
		d.cfg.Notify(dev)
	}
	return err
}

func (d *Desk) deviceChanged(dev protocol.DeviceID) (changed bool, err error) {
	d.change.Lock()
	defer d.change.Unlock()
	_, there := d.cfg.Fleet.Device(dev)
	d.mu.RLock()
	all := make([]*job, 0, len(d.byID))
	for _, j := range d.byID {
		all = append(all, j)
	}
	d.mu.RUnlock()
	var errs []error
	for _, j := range all {
		match := false
		if there {
			// rec changes under change only, which is held here.
			if match, err = d.cfg.Fleet.Matches(j.rec.Reach, dev); err != nil {
				errs = append(errs, fmt.Errorf("selector %q of job %q: %w", j.rec.Reach.Selector, j.rec.Name, err))
				continue // it keeps what it has
			}
		}
		d.mu.Lock()
		a := j.devices[dev]
		switch {
		case match:
			fresh := d.want(j, dev, d.cfg.Fleet.Device)
			v := j.latest() // its zone and variables may have changed with labels and group
			changed = changed || fresh || v.Zone == jobs.ZoneDevice || len(v.Env) > 0
		case a != nil && a.meant:
			d.unwant(j, a)
			changed = true
		}
		d.mu.Unlock()
	}
	return changed && there, errors.Join(errs...)
}

// Retarget works out anew which devices the jobs that name an edge group are meant for.
func (d *Desk) Retarget(group uint64) error {
	tell, err := d.retarget(group)
	d.tell(tell)
	return err
}

func (d *Desk) retarget(group uint64) (tell []protocol.DeviceID, err error) {
	d.change.Lock()
	defer d.change.Unlock()
	var errs []error
	for _, j := range d.naming(group) {
		wanted, err := d.matching(&j.rec)
		if err != nil {
			errs = append(errs, fmt.Errorf("job %q: %w", j.rec.Name, err))
			continue
		}
		d.mu.Lock()
		tell = append(tell, d.assign(j, wanted, d.cfg.Fleet.Device)...)
		d.mu.Unlock()
	}
	return tell, errors.Join(errs...)
}

// PolicyChanged works out anew which devices may be given their jobs: what is not allowed any more is taken from them.
func (d *Desk) PolicyChanged() {
	d.change.Lock()
	var tell []protocol.DeviceID
	look := look(d.cfg.Fleet.Device).once()
	d.mu.Lock()
	for _, j := range d.byID {
		for dev, a := range j.devices {
			if a.meant && d.refit(j, a, look) {
				tell = append(tell, dev)
			}
		}
	}
	d.mu.Unlock()
	d.change.Unlock()
	slices.Sort(tell)
	d.tell(slices.Compact(tell))
}

// Replaced has jobs that name a device mean the one that took its place. A script that was given to the old one, to run
// there once, stays with it.
func (d *Desk) Replaced(old, by protocol.DeviceID) error {
	tell, err := d.replaced(old, by)
	slices.Sort(tell)
	d.tell(slices.Compact(tell))
	return err
}

func (d *Desk) replaced(old, by protocol.DeviceID) (tell []protocol.DeviceID, err error) {
	d.change.Lock()
	defer d.change.Unlock()
	d.mu.RLock()
	var meant []*job
	for _, j := range d.byID {
		if !j.rec.OneShot && slices.Contains(j.rec.Reach.Devices, old) {
			meant = append(meant, j)
		}
	}
	d.mu.RUnlock()
	var errs []error
	for _, j := range meant {
		rec := j.rec // changes under change only
		rec.Reach.Devices = nil
		for _, dev := range j.rec.Reach.Devices {
			if dev == old {
				dev = by
			}
			if !slices.Contains(rec.Reach.Devices, dev) {
				rec.Reach.Devices = append(rec.Reach.Devices, dev)
			}
		}
		rec.Updated = d.cfg.Now().Unix()
		wanted, err := d.matching(&rec)
		if err == nil {
			rec, err = d.cfg.Store.ApplyJob(Change{Job: rec})
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("job %q: %w", j.rec.Name, err))
			continue
		}
		d.mu.Lock()
		j.rec = rec
		tell = append(tell, d.assign(j, wanted, d.cfg.Fleet.Device)...)
		d.mu.Unlock()
	}
	return tell, errors.Join(errs...)
}

// naming are the jobs that name an edge group. The caller holds change.
func (d *Desk) naming(group uint64) (out []*job) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, j := range d.byID {
		if slices.Contains(j.rec.Reach.Include, group) || slices.Contains(j.rec.Reach.Exclude, group) {
			out = append(out, j)
		}
	}
	return out
}

// UsedBy are the names of jobs that name an edge group, sorted.
func (d *Desk) UsedBy(group uint64) (names []string) {
	d.change.Lock() // a job may be about to name it
	defer d.change.Unlock()
	for _, j := range d.naming(group) {
		names = append(names, j.rec.Name)
	}
	slices.Sort(names)
	return names
}

// Forget drops all that is known of a device that was removed.
func (d *Desk) Forget(dev protocol.DeviceID) error {
	d.change.Lock()
	defer d.change.Unlock()
	defer d.devices.Lock(string(dev))()
	d.mu.RLock()
	var keys []RunKey
	for j, a := range d.byDevice[dev] {
		for _, r := range a.runs {
			keys = append(keys, RunKey{j.id, dev, r.run})
		}
	}
	d.mu.RUnlock()
	if len(keys) > 0 {
		if err := d.cfg.Store.DropJobRuns(keys); err != nil {
			return fmt.Errorf("forget runs of device %s: %w", dev, err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for j, a := range d.byDevice[dev] {
		if a.meant {
			d.unwant(j, a)
		}
		for _, r := range a.runs {
			d.runs, d.output = d.runs-1, d.output-uint64(r.output)
			j.beat(dev, r, -1)
		}
		delete(j.devices, dev)
	}
	delete(d.byDevice, dev)
	delete(d.quotas, dev)
	return nil
}

// Known are the devices of which something is known.
func (d *Desk) Known() []protocol.DeviceID {
	d.mu.RLock()
	defer d.mu.RUnlock()
	out := make([]protocol.DeviceID, 0, len(d.byDevice))
	for dev := range d.byDevice {
		out = append(out, dev)
	}
	return out
}
