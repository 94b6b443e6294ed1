package edgegroups

import (
	"cmp"
	"slices"

	"github.com/farshore/farshore/protocol"
)

// List gives all edge groups by name.
func (d *Desk) List() []Group {
	d.mu.RLock()
	defer d.mu.RUnlock()
	out := make([]Group, 0, len(d.index.byID))
	for _, g := range d.index.byID {
		out = append(out, g.rec)
	}
	slices.SortFunc(out, byName)
	return out
}

func byName(a, b Group) int { return cmp.Compare(a.Name, b.Name) }

// Named gives an edge group by its name.
func (d *Desk) Named(name string) (Group, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if g := d.index.byName[name]; g != nil {
		return g.rec, true
	}
	return Group{}, false
}

// Record gives an edge group by its id.
func (d *Desk) Record(id uint64) (Group, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if g := d.index.byID[id]; g != nil {
		return g.rec, true
	}
	return Group{}, false
}

// Members gives the devices of an edge group, in no order, and false where there is no such group, or where it is being
// removed.
func (d *Desk) Members(id uint64) ([]Member, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	g := d.index.byID[id]
	if g == nil || g.leaving {
		return nil, false
	}
	out := make([]Member, 0, len(g.members))
	for dev, how := range g.members {
		out = append(out, Member{dev, how})
	}
	return out, true
}

// Size is how many devices an edge group has.
func (d *Desk) Size(id uint64) int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if g := d.index.byID[id]; g != nil {
		return len(g.members)
	}
	return 0
}

// InAny reports whether a device is in one of these edge groups. Groups that are not there have no devices.
func (d *Desk) InAny(dev protocol.DeviceID, ids []uint64) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, m := range d.index.of[dev] {
		if slices.Contains(ids, m.g.rec.ID) {
			return true
		}
	}
	return false
}

// Of gives the edge groups that a device is in, by name.
func (d *Desk) Of(dev protocol.DeviceID) []Group {
	d.mu.RLock()
	defer d.mu.RUnlock()
	out := make([]Group, 0, len(d.index.of[dev]))
	for _, m := range d.index.of[dev] {
		out = append(out, m.g.rec)
	}
	slices.SortFunc(out, byName)
	return out
}
