package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
)

type filterInput struct{ DeviceFilter }

// fleetRoutes are those about many devices at once, beside their list.
func (s *server) fleetRoutes() {
	const tag = "Devices"
	add(s, route[filterInput, reply[resource.Positions]]{
		Method: http.MethodGet, Path: "/devices/positions", ID: "list-positions", Tag: tag, Summary: "List where devices are",
		Description: "By the labels farshore.io/lat and farshore.io/lon, given to devices, groups or enrolment keys.",
		Does:        access.DevicesRead, On: onAny[filterInput]("device"), Run: s.positions,
	})
	add(s, route[filterInput, huma.StreamResponse]{
		Method: http.MethodGet, Path: "/devices/export", ID: "export-devices", Tag: tag, Summary: "List devices as a table in a file",
		Description: "Comma-separated values in UTF-8 with a row of headings. What a spreadsheet would take for a formula begins with an apostrophe.",
		Does:        access.DevicesRead, On: onAny[filterInput]("device"), Streams: "text/csv", Run: s.export,
	})
	add(s, route[bulkInput, reply[resource.BulkResult]]{
		Method: http.MethodPost, Path: "/devices/bulk", ID: "change-devices", Tag: tag, Summary: "Do one thing to many devices",
		Description: "Each device has its outcome; what failed for one changes nothing for others. Beside the right to read devices " +
			"it needs, for each device, the right to what is done: devices.change, devices.revoke or commands.give.",
		Does: access.DevicesRead, On: onAny[bulkInput]("device"), Run: s.bulk,
	})
}

func (s *server) positions(_ context.Context, c *call, in *filterInput) (*reply[resource.Positions], error) {
	w, err := s.wanted(c, resource.DeviceFilter(in.DeviceFilter), "query.")
	if err != nil {
		return nil, err
	}
	out := resource.Positions{Items: []resource.DevicePosition{}}
	for x := range s.find(w) {
		lat, lon, ok := fleet.PositionOf(x.Labels)
		if !ok {
			out.Without++
			continue
		}
		out.Items = append(out.Items, resource.DevicePosition{
			ID: x.Device.ID, Name: x.Device.Name, State: string(x.Liveness.State), Position: resource.Position{Lat: lat, Lon: lon},
		})
	}
	return replyWith(out), nil
}
