// Package edgegroups keeps edge groups, named sets of devices that stacks are meant for, and knows at any time which
// devices are in them: those that are listed, those that a selector names, or both, of the ones in the group's home.
//
// Membership is an index in memory. A change of a device is worked out for that device alone, and only with groups that
// list it or whose selector needs a label that it has; the fleet is looked through only where a group itself is edited,
// and when the hub starts. The package decides nothing about stacks, and about who may do what; the assembly tells it of
// changed devices, and is told of changed groups.
//
// A Desk is safe for concurrent use. Edits and changes of devices are done one at a time; reading waits for neither disk
// nor fleet.
package edgegroups

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// Bounds of edge groups.
const (
	MaxDevices     = 20_000 // listed in one
	maxGroups      = 2_000
	maxDescription = 1024
)

// Group is an edge group. It is the stored record. Slices of a Group that a Desk gave out are shared: they are read,
// never changed.
type Group struct {
	// ID is from 1 and never used again for another group.
	ID uint64 `cbor:"1,keyasint" json:"id"`
	// Name is unique among edge groups.
	Name        string `cbor:"2,keyasint" json:"name"`
	Description string `cbor:"3,keyasint,omitempty" json:"description,omitempty"`
	// Home is the path of the group of the device tree whose devices, and those below it, it may have. "": the root.
	Home string `cbor:"4,keyasint,omitempty" json:"group"`
	// Devices are those that are listed, sorted. One that is revoked, or away from the home, stays listed and is no member.
	Devices []protocol.DeviceID `cbor:"5,keyasint,omitempty" json:"devices,omitempty"`
	// Selector names devices by their labels. Empty: none.
	Selector string `cbor:"6,keyasint,omitempty" json:"selector,omitempty"`
	// Owner says whose it is. The zero value: administrators'.
	Owner protocol.Owner `cbor:"7,keyasint,omitzero" json:"owner,omitzero"`
	// Created and Updated in Unix seconds; By is who edited it last.
	Created int64  `cbor:"8,keyasint" json:"created"`
	Updated int64  `cbor:"9,keyasint" json:"updated"`
	By      string `cbor:"10,keyasint,omitempty" json:"by,omitempty"`
}

// How says why a device is a member.
type How uint8

// The reasons, which can both hold.
const (
	Listed How = 1 << iota
	Selected
)

// Member is a device of an edge group.
type Member struct {
	Device protocol.DeviceID
	How    How
}

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// group is an edge group in memory.
type group struct {
	rec      Group                     // replaced as a whole
	selector fleet.Selector            // of rec, parsed
	members  map[protocol.DeviceID]How // guarded by Desk.mu, as is leaving
	leaving  bool                      // it is being removed, and not to be used any more
}

// CheckName holds a name to its form. Errors wrap fleet.ErrInvalid.
func CheckName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("edge group %.80q: %w: want a name of 1 to 63 characters a-z 0-9 . _ -, beginning with a letter or digit",
			name, fleet.ErrInvalid)
	}
	return nil
}

// newGroup checks and prepares all of a record but its name. Errors wrap fleet.ErrInvalid.
func newGroup(rec Group) (*group, error) {
	if len(rec.Description) > maxDescription {
		return nil, fmt.Errorf("edge group %s: %w: its description has %d bytes, at most %d are kept",
			rec.Name, fleet.ErrInvalid, len(rec.Description), maxDescription)
	}
	if len(rec.Devices) > MaxDevices {
		return nil, fmt.Errorf("edge group %s: %w: it lists %d devices, at most %d can be: name them by a label and a selector",
			rec.Name, fleet.ErrInvalid, len(rec.Devices), MaxDevices)
	}
	rec.Selector = strings.TrimSpace(rec.Selector) // blank: none, where a parser would say all
	selector, err := fleet.ParseSelector(rec.Selector)
	if err != nil {
		return nil, err
	}
	return &group{rec: rec, selector: selector, members: map[protocol.DeviceID]How{}}, nil
}

// how says why a device is a member; 0: it is none.
func (g *group) how(d *Device) (how How) {
	if !fleet.Within(d.Group, g.rec.Home) {
		return 0
	}
	if _, listed := slices.BinarySearch(g.rec.Devices, d.ID); listed {
		how = Listed
	}
	if g.selects(d) {
		how |= Selected
	}
	return how
}

// selects reports whether the selector names a device of the home.
func (g *group) selects(d *Device) bool { return g.rec.Selector != "" && g.selector.Matches(d.Labels) }

// InUseError says by which stacks a group is used that was to be removed. It wraps fleet.ErrInUse.
type InUseError struct {
	Name   string
	Stacks []string
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("edge group %s: %v by stack %s: take it out there first", e.Name, fleet.ErrInUse, strings.Join(e.Stacks, ", "))
}

func (e *InUseError) Unwrap() error { return fleet.ErrInUse }
