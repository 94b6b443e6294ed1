package dispatch

import (
	"errors"
	"log/slog"
	"time"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/protocol"
)

// Errors that callers tell apart, beside those of package jobs.
var (
	// ErrDevice is wrapped where a device is not there.
	ErrDevice = errors.New("no such device")
	// ErrRunning is wrapped where a run is over already, or has not begun.
	ErrRunning = errors.New("the run is over")
)

// Fleet is what the Desk asks about devices. Devices that are revoked or removed are not there. It is called with locks of
// the Desk held, so it must not wait for a call of the Desk.
type Fleet interface {
	// Check says what is wrong with a selector.
	Check(selector string) error
	// Matching returns the devices that are meant.
	Matching(jobs.Reach) ([]protocol.DeviceID, error)
	// Matches reports whether a device that is there is meant.
	Matches(reach jobs.Reach, dev protocol.DeviceID) (bool, error)
	// Device describes a device, and is false for one that is not there.
	Device(protocol.DeviceID) (Device, bool)
}

// Device is what the Desk knows of a device.
type Device struct {
	Name, Group string
	// Zone is its time zone.
	Zone string
	// Confirmed: somebody has compared its pairing code. Others get no secrets.
	Confirmed bool
	// Capability of its agent. 0: it has not said yet.
	Capability uint
}

// Store keeps jobs, versions, and what came of runs. One method is one transaction.
type Store interface {
	// LoadJobs returns jobs, versions and runs, without output.
	LoadJobs() (Saved, error)
	// ApplyJob stores the job and what else changed, and gives a job whose ID is 0 a fresh one.
	ApplyJob(Change) (jobs.Job, error)
	// DeleteJob removes a job with versions, runs, output, and its scripts that nothing else owns.
	DeleteJob(id uint64) error
	// PutJobRun stores a run, and drops other runs with their output.
	PutJobRun(r jobs.RunRecord, drop []RunKey) error
	// PutJobOutput stores a run and a piece of its output, and drops pieces that the run does not have any more. A run that
	// is not there is jobs.ErrNotFound.
	PutJobOutput(r jobs.RunRecord, p Piece) error
	// DropJobRuns removes runs with their output.
	DropJobRuns([]RunKey) error
	// DropJobOutput removes the output of runs.
	DropJobOutput([]jobs.RunRecord) error
	// JobRun returns one run; the error wraps jobs.ErrNotFound where there is none.
	JobRun(RunKey) (jobs.RunRecord, error)
	// JobOutput returns the pieces of a stream by offset.
	JobOutput(k RunKey, stream uint8) ([]Piece, error)
	// Blob returns a blob's bytes.
	Blob(protocol.Hash) ([]byte, error)
}

// Saved is what a Store has.
type Saved struct {
	Jobs     []jobs.Job
	Versions []jobs.Version
	Runs     []jobs.RunRecord
}

// Change is one change of a job.
type Change struct {
	Job jobs.Job
	// Version that is new; its Job is set by the store. Nil: none.
	Version *jobs.Version
	// Script of Version. Nil: it has none.
	Script []byte
	// Drop are numbers of versions that go.
	Drop []uint64
}

// RunKey names a run: its ID is the device's own.
type RunKey struct {
	Job    uint64
	Device protocol.DeviceID
	Run    uint64
}

// Piece is a piece of what a run wrote to a stream.
type Piece struct {
	Stream uint8
	Offset uint64
	Data   []byte
	// Fresh: pieces of that stream that were there go. Anew: those of the other one go too.
	Fresh, Anew bool
}

// Sealer keeps variables secret at rest; hub/vault has one.
type Sealer interface {
	Seal(purpose string, plain []byte) []byte
	Open(purpose string, sealed []byte) ([]byte, error)
}

// DeviceSealer seals what is in an entry to a device's key; the same gives the same bytes.
type DeviceSealer interface {
	Secrets(dev protocol.DeviceID, entry protocol.EntryKey, s protocol.Secrets) ([]byte, error)
	Access(dev protocol.DeviceID, entry protocol.EntryKey, a protocol.RegistryAccess) ([]byte, error)
}

// Ask is a command that the Desk gives.
type Ask struct {
	Device protocol.DeviceID
	Kind   protocol.CommandKind
	Job    protocol.JobAsk
	By     string
	Owner  protocol.Owner
	TTL    time.Duration
}

// Kinds of Notice.
const (
	KindApplied   = "job.applied"
	KindRemoved   = "job.removed"
	KindPaused    = "job.paused"
	KindResumed   = "job.resumed"
	KindFailed    = "job.failed"    // on a device where the run before was good, or none was
	KindRecovered = "job.recovered" // on a device where the run before was not
)

// Notice is something worth telling. Runs that end as those before them are none.
type Notice struct {
	Kind    string
	Job     string
	Version uint64
	// Device that it is about. Empty: the whole job.
	Device protocol.DeviceID
	// Quiet: so many devices have the same to tell that this is for the device's own timeline only.
	Quiet bool
	Group string
	Owner protocol.Owner
	// By is who did it. Empty: nobody did.
	By   string
	Text string
}

// Variable is one of a device or group.
type Variable struct {
	Text   string
	Secret bool
	// Lost: it has a value that cannot be read any more.
	Lost bool
}

// Config is what a Desk is made of. Store, Fleet, Vault, Seal and Log must be set.
type Config struct {
	Store Store
	Fleet Fleet
	Vault Sealer
	Seal  DeviceSealer
	Log   *slog.Logger
	// Zone of the hub. "": UTC.
	Zone string
	// Allows says why what a version asks for may not be asked for on devices of a group. Nil: anything may.
	Allows func(group string, v *jobs.Version) error
	// Variables gives those that are set on a device and its groups, by name. Nil: there are none.
	Variables func(dev protocol.DeviceID, group string) map[string]Variable
	// Credentials gives how registries let devices of a group in that need these images. Nil: nothing is known.
	Credentials func(group string, images []string) []protocol.RegistryAuth
	// Give gives a command. Nil: there are none.
	Give func(Ask) (protocol.CommandID, error)
	// By says who gave a device a command. Nil, or "": nobody knows.
	By func(protocol.DeviceID, protocol.CommandID) string
	// Holds reports whether a device may have the entry still. Nil: nothing is known.
	Holds func(protocol.DeviceID, protocol.EntryKey) bool
	// Notify is told of each device whose desired set may have changed. Nil: nobody.
	Notify func(protocol.DeviceID)
	// Events is told of what is worth telling. Nil: nobody.
	Events func(Notice)
	// MaxRuns is how many runs are kept in all, MaxOutput how many bytes of their output. 0: as the constants say.
	MaxRuns   int
	MaxOutput uint64
	// Now is the time. Nil: time.Now.
	Now func() time.Time
}

func (c *Config) setDefaults() {
	if c.Zone == "" {
		c.Zone = "UTC"
	}
	if c.Allows == nil {
		c.Allows = func(string, *jobs.Version) error { return nil }
	}
	if c.Variables == nil {
		c.Variables = func(protocol.DeviceID, string) map[string]Variable { return nil }
	}
	if c.Credentials == nil {
		c.Credentials = func(string, []string) []protocol.RegistryAuth { return nil }
	}
	if c.Give == nil {
		c.Give = func(Ask) (protocol.CommandID, error) { return 0, errors.New("commands cannot be given here") }
	}
	if c.By == nil {
		c.By = func(protocol.DeviceID, protocol.CommandID) string { return "" }
	}
	if c.Holds == nil {
		c.Holds = func(protocol.DeviceID, protocol.EntryKey) bool { return false }
	}
	if c.Notify == nil {
		c.Notify = func(protocol.DeviceID) {}
	}
	if c.Events == nil {
		c.Events = func(Notice) {}
	}
	if c.MaxRuns == 0 {
		c.MaxRuns = MaxRuns
	}
	if c.MaxOutput == 0 {
		c.MaxOutput = MaxOutput
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}
