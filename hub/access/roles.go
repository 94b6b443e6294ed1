package access

import "slices"

// Operation is what somebody wants to do. Every route names one.
type Operation string

// The operations. Reading what belongs to a thing goes with reading the thing.
const (
	DevicesRead      Operation = "devices.read" // list, labels, settings, liveness
	DevicesChange    Operation = "devices.change"
	DevicesRevoke    Operation = "devices.revoke" // revoke, replace, remove
	DevicesLift      Operation = "devices.lift"   // add to the budget of a billing cycle, and take that back
	GroupsRead       Operation = "groups.read"
	GroupsChange     Operation = "groups.change"
	PolicyChange     Operation = "policy.change" // what stacks and live calls may ask of an engine
	PolicyExempt     Operation = "policy.exempt" // that policy does not bind who may this
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
	StacksOperate    Operation = "stacks.operate"   // deploy versions that there are, and steer rollouts: what makes nothing new
	RolloutsApprove  Operation = "rollouts.approve" // let devices apply what they have fetched, where a stack asks for that
	EdgeGroupsRead   Operation = "edge-groups.read"
	EdgeGroupsChange Operation = "edge-groups.change"
	EdgeGroupsRemove Operation = "edge-groups.remove"
	StacksSource     Operation = "stacks.source" // have the hub fetch a stack from a repository
	JobsRead         Operation = "jobs.read"     // and their runs
	JobsApply        Operation = "jobs.apply"
	JobsRemove       Operation = "jobs.remove"
	JobsOperate      Operation = "jobs.operate"  // run now, cancel, pause: what makes nothing new
	JobsOutput       Operation = "jobs.output"   // what runs wrote
	JobsHost         Operation = "jobs.host"     // apply those whose script runs on the host
	ScriptsRun       Operation = "scripts.run"   // run a script once on a device
	LiveEngine       Operation = "live.engine"   // speak with a device's engine as it is, whatever policies say
	CommandsRead     Operation = "commands.read" // results and output too
	CommandsLook     Operation = "commands.look" // snapshot, logs: what changes nothing on the device
	CommandsGive     Operation = "commands.give" // start, stop, restart, kill
	CommandsRemove   Operation = "commands.remove"
	CommandsWithdraw Operation = "commands.withdraw"
	ReleasesRead     Operation = "releases.read"
	ReleasesChange   Operation = "releases.change"
	UpdatesRead      Operation = "updates.read"
	UpdatesStart     Operation = "updates.start"  // and pause, go on, end
	VariablesRead    Operation = "variables.read" // of groups and devices; values of secret ones are for nobody
	VariablesChange  Operation = "variables.change"
	RegistriesRead   Operation = "registries.read" // passwords are for nobody
	RegistriesChange Operation = "registries.change"
	EventsRead       Operation = "events.read"
	SecretsRead      Operation = "secrets.read" // environment, variables and credentials unmasked
	AccessRead       Operation = "access.read"  // people, teams and who may what
	AccessChange     Operation = "access.change"
	PeopleChange     Operation = "people.change" // accounts and teams
	AuditRead        Operation = "audit.read"
	HubRead          Operation = "hub.read" // settings, metrics, size of the store
	HubChange        Operation = "hub.change"
	BackupMake       Operation = "backup.make" // who may has, with its passphrase, all that the hub has
)

// Role is a named set of operations that is granted on a group or a device.
type Role string

// The roles. The reference system of the field calls the second an environment administrator. A role for namespaces of
// Kubernetes will come with it.
const (
	RoleAdministrator       Role = "administrator"
	RoleDeviceAdministrator Role = "device-administrator"
	RoleEdgeAdministrator   Role = "edge-administrator"
	RoleOperator            Role = "operator"
	RoleHelpdesk            Role = "helpdesk"
	RoleStandardUser        Role = "standard-user"
	RoleReadOnlyUser        Role = "read-only-user"
	RoleInstaller           Role = "installer"
)

// reach is how far an operation of a role goes.
type reach byte

const (
	none   reach = iota
	shared       // things that are the person's own, their team's, or public
	every        // all things in the group
)

// column is the order of the roles in the table below.
var column = [...]Role{
	RoleAdministrator, RoleDeviceAdministrator, RoleEdgeAdministrator, RoleOperator, RoleHelpdesk, RoleStandardUser, RoleReadOnlyUser, RoleInstaller,
}

const (
	o = none
	s = shared
	e = every
)

// table says which role may do which operation, and how far. It is the only place that does. An operation that is not
// here is allowed to nobody. What belongs to the hub as a whole needs a role on the root group.
var table = []struct {
	op    Operation
	roles [len(column)]reach
}{
	//                 administrator, device-, edge-administrator, operator, helpdesk, standard, read-only, installer
	{DevicesRead, [...]reach{e, e, e, e, e, e, e, o}},
	{DevicesChange, [...]reach{e, e, e, o, o, o, o, o}},
	{DevicesRevoke, [...]reach{e, e, e, o, o, o, o, o}},
	{DevicesLift, [...]reach{e, e, e, e, o, o, o, o}},
	{GroupsRead, [...]reach{e, e, e, e, e, e, e, e}},
	{GroupsChange, [...]reach{e, e, e, o, o, o, o, o}},
	{PolicyChange, [...]reach{e, e, o, o, o, o, o, o}},
	{PolicyExempt, [...]reach{e, e, o, o, o, o, o, o}},
	{ProfilesRead, [...]reach{e, e, e, e, e, e, e, e}},
	{ProfilesChange, [...]reach{e, o, e, o, o, o, o, o}},
	{SnapshotsRead, [...]reach{e, e, e, e, e, s, s, o}},
	{WaitingRead, [...]reach{e, e, e, o, o, o, o, e}},
	{WaitingApprove, [...]reach{e, e, e, o, o, o, o, e}},
	{WaitingReject, [...]reach{e, e, e, o, o, o, o, e}},
	{KeysRead, [...]reach{e, e, e, o, o, o, o, o}},
	{KeysCreate, [...]reach{e, e, e, o, o, o, o, o}},
	{KeysRemove, [...]reach{e, e, e, o, o, o, o, o}},
	{StacksRead, [...]reach{e, e, e, e, e, s, s, o}},
	{StacksApply, [...]reach{e, e, e, o, o, s, o, o}},
	{StacksRemove, [...]reach{e, e, e, o, o, s, o, o}},
	{StacksOperate, [...]reach{e, e, e, e, o, s, o, o}},
	{RolloutsApprove, [...]reach{e, e, e, e, o, o, o, o}},
	{EdgeGroupsRead, [...]reach{e, e, e, e, e, s, s, o}},
	{EdgeGroupsChange, [...]reach{e, e, e, o, o, s, o, o}},
	{EdgeGroupsRemove, [...]reach{e, e, e, o, o, s, o, o}},
	{StacksSource, [...]reach{e, e, e, o, o, o, o, o}},
	{JobsRead, [...]reach{e, e, e, e, e, s, s, o}},
	{JobsApply, [...]reach{e, e, e, o, o, s, o, o}},
	{JobsRemove, [...]reach{e, e, e, o, o, s, o, o}},
	{JobsOperate, [...]reach{e, e, e, e, o, s, o, o}},
	{JobsOutput, [...]reach{e, e, e, e, e, s, s, o}},
	{JobsHost, [...]reach{e, e, e, o, o, o, o, o}},
	{ScriptsRun, [...]reach{e, e, e, o, o, o, o, o}},
	{LiveEngine, [...]reach{e, e, o, o, o, o, o, o}},
	{CommandsRead, [...]reach{e, e, e, e, e, s, s, o}},
	{CommandsLook, [...]reach{e, e, e, e, e, s, s, o}},
	{CommandsGive, [...]reach{e, e, e, e, o, s, o, o}},
	{CommandsRemove, [...]reach{e, e, e, o, o, s, o, o}},
	{CommandsWithdraw, [...]reach{e, e, e, e, o, s, o, o}},
	{ReleasesRead, [...]reach{e, e, e, e, e, o, e, o}},
	{ReleasesChange, [...]reach{e, o, e, o, o, o, o, o}},
	{UpdatesRead, [...]reach{e, e, e, e, e, o, e, o}},
	{UpdatesStart, [...]reach{e, e, e, o, o, o, o, o}},
	{VariablesRead, [...]reach{e, e, e, e, e, e, o, o}},
	{VariablesChange, [...]reach{e, e, e, o, o, o, o, o}},
	{RegistriesRead, [...]reach{e, e, e, e, e, e, o, o}},
	{RegistriesChange, [...]reach{e, e, e, o, o, o, o, o}},
	{EventsRead, [...]reach{e, e, e, e, e, e, e, e}},
	{SecretsRead, [...]reach{e, e, e, o, o, s, o, o}},
	{AccessRead, [...]reach{e, e, o, o, o, o, o, o}},
	{AccessChange, [...]reach{e, e, o, o, o, o, o, o}},
	{PeopleChange, [...]reach{e, o, o, o, o, o, o, o}},
	{AuditRead, [...]reach{e, o, o, o, o, o, o, o}},
	{HubRead, [...]reach{e, o, e, o, o, o, o, o}},
	{HubChange, [...]reach{e, o, o, o, o, o, o, o}},
	{BackupMake, [...]reach{e, o, o, o, o, o, o, o}},
}

// Operations gives all operations.
func Operations() []Operation {
	out := make([]Operation, len(table))
	for i, row := range table {
		out[i] = row.op
	}
	return out
}

// Roles gives all roles, the mightiest first.
func Roles() []Role { return slices.Clone(column[:]) }

// Known reports whether there is such a role.
func (r Role) Known() bool { return slices.Contains(column[:], r) }

// May says what a role may do with all things of a group, and with those only that are the person's own, their team's,
// or public.
func (r Role) May() (all, own []Operation) {
	for _, row := range table {
		switch r.reach(row.op) {
		case every:
			all = append(all, row.op)
		case shared:
			own = append(own, row.op)
		}
	}
	return all, own
}

func (r Role) reach(op Operation) reach {
	col := slices.Index(column[:], r)
	if col < 0 {
		return none
	}
	for _, row := range table {
		if row.op == op {
			return row.roles[col]
		}
	}
	return none
}

// Within reports whether r allows nothing that other does not.
func (r Role) Within(other Role) bool {
	for _, row := range table {
		if r.reach(row.op) > other.reach(row.op) {
			return false
		}
	}
	return r.Known()
}

// Says tells in a sentence what a role is for.
func (r Role) Says() string {
	switch r {
	case RoleAdministrator:
		return "May do everything there; on the root group also with people, the audit trail and the hub itself."
	case RoleDeviceAdministrator:
		return "May do everything with devices, stacks, jobs and access there, and is not bound by policies."
	case RoleEdgeAdministrator:
		return "Brings devices in, and works with devices, groups, stacks, jobs and link profiles; says nothing about who has access."
	case RoleOperator:
		return "Runs what is there: starts, stops and redeploys, and makes or removes nothing."
	case RoleHelpdesk:
		return "Sees everything there but secrets, reads logs, and changes nothing."
	case RoleStandardUser:
		return "Makes and runs stacks, and jobs in containers, of their own, and works with those of their team and public ones."
	case RoleReadOnlyUser:
		return "Sees devices, and stacks and jobs of their own, of their team, and public ones."
	case RoleInstaller:
		return "Lets devices in from the waiting room, and sees nothing else of them."
	}
	return ""
}
