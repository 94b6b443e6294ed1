package api

import (
	"context"
	"errors"
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

type putProfileInput struct {
	Expect
	Profile string `path:"profile" doc:"Name"`
	Body    resource.PutProfile
}

type profileInput struct {
	Profile string `path:"profile" doc:"Name"`
}

func (s *server) groupRoutes() {
	const tag = "Groups"
	add(s, route[struct{}, reply[resource.List[resource.Group]]]{
		Method: http.MethodGet, Path: "/groups", ID: "list-groups", Tag: tag, Summary: "List groups by path, the root first",
		Does: access.GroupsRead, On: onAll[struct{}]("group"),
		Run: func(context.Context, *call, *struct{}) (*reply[resource.List[resource.Group]], error) {
			within := s.countGroups()
			return list(s.Groups.Groups(), func(g fleet.Group) resource.Group { return group(g, within) }), nil
		},
	})
	add(s, route[putGroupInput, reply[resource.Group]]{
		Method: http.MethodPut, Path: "/groups", ID: "put-group", Tag: tag, Summary: "Make a group, or replace what it says",
		Description: "Groups above it are made too. What it says holds for all devices below, the nearest group first.",
		Does:        access.GroupsChange, On: func(in *putGroupInput) (access.Resource, error) { return onGroup(in.Body.Path) },
		Run: s.putGroup,
	})
	add(s, route[groupInput, none]{
		Method: http.MethodDelete, Path: "/groups", ID: "remove-group", Tag: tag, Status: http.StatusNoContent,
		Summary: "Remove a group that holds no device and no other group",
		Does:    access.GroupsChange, On: func(in *groupInput) (access.Resource, error) { return onGroup(in.Path) },
		Run: func(_ context.Context, c *call, _ *groupInput) (*none, error) {
			return nil, s.Groups.RemoveGroup(c.on.Group)
		},
	})
}

func onGroup(path string) (access.Resource, error) {
	path = strings.Trim(path, "/")
	return access.Resource{Kind: "group", ID: "/" + path, Group: path}, nil
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
		Path: c.on.Group, Labels: b.Labels, Settings: settingsFrom(b.Settings), Profile: b.Profile,
	}, func(now *fleet.Group) error { return want.meets(groupEtag(now)) })
	if errors.Is(err, fleet.ErrInvalid) {
		return nil, inField("body.path", err)
	}
	if err != nil {
		return nil, err
	}
	return replyWith(group(g, s.countGroups())), nil
}

// groupCount counts the devices of a group that are not revoked.
type groupCount struct {
	within, below int
	states        map[string]int // of those within and below
}

func (s *server) countGroups() map[string]*groupCount {
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
		if x.Device.Revoked != 0 {
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

func (s *server) profileRoutes() {
	const tag = "Link profiles"
	add(s, route[struct{}, reply[resource.List[resource.Profile]]]{
		Method: http.MethodGet, Path: "/profiles", ID: "list-profiles", Tag: tag, Summary: "List link profiles",
		Does: access.ProfilesRead, On: onAll[struct{}]("profile"),
		Run: func(context.Context, *call, *struct{}) (*reply[resource.List[resource.Profile]], error) {
			return list(s.Profiles.Profiles(), profile), nil
		},
	})
	add(s, route[putProfileInput, reply[resource.Profile]]{
		Method: http.MethodPut, Path: "/profiles/{profile}", ID: "put-profile", Tag: tag,
		Summary: "Make a link profile, or replace it for all that go by it",
		Does:    access.ProfilesChange, On: func(in *putProfileInput) (access.Resource, error) { return onProfile(in.Profile) },
		Run: func(_ context.Context, c *call, in *putProfileInput) (*reply[resource.Profile], error) {
			p, want := fleet.Profile{Name: in.Profile, Settings: settingsFrom(in.Body.Settings)}, s.expect(in.Expect, c.on)
			return replyWith(profile(p)), s.Profiles.PutProfile(p, func(now *fleet.Profile) error { return want.meets(profileEtag(now)) })
		},
	})
	add(s, route[profileInput, none]{
		Method: http.MethodDelete, Path: "/profiles/{profile}", ID: "remove-profile", Tag: tag, Status: http.StatusNoContent,
		Summary: "Remove a link profile that nobody goes by",
		Does:    access.ProfilesChange, On: func(in *profileInput) (access.Resource, error) { return onProfile(in.Profile) },
		Run: func(_ context.Context, _ *call, in *profileInput) (*none, error) {
			return nil, s.Profiles.RemoveProfile(in.Profile)
		},
	})
}

func onProfile(name string) (access.Resource, error) {
	return access.Resource{Kind: "profile", ID: name}, nil
}

func profile(p fleet.Profile) resource.Profile {
	return resource.Profile{Name: p.Name, Settings: settings(p.Settings), BuiltIn: p.BuiltIn, Etag: profileEtag(&p)}
}
