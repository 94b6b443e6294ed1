package dispatch

import (
	"fmt"
	"slices"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/protocol"
)

// capabilityJobs is that of agents that run jobs.
const capabilityJobs = 5

// Codes of Reason.
const (
	CodePaused      = "paused"
	CodeAgentTooOld = "agent-too-old"
	CodeUnconfirmed = "unconfirmed"
	CodePolicy      = "policy"
	CodeInvalidHere = "invalid-here"
	CodeOver        = "over" // a script that was to run once has run, or its time is over
)

// unfit says why a device cannot be given the latest version, as far as that can be said without sealing anything. The
// caller holds mu.
func (d *Desk) unfit(j *job, dev protocol.DeviceID, x Device) Reason {
	v := j.latest()
	switch {
	case j.rec.Paused:
		return Reason{CodePaused, "the job is paused: resume it"}
	case j.rec.OneShot && d.over(j):
		return Reason{CodeOver, "it was to run once, and that is over"}
	case x.Capability != 0 && x.Capability < capabilityJobs:
		return Reason{CodeAgentTooOld, "its agent is too old to run jobs: update the agent"}
	}
	if !v.Exempt {
		if err := d.cfg.Allows(x.Group, v); err != nil {
			return Reason{CodePolicy, protocol.Cut(err.Error(), protocol.MaxText)}
		}
	}
	_, secret, lost := d.variables(v, dev, x)
	if lost.Code != "" {
		return lost
	}
	if len(secret) > 0 && !x.Confirmed {
		return Reason{CodeUnconfirmed, "it has secret variables, and nobody has confirmed the device by its pairing code: confirm it"}
	}
	return Reason{}
}

// over reports whether a one-shot has run, or its time is over. The caller holds mu.
func (d *Desk) over(j *job) bool {
	for _, a := range j.devices {
		if slices.ContainsFunc(a.runs, func(r ref) bool { return r.state.Final() }) {
			return true
		}
	}
	end := j.latest().Spec.Schedule.End
	return end != 0 && end < d.cfg.Now().Unix()
}

// variables are those that a device is given for a version: of those that the job names, the device's own values go before
// those of its groups, and those before the job's.
func (d *Desk) variables(v *jobs.Version, dev protocol.DeviceID, x Device) (plain, secret map[string]string, lost Reason) {
	if len(v.Env) == 0 {
		return nil, nil, Reason{}
	}
	own := d.cfg.Variables(dev, x.Group)
	for name, text := range v.Env {
		hidden := slices.Contains(v.Secret, name)
		if o, ok := own[name]; ok {
			if o.Lost {
				lost = Reason{CodeInvalidHere, fmt.Sprintf("the value of its variable %s was lost with the key of the hub's secrets: set it again", name)}
				continue
			}
			text, hidden = o.Text, hidden || o.Secret
		}
		to := &plain
		if hidden {
			to = &secret
		}
		if *to == nil {
			*to = map[string]string{}
		}
		(*to)[name] = text
	}
	return plain, secret, lost
}

// Desired returns what a device shall have of jobs, sorted by key.
func (d *Desk) Desired(dev protocol.DeviceID) []protocol.Entry {
	x, there := d.cfg.Fleet.Device(dev)
	if !there {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []protocol.Entry
	for j, a := range d.byDevice[dev] {
		if !a.meant {
			continue
		}
		e, why := d.entry(j, dev, x)
		d.withhold(j, a, why)
		if why.Code == "" {
			a.had = true
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b protocol.Entry) int { return protocol.CompareKeys(a.EntryKey, b.EntryKey) })
	return out
}

// entry is what a device is given of a job, or why it is not. The caller holds mu.
func (d *Desk) entry(j *job, dev protocol.DeviceID, x Device) (e protocol.Entry, why Reason) {
	if why = d.unfit(j, dev, x); why.Code != "" {
		return e, why
	}
	v := j.latest()
	plain, secret, _ := d.variables(v, dev, x)
	e = j.rec.Entry(v, v.Zoned(d.cfg.Zone, x.Zone), plain)
	if len(secret) > 0 {
		sealed, err := d.cfg.Seal.Secrets(dev, e.EntryKey, protocol.Secrets{Env: secret})
		if err != nil {
			d.cfg.Log.Error("secrets cannot be sealed for a device", "device", dev, "job", j.rec.Name, "error", err)
			return e, Reason{CodeInvalidHere, "its secret variables cannot be sealed for the device: the hub's log says why"}
		}
		e.Sealed = sealed
	}
	if c := v.Spec.Container; c != nil && x.Confirmed {
		if list := d.cfg.Credentials(x.Group, []string{c.Image}); len(list) > 0 {
			access, err := d.cfg.Seal.Access(dev, e.EntryKey, protocol.RegistryAccess{Registries: list})
			if err != nil {
				d.cfg.Log.Error("credentials of registries cannot be sealed for a device", "device", dev, "job", j.rec.Name, "error", err)
			} else {
				e.Access = access
			}
		}
	}
	if b, err := protocol.Marshal(e); err != nil || len(b) > 2*MaxEntry {
		return e, Reason{CodeInvalidHere, "with the device's own variables it is too large: make them shorter"}
	}
	return e, Reason{}
}

// Readable returns the whole hash of a script that the device may read: that of a job that it shall have.
func (d *Desk) Readable(dev protocol.DeviceID, blob protocol.ShortHash) (protocol.Hash, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for j, a := range d.byDevice[dev] {
		if !a.meant || a.why.Code != "" {
			continue
		}
		if h := j.latest().Script.Hash; j.latest().Script.Path != "" && h.Short() == blob {
			return h, true
		}
	}
	return protocol.Hash{}, false
}
