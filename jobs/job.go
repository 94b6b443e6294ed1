package jobs

import (
	"errors"
	"slices"

	"github.com/farshore/farshore/protocol"
)

// ErrNotFound is wrapped where a job, a version or a run does not exist.
var ErrNotFound = errors.New("no such job")

// Job is a script with a schedule and the devices it is meant for. It is the stored record.
type Job struct {
	// ID is from 1 and never used again for another job.
	ID uint64 `cbor:"1,keyasint"`
	// Name is unique among jobs: 1 to 63 of a-z, 0-9, - and _.
	Name string `cbor:"2,keyasint"`
	// Reach is which devices it is meant for.
	Reach Reach `cbor:"3,keyasint"`
	// Owner says whose it is. The zero value: administrators'.
	Owner protocol.Owner `cbor:"4,keyasint,omitzero"`
	// Latest is the number of the newest version, from 1. It is what devices have.
	Latest uint64 `cbor:"5,keyasint"`
	// OneShot: it was made to run once on one device, and goes by itself.
	OneShot bool `cbor:"6,keyasint,omitempty"`
	// Created and Updated in Unix seconds.
	Created int64 `cbor:"7,keyasint"`
	Updated int64 `cbor:"8,keyasint"`
	// Paused: it is on no device until somebody lets it go on.
	Paused bool `cbor:"9,keyasint,omitempty"`
}

// Reach is which devices a job is meant for: those that all of it names, and Devices beside.
type Reach struct {
	// Group that they are in, or below. Empty: the root, which holds all. It is the job's home.
	Group string `cbor:"1,keyasint,omitempty"`
	// Selector over their labels. Empty: it names none where Devices are given and no edge groups are, else all.
	Selector string `cbor:"2,keyasint,omitempty"`
	// Include are edge groups, by id, of which they are in one; Exclude of which they are in none.
	Include []uint64 `cbor:"3,keyasint,omitempty"`
	Exclude []uint64 `cbor:"4,keyasint,omitempty"`
	// Devices that are meant by name. They must be in Group.
	Devices []protocol.DeviceID `cbor:"5,keyasint,omitempty"`
}

// ByNameOnly reports whether nothing but Devices is meant.
func (r Reach) ByNameOnly() bool {
	return len(r.Devices) > 0 && r.Selector == "" && len(r.Include) == 0
}

// Version is one state of what a job does. It never changes. It is the stored record.
type Version struct {
	Job    uint64 `cbor:"1,keyasint"`
	Number uint64 `cbor:"2,keyasint"` // from 1, without gaps
	// Script is the hash and size of its script. The zero value: the container's own program is run.
	Script protocol.File `cbor:"3,keyasint,omitzero"`
	// Spec as devices get it, but for the zone.
	Spec protocol.Job `cbor:"4,keyasint"`
	// Zone is as the operator says it: ZoneDevice, ZoneHub, or a name such as Europe/Oslo.
	Zone string `cbor:"5,keyasint,omitempty"`
	// Env are variables; a store sees SealedEnv only. Secret are names of those whose values are secret, sorted.
	Env       map[string]string `cbor:"-"`
	SealedEnv []byte            `cbor:"6,keyasint,omitempty"`
	Secret    []string          `cbor:"7,keyasint,omitempty"`
	// Author and Message are who made it and why; Created is when, Unix seconds.
	Author  string `cbor:"8,keyasint,omitempty"`
	Message string `cbor:"9,keyasint,omitempty"`
	Created int64  `cbor:"10,keyasint"`
	// Exempt: whoever made it is not bound by policies.
	Exempt bool `cbor:"11,keyasint,omitempty"`
}

// Zones that are no names.
const (
	// ZoneDevice is each device's own, from its label timezone, else UTC.
	ZoneDevice = "device"
	// ZoneHub is the hub's.
	ZoneHub = "hub"
)

// RunRecord is a run that a device told of. It is the stored record, one for each device and run.
type RunRecord struct {
	protocol.JobRun `cbor:"1,keyasint"`
	Device          protocol.DeviceID `cbor:"2,keyasint"`
	// Told is when the hub heard of its state, Unix seconds.
	Told int64 `cbor:"3,keyasint"`
	// Have says which bytes of its output the hub has: the end of what came without a gap, of each stream.
	Stdout Have `cbor:"4,keyasint,omitzero"`
	Stderr Have `cbor:"5,keyasint,omitzero"`
	// By is who asked for it. "": it ran by schedule.
	By string `cbor:"6,keyasint,omitempty"`
	// OutputAttempt is the attempt that wrote what the hub has of its output. 0: it has none.
	OutputAttempt uint32 `cbor:"7,keyasint,omitempty"`
}

// Have is a stretch of a stream that the hub has.
type Have struct {
	From uint64 `cbor:"1,keyasint,omitempty"`
	To   uint64 `cbor:"2,keyasint,omitempty"`
	// Lost: the rest was dropped on the device.
	Lost bool `cbor:"3,keyasint,omitempty"`
}

// Zoned is the schedule as a device in this zone gets it.
func (v *Version) Zoned(hub, device string) protocol.JobSchedule {
	s := v.Spec.Schedule
	if s.Cron == "" {
		return s
	}
	switch v.Zone {
	case ZoneDevice:
		s.Zone = device
	case ZoneHub, "":
		s.Zone = hub
	default:
		s.Zone = v.Zone
	}
	return s
}

// Entry is what a device is given of the job at version v: schedule and env are those of the device.
func (j *Job) Entry(v *Version, schedule protocol.JobSchedule, env map[string]string) protocol.Entry {
	spec := v.Spec
	spec.Schedule = schedule
	e := protocol.Entry{EntryKey: protocol.EntryKey{Kind: protocol.EntryJob, ID: j.ID}, Version: v.Number, Name: j.Name, Env: env, Job: &spec}
	if v.Script.Path != "" {
		e.Files = []protocol.File{v.Script}
	}
	return e
}

// Same reports whether two versions do the same, at the same times.
func (v *Version) Same(o *Version) bool {
	a, errA := protocol.Marshal(v.comparable())
	b, errB := protocol.Marshal(o.comparable())
	return errA == nil && errB == nil && slices.Equal(a, b)
}

func (v *Version) comparable() any {
	return []any{v.Script, v.Spec, v.Zone, v.Env, v.Secret, v.Exempt}
}
