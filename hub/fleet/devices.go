package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Add takes a device in. One without a name is named after its host name, made unique by a number. A group that does
// not exist is made. A revoked device that is added again starts anew. Errors wrap ErrExists or ErrInvalid.
func (r *Registry) Add(d Device) error { return r.AddAll([]Device{d}) }

// AddAll takes devices in like Add, in one transaction: all or none.
func (r *Registry) AddAll(devices []Device) error {
	return r.commit(func(t *tx) error {
		for i := range devices {
			if err := t.add(&devices[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *tx) add(d *Device) error {
	old := t.device(d.ID)
	if old != nil && old.Revoked == 0 {
		return fmt.Errorf("device %s: %w, as %q", d.ID, ErrExists, old.Name)
	}
	n := d.clone()
	n.Revoked, n.ReplacedBy = 0, ""
	if n.Created == 0 {
		n.Created = time.Now().Unix()
	}
	if n.Name == "" {
		n.Name = t.freeName(nameFrom(first(n.Facts.Name, n.Facts.Hostname), n.ID))
	}
	from := t.presence(d.ID)
	to := from
	if n.Version != "" || n.Capability != 0 {
		to.Version, to.Capability = n.Version, n.Capability
	}
	if old == nil && n.Boot != (protocol.Boot{}) {
		to.Boot, to.Mark = n.Boot, n.Mark
	}
	if err := t.write(n); err != nil {
		return err
	}
	if to != from {
		t.mine.presence[n.ID] = presenceChange{from, to}
	}
	if _, ok := t.r.now.tombstones[n.ID]; ok || t.group.tombstones[n.ID] != nil {
		t.mine.tombstones[n.ID] = nil
	}
	return nil
}

// freeName gives want, or the first of want-2, want-3 … that nobody has.
func (t *tx) freeName(want string) string {
	name := want
	for n := 2; t.holder(name) != ""; n++ {
		name = want + "-" + strconv.Itoa(n)
	}
	return name
}

// write checks and puts a device; its presence is left aside.
func (t *tx) write(d *Device) error {
	(&Presence{}).into(d)
	if err := d.check(); err != nil {
		return err
	}
	if holder := t.holder(d.Name); d.Revoked == 0 && holder != "" && holder != d.ID {
		return fmt.Errorf("name %q: %w: device %s has it: give another", d.Name, ErrExists, holder)
	}
	if err := t.hasProfile(d.Profile); err != nil {
		return fmt.Errorf("device %q: %w", d.Name, err)
	}
	if d.Revoked == 0 {
		t.ensureGroup(d.Group)
	}
	t.put(d)
	return nil
}

// Update changes a device: fn gets a copy of its own and changes it, on any goroutine; it must not call the Registry.
// When fn fails nothing is changed and its error is returned as it is. A group that does not exist is made. Id and key
// never change. A change of the presence fields alone costs no transaction now; see FlushEvery.
// Errors wrap ErrNotFound, ErrExists or ErrInvalid.
func (r *Registry) Update(id protocol.DeviceID, fn func(*Device) error) (Device, error) {
	var out Device
	err := r.commit(func(t *tx) (err error) {
		out, err = t.update(id, fn)
		return err
	})
	if err != nil {
		return Device{}, err
	}
	return out, nil
}

// UpdateAll changes devices like Update, in one transaction: all or none.
func (r *Registry) UpdateAll(ids []protocol.DeviceID, fn func(*Device) error) error {
	return r.commit(func(t *tx) error {
		for _, id := range ids {
			if _, err := t.update(id, fn); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *tx) update(id protocol.DeviceID, fn func(*Device) error) (Device, error) {
	old := t.device(id)
	if old == nil {
		return Device{}, unknown(id)
	}
	seen := t.presence(id)
	d := old.clone()
	seen.into(d)
	if err := fn(d); err != nil {
		return Device{}, err
	}
	if d.ID != old.ID || string(d.Key) != string(old.Key) {
		return Device{}, fmt.Errorf("device %q: %w: id and key of a device never change", old.Name, ErrInvalid)
	}
	out := *d
	to := seen
	to.Boot, to.Mark, to.LastContact, to.Carrier = d.Boot, d.Mark, d.LastContact, d.Carrier
	to.Version, to.Capability, to.ClockOffset, to.Build = d.Version, d.Capability, d.ClockOffset, d.Build
	if to != seen {
		t.mine.presence[id] = presenceChange{seen, to}
	}
	(&Presence{}).into(d)
	if same(d, old) {
		return out, nil
	}
	says := d.Profile != "" || d.Settings != (protocol.Settings{})
	if says && (d.Profile != old.Profile || d.Settings != old.Settings) {
		if err := affordable(effective(t, d, nil).Settings); err != nil {
			return Device{}, fmt.Errorf("device %q: %w", d.Name, err)
		}
	}
	return out, t.write(d)
}

func unknown(id protocol.DeviceID) error {
	return fmt.Errorf("device %.40q: %w: it was removed, or never approved", id, ErrNotFound)
}

// SetFacts takes over what a snapshot said. Where it says nothing new, nothing happens.
func (r *Registry) SetFacts(id protocol.DeviceID, f SnapshotFacts) error {
	for _, s := range []*string{&f.Arch, &f.OS, &f.Engine, &f.EngineVersion} {
		*s = protocol.Cut(*s, protocol.MaxName)
	}
	if d, ok := r.Device(id); ok && d.Observed == f {
		return nil
	}
	_, err := r.Update(id, func(d *Device) error { d.Observed = f; return nil })
	return err
}

// Revoke shuts a device out for good. Its record stays, and its name becomes free. Revoking twice is no error.
func (r *Registry) Revoke(id protocol.DeviceID) error {
	_, err := r.Update(id, func(d *Device) error {
		if d.Revoked == 0 {
			d.Revoked = time.Now().Unix()
		}
		return nil
	})
	return err
}

// Remove forgets a device. Of a revoked one it is remembered that its key and hardware were revoked.
func (r *Registry) Remove(id protocol.DeviceID) error {
	return r.commit(func(t *tx) error {
		d := t.device(id)
		if d == nil {
			return unknown(id)
		}
		if d.Revoked != 0 {
			t.mine.tombstones[id] = &Tombstone{Device: id, Serial: d.Facts.Serial, MachineID: d.Facts.MachineID, Revoked: d.Revoked}
		}
		t.drop(id)
		return nil
	})
}

// Replace gives name, group, labels, settings, profile and passes of old to its replacement, and revokes old, in one
// transaction. Selectors that name old by its id mean the replacement from then on, so that stacks follow it. Errors
// wrap ErrNotFound, ErrRevoked (the replacement is) or ErrInvalid.
func (r *Registry) Replace(old, replacement protocol.DeviceID) error {
	return r.commit(func(t *tx) error {
		was, now := t.device(old), t.device(replacement)
		switch {
		case was == nil:
			return unknown(old)
		case now == nil:
			return unknown(replacement)
		case old == replacement:
			return fmt.Errorf("device %q: %w: a device cannot replace itself", was.Name, ErrInvalid)
		case now.Revoked != 0:
			return fmt.Errorf("device %q: %w: approve it again before it replaces another", now.Name, ErrRevoked)
		case was.ReplacedBy != "":
			return fmt.Errorf("device %q: %w: it was replaced by %s already", was.Name, ErrInvalid, was.ReplacedBy)
		}
		was, now = was.clone(), now.clone()
		now.Name, now.Group, now.Labels = was.Name, was.Group, was.Labels
		now.Settings, now.Profile, now.Passes, now.Replaces = was.Settings, was.Profile, was.Passes, was.ID
		now.Former = append([]protocol.DeviceID{was.ID}, was.Former...)
		now.Former = now.Former[:min(len(now.Former), maxFormer)]
		was.ReplacedBy = now.ID
		if was.Revoked == 0 {
			was.Revoked = time.Now().Unix()
		}
		if err := t.write(was); err != nil {
			return err
		}
		return t.write(now)
	})
}

// banned is what revoked devices leave behind.
type banned struct{ ids, serials, machines map[string]bool }

// ban collects it anew. Callers hold mu, or are New.
func (r *Registry) ban() {
	b := banned{ids: map[string]bool{}, serials: map[string]bool{}, machines: map[string]bool{}}
	add := func(id protocol.DeviceID, serial, machine string) {
		b.ids[string(id)], b.serials[strings.ToLower(serial)], b.machines[strings.ToLower(machine)] = true, true, true
	}
	for _, e := range r.now.devices {
		if e.dev.Revoked != 0 {
			add(e.dev.ID, e.dev.Facts.Serial, e.dev.Facts.MachineID)
		}
	}
	for _, t := range r.now.tombstones {
		add(t.Device, t.Serial, t.MachineID)
	}
	r.banned = b
}

// Tombstones returns what is remembered of revoked devices that were removed, in no order.
func (r *Registry) Tombstones() []Tombstone {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Collect(maps.Values(r.now.tombstones))
}

// RevokedBefore says for people what about a knocking device was revoked: its key, its serial number, its machine id,
// whatever their letter case: rules of enrolment keys do not tell it apart either. Such a device never comes in by rule. Nil: nothing.
func (r *Registry) RevokedBefore(id protocol.DeviceID, f protocol.Facts) []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var marks []string
	if r.banned.ids[string(id)] {
		marks = append(marks, "this device was revoked before")
	}
	if f.Serial != "" && r.banned.serials[strings.ToLower(f.Serial)] {
		marks = append(marks, "a device with this serial number was revoked")
	}
	if f.MachineID != "" && r.banned.machines[strings.ToLower(f.MachineID)] {
		marks = append(marks, "a device with this machine id was revoked")
	}
	return marks
}
