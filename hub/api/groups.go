package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
)

type putGroupInput struct {
	Expect
	Body resource.PutGroup
}

type groupInput struct {
	Path string `query:"path" required:"true" doc:"Such as norway/oslo"`
}

func (s *server) groupRoutes() {
	const tag = "Groups"
	add(s, route[struct{}, reply[resource.List[resource.Group]]]{
		Method: http.MethodGet, Path: "/groups", ID: "list-groups", Tag: tag, Summary: "List groups by path, the root first",
		Description: "Of groups that only lead to what you may see there is no more than their path, and devices are counted that you may see.",
		Does:        access.GroupsRead, On: onAny[struct{}]("group"), Run: s.listGroups,
	})
	add(s, route[putGroupInput, reply[resource.Group]]{
		Method: http.MethodPut, Path: "/groups", ID: "put-group", Tag: tag, Summary: "Make a group, or replace what it says",
		Description: "Groups above it are made too. What it says holds for all devices below, the nearest group first.",
		Does:        access.GroupsChange, On: func(c *call, in *putGroupInput) (access.Resource, error) { return s.onGroup(in.Body.Path) },
		Run: s.putGroup,
	})
	add(s, route[groupInput, none]{
		Method: http.MethodDelete, Path: "/groups", ID: "remove-group", Tag: tag, Status: http.StatusNoContent,
		Summary: "Remove a group that holds no device and no other group",
		Does:    access.GroupsChange, On: func(_ *call, in *groupInput) (access.Resource, error) { return onParent(in.Path) },
		Run: func(_ context.Context, _ *call, in *groupInput) (*none, error) {
			return nil, s.removeGroup(strings.Trim(in.Path, "/"))
		},
	})
}

// onGroup is the group at path, or the one in which it is to be made.
func (s *server) onGroup(path string) (access.Resource, error) {
	path = strings.Trim(path, "/")
	return access.Resource{Kind: "group", ID: "/" + path, Group: s.place(path)}, nil
}

// pathOf is the path of the group that onGroup was asked for.
func pathOf(on access.Resource) string { return strings.TrimPrefix(on.ID, "/") }

// onParent is a group as a part of the one above it: who has a right on the group alone cannot take it away.
func onParent(path string) (access.Resource, error) {
	path = strings.Trim(path, "/")
	up, _ := above(path)
	return access.Resource{Kind: "group", ID: "/" + path, Group: up}, nil
}

// place is the group at path where it is there, else the nearest one above it: a right on what is not there yet, such
// as a grant on a group of that path may give, makes nothing.
func (s *server) place(path string) string {
	there := map[string]bool{}
	for _, g := range s.Groups.Groups() {
		there[g.Path] = true
	}
	for !there[path] && path != "" {
		path, _ = above(path)
	}
	return path
}

func (s *server) listGroups(_ context.Context, c *call, _ *struct{}) (*reply[resource.List[resource.Group]], error) {
	scope, counts := c.scope(), s.countGroups(c.eyes())
	out := []resource.Group{}
	for _, g := range s.Groups.Groups() {
		switch on := (access.Resource{Kind: "group", ID: "/" + g.Path, Group: g.Path}); {
		case scope.Covers(on):
			out = append(out, group(g, counts))
		case scope.Leads(g.Path), counts[g.Path] != nil:
			bare := group(fleet.Group{Path: g.Path}, counts)
			bare.Etag = ""
			out = append(out, bare)
		}
	}
	return replyWith(resource.List[resource.Group]{Items: out}), nil
}

func (s *server) removeGroup(path string) error {
	for _, o := range s.Stacks.List() {
		if inGroup(o.Group, path) && path != "" {
			return fmt.Errorf("group %q: %w: stack %s is at home there: move or remove it first", path, fleet.ErrInUse, o.Name)
		}
	}
	for _, g := range s.EdgeGroups.List() {
		if inGroup(g.Home, path) && path != "" {
			return fmt.Errorf("group %q: %w: edge group %s is at home there: move or remove it first", path, fleet.ErrInUse, g.Name)
		}
	}
	for _, r := range s.Registries.List() {
		if inGroup(r.Group, path) && path != "" {
			return fmt.Errorf("group %q: %w: registry %s is at home there: move or remove it first", path, fleet.ErrInUse, r.Name)
		}
	}
	return s.Groups.RemoveGroup(path)
}

func (s *server) putGroup(_ context.Context, c *call, in *putGroupInput) (*reply[resource.Group], error) {
	b := in.Body
	// What is wrong with the content is said before the group is made.
	if err := fleet.CheckLabels(b.Labels); err != nil {
		return nil, inField("body.labels", err)
	}
	if err := fleet.CheckSettings(settingsFrom(b.Settings)); err != nil {
		return nil, inField("body.settings", err)
	}
	want := s.expect(in.Expect, c.on)
	g, err := s.Groups.PutGroup(fleet.Group{
		Path: pathOf(c.on), Labels: b.Labels, Settings: settingsFrom(b.Settings), Profile: b.Profile,
	}, func(now *fleet.Group) error { return want.meets(groupEtag(now)) })
	if errors.Is(err, fleet.ErrInvalid) {
		return nil, inField("body.path", err)
	}
	if err != nil {
		return nil, err
	}
	return replyWith(group(g, s.countGroups(c.eyes()))), nil
}

// groupCount counts the devices of a group that are seen and not revoked.
type groupCount struct {
	within, below int
	states        map[string]int // of those within and below
}

func (s *server) countGroups(y *eyes) map[string]*groupCount {
	counts := map[string]*groupCount{}
	of := func(path string) *groupCount {
		n := counts[path]
		if n == nil {
			n = &groupCount{states: map[string]int{}}
			counts[path] = n
		}
		return n
	}
	for x := range s.Devices.Sights(time.Now()) {
		if x.Device.Revoked != 0 || !y.device(x.Device) {
			continue
		}
		of(x.Device.Group).within++
		for path, more := x.Device.Group, true; more; path, more = above(path) {
			n := of(path)
			n.below++
			n.states[string(x.Liveness.State)]++
		}
	}
	return counts
}

// above gives the group above one, and false for the root.
func above(path string) (string, bool) {
	if path == "" {
		return "", false
	}
	return path[:max(strings.LastIndexByte(path, '/'), 0)], true
}

func group(g fleet.Group, counts map[string]*groupCount) resource.Group {
	out := resource.Group{
		Path: g.Path, Labels: g.Labels, Settings: settings(g.Settings), Profile: g.Profile, States: map[string]int{},
		Etag: groupEtag(&g),
	}
	if n := counts[g.Path]; n != nil {
		out.Devices, out.DevicesBelow, out.States = n.within, n.below, n.states
	}
	return out
}
