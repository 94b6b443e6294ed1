// Package snapshot owns the canonical form of a device's observed state: how a protocol.Snapshot is cleaned, bounded,
// sorted and encoded so that equal states have equal bytes and one hash, and how two encodings become a patch. It also
// has the words that agent halves share about an engine: what an observation is and how an action may fail.
//
// It does no I/O and knows neither an engine nor a store. Functions are pure and safe for concurrent use; so is a
// Patcher, which works on one patch at a time.
package snapshot

import (
	"errors"

	"github.com/farshore/farshore/protocol"
)

// Observation is what an engine says of itself at one moment, complete. Lists are in any order, see Canonical.
type Observation struct {
	Engine protocol.Engine
	Images []protocol.Image
	// Containers refer to Images by place, as protocol.Container.Image says.
	Containers []protocol.Container
	Volumes    []protocol.Volume
	Networks   []protocol.Network
}

// Errors of an engine, whichever it is. They are wrapped in a sentence that names the thing and the remedy.
var (
	// ErrEngineAbsent: nobody answers at the engine's address. What was asked may or may not have happened.
	ErrEngineAbsent = errors.New("container engine is absent")
	// ErrNoSuch: the thing is not on the device.
	ErrNoSuch = errors.New("no such thing on this device")
	// ErrInUse: something else needs the thing, so it was not removed.
	ErrInUse = errors.New("in use")
	// ErrRefused: the engine answered and did not do it.
	ErrRefused = errors.New("refused by the engine")
)

// Force is whether something goes although it runs or is used.
type Force bool

// The two ways to remove something.
const (
	Gently   Force = false // refuse when it runs or is in use
	Forcibly Force = true  // stop it, untag it, then remove it
)
