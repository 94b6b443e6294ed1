package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
)

// Grants say who has which role where.
type Grants interface {
	Grants() []access.Grant
	Grant(access.Principal, access.Grant) (access.Grant, error)
	RevokeGrant(p access.Principal, id string) (access.Grant, error)
	Explain(account string, r access.Resource) access.Effective
}

type grantsInput struct {
	User   string `query:"user" doc:"Only those of this user, and of the user's teams"`
	Team   string `query:"team" doc:"Only those of this team"`
	Group  string `query:"group" doc:"Only those that hold in this group: its own, and those of the groups above it; / is the root"`
	Device string `query:"device" doc:"Only those that hold for this device, by id or name"`
}

type newGrantInput struct{ Body resource.NewGrant }

type grantInput struct {
	Grant string `path:"grant" doc:"Id"`
}

type accessInput struct {
	User   string `query:"user" doc:"Absent: you"`
	Group  string `query:"group" doc:"What they may in this group; / is the root"`
	Device string `query:"device" doc:"What they may on this device, by id or name"`
}

func (s *server) grantRoutes() {
	const tag = "Access"
	add(s, route[grantsInput, reply[resource.List[resource.Grant]]]{
		Method: http.MethodGet, Path: "/grants", ID: "list-grants", Tag: tag, Summary: "List who has which role where",
		Description: "One sees the grants where one may see who has access. Of those on groups above, only the role.",
		Does:        access.AccessRead, On: onAny[grantsInput]("grant"), Run: s.listGrants,
	})
	add(s, route[newGrantInput, reply[resource.Grant]]{
		Method: http.MethodPost, Path: "/grants", ID: "create-grant", Tag: tag, Summary: "Give a user or a team a role on a group or a device",
		Description: "It holds for all that is below the group. Nobody gives more than they have there.", Status: http.StatusCreated,
		Does: access.AccessChange, On: s.onNewGrant, Records: "access.grant",
		Run: func(_ context.Context, c *call, in *newGrantInput) (*reply[resource.Grant], error) {
			b := in.Body
			g := access.Grant{User: b.User, Team: b.Team, Role: access.Role(b.Role), Group: strings.Trim(b.Group, "/"), Device: c.on.Device, Note: b.Note}
			if !b.Until.IsZero() {
				g.Until = b.Until.Unix()
			}
			g, err := s.People.Grant(c.who, g)
			if err != nil {
				return nil, err
			}
			c.detail = grantWords(g)
			return replyWith(s.grant(g)), nil
		},
	})
	add(s, route[grantInput, none]{
		Method: http.MethodDelete, Path: "/grants/{grant}", ID: "remove-grant", Tag: tag, Summary: "Take a role back", Status: http.StatusNoContent,
		Does: access.AccessChange, On: s.onGrant, Records: "access.revoke",
		Run: func(_ context.Context, c *call, in *grantInput) (*none, error) {
			g, err := s.People.RevokeGrant(c.who, in.Grant)
			c.detail = grantWords(g)
			return nil, err
		},
	})
	add(s, route[accessInput, reply[resource.EffectiveAccess]]{
		Method: http.MethodGet, Path: "/access", ID: "effective-access", Tag: tag, Summary: "See what somebody may do where, and why",
		Description: "Everybody sees their own. Without a group and a device: all roles, wherever they hold.",
		Open:        openToSignedIn, Run: s.effectiveAccess,
	})
	s.roleRoutes(tag)
}

func (s *server) onNewGrant(c *call, in *newGrantInput) (access.Resource, error) {
	if in.Body.Device == "" {
		return s.onGroup(in.Body.Group)
	}
	return s.onDevice(c, &DeviceRef{Device: in.Body.Device})
}

func (s *server) onGrant(_ *call, in *grantInput) (access.Resource, error) {
	for _, g := range s.People.Grants() {
		if g.ID == in.Grant {
			on := s.onGrantOf(g)
			on.Kind, on.ID = "grant", g.ID
			return on, nil
		}
	}
	return access.Resource{Kind: "grant"}, fmt.Errorf("grant %.40q: %w", in.Grant, errNotFound)
}

// groundOf is a group as grants name it, whether it is there or not.
func groundOf(path string) access.Resource {
	path = strings.Trim(path, "/")
	return access.Resource{Kind: "group", ID: "/" + path, Group: path}
}

// onGrantOf is where a grant holds.
func (s *server) onGrantOf(g access.Grant) access.Resource {
	if g.Device == "" {
		return groundOf(g.Group)
	}
	d, _ := s.Devices.Device(protocol.DeviceID(g.Device))
	return access.Resource{Kind: "device", ID: g.Device, Device: g.Device, Group: d.Group}
}

func (s *server) listGrants(_ context.Context, c *call, in *grantsInput) (*reply[resource.List[resource.Grant]], error) {
	where := access.Resource{}
	switch {
	case in.Device != "":
		on, err := s.onDevice(c, &DeviceRef{Device: in.Device})
		if err != nil {
			return nil, err
		}
		where = on
	case in.Group != "":
		where = groundOf(in.Group)
	}
	var teams []string
	for _, t := range s.People.Teams() {
		if t.Has(in.User) {
			teams = append(teams, t.Name)
		}
	}
	seen := s.Accounts.Scope(c.who, access.AccessRead)
	out := []resource.Grant{}
	for _, g := range s.People.Grants() {
		on := s.onGrantOf(g)
		switch {
		case in.User != "" && g.User != in.User && !slices.Contains(teams, g.Team),
			in.Team != "" && g.Team != in.Team,
			in.Device != "" && g.Device != "" && g.Device != where.Device,
			in.Device == "" && in.Group != "" && g.Device != "",
			in.Device+in.Group != "" && g.Device == "" && !isWithin(where.Group, g.Group):
			continue
		case seen.Covers(on):
			out = append(out, s.grant(g))
		case g.Device == "" && seen.Leads(g.Group) && in.User+in.Team == "":
			out = append(out, resource.Grant{Role: string(g.Role), Group: g.Group})
		}
	}
	return replyWith(resource.List[resource.Grant]{Items: slices.CompactFunc(out, sameAbove)}), nil
}

// sameAbove: both say only that a role comes from one group above.
func sameAbove(x, y resource.Grant) bool {
	return x.ID == "" && y.ID == "" && x.Role == y.Role && x.Group == y.Group
}

// isWithin reports whether the group at path is the group above or below it.
func isWithin(path, above string) bool {
	return above == "" || path == above || strings.HasPrefix(path, above+"/")
}

func (s *server) grant(g access.Grant) resource.Grant {
	out := resource.Grant{
		ID: g.ID, User: g.User, Team: g.Team, Role: string(g.Role), Group: g.Group, Device: g.Device, Until: at(g.Until), By: g.By,
		Created: at(g.Created), Note: g.Note, Ended: g.Until != 0 && g.Until <= time.Now().Unix(),
	}
	if g.Device != "" {
		d, _ := s.Devices.Device(protocol.DeviceID(g.Device))
		out.DeviceName, out.Group = d.Name, d.Group
	}
	return out
}

// grantWords tell a grant in the audit trail.
func grantWords(g access.Grant) string {
	if g.ID == "" {
		return ""
	}
	text := string(g.Role) + " to "
	if g.User != "" {
		text += "user " + g.User
	} else {
		text += "team " + g.Team
	}
	if g.Device != "" {
		text += " on device " + g.Device
	} else {
		text += " on group /" + g.Group
	}
	if g.Until != 0 {
		text += " until " + time.Unix(g.Until, 0).UTC().Format(time.RFC3339)
	}
	return text
}

func (s *server) effectiveAccess(_ context.Context, c *call, in *accessInput) (*reply[resource.EffectiveAccess], error) {
	on := access.Resource{Any: true}
	switch {
	case in.Device != "":
		found, err := s.onDevice(c, &DeviceRef{Device: in.Device})
		if err != nil {
			return nil, err
		}
		on = found
	case in.Group != "":
		on = groundOf(in.Group)
	}
	user := in.User
	if user == "" {
		user = c.who.Owner
	}
	if user != c.who.Owner {
		need := on
		if on.Any {
			need = access.Resource{} // all of somebody's roles are for who sees all
		}
		if err := s.Accounts.Authorize(c.who, access.AccessRead, need); err != nil {
			return nil, err
		}
		if _, err := s.People.Account(user); err != nil {
			return nil, err
		}
	}
	e := s.People.Explain(user, on)
	out := resource.EffectiveAccess{
		User: user, Group: on.Group, Device: on.Device, Reasons: []resource.AccessReason{}, All: words(e.All), Own: words(e.Own),
	}
	for _, r := range e.Reasons {
		x := resource.AccessReason{
			Role: string(r.Role), Via: "user", Team: r.Team, Grant: r.Grant, Group: r.Group, Device: r.Device, Inherited: r.Inherited, Until: at(r.Until),
		}
		switch {
		case r.Grant == "":
			x.Via = "administrator"
		case r.Team != "":
			x.Via = "team"
		}
		if r.Device != "" {
			d, _ := s.Devices.Device(protocol.DeviceID(r.Device))
			x.DeviceName, x.Group = d.Name, d.Group
		}
		out.Reasons = append(out.Reasons, x)
	}
	return replyWith(out), nil
}

// words are operations as text, and never null.
func words(ops []access.Operation) []string {
	out := make([]string, len(ops))
	for i, op := range ops {
		out[i] = string(op)
	}
	return out
}
