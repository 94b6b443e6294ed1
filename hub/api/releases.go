package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/releases"
	"github.com/farshore/farshore/hub/releases/releasefile"
)

// Releases are those of agent and composer; *releases.Shelf is one.
type Releases interface {
	List() []releases.Release
	Add(ctx context.Context, bundle io.Reader) (releases.Release, error)
	Remove(version string) error
}

type releaseRef struct {
	Release string `path:"release" maxLength:"128" doc:"Version"`
}

// releaseUpload is a body that is read as it comes.
type releaseUpload struct{ body io.Reader }

// releaseTimeout is how long a release may take to come.
const releaseTimeout = time.Hour

// Resolve implements huma.Resolver.
func (u *releaseUpload) Resolve(ctx huma.Context) []error {
	// A test recorder has no deadlines; a connection without them is not stopped here.
	_ = ctx.SetReadDeadline(time.Now().Add(releaseTimeout))
	u.body = io.LimitReader(ctx.BodyReader(), releasefile.MaxSize+1)
	return nil
}

func (s *server) releaseRoutes() {
	const tag = "Updates"
	add(s, route[struct{}, reply[resource.List[resource.Release]]]{
		Method: http.MethodGet, Path: "/releases", ID: "list-releases", Tag: tag, Summary: "List the releases of agent and composer, the newest first",
		Does: access.ReleasesRead, On: onAny[struct{}]("release"),
		Run: func(context.Context, *call, *struct{}) (*reply[resource.List[resource.Release]], error) {
			return list(s.Releases.List(), releaseOut), nil
		},
	})
	add(s, route[releaseUpload, reply[resource.Release]]{
		Method: http.MethodPost, Path: "/releases", ID: "add-release", Tag: tag, Status: http.StatusCreated,
		Summary:     "Bring a release to the hub",
		Description: "The body is a bundle as `farshore release make` makes it, of at most 1 GiB. It is accepted when a key that the hub trusts has signed it.",
		Does:        access.ReleasesChange, On: onHubsReleases[releaseUpload],
		Run: func(ctx context.Context, c *call, in *releaseUpload) (*reply[resource.Release], error) {
			r, err := s.Releases.Add(ctx, in.body)
			if err != nil {
				return nil, err
			}
			c.on.ID = r.Version
			c.detail = fmt.Sprintf("%d programs", len(r.Programs))
			return replyWith(releaseOut(r)), nil
		},
	})
	add(s, route[releaseRef, none]{
		Method: http.MethodDelete, Path: "/releases/{release}", ID: "remove-release", Tag: tag, Status: http.StatusNoContent,
		Summary:     "Remove a release from the hub",
		Description: "Devices that run it go on. They get the next release whole, since a patch needs what they run.",
		Does:        access.ReleasesChange, On: func(_ *call, in *releaseRef) (access.Resource, error) {
			return access.Resource{Kind: "release", ID: in.Release}, nil
		},
		Run: func(_ context.Context, _ *call, in *releaseRef) (*none, error) {
			return nil, s.Releases.Remove(in.Release)
		},
	})
}

func onHubsReleases[I any](*call, *I) (access.Resource, error) {
	return access.Resource{Kind: "release"}, nil
}

func releaseOut(r releases.Release) resource.Release {
	out := resource.Release{Version: r.Version, Created: at(r.Created), Added: r.Added.UTC(), Programs: []resource.ReleaseProgram{}}
	for _, p := range r.Programs {
		out.Programs = append(out.Programs, resource.ReleaseProgram{Name: p.Name, Platform: p.Platform(), Hash: p.Hash, Size: p.Size})
	}
	return out
}
