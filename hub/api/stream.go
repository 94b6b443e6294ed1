package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/hub/edgegroups"
	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/stacks"
)

// heartbeatEvery is how often a stream without events shows that it lives, and its reader is checked where nothing happens.
const heartbeatEvery = 25 * time.Second

type eventsInput struct {
	LastEventID string `header:"Last-Event-ID" doc:"Id of the last event that was seen; browsers send it when they reconnect"`
	After       string `query:"after" doc:"The same, where a header cannot be sent"`
	Since       string `query:"since" doc:"Begin at this time: RFC 3339, Unix seconds, or a duration such as 2h"`
	Device      string `query:"device" doc:"Only events about this device: id, name, or the beginning of either"`
	Stack       string `query:"stack" doc:"Only events about this stack"`
	Follow      bool   `query:"follow" default:"true" doc:"false: end at the present"`
}

func (s *server) eventRoutes() {
	add(s, route[eventsInput, huma.StreamResponse]{
		Method: http.MethodGet, Path: "/events", ID: "events", Tag: "Events", Summary: "Follow what happens, as server-sent events",
		Description: "The data of each event is JSON: id, at, kind, device, group, stack, text, data. It begins with what comes " +
			"next, or after the event that is given by Last-Event-ID or after (0: the oldest that is kept), or at since. " +
			"Events of the type `gap` say that earlier ones are not kept any more: read anew the state of what you follow. " +
			"A comment each 25 s shows that the stream lives.",
		Does: access.EventsRead, On: func(c *call, in *eventsInput) (access.Resource, error) {
			if in.Device == "" {
				return access.Resource{Kind: "device", Any: true}, nil
			}
			return s.onDevice(c, &DeviceRef{Device: in.Device})
		},
		Streams: "text/event-stream", Run: s.stream,
	})
	// The document of a stream has no type of its events by itself.
	s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[resource.Event](), true, "Event")
}

func (s *server) stream(_ context.Context, c *call, in *eventsInput) (*huma.StreamResponse, error) {
	after, err := s.begin(in)
	if err != nil {
		return nil, err
	}
	leave, err := s.streams.take(c.who.Owner)
	if err != nil {
		return nil, err
	}
	on := c.on
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer leave()
		_, w := humago.Unwrap(ctx)
		ctx.SetHeader("Content-Type", "text/event-stream")
		ctx.SetHeader("X-Accel-Buffering", "no") // proxies must not gather
		ctx.SetStatus(http.StatusOK)
		f := follower{s: s, c: c, on: on, in: in, w: w, rc: http.NewResponseController(w), after: after}
		f.run(ctx.Context())
	}}, nil
}

// begin is where a reader wants to begin.
func (s *server) begin(in *eventsInput) (uint64, error) {
	given := in.LastEventID
	if given == "" {
		given = in.After
	}
	switch {
	case given != "":
		n, err := strconv.ParseUint(given, 10, 64)
		if err != nil {
			return 0, invalid("query.after", "event id %.40q: want the id of an event, or 0 for the oldest", given)
		}
		return n, nil
	case in.Since != "":
		t, err := parseTime(in.Since)
		if d, durationErr := time.ParseDuration(in.Since); durationErr == nil {
			t, err = time.Now().Add(-d), nil
		}
		if err != nil {
			return 0, inField("query.since", err)
		}
		return s.Events.Since(t), nil
	case !in.Follow:
		return events.FromOldest, nil
	}
	return events.FromNow, nil
}

// follower writes a stream of events to one reader. It belongs to the goroutine of its request.
type follower struct {
	s     *server
	c     *call
	on    access.Resource
	in    *eventsInput
	w     http.ResponseWriter
	rc    *http.ResponseController
	after uint64
}

// run ends with the request, when the reader does not take what is written, or has no right to it any more.
func (f *follower) run(ctx context.Context) {
	if f.after == events.FromNow {
		f.after = max(f.s.Events.Since(time.Now().Add(time.Second)), 1) // fixed, so that heartbeats miss nothing
	}
	if !f.in.Follow {
		f.rest()
		return
	}
	if f.write(": the stream of events\n\n") != nil {
		return
	}
	beat := time.Now().Add(heartbeatEvery)
	for {
		wait, cancel := context.WithDeadline(ctx, beat)
		batch, err := f.s.Events.Next(wait, f.after)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = f.send(batch)
		} else {
			err = nil // it is time for a heartbeat
		}
		if err == nil && !time.Now().Before(beat) {
			beat = time.Now().Add(heartbeatEvery)
			if err = f.still(); err == nil {
				err = f.write(":\n\n")
			}
		}
		if err != nil {
			return
		}
	}
}

// rest sends what is there.
func (f *follower) rest() {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	for {
		batch, err := f.s.Events.Next(now, f.after)
		if err != nil || f.send(batch) != nil {
			return
		}
	}
}

// still looks whether the reader may read on: sessions and accounts end while streams are open.
func (f *follower) still() error {
	who, err := f.s.Accounts.Authenticate(f.c.secret)
	if err == nil {
		err = f.s.Accounts.Authorize(who, f.c.op, f.on)
	}
	if err != nil {
		return err
	}
	f.c.who = who
	return nil
}

// sees: an event is for who may see now what it is about. A device that is not there any more was where it was then.
func (f *follower) sees(y *eyes, scopes *streamScopes, e *events.Event) bool {
	about, _, _ := strings.Cut(e.Kind, ".")
	d := fleet.Device{ID: e.Device, Group: e.Group}
	if e.Device != "" {
		if now, ok := f.s.Devices.Device(e.Device); ok {
			d = now
		}
	}
	switch {
	case e.Kind == events.KindGap:
		return true
	case about == "waiting":
		return scopes.waiting.Covers(access.Resource{Kind: "device", ID: string(e.Device), Group: e.Group})
	case e.Device == "" && slices.Contains([]string{"hub", "backup", "audit"}, about): // they tell of the hub's inside
		return scopes.hub.Covers(access.Resource{})
	case about == "edge-group":
		return y.edgeGroup(&edgegroups.Group{Home: e.Group, Owner: e.Owner})
	case y.allParts && y.allDevices:
		return true
	case about == "command":
		return y.device(&d) && y.command(&d, &commands.Record{Owner: e.Owner})
	case about == "job" && e.Device != "":
		return y.device(&d) && y.jobOn(&d, e.Owner)
	case about == "job":
		return y.job(&jobs.Job{Reach: jobs.Reach{Group: e.Group}, Owner: e.Owner})
	case about == "stack" && e.Device != "":
		return y.device(&d) && y.stackOn(&d, e.Owner)
	case about == "stack":
		return y.stack(&stacks.Stack{Name: e.Stack, Group: e.Group, Owner: e.Owner})
	}
	return y.device(&d)
}

// streamScopes are what a reader may see beside the fleet.
type streamScopes struct{ waiting, hub access.Scope }

func (f *follower) send(batch []events.Event) error {
	if err := f.still(); err != nil {
		return err
	}
	text := ""
	y := f.s.eyesOf(f.c.who)
	scopes := &streamScopes{waiting: f.s.Accounts.Scope(f.c.who, access.WaitingRead), hub: f.s.Accounts.Scope(f.c.who, access.HubRead)}
	for _, e := range batch {
		f.after = e.ID
		gap := e.Kind == events.KindGap
		if !gap && (f.in.Device != "" && string(e.Device) != f.on.ID || f.in.Stack != "" && e.Stack != f.in.Stack) {
			continue
		}
		if !f.sees(y, scopes, &e) {
			continue
		}
		data, err := json.Marshal(resource.Event{
			ID: e.ID, At: e.At, Kind: e.Kind, Device: e.Device, Group: e.Group, Stack: e.Stack, Text: e.Text, Data: e.Data,
		})
		if err != nil {
			return fmt.Errorf("encode event %d: %w", e.ID, err)
		}
		if gap {
			text += "event: gap\n"
		}
		text += fmt.Sprintf("id: %d\ndata: %s\n\n", e.ID, data)
	}
	if text == "" {
		return nil
	}
	return f.write(text)
}

func (f *follower) write(text string) error {
	// A recorder in a test has no deadlines.
	_ = f.rc.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := f.w.Write([]byte(text)); err != nil {
		return err
	}
	return f.rc.Flush()
}
