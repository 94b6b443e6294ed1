package resource

import "github.com/farshore/farshore/protocol"

// Preview is what applying a stack would change.
type Preview struct {
	Exists bool `json:"exists" doc:"There is a stack of this name"`
	// Changed: applying it would change anything: content, devices or what becomes of volumes.
	Changed    bool             `json:"changed" doc:"Applying it would change anything"`
	VersionNow uint64           `json:"version_now" doc:"The latest version there is; 0: none"`
	Services   []PreviewService `json:"services" nullable:"false" doc:"By name"`
	Files      []PreviewFile    `json:"files" nullable:"false" doc:"By path"`
	Images     []string         `json:"images" nullable:"false" doc:"Image references that the version there is now does not use"`
	Devices    PreviewCounts    `json:"devices"`
	Items      []PreviewDevice  `json:"items" nullable:"false" doc:"Devices for which something changes, at most 500: removed ones first, then added, then updated"`
	Warnings   []string         `json:"warnings" nullable:"false" doc:"Sentences about what works and is perhaps not meant"`
	EdgeGroups []PreviewGroup   `json:"edge_groups" nullable:"false" doc:"The edge groups that it names and you see, and how many devices each has"`
	Words      string           `json:"words" doc:"The plan of rollouts as sentences"`
	Rollout    bool             `json:"rollout" doc:"A rollout would be begun"`
	Batches    []int            `json:"batches" nullable:"false" doc:"Devices in each batch of it, if all can change, at most 50 batches; one where all change at once"`
	Rest       int              `json:"rest,omitempty" doc:"Devices in further batches"`
	UnderWay   *Rollout         `json:"under_way,omitempty" doc:"A rollout that is under way: say with during whether to replace it, or to queue"`
}

// PreviewGroup is an edge group that a stack names.
type PreviewGroup struct {
	Name    string `json:"name"`
	Devices int    `json:"devices" doc:"In it, as far as you see them"`
	Exclude bool   `json:"exclude,omitempty" doc:"Its devices do not get the stack; absent: they may"`
}

// PreviewService is a service of a stack and what becomes of it.
type PreviewService struct {
	Name     string `json:"name"`
	Change   string `json:"change" enum:"added,changed,removed,same"`
	Image    string `json:"image" doc:"As it will be used; of a service that goes, as it was"`
	ImageWas string `json:"image_was,omitempty" doc:"Where it is another now"`
}

// PreviewFile is a file of a stack and what becomes of it.
type PreviewFile struct {
	Path   string `json:"path"`
	Change string `json:"change" enum:"added,changed,removed,same"`
}

// PreviewCounts counts devices by what becomes of the stack there.
type PreviewCounts struct {
	Total   int `json:"total" doc:"Devices that shall have the stack then"`
	Added   int `json:"added"`
	Updated int `json:"updated"`
	Removed int `json:"removed"`
	Same    int `json:"same"`
}

// PreviewDevice is a device for which something changes.
type PreviewDevice struct {
	ID     protocol.DeviceID `json:"id"`
	Name   string            `json:"name"`
	Group  string            `json:"group"`
	State  string            `json:"state" enum:"on-time,late,overdue,quiet,never-seen,revoked" doc:"Liveness"`
	Change string            `json:"change" enum:"added,updated,removed"`
}
