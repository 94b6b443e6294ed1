// Package rollout decides in which order the devices of a fleet are changed, when it is safe to go on, and when to stop:
// batches, time to watch them, thresholds, limits for each group, and what operators say meanwhile.
//
// It is a pure state machine. It never learns what the change is, talks to nobody, starts no timers and reads no clock:
// the caller tells it the time and how each device stands, does what it answers, and keeps its State. A State is a
// value of one goroutine. DESIGN.md says what holds at all times, and why.
package rollout

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/farshore/farshore/protocol"
)

// ErrNotNow is wrapped where an operator asks for what a rollout cannot do in its phase.
var ErrNotNow = errors.New("not possible now")

// Phase is where a rollout stands.
type Phase uint8

// Phases. Numbers are stored.
const (
	Planned     Phase = 1 // has not begun
	Running     Phase = 2
	Soaking     Phase = 3 // the batch has succeeded and is watched
	Paused      Phase = 4
	RollingBack Phase = 5
	Done        Phase = 6
	Failed      Phase = 7 // was brought back
	Aborted     Phase = 8
)

var phaseWords = [...]string{"unknown", "planned", "running", "soaking", "paused", "rolling-back", "done", "failed", "aborted"}

// String names the phase as API and CLI do.
func (p Phase) String() string { return word(phaseWords[:], uint8(p)) }

// Over reports whether nothing more is started.
func (p Phase) Over() bool { return p >= Done }

// Status is where one device stands in a rollout.
type Status uint8

// Statuses. Numbers are stored.
const (
	StatusWaiting   Status = 1 // in no batch yet
	StatusChosen    Status = 2 // in a batch, and not started
	StatusGoing     Status = 3 // started
	StatusSucceeded Status = 4
	StatusFailed    Status = 5
	StatusReturning Status = 6 // to be brought back
	StatusReturned  Status = 7
	StatusStuck     Status = 8 // could not be brought back
)

var statusWords = [...]string{"unknown", "waiting", "chosen", "started", "succeeded", "failed", "returning", "returned", "stuck"}

// String names the status as API and CLI do.
func (s Status) String() string { return word(statusWords[:], uint8(s)) }

func word(words []string, n uint8) string {
	if int(n) < len(words) {
		return words[n]
	}
	return fmt.Sprintf("state-%d", n)
}

// Device is what a rollout keeps of one device.
type Device struct {
	Status Status `cbor:"1,keyasint"`
	// Batch it is in, from 1. 0: none, or it needed no change.
	Batch uint32 `cbor:"2,keyasint,omitempty"`
	// Attempt counts what was tried on it: what is observed belongs to this attempt.
	Attempt uint32 `cbor:"3,keyasint,omitempty"`
	// Code says why it failed, as observed.
	Code string `cbor:"4,keyasint,omitempty"`
}

// State is a rollout. It is the stored record; a State that was read back goes on as if nothing had happened.
type State struct {
	Plan  Plan  `cbor:"1,keyasint"`
	Phase Phase `cbor:"2,keyasint"`
	// Begin is when the first batch may start, Unix seconds. 0: at once.
	Begin int64 `cbor:"3,keyasint,omitempty"`
	// Reason says why it is paused, failed or aborted.
	Reason string `cbor:"4,keyasint,omitempty"`
	// Batch is the latest, from 1. 0: none yet.
	Batch uint32 `cbor:"5,keyasint,omitempty"`
	// SoakUntil is until when the batch is watched, Unix seconds.
	SoakUntil int64 `cbor:"6,keyasint,omitempty"`
	// Waived failures of the batch were seen by an operator who went on.
	Waived uint32 `cbor:"7,keyasint,omitempty"`
	// Skipped: the batch is not waited for.
	Skipped bool `cbor:"8,keyasint,omitempty"`
	// Floor: orders below it are not waited for. Held is one more than the order that is waited for. 0: none is.
	Floor uint32 `cbor:"9,keyasint,omitempty"`
	Held  uint32 `cbor:"13,keyasint,omitempty"`
	// Undo is what is brought back in RollingBack: RollBackBatch or RollBackAll.
	Undo OnFailure `cbor:"10,keyasint,omitempty"`
	// Resume is the phase to go on with after a pause. 0: Running.
	Resume Phase `cbor:"11,keyasint,omitempty"`
	// Devices by id, at most MaxDevices.
	Devices map[protocol.DeviceID]Device `cbor:"12,keyasint,omitempty"`
}

// New returns a rollout that begins at begin; the zero time: at once. Errors wrap ErrInvalid.
func New(p Plan, begin time.Time) (State, error) {
	s := State{Plan: p, Phase: Planned, Devices: map[protocol.DeviceID]Device{}}
	if !begin.IsZero() {
		s.Begin = begin.Unix()
	}
	return s, p.Check()
}

// Clone gives a copy that shares nothing with s.
func (s State) Clone() State {
	s.Devices = maps.Clone(s.Devices)
	return s
}

// Count gives how many devices have each status.
func (s *State) Count() map[Status]int {
	out := map[Status]int{}
	for _, d := range s.Devices {
		out[d.Status]++
	}
	return out
}

// Action is what an operator says.
type Action string

// The actions.
const (
	ActionPause    Action = "pause"
	ActionContinue Action = "continue"
	ActionAbort    Action = "abort"
	ActionSkip     Action = "skip"  // go on without waiting for the batch
	ActionRetry    Action = "retry" // try again what failed or was brought back
)

// Do does what an operator says; by names the operator. Errors wrap ErrNotNow.
func (s *State) Do(a Action, by string) error {
	no := func(why string) error {
		return fmt.Errorf("%s: %w: the rollout is %s: %s", a, ErrNotNow, s.Phase, why)
	}
	switch a {
	case ActionPause:
		if s.Phase.Over() || s.Phase == Paused {
			return no("only one that is under way can be paused")
		}
		s.pause("paused by " + by)
	case ActionContinue:
		if s.Phase != Paused {
			return no("only a paused one can go on")
		}
		s.Waived = uint32(s.tally().failed)
		s.goOn()
	case ActionAbort:
		if s.Phase.Over() {
			return no("only one that is not over can be aborted")
		}
		s.Phase, s.Reason, s.Resume = Aborted, "aborted by "+by, 0
	case ActionSkip:
		if s.Phase != Running && s.Phase != Soaking && (s.Phase != Paused || s.Resume == RollingBack || s.Resume == Planned) {
			return no("only a batch that is under way can be skipped")
		}
		s.skip()
	case ActionRetry:
		if s.Phase == Aborted || s.Phase == RollingBack || s.Resume == RollingBack {
			return no("start a new one, or wait until it has ended")
		}
		if !s.retry() {
			return no("no device has failed or was brought back")
		}
	default:
		return fmt.Errorf("action %.40q: %w: want pause, continue, abort, skip or retry", a, ErrNotNow)
	}
	return nil
}

func (s *State) pause(why string) {
	s.Resume, s.Phase, s.Reason = s.Phase, Paused, why
}

// goOn leaves a pause.
func (s *State) goOn() {
	s.Phase, s.Reason = Running, ""
	if s.Resume == Planned || s.Resume == RollingBack || s.Resume == Soaking {
		s.Phase = s.Resume
	}
	if s.Phase == RollingBack {
		s.Reason = "a batch failed"
	}
	s.Resume = 0
}

// skip goes on without waiting for what is waited for: the batch, or the devices of a lower order.
func (s *State) skip() {
	s.Skipped = true
	s.Floor, s.Held = max(s.Floor, s.Held), 0
	s.Phase, s.Reason, s.Resume, s.SoakUntil = Running, "", 0, 0
}

func (s *State) retry() bool {
	some := false
	for id, d := range s.Devices {
		switch d.Status {
		case StatusFailed, StatusReturned, StatusStuck:
			s.Devices[id] = Device{Status: StatusWaiting, Attempt: d.Attempt + 1}
			some = true
		}
	}
	if some && (s.Phase != Paused || s.Resume != Planned) && s.Phase != Planned {
		s.Phase, s.Reason, s.Resume, s.Waived = Running, "", 0, 0
	}
	return some
}
