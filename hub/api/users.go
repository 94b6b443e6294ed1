package api

import (
	"context"
	"net/http"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
)

// People are accounts, teams and what they were granted; *access.Access is one.
type People interface {
	Users
	OwnAccount
	Teams
	Grants
	SignInSettings
}

// Users are accounts, as administrators see them.
type Users interface {
	AddAccount(access.NewAccount) (access.Account, string, error)
	Accounts() []access.Account
	Account(name string) (access.Account, error)
	ChangeAccount(name string, c access.AccountChange) (access.Account, error)
	RemoveAccount(name string) error
	ResetPassword(name string, also access.Also) (access.Reset, error)
	ResetFactor(name string) error
	Belongings(account string) access.Belongings
	Sessions(account string, now int64) []access.SessionSeen
	EndSessions(account, but string) (int, error)
}

// UserRef is the user that a path names. It is exported because only exported fields are filled.
type UserRef struct {
	User string `path:"user" doc:"Name"`
}

type patchUserInput struct {
	UserRef
	IfMatch
	Body resource.PatchUser
}

type newLinkInput struct {
	UserRef
	Body resource.NewLink
}

func (s *server) userRoutes() {
	const tag = "People"
	add(s, route[struct{}, reply[resource.List[resource.User]]]{
		Method: http.MethodGet, Path: "/users", ID: "list-users", Tag: tag, Summary: "List users",
		Description: "Who may grant roles somewhere sees their names; administrators see more.",
		Does:        access.AccessRead, On: onAny[struct{}]("user"),
		Run: func(_ context.Context, c *call, _ *struct{}) (*reply[resource.List[resource.User]], error) {
			return list(s.People.Accounts(), func(x access.Account) resource.User { return s.user(c, x) }), nil
		},
	})
	add(s, route[struct{ Body resource.NewUser }, reply[resource.MadeUser]]{
		Method: http.MethodPost, Path: "/users", ID: "create-user", Tag: tag, Summary: "Make a user, who may nothing yet", Status: http.StatusCreated,
		Description: "Without a password the answer has a link, good once and for 72 hours, by which the person sets one.",
		Does:        access.PeopleChange, On: func(_ *call, in *struct{ Body resource.NewUser }) (access.Resource, error) {
			return access.Resource{Kind: "user", ID: in.Body.Name}, nil
		},
		Records: "people.create", MaxBytes: 8 << 10,
		Run: func(_ context.Context, c *call, in *struct{ Body resource.NewUser }) (*reply[resource.MadeUser], error) {
			x, link, err := s.People.AddAccount(access.NewAccount{Name: in.Body.Name, Password: in.Body.Password, Admin: in.Body.Admin})
			if err != nil {
				return nil, err
			}
			if x.Admin {
				c.detail = "as an administrator"
			}
			out := resource.MadeUser{User: s.user(c, x)}
			if link != "" {
				out.Link = s.invite(access.Reset{Link: link, Expires: x.Link.Expires})
			}
			return replyWith(out), nil
		},
	})
	add(s, route[UserRef, reply[resource.User]]{
		Method: http.MethodGet, Path: "/users/{user}", ID: "get-user", Tag: tag, Summary: "Look at a user",
		Does: access.PeopleChange, On: onUser,
		Run: func(_ context.Context, c *call, in *UserRef) (*reply[resource.User], error) {
			x, err := s.People.Account(in.User)
			if err != nil {
				return nil, err
			}
			return replyWith(s.user(c, x)), nil
		},
	})
	add(s, route[patchUserInput, reply[resource.User]]{
		Method: http.MethodPatch, Path: "/users/{user}", ID: "change-user", Tag: tag,
		Summary: "Disable or enable a user, or make one an administrator",
		Does:    access.PeopleChange, On: func(c *call, in *patchUserInput) (access.Resource, error) { return onUser(c, &in.UserRef) },
		Records: "people.change",
		Run: func(_ context.Context, c *call, in *patchUserInput) (*reply[resource.User], error) {
			now, err := s.People.Account(in.User)
			if err != nil {
				return nil, err
			}
			if err := s.expect(Expect{IfMatch: in.IfMatch}, c.on).meets(userEtag(now)); err != nil {
				return nil, err
			}
			c.detail = changed(in.Body)
			x, err := s.People.ChangeAccount(in.User, access.AccountChange(in.Body))
			if err != nil {
				return nil, err
			}
			return replyWith(s.user(c, x)), nil
		},
	})
	add(s, route[UserRef, none]{
		Method: http.MethodDelete, Path: "/users/{user}", ID: "remove-user", Tag: tag, Status: http.StatusNoContent,
		Summary: "Remove a user, with sessions, tokens, grants and places in teams",
		Does:    access.PeopleChange, On: onUser, Records: "people.remove",
		Run: func(_ context.Context, _ *call, in *UserRef) (*none, error) {
			return nil, s.People.RemoveAccount(in.User)
		},
	})
	s.userSecretRoutes(tag)
}

// userSecretRoutes are about what somebody signs in with.
func (s *server) userSecretRoutes(tag string) {
	add(s, route[newLinkInput, reply[resource.InviteLink]]{
		Method: http.MethodPost, Path: "/users/{user}/link", ID: "link-user", Tag: tag, Summary: "Take a user's password, and make a link to set another",
		Description: "The sessions end. API tokens stay unless they are to be removed; the answer says how many there are.",
		Does:        access.PeopleChange, On: func(c *call, in *newLinkInput) (access.Resource, error) { return onUser(c, &in.UserRef) },
		Records: "people.link",
		Run: func(_ context.Context, c *call, in *newLinkInput) (*reply[resource.InviteLink], error) {
			also := access.AlsoNothing
			if in.Body.RemoveTokens {
				also, c.detail = access.AlsoTokens, "with its API tokens"
			}
			reset, err := s.People.ResetPassword(in.User, also)
			if err != nil {
				return nil, err
			}
			return replyWith(*s.invite(reset)), nil
		},
	})
	add(s, route[UserRef, none]{
		Method: http.MethodDelete, Path: "/users/{user}/second-factor", ID: "reset-second-factor", Tag: tag, Status: http.StatusNoContent,
		Summary: "Take away the second factor of a user who has lost it",
		Does:    access.PeopleChange, On: onUser, Records: "people.second-factor-reset",
		Run: func(_ context.Context, _ *call, in *UserRef) (*none, error) {
			return nil, s.People.ResetFactor(in.User)
		},
	})
	add(s, route[UserRef, reply[resource.List[resource.SignInSession]]]{
		Method: http.MethodGet, Path: "/users/{user}/sessions", ID: "list-user-sessions", Tag: tag, Summary: "List the open sessions of a user",
		Does: access.PeopleChange, On: onUser,
		Run: func(_ context.Context, c *call, in *UserRef) (*reply[resource.List[resource.SignInSession]], error) {
			if _, err := s.People.Account(in.User); err != nil {
				return nil, err
			}
			return s.signInSessions(c, in.User), nil
		},
	})
	add(s, route[UserRef, reply[resource.EndedSessions]]{
		Method: http.MethodDelete, Path: "/users/{user}/sessions", ID: "end-user-sessions", Tag: tag, Summary: "End all sessions of a user",
		Does: access.PeopleChange, On: onUser, Records: "people.sessions-end",
		Run: func(_ context.Context, _ *call, in *UserRef) (*reply[resource.EndedSessions], error) {
			if _, err := s.People.Account(in.User); err != nil {
				return nil, err
			}
			n, err := s.People.EndSessions(in.User, "")
			return replyWith(resource.EndedSessions{Ended: n}), err
		},
	})
	add(s, route[UserRef, reply[resource.List[resource.Token]]]{
		Method: http.MethodGet, Path: "/users/{user}/tokens", ID: "list-user-tokens", Tag: tag, Summary: "List the API tokens of a user",
		Does: access.PeopleChange, On: onUser,
		Run: func(_ context.Context, _ *call, in *UserRef) (*reply[resource.List[resource.Token]], error) {
			if _, err := s.People.Account(in.User); err != nil {
				return nil, err
			}
			return list(s.Tokens.Tokens(in.User), token), nil
		},
	})
}

func onUser(_ *call, in *UserRef) (access.Resource, error) {
	return access.Resource{Kind: "user", ID: in.User}, nil
}

// changed says what a change of a user does, for the audit trail.
func changed(p resource.PatchUser) string {
	say := func(b *bool, yes, no string) string {
		switch {
		case b == nil:
			return ""
		case *b:
			return yes
		}
		return no
	}
	text := say(p.Admin, "made an administrator", "no administrator any more")
	if also := say(p.Disabled, "disabled", "enabled"); also != "" {
		if text != "" {
			text += ", "
		}
		text += also
	}
	return text
}

// user is what the caller may see of an account.
func (s *server) user(c *call, x access.Account) resource.User {
	if s.Accounts.Authorize(c.who, access.PeopleChange, access.Resource{Kind: "user", ID: x.Name}) != nil {
		return resource.User{Name: x.Name}
	}
	b := s.People.Belongings(x.Name)
	out := resource.User{
		Name: x.Name, Detailed: true, Admin: x.Admin, BreakGlass: x.BreakGlass, Disabled: x.Disabled, Created: at(x.Created), LastSignIn: at(x.LastSignIn),
		SecondFactor: x.Guarded(), FactorNeeded: b.NeedsFactor, Sessions: b.Sessions, Tokens: b.Tokens, Teams: b.Teams, Etag: userEtag(x),
	}
	if x.Password != "" {
		out.PasswordSet = at(x.Changed)
	}
	if x.Link != nil && time.Now().Unix() < x.Link.Expires {
		out.LinkExpires = at(x.Link.Expires)
	}
	if x.Guarded() {
		out.RecoveryCodes = len(x.Factor.Recovery)
	}
	return out
}

func userEtag(x access.Account) string { return etagOf([]any{x.Name, x.Admin, x.Disabled}) }

// invite is a link as the console opens it.
func (s *server) invite(r access.Reset) *resource.InviteLink {
	return &resource.InviteLink{URL: s.Hub.URL + "/invited#" + r.Link, Expires: at(r.Expires), Tokens: r.Tokens}
}
