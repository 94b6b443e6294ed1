package api

import (
	"slices"
	"strings"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// What a device runs belongs to whom the stack belongs to that it came of; what came of none is administrators'. Which
// stack that is, the device says. Ownership that live calls give by labels comes with the tunnel.

// ownerOf is the owner of a container of a stack. What came of none is administrators', whatever its Compose project is
// called: anybody can give a stack that name.
func (s *server) ownerOf(stack uint64) protocol.Owner {
	rec, _ := s.Stacks.Record(stack)
	return rec.Owner
}

// ownersOn are the owners of the stacks that a device has, by name: it is the Compose project of volumes and networks.
func (s *server) ownersOn(id protocol.DeviceID) map[string]protocol.Owner {
	out := map[string]protocol.Owner{}
	for _, st := range s.Stacks.DeviceStacks(id) {
		out[st.Name] = s.ownerOf(st.Stack)
	}
	return out
}

// reduce leaves of a snapshot what the caller reaches: containers of stacks that are shared with them, and the images,
// volumes and networks of these.
func (y *eyes) reduce(d *fleet.Device, snap *protocol.Snapshot) {
	seen := func(o protocol.Owner) bool { return y.snapshots.Covers(ownedOn(d, o)) }
	owners := y.s.ownersOn(d.ID)
	images := make([]uint32, len(snap.Images)) // 1 + the place that each gets; 0: it is not seen
	volumes, networks := map[string]bool{}, map[string]bool{}
	var out protocol.Snapshot
	for _, c := range snap.Containers {
		if !seen(y.s.ownerOf(c.Stack)) {
			continue
		}
		if i := int(c.Image) - 1; i >= 0 && i < len(images) {
			if images[i] == 0 {
				out.Images = append(out.Images, snap.Images[i])
				images[i] = uint32(len(out.Images))
			}
			c.Image = images[i]
		}
		for _, m := range c.Mounts {
			if m.Type == "" {
				volumes[m.Source] = true
			}
		}
		for _, n := range c.Networks {
			networks[n.Network] = true
		}
		out.Containers = append(out.Containers, c)
	}
	for _, v := range snap.Volumes {
		if volumes[v.Name] || v.Project != "" && seen(owners[v.Project]) {
			out.Volumes = append(out.Volumes, v)
		}
	}
	for _, n := range snap.Networks {
		if networks[n.Name] || n.Project != "" && seen(owners[n.Project]) {
			out.Networks = append(out.Networks, n)
		}
	}
	snap.Images, snap.Containers, snap.Volumes, snap.Networks = out.Images, out.Containers, out.Volumes, out.Networks
}

// targetOwner is whose the thing is that a command is about, as the device said last. What several have a part in, and
// what is not known, is administrators'.
func (s *server) targetOwner(id protocol.DeviceID, kind protocol.CommandKind, target string) protocol.Owner {
	var none protocol.Owner
	if kind == protocol.CommandSnapshot {
		return protocol.Owner{Visibility: protocol.ForAll}
	}
	state, err := s.Snapshots.Latest(id)
	if err != nil {
		return none
	}
	snap, err := state.Snapshot()
	if err != nil {
		return none
	}
	var owners []protocol.Owner
	for i := range snap.Containers {
		if c := &snap.Containers[i]; concerns(kind, target, c, &snap) {
			owners = append(owners, s.ownerOf(c.Stack))
		}
	}
	if kind == protocol.CommandVolumeRemove {
		for _, v := range snap.Volumes {
			if v.Name == target {
				owners = append(owners, s.ownersOn(id)[v.Project])
			}
		}
	}
	if len(owners) == 0 || slices.ContainsFunc(owners, func(o protocol.Owner) bool { return o != owners[0] }) {
		return none
	}
	return owners[0]
}

// concerns reports whether a command is about the container, or about something that it uses.
func concerns(kind protocol.CommandKind, target string, c *protocol.Container, snap *protocol.Snapshot) bool {
	switch kind {
	case protocol.CommandImageRemove:
		if i := int(c.Image) - 1; i >= 0 && i < len(snap.Images) {
			image := &snap.Images[i]
			return slices.Contains(image.Tags, target) || target == image.ID.String() || target == "sha256:"+image.ID.String()
		}
		return c.ImageRef == target
	case protocol.CommandVolumeRemove:
		return slices.ContainsFunc(c.Mounts, func(m protocol.Mount) bool { return m.Type == "" && m.Source == target })
	}
	// The engine takes the beginning of an id too, and ids here are the beginnings of the engine's.
	id := c.ID.String()
	return c.Name == target || strings.HasPrefix(id, target) || strings.HasPrefix(target, id)
}
