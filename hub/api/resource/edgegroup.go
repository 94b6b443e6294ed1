package resource

import (
	"time"

	"github.com/farshore/farshore/protocol"
)

// EdgeGroup is a named set of devices: those that are listed, those that a selector names, or both.
type EdgeGroup struct {
	ID          uint64              `json:"id" doc:"Never used again for another edge group"`
	Name        string              `json:"name"`
	Description string              `json:"description,omitempty"`
	Group       string              `json:"group" doc:"Its home: it has devices of this group, and of those below it, only. Empty: the root"`
	Selector    string              `json:"selector,omitempty" doc:"Names devices by their labels. Empty: none"`
	Listed      int                 `json:"listed" doc:"How many devices are listed that you may see"`
	Devices     []protocol.DeviceID `json:"devices,omitempty" doc:"Those that are listed; not in lists of edge groups"`
	Members     int                 `json:"members" doc:"How many devices are in it now that you may see"`
	Owner       Owner               `json:"owner"`
	Created     time.Time           `json:"created"`
	Updated     time.Time           `json:"updated"`
	By          string              `json:"by,omitempty" doc:"Who edited it last"`
	Etag        string              `json:"etag" doc:"Changes with what can be edited: give it as If-Match"`
}

// PutEdgeGroup makes or replaces an edge group.
type PutEdgeGroup struct {
	Description string   `json:"description,omitempty" maxLength:"1024"`
	Group       *string  `json:"group,omitempty" maxLength:"512" doc:"Its home; empty: the root. Absent: stays as it is" example:"norway/oslo"`
	Selector    string   `json:"selector,omitempty" maxLength:"4096" doc:"Devices with these labels. Empty: none" example:"site in (oslo, bergen), env=prod, !canary"`
	Devices     []string `json:"devices,omitempty" maxItems:"20000" doc:"Devices that are in it by themselves: id, name, or the beginning of either. Those that you do not see stay"`
	Owner       *Owner   `json:"owner,omitempty" doc:"Absent: stays as it is; of a new one administrators, or you where you may not make it theirs"`
}

// PreviewEdgeGroup asks which devices an edge group would have.
type PreviewEdgeGroup struct {
	Name     string   `json:"name,omitempty" maxLength:"63" doc:"The one that is being edited, if it is there"`
	Group    string   `json:"group,omitempty" maxLength:"512"`
	Selector string   `json:"selector,omitempty" maxLength:"4096"`
	Devices  []string `json:"devices,omitempty" maxItems:"20000"`
}

// EdgeGroupPreview are the devices that an edge group would have.
type EdgeGroupPreview struct {
	Count int               `json:"count" doc:"How many, of those that you may see"`
	Items []EdgeGroupDevice `json:"items" nullable:"false" doc:"The first 100, by name"`
}

// EdgeGroupDevice is a device of an edge group, or one that is listed and not in it now.
type EdgeGroupDevice struct {
	ID       protocol.DeviceID `json:"id"`
	Name     string            `json:"name"`
	Group    string            `json:"group"`
	State    string            `json:"state" doc:"Its liveness"`
	Listed   bool              `json:"listed" doc:"It is in the list"`
	Selected bool              `json:"selected" doc:"The selector names it"`
	Reason   string            `json:"reason,omitempty" doc:"Why it is listed and all the same no member now"`
}
