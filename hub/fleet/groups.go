package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/farshore/farshore/protocol"
)

// Groups gives all groups sorted by path, the root first. Their maps are shared and never changed.
func (r *Registry) Groups() []Group {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]Group, 0, len(r.now.groups))
	for _, path := range slices.Sorted(maps.Keys(r.now.groups)) {
		out = append(out, *r.now.groups[path])
	}
	return out
}

// HasGroup reports whether there is a group of that path.
func (r *Registry) HasGroup(path string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.now.groups[path] != nil
}

// EnsureGroup makes the group and those above it, where they do not exist. Errors wrap ErrInvalid.
func (r *Registry) EnsureGroup(path string) error {
	if err := checkPath(path); err != nil {
		return err
	}
	return r.commit(func(t *tx) error {
		t.ensureGroup(path)
		return nil
	})
}

func (t *tx) ensureGroup(path string) {
	for ok := true; ok; path, ok = parent(path) {
		if t.groupAt(path) == nil {
			t.mine.groups[path] = &Group{Path: path}
		}
	}
}

// UpdateGroup changes a group: fn gets a copy of its own and changes it, on any goroutine; it must not call the
// Registry. When fn fails nothing is changed and its error is returned as it is. The path stays.
// Errors wrap ErrNotFound or ErrInvalid.
func (r *Registry) UpdateGroup(path string, fn func(*Group) error) (Group, error) {
	var out Group
	err := r.commit(func(t *tx) error {
		old := t.groupAt(path)
		if old == nil {
			return fmt.Errorf("group %.160q: %w: make it first", path, ErrNotFound)
		}
		g := *old
		g.Labels = maps.Clone(old.Labels)
		if err := fn(&g); err != nil {
			return err
		}
		g.Path = path
		out = g
		return t.writeGroup(&g)
	})
	return out, err
}

// PutGroup makes a group what g says, but for its passes, which stay, and makes those above it where they do not exist. expect looks at the group as it
// is, nil where there is none, on any goroutine; what it returns ends PutGroup before anything is changed. It may be nil.
// Other errors wrap ErrInvalid, or ErrNotFound for its profile.
func (r *Registry) PutGroup(g Group, expect func(*Group) error) (Group, error) {
	if err := checkPath(g.Path); err != nil {
		return Group{}, err
	}
	g.Labels = maps.Clone(g.Labels)
	return g, r.commit(func(t *tx) error {
		if expect != nil {
			if err := expect(t.groupAt(g.Path)); err != nil {
				return err
			}
		}
		t.ensureGroup(g.Path)
		g.Passes = t.groupAt(g.Path).Passes
		return t.writeGroup(&g)
	})
}

// writeGroup checks and puts a group.
func (t *tx) writeGroup(g *Group) error {
	name := first(g.Path, "/")
	if err := CheckLabels(g.Labels); err != nil {
		return fmt.Errorf("group %s: %w", name, err)
	}
	if err := CheckSettings(g.Settings); err != nil {
		return fmt.Errorf("group %s: %w", name, err)
	}
	if err := t.hasProfile(g.Profile); err != nil {
		return fmt.Errorf("group %s: %w", name, err)
	}
	old := t.groupAt(g.Path)
	t.mine.groups[g.Path] = g
	if says := g.Profile != "" || g.Settings != (protocol.Settings{}); says && (old.Profile != g.Profile || old.Settings != g.Settings) {
		if err := affordable(effective(t, &Device{Group: g.Path, Mode: protocol.ModeAsync}, nil).Settings); err != nil {
			return fmt.Errorf("group %s: %w", name, err)
		}
	}
	return nil
}

// RemoveGroup removes a group that holds no other group and no device but revoked ones. Errors wrap ErrNotFound,
// ErrInUse, or ErrInvalid for the root.
func (r *Registry) RemoveGroup(path string) error {
	return r.commit(func(t *tx) error {
		if path == "" {
			return fmt.Errorf("group /: %w: the root is always there", ErrInvalid)
		}
		if t.groupAt(path) == nil {
			return fmt.Errorf("group %.160q: %w", path, ErrNotFound)
		}
		for _, below := range t.groups() {
			if below.Path != path && Within(below.Path, path) {
				return fmt.Errorf("group %s: %w: it holds group %s: remove that first", path, ErrInUse, below.Path)
			}
		}
		var holds *Device
		t.each(func(d *Device) bool {
			if d.Group == path && d.Revoked == 0 {
				holds = d
			}
			return holds == nil
		})
		if holds != nil {
			return fmt.Errorf("group %s: %w: it holds device %q: move its devices first", path, ErrInUse, holds.Name)
		}
		t.mine.groups[path] = nil
		return nil
	})
}

// groups gives the groups as the change sees them.
func (t *tx) groups() []*Group {
	all := maps.Clone(t.r.now.groups)
	replace(all, t.group.groups)
	replace(all, t.mine.groups)
	return slices.Collect(maps.Values(all))
}

// Profiles gives all link profiles sorted by name, the built-in ones among them.
func (r *Registry) Profiles() []Profile {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]Profile, 0, len(r.now.profiles))
	for _, name := range slices.Sorted(maps.Keys(r.now.profiles)) {
		out = append(out, *r.now.profiles[name])
	}
	return out
}

// PutProfile makes a link profile, or changes it for all that go by it. expect is as in PutGroup. Other errors wrap
// ErrInvalid.
func (r *Registry) PutProfile(p Profile, expect func(*Profile) error) error {
	bad := p.Name == "" || len(p.Name) > 63 || strings.Trim(p.Name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != ""
	if bad {
		return fmt.Errorf("profile %.160q: %w: want a name of 1 to 63 characters a-z 0-9 . _ -", p.Name, ErrInvalid)
	}
	if err := CheckProfile(p); err != nil {
		return fmt.Errorf("profile %s: %w", p.Name, err)
	}
	p.BuiltIn = false
	return r.commit(func(t *tx) error {
		old := t.profileNamed(p.Name)
		if old != nil && old.BuiltIn {
			return fmt.Errorf("profile %s: %w: it is built in: give yours another name", p.Name, ErrInvalid)
		}
		if expect != nil {
			if err := expect(old); err != nil {
				return err
			}
		}
		t.mine.profiles[p.Name] = &p
		return nil
	})
}

// RemoveProfile removes a link profile that no device and no group names. Errors wrap ErrNotFound, ErrInUse, or
// ErrInvalid for a built-in one.
func (r *Registry) RemoveProfile(name string) error {
	return r.commit(func(t *tx) error {
		old := t.profileNamed(name)
		if old == nil {
			return fmt.Errorf("profile %.160q: %w", name, ErrNotFound)
		}
		if old.BuiltIn {
			return fmt.Errorf("profile %s: %w: it is built in", name, ErrInvalid)
		}
		for _, g := range t.groups() {
			if g.Profile == name {
				return fmt.Errorf("profile %s: %w: group %s goes by it", name, ErrInUse, first(g.Path, "/"))
			}
		}
		var by protocol.DeviceID
		t.each(func(d *Device) bool {
			if d.Profile == name {
				by = d.ID
			}
			return by == ""
		})
		if by != "" {
			return fmt.Errorf("profile %s: %w: device %q goes by it", name, ErrInUse, t.device(by).Name)
		}
		t.mine.profiles[name] = nil
		return nil
	})
}

func (t *tx) hasProfile(name string) error {
	if name == "" || t.profileNamed(name) != nil {
		return nil
	}
	return fmt.Errorf("profile %.160q: %w: make it first, or use %s, %s, %s or %s", name, ErrNotFound,
		ProfileLAN, ProfileLTE, ProfileSatellite, ProfileVesselWindowed)
}
