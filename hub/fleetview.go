package hub

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/farshore/farshore/hub/edge"
	"github.com/farshore/farshore/hub/edgegroups"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/hub/vault"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/waitingroom/admission"
)

// fleetView is the fleet as the planner sees it. It is safe for concurrent use.
type fleetView struct {
	fleet *fleet.Registry
	sets  *edgegroups.Desk

	mu     sync.Mutex
	parsed map[string]fleet.Selector // guarded by mu; at most maxParsed
}

// maxParsed bounds how many selectors are remembered: more than there are stacks.
const maxParsed = 4096

func newFleetView(f *fleet.Registry, sets *edgegroups.Desk) *fleetView {
	return &fleetView{fleet: f, sets: sets, parsed: map[string]fleet.Selector{}}
}

// selector parses each selector once: the planner asks for each device and stack.
func (v *fleetView) selector(text string) (fleet.Selector, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	sel, ok := v.parsed[text]
	if ok {
		return sel, nil
	}
	sel, err := fleet.ParseSelector(text)
	if err != nil {
		return fleet.Selector{}, err
	}
	if len(v.parsed) >= maxParsed {
		clear(v.parsed)
	}
	v.parsed[text] = sel
	return sel, nil
}

// Check implements planner.Fleet.
func (v *fleetView) Check(selector string) error {
	_, err := fleet.ParseSelector(selector)
	return err
}

// Matching implements planner.Fleet.
func (v *fleetView) Matching(r stacks.Reach) ([]protocol.DeviceID, error) {
	sel, err := v.selector(r.Selector)
	if err != nil {
		return nil, err
	}
	for _, id := range r.Exclude {
		if _, there := v.sets.Members(id); !there {
			return nil, noEdgeGroup(id)
		}
	}
	if len(r.Include) == 0 {
		return slices.DeleteFunc(v.fleet.Match(sel, r.Group), func(dev protocol.DeviceID) bool { return v.sets.InAny(dev, r.Exclude) }), nil
	}
	meant := map[protocol.DeviceID]bool{}
	for _, id := range r.Include {
		members, there := v.sets.Members(id)
		if !there {
			return nil, noEdgeGroup(id)
		}
		for _, m := range members {
			meant[m.Device] = meant[m.Device] || v.meant(r, sel, m.Device)
		}
	}
	maps.DeleteFunc(meant, func(_ protocol.DeviceID, is bool) bool { return !is })
	return slices.Collect(maps.Keys(meant)), nil
}

// Matches implements planner.Fleet.
func (v *fleetView) Matches(r stacks.Reach, id protocol.DeviceID) (bool, error) {
	sel, err := v.selector(r.Selector)
	return err == nil && v.meant(r, sel, id), err
}

// meant reports whether a reach with that selector means a device.
func (v *fleetView) meant(r stacks.Reach, sel fleet.Selector, id protocol.DeviceID) bool {
	d, labels := v.fleet.Meant(id)
	return d != nil && d.Revoked == 0 && fleet.Within(d.Group, r.Group) && sel.Matches(labels) &&
		(len(r.Include) == 0 || v.sets.InAny(id, r.Include)) && !v.sets.InAny(id, r.Exclude)
}

func noEdgeGroup(id uint64) error {
	return fmt.Errorf("edge group with the id %d: %w: it was removed: name another", id, fleet.ErrNotFound)
}

// Target implements planner.Fleet.
func (v *fleetView) Target(id protocol.DeviceID) (stacks.Target, bool) {
	d, ok := v.fleet.Device(id)
	if !ok || d.Revoked != 0 {
		return stacks.Target{}, false
	}
	return stacks.Target{
		Name: d.Name, Labels: v.fleet.LabelsOf(id), Group: d.Group, Confirmed: d.Confirmed, Capability: d.Capability,
		Spent: v.fleet.Stage(id) >= protocol.SpendingLast,
	}, true
}

// Reachable implements planner.Fleet.
func (v *fleetView) Reachable(id protocol.DeviceID) (bool, time.Time) {
	now := time.Now()
	l := v.fleet.Liveness(id, now)
	return reachable(l, now), l.NextContact
}

// reachable reports whether a device is heard of as expected, so that it will hear of something soon.
func reachable(l fleet.Liveness, now time.Time) bool {
	soon := l.State == fleet.Quiet && !l.NextContact.IsZero() // its link may not be used now, and it is expected when it may
	return l.Connected || l.State == fleet.OnTime || l.State == fleet.Late || soon || now.Sub(l.LastContact) < justHeard
}

// justHeard is how long after a contact a device that makes none regularly counts as being there.
const justHeard = 10 * time.Minute

// acceptedSets keeps what devices are known to hold, sealed because it has the variables of stacks, and tells the planner
// of it.
type acceptedSets struct {
	store   *store.Store
	vault   *vault.Vault
	planner *planner.Planner
}

// sealedSets begins the purpose of a sealed set; the device's id ends it, so that one cannot serve as another's.
const sealedSets = "accepted desired set of "

// AcceptedSet implements orders.Store.
func (a acceptedSets) AcceptedSet(id protocol.DeviceID) ([]protocol.Entry, error) {
	sealed, err := a.store.AcceptedSet(id)
	if err != nil || sealed == nil {
		return nil, err
	}
	raw, err := a.vault.Open(sealedSets+string(id), sealed)
	if err != nil {
		return nil, err
	}
	var set []protocol.Entry
	return set, protocol.Unmarshal(raw, &set)
}

// PutAcceptedSet implements orders.Store.
func (a acceptedSets) PutAcceptedSet(id protocol.DeviceID, set []protocol.Entry) error {
	var sealed []byte
	if len(set) > 0 {
		raw, err := protocol.Marshal(set)
		if err != nil {
			return err
		}
		sealed = a.vault.Seal(sealedSets+string(id), raw)
	}
	if err := a.store.PutAcceptedSet(id, sealed); err != nil {
		return err
	}
	return a.planner.Holds(id, protocol.DesiredHash(set))
}

// knocker hands knocks from the public port to the waiting room.
type knocker struct{ desk *admission.Desk }

// Knock implements edge.Knocker.
func (k knocker) Knock(ctx context.Context, r edge.KnockRequest) (protocol.KnockAnswer, error) {
	return k.desk.Knock(ctx, admission.KnockRequest(r))
}
