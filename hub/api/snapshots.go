package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot/fold"
)

type snapshotInput struct {
	DeviceRef
	AsOf string `query:"as_of" doc:"The state that was known at this time, in RFC 3339 or Unix seconds; absent: the last" example:"2026-05-01T12:00:00Z"`
}

func (s *server) snapshotRoutes() {
	const tag = "Snapshots"
	add(s, route[snapshotInput, reply[resource.Snapshot]]{
		Method: http.MethodGet, Path: "/devices/{device}/snapshot", ID: "get-snapshot", Tag: tag, Summary: "See a device as it was observed",
		Does: access.SnapshotsRead, On: func(c *call, in *snapshotInput) (access.Resource, error) { return s.onDevice(c, &in.DeviceRef) },
		Run: s.snapshot,
	})
	add(s, route[DeviceRef, reply[resource.SnapshotTimes]]{
		Method: http.MethodGet, Path: "/devices/{device}/snapshots", ID: "list-snapshots", Tag: tag,
		Summary: "List the times of which a device's state is known",
		Does:    access.SnapshotsRead, On: s.onDevice,
		Run: func(_ context.Context, c *call, _ *DeviceRef) (*reply[resource.SnapshotTimes], error) {
			times, err := s.Snapshots.History(protocol.DeviceID(c.on.ID))
			if err != nil {
				return nil, err
			}
			out := resource.SnapshotTimes{Times: make([]time.Time, len(times))}
			for i, t := range times {
				out.Times[i] = t.UTC()
			}
			return replyWith(out), nil
		},
	})
}

func (s *server) snapshot(_ context.Context, c *call, in *snapshotInput) (*reply[resource.Snapshot], error) {
	id := protocol.DeviceID(c.on.ID)
	var state fold.State
	var err error
	if in.AsOf == "" {
		state, err = s.Snapshots.Latest(id)
	} else {
		t, parseErr := parseTime(in.AsOf)
		if parseErr != nil {
			return nil, inField("query.as_of", parseErr)
		}
		state, err = s.Snapshots.AsOf(id, t)
	}
	if err != nil {
		return nil, err
	}
	snap, err := state.Snapshot()
	if err != nil {
		return nil, err
	}
	out := resource.Snapshot{Device: id, At: state.At.UTC(), AsOf: state.At.UTC(), Hash: state.Hash}
	d, err := s.device(c)
	if err != nil {
		return nil, err
	}
	if !c.eyes().whole(&d) {
		c.eyes().reduce(&d, &snap)
		out.Hash = protocol.ShortHash{} // it would tell when something else changes
	}
	c.maskLabels(&d, &snap)
	out.Snapshot = snap
	if in.AsOf == "" {
		o, late := s.Overdue(id)
		if late {
			out.OverdueSince, out.OverdueReason = at(o.Since), o.Reason
		}
		if until := s.vouched(id, out.OverdueSince); until.After(out.AsOf) {
			out.AsOf = until
		}
	}
	return replyWith(out), nil
}

// vouched is until when the last known state of a device is known to hold: an unchanged device sends nothing, so its last
// contact vouches for the capture tick before it, unless it said that its captures are late since then.
func (s *server) vouched(id protocol.DeviceID, late time.Time) time.Time {
	if !late.IsZero() {
		return late
	}
	until := s.Devices.Liveness(id, time.Now()).LastContact
	if effective, ok := s.Devices.Effective(id); ok {
		if tick, ticking := effective.Settings.Snapshot.Duration(); ticking {
			until = until.Add(-tick)
		}
	}
	return until.UTC()
}

// parseTime reads RFC 3339 or Unix seconds.
func parseTime(text string) (time.Time, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Unix(n, 0), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, invalid("", "time %.60q: want RFC 3339 such as 2026-05-01T12:00:00Z, or Unix seconds", text)
	}
	return t, nil
}
