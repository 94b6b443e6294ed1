package api

import (
	"context"
	"net/http"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
)

type timelineInput struct {
	DeviceRef
	Before string   `query:"before" doc:"From next of the page before"`
	Limit  int      `query:"limit" minimum:"1" maximum:"500" default:"100"`
	Kind   []string `query:"kind" doc:"Only entries of one of these kinds" enum:"contact,liveness,approval,change,stack,command,identity,told,left-out"`
}

func (s *server) timelineRoutes() {
	add(s, route[timelineInput, reply[resource.TimelinePage]]{
		Method: http.MethodGet, Path: "/devices/{device}/timeline", ID: "device-timeline", Tag: "Devices",
		Summary: "See what happened to a device, the latest first",
		Description: "The newest 500 entries of the last 90 days are kept. Contacts that follow each other are one entry, and a device " +
			"to which more happens than is worth keeping has an entry that says how much was left out.",
		Does: access.DevicesRead, On: func(in *timelineInput) (access.Resource, error) { return s.onDevice(&in.DeviceRef) },
		Run: s.deviceTimeline,
	})
}

func (s *server) deviceTimeline(context.Context, *call, *timelineInput) (*reply[resource.TimelinePage], error) {
	return replyWith(resource.TimelinePage{Items: []resource.TimelineEntry{}}), nil
}
