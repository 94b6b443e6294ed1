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
)

// Reported tells whether a device may report the state: all but those that the hub alone knows.
func Reported(s protocol.StackState) bool {
	return s >= protocol.StackFetching && s <= protocol.StackVerify
}

// Next lists the states that may follow directly on a device. A removal or a newer version may come at any time, so
// StackRemoving and StackFetching follow every state; a restart of the agent goes through StackFetching again only
// where work is needed. The hub may see jumps: of several statuses that wait for a link only the last is sent.
func Next(from protocol.StackState) []protocol.StackState {
	const (
		fetching, applying, verify = protocol.StackFetching, protocol.StackApplying, protocol.StackVerify
		running, degraded, failed  = protocol.StackRunning, protocol.StackDegraded, protocol.StackFailed
		removing, removed, waiting = protocol.StackRemoving, protocol.StackRemoved, protocol.StackWaiting
	)
	var next []protocol.StackState
	switch from {
	case protocol.StackPending:
		next = []protocol.StackState{protocol.StackOffered}
	case protocol.StackOffered:
		next = []protocol.StackState{applying, waiting, failed, running}
	case fetching:
		next = []protocol.StackState{applying, waiting, failed, running}
	case applying:
		next = []protocol.StackState{verify, running, failed, waiting}
	case verify:
		next = []protocol.StackState{running, degraded, failed, waiting}
	case running:
		next = []protocol.StackState{degraded, applying, waiting, failed}
	case degraded:
		next = []protocol.StackState{running, applying, waiting, failed}
	case failed:
		next = []protocol.StackState{applying, waiting, running, degraded}
	case waiting:
		next = []protocol.StackState{applying, failed, running, degraded}
	case removing:
		next = []protocol.StackState{removed, waiting, failed}
	case removed:
	default:
		return nil
	}
	return append(next, fetching, removing)
}

// Legal reports whether to may follow from directly on a device. A state may follow itself with another reason.
func Legal(from, to protocol.StackState) bool {
	return from == to && len(Next(from)) > 0 || slices.Contains(Next(from), to)
}
