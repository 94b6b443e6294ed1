package edgegroups

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// Device is what decides of which edge groups a device is a member. Its maps and slices are read, never changed.
type Device struct {
	ID protocol.DeviceID
	// Group of the device tree that it is in, a path.
	Group string
	// Labels are all that apply to it.
	Labels map[string]string
	// Former are devices whose place it took.
	Former []protocol.DeviceID
}

// Fleet is what is asked about devices. It is called with locks of the Desk held, so that it must not wait for it.
type Fleet interface {
	// Device is false for one that is not there, or revoked.
	Device(protocol.DeviceID) (Device, bool)
	// Known reports whether a device is there, revoked or not.
	Known(protocol.DeviceID) bool
	// Devices gives those that are there and not revoked.
	Devices() iter.Seq[Device]
}

// Store keeps edge groups. Each method is one transaction.
type Store interface {
	LoadEdgeGroups() ([]Group, error)
	// SaveEdgeGroups stores groups, and sets the ID of one that has none to a fresh one.
	SaveEdgeGroups([]Group) error
	RemoveEdgeGroup(id uint64) error
}

// Kinds of Notice.
const (
	KindChanged = "edge-group.changed" // made or edited
	KindRemoved = "edge-group.removed"
)

// Notice is something worth telling.
type Notice struct {
	Kind  string
	Group Group
	By    string
}

// Config of a Desk. Store and Fleet must be set. The functions are called without locks that reading needs.
type Config struct {
	Store Store
	Fleet Fleet
	// Changed is told of a group whose members may be others because it was edited. Nil: nobody is.
	Changed func(id uint64)
	// UsedBy names the stacks that use a group, so that it is not removed. It is called while edits wait, and
	// has to wait for whoever is about to use the group: from now on Members says that it is not there. Nil: nothing does.
	UsedBy func(id uint64) []string
	// Events is told of edits. Nil: nobody is.
	Events func(Notice)
}

// Desk keeps edge groups. Create it with New.
//
// Lock order: change, then mu.
type Desk struct {
	cfg    Config     // immutable
	change sync.Mutex // held while groups or members change
	mu     sync.RWMutex
	index  index // changed under change and mu; read under either
}

// New loads the groups and works out their members. It starts nothing. Devices that went while the hub did not run are
// taken off the lists.
func New(cfg Config) (*Desk, error) {
	if cfg.Changed == nil {
		cfg.Changed = func(uint64) {}
	}
	if cfg.UsedBy == nil {
		cfg.UsedBy = func(uint64) []string { return nil }
	}
	if cfg.Events == nil {
		cfg.Events = func(Notice) {}
	}
	saved, err := cfg.Store.LoadEdgeGroups()
	if err != nil {
		return nil, fmt.Errorf("read edge groups: %w", err)
	}
	d := &Desk{cfg: cfg, index: newIndex()}
	for _, rec := range saved {
		g, err := newGroup(rec)
		if err != nil {
			return nil, fmt.Errorf("read edge groups: %w", err)
		}
		d.index.put(g)
	}
	var gone []protocol.DeviceID
	for id := range d.index.listing {
		if !cfg.Fleet.Known(id) {
			gone = append(gone, id)
		}
	}
	heirs := map[protocol.DeviceID]protocol.DeviceID{}
	for dev := range cfg.Fleet.Devices() {
		for _, id := range dev.Former {
			if len(d.index.listing[id]) == 0 || d.there(id) {
				continue
			}
			if heirs[id] = dev.ID; cfg.Fleet.Known(id) {
				gone = append(gone, id)
			}
		}
	}
	if err := d.relist(gone, heirs); err != nil {
		return nil, err
	}
	for dev := range cfg.Fleet.Devices() {
		d.index.place(dev.ID, d.index.memberships(&dev))
	}
	return d, nil
}

// Spec is what an edge group shall be.
type Spec struct {
	Name, Description, Home, Selector string
	// Devices that are listed, in any order.
	Devices []protocol.DeviceID
	Owner   protocol.Owner
	// By is who wants it so.
	By string
}

// Put makes an edge group, or makes it what it shall be. expect looks at the group as it is, nil where there is none,
// before anything is changed, and may end it. Devices that are listed anew must be in the home. Errors wrap
// fleet.ErrInvalid or fleet.ErrNotFound, or are those of expect.
func (d *Desk) Put(s Spec, expect func(*Group) error) (Group, error) {
	rec, err := d.put(s, expect)
	if err != nil {
		return Group{}, err
	}
	d.cfg.Changed(rec.ID)
	d.cfg.Events(Notice{Kind: KindChanged, Group: rec, By: s.By})
	return rec, nil
}

func (d *Desk) put(s Spec, expect func(*Group) error) (Group, error) {
	if err := CheckName(s.Name); err != nil {
		return Group{}, err
	}
	d.change.Lock()
	defer d.change.Unlock()
	old := d.index.byName[s.Name]
	var was *Group
	if old != nil {
		was = &old.rec
	}
	if expect != nil {
		if err := expect(was); err != nil {
			return Group{}, err
		}
	}
	g, err := d.draft(s, was)
	if err != nil {
		return Group{}, err
	}
	if old == nil && len(d.index.byID) >= maxGroups {
		return Group{}, fmt.Errorf("edge group %s: %w: there are %d already: remove some", s.Name, fleet.ErrInvalid, maxGroups)
	}
	g.rec.Updated, g.rec.By = time.Now().Unix(), s.By
	saved := []Group{g.rec}
	if err := d.cfg.Store.SaveEdgeGroups(saved); err != nil {
		return Group{}, fmt.Errorf("save edge group %s: %w", s.Name, err)
	}
	g.rec = saved[0]
	members := d.members(g)
	d.mu.Lock()
	defer d.mu.Unlock()
	if old != nil {
		d.forget(old)
	}
	d.index.put(g)
	for _, m := range members {
		g.members[m.Device] = m.How
		d.index.of[m.Device] = append(slices.Clip(d.index.of[m.Device]), membership{g, m.How})
	}
	return g.rec, nil
}

// draft is what a spec makes of a group. Callers hold change.
func (d *Desk) draft(s Spec, was *Group) (*group, error) {
	rec := Group{Created: time.Now().Unix()}
	if was != nil {
		rec = *was
	}
	rec.Name, rec.Description, rec.Home, rec.Selector = s.Name, s.Description, s.Home, s.Selector
	rec.Owner, rec.Devices = s.Owner, slices.Compact(slices.Sorted(slices.Values(s.Devices)))
	g, err := newGroup(rec)
	if err != nil {
		return nil, err
	}
	for _, id := range rec.Devices {
		if was != nil && was.Home == rec.Home {
			if _, before := slices.BinarySearch(was.Devices, id); before {
				continue // it may have been revoked or moved away since
			}
		}
		switch dev, ok := d.cfg.Fleet.Device(id); {
		case !ok:
			return nil, fmt.Errorf("device %.40q: %w, or it was revoked: leave it out", id, fleet.ErrNotFound)
		case !fleet.Within(dev.Group, rec.Home):
			return nil, fmt.Errorf("device %s: %w: it is in group /%s, and the edge group has devices of /%s only: leave it out, or choose another home",
				id, fleet.ErrInvalid, dev.Group, rec.Home)
		}
	}
	return g, nil
}

// members looks through the fleet for the members of a group.
func (d *Desk) members(g *group) (out []Member) {
	for dev := range d.cfg.Fleet.Devices() {
		if how := g.how(&dev); how != 0 {
			out = append(out, Member{dev.ID, how})
		}
	}
	return out
}

// Preview gives who would be a member of such a group, without making it: in the order of the fleet. A Name is
// needed where devices may stay listed that went elsewhere. Errors are those of Put.
func (d *Desk) Preview(s Spec) ([]Member, error) {
	d.change.Lock()
	var was *Group
	if old := d.index.byName[s.Name]; old != nil {
		was = &old.rec
	}
	g, err := d.draft(s, was)
	d.change.Unlock()
	if err != nil {
		return nil, err
	}
	return d.members(g), nil
}

// Remove removes an edge group that nothing uses. expect is as in Put. Errors wrap fleet.ErrNotFound or fleet.ErrInUse,
// or are those of expect.
func (d *Desk) Remove(name, by string, expect func(*Group) error) error {
	rec, err := d.remove(name, expect)
	if err != nil {
		return err
	}
	d.cfg.Events(Notice{Kind: KindRemoved, Group: rec, By: by})
	return nil
}

func (d *Desk) remove(name string, expect func(*Group) error) (Group, error) {
	d.change.Lock()
	defer d.change.Unlock()
	g := d.index.byName[name]
	if g == nil {
		return Group{}, NotFound(name)
	}
	if expect != nil {
		if err := expect(&g.rec); err != nil {
			return Group{}, err
		}
	}
	d.leave(g, true) // so that nothing comes to use it behind the back of UsedBy
	defer d.leave(g, false)
	if users := d.cfg.UsedBy(g.rec.ID); len(users) > 0 {
		return Group{}, &InUseError{name, users}
	}
	if err := d.cfg.Store.RemoveEdgeGroup(g.rec.ID); err != nil {
		return Group{}, fmt.Errorf("remove edge group %s: %w", name, err)
	}
	d.mu.Lock()
	d.forget(g)
	d.mu.Unlock()
	return g.rec, nil
}

func (d *Desk) leave(g *group, leaving bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	g.leaving = leaving
}

// NotFound is the error of an edge group that is not there, or is not seen.
func NotFound(name string) error {
	return fmt.Errorf("edge group %.80q: %w", name, fleet.ErrNotFound)
}

// forget takes a group out of the index. Callers hold change and mu.
func (d *Desk) forget(g *group) {
	d.index.drop(g)
	for id := range g.members {
		rest := slices.DeleteFunc(slices.Clone(d.index.of[id]), func(m membership) bool { return m.g == g })
		if len(rest) == 0 {
			delete(d.index.of, id)
		} else {
			d.index.of[id] = rest
		}
	}
}

// DeviceChanged works out anew of which groups a device is a member: after it was admitted, changed or revoked. One that
// took the place of another takes it on the lists too.
func (d *Desk) DeviceChanged(id protocol.DeviceID) error {
	d.change.Lock()
	defer d.change.Unlock()
	dev, there := d.cfg.Fleet.Device(id)
	if !there {
		d.place(id, nil)
		return nil
	}
	var gone []protocol.DeviceID
	heirs := map[protocol.DeviceID]protocol.DeviceID{}
	for _, former := range dev.Former {
		if len(d.index.listing[former]) > 0 && !d.there(former) {
			gone, heirs[former] = append(gone, former), id
		}
	}
	err := d.relist(gone, heirs)
	d.place(id, d.index.memberships(&dev))
	return err
}

// DeviceRemoved takes a device that was removed off all lists, so that it is on none when it is admitted again.
func (d *Desk) DeviceRemoved(id protocol.DeviceID) error {
	d.change.Lock()
	err := d.relist([]protocol.DeviceID{id}, nil)
	d.change.Unlock()
	return errors.Join(err, d.DeviceChanged(id))
}

func (d *Desk) there(id protocol.DeviceID) bool {
	_, there := d.cfg.Fleet.Device(id)
	return there
}

// place makes a device a member of these groups and no others. Callers hold change.
func (d *Desk) place(id protocol.DeviceID, in []membership) {
	if d.index.same(id, in) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.index.place(id, in)
}

// relist takes devices off all lists, and puts their heirs there, where they have some. Members stay as they are.
// Callers hold change, or are New.
func (d *Desk) relist(gone []protocol.DeviceID, heirs map[protocol.DeviceID]protocol.DeviceID) error {
	edited := map[*group]Group{}
	for _, id := range gone {
		for _, g := range d.index.listing[id] {
			rec, begun := edited[g]
			if !begun {
				rec = g.rec
				rec.Devices = slices.Clone(rec.Devices)
			}
			rec.Devices = slices.DeleteFunc(rec.Devices, func(x protocol.DeviceID) bool { return x == id })
			if heir := heirs[id]; heir != "" {
				rec.Devices = append(rec.Devices, heir)
			}
			edited[g] = rec
		}
	}
	if len(edited) == 0 {
		return nil
	}
	groups, recs := make([]*group, 0, len(edited)), make([]Group, 0, len(edited))
	for g, rec := range edited {
		slices.Sort(rec.Devices)
		rec.Devices = slices.Compact(rec.Devices)
		groups, recs = append(groups, g), append(recs, rec)
	}
	if err := d.cfg.Store.SaveEdgeGroups(recs); err != nil {
		return fmt.Errorf("take devices that went off the lists of edge groups: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, g := range groups {
		d.index.drop(g)
		g.rec = recs[i]
		d.index.put(g)
	}
	return nil
}
