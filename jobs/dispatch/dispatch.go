// Package dispatch is the hub's half of jobs: it keeps jobs and their versions, works out which device shall have which of
// them, gives devices their entries, and keeps what came of runs, with a bounded history.
//
// It never talks to a device and decides no run: devices run jobs by themselves (package jobs/runner). It never reads a
// device's labels on its own: the assembly tells it when a device changed.
//
// A Desk is safe for concurrent use. What operators do, and changes of devices, are done one at a time; what devices say
// is done in order for each device, and the store is written before memory is.
package dispatch

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/farshore/farshore/internal/keylock"
	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/protocol"
)

// Desk dispatches jobs.
//
// Lock order: change, then a device's lock in devices, then mu. Store, Notify, Events and Give are called without mu.
type Desk struct {
	cfg     Config // immutable
	devices *keylock.Locks

	// change is held while jobs or the set of their devices change.
	change sync.Mutex

	mu       sync.RWMutex
	byID     map[uint64]*job                          // guarded by mu
	byName   map[string]*job                          // guarded by mu
	byDevice map[protocol.DeviceID]map[*job]*assigned // guarded by mu
	quotas   map[protocol.DeviceID]*quota             // guarded by mu
	runs     int                                      // that are kept; guarded by mu
	output   uint64                                   // bytes that are kept; guarded by mu
}

// job is a job in memory. All but id is guarded by Desk.mu; rec and versions change under Desk.change as well.
type job struct {
	id       uint64 // immutable
	rec      jobs.Job
	versions []*jobs.Version // ascending by number; the versions themselves are immutable
	devices  map[protocol.DeviceID]*assigned
	counts   Counts
	meant    int
	withheld int
	strip    []beat // ascending by due, at most stripLength
	told     telling
}

// assigned is a job on a device, or what is known of its runs there.
type assigned struct {
	dev protocol.DeviceID // immutable
	// meant: the device shall have it.
	meant bool
	// had: the device was given it since the hub began.
	had bool
	// why it is not given it. The zero value: it is.
	why Reason
	// runs that are kept, ascending by due and run.
	runs []ref
}

// ref is what is known of a run without asking the store.
type ref struct {
	run, version uint64
	due, told    int64
	count        uint64
	state        protocol.JobState
	output       uint32
}

func (d *Desk) add(rec jobs.Job) *job {
	j := &job{id: rec.ID, rec: rec, devices: map[protocol.DeviceID]*assigned{}}
	d.byID[rec.ID], d.byName[rec.Name] = j, j
	return j
}

func (j *job) latest() *jobs.Version { return j.versions[len(j.versions)-1] }

func (j *job) version(n uint64) *jobs.Version {
	i, ok := slices.BinarySearchFunc(j.versions, n, func(v *jobs.Version, n uint64) int { return cmp.Compare(v.Number, n) })
	if !ok {
		return nil
	}
	return j.versions[i]
}

// New returns a Desk with what the store has.
func New(cfg Config) (*Desk, error) {
	cfg.setDefaults()
	if _, err := time.LoadLocation(cfg.Zone); err != nil {
		return nil, fmt.Errorf("the hub's time zone %q is not known: use a name such as Europe/Oslo", cfg.Zone)
	}
	d := &Desk{
		cfg: cfg, devices: keylock.New(), byID: map[uint64]*job{}, byName: map[string]*job{},
		byDevice: map[protocol.DeviceID]map[*job]*assigned{}, quotas: map[protocol.DeviceID]*quota{},
	}
	saved, err := cfg.Store.LoadJobs()
	if err != nil {
		return nil, fmt.Errorf("read jobs: %w", err)
	}
	return d, d.load(saved)
}

func (d *Desk) load(saved Saved) error {
	for _, rec := range saved.Jobs {
		d.add(rec)
	}
	for _, v := range saved.Versions {
		j := d.byID[v.Job]
		if j == nil {
			return fmt.Errorf("read jobs: version %d of job %d: %w; restore a backup", v.Number, v.Job, jobs.ErrNotFound)
		}
		if err := d.unseal(&v); err != nil {
			return fmt.Errorf("read job %q: %w", j.rec.Name, err)
		}
		j.versions = append(j.versions, &v)
	}
	for _, j := range d.byID {
		if len(j.versions) == 0 || j.latest().Number != j.rec.Latest {
			return fmt.Errorf("read jobs: the latest version of job %q is missing; restore a backup", j.rec.Name)
		}
	}
	var lost []RunKey
	for i := range saved.Runs {
		r := &saved.Runs[i]
		j := d.byID[r.Job]
		if j == nil {
			lost = append(lost, RunKey{r.Job, r.Device, r.ID})
			continue
		}
		d.enter(j, r)
	}
	if len(lost) > 0 { // the hub stopped before it came to this
		if err := d.cfg.Store.DropJobRuns(lost); err != nil {
			return fmt.Errorf("drop runs of jobs that were removed: %w", err)
		}
	}
	look := look(d.cfg.Fleet.Device).once()
	for _, j := range d.byID {
		wanted, err := d.matching(&j.rec)
		if err != nil {
			d.cfg.Log.Error("devices of a job cannot be worked out; it is on none", "job", j.rec.Name, "error", err)
		}
		d.assign(j, wanted, look)
	}
	return nil
}

func (d *Desk) unseal(v *jobs.Version) error {
	if len(v.SealedEnv) == 0 {
		return nil
	}
	b, err := d.cfg.Vault.Open(sealPurpose, v.SealedEnv)
	if err != nil {
		return fmt.Errorf("open the variables of version %d: %w", v.Number, err)
	}
	return protocol.Unmarshal(b, &v.Env)
}

// sealPurpose is what variables of jobs are sealed for.
const sealPurpose = "job variables"

func notFound(name string) error { return fmt.Errorf("%w: %.80q", jobs.ErrNotFound, name) }
