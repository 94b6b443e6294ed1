package stacks

import (
	"slices"

	"github.com/farshore/farshore/protocol"
)

// Reason codes of a stack's status, beside those of package stacks/composer/ipc, which a device passes on as they
// are. They are stable: people's scripts match on them. A word is the same as in package ipc where both have it.
const (
	// CodeAwaitingContact: the device has not been told yet. Given by the hub.
	CodeAwaitingContact = "awaiting-contact"
	// CodeEngineAbsent: no engine answers on the device; it goes on when one does.
	CodeEngineAbsent = "engine-absent"
	// CodeComposerAbsent: farshore-composer is not beside the agent; it goes on when it is.
	CodeComposerAbsent = "composer-absent"
	// CodeDiskFull: no space left on the device; it goes on when there is.
	CodeDiskFull = "disk-full"
	// CodeHubUnreachable: files of the bundle are missing and no hub is in reach to give them.
	CodeHubUnreachable = "hub-unreachable"
	// CodeBlobDamaged: a file that came is not the one that was ordered.
	CodeBlobDamaged = "blob-damaged"
	// CodeServiceDown: a container of a running stack ended.
	CodeServiceDown = "service-down"
	// CodeServiceMissing: a container of a running stack was removed by somebody.
	CodeServiceMissing = "service-missing"
	// CodeServiceUnhealthy: a health check fails.
	CodeServiceUnhealthy = "service-unhealthy"
	// CodeServiceStopped: a command stopped a container; it stays stopped.
	CodeServiceStopped = "service-stopped"
	// CodeRetrying: it failed and is tried again; the detail says when.
	CodeRetrying = "retrying"
	// CodePolicy: a policy of the device's group forbids what the stack asks for.
	CodePolicy = "policy"
	// CodeClash: another stack of the device has a host port or container name that this one wants. Given by the hub.
	CodeClash = "clash"
	// CodeBatch: a rollout has not come to the device yet. Given by the hub.
	CodeBatch = "batch"
	// CodeUnconfirmed: the stack has secrets, and nobody has confirmed by its pairing code that the device is the one that
	// it says it is. Given by the hub.
	CodeUnconfirmed = "unconfirmed"
	// CodeAgentTooOld: the stack needs what the device's agent cannot do. Given by the hub.
	CodeAgentTooOld = "agent-too-old"
	// CodeInvalidHere: with the device's own files or variables the stack cannot be given to it. Given by the hub.
	CodeInvalidHere = "invalid-here"
	// CodeHeld: somebody at the device took the stack in hand, and it stays so until it is released.
	CodeHeld = "held"
	// CodeApproval: all is on the device, which waits until the rollout is approved.
	CodeApproval = "approval"
	// CodeBudget: the device's budget has nothing left for files and images.
	CodeBudget = "budget"
	// CodeWindow: the device waits for its change window.
	CodeWindow = "window"
	// CodeSealed: what is sealed for the device cannot be opened there.
	CodeSealed = "sealed"
)

// Reported tells whether a device may report the state: all but those that the hub alone knows.
func Reported(s protocol.StackState) bool {
	return s >= protocol.StackFetching && s <= protocol.StackRolledBack && s != protocol.StackDeferred
}

// Settled tells whether nothing more happens to a stack in that state by itself, but for better or worse health.
func Settled(s protocol.StackState) bool {
	switch s {
	case protocol.StackRunning, protocol.StackDegraded, protocol.StackFailed, protocol.StackRemoved, protocol.StackRolledBack:
		return true
	}
	return false
}

// Next lists the states that may follow directly. A removal or another version may come at any time, so StackRemoving
// and StackFetching follow every state, and so do the states that the hub alone knows. Somebody at the device may go back
// from whatever it has. A restart of the agent goes through StackFetching again only where work is needed. The hub may see
// jumps: of several statuses that wait for a link only the last is sent.
func Next(from protocol.StackState) []protocol.StackState {
	const (
		pending, offered, deferred = protocol.StackPending, protocol.StackOffered, protocol.StackDeferred
		fetching, fetched, window  = protocol.StackFetching, protocol.StackFetched, protocol.StackWindow
		applying, verify, waiting  = protocol.StackApplying, protocol.StackVerify, protocol.StackWaiting
		running, degraded, failed  = protocol.StackRunning, protocol.StackDegraded, protocol.StackFailed
		rolling, back              = protocol.StackRollingBack, protocol.StackRolledBack
		removing, removed          = protocol.StackRemoving, protocol.StackRemoved
	)
	var next []protocol.StackState
	switch from {
	case deferred, pending:
		next = nil
	case offered, fetching:
		next = []protocol.StackState{fetched, window, applying, waiting, failed, running, rolling}
	case fetched, window:
		next = []protocol.StackState{fetched, window, applying, waiting, failed, rolling}
	case applying:
		next = []protocol.StackState{verify, running, failed, waiting, rolling}
	case verify:
		next = []protocol.StackState{running, degraded, failed, waiting, rolling}
	case running:
		next = []protocol.StackState{degraded, applying, waiting, failed, fetched, window, rolling}
	case degraded:
		next = []protocol.StackState{running, applying, waiting, failed, fetched, window, rolling}
	case failed:
		next = []protocol.StackState{applying, waiting, running, degraded, rolling, back, fetched, window}
	case waiting:
		next = []protocol.StackState{applying, failed, running, degraded, rolling, fetched, window, verify}
	case rolling:
		next = []protocol.StackState{back, failed, waiting, applying, rolling}
	case back:
		next = []protocol.StackState{applying, waiting, failed, fetched, window, rolling}
	case removing:
		next = []protocol.StackState{removed, waiting, failed}
	case removed:
	default:
		return nil
	}
	next = append(next, pending, offered, deferred, fetching, removing)
	slices.Sort(next)
	return slices.Compact(next)
}

// Legal reports whether to may follow from directly on a device. A state may follow itself with another reason.
func Legal(from, to protocol.StackState) bool {
	return from == to && len(Next(from)) > 0 || slices.Contains(Next(from), to)
}
