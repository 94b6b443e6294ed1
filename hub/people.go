package hub

import (
	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// grounds is the fleet as people change it: with a group or a device go the grants on it.
type grounds struct {
	*fleet.Registry
	access *access.Access
}

// RemoveGroup implements api.Groups.
func (g grounds) RemoveGroup(path string) error {
	return g.access.Removing(func() error { return g.Registry.RemoveGroup(path) })
}

// Remove implements api.DeviceChanges.
func (g grounds) Remove(id protocol.DeviceID) error {
	return g.access.Removing(func() error { return g.Registry.Remove(id) })
}

// GroupOf implements access.Places, whose HasGroup is the Registry's.
func (g grounds) GroupOf(device string) (string, bool) {
	d, ok := g.Device(protocol.DeviceID(device))
	return d.Group, ok
}
