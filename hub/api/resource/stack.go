package resource

import (
	"time"

	"github.com/farshore/farshore/protocol"
)

// Apply makes a stack what it says.
type Apply struct {
	Selector *string `json:"selector,omitempty" doc:"Devices that shall have the stack; absent: as it is, and all devices for a new one" example:"site=oslo, farshore.io/arch in (amd64, arm64)"`
	Group    *string `json:"group,omitempty" doc:"Home of the stack: of the devices that the selector names, those in this group or below it get it; absent: as it is, and the root for a new one"`
	Owner    *Owner  `json:"owner,omitempty" doc:"Whose it is; absent: as it is. A new one is administrators', or yours where you may not apply those"`
	// Files of the bundle by path, all of them.
	Files         map[string][]byte `json:"files" doc:"All files of the bundle by path, in base64; one is compose.yml" nullable:"false"`
	Env           map[string]string `json:"env,omitempty" doc:"Variables for Compose, all of them but those in keep_env; kept encrypted and never given back"`
	KeepEnv       *KeepEnv          `json:"keep_env,omitempty" doc:"Variables that have the value of an earlier version; what env gives counts more"`
	Pull          string            `json:"pull,omitempty" enum:"missing,always,never" doc:"When images are asked of a registry; absent: missing"`
	RemoveVolumes *bool             `json:"remove_volumes,omitempty" doc:"Named volumes go with the stack when it is removed; absent: as it is"`
	Message       string            `json:"message,omitempty" maxLength:"1024"`
}

// Owner says whose a thing is, and so who reaches it with a role that reaches only what is shared with them.
type Owner struct {
	Visibility protocol.Visibility `json:"visibility" enum:"administrators,private,team,public" doc:"private: one account's. public: everybody's who has a role where it is"`
	Account    string              `json:"account,omitempty" maxLength:"128" doc:"With private; absent in a request: yours"`
	Team       string              `json:"team,omitempty" maxLength:"128" doc:"With team"`
}

// KeepEnv names variables of a version.
type KeepEnv struct {
	Version uint64   `json:"version" doc:"Number of a version of the same stack that is kept"`
	Names   []string `json:"names" nullable:"false" maxItems:"1000"`
}

// Stack is a stack with how far its devices are.
type Stack struct {
	ID            uint64  `json:"id"`
	Name          string  `json:"name"`
	Selector      string  `json:"selector" doc:"Empty: all devices"`
	Group         string  `json:"group" doc:"Its home: the selector names devices in this group or below it. Empty: the root"`
	Owner         Owner   `json:"owner"`
	Version       uint64  `json:"version" doc:"The latest: what devices shall have"`
	Current       Version `json:"current"`
	RemoveVolumes bool    `json:"remove_volumes"`
	FromGit       bool    `json:"from_git,omitempty" doc:"It comes from a repository: see its source"`
	// Devices is how many shall have the stack, or still have to give it up.
	Devices int            `json:"devices"`
	States  map[string]int `json:"states" doc:"Devices by state"`
	Created time.Time      `json:"created"`
	Updated time.Time      `json:"updated"`
	// Removed is set while devices still have to give it up.
	Removed   time.Time `json:"removed,omitzero" doc:"It is being removed: devices that are away still have to give it up"`
	RemovedBy string    `json:"removed_by,omitempty"`
	Etag      string    `json:"etag" doc:"Changes with what can be edited: give it as If-Match"`
}

// Version is one version of a stack.
type Version struct {
	Number  uint64          `json:"number"`
	Files   []protocol.File `json:"files" nullable:"false"`
	Env     []string        `json:"env,omitempty" doc:"Names of the variables"`
	Pull    string          `json:"pull"`
	Author  string          `json:"author,omitempty"`
	Message string          `json:"message,omitempty"`
	Source  string          `json:"source,omitempty" doc:"Where it comes from, such as a commit: git ID REF"`
	Created time.Time       `json:"created"`
}

// Bundle are the files of a version.
type Bundle struct {
	Version uint64            `json:"version"`
	Files   map[string][]byte `json:"files" doc:"In base64"`
	Masked  bool              `json:"masked,omitempty" doc:"Some values are hidden, as you may not see secrets there"`
}

// DeviceStack is where a stack stands on a device.
type DeviceStack struct {
	Device     protocol.DeviceID `json:"device"`
	DeviceName string            `json:"device_name"`
	Stack      string            `json:"stack"`
	State      string            `json:"state" enum:"pending,offered,fetching,applying,verifying,running,degraded,failed,removing,removed,waiting"`
	Version    uint64            `json:"version,omitempty" doc:"What the device shall have; absent: nothing (any more)"`
	Running    uint64            `json:"running,omitempty" doc:"The version that runs, as the device said last"`
	Code       string            `json:"code,omitempty" doc:"A stable word for the reason"`
	Detail     string            `json:"detail,omitempty"`
	At         time.Time         `json:"at,omitzero" doc:"When the device entered the state"`
}

// NewCommand asks something of a device.
type NewCommand struct {
	Kind           protocol.CommandKind `json:"kind" doc:"container.start, container.stop, container.restart, container.kill, container.remove, container.logs, stack.redeploy, image.remove, volume.remove or snapshot" example:"container.restart"`
	Target         string               `json:"target,omitempty" doc:"A container's name or id, an image, a volume, or a stack's name or id"`
	Tail           uint32               `json:"tail,omitempty" doc:"Lines of log; 0: 100"`
	Signal         string               `json:"signal,omitempty" doc:"For a kill; absent: SIGKILL"`
	TimeoutSeconds uint32               `json:"timeout_seconds,omitempty" doc:"Before a stop kills; 0: the container's own"`
	Force          bool                 `json:"force,omitempty"`
	Urgent         bool                 `json:"urgent,omitempty" doc:"Before all others"`
	TTLSeconds     uint32               `json:"ttl_seconds,omitempty" doc:"How long it may wait for the device; 0: 24 h"`
}

// Command is a command and what became of it.
type Command struct {
	ID             protocol.CommandID `json:"id"`
	Device         protocol.DeviceID  `json:"device"`
	DeviceName     string             `json:"device_name,omitempty"`
	Kind           string             `json:"kind"`
	Target         string             `json:"target,omitempty"`
	Tail           uint32             `json:"tail,omitempty"`
	Signal         string             `json:"signal,omitempty"`
	TimeoutSeconds uint32             `json:"timeout_seconds,omitempty"`
	Force          bool               `json:"force,omitempty"`
	Urgent         bool               `json:"urgent,omitempty"`
	State          string             `json:"state" enum:"queued,sent,done,failed,expired,interrupted,refused,withdrawn"`
	Final          bool               `json:"final" doc:"It will not change any more"`
	// Text is a sentence about the end.
	Text        string    `json:"text,omitempty"`
	By          string    `json:"by"`
	Given       time.Time `json:"given"`
	Expires     time.Time `json:"expires" doc:"The last moment at which it may start"`
	Sent        time.Time `json:"sent,omitzero" doc:"When the device took it"`
	Started     time.Time `json:"started,omitzero" doc:"By the device's clock"`
	Ended       time.Time `json:"ended,omitzero" doc:"When the hub learned of the end"`
	HubsWord    bool      `json:"hubs_word,omitempty" doc:"The hub ended it without word from the device"`
	Withdrawing bool      `json:"withdrawing,omitempty" doc:"The device was asked not to start it"`
	// OutputBytes is how much output there is, what is still on its way included; see the command's output.
	OutputBytes   uint64 `json:"output_bytes,omitempty" doc:"How much output there is, what is still on its way included"`
	OutputDropped uint64 `json:"output_dropped_bytes,omitempty" doc:"Cut from the front on the device"`
	OutputLost    bool   `json:"output_lost,omitempty" doc:"Pieces were lost on the way"`
	// Output is given where one command is asked for.
	Output string `json:"output,omitempty" doc:"Given where one command is asked for"`
}
