package edgegroups

import (
	"slices"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// index finds the groups that a device may be a member of, without asking all of them. It is guarded by Desk.change,
// but for of, which is guarded by Desk.mu.
type index struct {
	byID    map[uint64]*group
	byName  map[string]*group
	listing map[protocol.DeviceID][]*group // those that list a device

	// Each group with a selector is in one of these, by a label that its members must have (fleet.Selector.Needs).
	byValue map[string]map[string][]*group
	byKey   map[string][]*group
	others  []*group // whose selector can name devices without any certain label

	of map[protocol.DeviceID][]membership // a slice that was given out never changes
}

type membership struct {
	g   *group
	how How
}

func newIndex() index {
	return index{
		byID: map[uint64]*group{}, byName: map[string]*group{}, listing: map[protocol.DeviceID][]*group{},
		byValue: map[string]map[string][]*group{}, byKey: map[string][]*group{}, of: map[protocol.DeviceID][]membership{},
	}
}

// put makes a group found.
func (x *index) put(g *group) {
	x.byID[g.rec.ID], x.byName[g.rec.Name] = g, g
	x.each(g, func(at []*group) []*group { return append(at, g) })
}

// drop makes a group found no more.
func (x *index) drop(g *group) {
	delete(x.byID, g.rec.ID)
	delete(x.byName, g.rec.Name)
	x.each(g, func(at []*group) []*group { return slices.DeleteFunc(at, func(o *group) bool { return o == g }) })
}

// each edits all lists in which a group belongs.
func (x *index) each(g *group, edit func([]*group) []*group) {
	for _, id := range g.rec.Devices {
		set(x.listing, id, edit(x.listing[id]))
	}
	key, values := g.selector.Needs()
	switch {
	case g.rec.Selector == "":
	case key == "":
		x.others = edit(x.others)
	case len(values) == 0:
		set(x.byKey, key, edit(x.byKey[key]))
	default:
		at := x.byValue[key]
		if at == nil {
			at = map[string][]*group{}
			x.byValue[key] = at
		}
		for _, v := range values {
			set(at, v, edit(at[v]))
		}
		if len(at) == 0 {
			delete(x.byValue, key)
		}
	}
}

func set[K comparable](m map[K][]*group, k K, v []*group) {
	if len(v) == 0 {
		delete(m, k)
	} else {
		m[k] = v
	}
}

// memberships works out of which groups a device is a member. A group comes to be asked once for its selector, since a
// device has one value of a label.
func (x *index) memberships(d *Device) (out []membership) {
	ask := func(groups []*group) {
		for _, g := range groups {
			if fleet.Within(d.Group, g.rec.Home) && g.selects(d) {
				out = append(out, membership{g, Selected})
			}
		}
	}
	ask(x.others)
	for k, v := range d.Labels {
		if len(x.byKey) > 0 {
			ask(x.byKey[k])
		}
		if at := x.byValue[k]; at != nil {
			ask(at[v])
		}
	}
	for _, g := range x.listing[d.ID] {
		if !fleet.Within(d.Group, g.rec.Home) {
			continue
		}
		if i := slices.IndexFunc(out, func(m membership) bool { return m.g == g }); i >= 0 {
			out[i].how |= Listed
		} else {
			out = append(out, membership{g, Listed})
		}
	}
	return out
}

// place makes a device a member of these groups and no others.
func (x *index) place(id protocol.DeviceID, in []membership) {
	for _, m := range x.of[id] {
		delete(m.g.members, id)
	}
	for _, m := range in {
		m.g.members[id] = m.how
	}
	if len(in) == 0 {
		delete(x.of, id)
	} else {
		x.of[id] = in
	}
}

// same reports whether a device is a member of these groups now.
func (x *index) same(id protocol.DeviceID, in []membership) bool {
	if len(in) != len(x.of[id]) {
		return false
	}
	return !slices.ContainsFunc(in, func(m membership) bool { return m.g.members[id] != m.how })
}
