package resource

import "github.com/farshore/farshore/protocol"

// Position is a place on earth in decimal degrees.
type Position struct {
	Lat float64 `json:"lat" minimum:"-90" maximum:"90" doc:"North is positive"`
	Lon float64 `json:"lon" minimum:"-180" maximum:"180" doc:"East is positive"`
}

// FoundIn is a text of a device in which a search found something.
type FoundIn struct {
	Kind string `json:"kind" enum:"name,id,host,group,label,container,image,digest"`
	Text string `json:"text" doc:"The whole text, as the device or an operator gave it"`
}

// Positions are the devices of a list that have a position.
type Positions struct {
	Items   []DevicePosition `json:"items" nullable:"false"`
	Without int              `json:"without" doc:"How many fit and have no position"`
}

// DevicePosition is where a device is.
type DevicePosition struct {
	ID    protocol.DeviceID `json:"id"`
	Name  string            `json:"name"`
	State string            `json:"state" enum:"on-time,late,overdue,quiet,never-seen,revoked"`
	Position
}

// Bulk does one thing to many devices: those of IDs, or those that Filter finds.
type Bulk struct {
	IDs    []protocol.DeviceID `json:"ids,omitempty" nullable:"false" minItems:"1" maxItems:"10000" doc:"Either ids or filter"`
	Filter *DeviceFilter       `json:"filter,omitempty" doc:"As in the list of devices; an empty one fits all that are not revoked"`
	Expect *int                `json:"expect,omitempty" minimum:"0" doc:"How many devices it is about to the caller's knowledge; required with a filter. Where it is another number, nothing is done"`
	Do     BulkDo              `json:"do"`
}

// DeviceFilter names devices by what they have in common: all that is given must fit.
type DeviceFilter struct {
	Selector string   `json:"selector,omitempty"`
	Search   string   `json:"q,omitempty"`
	State    []string `json:"state,omitempty" nullable:"false" enum:"on-time,late,overdue,quiet,never-seen,revoked"`
	Group    string   `json:"group,omitempty"`
	Mode     string   `json:"mode,omitempty" enum:"async,standard"`
	Profile  string   `json:"profile,omitempty"`
	Version  string   `json:"version,omitempty"`
	Stack    string   `json:"stack,omitempty"`
	Stage    string   `json:"stage,omitempty" enum:"free,saving,last,silent"`
	Trouble  bool     `json:"trouble,omitempty"`
}

// BulkDo is what is done to each: exactly one of its fields is given.
type BulkDo struct {
	Patch   *BulkPatch  `json:"patch,omitempty"`
	Command *NewCommand `json:"command,omitempty"`
	Revoke  bool        `json:"revoke,omitempty" doc:"Shut them out for good"`
	Remove  bool        `json:"remove,omitempty" doc:"Forget them"`
	Confirm bool        `json:"confirm,omitempty" doc:"Note that their identity was checked"`
}

// BulkPatch changes devices. What is absent stays.
type BulkPatch struct {
	Group   *string            `json:"group,omitempty" doc:"It is made when it does not exist; empty: the root"`
	Profile *string            `json:"profile,omitempty" doc:"Name of a link profile; empty: inherited"`
	Labels  map[string]*string `json:"labels,omitempty" doc:"Merged with each device's own; null removes one"`
}

// BulkResult is what became of the devices.
type BulkResult struct {
	Items  []Outcome `json:"items" maxItems:"1000" nullable:"false" doc:"Those that failed first; at most 1000"`
	Done   int       `json:"done"`
	Failed int       `json:"failed"`
}
