package hub

import (
	"fmt"
	"iter"
	"time"

	"github.com/farshore/farshore/hub/edgegroups"
	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// openEdgeGroups makes what keeps edge groups. It comes after the fleet, and before the planner that goes by them.
func (h *Hub) openEdgeGroups() (err error) {
	h.sets, err = edgegroups.New(edgegroups.Config{
		Store: h.store, Fleet: setsFleet{h.fleet}, Events: h.edgeGroupNotice,
		Changed: func(id uint64) {
			if err := h.planner.Retarget(id); err != nil {
				h.log.Error("edge group changed: work out the devices of stacks", "id", id, "error", err)
			}
			if err := h.jobs.Retarget(id); err != nil {
				h.log.Error("edge group changed: work out the devices of jobs", "id", id, "error", err)
			}
		},
		UsedBy: func(id uint64) []string { return append(h.planner.UsedBy(id), h.jobs.UsedBy(id)...) },
	})
	return err
}

func (h *Hub) edgeGroupNotice(n edgegroups.Notice) {
	did := "changed"
	if n.Kind == edgegroups.KindRemoved {
		did = "removed"
	}
	h.events.Publish(events.Event{
		Kind: n.Kind, Group: n.Group.Home, Owner: n.Group.Owner, Text: fmt.Sprintf("edge group %s was %s", n.Group.Name, did),
		Data: map[string]any{"edge_group": n.Group.Name, "by": n.By},
	})
}

// setsFleet is the fleet as edge groups see it.
type setsFleet struct{ fleet *fleet.Registry }

// Device implements edgegroups.Fleet.
func (s setsFleet) Device(id protocol.DeviceID) (edgegroups.Device, bool) {
	d, labels := s.fleet.Meant(id)
	if d == nil || d.Revoked != 0 {
		return edgegroups.Device{}, false
	}
	return edgegroups.Device{ID: id, Group: d.Group, Labels: labels, Former: d.Former}, true
}

// Known implements edgegroups.Fleet.
func (s setsFleet) Known(id protocol.DeviceID) bool {
	d, _ := s.fleet.Meant(id)
	return d != nil
}

// Devices implements edgegroups.Fleet.
func (s setsFleet) Devices() iter.Seq[edgegroups.Device] {
	return func(yield func(edgegroups.Device) bool) {
		for x := range s.fleet.Sights(time.Now()) {
			d := x.Device
			if d.Revoked == 0 && !yield(edgegroups.Device{ID: d.ID, Group: d.Group, Labels: x.Labels, Former: d.Former}) {
				return
			}
		}
	}
}
