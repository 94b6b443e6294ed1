package fleet

import (
	"maps"

	"github.com/farshore/farshore/protocol"
)

// draft is what a change, or a group of them, is going to make of the state. A nil pointer stands for removed.
type draft struct {
	devices    map[protocol.DeviceID]*Device
	groups     map[string]*Group
	profiles   map[string]*Profile
	tombstones map[protocol.DeviceID]*Tombstone
	names      map[string]protocol.DeviceID // "": nobody
	presence   map[protocol.DeviceID]presenceChange
}

// presenceChange sets what differs between the two; contacts that come in between stay.
type presenceChange struct{ from, to Presence }

func newDraft() *draft {
	return &draft{
		devices: map[protocol.DeviceID]*Device{}, groups: map[string]*Group{}, profiles: map[string]*Profile{},
		tombstones: map[protocol.DeviceID]*Tombstone{}, names: map[string]protocol.DeviceID{},
		presence: map[protocol.DeviceID]presenceChange{},
	}
}

func (d *draft) merge(o *draft) {
	maps.Copy(d.devices, o.devices)
	maps.Copy(d.groups, o.groups)
	maps.Copy(d.profiles, o.profiles)
	maps.Copy(d.tombstones, o.tombstones)
	maps.Copy(d.names, o.names)
	for id, c := range o.presence {
		if before, ok := d.presence[id]; ok {
			c.from = before.from
		}
		d.presence[id] = c
	}
}

// delta gives what is to be made durable.
func (d *draft) delta() (out Delta, empty bool) {
	for id, v := range d.devices {
		if v == nil {
			out.RemoveDevices = append(out.RemoveDevices, id)
		} else {
			out.Devices = append(out.Devices, *v)
		}
	}
	for path, v := range d.groups {
		if v == nil {
			out.RemoveGroups = append(out.RemoveGroups, path)
		} else {
			out.Groups = append(out.Groups, *v)
		}
	}
	for name, v := range d.profiles {
		if v == nil {
			out.RemoveProfiles = append(out.RemoveProfiles, name)
		} else {
			out.Profiles = append(out.Profiles, *v)
		}
	}
	for id, v := range d.tombstones {
		if v == nil {
			out.RemoveTombstones = append(out.RemoveTombstones, id)
		} else {
			out.Tombstones = append(out.Tombstones, *v)
		}
	}
	return out, len(d.devices)+len(d.groups)+len(d.profiles)+len(d.tombstones) == 0
}

// tx is what one change sees and does: its own draft, over that of the group it is made durable with, over the state.
type tx struct {
	r           *Registry
	mine, group *draft
}

func lookup[K comparable, V any](key K, mine, group map[K]*V, base func(K) *V) *V {
	if v, ok := mine[key]; ok {
		return v
	}
	if v, ok := group[key]; ok {
		return v
	}
	return base(key)
}

// device gives the device without its presence, or nil. It is not to be changed.
func (t *tx) device(id protocol.DeviceID) *Device {
	return lookup(id, t.mine.devices, t.group.devices, func(id protocol.DeviceID) *Device {
		if e := t.r.now.devices[id]; e != nil {
			return e.dev
		}
		return nil
	})
}

func (t *tx) groupAt(path string) *Group {
	return lookup(path, t.mine.groups, t.group.groups, func(path string) *Group { return t.r.now.groups[path] })
}

func (t *tx) profileNamed(name string) *Profile {
	return lookup(name, t.mine.profiles, t.group.profiles, func(name string) *Profile { return t.r.now.profiles[name] })
}

// holder gives who has a name; "" is nobody.
func (t *tx) holder(name string) protocol.DeviceID {
	if id, ok := t.mine.names[name]; ok {
		return id
	}
	if id, ok := t.group.names[name]; ok {
		return id
	}
	return t.r.now.names[name]
}

// put writes a device, and keeps the names.
func (t *tx) put(d *Device) {
	t.release(t.device(d.ID))
	if d.Revoked == 0 {
		t.mine.names[d.Name] = d.ID
	}
	t.mine.devices[d.ID] = d
}

func (t *tx) drop(id protocol.DeviceID) {
	t.release(t.device(id))
	t.mine.devices[id] = nil
}

func (t *tx) release(d *Device) {
	if d != nil && t.holder(d.Name) == d.ID {
		t.mine.names[d.Name] = ""
	}
}

// each calls fn with every device, groups and names as the change sees them, until fn returns false.
func (t *tx) each(fn func(*Device) bool) {
	for id := range t.r.now.devices {
		if d := t.device(id); d != nil && !fn(d) {
			return
		}
	}
	for _, layer := range []*draft{t.group, t.mine} {
		for id := range layer.devices {
			if t.r.now.devices[id] != nil {
				continue
			}
			if d := t.device(id); d != nil && !fn(d) {
				return
			}
		}
	}
}

// presence gives what is known of the device's contacts.
func (t *tx) presence(id protocol.DeviceID) Presence {
	for _, layer := range []*draft{t.mine, t.group} {
		if c, ok := layer.presence[id]; ok {
			return c.to
		}
	}
	if e := t.r.now.devices[id]; e != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.seen
	}
	return Presence{Device: id}
}
