package resource

import (
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/rollout"
)

// Release is one release of agent and composer on the hub.
type Release struct {
	Version  string           `json:"version" example:"v1.3.0"`
	Created  time.Time        `json:"created,omitzero" doc:"When it was made, as it says"`
	Added    time.Time        `json:"added" doc:"When it came to the hub"`
	Programs []ReleaseProgram `json:"programs" nullable:"false"`
}

// ReleaseProgram is one program of a release.
type ReleaseProgram struct {
	Name     string        `json:"name"`
	Platform string        `json:"platform" example:"linux/arm64"`
	Hash     protocol.Hash `json:"hash"`
	Size     uint64        `json:"size"`
}

// UpdateSpec says which devices get which release, and how.
type UpdateSpec struct {
	Release    string         `json:"release" maxLength:"128" example:"v1.3.0"`
	Selector   string         `json:"selector,omitempty" maxLength:"4096" doc:"Absent: all devices of the group"`
	Group      string         `json:"group,omitempty" maxLength:"512" doc:"Devices of the group and below it; absent: all"`
	Plan       rollout.Plan   `json:"plan,omitzero"`
	OrderLabel string         `json:"order_label,omitempty" maxLength:"317" doc:"Label whose value, a number, is a device's order for the plan's by_order; devices without it go last" example:"ring"`
	Windows    []ChangeWindow `json:"windows,omitempty" maxItems:"16" doc:"When a device may change; absent: at any time"`
	// Begin is when the first batch may start.
	Begin        time.Time `json:"begin,omitzero" doc:"Absent: at once"`
	TrialSeconds uint32    `json:"trial_seconds,omitempty" maximum:"86400" doc:"Within which time a new agent must be in session with the hub, or the old one comes back; absent: 300"`
	Downgrade    bool      `json:"allow_downgrade,omitempty" doc:"Devices that run something newer get it too"`
	Message      string    `json:"message,omitempty" maxLength:"1024"`
}

// ChangeWindow is a time that comes again and again.
type ChangeWindow = protocol.ChangeWindow

// Update is devices changing to a release.
type Update struct {
	ID string `json:"id"`
	UpdateSpec
	Phase string `json:"phase" enum:"planned,running,soaking,paused,rolling-back,done,failed,aborted"`
	// Why says what it waits for, or why it is paused or over.
	Why     string         `json:"why,omitempty" doc:"What it waits for, or why it is paused or over"`
	Words   string         `json:"words" doc:"The plan as sentences"`
	By      string         `json:"by"`
	Created time.Time      `json:"created"`
	Ended   time.Time      `json:"ended,omitzero"`
	Next    time.Time      `json:"next,omitzero" doc:"When it is looked at again by itself"`
	Devices map[string]int `json:"devices" doc:"Devices by state: waiting, chosen, started, succeeded, failed, returning, returned, stuck"`
	Batch   uint32         `json:"batch" doc:"Number of the latest batch; 0: none yet"`
	Batches []UpdateBatch  `json:"batches" nullable:"false" doc:"The latest hundred"`
	Bytes   uint64         `json:"bytes" doc:"That devices were given to fetch"`
}

// UpdateBatch is one batch of an update.
type UpdateBatch struct {
	Number  uint32         `json:"number"`
	Devices map[string]int `json:"devices" doc:"Devices by state"`
}

// UpdateDevice is one device of an update.
type UpdateDevice struct {
	Device     protocol.DeviceID  `json:"device"`
	DeviceName string             `json:"device_name,omitempty"`
	State      string             `json:"state" enum:"waiting,chosen,started,succeeded,failed,returning,returned,stuck"`
	Batch      uint32             `json:"batch,omitempty"`
	Version    string             `json:"version,omitempty" doc:"What it runs, as it said last"`
	From       string             `json:"from,omitempty" doc:"What it ran before the update"`
	Code       string             `json:"code,omitempty" doc:"A stable word for why it failed or waits"`
	Text       string             `json:"text,omitempty" doc:"What the device said"`
	Next       time.Time          `json:"next,omitzero" doc:"When it could change"`
	Command    protocol.CommandID `json:"command,omitempty"`
	Bytes      uint64             `json:"bytes,omitempty"`
	Patch      bool               `json:"patch,omitempty"`
	Ended      time.Time          `json:"ended,omitzero"`
}

// UpdateEstimate is what an update would be.
type UpdateEstimate struct {
	Words string `json:"words" doc:"The plan as sentences"`
	// Devices that are meant.
	Devices   int            `json:"devices"`
	Codes     map[string]int `json:"codes" doc:"Devices by why they would not get it, or not now; current: they have it"`
	Bytes     uint64         `json:"bytes" doc:"That devices would fetch together"`
	Preparing int            `json:"preparing" doc:"Kinds of devices whose programs are being made ready, so that their bytes are not known yet: ask again in a few seconds"`
	// Items are at most 500 of them.
	Items []UpdateEstimated `json:"items" nullable:"false" doc:"At most 500 of the devices"`
}

// UpdateEstimated is one device of an estimate.
type UpdateEstimated struct {
	Device  protocol.DeviceID `json:"device"`
	Name    string            `json:"name"`
	Version string            `json:"version,omitempty"`
	Code    string            `json:"code,omitempty"`
	Bytes   uint64            `json:"bytes,omitempty"`
	Patch   bool              `json:"patch,omitempty"`
	Ready   bool              `json:"ready" doc:"Its bytes are known"`
}
