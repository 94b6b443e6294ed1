package resource

import (
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

// Apply makes a stack what it says.
type Apply struct {
	Selector *string   `json:"selector,omitempty" doc:"Devices that shall have the stack; absent: as it is, and all devices for a new one" example:"site=oslo, farshore.io/arch in (amd64, arm64)"`
	Group    *string   `json:"group,omitempty" doc:"Home of the stack: of the devices that the selector names, those in this group or below it get it; absent: as it is, and the root for a new one"`
	Owner    *Owner    `json:"owner,omitempty" doc:"Whose it is; absent: as it is. A new one is administrators', or yours where you may not apply those"`
	Include  *[]string `json:"include,omitempty" maxItems:"64" doc:"Names of edge groups: only devices that are in one of them; empty: any; absent: as it is"`
	Exclude  *[]string `json:"exclude,omitempty" maxItems:"64" doc:"Names of edge groups: no device that is in one of them; absent: as it is"`
	// Files of the bundle by path, all of them.
	Files   map[string][]byte `json:"files,omitempty" doc:"All files of the bundle by path, in base64; one is compose.yml. Absent: the stack's latest version stays, and what else a version has cannot be given"`
	Env     map[string]string `json:"env,omitempty" doc:"Variables for Compose, all of them but those in keep_env; kept encrypted. Who may see secrets can look at those that are not called secret"`
	Secret  *[]string         `json:"secret,omitempty" maxItems:"1000" doc:"Names of variables that nobody is given back, and that are sealed on their way to devices and kept sealed there; those that are kept stay so. Absent: those that were so in the latest version"`
	KeepEnv *KeepEnv          `json:"keep_env,omitempty" doc:"Variables that have the value of an earlier version; what env gives counts more"`
	Pull    string            `json:"pull,omitempty" enum:"missing,always,never" doc:"When images are asked of a registry; absent: missing"`
	Health  *stacks.Health    `json:"health,omitempty" doc:"When the version counts as good on a device; absent: as it is"`

	RemoveVolumes *bool              `json:"remove_volumes,omitempty" doc:"Named volumes go with the stack when it is removed; absent: as it is"`
	Change        *stacks.ChangeRule `json:"change,omitempty" doc:"When devices may be changed; absent: as it is, and at any time for a new one"`
	Plan          *RolloutPlan       `json:"plan,omitempty" doc:"In which steps this and later versions reach devices; absent: as it is, and all at once for a new one"`
	How
	Message string `json:"message,omitempty" maxLength:"1024"`
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
	ID            uint64            `json:"id"`
	Name          string            `json:"name"`
	Selector      string            `json:"selector" doc:"Empty: all devices"`
	Group         string            `json:"group" doc:"Its home: the selector names devices in this group or below it. Empty: the root"`
	Owner         Owner             `json:"owner"`
	Include       []string          `json:"include" nullable:"false" doc:"Edge groups, of which devices are in one; empty: any device"`
	Exclude       []string          `json:"exclude" nullable:"false" doc:"Edge groups, of which devices are in none"`
	Unseen        int               `json:"unseen_edge_groups,omitempty" doc:"How many more edge groups it names, which you do not see; they stay when you change the others"`
	Version       uint64            `json:"version" doc:"The latest"`
	Deployed      uint64            `json:"deployed,omitempty" doc:"The version that devices shall have which no rollout is changing; absent: none has reached all yet"`
	Current       Version           `json:"current" doc:"The latest"`
	RemoveVolumes bool              `json:"remove_volumes"`
	FromGit       bool              `json:"from_git,omitempty" doc:"It comes from a repository: see its source"`
	Change        stacks.ChangeRule `json:"change" doc:"When devices may be changed"`
	Plan          RolloutPlan       `json:"plan" doc:"In which steps new versions reach devices"`
	Words         string            `json:"words" doc:"The plan as sentences"`
	Rollout       *Rollout          `json:"rollout,omitempty" doc:"The latest that was begun"`
	NextRollout   *Rollout          `json:"next_rollout,omitempty" doc:"The one that waits for it"`
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
	Secret  []string        `json:"secret,omitempty" doc:"Names of those of them that are secret"`
	Pull    string          `json:"pull"`
	Health  stacks.Health   `json:"health" doc:"When it counts as good on a device"`
	Images  []string        `json:"images,omitempty" doc:"That it uses, as far as they can be known without a device"`
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
	State      string            `json:"state" enum:"pending,deferred,offered,fetching,fetched,waiting-for-window,applying,verifying,running,degraded,failed,rolling-back,rolled-back,removing,removed,waiting"`
	Version    uint64            `json:"version,omitempty" doc:"What the device shall have; absent: nothing (any more)"`
	Running    uint64            `json:"running,omitempty" doc:"The version that runs, as the device said last"`
	Code       string            `json:"code,omitempty" doc:"A stable word for the reason"`
	Detail     string            `json:"detail,omitempty"`
	DoneBytes  int64             `json:"done_bytes,omitempty" doc:"Of total_bytes, while it fetches; absent: not known"`
	TotalBytes int64             `json:"total_bytes,omitempty"`
	Hold       string            `json:"hold,omitempty" enum:"held,stopped,rolled-back" doc:"Somebody at the device took the stack in hand: held as it is, stopped, or brought back"`
	HeldBy     string            `json:"held_by,omitempty" doc:"Who, as the device says"`
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
	Urgent         bool                 `json:"urgent,omitempty" doc:"Before all others; near a hard cap it is done all the same, out of the reserve"`
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
	State          string             `json:"state" enum:"queued,sent,done,failed,expired,interrupted,refused,withdrawn,waiting"`
	Final          bool               `json:"final" doc:"It will not change any more"`
	// Text is a sentence about the end, or about what is waited for.
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
