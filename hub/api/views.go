package api

import (
	"context"
	"net/http"

	"github.com/farshore/farshore/hub/api/resource"
)

type putViewsInput struct{ Body resource.PutViews }

func (s *server) viewRoutes() {
	const tag = "Session"
	add(s, route[struct{}, reply[resource.List[resource.View]]]{
		Method: http.MethodGet, Path: "/session/views", ID: "list-views", Tag: tag, Summary: "List the saved views of your account",
		Open: openToSignedIn,
		Run: func(_ context.Context, c *call, _ *struct{}) (*reply[resource.List[resource.View]], error) {
			return replyWith(resource.List[resource.View]{Items: []resource.View{}}), nil
		},
	})
	add(s, route[putViewsInput, reply[resource.List[resource.View]]]{
		Method: http.MethodPut, Path: "/session/views", ID: "put-views", Tag: tag, Summary: "Replace the saved views of your account",
		Open: openToSignedIn, Records: "session.views",
		Run: func(_ context.Context, c *call, in *putViewsInput) (*reply[resource.List[resource.View]], error) {
			return replyWith(resource.List[resource.View]{Items: in.Body.Items}), nil
		},
	})
}
