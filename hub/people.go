package hub

import (
	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/variables"
	"github.com/farshore/farshore/protocol"
)

// grounds is the fleet as people change it: with a group or a device go the grants on it, and its variables.
type grounds struct {
	*fleet.Registry
	access    *access.Access
	variables *variables.Book
}

func (h *Hub) grounds() grounds { return grounds{h.fleet, h.access, h.variables} }

// RemoveGroup implements api.Groups.
func (g grounds) RemoveGroup(path string) error {
	if err := g.access.Removing(func() error { return g.Registry.RemoveGroup(path) }); err != nil {
		return err
	}
	return g.variables.Forget(variables.Scope{Group: path})
}

// Remove implements api.DeviceChanges.
func (g grounds) Remove(id protocol.DeviceID) error {
	if err := g.access.Removing(func() error { return g.Registry.Remove(id) }); err != nil {
		return err
	}
	return g.variables.Forget(variables.Scope{Device: id})
}

// Replace implements api.DeviceChanges.
func (g grounds) Replace(old, replacement protocol.DeviceID) error {
	return g.variables.Replace(old, replacement, func() error { return g.Registry.Replace(old, replacement) })
}

// GroupOf implements access.Places, whose HasGroup is the Registry's.
func (g grounds) GroupOf(device string) (string, bool) {
	d, ok := g.Device(protocol.DeviceID(device))
	return d.Group, ok
}
