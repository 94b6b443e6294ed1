package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/farshore/farshore/snapshot"
)

// thing is the kind of a target.
type thing string

const (
	aContainer thing = "container"
	anImage    thing = "image"
	aVolume    thing = "volume"
)

// check refuses a target that could mean something else in a request's path.
func (k thing) check(target string) error {
	allowed := "_.-"
	if k == anImage {
		allowed = "_.-/:@"
	}
	bad := strings.ContainsFunc(target, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune(allowed, r))
	})
	if target == "" || len(target) > 300 || bad || strings.HasPrefix(target, ".") || strings.Contains(target, "..") {
		return fmt.Errorf("%w: %.80q is not a name or id of a%s %s", snapshot.ErrNoSuch, target,
			map[thing]string{anImage: "n"}[k], string(k))
	}
	return nil
}

// act checks the target, does what is wanted and words the error.
func (e *Engine) act(verb string, k thing, target string, do func(*client.Client) error) error {
	what := fmt.Sprintf("%s %s %.80q", verb, k, target)
	if err := k.check(target); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	api, err := e.connect()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	onConflict := conflict(snapshot.ErrRefused)
	if verb == "remove" {
		onConflict = snapshot.ErrInUse
	}
	err = do(api)
	if verb == "remove" && errdefs.IsInternal(err) && strings.Contains(err.Error(), "force") {
		err = errdefs.ErrConflict.WithMessage(said(err)) // so Podman says that it wants to be forced
	}
	if err != nil {
		return e.fail(api, err, what, onConflict)
	}
	return nil
}

// ContainerStart starts a container; one that runs is no error.
func (e *Engine) ContainerStart(ctx context.Context, target string) error {
	return e.act("start", aContainer, target, func(api *client.Client) error {
		return api.ContainerStart(ctx, target, container.StartOptions{})
	})
}

// ContainerStop asks a container to end and kills it after timeout, to the second; 0: after the container's own. One
// that does not run is no error.
func (e *Engine) ContainerStop(ctx context.Context, target string, timeout time.Duration) error {
	return e.act("stop", aContainer, target, func(api *client.Client) error {
		return api.ContainerStop(ctx, target, stopOptions(timeout))
	})
}

// ContainerRestart stops a container like ContainerStop and starts it.
func (e *Engine) ContainerRestart(ctx context.Context, target string, timeout time.Duration) error {
	return e.act("restart", aContainer, target, func(api *client.Client) error {
		return api.ContainerRestart(ctx, target, stopOptions(timeout))
	})
}

func stopOptions(timeout time.Duration) container.StopOptions {
	if timeout <= 0 {
		return container.StopOptions{}
	}
	s := int((timeout + time.Second - 1) / time.Second)
	return container.StopOptions{Timeout: &s}
}

// ContainerKill sends a signal, by name or number; empty: SIGKILL. A container that does not run is ErrRefused.
func (e *Engine) ContainerKill(ctx context.Context, target, signal string) error {
	return e.act("kill", aContainer, target, func(api *client.Client) error {
		return api.ContainerKill(ctx, target, signal)
	})
}

// ContainerRemove removes a container, Forcibly also one that runs. Its anonymous volumes stay.
func (e *Engine) ContainerRemove(ctx context.Context, target string, force snapshot.Force) error {
	return e.act("remove", aContainer, target, func(api *client.Client) error {
		return api.ContainerRemove(ctx, target, container.RemoveOptions{Force: bool(force)})
	})
}

// ImageRemove removes a tag, and the image with its last tag. Forcibly: all tags of an image named by id, and also an
// image of stopped containers. One of running containers is ErrInUse in any case.
func (e *Engine) ImageRemove(ctx context.Context, target string, force snapshot.Force) error {
	return e.act("remove", anImage, target, func(api *client.Client) error {
		_, err := api.ImageRemove(ctx, target, image.RemoveOptions{Force: bool(force), PruneChildren: true})
		return err
	})
}

// VolumeRemove removes a volume. One that a container has is ErrInUse in any case; Forcibly is for a volume whose
// driver has lost it.
func (e *Engine) VolumeRemove(ctx context.Context, target string, force snapshot.Force) error {
	return e.act("remove", aVolume, target, func(api *client.Client) error {
		// An engine that is forced says yes to a volume that never was.
		if _, err := api.VolumeInspect(ctx, target); errdefs.IsNotFound(err) {
			return err
		}
		return api.VolumeRemove(ctx, target, bool(force))
	})
}
