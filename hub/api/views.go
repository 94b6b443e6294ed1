package api

import (
	"context"
	"net/http"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
)

// Views are the saved views of accounts; *access.Access is one.
type Views interface {
	Views(access.Principal) ([]access.View, error)
	SetViews(access.Principal, []access.View) error
}

type putViewsInput struct{ Body resource.PutViews }

func view(v access.View) resource.View { return resource.View(v) }

func (s *server) viewRoutes() {
	const tag = "Session"
	add(s, route[struct{}, reply[resource.List[resource.View]]]{
		Method: http.MethodGet, Path: "/session/views", ID: "list-views", Tag: tag, Summary: "List the saved views of your account",
		Open: openToSignedIn,
		Run: func(_ context.Context, c *call, _ *struct{}) (*reply[resource.List[resource.View]], error) {
			views, err := s.Views.Views(c.who)
			return list(views, view), err
		},
	})
	add(s, route[putViewsInput, reply[resource.List[resource.View]]]{
		Method: http.MethodPut, Path: "/session/views", ID: "put-views", Tag: tag, Summary: "Replace the saved views of your account",
		Open: openToSignedIn, Records: "session.views",
		Run: func(_ context.Context, c *call, in *putViewsInput) (*reply[resource.List[resource.View]], error) {
			views := make([]access.View, len(in.Body.Items))
			for i, v := range in.Body.Items {
				views[i] = access.View(v)
			}
			return list(views, view), s.Views.SetViews(c.who, views)
		},
	})
}
