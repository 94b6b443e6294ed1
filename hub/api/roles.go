package api

import (
	"context"
	"net/http"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
)

// SignInSettings are the settings of signing in.
type SignInSettings interface {
	Settings() access.Settings
	SetSettings(s access.Settings, expect func(access.Settings) error) (access.Settings, error)
}

type putAccessSettingsInput struct {
	IfMatch
	Body resource.AccessSettings
}

func (s *server) roleRoutes(tag string) {
	add(s, route[struct{}, reply[resource.List[resource.Role]]]{
		Method: http.MethodGet, Path: "/roles", ID: "list-roles", Tag: tag, Summary: "List the roles and what each may do",
		Open: openToSignedIn,
		Run: func(context.Context, *call, *struct{}) (*reply[resource.List[resource.Role]], error) {
			return list(access.Roles(), role), nil
		},
	})
	add(s, route[struct{}, reply[resource.AccessSettingsNow]]{
		Method: http.MethodGet, Path: "/settings/access", ID: "get-access-settings", Tag: tag, Summary: "See the settings of signing in",
		Does: access.PeopleChange, On: onHub[struct{}],
		Run: func(context.Context, *call, *struct{}) (*reply[resource.AccessSettingsNow], error) {
			return replyWith(accessSettings(s.People.Settings())), nil
		},
	})
	add(s, route[putAccessSettingsInput, reply[resource.AccessSettingsNow]]{
		Method: http.MethodPut, Path: "/settings/access", ID: "put-access-settings", Tag: tag, Summary: "Set how long sessions last, and what signing in takes",
		Description: "Sessions that are open last as long as they were given. Who needs a second factor and has none can only set one up.",
		Does:        access.PeopleChange, On: onHub[putAccessSettingsInput], Records: "settings.access",
		Run: func(_ context.Context, c *call, in *putAccessSettingsInput) (*reply[resource.AccessSettingsNow], error) {
			want := s.expect(Expect{IfMatch: in.IfMatch}, access.Resource{Kind: "settings", ID: "access"})
			now, err := s.People.SetSettings(
				access.Settings{SessionLife: in.Body.SessionSeconds, MinPassword: in.Body.MinPassword, SecondFactor: access.Needed(in.Body.SecondFactor)},
				func(now access.Settings) error { return want.meets(etagOf(now)) },
			)
			if err != nil {
				return nil, err
			}
			c.on = want.on
			return replyWith(accessSettings(now)), nil
		},
	})
}

func accessSettings(x access.Settings) resource.AccessSettingsNow {
	return resource.AccessSettingsNow{
		AccessSettings: resource.AccessSettings{SessionSeconds: x.SessionLife, MinPassword: x.MinPassword, SecondFactor: string(x.SecondFactor)},
		Etag:           etagOf(x),
	}
}

func role(r access.Role) resource.Role {
	all, own := r.May()
	return resource.Role{Name: string(r), Says: r.Says(), All: words(all), Own: words(own)}
}
