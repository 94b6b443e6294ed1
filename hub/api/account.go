package api

import (
	"context"
	"net/http"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
)

// OwnAccount is what people do with their own account.
type OwnAccount interface {
	SetPassword(p access.Principal, old, password string) error
	RedeemInvite(secret, password string) (string, error)
	BeginFactor(p access.Principal, password, issuer string) (access.Enrolment, error)
	ConfirmFactor(p access.Principal, code string) ([]string, error)
	RenewRecovery(p access.Principal, password string) ([]string, error)
	DropFactor(p access.Principal, password string) error
	EndSession(account, id string) error
	May(access.Principal) []access.Operation
}

type sessionInput struct {
	Session string `path:"session" doc:"Id"`
}

func (s *server) accountRoutes() {
	const tag = "Session"
	add(s, route[struct{ Body resource.UseLink }, reply[resource.UsedLink]]{
		Method: http.MethodPost, Path: "/session/link", ID: "use-link", Tag: tag, Summary: "Set the password of an account by a link",
		Description: "An administrator gives out the link. It is good once.",
		Open:        openToAll, Records: "session.link", MaxBytes: 8 << 10,
		Run: func(_ context.Context, c *call, in *struct{ Body resource.UseLink }) (*reply[resource.UsedLink], error) {
			c.who = access.Principal{}
			name, err := s.People.RedeemInvite(in.Body.Link, in.Body.Password)
			if err != nil {
				return nil, err
			}
			c.who, c.on = access.Principal{Name: "for " + name, Kind: access.KindLink}, access.Resource{Kind: "account", ID: name}
			return replyWith(resource.UsedLink{Username: name}), nil
		},
	})
	add(s, route[struct{ Body resource.NewPassword }, none]{
		Method: http.MethodPost, Path: "/session/password", ID: "change-password", Tag: tag, Summary: "Change your password, which ends your other sessions",
		Status: http.StatusNoContent, Open: openToPerson, Records: "session.password", MaxBytes: 8 << 10,
		Run: func(_ context.Context, c *call, in *struct{ Body resource.NewPassword }) (*none, error) {
			return nil, s.People.SetPassword(c.who, in.Body.Old, in.Body.Password)
		},
	})
	add(s, route[struct{}, reply[resource.List[resource.SignInSession]]]{
		Method: http.MethodGet, Path: "/session/sessions", ID: "list-sessions", Tag: tag, Summary: "List your open sessions",
		Open: openToPerson,
		Run: func(_ context.Context, c *call, _ *struct{}) (*reply[resource.List[resource.SignInSession]], error) {
			return s.signInSessions(c, c.who.Owner), nil
		},
	})
	add(s, route[struct{}, reply[resource.EndedSessions]]{
		Method: http.MethodDelete, Path: "/session/sessions", ID: "end-sessions", Tag: tag, Summary: "End all your sessions but this one",
		Open: openToPerson, Records: "session.sessions-end",
		Run: func(_ context.Context, c *call, _ *struct{}) (*reply[resource.EndedSessions], error) {
			n, err := s.People.EndSessions(c.who.Owner, c.who.Session)
			return replyWith(resource.EndedSessions{Ended: n}), err
		},
	})
	add(s, route[sessionInput, none]{
		Method: http.MethodDelete, Path: "/session/sessions/{session}", ID: "end-session", Tag: tag, Summary: "End one of your sessions",
		Status: http.StatusNoContent, Open: openToPerson, Records: "session.sessions-end",
		Run: func(_ context.Context, c *call, in *sessionInput) (*none, error) {
			return nil, s.People.EndSession(c.who.Owner, in.Session)
		},
	})
	s.secondFactorRoutes(tag)
}

func (s *server) secondFactorRoutes(tag string) {
	add(s, route[struct{}, reply[resource.SecondFactor]]{
		Method: http.MethodGet, Path: "/session/second-factor", ID: "get-second-factor", Tag: tag, Summary: "See whether you have a second factor",
		Open: openToPerson, DuringSetup: true,
		Run: func(_ context.Context, c *call, _ *struct{}) (*reply[resource.SecondFactor], error) {
			x, err := s.People.Account(c.who.Owner)
			if err != nil {
				return nil, err
			}
			out := resource.SecondFactor{On: x.Guarded(), Needed: s.People.Belongings(x.Name).NeedsFactor}
			if out.On {
				out.Since, out.RecoveryCodes = at(x.Factor.Since), len(x.Factor.Recovery)
			}
			return replyWith(out), nil
		},
	})
	add(s, route[struct{ Body resource.PasswordProof }, reply[resource.FactorEnrolment]]{
		Method: http.MethodPost, Path: "/session/second-factor", ID: "begin-second-factor", Tag: tag, Summary: "Begin to set up a second factor",
		Description: "It gives what an authenticator has to know (RFC 6238). It counts when a code has confirmed it.",
		Open:        openToPerson, DuringSetup: true, Records: "session.second-factor-begin", MaxBytes: 8 << 10,
		Run: func(_ context.Context, c *call, in *struct{ Body resource.PasswordProof }) (*reply[resource.FactorEnrolment], error) {
			e, err := s.People.BeginFactor(c.who, in.Body.Password, "Farshore")
			return replyWith(resource.FactorEnrolment(e)), err
		},
	})
	add(s, route[struct{ Body resource.FactorCode }, reply[resource.RecoveryCodes]]{
		Method: http.MethodPost, Path: "/session/second-factor/confirm", ID: "confirm-second-factor", Tag: tag,
		Summary: "Confirm the second factor by a code, and get recovery codes", Description: "The codes are given this once. Other sessions end.",
		Open: openToPerson, DuringSetup: true, Records: "session.second-factor-on",
		Run: func(_ context.Context, c *call, in *struct{ Body resource.FactorCode }) (*reply[resource.RecoveryCodes], error) {
			codes, err := s.People.ConfirmFactor(c.who, in.Body.Code)
			return replyWith(resource.RecoveryCodes{Codes: codes}), err
		},
	})
	add(s, route[struct{ Body resource.PasswordProof }, reply[resource.RecoveryCodes]]{
		Method: http.MethodPost, Path: "/session/second-factor/recovery-codes", ID: "renew-recovery-codes", Tag: tag,
		Summary: "Get new recovery codes in place of those that you have",
		Open:    openToPerson, Records: "session.recovery-codes", MaxBytes: 8 << 10,
		Run: func(_ context.Context, c *call, in *struct{ Body resource.PasswordProof }) (*reply[resource.RecoveryCodes], error) {
			codes, err := s.People.RenewRecovery(c.who, in.Body.Password)
			return replyWith(resource.RecoveryCodes{Codes: codes}), err
		},
	})
	add(s, route[struct{ Body resource.PasswordProof }, none]{
		Method: http.MethodPost, Path: "/session/second-factor/off", ID: "drop-second-factor", Tag: tag, Summary: "Turn your second factor off",
		Status: http.StatusNoContent, Open: openToPerson, Records: "session.second-factor-off", MaxBytes: 8 << 10,
		Run: func(_ context.Context, c *call, in *struct{ Body resource.PasswordProof }) (*none, error) {
			return nil, s.People.DropFactor(c.who, in.Body.Password)
		},
	})
}

func (s *server) signInSessions(c *call, account string) *reply[resource.List[resource.SignInSession]] {
	return list(s.People.Sessions(account, time.Now().Unix()), func(x access.SessionSeen) resource.SignInSession {
		return resource.SignInSession{
			ID: x.ID(), Remote: x.Remote, Agent: x.Agent, Created: at(x.Created), Expires: at(x.Expires), LastUsed: at(x.LastUsed),
			Current: x.ID() == c.who.Session,
		}
	})
}
