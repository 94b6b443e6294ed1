package protocol

// Job is what makes an entry of the desired set a job: a script that the device runs by a schedule, or a container.
// Of the entry itself Files has the script, at JobScript; none: the container's own program is run. Env and Sealed are
// variables of the runs, Access is for the container's image. Capability 5.
type Job struct {
	Schedule JobSchedule `cbor:"1,keyasint" json:"schedule"`
	// Container that it runs in. Absent: it runs on the host, as a child of the agent.
	Container *JobContainer `cbor:"2,keyasint,omitempty" json:"container,omitempty"`
	// Args are given to the script.
	Args []string `cbor:"3,keyasint,omitempty" json:"args,omitempty"`
	// Dir is the working folder. Absent: on the host one of the run's own, which goes with it; in a container the image's.
	Dir string `cbor:"4,keyasint,omitempty" json:"dir,omitempty"`
	// User that it runs as. Absent: on the host the agent's, in a container the image's.
	User string `cbor:"5,keyasint,omitempty" json:"user,omitempty"`
	// Timeout of one attempt in seconds. Absent: DefaultJobTimeout.
	Timeout uint32 `cbor:"6,keyasint,omitempty" json:"timeout_seconds,omitempty"`
	// Retries is how often a run that failed is tried again, RetryDelay after how many seconds. Absent: not; 60 s.
	Retries    uint32 `cbor:"7,keyasint,omitempty" json:"retries,omitempty"`
	RetryDelay uint32 `cbor:"8,keyasint,omitempty" json:"retry_delay_seconds,omitempty"`
	// Overlap is what happens when a run is due while one is under way. Absent: OverlapSkip.
	Overlap JobOverlap `cbor:"9,keyasint,omitzero" json:"overlap,omitempty"`
	// Missed is how many runs, the newest, are made up for that were due while the device was off. Absent: none.
	Missed uint32 `cbor:"10,keyasint,omitempty" json:"missed,omitempty"`
	// Output says what of a run's output comes to the hub. Absent: OutputOnFailure.
	Output JobOutputPolicy `cbor:"11,keyasint,omitzero" json:"output,omitempty"`
	// OutputCap is how many bytes of each stream come at most, those at its end. Absent: DefaultJobOutput.
	OutputCap uint32 `cbor:"12,keyasint,omitempty" json:"output_cap,omitempty"`
}

// Numbers of jobs that both sides rely on.
const (
	// JobScript is the path of a job's script among the files of its entry.
	JobScript = "script"
	// DefaultJobTimeout is Job.Timeout in seconds where none is given.
	DefaultJobTimeout = 3600
	// DefaultRetryDelay is Job.RetryDelay in seconds where none is given.
	DefaultRetryDelay = 60
	// DefaultJobOutput is Job.OutputCap where none is given, MaxJobOutput the most of it.
	DefaultJobOutput = 64 << 10
	MaxJobOutput     = 1 << 20
	// MaxJobOutputPiece is the most bytes of one JobOutput.
	MaxJobOutputPiece = 8 << 10
	// MaxJobMissed is the most of Job.Missed.
	MaxJobMissed = 1000
	// MaxScript is the most bytes of a script.
	MaxScript = 256 << 10
)

// JobSchedule says when a job runs: at times that come again, or once.
type JobSchedule struct {
	// Cron names the times, such as "0 2 * * *". Absent: the job runs once, at At.
	Cron string `cbor:"1,keyasint,omitempty" json:"cron,omitempty"`
	// At is Unix seconds. A device that gets the job later runs it when it gets it, where Missed is not 0 and End is not
	// over. Absent with Cron: never by itself, only when somebody asks for it.
	At int64 `cbor:"2,keyasint,omitempty" json:"at,omitempty"`
	// Zone is the time zone of Cron, such as Europe/Oslo. Always given with it.
	Zone string `cbor:"3,keyasint,omitempty" json:"zone,omitempty"`
	// Jitter in seconds: each device runs it by a time of its own later, from 0 to Jitter, always the same (see package
	// jobs). Absent: on time.
	Jitter uint32 `cbor:"4,keyasint,omitempty" json:"jitter_seconds,omitempty"`
	// Start and End are the first and the last moment at which a run may be due, Unix seconds. Absent: no such limit.
	Start int64 `cbor:"5,keyasint,omitempty" json:"start,omitempty"`
	End   int64 `cbor:"6,keyasint,omitempty" json:"end,omitempty"`
}

// JobContainer is the container that each run of a job makes, and removes when it is over.
type JobContainer struct {
	Image string `cbor:"1,keyasint" json:"image"`
	// Pull is when the image is asked of a registry. Absent: PullMissing.
	Pull   PullPolicy `cbor:"2,keyasint,omitempty" json:"pull,omitempty"`
	Mounts []JobMount `cbor:"3,keyasint,omitempty" json:"mounts,omitempty"`
	// Network is "none", "host", or the name of a network on the device. Absent: the engine's default.
	Network string `cbor:"4,keyasint,omitempty" json:"network,omitempty"`
	// CPUs in thousandths of one. Absent: no limit.
	CPUs uint32 `cbor:"5,keyasint,omitempty" json:"milli_cpus,omitempty"`
	// Memory in bytes. Absent: no limit.
	Memory uint64 `cbor:"6,keyasint,omitempty" json:"memory,omitempty"`
}

// JobMount is a folder or volume of the device in a job's container.
type JobMount struct {
	// Source is a path of the host, or a volume's name.
	Source   string `cbor:"1,keyasint" json:"source"`
	Target   string `cbor:"2,keyasint" json:"target"`
	ReadOnly bool   `cbor:"3,keyasint,omitempty" json:"read_only,omitempty"`
}

// JobOverlap is what happens when a run is due while one of the same job is under way.
type JobOverlap uint8

// The rules; zero is OverlapSkip.
const (
	OverlapSkip  JobOverlap = 0 // it is skipped
	OverlapQueue JobOverlap = 1 // it follows
	OverlapKill  JobOverlap = 2 // the one under way is killed
)

var overlapWords = words[JobOverlap]{"overlap", []string{"skip", "queue", "kill"}}

// String names the rule as the API does.
func (o JobOverlap) String() string { return overlapWords.of(o) }

// MarshalText implements encoding.TextMarshaler (JSON and YAML).
func (o JobOverlap) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads what MarshalText gives.
func (o *JobOverlap) UnmarshalText(b []byte) (err error) { *o, err = overlapWords.read(b); return err }

// MarshalCBOR writes the number.
func (o JobOverlap) MarshalCBOR() ([]byte, error) { return Marshal(uint8(o)) }

// UnmarshalCBOR reads what MarshalCBOR writes.
func (o *JobOverlap) UnmarshalCBOR(b []byte) error { return smallNumber((*uint8)(o), b) }

// JobOutputPolicy says what of the output of runs comes to the hub.
type JobOutputPolicy uint8

// The policies; zero is OutputOnFailure.
const (
	OutputOnFailure JobOutputPolicy = 0
	OutputAlways    JobOutputPolicy = 1
	OutputOnRequest JobOutputPolicy = 2 // it is kept on the device until somebody asks for it
	OutputNever     JobOutputPolicy = 3 // it is not even kept there
)

var outputWords = words[JobOutputPolicy]{"output", []string{"on-failure", "always", "on-request", "never"}}

// String names the policy as the API does.
func (p JobOutputPolicy) String() string { return outputWords.of(p) }

// MarshalText implements encoding.TextMarshaler (JSON and YAML).
func (p JobOutputPolicy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what MarshalText gives.
func (p *JobOutputPolicy) UnmarshalText(b []byte) (err error) {
	*p, err = outputWords.read(b)
	return err
}

// MarshalCBOR writes the number.
func (p JobOutputPolicy) MarshalCBOR() ([]byte, error) { return Marshal(uint8(p)) }

// UnmarshalCBOR reads what MarshalCBOR writes.
func (p *JobOutputPolicy) UnmarshalCBOR(b []byte) error { return smallNumber((*uint8)(p), b) }

// JobState is how far a run is, or how it ended.
type JobState uint8

// The states of a run.
const (
	JobRunning     JobState = 1 // told only of runs that somebody asked for
	JobDone        JobState = 2 // exit code 0
	JobFailed      JobState = 3 // another exit code, a signal, or it could not be started: Text says why
	JobTimedOut    JobState = 4 // killed, as it took longer than its timeout
	JobCancelled   JobState = 5 // killed, or taken from the queue, because somebody asked for that, or by OverlapKill
	JobInterrupted JobState = 6 // the agent or the device stopped while it ran: how far it came nobody knows
	JobSkipped     JobState = 7 // by the overlap rule
	JobMissed      JobState = 8 // by the rule for missed runs
	JobRefused     JobState = 9 // the device cannot run it at all: Text says why
)

var jobWords = words[JobState]{"state of a run", []string{
	"", "running", "done", "failed", "timed-out", "cancelled", "interrupted", "skipped", "missed", "refused",
}}

// String names the state as the API does.
func (s JobState) String() string { return jobWords.of(s) }

// MarshalText implements encoding.TextMarshaler (JSON and YAML).
func (s JobState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText gives.
func (s *JobState) UnmarshalText(b []byte) (err error) { *s, err = jobWords.read(b); return err }

// MarshalCBOR writes the number.
func (s JobState) MarshalCBOR() ([]byte, error) { return Marshal(uint8(s)) }

// UnmarshalCBOR reads what MarshalCBOR writes.
func (s *JobState) UnmarshalCBOR(b []byte) error { return smallNumber((*uint8)(s), b) }

// Final reports whether the run will not change any more.
func (s JobState) Final() bool { return s > JobRunning }

// JobRun is one run of a job, or several that were skipped or missed one after the other. It is kept by the device until
// it is acknowledged. Of two with one ID the later one counts.
type JobRun struct {
	// ID grows from run to run of a device, through restarts, from 1.
	ID uint64 `cbor:"1,keyasint" json:"id"`
	// Job and Version of it.
	Job     uint64 `cbor:"2,keyasint" json:"job"`
	Version uint64 `cbor:"3,keyasint" json:"version"`
	// Due is the time by the schedule, Unix seconds; the jitter is in it. Of a run that was asked for: when that was.
	Due   int64    `cbor:"4,keyasint" json:"due"`
	State JobState `cbor:"5,keyasint" json:"state"`
	// Attempt that ended it. Absent: the first.
	Attempt uint32 `cbor:"6,keyasint,omitempty" json:"attempt,omitempty"`
	// Code that the last attempt exited with. Absent: 0, or it did not exit by itself.
	Code int32 `cbor:"7,keyasint,omitempty" json:"code,omitempty"`
	// Signal that ended it, such as SIGKILL. Absent: none.
	Signal string `cbor:"8,keyasint,omitempty" json:"signal,omitempty"`
	// Started is when the first attempt began, Unix milliseconds by the device's best time, Took how many milliseconds
	// all attempts took, with the delays between them. Absent: it did not start.
	Started int64  `cbor:"9,keyasint,omitempty" json:"started,omitempty"`
	Took    uint64 `cbor:"10,keyasint,omitempty" json:"took_ms,omitempty"`
	// Text is a sentence for people, at most MaxText bytes. Absent: there is nothing to add.
	Text string `cbor:"11,keyasint,omitempty" json:"text,omitempty"`
	// Stdout and Stderr of the last attempt. Absent: nothing was written.
	Stdout *JobStream `cbor:"12,keyasint,omitempty" json:"stdout,omitempty"`
	Stderr *JobStream `cbor:"13,keyasint,omitempty" json:"stderr,omitempty"`
	// Command that asked for it. Absent: it ran by schedule.
	Command CommandID `cbor:"14,keyasint,omitzero" json:"command,omitzero"`
	// Until is when the last of several was due, Count how many they are. Absent: it is one.
	Until int64  `cbor:"15,keyasint,omitempty" json:"until,omitempty"`
	Count uint64 `cbor:"16,keyasint,omitempty" json:"count,omitempty"`
	// Clock: the device had no contact since its start, and went by its own clock. Absent: it knew the hub's time.
	Clock bool `cbor:"17,keyasint,omitempty" json:"own_clock,omitempty"`
}

// JobStream says how much a run wrote.
type JobStream struct {
	// Size in bytes of all that was written.
	Size uint64 `cbor:"1,keyasint" json:"size"`
	// Kept is how many bytes, those at its end, the device has. Absent: none.
	Kept uint64 `cbor:"2,keyasint,omitempty" json:"kept,omitempty"`
	// Follow is how many of them, those at its end, come in JobOutput messages by themselves. Absent: none.
	Follow uint64 `cbor:"3,keyasint,omitempty" json:"follow,omitempty"`
}

// Streams of JobOutput.
const (
	StreamStdout = 0
	StreamStderr = 1
)

// JobOutput is a piece of what a run wrote. Pieces may be dropped by a full outbox, runs never are.
type JobOutput struct {
	// Run is its ID on the device.
	Run uint64 `cbor:"1,keyasint"`
	// Stream it is of. Absent: StreamStdout.
	Stream uint8 `cbor:"2,keyasint,omitempty"`
	// Offset of Data in all that was written to the stream, in bytes.
	Offset uint64 `cbor:"3,keyasint,omitempty"`
	// Data, any bytes.
	Data []byte `cbor:"4,keyasint,omitempty"`
	// Attempt that wrote it. Absent: the first.
	Attempt uint32 `cbor:"5,keyasint,omitempty"`
	// Dropped: the rest was dropped by a full outbox.
	Dropped bool `cbor:"6,keyasint,omitempty"`
}

// JobAsk is what a command about jobs names. A run by its ID on the device, a job by its own.
type JobAsk struct {
	// Job to be run now; of CommandJobCancel, of which all is cancelled that is under way or waits. Absent: Run is set.
	Job uint64 `cbor:"1,keyasint,omitempty" json:"job,omitempty"`
	// Run to be cancelled, or whose output is wanted.
	Run uint64 `cbor:"2,keyasint,omitempty" json:"run,omitempty"`
	// Stdout and Stderr are from which offset output is wanted. Absent: all that is kept, at most Max of each stream.
	Stdout uint64 `cbor:"3,keyasint,omitempty" json:"stdout,omitempty"`
	Stderr uint64 `cbor:"4,keyasint,omitempty" json:"stderr,omitempty"`
	// Max is how many bytes of each stream are wanted, those at its end. Absent: DefaultJobOutput.
	Max uint32 `cbor:"5,keyasint,omitempty" json:"max,omitempty"`
}
