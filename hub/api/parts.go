package api

import (
	"context"
	"iter"
	"net/netip"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/audit"
	"github.com/farshore/farshore/hub/backup"
	"github.com/farshore/farshore/hub/certificate"
	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/gate"
	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot/fold"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/stacks/rollout"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

// Accounts are who may sign in, and what they may do; *access.Access is one.
type Accounts interface {
	Login(access.SignIn) (access.Opened, error)
	Logout(session string) error
	Authenticate(bearerOrCookie string) (access.Principal, error)
	Authorize(access.Principal, access.Operation, access.Resource) error
	Scope(access.Principal, access.Operation) access.Scope
	RedeemLink(secret, name, password string) error
}

// Tokens are API tokens; *access.Access is one.
type Tokens interface {
	CreateToken(access.Principal, access.NewToken) (string, access.Token, error)
	Tokens(account string) []access.Token
	RemoveToken(p access.Principal, id string) error
}

// Trail is the audit trail; *audit.Log is one.
type Trail interface {
	Record(audit.Entry) error
	// RecordStranger is for what somebody did who is not signed in.
	RecordStranger(audit.Entry) error
}

// Events is the stream of what happened; *events.Bus is one.
type Events interface {
	Next(ctx context.Context, after uint64) ([]events.Event, error)
	Since(time.Time) uint64
}

// Devices is the fleet to look at; *fleet.Registry is one.
type Devices interface {
	Device(protocol.DeviceID) (fleet.Device, bool)
	Devices() []fleet.Device
	Sights(now time.Time) iter.Seq[fleet.Sight]
	Find(ref string, sees func(*fleet.Device) bool) (fleet.Device, error)
	LabelsOf(protocol.DeviceID) map[string]string
	Effective(protocol.DeviceID) (fleet.Effective, bool)
	Liveness(protocol.DeviceID, time.Time) fleet.Liveness
	Explain(protocol.DeviceID, time.Time) (fleet.Liveness, string)
}

// DeviceChanges is the fleet to change; *fleet.Registry is one.
type DeviceChanges interface {
	Update(protocol.DeviceID, func(*fleet.Device) error) (fleet.Device, error)
	Revoke(protocol.DeviceID) error
	Remove(protocol.DeviceID) error
	Replace(old, replacement protocol.DeviceID) error
}

// Groups is the device tree; *fleet.Registry is one.
type Groups interface {
	Groups() []fleet.Group
	EnsureGroup(path string) error
	PutGroup(g fleet.Group, expect func(*fleet.Group) error) (fleet.Group, error)
	RemoveGroup(path string) error
}

// Profiles are link profiles; *fleet.Registry is one.
type Profiles interface {
	Profiles() []fleet.Profile
	PutProfile(p fleet.Profile, expect func(*fleet.Profile) error) error
	RemoveProfile(name string) error
}

// Stacks is the planner to look at; *planner.Planner is one.
type Stacks interface {
	List() []planner.Overview
	Get(name string) (planner.Overview, error)
	Named(name string) (stacks.Stack, bool)
	Record(id uint64) (stacks.Stack, bool)
	Versions(name string) ([]stacks.Version, error)
	Bundle(name string, number uint64) (map[string][]byte, error)
	Statuses(name string) ([]planner.DeviceStatus, error)
	DeviceStacks(protocol.DeviceID) []planner.DeviceStatus
	Tally(protocol.DeviceID) planner.Tally
	GroupCounts(name string) (map[string]map[protocol.StackState]int, error)
	Rollouts(name string) ([]planner.RolloutView, error)
	Rollout(name string, number uint64) (planner.RolloutView, error)
	RolloutDevices(name string, number uint64) ([]planner.RolloutDevice, error)
	DeviceBundle(name string, number uint64, dev protocol.DeviceID) (planner.DeviceBundle, error)
}

// StackDesk is the planner to change; *planner.Planner is one.
type StackDesk interface {
	Apply(planner.ApplySpec) (stacks.Stack, stacks.Version, error)
	Preview(planner.ApplySpec) (planner.Preview, error)
	Remove(name, by string) error
	Deploy(planner.DeploySpec) (uint64, error)
	Act(name string, rollout uint64, action rollout.Action, by string) error
}

// Commands is the book of commands; *commands.Book is one.
type Commands interface {
	Give(commands.Spec) (commands.Record, error)
	Get(protocol.CommandID) (commands.Record, error)
	List(commands.Filter) ([]commands.Record, error)
	ReadOutput(protocol.CommandID) ([]byte, error)
	Withdraw(id protocol.CommandID, by string) (commands.Record, error)
	Open(protocol.DeviceID) int
}

// Snapshots are the known states of devices; *fold.Fold is one.
type Snapshots interface {
	Latest(protocol.DeviceID) (fold.State, error)
	LatestHash(protocol.DeviceID) (protocol.ShortHash, bool)
	AsOf(protocol.DeviceID, time.Time) (fold.State, error)
	History(protocol.DeviceID) ([]time.Time, error)
}

// WaitingRoom is where new devices wait; *admission.Desk is one.
type WaitingRoom interface {
	List() []waitingroom.Waiting
	Approve(context.Context, admission.Approval) (admission.Admitted, error)
	Reject(admission.Rejection) error
}

// Keys are enrolment keys; *admission.Desk is one.
type Keys interface {
	CreateKey(admission.KeySpec) (waitingroom.EnrolmentKey, string, error)
	Keys() []waitingroom.EnrolmentKey
	RemoveKey(idOrName string) (waitingroom.EnrolmentKey, error)
}

// Sessions knows who is connected; *session.Manager is one.
type Sessions interface {
	Connected() int
	SpentByAll() meter.Counts
	Skipped() uint64
}

// Protection of the ports; *gate.Gate is one.
type Protection interface {
	Settings() gate.Settings
	Change(context.Context, gate.Change) error
	Caller(context.Context) netip.Addr
	Refused() map[string]uint64
	// Take counts a request of an account, and says how long it has to wait; 0: not at all.
	Take(account string) time.Duration
}

// Certificates of browsers and the CLI; *certificate.Keeper is one.
type Certificates interface {
	Status() certificate.Status
	Put(chain, key []byte, check func(certificate.Status) error) error
	Remove(check func(certificate.Status) error) error
}

// Backups makes backups of the hub; *backup.Keeper is one.
type Backups interface {
	Make(context.Context, backup.Lock) (*backup.Copy, error)
	State() backup.State
	SetPlan(p backup.Plan, passphrase string) error
	RunNow(context.Context) (backup.Run, error)
}
