package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/farshore/farshore/snapshot"
)

// Image is an image as the engine has it.
type Image struct {
	// ID is sha256:…, of the config or of the manifest, as the engine names images.
	ID string
	// Names are all its names, those by digest too.
	Names []string
	// Layers are the digests of its unpacked layers, the lowest first.
	Layers []string
}

// Platform is what the engine runs, such as linux/arm64. Of arm it says the version that the agent is built for.
func (e *Engine) Platform(ctx context.Context) (string, error) {
	api, err := e.connect()
	if err != nil {
		return "", err
	}
	v, err := api.ServerVersion(ctx)
	if err != nil {
		return "", e.fail(api, err, "ask the engine for its platform", conflict(snapshot.ErrRefused))
	}
	return v.Os + "/" + v.Arch, nil
}

// Image looks for an image by a name or its id.
func (e *Engine) Image(ctx context.Context, ref string) (found Image, err error) {
	err = e.act("look for", anImage, ref, func(api *client.Client) error {
		info, err := api.ImageInspect(ctx, ref)
		if errdefs.IsInvalidArgument(err) { // a name that no engine takes is one that it has not
			return errdefs.ErrNotFound.WithMessage(said(err))
		}
		found = described(info)
		return err
	})
	return found, err
}

func described(info image.InspectResponse) Image {
	id := info.ID
	if !strings.Contains(id, ":") {
		id = "sha256:" + id // Podman's
	}
	return Image{ID: id, Names: append(info.RepoTags, info.RepoDigests...), Layers: info.RootFS.Layers}
}

// Images lists all images, those without a name too.
func (e *Engine) Images(ctx context.Context) ([]Image, error) {
	const what = "list the images"
	api, err := e.connect()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	all, err := api.ImageList(ctx, image.ListOptions{All: true})
	if err != nil {
		return nil, e.fail(api, err, what, conflict(snapshot.ErrRefused))
	}
	list := make([]Image, 0, len(all))
	for _, one := range all {
		info, err := api.ImageInspect(ctx, one.ID)
		if errdefs.IsNotFound(err) { // gone meanwhile
			continue
		}
		if err != nil {
			return nil, e.fail(api, err, what, conflict(snapshot.ErrRefused))
		}
		list = append(list, described(info))
	}
	return list, nil
}

// ImagePull lets the engine pull from a registry on loopback that speaks plain HTTP and asks for no password. Docker does
// so of itself, Podman where it is told.
func (e *Engine) ImagePull(ctx context.Context, ref, platform string) error {
	return e.act("pull", anImage, ref, func(api *client.Client) error {
		stream, err := e.pull(ctx, api, ref, platform)
		if err != nil {
			return err
		}
		defer func() { _ = stream.Close() }()
		return pulled(stream)
	})
}

func (e *Engine) pull(ctx context.Context, api *client.Client, ref, platform string) (io.ReadCloser, error) {
	about, err := askEngine(ctx, api)
	if err != nil {
		return nil, err
	}
	if about.Kind != kindPodman {
		return api.ImagePull(ctx, ref, image.PullOptions{Platform: platform})
	}
	q := url.Values{"reference": {ref}, "tlsVerify": {"false"}, "policy": {"always"}}
	if parts := strings.SplitN(platform, "/", 3); len(parts) > 1 {
		q.Set("OS", parts[0])
		q.Set("Arch", parts[1])
		if len(parts) > 2 {
			q.Set("Variant", parts[2])
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://engine/v4.0.0/libpod/images/pull?"+q.Encode(), http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := api.HTTPClient().Do(req)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil // a failure is told in it
}

// pulled reads what an engine tells of a pull to its end.
func pulled(stream io.Reader) error {
	for dec := json.NewDecoder(stream); ; {
		var line struct {
			Error string `json:"error"` // in the answers of both
			Cause string `json:"cause"`
		}
		switch err := dec.Decode(&line); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case line.Error != "" || line.Cause != "":
			return errdefs.ErrUnknown.WithMessage(line.Error + line.Cause)
		}
	}
}

// ImageTag gives an image one more name; another image that had it loses it.
func (e *Engine) ImageTag(ctx context.Context, id, name string) error {
	return e.act("tag", anImage, name, func(api *client.Client) error { return api.ImageTag(ctx, id, name) })
}

// ImageUntag takes a name from an image. One that is not there is no error.
func (e *Engine) ImageUntag(ctx context.Context, name string) error {
	return e.act("untag", anImage, name, func(api *client.Client) error {
		_, err := api.ImageRemove(ctx, name, image.RemoveOptions{})
		if errdefs.IsNotFound(err) {
			return nil
		}
		return err
	})
}
