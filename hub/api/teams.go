package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
)

// Teams are sets of accounts.
type Teams interface {
	Teams() []access.Team
	PutTeam(t access.Team, expect func(*access.Team) error) (access.Team, error)
	RemoveTeam(name string) error
	AddMember(p access.Principal, team, account string) (access.Team, error)
	RemoveMember(p access.Principal, team, account string) (access.Team, error)
}

// TeamRef is the team that a path names. It is exported because only exported fields are filled.
type TeamRef struct {
	Team string `path:"team" doc:"Name"`
}

type putTeamInput struct {
	TeamRef
	Expect
	Body resource.PutTeam
}

type memberInput struct {
	TeamRef
	User string `path:"user" doc:"Name"`
}

func (s *server) teamRoutes() {
	const tag = "People"
	add(s, route[struct{}, reply[resource.List[resource.Team]]]{
		Method: http.MethodGet, Path: "/teams", ID: "list-teams", Tag: tag, Summary: "List teams",
		Description: "Who may not grant roles anywhere sees those that they are in.",
		Open:        openToSignedIn,
		Run: func(_ context.Context, c *call, _ *struct{}) (*reply[resource.List[resource.Team]], error) {
			teams := s.People.Teams()
			if s.Accounts.Scope(c.who, access.AccessRead).Empty() {
				teams = slices.DeleteFunc(teams, func(t access.Team) bool { return !t.Has(c.who.Owner) })
			}
			return list(teams, team), nil
		},
	})
	add(s, route[putTeamInput, reply[resource.Team]]{
		Method: http.MethodPut, Path: "/teams/{team}", ID: "put-team", Tag: tag, Summary: "Make a team, or replace who is in it",
		Does: access.PeopleChange, On: func(c *call, in *putTeamInput) (access.Resource, error) { return onTeam(c, &in.TeamRef) },
		Records: "teams.change",
		Run: func(_ context.Context, c *call, in *putTeamInput) (*reply[resource.Team], error) {
			want := s.expect(in.Expect, c.on)
			t, err := s.People.PutTeam(
				access.Team{Name: in.Team, Leaders: in.Body.Leaders, Members: in.Body.Members, Note: in.Body.Note},
				func(now *access.Team) error { return want.meets(teamEtag(now)) },
			)
			return replyWith(team(t)), err
		},
	})
	add(s, route[TeamRef, none]{
		Method: http.MethodDelete, Path: "/teams/{team}", ID: "remove-team", Tag: tag, Summary: "Remove a team with its grants",
		Status: http.StatusNoContent, Does: access.PeopleChange, On: onTeam, Records: "teams.remove",
		Run: func(_ context.Context, _ *call, in *TeamRef) (*none, error) {
			return nil, s.People.RemoveTeam(in.Team)
		},
	})
	add(s, route[memberInput, reply[resource.Team]]{
		Method: http.MethodPut, Path: "/teams/{team}/members/{user}", ID: "add-team-member", Tag: tag, Summary: "Put somebody into a team",
		Description: "Its leaders may, and administrators.",
		Open:        openToSignedIn, Records: "teams.member-add",
		Run: func(_ context.Context, c *call, in *memberInput) (*reply[resource.Team], error) {
			c.on, c.detail = access.Resource{Kind: "team", ID: in.Team}, "user "+in.User
			t, err := s.People.AddMember(c.who, in.Team, in.User)
			return replyWith(team(t)), err
		},
	})
	add(s, route[memberInput, reply[resource.Team]]{
		Method: http.MethodDelete, Path: "/teams/{team}/members/{user}", ID: "remove-team-member", Tag: tag, Summary: "Take somebody out of a team",
		Description: "Its leaders may, and administrators, who alone take out a leader.",
		Open:        openToSignedIn, Records: "teams.member-remove",
		Run: func(_ context.Context, c *call, in *memberInput) (*reply[resource.Team], error) {
			c.on, c.detail = access.Resource{Kind: "team", ID: in.Team}, "user "+in.User
			t, err := s.People.RemoveMember(c.who, in.Team, in.User)
			return replyWith(team(t)), err
		},
	})
}

func onTeam(_ *call, in *TeamRef) (access.Resource, error) {
	return access.Resource{Kind: "team", ID: in.Team}, nil
}

func team(t access.Team) resource.Team {
	return resource.Team{
		Name: t.Name, Leaders: append([]string{}, t.Leaders...), Members: append([]string{}, t.Members...), Note: t.Note,
		Created: at(t.Created), Etag: teamEtag(&t),
	}
}

func teamEtag(t *access.Team) string {
	if t == nil {
		return ""
	}
	return etagOf([]any{t.Name, slices.Concat([]string{}, t.Leaders), slices.Concat([]string{}, t.Members), t.Note})
}
