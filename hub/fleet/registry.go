package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Intervals of Run.
const (
	// FlushEvery is how often presence is written.
	FlushEvery = 30 * time.Second
	// WatchEvery is how often liveness is looked at.
	WatchEvery = time.Second
	// aliveEvery is how often it is written that the hub runs, where there is no presence to write.
	aliveEvery = 5 * time.Minute
)

// Store keeps the fleet. Each method is one transaction.
type Store interface {
	// LoadFleet gives all that was saved.
	LoadFleet() (Saved, error)
	// SaveFleet makes all of the delta durable, or nothing.
	SaveFleet(Delta) error
	// SavePresence makes presences durable, and that the hub ran at alive (Unix seconds).
	SavePresence(seen []Presence, alive int64) error
}

// Saved is what a Store holds.
type Saved struct {
	Devices    []Device // without their presence
	Groups     []Group
	Profiles   []Profile
	Tombstones []Tombstone
	Presences  []Presence
	Alive      int64 // when the hub last ran, Unix seconds; 0: never
}

// Delta is what one transaction changes.
type Delta struct {
	Devices          []Device
	RemoveDevices    []protocol.DeviceID // their presence goes too
	Groups           []Group
	RemoveGroups     []string
	Profiles         []Profile
	RemoveProfiles   []string
	Tombstones       []Tombstone
	RemoveTombstones []protocol.DeviceID
}

// ChangeKind is what happened to a device.
type ChangeKind string

// Kinds of changes.
const (
	ChangeAdded    ChangeKind = "added"
	ChangeUpdated  ChangeKind = "updated"
	ChangeRemoved  ChangeKind = "removed"
	ChangeRevoked  ChangeKind = "revoked"
	ChangeLiveness ChangeKind = "liveness"
	ChangeLifted   ChangeKind = "lifted" // its budget was; ChangeUpdated told the new settings before
)

// Change tells of one device.
type Change struct {
	Device protocol.DeviceID
	Kind   ChangeKind
	// Group that the device is in, or was in when it was removed.
	Group string
	// Labels and Settings say that what LabelsOf, or the settings in Effective, gives is not what it was. Both are set
	// for added devices. A change of a group or profile is told as a change of each device it reaches.
	Labels, Settings bool
	// Text says more to people. Empty: nothing.
	Text string
	// Was and Liveness are given for ChangeLiveness.
	Was      LivenessState
	Liveness Liveness
}

// Routine reports a change of liveness that comes with each opening of a device's link, and is no news.
func (c Change) Routine() bool {
	return c.Was == Quiet && c.Liveness.State == OnTime || c.Was == OnTime && c.Liveness.State == Quiet && !c.Liveness.NextContact.IsZero()
}

// Config of a Registry.
type Config struct {
	Store Store
	Log   *slog.Logger
	// Changed is told of every change, in order, before the call that made it returns. It may read the Registry but
	// must not change it. Nil: nobody is told.
	Changed func(Change)
	// Tables is told when a table of passes ends soon, and when it has ended, after that was noted. Nil: nobody is told.
	Tables func(TableNotice)
	// Online tells whether a device is connected now, and how. Nil: none is.
	Online func(protocol.DeviceID) (protocol.Carrier, bool)
}

// Registry is the hub's memory of its fleet.
type Registry struct {
	store   Store
	log     *slog.Logger
	changed func(Change)
	online  func(protocol.DeviceID) (protocol.Carrier, bool)
	tables  func(TableNotice)

	// Lock order: write, telling, mu, entry.mu. queueMu is taken alone.
	write   sync.Mutex // held while a group of changes is made durable
	telling sync.Mutex // held while changed is called
	queueMu sync.Mutex
	queue   []*waiter // guarded by queueMu

	mu     sync.RWMutex
	now    state                    // changed under write and mu; read under either
	banned banned                   // like now
	sorted atomic.Pointer[[]*entry] // by name; nil: to be sorted again
	alive  int64                    // guarded by write: what was last saved
	// edition is the last one given to an entry. It is changed under mu.
	edition uint64
}

// state is the fleet as it is now.
type state struct {
	devices    map[protocol.DeviceID]*entry
	groups     map[string]*Group
	inherited  map[string]map[string]string // labels that a group hands down, its own included; by path
	profiles   map[string]*Profile
	tombstones map[protocol.DeviceID]Tombstone
	names      map[string]protocol.DeviceID // of devices not revoked
}

// entry is one device. The pointer stays the same for as long as the device is known.
type entry struct {
	// dev, labels and effective are replaced, never changed; guarded like Registry.now.
	dev       *Device
	labels    map[string]string
	effective *Effective
	edition   uint64 // another one after each change of dev or labels; guarded like them

	mu    sync.Mutex
	seen  Presence      // guarded by mu
	dirty bool          // guarded by mu: seen is to be written
	told  LivenessState // guarded by mu: what watch last saw
	by    *Effective    // guarded by mu: the settings by which the openings in seen were worked out
}

// New loads the fleet. It starts nothing: see Run.
func New(c Config) (*Registry, error) {
	r := &Registry{store: c.Store, log: c.Log, changed: c.Changed, online: c.Online, tables: c.Tables}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	saved, err := c.Store.LoadFleet()
	if err != nil {
		return nil, fmt.Errorf("load the fleet: %w", err)
	}
	r.now = state{
		devices:    make(map[protocol.DeviceID]*entry, len(saved.Devices)),
		groups:     map[string]*Group{"": {}},
		profiles:   make(map[string]*Profile),
		tombstones: make(map[protocol.DeviceID]Tombstone),
		names:      make(map[string]protocol.DeviceID, len(saved.Devices)),
	}
	for _, t := range saved.Tombstones {
		r.now.tombstones[t.Device] = t
	}
	for _, p := range append(saved.Profiles, builtIn()...) {
		r.now.profiles[p.Name] = &p
	}
	for _, g := range saved.Groups {
		r.now.groups[g.Path] = &g
	}
	r.now.inherit()
	for _, d := range saved.Devices {
		r.now.devices[d.ID] = &entry{dev: &d, seen: Presence{Device: d.ID}}
		if d.Revoked == 0 {
			r.now.names[d.Name] = d.ID
		}
	}
	newest := saved.Alive
	for _, p := range saved.Presences {
		newest = max(newest, p.LastContact)
		if e := r.now.devices[p.Device]; e != nil {
			e.seen = p
		}
	}
	now := time.Now()
	r.alive = newest
	for _, e := range r.now.devices {
		r.edition++
		e.edition = r.edition
		e.labels = allLabels(e.dev, e.seen.Version, r.now.inherited[e.dev.Group])
		e.effective = effective(&r.now, e.dev, e.labels)
		e.excuse(time.Unix(newest, 0), now)
		e.told = judge(e.dev, &e.seen, now).State
	}
	r.ban()
	return r, nil
}

// Run writes presence every FlushEvery and tells of changed liveness, until ctx is done. It then writes what is left.
func (r *Registry) Run(ctx context.Context) error {
	flush, watch, tables := time.NewTicker(FlushEvery), time.NewTicker(WatchEvery), time.NewTicker(tablesEvery)
	defer flush.Stop()
	defer watch.Stop()
	defer tables.Stop()
	for {
		select {
		case <-ctx.Done():
			return r.Close()
		case now := <-watch.C:
			r.watch(now)
		case now := <-tables.C:
			r.watchTables(now)
		case <-flush.C:
			if err := r.flush(aliveEvery); err != nil {
				r.log.Error("contacts could not be saved and are kept in memory", "err", err)
			}
		}
	}
}

// Close writes the presence that is not written yet. The Registry can still be read, and Close be called again.
func (r *Registry) Close() error { return r.flush(0) }

// flush writes what is dirty. Where nothing is, it still notes that the hub runs when that was noted longer ago than
// alive.
func (r *Registry) flush(alive time.Duration) error {
	r.write.Lock()
	defer r.write.Unlock()
	var (
		seen  []Presence
		dirty []*entry
	)
	r.mu.RLock()
	for _, e := range r.now.devices {
		e.mu.Lock()
		if e.dirty {
			seen, dirty = append(seen, e.seen), append(dirty, e)
			e.dirty = false
		}
		e.mu.Unlock()
	}
	known := len(r.now.devices)
	r.mu.RUnlock()

	now := time.Now().Unix()
	if len(seen) == 0 && (known == 0 || now-r.alive < int64(alive/time.Second) || now == r.alive) {
		return nil
	}
	if err := r.store.SavePresence(seen, now); err != nil {
		for _, e := range dirty {
			e.mu.Lock()
			e.dirty = true
			e.mu.Unlock()
		}
		return fmt.Errorf("save contacts of %d devices: %w", len(seen), err)
	}
	r.alive = now
	return nil
}

// tell hands changes to the one who wants to know, one at a time.
func (r *Registry) tell(changes []Change) {
	if r.changed == nil || len(changes) == 0 {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	for _, c := range changes {
		r.changed(c)
	}
}

// view gives the device as it is now, presence included.
func (e *entry) view(d *Device) Device {
	out := *d
	e.mu.Lock()
	e.seen.into(&out)
	e.mu.Unlock()
	return out
}

func (p *Presence) into(d *Device) {
	d.Boot, d.Mark, d.LastContact, d.Carrier = p.Boot, p.Mark, p.LastContact, p.Carrier
	d.Version, d.Capability, d.ClockOffset, d.Build = p.Version, p.Capability, p.ClockOffset, p.Build
}

// Device gives a device by its id.
func (r *Registry) Device(id protocol.DeviceID) (Device, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	e := r.now.devices[id]
	if e == nil {
		return Device{}, false
	}
	return e.view(e.dev), true
}

// Size is how many devices there are, without those that were revoked.
func (r *Registry) Size() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.now.names)
}

// Devices gives all devices, revoked ones too, sorted by name.
func (r *Registry) Devices() []Device {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := r.byName()
	out := make([]Device, len(all))
	for i, e := range all {
		out[i] = e.view(e.dev)
	}
	return out
}

// Match gives the ids of the devices in a group, or below it, that sel names, sorted by name. Revoked devices are never
// meant.
func (r *Registry) Match(sel Selector, group string) []protocol.DeviceID {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var out []protocol.DeviceID
	for _, e := range r.byName() {
		if e.dev.Revoked == 0 && Within(e.dev.Group, group) && sel.Matches(e.labels) {
			out = append(out, e.dev.ID)
		}
	}
	return out
}

// byName gives the entries sorted by name and id. Callers hold mu.
func (r *Registry) byName() []*entry {
	if p := r.sorted.Load(); p != nil {
		return *p
	}
	all := make([]*entry, 0, len(r.now.devices))
	for _, e := range r.now.devices {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *entry) int {
		if c := strings.Compare(a.dev.Name, b.dev.Name); c != 0 {
			return c
		}
		return strings.Compare(string(a.dev.ID), string(b.dev.ID))
	})
	r.sorted.Store(&all) // whoever else does this under the same read lock stores the same
	return all
}

// Find gives the one device meant by ref: its id, its name, or the beginning of either. Devices that are not revoked
// come first; those that sees is false for are not there. Errors wrap ErrNotFound or ErrAmbiguous.
func (r *Registry) Find(ref string, sees func(*Device) bool) (Device, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if e := r.now.devices[protocol.DeviceID(ref)]; e != nil && sees(e.dev) {
		return e.view(e.dev), nil
	}
	if e := r.now.devices[r.now.names[ref]]; e != nil && sees(e.dev) {
		return e.view(e.dev), nil
	}
	if ref == "" {
		return Device{}, fmt.Errorf("device %q: %w: give a name or an id", ref, ErrNotFound)
	}
	var live, revoked, named []*entry
	for _, e := range r.byName() {
		switch {
		case e.dev.Revoked != 0 && e.dev.Name == ref && sees(e.dev):
			named = append(named, e)
		case !strings.HasPrefix(e.dev.Name, ref) && !strings.HasPrefix(string(e.dev.ID), ref), !sees(e.dev):
		case e.dev.Revoked != 0:
			revoked = append(revoked, e)
		default:
			live = append(live, e)
		}
	}
	for _, found := range [][]*entry{named, live, revoked} {
		switch len(found) {
		case 0:
		case 1:
			return found[0].view(found[0].dev), nil
		default:
			return Device{}, fmt.Errorf("device %q: %w: %s: give the whole name or id", ref, ErrAmbiguous, names(found))
		}
	}
	return Device{}, fmt.Errorf("device %.160q: %w: no device has this name or id, nor one that begins so", ref, ErrNotFound)
}

func names(found []*entry) string {
	var b strings.Builder
	for i, e := range found {
		if i == 5 {
			fmt.Fprintf(&b, " and %d more", len(found)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s (%s)", e.dev.Name, e.dev.ID)
	}
	return b.String()
}

// LabelsOf gives all labels that apply to a device: those of its groups, the nearest first, under its own, and the
// facts below FactPrefix. The map is shared and never changed. Nil: there is no such device.
func (r *Registry) LabelsOf(id protocol.DeviceID) map[string]string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if e := r.now.devices[id]; e != nil {
		return e.labels
	}
	return nil
}

// Effective gives the settings that hold for a device and where each comes from. Its map is shared and never changed.
func (r *Registry) Effective(id protocol.DeviceID) (Effective, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if e := r.now.devices[id]; e != nil {
		return *e.effective, true
	}
	return Effective{}, false
}
