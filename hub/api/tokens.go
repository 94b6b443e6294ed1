package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
)

type tokenInput struct {
	Token string `path:"token" doc:"Id or name"`
}

func (s *server) tokenRoutes() {
	const tag = "Tokens"
	add(s, route[struct{}, reply[resource.List[resource.Token]]]{
		Method: http.MethodGet, Path: "/tokens", ID: "list-tokens", Tag: tag, Summary: "List one's own API tokens",
		Open: openToSignedIn,
		Run: func(_ context.Context, c *call, _ *struct{}) (*reply[resource.List[resource.Token]], error) {
			return list(s.Tokens.Tokens(c.who.Owner), token), nil
		},
	})
	add(s, route[struct{ Body resource.NewToken }, reply[resource.Token]]{
		Method: http.MethodPost, Path: "/tokens", ID: "create-token", Tag: tag, Summary: "Make an API token",
		Description: "It has at most the rights of the account that makes it, now and later; the account has to be signed in by itself. Its secret is given this once.", Status: http.StatusCreated,
		Open: openToSignedIn, Records: "tokens.create",
		Run: func(_ context.Context, c *call, in *struct{ Body resource.NewToken }) (*reply[resource.Token], error) {
			c.on = access.Resource{Kind: "token", ID: in.Body.Name}
			if err := s.knowGroups(c, in.Body.Groups); err != nil {
				return nil, err
			}
			secret, made, err := s.Tokens.CreateToken(c.who, access.NewToken{
				Name: in.Body.Name, Expires: in.Body.Expires, Limit: &access.Limit{Role: access.Role(in.Body.Role), Groups: in.Body.Groups},
			})
			if err != nil {
				return nil, err
			}
			out := token(made)
			out.Secret = secret
			return replyWith(out), nil
		},
	})
	add(s, route[tokenInput, none]{
		Method: http.MethodDelete, Path: "/tokens/{token}", ID: "remove-token", Tag: tag, Summary: "Make an API token useless",
		Status: http.StatusNoContent,
		Open:   openToSignedIn, Records: "tokens.remove",
		Run: func(_ context.Context, c *call, in *tokenInput) (*none, error) {
			c.on = access.Resource{Kind: "token", ID: in.Token}
			return nil, s.Tokens.RemoveToken(c.who, in.Token)
		},
	})
}

// knowGroups refuses groups that are not there, and those that the caller does not see in the same words: a token for one
// by a wrong name would be of no use, until somebody makes a group of that name.
func (s *server) knowGroups(c *call, paths []string) error {
	if c.who.Kind != access.KindUser {
		return nil // it may make none at all, which says so
	}
	scope := s.Accounts.Scope(c.who, access.GroupsRead)
	for _, path := range paths {
		path = strings.Trim(path, "/")
		seen := s.place(path) == path && (scope.Leads(path) || s.countGroups(c.eyes())[path] != nil)
		if !seen {
			return invalid("body.groups", "there is no group %.160q: make it first, or give one that `farshore groups ls` shows", path)
		}
	}
	return nil
}

func token(t access.Token) resource.Token {
	out := resource.Token{
		ID: t.ID, Name: t.Name, Owner: t.Owner, Created: at(t.Created), Expires: at(t.Expires), LastUsed: at(t.LastUsed),
	}
	if t.Limit != nil {
		out.Role, out.Groups = string(t.Limit.Role), t.Limit.Groups
	}
	return out
}

// at makes a time of Unix seconds; 0 is the zero time.
func at(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// list makes an answer of a list.
func list[F, T any](from []F, to func(F) T) *reply[resource.List[T]] {
	out := make([]T, len(from))
	for i, f := range from {
		out[i] = to(f)
	}
	return replyWith(resource.List[T]{Items: out})
}
