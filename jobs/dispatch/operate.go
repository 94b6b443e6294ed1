package dispatch

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/protocol"
)

// How long a device may take to hear of something, where nobody says so.
const (
	DefaultTTL  = 24 * time.Hour
	DefaultWait = 15 * time.Minute
)

// RunNow has a job run on devices as soon as these hear of it.
func (d *Desk) RunNow(spec RunSpec) (given []Given, skipped []Skipped, err error) {
	return d.everywhere(protocol.CommandJobRun, spec)
}

// CancelAll has devices end what is under way of a job, and forget what waits, as soon as they hear of it.
func (d *Desk) CancelAll(spec RunSpec) (given []Given, skipped []Skipped, err error) {
	return d.everywhere(protocol.CommandJobCancel, spec)
}

func (d *Desk) everywhere(kind protocol.CommandKind, spec RunSpec) (given []Given, skipped []Skipped, err error) {
	ttl := cmp.Or(spec.TTL, DefaultTTL)
	if _, err := d.inTime(ttl); err != nil {
		return nil, nil, err
	}
	j := d.named(spec.Job)
	if j == nil {
		return nil, nil, notFound(spec.Job)
	}
	devices, err := d.selected(j, spec.On)
	if err != nil {
		return nil, nil, err
	}
	d.mu.RLock()
	rec := j.rec
	d.mu.RUnlock()
	given, skipped = []Given{}, []Skipped{}
	for _, dev := range devices {
		if err := d.mayRun(j, dev, spec.May); err != nil {
			skipped = append(skipped, Skipped{dev, err.Error()})
			continue
		}
		id, err := d.cfg.Give(Ask{
			Device: dev, Kind: kind, Job: protocol.JobAsk{Job: rec.ID}, By: spec.By, Owner: rec.Owner, TTL: ttl,
		})
		if err != nil {
			skipped = append(skipped, Skipped{dev, err.Error()})
			continue
		}
		given = append(given, Given{dev, id})
	}
	return given, skipped, nil
}

// selected are the devices that somebody means, sorted: by name whatever they are, else those that shall have the job.
func (d *Desk) selected(j *job, on Selection) ([]protocol.DeviceID, error) {
	out := slices.Clone(on.Devices)
	switch {
	case on.All || on.Selector != "":
		d.mu.RLock()
		home := j.rec.Reach.Group
		all := make([]protocol.DeviceID, 0, len(j.devices))
		for dev, a := range j.devices {
			if a.meant {
				all = append(all, dev)
			}
		}
		d.mu.RUnlock()
		if on.All {
			out = append(out, all...)
			break
		}
		if err := d.cfg.Fleet.Check(on.Selector); err != nil {
			return nil, fmt.Errorf("%w: %w", jobs.ErrInvalid, err)
		}
		for _, dev := range all {
			if is, err := d.cfg.Fleet.Matches(jobs.Reach{Group: home, Selector: on.Selector}, dev); err == nil && is {
				out = append(out, dev)
			}
		}
	case len(out) == 0:
		return nil, fmt.Errorf("%w: on which devices: name them, give a selector, or say all", jobs.ErrInvalid)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// mayRun says why a job cannot be run on a device.
func (d *Desk) mayRun(j *job, dev protocol.DeviceID, may func(protocol.DeviceID) error) error {
	if may != nil {
		if err := may(dev); err != nil {
			return err
		}
	}
	if _, there := d.cfg.Fleet.Device(dev); !there {
		return errAway(dev)
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	a := j.devices[dev]
	if a == nil || !a.meant {
		return fmt.Errorf("the device does not have the job")
	}
	if a.why.Code != "" {
		return fmt.Errorf("the device is not given the job: %s", a.why.Text)
	}
	return nil
}

// RunAsk is something asked of a run.
type RunAsk struct {
	Job    string
	Device protocol.DeviceID
	Run    uint64
	By     string
	// TTL is how long the device may take to hear of it. 0: a day.
	TTL time.Duration
	// Max is how many bytes of each stream are wanted. 0: protocol.DefaultJobOutput. For AskOutput.
	Max uint32
}

// Cancel asks a device to end a run, or to take it from its queue.
func (d *Desk) Cancel(a RunAsk) (protocol.CommandID, error) {
	r, err := d.OneRun(a.Job, a.Device, a.Run)
	if err != nil {
		return 0, err
	}
	if r.State.Final() {
		return 0, fmt.Errorf("%w: it ended as %s", ErrRunning, r.State)
	}
	return d.ask(protocol.CommandJobCancel, a, protocol.JobAsk{Run: a.Run})
}

// AskOutput asks a device for more of the output of a run.
func (d *Desk) AskOutput(a RunAsk) (protocol.CommandID, error) {
	r, err := d.OneRun(a.Job, a.Device, a.Run)
	if err != nil {
		return 0, err
	}
	if a.Max > protocol.MaxJobOutput {
		return 0, fmt.Errorf("%w: %d bytes: at most %d", jobs.ErrInvalid, a.Max, protocol.MaxJobOutput)
	}
	ask := protocol.JobAsk{Run: a.Run, Max: a.Max}
	if whole := int64(cmp.Or(a.Max, protocol.DefaultJobOutput)); !r.State.Final() || sized(r.JobRun.Stdout, r.Stdout, whole) && sized(r.JobRun.Stderr, r.Stderr, whole) {
		ask.Stdout, ask.Stderr = r.Stdout.To, r.Stderr.To // what the hub has need not come again
	}
	return d.ask(protocol.CommandJobOutput, a, ask)
}

// sized reports whether what the hub has of a stream goes back as far as is wanted.
func sized(said *protocol.JobStream, have jobs.Have, whole int64) bool {
	if said == nil || kept(have) == 0 {
		return true
	}
	return int64(have.From) <= max(0, int64(said.Size)-min(whole, int64(said.Kept)))
}

func (d *Desk) ask(kind protocol.CommandKind, a RunAsk, ask protocol.JobAsk) (protocol.CommandID, error) {
	ttl := cmp.Or(a.TTL, DefaultTTL)
	if _, err := d.inTime(ttl); err != nil {
		return 0, err
	}
	x, there := d.cfg.Fleet.Device(a.Device)
	if !there {
		return 0, errAway(a.Device)
	}
	if x.Capability != 0 && x.Capability < capabilityJobs {
		return 0, fmt.Errorf("%w: the device's agent is too old to run jobs: update the agent", jobs.ErrInvalid)
	}
	j := d.named(a.Job)
	if j == nil {
		return 0, notFound(a.Job)
	}
	d.mu.RLock()
	owner := j.rec.Owner
	d.mu.RUnlock()
	return d.cfg.Give(Ask{Device: a.Device, Kind: kind, Job: ask, By: a.By, Owner: owner, TTL: ttl})
}

// OneShot has a script run once on a device, and returns the job that was made of it.
func (d *Desk) OneShot(spec OneShotSpec) (jobs.Job, error) {
	end, err := d.inTime(cmp.Or(spec.Wait, DefaultWait))
	if err != nil {
		return jobs.Job{}, err
	}
	x, there := d.cfg.Fleet.Device(spec.Device)
	if !there {
		return jobs.Job{}, errAway(spec.Device)
	}
	if x.Capability != 0 && x.Capability < capabilityJobs {
		return jobs.Job{}, fmt.Errorf("%w: the device's agent is too old to run scripts: update the agent", jobs.ErrInvalid)
	}
	if secret := len(spec.Secret) > 0; secret && !x.Confirmed {
		return jobs.Job{}, fmt.Errorf("%w: secret variables are for devices that somebody has confirmed by the pairing code: confirm it", jobs.ErrInvalid)
	}
	what := spec.Job
	what.Schedule = protocol.JobSchedule{End: end}
	what.Output, what.Retries = protocol.OutputAlways, 0
	rec, _, err := d.put(Spec{
		Name:  "run-" + strings.ToLower(rand.Text()[:8]),
		Reach: jobs.Reach{Group: x.Group, Devices: []protocol.DeviceID{spec.Device}}, Owner: spec.Owner,
		Script: spec.Script, Job: what, Now: true, Env: spec.Env, Secret: spec.Secret, Author: spec.By, Exempt: spec.Exempt,
	}, true)
	return rec, err
}
