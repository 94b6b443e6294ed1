package reconciler

import "github.com/farshore/farshore/protocol"

// Phase is how far the work on a stack has come. Numbers are stored and never change.
type Phase uint8

// The phases.
const (
	// PhaseFetching: files of Next are on the way; nothing was changed on the engine.
	PhaseFetching Phase = 1
	// PhaseApplying: the composer may have changed something for Next.
	PhaseApplying Phase = 2
	// PhaseApplied: Entry is what was applied; there is no Next.
	PhaseApplied Phase = 3
	// PhaseFailed: Next was tried and did not work.
	PhaseFailed Phase = 4
	// PhaseRemoving: the composer may have removed something.
	PhaseRemoving Phase = 5
)

// Applied is one line of the journal: what is known to be on the device of one stack. It is written before each act.
type Applied struct {
	// Entry was last applied with success. Its key and name are always set; with version 0 there was no success yet.
	Entry protocol.Entry `cbor:"1,keyasint"`
	// Next was begun after it. Nil: nothing was.
	Next  *protocol.Entry `cbor:"2,keyasint,omitempty"`
	Phase Phase           `cbor:"3,keyasint"`
	// Services are the containers that the last success left behind.
	Services []Service `cbor:"4,keyasint,omitempty"`
	// Stopped are names of containers that a command stopped; they stay so until they are started or the stack is
	// applied anew.
	Stopped []string `cbor:"5,keyasint,omitempty"`
}

// Service is one container of a stack as it was after it was applied.
type Service struct {
	Service   string `cbor:"1,keyasint"`
	Container string `cbor:"2,keyasint,omitempty"`
	// Ended: it had done its work and ended well, so it need not run.
	Ended bool `cbor:"3,keyasint,omitempty"`
}

// hasRun reports whether some version was applied with success.
func (a *Applied) hasRun() bool { return a != nil && a.Entry.Version != 0 }
