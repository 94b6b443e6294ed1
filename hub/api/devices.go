package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/policy"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

// DeviceRef is the part of a path that names a device. It is exported because only exported fields are filled.
type DeviceRef struct {
	Device string `path:"device" doc:"Id, name, or the beginning of either"`
}

type patchDeviceInput struct {
	DeviceRef
	IfMatch
	Body resource.DevicePatch
}

type replaceInput struct {
	DeviceRef
	Body resource.Replace
}

func (s *server) deviceRoutes() {
	const tag = "Devices"
	add(s, route[listDevicesInput, reply[resource.DevicePage]]{
		Method: http.MethodGet, Path: "/devices", ID: "list-devices", Tag: tag, Summary: "List devices",
		Does: access.DevicesRead, On: onAny[listDevicesInput]("device"), Run: s.listDevices,
	})
	add(s, route[DeviceRef, reply[resource.DeviceDetail]]{
		Method: http.MethodGet, Path: "/devices/{device}", ID: "get-device", Tag: tag, Summary: "Look at a device",
		Does: access.DevicesRead, On: s.onDevice,
		Run: func(_ context.Context, c *call, _ *DeviceRef) (*reply[resource.DeviceDetail], error) {
			return s.deviceDetail(c)
		},
	})
	add(s, route[patchDeviceInput, reply[resource.DeviceDetail]]{
		Method: http.MethodPatch, Path: "/devices/{device}", ID: "change-device", Tag: tag, Summary: "Change a device",
		Does: access.DevicesChange, On: func(c *call, in *patchDeviceInput) (access.Resource, error) { return s.onDevice(c, &in.DeviceRef) },
		Run: s.patchDevice,
	})
	add(s, route[DeviceRef, none]{
		Method: http.MethodPost, Path: "/devices/{device}/revoke", ID: "revoke-device", Tag: tag, Status: http.StatusNoContent,
		Summary: "Shut a device out for good", Description: "Its record stays, and its name becomes free.",
		Does: access.DevicesRevoke, On: s.onDevice,
		Run: func(_ context.Context, c *call, _ *DeviceRef) (*none, error) {
			return nil, s.Changes.Revoke(protocol.DeviceID(c.on.ID))
		},
	})
	add(s, route[DeviceRef, none]{
		Method: http.MethodDelete, Path: "/devices/{device}", ID: "remove-device", Tag: tag, Status: http.StatusNoContent,
		Summary: "Forget a device", Description: "Its snapshots and commands go too. If it knocks again it has to be approved again.",
		Does: access.DevicesRevoke, On: s.onDevice,
		Run: func(_ context.Context, c *call, _ *DeviceRef) (*none, error) {
			return nil, s.Changes.Remove(protocol.DeviceID(c.on.ID))
		},
	})
	add(s, route[replaceInput, reply[resource.DeviceDetail]]{
		Method: http.MethodPost, Path: "/devices/{device}/replace", ID: "replace-device", Tag: tag,
		Summary:     "Give a device's place to another",
		Description: "The other one, which was approved before, takes over name, group, labels, settings and link profile; this one is revoked.",
		Does:        access.DevicesRevoke, On: func(c *call, in *replaceInput) (access.Resource, error) { return s.onDevice(c, &in.DeviceRef) },
		Run: s.replaceDevice,
	})
}

// onDevice finds the device that a path names.
func (s *server) onDevice(c *call, in *DeviceRef) (access.Resource, error) {
	d, err := s.Devices.Find(in.Device, c.eyes().device)
	if err != nil {
		// Of several that are seen one has to be chosen, whatever may be done to them.
		return access.Resource{Kind: "device", ID: in.Device, Any: errors.Is(err, fleet.ErrAmbiguous)}, err
	}
	return onDevice(&d), nil
}

// device is the one that the caller was let to.
func (s *server) device(c *call) (fleet.Device, error) {
	d, ok := s.Devices.Device(protocol.DeviceID(c.on.ID))
	if !ok {
		return d, fmt.Errorf("device %s: %w: it was removed meanwhile", c.on.ID, errNotFound)
	}
	return d, nil
}

func (s *server) deviceDetail(c *call) (*reply[resource.DeviceDetail], error) {
	d, err := s.device(c)
	if err != nil {
		return nil, err
	}
	effective, _ := s.Devices.Effective(d.ID)
	states := slices.DeleteFunc(s.Stacks.DeviceStacks(d.ID), func(st planner.DeviceStatus) bool {
		rec, _ := s.Stacks.Record(st.Stack)
		return !c.eyes().stackOn(&d, rec.Owner)
	})
	out := resource.DeviceDetail{
		Device: s.explained(c.eyes(), &d), OwnLabels: d.Labels, Wishes: d.Wishes, Facts: d.Facts, OwnSettings: settings(d.Settings),
		Effective: effectiveSettings(effective), StackStates: make([]resource.DeviceStack, len(states)),
		OpenCommands: c.eyes().openOn(&d), Lift: presentLift(effective, d.Lift), Capability: d.Capability, ClockOffsetMS: d.ClockOffset, EnrolmentKey: d.EnrolmentKey, ApprovedBy: d.ApprovedBy,
		Approved: at(d.Approved), Created: at(d.Created), Revoked: at(d.Revoked), Replaces: d.Replaces, ReplacedBy: d.ReplacedBy,
		Etag: deviceEtag(&d),
	}
	for i, st := range states {
		out.StackStates[i] = s.deviceStack(st)
	}
	return replyWith(out), nil
}

func (s *server) patchDevice(_ context.Context, c *call, in *patchDeviceInput) (*reply[resource.DeviceDetail], error) {
	b := in.Body
	if b.Group != nil {
		if err := c.mayMove(c.on, *b.Group, s.place(*b.Group)); err != nil {
			return nil, err
		}
	}
	if err := s.compareCode(c, &b); err != nil {
		return nil, err
	}
	want := s.expect(Expect{IfMatch: in.IfMatch}, c.on)
	_, err := s.Changes.Update(protocol.DeviceID(c.on.ID), func(d *fleet.Device) error {
		if err := want.meets(deviceEtag(d)); err != nil {
			return err
		}
		if d.Group != c.on.Group {
			return movedMeanwhile(d)
		}
		patchDevice(d, &b)
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.detail = patchText(&b)
	return s.deviceDetail(c)
}

// compareCode confirms a device by the pairing code that it shows.
func (s *server) compareCode(c *call, b *resource.DevicePatch) error {
	if b.PairingCode == nil {
		return nil
	}
	if b.Confirm != nil && !*b.Confirm {
		return invalid("body.pairing_code", "a pairing code confirms the device, and the confirmation is to be taken back: give one of them")
	}
	code, err := waitingroom.NormalizeCode(*b.PairingCode)
	if err != nil {
		return inField("body.pairing_code", err)
	}
	d, err := s.device(c)
	if err != nil {
		return err
	}
	if waitingroom.PairingCode(d.Key) != code {
		return inField("body.pairing_code", fmt.Errorf("device %q: %w: if a device shows this code, it is another one", d.Name, admission.ErrWrongCode))
	}
	yes := true
	b.Confirm = &yes
	return nil
}

// mayMove asks for the right to move a device to the group at path, which is to be made below the one at place where it
// is not there. A right on the device alone is none to move it, and whom policies bind cannot move it out of one.
func (c *call) mayMove(from access.Resource, path, place string) error {
	if path == from.Group {
		return nil
	}
	was := from.Group
	from.Device = ""
	if err := c.may(from); err != nil {
		return err
	}
	from.Group = place
	if err := c.may(from); err != nil {
		return err
	}
	p, loosens := c.s.Policies.Loosens(was, path)
	if loosens && c.s.Accounts.Authorize(c.who, access.PolicyExempt, groundOf(was)) != nil {
		return fmt.Errorf("device %s is under the policy of group /%s, and would not be in group /%s: %w to move it: ask who administers these devices",
			from.ID, p.Group, path, policy.ErrRefused)
	}
	return nil
}

// movedMeanwhile: the right was asked for where the device was.
func movedMeanwhile(d *fleet.Device) error {
	return fmt.Errorf("device %s %w: it is in another group now: try again", d.ID, errChanged)
}

func patchDevice(d *fleet.Device, b *resource.DevicePatch) {
	set(&d.Name, b.Name)
	set(&d.Group, b.Group)
	set(&d.Profile, b.Profile)
	set(&d.Confirmed, b.Confirm)
	if len(b.Labels) > 0 {
		labels := maps.Clone(d.Labels)
		if labels == nil {
			labels = map[string]string{}
		}
		for k, v := range b.Labels {
			if v == nil {
				delete(labels, k)
			} else {
				labels[k] = *v
			}
		}
		d.Labels = labels
	}
	if p := b.Settings; p != nil {
		set(&d.Settings.Ping, p.Ping)
		set(&d.Settings.Snapshot, p.Snapshot)
		set(&d.Settings.Command, p.Command)
		set(&d.Settings.Chunk, p.ChunkBytes)
		set(&d.Settings.ConnectTimeout, p.ConnectTimeoutSeconds)
		set(&d.Settings.ExchangeTimeout, p.ExchangeTimeoutSeconds)
		set(&d.Settings.KeyExchange, p.KeyExchange)
	}
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func (s *server) replaceDevice(_ context.Context, c *call, in *replaceInput) (*reply[resource.DeviceDetail], error) {
	by, err := s.Devices.Find(in.Body.By, c.eyes().device)
	if err != nil {
		return nil, inField("body.by", err)
	}
	old, heir := c.on, onDevice(&by)
	if err := c.may(heir); err != nil {
		return nil, err
	}
	if err := c.mayMove(heir, old.Group, old.Group); err != nil {
		return nil, err
	}
	if err := s.Changes.Replace(protocol.DeviceID(old.ID), by.ID); err != nil {
		return nil, err
	}
	c.note(old, nil)
	c.note(heir, nil)
	c.detail = fmt.Sprintf("%s took the place of %s", by.ID, old.ID)
	c.on = heir
	return s.deviceDetail(c)
}

// settings are what somebody has set, as the API shows them.
func settings(s protocol.Settings) resource.Settings {
	return resource.Settings{
		Ping: s.Ping, Snapshot: s.Snapshot, Command: s.Command, ChunkBytes: s.Chunk, ConnectTimeoutSeconds: s.ConnectTimeout,
		ExchangeTimeoutSeconds: s.ExchangeTimeout, KeyExchange: s.KeyExchange,
	}
}

func settingsFrom(s resource.Settings) protocol.Settings {
	return protocol.Settings{
		Ping: s.Ping, Snapshot: s.Snapshot, Command: s.Command, Chunk: s.ChunkBytes, ConnectTimeout: s.ConnectTimeoutSeconds,
		ExchangeTimeout: s.ExchangeTimeoutSeconds, KeyExchange: s.KeyExchange,
	}
}

func effectiveSettings(e fleet.Effective) resource.EffectiveSettings {
	from := make(map[string]string, len(e.From))
	for field, source := range e.From {
		switch field {
		case "chunk":
			field = "chunk_bytes"
		case "connect_timeout", "exchange_timeout":
			field += "_seconds"
		}
		from[field] = source
	}
	return resource.EffectiveSettings{
		Settings: settings(e.Explicit()), Profile: e.Settings.Profile, From: from, Link: link(e.Settings.Link), Tariff: tariff(e.Tariff),
	}
}
