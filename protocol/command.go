package protocol

import "fmt"

// CommandKind is what a command does.
type CommandKind uint8

// Command kinds. Numbers are never used again for something else.
const (
	CommandContainerStart   CommandKind = 1
	CommandContainerStop    CommandKind = 2
	CommandContainerRestart CommandKind = 3
	CommandContainerKill    CommandKind = 4
	CommandContainerRemove  CommandKind = 5
	CommandContainerLogs    CommandKind = 6
	CommandStackRedeploy    CommandKind = 7
	CommandImageRemove      CommandKind = 8
	CommandVolumeRemove     CommandKind = 9
	CommandSnapshot         CommandKind = 10
	CommandUpdate           CommandKind = 11
	CommandJobRun           CommandKind = 12
	CommandJobCancel        CommandKind = 13
	CommandJobOutput        CommandKind = 14
)

// CommandKinds lists every kind this build knows.
func CommandKinds() []CommandKind {
	out := make([]CommandKind, 0, CommandJobOutput)
	for k := CommandContainerStart; k <= CommandJobOutput; k++ {
		out = append(out, k)
	}
	return out
}

// String names the kind as API and CLI do: "container.start" …
func (k CommandKind) String() string {
	names := [...]string{
		"unknown", "container.start", "container.stop", "container.restart", "container.kill", "container.remove",
		"container.logs", "stack.redeploy", "image.remove", "volume.remove", "snapshot", "update",
		"job.run", "job.cancel", "job.output",
	}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("command-%d", uint8(k))
}

// MarshalText implements encoding.TextMarshaler (JSON and YAML).
func (k CommandKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText gives.
func (k *CommandKind) UnmarshalText(b []byte) error {
	for _, c := range CommandKinds() {
		if c.String() == string(b) {
			*k = c
			return nil
		}
	}
	return fmt.Errorf("command %.40q is not known", b)
}

// MarshalCBOR writes the number.
func (k CommandKind) MarshalCBOR() ([]byte, error) { return Marshal(uint8(k)) }

// UnmarshalCBOR reads what MarshalCBOR writes.
func (k *CommandKind) UnmarshalCBOR(b []byte) error { return Unmarshal(b, (*uint8)(k)) }

// Command is one instruction to one device. It is delivered at least once and has its effect at most once.
type Command struct {
	ID   CommandID   `cbor:"1,keyasint" json:"id"`
	Kind CommandKind `cbor:"2,keyasint" json:"kind"`
	// NotAfter is the last moment at which it may start, Unix seconds of the hub's clock. Always set.
	NotAfter int64 `cbor:"3,keyasint" json:"not_after"`
	// Urgent commands go before all others, and may spend the reserve of a budget.
	Urgent bool `cbor:"4,keyasint,omitempty" json:"urgent,omitempty"`
	// Target is a container's name or id, an image's id or reference, a volume's name, or a stack's id in decimal.
	Target string `cbor:"5,keyasint,omitempty" json:"target,omitempty"`
	// Tail is how many lines of log are wanted. Absent: 100. At most 10,000.
	Tail uint32 `cbor:"6,keyasint,omitempty" json:"tail,omitempty"`
	// Signal for a kill. Absent: SIGKILL.
	Signal string `cbor:"7,keyasint,omitempty" json:"signal,omitempty"`
	// Timeout in seconds before a stop or restart kills. Absent: the container's own.
	Timeout uint32 `cbor:"8,keyasint,omitempty" json:"timeout,omitempty"`
	// Force removal of a running container or a used image or volume. Absent: refuse.
	Force bool `cbor:"9,keyasint,omitempty" json:"force,omitempty"`
	// Update is what an update brings. Absent for every other kind. Capability 2.
	Update *Update `cbor:"10,keyasint,omitempty" json:"-"`
	// Job is what a command about jobs names. Absent for every other kind. Capability 5.
	Job *JobAsk `cbor:"11,keyasint,omitempty" json:"job,omitempty"`
}

// CommandState is how a command ended, or where it stands.
type CommandState uint8

// WaitsForBudget is the code of a command that waits until the device may spend on more than urgent work.
const WaitsForBudget = "budget"

// The states. The hub alone knows CommandQueued and CommandSent; a device reports the others.
const (
	CommandQueued      CommandState = 1 // waits for the device
	CommandSent        CommandState = 2 // handed to the device
	CommandDone        CommandState = 3
	CommandFailed      CommandState = 4 // tried, did not work: Text says why
	CommandExpired     CommandState = 5 // not started in time, never run
	CommandInterrupted CommandState = 6 // the agent stopped in the middle: it may or may not have had its effect
	CommandRefused     CommandState = 7 // the device will not do it: Text says why
	CommandWithdrawn   CommandState = 8 // withdrawn by an operator before it started
	CommandWaiting     CommandState = 9 // the device has it and does not start it yet: Code says why. Capability 4
)

// String names the state as API and CLI do.
func (s CommandState) String() string {
	names := [...]string{"unknown", "queued", "sent", "done", "failed", "expired", "interrupted", "refused", "withdrawn", "waiting"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("state-%d", uint8(s))
}

// MarshalText implements encoding.TextMarshaler (JSON and YAML).
func (s CommandState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText gives.
func (s *CommandState) UnmarshalText(b []byte) error {
	for i := range CommandWaiting + 1 {
		if i.String() == string(b) {
			*s = i
			return nil
		}
	}
	return fmt.Errorf("command state %.40q is not known", b)
}

// MarshalCBOR writes the number.
func (s CommandState) MarshalCBOR() ([]byte, error) { return Marshal(uint8(s)) }

// UnmarshalCBOR reads what MarshalCBOR writes.
func (s *CommandState) UnmarshalCBOR(b []byte) error { return Unmarshal(b, (*uint8)(s)) }

// Final reports whether the command will not change any more.
func (s CommandState) Final() bool { return s >= CommandDone && s != CommandWaiting }

// CommandResult is what became of a command. It is kept on the device until the hub acknowledged it.
type CommandResult struct {
	ID    CommandID    `cbor:"1,keyasint" json:"id"`
	State CommandState `cbor:"2,keyasint" json:"state"`
	// Text is a sentence for people. Absent: nothing to add. At most MaxText bytes.
	Text string `cbor:"3,keyasint,omitempty" json:"text,omitempty"`
	// Started and Ended in Unix milliseconds by the device's best time. Absent: it never started.
	Started int64 `cbor:"4,keyasint,omitempty" json:"started,omitempty"`
	Ended   int64 `cbor:"5,keyasint,omitempty" json:"ended,omitempty"`
	// OutputSize is how many bytes of output follow in Output messages. Absent: none.
	OutputSize uint64 `cbor:"6,keyasint,omitempty" json:"output_size,omitempty"`
	// OutputDropped is how many bytes of output were cut to stay below MaxOutput, from the front.
	OutputDropped uint64 `cbor:"7,keyasint,omitempty" json:"output_dropped,omitempty"`
	// Code of a failure that others act on, such as UpdateReverted, or of what is waited for. Absent: there is none.
	Code string `cbor:"8,keyasint,omitempty" json:"code,omitempty"`
}

// Output is a piece of a command's output. Pieces may be dropped by a full outbox, results never are.
type Output struct {
	Command CommandID `cbor:"1,keyasint"`
	// Offset of Data in the whole output, in bytes.
	Offset uint64 `cbor:"2,keyasint,omitempty"`
	Data   []byte `cbor:"3,keyasint,omitempty"`
	// Dropped: the rest was dropped by a full outbox.
	Dropped bool `cbor:"4,keyasint,omitempty"`
}
