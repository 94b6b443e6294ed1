package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// maxPassesBody is the most bytes of a table of passes.
const maxPassesBody = 256 << 10

// PassesBody is a table of passes as it was sent. It is exported because only exported fields are filled.
type PassesBody struct {
	Expect
	ContentType string `header:"Content-Type" doc:"application/json, or text/csv: a head line start,end,bytes, and a line for each pass; times are like 2026-11-22T14:00:00Z, bytes may be empty"`
	After       string `query:"after" enum:"daily,silent,open" doc:"What holds after the last pass of a table sent as CSV; absent: as the link profile says, else daily"`
	RawBody     []byte `contentType:"text/csv"`
}

type putDevicePassesInput struct {
	DeviceRef
	PassesBody
}

type putGroupPassesInput struct {
	GroupPath
	PassesBody
}

type devicePassesInput struct {
	DeviceRef
	IfMatch
}

type groupPassesInput struct {
	GroupPath
	IfMatch
}

func (s *server) passesRoutes() {
	const tag = "Times of contact"
	const about = "The table of the device counts, else that of the nearest group that has one: tables are not added up. Beside it the contact windows of the link profile hold."
	const put = "At most 512 passes and 256 kB, JSON or CSV. It replaces the table: send the next weeks again and again, ahead of their time."
	type answer = reply[resource.Passes]
	table := reflect.TypeFor[resource.PutPasses]()
	add(s, route[DeviceRef, answer]{
		Method: http.MethodGet, Path: "/devices/{device}/passes", ID: "get-device-passes", Tag: tag, Summary: "Get the table of passes that counts for a device",
		Description: about, Does: access.DevicesRead, On: s.onDevice,
		Run: func(_ context.Context, c *call, _ *DeviceRef) (*answer, error) { return s.devicePasses(c) },
	})
	add(s, route[putDevicePassesInput, answer]{
		Method: http.MethodPut, Path: "/devices/{device}/passes", ID: "put-device-passes", Tag: tag, Summary: "Give a device a table of passes",
		Description: about + " " + put, MaxBytes: maxPassesBody, JSON: table,
		Does: access.DevicesChange, On: func(c *call, in *putDevicePassesInput) (access.Resource, error) { return s.onDevice(c, &in.DeviceRef) },
		Run: func(_ context.Context, c *call, in *putDevicePassesInput) (*answer, error) {
			if err := s.putPasses(c, fleet.Holder{Device: protocol.DeviceID(c.on.ID)}, &in.PassesBody); err != nil {
				return nil, err
			}
			return s.devicePasses(c)
		},
	})
	add(s, route[devicePassesInput, none]{
		Method: http.MethodDelete, Path: "/devices/{device}/passes", ID: "remove-device-passes", Tag: tag, Status: http.StatusNoContent,
		Summary: "Take a device's own table of passes away", Description: "That of its groups counts then.",
		Does: access.DevicesChange, On: func(c *call, in *devicePassesInput) (access.Resource, error) { return s.onDevice(c, &in.DeviceRef) },
		Run: func(_ context.Context, c *call, in *devicePassesInput) (*none, error) {
			return nil, s.removePasses(c, fleet.Holder{Device: protocol.DeviceID(c.on.ID)}, in.IfMatch)
		},
	})
	add(s, route[GroupPath, answer]{
		Method: http.MethodGet, Path: "/groups/passes", ID: "get-group-passes", Tag: tag, Summary: "Get the table of passes that counts in a group",
		Description: about, Does: access.GroupsRead, On: func(_ *call, in *GroupPath) (access.Resource, error) { return s.onGroup(in.Path) },
		Run: func(_ context.Context, _ *call, in *GroupPath) (*answer, error) { return s.groupPasses(in.Path) },
	})
	add(s, route[putGroupPassesInput, answer]{
		Method: http.MethodPut, Path: "/groups/passes", ID: "put-group-passes", Tag: tag, Summary: "Give a group a table of passes",
		Description: about + " " + put, MaxBytes: maxPassesBody, JSON: table,
		Does: access.GroupsChange, On: func(_ *call, in *putGroupPassesInput) (access.Resource, error) { return s.onGroup(in.Path) },
		Run: func(_ context.Context, c *call, in *putGroupPassesInput) (*answer, error) {
			if err := s.putPasses(c, fleet.Holder{Group: strings.Trim(in.Path, "/")}, &in.PassesBody); err != nil {
				return nil, err
			}
			return s.groupPasses(in.Path)
		},
	})
	add(s, route[groupPassesInput, none]{
		Method: http.MethodDelete, Path: "/groups/passes", ID: "remove-group-passes", Tag: tag, Status: http.StatusNoContent,
		Summary: "Take a group's own table of passes away", Description: "That of the groups above counts then.",
		Does: access.GroupsChange, On: func(_ *call, in *groupPassesInput) (access.Resource, error) { return s.onGroup(in.Path) },
		Run: func(_ context.Context, c *call, in *groupPassesInput) (*none, error) {
			return nil, s.removePasses(c, fleet.Holder{Group: strings.Trim(in.Path, "/")}, in.IfMatch)
		},
	})
}

func (s *server) putPasses(c *call, h fleet.Holder, in *PassesBody) error {
	p, err := readPasses(in)
	if err != nil {
		return inField("body", err)
	}
	want := s.expect(in.Expect, c.on)
	if err := s.Links.SetPasses(h, p, func(now *fleet.Passes) error { return want.meets(passesEtag(now)) }); err != nil {
		return err
	}
	c.detail = fmt.Sprintf("a table of %d passes until %s, then: %s", len(p.Passes), p.End().UTC().Format("2006-01-02 15:04 UTC"), orElse(p.After.String(), "as the profile says"))
	return nil
}

func (s *server) removePasses(c *call, h fleet.Holder, m IfMatch) error {
	c.detail = "without a table of passes"
	want := s.expect(Expect{IfMatch: m}, c.on)
	return s.Links.SetPasses(h, nil, func(now *fleet.Passes) error { return want.meets(passesEtag(now)) })
}

func readPasses(in *PassesBody) (*fleet.Passes, error) {
	var body resource.PutPasses
	kind, _, err := mime.ParseMediaType(orElse(in.ContentType, "application/json"))
	switch {
	case err == nil && kind == "text/csv":
		if body.Passes, err = passesFromCSV(in.RawBody); err != nil {
			return nil, err
		}
		if err := body.After.UnmarshalText([]byte(in.After)); err != nil {
			return nil, err
		}
	case err == nil && kind == "application/json":
		d := json.NewDecoder(bytes.NewReader(in.RawBody))
		d.DisallowUnknownFields()
		if err := d.Decode(&body); err != nil {
			return nil, fmt.Errorf("%w: the table of passes is not the JSON that the document describes: %s", errInvalid, strings.TrimPrefix(err.Error(), "json: "))
		}
		if _, err := d.Token(); err != io.EOF {
			return nil, fmt.Errorf("%w: there is more behind the table of passes", errInvalid)
		}
	default:
		return nil, fmt.Errorf("%w: a table of passes as %.60q: want application/json or text/csv", errInvalid, in.ContentType)
	}
	out := &fleet.Passes{After: body.After, Passes: make([]protocol.Pass, len(body.Passes))}
	for i, p := range body.Passes {
		out.Passes[i] = protocol.Pass{Start: p.Start.Unix(), Seconds: p.Seconds, Bytes: p.Bytes}
	}
	return out, nil
}

func (s *server) devicePasses(c *call) (*reply[resource.Passes], error) {
	d, err := s.device(c)
	if err != nil {
		return nil, err
	}
	e, _ := s.Devices.Effective(d.ID)
	return replyWith(passes(e, d.Passes)), nil
}

func (s *server) groupPasses(path string) (*reply[resource.Passes], error) {
	path = strings.Trim(path, "/")
	e, ok := s.Links.GroupEffective(path)
	if !ok {
		return nil, inField("query.path", fmt.Errorf("group %.160q: %w: make it first", path, fleet.ErrNotFound))
	}
	var own *fleet.Passes
	for _, g := range s.Groups.Groups() {
		if g.Path == path {
			own = g.Passes
		}
	}
	return replyWith(passes(e, own)), nil
}

func passes(e fleet.Effective, own *fleet.Passes) resource.Passes {
	out := resource.Passes{Passes: []resource.Pass{}, Own: own != nil, Warnings: []string{}, Etag: passesEtag(own)}
	p := e.Passes()
	if p == nil || e.Settings.Link == nil || e.Settings.Link.Contact == nil {
		return out
	}
	for _, x := range p.Passes {
		out.Passes = append(out.Passes, resource.Pass{Start: time.Unix(x.Start, 0).UTC(), Seconds: x.Seconds, Bytes: x.Bytes})
	}
	contact := e.Settings.Link.Contact
	out.From, out.After = e.From["passes"], protocol.AfterPasses(orElse(uint8(contact.After), uint8(protocol.AfterDaily)))
	out.Afterwards = "Where there are no contact windows, " + economy.AfterWords(out.After)
	if len(contact.Windows) > 0 {
		out.Afterwards = "The contact windows of the link profile go on after the last pass."
	}
	out.Warnings = append(out.Warnings, economy.Warnings(contact, time.Now())...)
	return out
}

func passesEtag(p *fleet.Passes) string {
	if p == nil {
		return ""
	}
	return etagOf([]any{p.Passes, p.After})
}

func orElse[T comparable](v, other T) T {
	var zero T
	if v == zero {
		return other
	}
	return v
}
