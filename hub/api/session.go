package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
)

type loginInput struct {
	Cookie bool   `query:"cookie" doc:"Give the session as a cookie instead of a token"`
	Agent  string `header:"User-Agent" hidden:"true"`
	Body   resource.Login
}

type sessionOutput struct {
	SetCookie []*http.Cookie `header:"Set-Cookie"`
	Body      resource.Session
}

type cookieOutput struct {
	SetCookie []*http.Cookie `header:"Set-Cookie"`
}

func (s *server) sessionRoutes() {
	const tag = "Session"
	add(s, route[loginInput, sessionOutput]{
		Method: http.MethodPost, Path: "/session", ID: "login", Tag: tag, Summary: "Sign in with a password",
		Description: "Where the account has a second factor, the password alone is answered with 401 and the code second-factor: give both.",
		Open:        openToAll, Records: "session.login", MaxBytes: 8 << 10, Run: s.login,
	})
	add(s, route[struct{}, cookieOutput]{
		Method: http.MethodDelete, Path: "/session", ID: "logout", Tag: tag, Summary: "End the session", Status: http.StatusNoContent,
		Open: openToSignedIn, DuringSetup: true, Records: "session.logout",
		Run: func(_ context.Context, c *call, _ *struct{}) (*cookieOutput, error) {
			gone := cookie("", time.Unix(1, 0))
			gone.MaxAge = -1
			return &cookieOutput{[]*http.Cookie{gone}}, s.Accounts.Logout(c.secret)
		},
	})
	add(s, route[struct{}, reply[resource.Session]]{
		Method: http.MethodGet, Path: "/session", ID: "who-am-i", Tag: tag, Summary: "Who is signed in, and to what",
		Open: openToSignedIn, DuringSetup: true,
		Run: func(_ context.Context, c *call, _ *struct{}) (*reply[resource.Session], error) {
			return replyWith(s.session(c.who)), nil
		},
	})
	add(s, route[struct{}, reply[resource.CurrentSession]]{
		Method: http.MethodGet, Path: "/session/current", ID: "current-session", Tag: tag, Summary: "Whether anybody is signed in",
		Description: "The same without an error for strangers: pages ask it when they are opened.",
		Open:        openToAll,
		Run: func(_ context.Context, c *call, _ *struct{}) (*reply[resource.CurrentSession], error) {
			var current resource.CurrentSession
			if c.who.Kind != "" {
				session := s.session(c.who)
				current.Session = &session
			}
			return replyWith(current), nil
		},
	})
	add(s, route[struct{ Body resource.FirstAdmin }, none]{
		Method: http.MethodPost, Path: "/session/first-admin", ID: "first-admin", Tag: tag, Status: http.StatusNoContent,
		Summary:     "Make an administrator by a one-time link",
		Description: "The hub prints the link at its first start, and `farshore-hub admin-link` prints another.",
		Open:        openToAll, Records: "session.first-admin", MaxBytes: 8 << 10,
		Run: func(_ context.Context, c *call, in *struct{ Body resource.FirstAdmin }) (*none, error) {
			c.who, c.on = access.Principal{}, access.Resource{Kind: "account", ID: in.Body.Username}
			err := s.Accounts.RedeemLink(in.Body.Link, in.Body.Username, in.Body.Password)
			if err == nil {
				c.who = access.Principal{Name: "one-time", Kind: access.KindLink}
			}
			return nil, err
		},
	})
}

func (s *server) login(_ context.Context, c *call, in *loginInput) (*sessionOutput, error) {
	c.on = access.Resource{Kind: "account", ID: in.Body.Username}
	opened, err := s.Accounts.Login(access.SignIn{
		Name: in.Body.Username, Password: in.Body.Password, Code: in.Body.Code, Remote: c.remote, Agent: in.Agent,
	})
	if err != nil {
		// Who has to wait was not even tried, which is on record now and then; and to be asked for the code is no failure.
		_, waits := errors.AsType[*access.DelayError](err)
		c.who, c.tried = access.Principal{}, errors.Is(err, access.ErrUnauthenticated) || waits && s.bounces("wait", c.remote)
		if errors.Is(err, access.ErrSecondFactor) && in.Body.Code == "" {
			c.tried = false
		}
		return nil, err
	}
	c.who = opened.Principal
	out := &sessionOutput{Body: s.session(c.who)}
	out.Body.Expires = opened.Expires
	if in.Cookie {
		out.SetCookie = []*http.Cookie{cookie(opened.Secret, opened.Expires)}
	} else {
		out.Body.Token = opened.Secret
	}
	return out, nil
}

func (s *server) session(who access.Principal) resource.Session {
	hub := s.Hub
	hub.Fingerprint = s.Certificates.Status().Fingerprint
	x, _ := s.People.Account(who.Owner)
	return resource.Session{
		Name: who.Name, Kind: string(who.Kind), Admin: who.Admin, Account: who.Owner, BreakGlass: who.BreakGlass, SecondFactor: x.Guarded(),
		SetupNeeded: who.Setup, Operations: words(s.People.May(who)), Hub: hub,
	}
}

// cookie is for this host alone, never sent in the clear, never seen by scripts, and never sent along by other sites.
func cookie(secret string, expires time.Time) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Value: secret, Path: "/", Expires: expires, Secure: true, HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
	}
}
