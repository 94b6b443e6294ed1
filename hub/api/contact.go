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
	DropLift(protocol.DeviceID) (*fleet.Lift, error)
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
	add(s, route[dropLiftInput, reply[resource.DroppedLift]]{
		Method: http.MethodDelete, Path: "/devices/{device}/lift", ID: "drop-lift", Tag: tag,
		Summary:     "Take back what was added to the caps of a device's present billing cycle",
		Description: "With check, nothing is taken back: the answer says what would follow.",
		Does:        access.DevicesLift, On: func(c *call, in *dropLiftInput) (access.Resource, error) { return s.onDevice(c, &in.DeviceRef) },
		Run: s.dropLift,
	})
}

type dropLiftInput struct {
	DeviceRef
	Check bool `query:"check" doc:"true: take nothing back"`
}

func (s *server) dropLift(_ context.Context, c *call, in *dropLiftInput) (*reply[resource.DroppedLift], error) {
	d, err := s.device(c)
	if err != nil {
		return nil, err
	}
	out := s.withoutLift(&d, time.Now())
	c.detail = "asked what follows from taking the lift of its budget back"
	if !in.Check {
		was, err := s.Links.DropLift(d.ID)
		if err != nil {
			return nil, err
		}
		out.Extra, c.detail = 0, "no lift of its budget was there to be taken back"
		if was != nil {
			out.Extra, c.detail = was.Extra, fmt.Sprintf("the lift of its budget by %d bytes taken back", was.Extra)
		}
	}
	switch {
	case out.Extra == 0:
		out.Silences, out.Text = false, "Nothing was added to this cycle."
	case out.Silences && out.DailyPing:
		out.Text = fmt.Sprintf("%d bytes are spent, and without what was added the hard cap is %d: it is silent but for a ping a day once it has heard, until %s.", out.Spent, out.Hard, out.End.Format(time.RFC3339))
	case out.Silences:
		out.Text = fmt.Sprintf("%d bytes are spent, and without what was added the hard cap is %d: it is silent once it has heard, until %s.", out.Spent, out.Hard, out.End.Format(time.RFC3339))
	}
	return replyWith(out), nil
}

// withoutLift says how a device stands without what was added to its caps.
func (s *server) withoutLift(d *fleet.Device, now time.Time) (out resource.DroppedLift) {
	e, _ := s.Devices.Effective(d.ID)
	f, _ := s.Usage.Figures(d.ID)
	if e.Budget() == nil {
		return out
	}
	b := *e.Budget()
	cycle := economy.CycleAt(&b, now)
	if b.Lift != nil && b.Lift.Cycle == cycle.First {
		out.Extra = b.Lift.Extra
	}
	b.Lift = nil
	caps := economy.CapsOf(&b, cycle.First)
	kept := caps.Kept(&b, 1, economy.SilentContact(economy.Connect(e.Settings)))
	out.Spent, out.Soft, out.Hard, out.End, out.DailyPing = f.Spent, caps.Soft, caps.Hard, cycle.End().UTC(), b.DailyPing
	out.Silences = f.Stage != protocol.SpendingSilent && kept.Stage(f.Spent) == protocol.SpendingSilent
	return out
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
