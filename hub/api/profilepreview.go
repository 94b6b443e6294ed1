package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
)

type previewProfileInput struct {
	Body resource.PutProfile
}

func (s *server) profilePreviewRoutes() {
	add(s, route[previewProfileInput, reply[resource.ProfilePreview]]{
		Method: http.MethodPost, Path: "/profiles/preview", ID: "preview-profile", Tag: "Link profiles",
		Summary:     "See what a link profile would cost an idle device, and when it would open",
		Description: "It is checked as if it were made, and nothing is changed.",
		Does:        access.ProfilesRead, On: onAny[previewProfileInput]("profile"), Looks: true, Run: s.previewProfile,
	})
}

func (s *server) previewProfile(_ context.Context, _ *call, in *previewProfileInput) (*reply[resource.ProfilePreview], error) {
	p, err := profileFrom("", &in.Body)
	if err != nil {
		return nil, err
	}
	if err := fleet.CheckProfile(p); err != nil {
		return nil, fmt.Errorf("link profile: %w", err)
	}
	shown := profile(p, uses{})
	out := resource.ProfilePreview{Idle: shown.Idle, Warnings: shown.Warnings, Openings: []resource.Opening{}}
	if p.Settings.Link == nil {
		out.Always = true
		return replyWith(out), nil
	}
	contact := economy.NewContact(p.Settings.Link.Contact)
	out.Always = contact.Always()
	if out.Always {
		return replyWith(out), nil
	}
	for _, o := range contact.Upcoming(time.Now(), openingsShown) {
		out.Openings = append(out.Openings, opening(o))
	}
	return replyWith(out), nil
}
