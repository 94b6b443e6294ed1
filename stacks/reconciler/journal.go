package reconciler

import (
	"bytes"
	"maps"
	"slices"

	"github.com/farshore/farshore/protocol"
)

// Phase is how far the work on a stack has come. Numbers are stored and never change.
type Phase uint8

// The phases.
const (
	// PhaseFetching: files or images of Next are on the way; nothing was changed on the engine.
	PhaseFetching Phase = 1
	// PhaseApplying: the composer may have changed something for Next.
	PhaseApplying Phase = 2
	// PhaseApplied: Entry is what was applied; there is no Next.
	PhaseApplied Phase = 3
	// PhaseFailed: Next was tried and did not work.
	PhaseFailed Phase = 4
	// PhaseRemoving: the composer may have removed something.
	PhaseRemoving Phase = 5
	// PhaseFetched: all that Next needs is on the device.
	PhaseFetched Phase = 6
	// PhaseVerifying: Next runs, and is watched.
	PhaseVerifying Phase = 7
	// PhaseRollingBack: Next is given up, the composer may have brought back something of Entry.
	PhaseRollingBack Phase = 8
	// PhaseRolledBack: Entry runs again, and Next is not tried by itself.
	PhaseRolledBack Phase = 9
)

// Applied is one line of the journal: what is known to be on the device of one stack. It is written before each act.
type Applied struct {
	// Entry was last applied with success. Its key and name are always set; with version 0 there was no success yet.
	Entry protocol.Entry `cbor:"1,keyasint"`
	// Next was begun after it. Nil: nothing was.
	Next  *protocol.Entry `cbor:"2,keyasint,omitempty"`
	Phase Phase           `cbor:"3,keyasint"`
	// Services are the containers that the composer left behind when it last succeeded.
	Services []Service `cbor:"4,keyasint,omitempty"`
	// Stopped are names of containers that a command stopped; they stay so until they are started or the stack is
	// applied anew.
	Stopped []string `cbor:"5,keyasint,omitempty"`
	// Earlier was good before Entry, and its files are kept: somebody at the device may go back to it. Nil: none.
	Earlier *protocol.Entry `cbor:"6,keyasint,omitempty"`
	// Touched: something was changed since Entry was applied, and not put right yet.
	Touched bool `cbor:"7,keyasint,omitempty"`
	// Tries is how many attempts at Next failed by its own fault. Final: no further one is made.
	Tries uint32 `cbor:"8,keyasint,omitempty"`
	Final bool   `cbor:"9,keyasint,omitempty"`
	// Code and Detail say why Next failed, in the phases that follow a failure.
	Code   string `cbor:"10,keyasint,omitempty"`
	Detail string `cbor:"11,keyasint,omitempty"`
	// Held is what somebody at the device decided. Nil: nothing.
	Held *Held `cbor:"12,keyasint,omitempty"`
	// Wake: somebody at the device stopped the containers of Services, and those that ran have to be started again.
	Wake bool `cbor:"13,keyasint,omitempty"`
	// Cost of the files of Next on the link so far, in bytes.
	Cost uint64 `cbor:"14,keyasint,omitempty"`
}

// sleepers are the containers that a stop at the device ended, and that have to be started again.
func (a *Applied) sleepers() (names []string) {
	if a == nil || !a.Wake {
		return nil
	}
	for _, s := range a.Services {
		if !s.Ended {
			names = append(names, s.Container)
		}
	}
	return names
}

// Held is a decision of somebody at the device.
type Held struct {
	Hold   protocol.Hold `cbor:"1,keyasint"`
	By     string        `cbor:"2,keyasint,omitempty"`
	Reason string        `cbor:"3,keyasint,omitempty"`
	// At is when, Unix seconds by the device's best time.
	At int64 `cbor:"4,keyasint,omitempty"`
	// Done: of a stack that is stopped, the containers are.
	Done bool `cbor:"5,keyasint,omitempty"`
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

// intact reports whether the last good version runs, as nothing was changed since.
func (a *Applied) intact() bool {
	switch {
	case !a.hasRun() || a.Touched:
		return false
	}
	return a.Phase != PhaseApplying && a.Phase != PhaseVerifying && a.Phase != PhaseRollingBack && a.Phase != PhaseRemoving
}

// at reports whether the work has come to one of the phases with the entry of this content.
func (a *Applied) at(content protocol.Hash, phases ...Phase) bool {
	return a != nil && a.Next != nil && slices.Contains(phases, a.Phase) && a.Next.Content() == content
}

// goesBack reports whether a version that failed gives way to the last good one.
func (a *Applied) goesBack() bool {
	return a.hasRun() && a.Touched && a.Next != nil && !a.Next.Stay && differ(&a.Entry, a.Next)
}

// differ reports whether the composer would make something else of b than of a.
func differ(a, b *protocol.Entry) bool {
	return !slices.Equal(a.Files, b.Files) || !maps.Equal(a.Env, b.Env) || !bytes.Equal(a.Sealed, b.Sealed)
}

// toward is the line for work on an entry: it keeps what is known, and forgets what was about another entry.
func (a *Applied) toward(e *protocol.Entry, phase Phase) Applied {
	next := *e
	line := Applied{Entry: protocol.Entry{EntryKey: e.EntryKey, Name: e.Name}}
	if a != nil {
		line = *a
		line.Touched = a.Touched || a.Phase != PhaseApplied && a.hasRun() && !a.intact()
	}
	if line.Next == nil || line.Next.Content() != e.Content() {
		line.Tries, line.Final, line.Code, line.Detail = 0, false, "", ""
	}
	if line.Next == nil || line.Next.Version != e.Version {
		line.Cost = 0
	}
	line.Next, line.Phase = &next, phase
	return line
}
