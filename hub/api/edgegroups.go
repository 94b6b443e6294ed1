package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/edgegroups"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// EdgeGroups are named sets of devices; *edgegroups.Desk is one.
type EdgeGroups interface {
	List() []edgegroups.Group
	Named(name string) (edgegroups.Group, bool)
	Members(id uint64) ([]edgegroups.Member, bool)
	Size(id uint64) int
	Preview(edgegroups.Spec) ([]edgegroups.Member, error)
	Put(s edgegroups.Spec, expect func(*edgegroups.Group) error) (edgegroups.Group, error)
	Remove(name, by string, expect func(*edgegroups.Group) error) error
}

// EdgeGroupRef is the part of a path that names an edge group. It is exported because only exported fields are filled.
type EdgeGroupRef struct {
	Name string `path:"edgegroup" doc:"Name" maxLength:"63"`
}

type putEdgeGroupInput struct {
	EdgeGroupRef
	Expect
	Body resource.PutEdgeGroup
}

type removeEdgeGroupInput struct {
	EdgeGroupRef
	IfMatch
}

type previewEdgeGroupInput struct{ Body resource.PreviewEdgeGroup }

// maxPreviewMembers is how many devices a preview of an edge group names.
const maxPreviewMembers = 100

func (s *server) edgeGroupRoutes() {
	const tag = "Edge groups"
	add(s, route[struct{}, reply[resource.List[resource.EdgeGroup]]]{
		Method: http.MethodGet, Path: "/edge-groups", ID: "list-edge-groups", Tag: tag, Summary: "List edge groups: named sets of devices",
		Does: access.EdgeGroupsRead, On: onAny[struct{}]("edge-group"), Run: s.listEdgeGroups,
	})
	add(s, route[EdgeGroupRef, reply[resource.EdgeGroup]]{
		Method: http.MethodGet, Path: "/edge-groups/{edgegroup}", ID: "get-edge-group", Tag: tag, Summary: "Look at an edge group",
		Does: access.EdgeGroupsRead, On: s.onEdgeGroup,
		Run: func(_ context.Context, c *call, _ *EdgeGroupRef) (*reply[resource.EdgeGroup], error) {
			return s.getEdgeGroup(c)
		},
	})
	add(s, route[putEdgeGroupInput, reply[resource.EdgeGroup]]{
		Method: http.MethodPut, Path: "/edge-groups/{edgegroup}", ID: "put-edge-group", Tag: tag, Summary: "Make an edge group what it shall be",
		Description: "It has the devices that are listed, and those that the selector names, of the ones in its home or below it. Who is in it is " +
			"kept up to date as devices change; stacks that are meant for it reach those who come, and leave those who go.",
		Does: access.EdgeGroupsChange, On: s.onPutEdgeGroup, Run: s.putEdgeGroup,
	})
	add(s, route[removeEdgeGroupInput, none]{
		Method: http.MethodDelete, Path: "/edge-groups/{edgegroup}", ID: "remove-edge-group", Tag: tag, Status: http.StatusNoContent,
		Summary: "Remove an edge group that no stack uses",
		Does:    access.EdgeGroupsRemove, On: func(c *call, in *removeEdgeGroupInput) (access.Resource, error) {
			return s.onEdgeGroup(c, &in.EdgeGroupRef)
		},
		Run: func(_ context.Context, c *call, in *removeEdgeGroupInput) (*none, error) {
			want := s.expect(Expect{IfMatch: in.IfMatch}, c.on)
			err := s.EdgeGroups.Remove(in.Name, c.by(), func(now *edgegroups.Group) error {
				if now.Home != c.on.Group || now.Owner != *c.on.Owner { // where the right was asked for
					return fmt.Errorf("edge group %s %w: look at it again", now.Name, errChanged)
				}
				return want.meets(edgeGroupEtag(now))
			})
			return nil, s.usedBySeen(c, err)
		},
	})
	add(s, route[EdgeGroupRef, reply[resource.List[resource.EdgeGroupDevice]]]{
		Method: http.MethodGet, Path: "/edge-groups/{edgegroup}/devices", ID: "edge-group-devices", Tag: tag,
		Summary: "List the devices of an edge group by name, and why they are in it",
		Does:    access.EdgeGroupsRead, On: s.onEdgeGroup,
		Run: func(_ context.Context, c *call, in *EdgeGroupRef) (*reply[resource.List[resource.EdgeGroupDevice]], error) {
			rec, err := s.edgeGroup(in.Name)
			if err != nil {
				return nil, err
			}
			members, _ := s.EdgeGroups.Members(rec.ID)
			return replyWith(resource.List[resource.EdgeGroupDevice]{Items: append(s.edgeGroupDevices(c.eyes(), members), s.strayListed(c.eyes(), &rec, members)...)}), nil
		},
	})
	add(s, route[previewEdgeGroupInput, reply[resource.EdgeGroupPreview]]{
		Method: http.MethodPost, Path: "/edge-groups/preview", ID: "preview-edge-group", Tag: tag, Summary: "See which devices an edge group would have",
		Does: access.EdgeGroupsRead, On: onAny[previewEdgeGroupInput]("edge-group"), Looks: true, Run: s.previewEdgeGroup,
	})
}

func (s *server) onEdgeGroup(c *call, in *EdgeGroupRef) (access.Resource, error) {
	rec, ok := s.EdgeGroups.Named(in.Name)
	if !ok || !c.eyes().edgeGroup(&rec) {
		return access.Resource{Kind: "edge-group", ID: in.Name}, edgegroups.NotFound(in.Name)
	}
	return onEdgeGroup(&rec), nil
}

// onPutEdgeGroup is the edge group that is to be changed, or the one that is to be made.
func (s *server) onPutEdgeGroup(c *call, in *putEdgeGroupInput) (access.Resource, error) {
	rec, ok := s.EdgeGroups.Named(in.Name)
	if ok && c.eyes().edgeGroup(&rec) {
		return onEdgeGroup(&rec), nil
	}
	home := ""
	if in.Body.Group != nil {
		home = s.place(homeOf(*in.Body.Group))
	}
	owner := c.ownerFor(home, in.Body.Owner)
	on := access.Resource{Kind: "edge-group", ID: in.Name, Group: home, Owner: &owner}
	if ok {
		return on, edgeGroupTaken(in.Name)
	}
	return on, nil
}

// edgeGroupTaken: names are of the whole hub, as those of stacks.
func edgeGroupTaken(name string) error {
	return fmt.Errorf("edge group %q %w: the name is taken: choose another", name, errTaken)
}

func (s *server) edgeGroup(name string) (edgegroups.Group, error) {
	rec, ok := s.EdgeGroups.Named(name)
	if !ok {
		return rec, edgegroups.NotFound(name)
	}
	return rec, nil
}

func (s *server) listEdgeGroups(_ context.Context, c *call, _ *struct{}) (*reply[resource.List[resource.EdgeGroup]], error) {
	out := []resource.EdgeGroup{}
	sees := s.seesDevice(c.eyes())
	for _, g := range s.EdgeGroups.List() {
		if c.eyes().edgeGroup(&g) {
			shown := s.edgeGroupOut(&g, sees)
			shown.Devices = nil
			out = append(out, shown)
		}
	}
	return replyWith(resource.List[resource.EdgeGroup]{Items: out}), nil
}

func (s *server) getEdgeGroup(c *call) (*reply[resource.EdgeGroup], error) {
	rec, err := s.edgeGroup(c.on.ID)
	if err != nil {
		return nil, err
	}
	return replyWith(s.edgeGroupOut(&rec, s.seesDevice(c.eyes()))), nil
}

// seesDevice tells of each device whether it is seen; nil: all are. It looks at the fleet once.
func (s *server) seesDevice(y *eyes) func(protocol.DeviceID) bool {
	if y.allDevices {
		return nil
	}
	seen := map[protocol.DeviceID]bool{}
	for x := range s.Devices.Sights(time.Now()) {
		if y.device(x.Device) {
			seen[x.Device.ID] = true
		}
	}
	return func(id protocol.DeviceID) bool { return seen[id] }
}

func (s *server) edgeGroupOut(g *edgegroups.Group, sees func(protocol.DeviceID) bool) resource.EdgeGroup {
	out := resource.EdgeGroup{
		ID: g.ID, Name: g.Name, Description: g.Description, Group: g.Home, Selector: g.Selector, Owner: ownerShown(g.Owner),
		Devices: g.Devices, Members: s.EdgeGroups.Size(g.ID), Created: at(g.Created), Updated: at(g.Updated), By: g.By, Etag: edgeGroupEtag(g),
	}
	if sees != nil {
		out.Devices = slices.DeleteFunc(slices.Clone(g.Devices), func(id protocol.DeviceID) bool { return !sees(id) })
		members, _ := s.EdgeGroups.Members(g.ID)
		out.Members = len(slices.DeleteFunc(members, func(m edgegroups.Member) bool { return !sees(m.Device) }))
	}
	out.Listed = len(out.Devices)
	return out
}

func (s *server) putEdgeGroup(_ context.Context, c *call, in *putEdgeGroupInput) (*reply[resource.EdgeGroup], error) {
	b := in.Body
	if err := c.checkOwner(b.Owner); err != nil {
		return nil, err
	}
	was, there := s.EdgeGroups.Named(in.Name)
	shall := was
	shall.Name, shall.Selector, shall.Description = in.Name, b.Selector, b.Description
	switch {
	case !there:
		shall.Owner = *c.on.Owner
	case b.Owner != nil:
		shall.Owner = c.ownerFor(was.Home, b.Owner)
	}
	if b.Group != nil {
		shall.Home = homeOf(*b.Group)
	}
	on := onEdgeGroup(&shall)
	on.Group = s.place(shall.Home)
	if err := c.may(on); err != nil {
		return nil, err
	}
	if err := s.checkTeam(was.Owner, shall.Owner); err != nil {
		return nil, err
	}
	if on.Group != shall.Home {
		return nil, inField("body.group", fmt.Errorf("group %.160q: %w: make it first", shall.Home, fleet.ErrNotFound))
	}
	if _, err := fleet.ParseSelector(b.Selector); err != nil {
		return nil, inField("body.selector", err)
	}
	listed, err := s.listedDevices(c, b.Devices)
	if err != nil {
		return nil, err
	}
	for _, id := range was.Devices { // what the caller does not see, they do not take away
		if d, ok := s.Devices.Device(id); ok && !c.eyes().device(&d) {
			listed = append(listed, id)
		}
	}
	want := s.expect(in.Expect, c.on)
	_, err = s.EdgeGroups.Put(edgegroups.Spec{
		Name: in.Name, Description: b.Description, Home: shall.Home, Selector: b.Selector, Devices: listed, Owner: shall.Owner, By: c.by(),
	}, func(now *edgegroups.Group) error {
		if now != nil && !c.eyes().edgeGroup(now) {
			return edgeGroupTaken(in.Name)
		}
		if err := want.meets(edgeGroupEtag(now)); err != nil {
			return err
		}
		// The right was asked for where it was then, and devices are kept as they were then.
		if (now != nil) != there || there && edgeGroupEtag(now) != edgeGroupEtag(&was) {
			return fmt.Errorf("edge group %q %w: look at it again", in.Name, errChanged)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.getEdgeGroup(c)
}

// listedDevices are the devices that a caller lists, of those that they see.
func (s *server) listedDevices(c *call, refs []string) ([]protocol.DeviceID, error) {
	out := make([]protocol.DeviceID, 0, len(refs))
	for _, ref := range refs {
		d, err := s.Devices.Find(ref, c.eyes().device)
		if err != nil {
			return nil, inField("body.devices", err)
		}
		out = append(out, d.ID)
	}
	return out, nil
}

// usedBySeen names, of the stacks that use an edge group, those only that the caller sees.
func (s *server) usedBySeen(c *call, err error) error {
	var used *edgegroups.InUseError
	if !errors.As(err, &used) {
		return err
	}
	seen := slices.DeleteFunc(slices.Clone(used.Stacks), func(name string) bool {
		rec, ok := s.Stacks.Named(name)
		return !ok || !c.eyes().stack(&rec)
	})
	if len(seen) < len(used.Stacks) {
		seen = append(seen, fmt.Sprintf("and %d that you do not see", len(used.Stacks)-len(seen)))
	}
	return &edgegroups.InUseError{Name: used.Name, Stacks: seen}
}

func (s *server) edgeGroupDevices(y *eyes, members []edgegroups.Member) []resource.EdgeGroupDevice {
	now, out := time.Now(), make([]resource.EdgeGroupDevice, 0, len(members))
	for _, m := range members {
		if d, ok := s.Devices.Device(m.Device); ok && y.device(&d) {
			out = append(out, resource.EdgeGroupDevice{
				ID: d.ID, Name: d.Name, Group: d.Group, State: string(s.Devices.Liveness(d.ID, now).State),
				Listed: m.How&edgegroups.Listed != 0, Selected: m.How&edgegroups.Selected != 0,
			})
		}
	}
	slices.SortFunc(out, func(a, b resource.EdgeGroupDevice) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// strayListed are the devices that are listed, and are no members now, with the reason.
func (s *server) strayListed(y *eyes, g *edgegroups.Group, members []edgegroups.Member) []resource.EdgeGroupDevice {
	in := map[protocol.DeviceID]bool{}
	for _, m := range members {
		in[m.Device] = true
	}
	var strays []edgegroups.Member
	for _, id := range g.Devices {
		if !in[id] {
			strays = append(strays, edgegroups.Member{Device: id, How: edgegroups.Listed})
		}
	}
	out := s.edgeGroupDevices(y, strays)
	for i := range out {
		out[i].Reason = fmt.Sprintf("it is in group /%s, and the edge group has devices of /%s only", out[i].Group, g.Home)
		if d, _ := s.Devices.Device(out[i].ID); d.Revoked != 0 {
			out[i].Reason = "it was revoked"
		}
	}
	return out
}

func (s *server) previewEdgeGroup(_ context.Context, c *call, in *previewEdgeGroupInput) (*reply[resource.EdgeGroupPreview], error) {
	b := in.Body
	if _, err := fleet.ParseSelector(b.Selector); err != nil {
		return nil, inField("body.selector", err)
	}
	listed, err := s.listedDevices(c, b.Devices)
	if err != nil {
		return nil, err
	}
	if rec, ok := s.EdgeGroups.Named(b.Name); !ok || !c.eyes().edgeGroup(&rec) {
		b.Name = ""
	}
	members, err := s.EdgeGroups.Preview(edgegroups.Spec{Name: b.Name, Home: homeOf(b.Group), Selector: b.Selector, Devices: listed})
	if err != nil {
		return nil, inField("body.devices", err)
	}
	if sees := s.seesDevice(c.eyes()); sees != nil {
		members = slices.DeleteFunc(members, func(m edgegroups.Member) bool { return !sees(m.Device) })
	}
	return replyWith(resource.EdgeGroupPreview{
		Count: len(members), Items: s.edgeGroupDevices(c.eyes(), members[:min(len(members), maxPreviewMembers)]),
	}), nil
}
