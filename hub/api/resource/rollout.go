package resource

import (
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/rollout"
)

// RolloutPlan says in which steps a version is brought to devices, and in which order they go.
type RolloutPlan struct {
	rollout.Plan
	Order *RolloutOrder `json:"order,omitempty" doc:"By which label devices go; it makes the plan go by order"`
}

// RolloutOrder is a label by whose value devices go.
type RolloutOrder struct {
	Label  string   `json:"label" maxLength:"317" example:"ring"`
	Values []string `json:"values,omitempty" maxItems:"32" doc:"Its values, those that go first in front; absent: they are numbers, the lowest first. What has none of them goes last" example:"[\"canary\",\"early\"]"`
}

// How is how a rollout is made.
type How struct {
	During string    `json:"during,omitempty" enum:"replace,queue" doc:"While a rollout of the stack is under way: replace ends it where it is, queue waits for it; absent: it is refused then"`
	Begin  time.Time `json:"begin,omitzero" doc:"When the first batch may start; absent: at once"`
}

// Deploy brings a version to the devices of a stack.
type Deploy struct {
	Version uint64       `json:"version,omitempty" doc:"Number of a version that is kept; absent: the one that they shall have already"`
	Force   bool         `json:"force,omitempty" doc:"Devices that have it apply it again"`
	Plan    *RolloutPlan `json:"plan,omitempty" doc:"For this once, which needs the right to apply the stack; absent: the stack's own"`
	How
	Message string `json:"message,omitempty" maxLength:"1024"`
}

// Rollout brings one version of a stack to its devices.
type Rollout struct {
	Stack   string `json:"stack"`
	Number  uint64 `json:"number" doc:"From 1 within the stack"`
	Version uint64 `json:"version" doc:"That devices shall have"`
	Force   bool   `json:"force,omitempty" doc:"Devices that have the version apply it again"`

	Phase  string    `json:"phase" enum:"planned,running,soaking,paused,rolling-back,done,failed,aborted" doc:"done: it has reached all; of one without batches that is so when it begins, and the stack's states say how far devices are"`
	Why    string    `json:"why,omitempty" doc:"What it waits for, or why it is paused or over; absent also where you see a part of its devices"`
	Next   time.Time `json:"next,omitzero" doc:"When something happens by itself"`
	Queued bool      `json:"queued,omitempty" doc:"It waits for the one before it"`

	Plan  RolloutPlan `json:"plan"`
	Words string      `json:"words" doc:"The plan as sentences"`

	Devices map[string]int `json:"devices" doc:"Devices by where they stand in it: waiting, chosen, started, succeeded, failed, returning, returned, stuck. None where it has no batches"`
	Batch   uint32         `json:"batch" doc:"Number of the latest batch; 0: none yet"`
	Batches []UpdateBatch  `json:"batches" nullable:"false" doc:"Those that were begun, the first in front"`
	Partial bool           `json:"partial,omitempty" doc:"You see a part of its devices, and these are counted"`

	By         string    `json:"by,omitempty"`
	Message    string    `json:"message,omitempty"`
	Created    time.Time `json:"created"`
	Begin      time.Time `json:"begin,omitzero" doc:"Before which it does not begin"`
	Begun      time.Time `json:"begun,omitzero"`
	Ended      time.Time `json:"ended,omitzero"`
	Approve    bool      `json:"approve,omitempty" doc:"Devices fetch the version, and apply it when somebody has approved it"`
	Approved   time.Time `json:"approved,omitzero"`
	ApprovedBy string    `json:"approved_by,omitempty"`

	Data *RolloutData `json:"data,omitempty" doc:"What it was thought to cost, and what it has cost; absent where nothing is known, and where you see a part of its devices"`
}

// RolloutDevice is one device of a rollout.
type RolloutDevice struct {
	Device     protocol.DeviceID `json:"device"`
	DeviceName string            `json:"device_name"`
	Group      string            `json:"group" doc:"Of the device; empty: the root"`
	State      string            `json:"state" enum:"waiting,chosen,started,succeeded,failed,returning,returned,stuck" doc:"Where it stands in the rollout"`
	Batch      uint32            `json:"batch,omitempty" doc:"Absent: none yet, or it needed no change"`
	Attempt    uint32            `json:"attempt,omitempty" doc:"How often it was tried again"`
	Code       string            `json:"code,omitempty" doc:"A stable word for why it failed, or cannot change now"`
	Next       time.Time         `json:"next,omitzero" doc:"When it could change"`
	Now        DeviceStack       `json:"now" doc:"Where the stack stands there"`
}

// RolloutDevices are a page of the devices of a rollout.
type RolloutDevices struct {
	Total int             `json:"total" doc:"That fit, on all pages"`
	Items []RolloutDevice `json:"items" nullable:"false" doc:"By batch, those in none last"`
}

// VersionDiff is what differs between two versions of a stack.
type VersionDiff struct {
	From   uint64            `json:"from"`
	To     uint64            `json:"to"`
	Same   bool              `json:"same,omitempty" doc:"They have the same content"`
	Masked bool              `json:"masked,omitempty" doc:"Some values are hidden, as you may not see secrets there"`
	Files  []stacks.FileDiff `json:"files" nullable:"false" doc:"Those that differ, by path"`
	Env    []NameDiff        `json:"env" nullable:"false" doc:"Variables that differ, by name; never with their values"`
	// Options beside files and variables.
	Options []OptionDiff `json:"options" nullable:"false" doc:"What else differs"`
}

// NameDiff is what became of something that is named and not shown.
type NameDiff struct {
	Name   string            `json:"name"`
	Change stacks.FileChange `json:"change" enum:"added,removed,changed"`
}

// OptionDiff is an option that differs.
type OptionDiff struct {
	Name string `json:"name" example:"pull"`
	From string `json:"from"`
	To   string `json:"to"`
}

// DeviceBundle is what one device is given of a version of a stack.
type DeviceBundle struct {
	Version uint64            `json:"version"`
	Files   map[string][]byte `json:"files" doc:"As the device has them, its own and its groups' in their places; in base64"`
	Env     map[string]string `json:"env" doc:"Variables for Compose that are not secret"`
	Secret  []string          `json:"secret" nullable:"false" doc:"Names of those that are"`
	Masked  bool              `json:"masked,omitempty" doc:"Some values are hidden, as you may not see secrets there"`
	Meant   bool              `json:"meant" doc:"The stack is meant for the device; false: this is what it would be given"`
	Code    string            `json:"code,omitempty" doc:"A stable word for why the device cannot be given it"`
	Why     string            `json:"why,omitempty" doc:"The same as a sentence"`
}

// StackGroup are the devices of a stack in one group.
type StackGroup struct {
	Group   string         `json:"group" doc:"Of the devices themselves, not of those below it; empty: the root"`
	Devices int            `json:"devices"`
	States  map[string]int `json:"states" doc:"Devices by state"`
}
