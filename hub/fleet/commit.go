package fleet

import (
	"errors"
	"maps"
	"reflect"
	"slices"

	"github.com/farshore/farshore/protocol"
)

// errPanicked is never seen outside: commit lets the panic go on in the goroutine that caused it.
var errPanicked = errors.New("the function handed to the registry panicked")

// waiter is a change that waits to be made durable.
type waiter struct {
	change   func(*tx) error
	err      error
	panicked any
	done     bool // guarded by Registry.write
}

// commit makes a change durable and visible, together with all others that wait. The first that gets hold of the
// write lock does the work for all, so that n changes that arrive during one transaction cost one more, not n.
func (r *Registry) commit(change func(*tx) error) error {
	w := &waiter{change: change}
	r.queueMu.Lock()
	r.queue = append(r.queue, w)
	r.queueMu.Unlock()

	r.write.Lock()
	if !w.done {
		r.queueMu.Lock()
		all := r.queue
		r.queue = nil
		r.queueMu.Unlock()
		r.commitAll(all)
	}
	r.write.Unlock()
	if w.panicked != nil {
		panic(w.panicked)
	}
	return w.err
}

func (r *Registry) commitAll(all []*waiter) {
	group := newDraft()
	for _, w := range all {
		w.done = true
		t := &tx{r: r, mine: newDraft(), group: group}
		if w.err = w.try(t); w.err == nil {
			group.merge(t.mine)
		}
	}
	if delta, empty := group.delta(); !empty {
		if err := r.store.SaveFleet(delta); err != nil {
			for _, w := range all {
				if w.err == nil {
					w.err = err
				}
			}
			return
		}
	}
	r.tell(r.apply(group))
}

// try runs the change. A panic in it must not take the others along; commit lets it go on where it belongs.
func (w *waiter) try(t *tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.panicked, err = p, errPanicked
		}
	}()
	return w.change(t)
}

// apply makes a draft that is durable the state, and gives what changed. Callers hold write.
func (r *Registry) apply(d *draft) []Change {
	changes := r.applyRecords(d)
	if len(d.groups)+len(d.profiles) == 0 {
		return changes
	}
	// Computed without mu, since nobody else changes the state: a change that reaches all devices holds up nobody.
	var reached []derived
	for id, e := range r.now.devices {
		if _, done := d.devices[id]; !done && concerns(d, e) {
			if x := r.derive(e, ChangeUpdated); x.change.Labels || x.change.Settings {
				reached = append(reached, x)
				changes = append(changes, x.change)
			} else if !maps.Equal(x.effective.From, e.effective.From) || x.effective.Tariff != e.effective.Tariff {
				reached = append(reached, x)
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range reached {
		r.set(x)
	}
	return changes
}

// applyRecords takes over what the draft says, with what follows from it for the devices it names.
func (r *Registry) applyRecords(d *draft) (changes []Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.now
	replace(s.groups, d.groups)
	replace(s.profiles, d.profiles)
	for id, t := range d.tombstones {
		if t == nil {
			delete(s.tombstones, id)
		} else {
			s.tombstones[id] = *t
		}
	}
	for name, id := range d.names {
		if id == "" {
			delete(s.names, name)
		} else {
			s.names[name] = id
		}
	}
	if len(d.groups) > 0 {
		s.inherit()
	}
	reban := len(d.tombstones) > 0
	for _, id := range slices.Sorted(maps.Keys(d.devices)) {
		was, is := s.devices[id], d.devices[id]
		reban = reban || was != nil && was.dev.Revoked != 0 || is != nil && is.Revoked != 0
		changes = append(changes, r.applyDevice(id, d))
	}
	for id, c := range d.presence {
		if _, done := d.devices[id]; done {
			continue
		}
		if e := s.devices[id]; e != nil && e.take(c) {
			x := r.derive(e, ChangeUpdated)
			r.set(x)
			changes = append(changes, x.change)
		}
	}
	if reban {
		r.ban()
	}
	return changes
}

func replace[K comparable, V any](to, from map[K]*V) {
	for k, v := range from {
		if v == nil {
			delete(to, k)
		} else {
			to[k] = v
		}
	}
}

// applyDevice takes over what a draft says of one device.
func (r *Registry) applyDevice(id protocol.DeviceID, of *draft) Change {
	d, e := of.devices[id], r.now.devices[id]
	if d == nil {
		gone := Change{Device: id, Kind: ChangeRemoved, Labels: true, Settings: true}
		if e != nil {
			gone.Group = e.dev.Group
		}
		delete(r.now.devices, id)
		r.sorted.Store(nil)
		return gone
	}
	kind := ChangeUpdated
	switch {
	case e == nil:
		e = &entry{seen: Presence{Device: id}, told: NeverSeen, dev: &Device{}, effective: &Effective{}}
		r.now.devices[id] = e
		kind = ChangeAdded
	case e.dev.Revoked != 0 && d.Revoked == 0:
		kind = ChangeAdded
	case e.dev.Revoked == 0 && d.Revoked != 0:
		kind = ChangeRevoked
	}
	if e.dev.Name != d.Name || kind == ChangeAdded {
		r.sorted.Store(nil)
	}
	e.dev = d
	if c, ok := of.presence[id]; ok {
		e.take(c)
	}
	x := r.derive(e, kind)
	r.set(x)
	if kind == ChangeAdded {
		x.change.Labels, x.change.Settings = true, true
	}
	return x.change
}

// derived is what follows from the state for one device, and what is new about it.
type derived struct {
	e         *entry
	labels    map[string]string
	effective *Effective
	change    Change
}

// set makes what was derived hold. Callers hold mu for writing.
func (r *Registry) set(x derived) {
	r.edition++
	x.e.labels, x.e.effective, x.e.edition = x.labels, x.effective, r.edition
}

// derive computes labels and settings of one device anew. Callers hold write.
func (r *Registry) derive(e *entry, kind ChangeKind) derived {
	e.mu.Lock()
	version := e.seen.Version
	e.mu.Unlock()
	labels := allLabels(e.dev, version, r.now.inherited[e.dev.Group])
	x := derived{
		e:         e,
		labels:    labels,
		effective: effective(&r.now, e.dev, labels),
		change:    Change{Device: e.dev.ID, Group: e.dev.Group, Kind: kind},
	}
	x.change.Labels = !maps.Equal(x.labels, e.labels)
	x.change.Settings = !sameSettings(x.effective.Settings, e.effective.Settings)
	return x
}

// concerns reports whether a change of groups or profiles can reach the device.
func concerns(d *draft, e *entry) bool {
	if len(d.profiles) > 0 {
		return true
	}
	for path := range d.groups {
		if Within(e.dev.Group, path) {
			return true
		}
	}
	return false
}

// take sets what a Hello told, and reports whether labels may have changed with it.
func (e *entry) take(c presenceChange) (version bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dirty = true
	to, from := &c.to, &c.from
	if to.LastContact > e.seen.LastContact {
		e.seen.LastContact = to.LastContact
	}
	set(&e.seen.Carrier, from.Carrier, to.Carrier)
	set(&e.seen.Boot, from.Boot, to.Boot)
	set(&e.seen.Mark, from.Mark, to.Mark)
	set(&e.seen.Capability, from.Capability, to.Capability)
	set(&e.seen.ClockOffset, from.ClockOffset, to.ClockOffset)
	set(&e.seen.Build, from.Build, to.Build)
	return set(&e.seen.Version, from.Version, to.Version)
}

func set[T comparable](v *T, from, to T) bool {
	if from == to {
		return false
	}
	*v = to
	return true
}

// inherit computes what each group hands down.
func (s *state) inherit() {
	s.inherited = make(map[string]map[string]string, len(s.groups))
	for _, path := range slices.Sorted(maps.Keys(s.groups)) { // a group sorts after those above it
		var above map[string]string
		for up, ok := parent(path); ok; up, ok = parent(up) {
			if above, ok = s.inherited[up]; ok {
				break
			}
		}
		own := s.groups[path].Labels
		if len(own) == 0 {
			s.inherited[path] = above
			continue
		}
		all := make(map[string]string, len(above)+len(own))
		maps.Copy(all, above)
		maps.Copy(all, own)
		s.inherited[path] = all
	}
}

// same reports whether two devices are stored alike.
func same(a, b *Device) bool { return reflect.DeepEqual(a, b) }
