package runner

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/farshore/farshore/protocol"
)

// State is what is durable on the device.
type State interface {
	// Desired is the desired set; entries that are no jobs are passed over.
	Desired() []protocol.Entry
	// Blob returns a script, verified.
	Blob(protocol.Hash) ([]byte, error)
	// Jobs returns everything that was put and not dropped.
	Jobs() Book
	// PutJobs makes a change durable in one transaction, and queues its reports and output for the hub. A report replaces
	// an earlier one of the same run that still waits.
	PutJobs(Change) error
}

// Book is what is durable about jobs.
type Book struct {
	Cursors []Cursor
	Runs    []Run // by ID
	// Last is the highest ID that a run ever had.
	Last uint64
	// Lost is when an earlier book was lost, Unix seconds: what was to run once up to then may have run. 0: never.
	Lost int64
}

// Cursor says up to when the due times of a job have been accounted for.
type Cursor struct {
	Job uint64 `cbor:"1,keyasint"`
	// Entry is the hash of what the schedule was taken from.
	Entry    protocol.Hash        `cbor:"2,keyasint"`
	Schedule protocol.JobSchedule `cbor:"3,keyasint"`
	// Until in Unix seconds: what was due then or before is accounted for.
	Until int64 `cbor:"4,keyasint"`
	// From: nothing that was due after it, up to Until, was missed.
	From int64 `cbor:"5,keyasint,omitempty"`
	// DoneFrom and DoneTo are such a stretch from before a clock was set back: what is due in it does not run again.
	DoneFrom int64 `cbor:"6,keyasint,omitempty"`
	DoneTo   int64 `cbor:"7,keyasint,omitempty"`
}

// Stage is how far a run is on the device.
type Stage uint8

// Stages. They are stored; numbers never change.
const (
	Queued  Stage = 1 // waits for its turn; nothing of it has been started
	Started Stage = 2 // may have been started
	Over    Stage = 3 // kept for those who ask for its output
)

// Run is one line of the journal.
type Run struct {
	protocol.JobRun
	Stage Stage `cbor:"30,keyasint"`
}

// Change is what is put in one transaction.
type Change struct {
	Cursors     []Cursor
	DropCursors []uint64 // by job
	Runs        []Run
	DropRuns    []uint64 // by ID
	Reports     []protocol.JobRun
	Output      []protocol.JobOutput
}

// Attempt is one try of a run.
type Attempt struct {
	Run, Job uint64
	Number   uint32 // from 1
	Name     string // of the job
	Spec     protocol.Job
	// Script; nil: the container's own program is run.
	Script []byte
	// Env are variables, NAME=value, secrets among them.
	Env []string
	// Access is for the container's image.
	Access protocol.RegistryAccess
	// Stdout and Stderr take everything; writing to them does not fail.
	Stdout, Stderr io.Writer
}

// Exit is how an attempt ended by itself.
type Exit struct {
	Code int32
	// Signal that ended it, such as SIGSEGV. "": none.
	Signal string
}

// Executor runs attempts.
type Executor interface {
	// Run runs an attempt to its end. When ctx ends it kills all that the attempt has started, and returns when nothing of
	// it is left, with an error that wraps ctx's. Another error is a sentence for people that says why it could not be
	// run; one that wraps ErrNever: why it never can be.
	Run(ctx context.Context, a Attempt) (Exit, error)
	// Clear kills and removes what an agent that died has left of a run. There may be nothing.
	Clear(ctx context.Context, run uint64) error
}

// Outputs keeps what runs write, within its bounds: of each stream the end.
type Outputs interface {
	// Begin opens the streams of a run's next attempt; what an earlier attempt wrote goes. Writing never fails: what there
	// is no room for is counted only.
	Begin(run uint64) (stdout, stderr io.Writer, err error)
	// Sizes says how much was written and is kept, of the latest attempt. Follow is not set.
	Sizes(run uint64) (stdout, stderr protocol.JobStream)
	// ReadAt reads what is kept of a stream, by the offset in all that was written.
	ReadAt(run uint64, stream uint8, p []byte, offset uint64) (int, error)
	// Drop removes what is kept of a run.
	Drop(run uint64) error
	// Only removes what is kept of all other runs.
	Only(runs []uint64) error
}

// Config is what New needs. All but Fetch, Enter, OpenSecrets, OpenAccess and Look is required.
type Config struct {
	State  State
	Device protocol.DeviceID
	// Host runs scripts on the host, Container in containers.
	Host, Container Executor
	Outputs         Outputs
	// Fetch brings the script and image of an entry to the device: when it comes, and before each run in a container. It
	// blocks for as long as the link's budget or window makes it, which counts against no timeout. Nil: they are there.
	Fetch func(ctx context.Context, e *protocol.Entry) error
	// OpenSecrets and OpenAccess open what is sealed in an entry. Nil: nothing is.
	OpenSecrets func(*protocol.Entry) (protocol.Secrets, error)
	OpenAccess  func(*protocol.Entry) (protocol.RegistryAccess, error)
	// Enter lets a run begin, and returns what is called when it is over. False: none begins any more, as the agent is
	// about to stop. Nil: they all may.
	Enter func() (leave func(), ok bool)
	// Now is the best time known, and whether the hub has vouched for it since the agent started.
	Now func() (time.Time, bool)
	// Look is after which time the clock is looked at again while nothing is due: it may be set. 0: 30 s.
	Look time.Duration
	Log  *slog.Logger
}

// Bounds of what a device does at once, and keeps.
const (
	// MaxRunning is how many runs are under way at the same time; others that are due wait for one of them.
	MaxRunning = 16
	// MaxQueued is how many runs of one job wait by OverlapQueue; what is due then is skipped.
	MaxQueued = 16
	// KeepRuns is how many runs of a job that are over are kept with their output.
	KeepRuns = 10
)
