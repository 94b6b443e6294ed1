package planner

import (
	"errors"
	"log/slog"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/compose"
)

// Fleet is what the planner asks about devices. Devices that are revoked or removed are not there. It is called with
// planner locks held, so it must not wait for a call of the planner.
type Fleet interface {
	// Check says what is wrong with a selector. The empty one matches all devices.
	Check(selector string) error
	// Matching returns the devices that are meant.
	Matching(stacks.Reach) ([]protocol.DeviceID, error)
	// Matches reports whether a device that is there is meant.
	Matches(reach stacks.Reach, dev protocol.DeviceID) (bool, error)
	// Target describes a device, and is false for one that is not there.
	Target(dev protocol.DeviceID) (stacks.Target, bool)
	// Reachable reports whether a device is heard of as expected, so that it will hear of a change soon, and else when it
	// might be. The zero time: nobody knows.
	Reachable(dev protocol.DeviceID) (bool, time.Time)
}

// Store keeps stacks, versions, blobs and what devices have. One method is one transaction.
type Store interface {
	// LoadStacks returns everything but the blobs.
	LoadStacks() (Saved, error)
	// ApplyStack stores the stack and what else changed, and gives a stack whose ID is 0 a fresh one.
	ApplyStack(c Change) (stacks.Stack, error)
	// DeleteStack removes a stack with its versions, device records, and blobs that nothing else owns.
	DeleteStack(id uint64) error
	// PutStackDevice stores one device record; a stack that is not there is an error.
	PutStackDevice(r stacks.DeviceRecord) error
	// DropStackDevice removes one device record; one that is not there is no error.
	DropStackDevice(stack uint64, dev protocol.DeviceID) error
	// DropGrants removes what rollouts granted to a device.
	DropGrants(dev protocol.DeviceID, stacks []uint64) error
	// Blob returns a blob's bytes.
	Blob(h protocol.Hash) ([]byte, error)
}

// Saved is what a Store has.
type Saved struct {
	Stacks   []stacks.Stack
	Versions []stacks.Version
	Devices  []stacks.DeviceRecord
	Manners  []Manner
	Rollouts []Rollout // by stack and number
	Grants   []stacks.Grant
}

// Change is one change of a stack.
type Change struct {
	Stack stacks.Stack
	// Version that is new; its Stack is set by the store. Nil: none.
	Version *stacks.Version
	// Blobs of Version by their hash. Those that are stored already may be left out.
	Blobs map[protocol.Hash][]byte
	// Drop are numbers of versions that go.
	Drop []uint64
	// Manner that is new. Nil: it stays.
	Manner *Manner
	// Rollout that is new; its Stack is set by the store. Nil: none.
	Rollout *Rollout
	// Ended are rollouts that changed.
	Ended []*Rollout
	// DropRollouts are numbers of rollouts that go.
	DropRollouts []uint64
	// Grants that are new or changed.
	Grants []stacks.Grant
}

// Sealer keeps variables secret at rest; hub/vault has one.
type Sealer interface {
	Seal(purpose string, plain []byte) []byte
	Open(purpose string, sealed []byte) ([]byte, error)
}

// DeviceSealer seals what is in an entry to a device's key; the same gives the same bytes. The assembly has one of package
// protocol/sealed.
type DeviceSealer interface {
	Secrets(dev protocol.DeviceID, entry protocol.EntryKey, s protocol.Secrets) ([]byte, error)
	Access(dev protocol.DeviceID, entry protocol.EntryKey, a protocol.RegistryAccess) ([]byte, error)
}

// Kinds of Notice. Those from KindRunning to KindHeld are about one device.
const (
	KindApplied    = "stack.applied"
	KindRedeployed = "stack.redeployed"
	KindRemoved    = "stack.removed" // by an operator; devices may have it still
	KindGone       = "stack.gone"    // no device has it any more
	KindRunning    = "stack.running"
	KindDegraded   = "stack.degraded"
	KindFailed     = "stack.failed"
	KindLeft       = "stack.left" // the device has it no more
	KindHeld       = "stack.held" // somebody at the device took it in hand, or released it

	KindRollout = "rollout.phase" // a rollout of the stack began, or went over to another phase
)

// Notice is something worth telling.
type Notice struct {
	// Kind is one of the Kind constants.
	Kind string
	// Stack's name.
	Stack   string
	Version uint64
	// Device that it is about. Empty: the whole stack.
	Device protocol.DeviceID
	// Group and Owner of the stack.
	Group string
	Owner protocol.Owner
	// By is who did it. Empty: nobody did.
	By string
	// Text is a sentence for people. Empty: nothing to add.
	Text string
}

// Config is what a Planner is made of. Store, Fleet, Vault and Log must be set.
type Config struct {
	Store Store
	Fleet Fleet
	Vault Sealer
	Log   *slog.Logger
	// Validate says what a bundle asks for with these variables, or what is wrong with them. Nil: any bundle will do.
	Validate func(bundle map[string][]byte, env map[string]string) (compose.Summary, error)
	// Allows says why what a version asks for may not be asked for on devices of a group, a path. Nil: anything may.
	Allows func(group string, asks []stacks.Asks) error
	// Notify is told of each device whose desired set may have changed. Nil: nobody.
	Notify func(protocol.DeviceID)
	// Events is told of what is worth telling. Nil: nobody.
	Events func(Notice)
	// Variables gives those that are set on a device and its groups, by name. Nil: there are none.
	Variables func(dev protocol.DeviceID, group string) map[string]Variable
	// Accepted gives the desired set that a device has taken last, for what cannot be given to it anew. Nil: nothing is
	// known.
	Accepted func(protocol.DeviceID) ([]protocol.Entry, error)
	// Beside gives what a device shall have beside stacks, which counts where sets are compared. Nil: nothing.
	Beside func(protocol.DeviceID) []protocol.Entry
	// Seal seals to keys of devices. Nil: nothing can be sealed.
	Seal DeviceSealer
	// Credentials gives how registries let devices of a group in that need these images. Nil: nothing is known.
	Credentials func(group string, images []string) []protocol.RegistryAuth
	// KeepVersions is how many versions of a stack are kept, the latest. 0: DefaultKeepVersions.
	KeepVersions int
}

// Variable is one of a device or group.
type Variable struct {
	Text   string
	Secret bool
	// Lost: it has a value that cannot be read any more.
	Lost bool
}

// DefaultKeepVersions is how many versions of a stack are kept: as bases for patches, and to look at.
const DefaultKeepVersions = 50

// ErrRemoving is wrapped where a stack is being removed already. The other errors are those of package stacks.
var ErrRemoving = errors.New("stack is being removed")
