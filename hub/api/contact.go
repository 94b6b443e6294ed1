package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/internal/zones"
	"github.com/farshore/farshore/protocol"
)

// Links are tables of passes and lifts, to change, and the settings that hold in a group; *fleet.Registry is one.
type Links interface {
	GroupEffective(path string) (fleet.Effective, bool)
	SetPasses(h fleet.Holder, p *fleet.Passes, expect func(*fleet.Passes) error) error
	AddLift(protocol.DeviceID, fleet.Lift) (fleet.Lift, error)
	DropLift(protocol.DeviceID) error
}

type liftInput struct {
	DeviceRef
	Body resource.PutLift
}

// openingsShown is how many times of contact are told.
const openingsShown = 10

// linkCapability is from which on agents know rules of the link.
const linkCapability = 4

func (s *server) contactRoutes() {
	add(s, route[DeviceRef, reply[resource.DeviceContact]]{
		Method: http.MethodGet, Path: "/devices/{device}/contact", ID: "get-device-contact", Tag: "Times of contact",
		Summary: "See when a device may use its link",
		Does:    access.DevicesRead, On: s.onDevice,
		Run: func(_ context.Context, c *call, _ *DeviceRef) (*reply[resource.DeviceContact], error) {
			return s.deviceContact(c)
		},
	})
	const tag = "Budgets"
	add(s, route[liftInput, reply[resource.Lift]]{
		Method: http.MethodPost, Path: "/devices/{device}/lift", ID: "lift-device", Tag: tag, Summary: "Add to the caps of a device's present billing cycle",
		Description: "What was added to the cycle before stays. A device that is silent at its hard cap hears of it by its ping a day, where its link profile allows that, or when its cycle ends.",
		Does:        access.DevicesLift, On: func(c *call, in *liftInput) (access.Resource, error) { return s.onDevice(c, &in.DeviceRef) },
		Run: func(_ context.Context, c *call, in *liftInput) (*reply[resource.Lift], error) {
			note := strings.TrimSpace(protocol.Printable(in.Body.Note, protocol.MaxText))
			l, err := s.Links.AddLift(protocol.DeviceID(c.on.ID), fleet.Lift{Extra: in.Body.Extra, Note: note, By: c.by()})
			if err != nil {
				return nil, err
			}
			c.detail = fmt.Sprintf("budget of this cycle lifted by %d bytes, %d in all", in.Body.Extra, l.Extra)
			if note != "" {
				c.detail += ": " + note
			}
			e, _ := s.Devices.Effective(protocol.DeviceID(c.on.ID))
			return replyWith(lift(e, l)), nil
		},
	})
	add(s, route[DeviceRef, none]{
		Method: http.MethodDelete, Path: "/devices/{device}/lift", ID: "drop-lift", Tag: tag, Status: http.StatusNoContent,
		Summary: "Take back what was added to the caps of a device's present billing cycle",
		Does:    access.DevicesLift, On: s.onDevice,
		Run: func(_ context.Context, c *call, _ *DeviceRef) (*none, error) {
			c.detail = "the lift of its budget taken back"
			return nil, s.Links.DropLift(protocol.DeviceID(c.on.ID))
		},
	})
}

func (s *server) deviceContact(c *call) (*reply[resource.DeviceContact], error) {
	d, err := s.device(c)
	if err != nil {
		return nil, err
	}
	e, _ := s.Devices.Effective(d.ID)
	now := time.Now()
	out := resource.DeviceContact{Openings: []resource.Opening{}, Warnings: []string{}, Zone: zones.Of(s.Devices.LabelsOf(d.ID))}
	var rule *protocol.Contact
	if e.Settings.Link != nil {
		rule = e.Settings.Link.Contact
	}
	contact := economy.NewContact(rule)
	_, out.Now = contact.Now(now)
	out.Always = contact.Always()
	for _, o := range contact.Upcoming(now, openingsShown) {
		out.Openings = append(out.Openings, opening(o))
	}
	out.From = contactFrom(e, rule)
	out.Warnings = append(out.Warnings, economy.Warnings(rule, now)...)
	if text := e.Unaffordable(); text != "" {
		out.Warnings = append(out.Warnings, text)
	}
	if d.Capability != 0 && d.Capability < linkCapability && e.Settings.Link != nil {
		out.Warnings = append(out.Warnings, fmt.Sprintf("Its agent (%s) does not know budgets and times of contact, and keeps none: update it.", cmp.Or(d.Version, "an old version")))
	}
	return replyWith(out), nil
}

func opening(o economy.Opening) resource.Opening {
	out := resource.Opening{Start: o.Start.UTC(), Bytes: o.Bytes}
	if !economy.Endless(o) {
		out.End = o.End.UTC()
	}
	return out
}

// contactFrom says where times of contact come from.
func contactFrom(e fleet.Effective, rule *protocol.Contact) string {
	var from []string
	if rule != nil && len(rule.Windows) > 0 {
		from = append(from, "windows: "+e.From["link"])
	}
	if e.From["passes"] != "" {
		from = append(from, "passes: "+e.From["passes"])
	}
	return cmp.Or(strings.Join(from, ", "), "no windows and no passes")
}

// presentLift shows what was added to the present cycle; nil: nothing.
func presentLift(e fleet.Effective, l *fleet.Lift) *resource.Lift {
	if l == nil || economy.CycleAt(e.Budget(), time.Now()).First != l.Cycle {
		return nil
	}
	shown := lift(e, *l)
	return &shown
}

// lift shows what was added to the present cycle.
func lift(e fleet.Effective, l fleet.Lift) resource.Lift {
	b := e.Budget()
	cycle := economy.CycleAt(b, time.Unix(l.At, 0))
	caps := economy.CapsOf(b, l.Cycle)
	return resource.Lift{
		Start: cycle.Start().UTC(), End: cycle.End().UTC(), Extra: l.Extra, Soft: caps.Soft, Hard: caps.Hard, Note: l.Note, By: l.By, At: at(l.At),
	}
}
