package access

import (
	"fmt"
	"slices"
)

// Operation is what somebody wants to do. Every route names one.
type Operation string

// The operations. Reading what belongs to a thing goes with reading the thing.
const (
	DevicesRead      Operation = "devices.read" // list, labels, settings, liveness
	DevicesChange    Operation = "devices.change"
	DevicesRevoke    Operation = "devices.revoke" // revoke, replace, remove
	GroupsRead       Operation = "groups.read"
	GroupsChange     Operation = "groups.change"
	ProfilesRead     Operation = "profiles.read"
	ProfilesChange   Operation = "profiles.change"
	SnapshotsRead    Operation = "snapshots.read"
	WaitingRead      Operation = "waiting.read"
	WaitingApprove   Operation = "waiting.approve"
	WaitingReject    Operation = "waiting.reject"
	KeysRead         Operation = "keys.read"
	KeysCreate       Operation = "keys.create"
	KeysRemove       Operation = "keys.remove"
	StacksRead       Operation = "stacks.read"
	StacksApply      Operation = "stacks.apply"
	StacksRemove     Operation = "stacks.remove"
	CommandsRead     Operation = "commands.read" // results and output too
	CommandsGive     Operation = "commands.give"
	CommandsWithdraw Operation = "commands.withdraw"
	EventsRead       Operation = "events.read"
	TokensRead       Operation = "tokens.read"
	TokensCreate     Operation = "tokens.create"
	TokensRemove     Operation = "tokens.remove"
	AuditRead        Operation = "audit.read"
	HubRead          Operation = "hub.read" // version, metrics, size of the store
	HubChange        Operation = "hub.change"
)

// Operations gives all operations.
func Operations() []Operation {
	return []Operation{
		DevicesRead, DevicesChange, DevicesRevoke, GroupsRead, GroupsChange, ProfilesRead, ProfilesChange, SnapshotsRead,
		WaitingRead, WaitingApprove, WaitingReject, KeysRead, KeysCreate, KeysRemove, StacksRead, StacksApply, StacksRemove,
		CommandsRead, CommandsGive, CommandsWithdraw, EventsRead, TokensRead, TokensCreate, TokensRemove, AuditRead,
		HubRead, HubChange,
	}
}

// Resource is what the operation is about. The zero value is the hub as a whole, or all of a kind.
type Resource struct {
	// Kind is device, group, profile, stack, key, command, token … Empty: the hub.
	Kind string
	// ID names it.
	ID string
	// Group is the path of the group it belongs to, where it belongs to one.
	Group string
}

// String names the resource in the audit trail, such as "device qz3…"; "" for the hub.
func (r Resource) String() string {
	if r.ID == "" {
		return r.Kind
	}
	return r.Kind + " " + r.ID
}

// Authorize is the one function that every route asks before it does anything. Administrators and their tokens may
// all; nobody else may anything yet. An operation that is not in Operations is never allowed. Errors are
// ErrUnauthenticated for nobody and wrap ErrForbidden for somebody.
func (a *Access) Authorize(p Principal, op Operation, r Resource) error {
	if p.Kind == "" || p.Name == "" {
		return ErrUnauthenticated
	}
	if p.Admin && slices.Contains(Operations(), op) {
		return nil
	}
	what := r.String()
	if what == "" {
		what = "the hub"
	}
	return fmt.Errorf("%w: %s may not %s on %s", ErrForbidden, p, op, what)
}
