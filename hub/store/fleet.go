package store

import (
	"go.etcd.io/bbolt"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// Places of the fleet's records.
func deviceAt(id protocol.DeviceID) place { return place{"fleet.devices", 1, []byte(id)} }

func groupAt(path string) place { return place{"fleet.groups", 1, []byte("/" + path)} } // bbolt has no empty keys

func profileAt(name string) place { return place{"fleet.profiles", 1, []byte(name)} }

func tombstoneAt(id protocol.DeviceID) place { return place{"fleet.revoked", 1, []byte(id)} }

func presenceAt(id protocol.DeviceID) place { return place{"fleet.presence", 1, []byte(id)} }

func aliveAt() place { return place{"fleet.alive", 1, []byte("at")} }

// LoadFleet implements fleet.Store.
func (s *Store) LoadFleet() (out fleet.Saved, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		if err := all(tx, deviceAt(""), &out.Devices); err != nil {
			return err
		}
		if err := all(tx, place{"fleet.groups", 1, nil}, &out.Groups); err != nil {
			return err
		}
		if err := all(tx, profileAt(""), &out.Profiles); err != nil {
			return err
		}
		if err := all(tx, tombstoneAt(""), &out.Tombstones); err != nil {
			return err
		}
		if err := all(tx, presenceAt(""), &out.Presences); err != nil {
			return err
		}
		out.Alive, err = optional[int64](tx, aliveAt())
		return err
	})
	return out, err
}

// SaveFleet implements fleet.Store.
func (s *Store) SaveFleet(d fleet.Delta) error {
	return s.update(func(tx *bbolt.Tx) error {
		w := writer{tx: tx}
		for i := range d.Devices {
			w.put(deviceAt(d.Devices[i].ID), &d.Devices[i])
		}
		for _, id := range d.RemoveDevices {
			w.remove(deviceAt(id))
			w.remove(presenceAt(id))
		}
		for i := range d.Groups {
			w.put(groupAt(d.Groups[i].Path), &d.Groups[i])
		}
		for _, path := range d.RemoveGroups {
			w.remove(groupAt(path))
		}
		for i := range d.Profiles {
			w.put(profileAt(d.Profiles[i].Name), &d.Profiles[i])
		}
		for _, name := range d.RemoveProfiles {
			w.remove(profileAt(name))
		}
		for i := range d.Tombstones {
			w.put(tombstoneAt(d.Tombstones[i].Device), &d.Tombstones[i])
		}
		for _, id := range d.RemoveTombstones {
			w.remove(tombstoneAt(id))
		}
		return w.err
	})
}

// SavePresence implements fleet.Store.
func (s *Store) SavePresence(seen []fleet.Presence, alive int64) error {
	return s.update(func(tx *bbolt.Tx) error {
		w := writer{tx: tx}
		for i := range seen {
			w.put(presenceAt(seen[i].Device), &seen[i])
		}
		w.put(aliveAt(), alive)
		return w.err
	})
}
