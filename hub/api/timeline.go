package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/timeline"
	"github.com/farshore/farshore/protocol"
)

// Timeline is what happened to each device; *timeline.Timeline is one.
type Timeline interface {
	Page(timeline.Query) (entries []timeline.Entry, next string, err error)
	Note(protocol.DeviceID, timeline.Entry)
}

type timelineInput struct {
	DeviceRef
	Before string          `query:"before" doc:"From next of the page before"`
	Limit  int             `query:"limit" minimum:"1" maximum:"500" default:"100"`
	Kind   []timeline.Kind `query:"kind" doc:"Only entries of one of these kinds" enum:"contact,liveness,approval,change,stack,job,command,identity,told,usage,left-out"`
}

func (s *server) timelineRoutes() {
	add(s, route[timelineInput, reply[resource.TimelinePage]]{
		Method: http.MethodGet, Path: "/devices/{device}/timeline", ID: "device-timeline", Tag: "Devices",
		Summary: "See what happened to a device, the latest first",
		Description: "The newest 500 entries of the last 90 days are kept. Contacts that follow each other are one entry, and a device " +
			"to which more happens than is worth keeping has an entry that says how much was left out.",
		Does: access.DevicesRead, On: func(c *call, in *timelineInput) (access.Resource, error) { return s.onDevice(c, &in.DeviceRef) },
		Run: s.deviceTimeline,
	})
}

func (s *server) deviceTimeline(_ context.Context, c *call, in *timelineInput) (*reply[resource.TimelinePage], error) {
	entries, next, err := s.Timeline.Page(timeline.Query{
		Device: protocol.DeviceID(c.on.ID), Before: in.Before, Limit: in.Limit, Kinds: in.Kind,
	})
	if errors.Is(err, timeline.ErrCursor) {
		return nil, inField("query.before", err)
	}
	if err != nil {
		return nil, err
	}
	d, err := s.device(c)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e timeline.Entry) bool { return !c.eyes().entry(&d, &e) })
	return replyWith(resource.TimelinePage{Items: list(entries, timelineEntry).Body.Items, Next: next}), nil
}

// entry: what a timeline says of stacks and commands is seen by who sees these.
func (y *eyes) entry(d *fleet.Device, e *timeline.Entry) bool {
	var nobody protocol.Owner
	switch {
	case y.allParts:
		return true
	case e.Kind == timeline.KindStack:
		rec, _ := y.s.Stacks.Named(e.Stack)
		return y.stackOn(d, rec.Owner)
	case e.Kind == timeline.KindJob:
		rec, _ := y.s.Jobs.Named(e.Job)
		return y.jobOn(d, rec.Owner)
	case e.Kind == timeline.KindCommand:
		r := commands.Record{Owner: nobody}
		if !y.ofCommand.Covers(ownedOn(d, nobody)) { // or else it need not be known whose it was
			r, _ = y.s.Commands.Get(e.Command)
		}
		return y.command(d, &r)
	}
	return true
}

func timelineEntry(e timeline.Entry) resource.TimelineEntry {
	out := resource.TimelineEntry{At: ofMilli(e.At), Kind: string(e.Kind), Text: e.Text, By: e.By}
	data := resource.TimelineData{
		Carrier: string(e.Carrier), Count: int(e.Count), From: ofMilli(e.From), Connected: e.Open, State: e.State, Was: e.Was,
		Stack: e.Stack, Job: e.Job, Version: e.Version,
	}
	if e.Command != 0 {
		data.Command = e.Command.String()
	}
	if data != (resource.TimelineData{}) {
		out.Data = &data
	}
	return out
}

func ofMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// remember keeps who did what to a thing, for its timeline and for those who edit it next. What is not an edit, and has
// its own way there, is left aside: approvals, commands, stacks on devices.
func (s *server) remember(c *call, on access.Resource) {
	switch c.op {
	case access.DevicesChange, access.DevicesRevoke, access.GroupsChange, access.ProfilesChange, access.StacksApply, access.StacksRemove,
		access.EdgeGroupsChange, access.EdgeGroupsRemove, access.JobsApply, access.JobsRemove:
		s.edits.note(on, c.by())
	}
	if c.op != access.DevicesChange && c.op != access.DevicesRevoke && c.op != access.DevicesLift {
		return
	}
	id := protocol.DeviceID(on.ID)
	d, ok := s.Devices.Device(id)
	if !ok { // it was removed, and its timeline with it
		return
	}
	text := cmp.Or(c.detail, "its record was changed")
	if c.op == access.DevicesRevoke && d.Revoked != 0 && d.ReplacedBy == "" {
		text = "revoked"
	}
	s.Timeline.Note(id, timeline.Entry{Kind: timeline.KindChange, Text: text, By: c.by()})
}
