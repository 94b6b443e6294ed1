package hub

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/tunnel"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/waitingroom/admission"
)

// sessionDevices is the fleet as the sessions see it.
type sessionDevices struct {
	fleet   *fleet.Registry
	planner *planner.Planner
	told    *told
	// ahead is told of a device that took orders of an epoch.
	ahead func(protocol.DeviceID, uint64)
}

// Key implements session.Devices.
func (s sessionDevices) Key(id protocol.DeviceID) (ed25519.PublicKey, error) {
	d, ok := s.fleet.Device(id)
	switch {
	case !ok:
		return nil, &protocol.Error{Code: protocol.CodeUnknown, Text: "This device is not known here: it has to join with an edge key."}
	case d.Revoked != 0:
		return nil, revoked()
	}
	return d.Key, nil
}

func revoked() *protocol.Error {
	return &protocol.Error{Code: protocol.CodeRevoked, Text: "This device was revoked: an operator can approve it again when it knocks."}
}

// Boot implements session.Devices.
func (s sessionDevices) Boot(id protocol.DeviceID) protocol.Boot {
	d, _ := s.fleet.Device(id)
	return d.Boot
}

// Hello implements session.Devices.
func (s sessionDevices) Hello(id protocol.DeviceID, h *protocol.Hello) error {
	s.ahead(id, h.OrderEpoch)
	s.told.clear(id) // a device whose captures are overdue says so again in each session
	if old, ok := s.fleet.Device(id); ok && h.BootCounter < old.Boot.Counter {
		s.planner.Restored(id)
	}
	said := boundHello(h)
	_, err := s.fleet.Update(id, func(d *fleet.Device) error {
		copy(d.Boot.ID[:], h.BootID)
		d.Boot.Counter = h.BootCounter
		d.Mark = protocol.OrderMark{Epoch: h.OrderEpoch, Seq: h.OrderSeq}
		d.Version, d.Capability, d.Mode, d.Build = said.version, h.Capability, said.mode, said.build
		if h.Clock != 0 {
			d.ClockOffset = h.Clock - time.Now().UnixMilli()
		}
		if said.wishes != nil {
			d.Wishes = said.wishes
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.planner.Holds(id, h.Desired)
}

// said is what of a hello is kept and shown.
type said struct {
	version string
	mode    protocol.Mode
	build   fleet.Build
	wishes  map[string]string // nil: as before
}

// boundHello holds a hello to what a knock may say.
func boundHello(h *protocol.Hello) said {
	s := said{version: protocol.Printable(h.Version, protocol.MaxName), mode: protocol.ModeAsync}
	if h.Mode == protocol.ModeStandard {
		s.mode = h.Mode
	}
	s.build = fleet.Build{
		Platform: protocol.Printable(h.Arch, protocol.MaxName), NoUpdate: protocol.Printable(h.NoUpdate, protocol.MaxText),
	}
	for _, p := range h.Programs {
		switch p.Name {
		case protocol.ProgramAgent:
			s.build.Agent = p.Hash
		case protocol.ProgramComposer:
			s.build.Composer = p.Hash
		}
	}
	if h.Wishes == nil {
		return s
	}
	s.wishes = make(map[string]string, min(len(h.Wishes), protocol.MaxLabels))
	for _, name := range slices.Sorted(maps.Keys(h.Wishes)) {
		if len(s.wishes) < protocol.MaxLabels {
			s.wishes[protocol.Printable(name, protocol.MaxName)] = protocol.Printable(h.Wishes[name], protocol.MaxName)
		}
	}
	return s
}

// Contact implements session.Devices.
func (s sessionDevices) Contact(id protocol.DeviceID, at time.Time, c protocol.Carrier) {
	s.fleet.Contact(id, at, c)
}

// admissionDevices is the fleet as the waiting room sees it.
type admissionDevices struct {
	fleet   *fleet.Registry
	grounds grounds
}

// Standing implements admission.Devices.
func (a admissionDevices) Standing(id protocol.DeviceID) admission.Standing {
	d, ok := a.fleet.Device(id)
	switch {
	case !ok:
		if len(a.fleet.RevokedBefore(id, protocol.Facts{})) > 0 {
			return admission.Revoked
		}
		return admission.Stranger
	case d.Revoked != 0:
		return admission.Revoked
	}
	return admission.Approved
}

// Alike implements admission.Devices.
func (a admissionDevices) Alike(serial, machineID string) []admission.Alike {
	var out []admission.Alike
	compare := func(like admission.Alike, itsSerial, itsMachineID string) {
		like.Serial = serial != "" && strings.EqualFold(itsSerial, serial)
		like.Machine = machineID != "" && strings.EqualFold(itsMachineID, machineID)
		if like.Serial || like.Machine {
			out = append(out, like)
		}
	}
	for _, d := range a.fleet.Devices() {
		compare(admission.Alike{ID: d.ID, Name: d.Name, Revoked: d.Revoked != 0}, d.Facts.Serial, d.Facts.MachineID)
	}
	for _, t := range a.fleet.Tombstones() {
		compare(admission.Alike{ID: t.Device, Name: "a device that was removed since", Revoked: true}, t.Serial, t.MachineID)
	}
	return out
}

// Admit implements admission.Devices.
func (a admissionDevices) Admit(_ context.Context, in admission.Admitted) error {
	if old, ok := a.fleet.Device(in.ID); ok {
		if old.Revoked == 0 {
			return nil
		}
		if err := a.grounds.Remove(in.ID); err != nil {
			return err
		}
	}
	if err := a.fleet.EnsureGroup(in.Group); err != nil {
		return err
	}
	now := time.Now().Unix()
	d := fleet.Device{
		ID: in.ID, Key: in.Key, Name: in.Name, Group: in.Group, Profile: in.Profile, Labels: in.Labels, Wishes: in.Wishes,
		Facts: in.Facts, Mode: max(in.Facts.Mode, protocol.ModeAsync), Confirmed: in.Confirmed, ApprovedBy: in.By,
		Approved: now, Created: now, EnrolmentKey: in.EnrolmentKey,
	}
	if !in.NameGiven {
		d.Name = a.freeName(in)
	}
	return a.fleet.Add(d)
}

// freeName makes a name that nobody chose unique, by the beginning of the device's id.
func (a admissionDevices) freeName(in admission.Admitted) string {
	taken := func(name string) bool {
		return slices.ContainsFunc(a.fleet.Devices(), func(d fleet.Device) bool { return d.Name == name && d.Revoked == 0 })
	}
	if !taken(in.Name) {
		return in.Name
	}
	return fmt.Sprintf("%.100s-%s", in.Name, in.ID[:6])
}

// sources is what a device shall have, from the parts that decide it.
type sources struct {
	fleet   *fleet.Registry
	planner *planner.Planner
	jobs    *dispatch.Desk
	book    *commands.Book
	tunnels *tunnel.Keeper
}

// Tunnel implements orders.Sources.
func (s sources) Tunnel(id protocol.DeviceID) *protocol.TunnelAsk { return s.tunnels.Wanted(id) }

// Settings implements orders.Sources.
func (s sources) Settings(id protocol.DeviceID) protocol.Settings {
	e, ok := s.fleet.Effective(id)
	if !ok {
		return protocol.DefaultSettings(protocol.ModeAsync)
	}
	return e.Settings
}

// Desired implements orders.Sources.
func (s sources) Desired(id protocol.DeviceID) []protocol.Entry {
	return append(s.planner.Desired(id), s.jobs.Desired(id)...) // jobs sort after stacks
}

// Pending implements orders.Sources.
func (s sources) Pending(id protocol.DeviceID, now time.Time) []protocol.Command {
	return s.book.Pending(id, now)
}

// Repealed implements orders.Sources.
func (s sources) Repealed(id protocol.DeviceID) []protocol.CommandID { return s.book.Repealed(id) }

// Sent implements orders.Sources.
func (s sources) Sent(id protocol.DeviceID, ids []protocol.CommandID) error {
	return s.book.Sent(id, ids)
}

// NotTaken implements orders.Sources.
func (s sources) NotTaken(id protocol.DeviceID, ids []protocol.CommandID) { s.book.NotTaken(id, ids) }
