package hub

import (
	"context"

	"github.com/farshore/farshore/hub/edge"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/store"
	"github.com/farshore/farshore/hub/vault"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/waitingroom/admission"
)

// fleetView is the fleet as the planner sees it.
type fleetView struct{ fleet *fleet.Registry }

// Check implements planner.Fleet.
func (v fleetView) Check(selector string) error {
	_, err := fleet.ParseSelector(selector)
	return err
}

// Matching implements planner.Fleet.
func (v fleetView) Matching(r stacks.Reach) ([]protocol.DeviceID, error) {
	sel, err := fleet.ParseSelector(r.Selector)
	if err != nil {
		return nil, err
	}
	return v.fleet.Match(sel, r.Group), nil
}

// Matches implements planner.Fleet.
func (v fleetView) Matches(r stacks.Reach, id protocol.DeviceID) (bool, error) {
	sel, err := fleet.ParseSelector(r.Selector)
	if err != nil {
		return false, err
	}
	d, ok := v.fleet.Device(id)
	return ok && d.Revoked == 0 && fleet.Within(d.Group, r.Group) && sel.Matches(v.fleet.LabelsOf(id)), nil
}

// Target implements planner.Fleet.
func (v fleetView) Target(id protocol.DeviceID) (stacks.Target, bool) {
	d, ok := v.fleet.Device(id)
	if !ok || d.Revoked != 0 {
		return stacks.Target{}, false
	}
	return stacks.Target{Name: d.Name, Labels: v.fleet.LabelsOf(id), Group: d.Group}, true
}

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
