package api

import (
	"fmt"
	"slices"
	"strings"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
)

// Where a stack is at home, and whose it is.

// nameTaken: names are of the whole hub, so that whoever makes a stack learns that a name is taken, and nothing more.
func nameTaken(name string) error {
	return fmt.Errorf("stack %q %w: the name is taken: choose another", name, errTaken)
}

// onApply is the stack that is to be changed, or the one that is to be made.
func (s *server) onApply(c *call, in *StackRef, b *resource.Apply) (access.Resource, error) {
	rec, ok := s.Stacks.Named(in.Stack)
	if ok && c.eyes().stack(&rec) {
		return onStack(&rec), nil
	}
	group := ""
	if b.Group != nil {
		group = s.place(homeOf(*b.Group))
	}
	owner := c.ownerFor(group, b.Owner)
	on := access.Resource{Kind: "stack", ID: in.Stack, Group: group, Owner: &owner}
	if ok {
		return on, nameTaken(in.Stack)
	}
	return on, nil
}

func homeOf(group string) string { return strings.Trim(group, "/") }

// ownerFor is whose a stack will be: as asked for, or else administrators', or the caller's where these are not theirs
// to apply.
func (c *call) ownerFor(group string, asked *resource.Owner) protocol.Owner {
	if asked == nil {
		var admins protocol.Owner
		if c.scope().Covers(access.Resource{Kind: "stack", Group: group, Owner: &admins}) {
			return admins
		}
		return protocol.Owner{Visibility: protocol.ForOwner, Account: c.who.Owner}
	}
	switch asked.Visibility {
	case protocol.ForOwner:
		if asked.Account == "" {
			return protocol.Owner{Visibility: protocol.ForOwner, Account: c.who.Owner}
		}
		return protocol.Owner{Visibility: protocol.ForOwner, Account: asked.Account}
	case protocol.ForTeam:
		return protocol.Owner{Visibility: protocol.ForTeam, Team: asked.Team}
	case protocol.ForAll:
		return protocol.Owner{Visibility: protocol.ForAll}
	}
	return protocol.Owner{}
}

// checkOwner says what is wrong with an owner that is asked for. Nil: nothing was asked for.
func (c *call) checkOwner(o *resource.Owner) error {
	if o == nil {
		return nil
	}
	switch o.Visibility {
	case "", protocol.ForAdministrators, protocol.ForOwner, protocol.ForTeam, protocol.ForAll:
	default:
		return invalid("body.owner.visibility", "visibility %.40q: want private, team, public or administrators", string(o.Visibility))
	}
	switch {
	case o.Visibility == protocol.ForTeam && (o.Team == "" || o.Account != ""):
		return invalid("body.owner", "visibility team was given without a team, or with an account: name the team")
	case o.Visibility != protocol.ForTeam && o.Team != "", o.Visibility != protocol.ForOwner && o.Account != "":
		return invalid("body.owner", "visibility %s goes with neither account nor team: leave it out", o.Visibility)
	case o.Visibility == protocol.ForOwner && o.Account == "" && c.who.Owner == "":
		return invalid("body.owner.account", "you have no account: name the one it is for")
	}
	return nil
}

// checkTeam refuses a team that there is not. It is asked when the caller's rights are known: who has none there is not
// told which teams there are. What already belongs to a team that was removed may stay so.
func (s *server) checkTeam(was, shall protocol.Owner) error {
	if shall.Team == "" || shall == was || slices.ContainsFunc(s.People.Teams(), func(t access.Team) bool { return t.Name == shall.Team }) {
		return nil
	}
	return invalid("body.owner.team", "there is no team %.80q: make it first", shall.Team)
}

// home reads where a stack is to be and whose, and asks for the right to apply it there too.
func (s *server) home(c *call, name string, b *resource.Apply, spec *planner.ApplySpec) error {
	if err := c.checkOwner(b.Owner); err != nil {
		return err
	}
	rec, there := s.Stacks.Named(name)
	before := rec
	if !there || b.Owner != nil {
		owner := c.ownerFor(rec.Group, b.Owner)
		if !there {
			owner = *c.on.Owner
		}
		rec.Owner, spec.Owner = owner, &owner
	}
	if b.Group != nil {
		group := homeOf(*b.Group)
		rec.Group, spec.Group = group, &group
	}
	rec.Name = name
	on := onStack(&rec)
	on.Group = s.place(rec.Group)
	if err := c.may(on); err != nil {
		return err
	}
	if err := s.checkTeam(before.Owner, rec.Owner); err != nil {
		return err
	}
	if on.Group != rec.Group {
		return inField("body.group", fmt.Errorf("group %.160q: %w: make it first", rec.Group, fleet.ErrNotFound))
	}
	if !there {
		before = rec
	}
	spec.Abroad = s.mayAbroad(c, on)
	spec.Exempt = s.Accounts.Authorize(c.who, access.PolicyExempt, access.Resource{Kind: "group", ID: "/" + rec.Group, Group: rec.Group}) == nil
	spec.Expect = func(now *stacks.Stack) error {
		// The right was asked for where it was then, and for whose it was.
		if now == nil && there || now != nil && (now.Group != before.Group || now.Owner != before.Owner) {
			return fmt.Errorf("stack %q %w: look at it again", name, errChanged)
		}
		return nil
	}
	return nil
}

func ownerShown(o protocol.Owner) resource.Owner {
	out := resource.Owner{Visibility: o.Visibility, Account: o.Account, Team: o.Team}
	if out.Visibility == "" {
		out.Visibility = protocol.ForAdministrators
	}
	return out
}

// ownedBy reads a filter by owner.
func ownedBy(c *call, filter string) (func(protocol.Owner) bool, error) {
	kind, name, named := strings.Cut(filter, ":")
	want := protocol.Owner{}
	switch {
	case filter == "":
		return func(protocol.Owner) bool { return true }, nil
	case filter == "mine":
		want = protocol.Owner{Visibility: protocol.ForOwner, Account: c.who.Owner}
	case kind == "user" && named:
		want = protocol.Owner{Visibility: protocol.ForOwner, Account: name}
	case kind == "team" && named:
		want = protocol.Owner{Visibility: protocol.ForTeam, Team: name}
	case filter == string(protocol.ForAll):
		want.Visibility = protocol.ForAll
	case filter == string(protocol.ForAdministrators):
	default:
		return nil, invalid("query.owner", "owner %.80q: want mine, public, administrators, user:NAME or team:NAME", filter)
	}
	return func(o protocol.Owner) bool { return o == want }, nil
}
