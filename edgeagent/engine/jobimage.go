package engine

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/client"

	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

// Pull sees to it, ahead of a run, that the engine has its image, as its pull policy says. It takes as long as it takes.
func (x *JobExecutor) Pull(ctx context.Context, c *protocol.JobContainer, access protocol.RegistryAccess) error {
	api, err := x.e.connect()
	if err != nil {
		return err
	}
	return x.e.jobImage(ctx, api, c, access)
}

// jobImage sees to it that the engine has the image of a run, as its pull policy says.
func (e *Engine) jobImage(ctx context.Context, api *client.Client, spec *protocol.JobContainer, access protocol.RegistryAccess) error {
	name, err := reference.ParseNormalizedNamed(spec.Image)
	if err != nil {
		return fmt.Errorf("%w: %.100q is no name of an image: %w", runner.ErrNever, spec.Image, err)
	}
	if spec.Pull != protocol.PullAlways {
		_, err := api.ImageInspect(ctx, spec.Image)
		switch {
		case err == nil:
			return nil
		case !errdefs.IsNotFound(err):
			return e.fail(api, err, "look for its image", conflict(snapshot.ErrRefused))
		case spec.Pull == protocol.PullNever:
			return fmt.Errorf("its image %s is not on this device, and its rule is never to pull it: bring it there, or change the rule", spec.Image)
		}
	}
	auth, err := authOf(reference.Domain(name), access)
	if err != nil {
		return err
	}
	stream, err := api.ImagePull(ctx, reference.TagNameOnly(name).String(), image.PullOptions{RegistryAuth: auth})
	if err == nil {
		err = pulled(stream)
		_ = stream.Close()
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("pull its image %s: %w", spec.Image, ctx.Err())
	case lost(err):
		return e.fail(api, err, "pull its image", conflict(snapshot.ErrRefused))
	}
	return fmt.Errorf("its image %s is not on this device, or not the newest, and cannot be pulled: %s", spec.Image, said(err))
}

// authOf is how the engine is let in by a registry.
func authOf(domain string, access protocol.RegistryAccess) (string, error) {
	for _, a := range access.Registries {
		if a.Registry == domain || domain == "docker.io" && a.Registry == "index.docker.io" {
			return registry.EncodeAuthConfig(registry.AuthConfig{Username: a.User, Password: a.Password, ServerAddress: a.Registry})
		}
	}
	return "", nil
}

// apart writes the two outputs of a container to two writers; see demultiplex for the format.
func apart(stdout, stderr io.Writer, r io.Reader) error {
	buffered := bufio.NewReaderSize(r, 64<<10)
	buf := make([]byte, 32<<10)
	var head [8]byte
	for {
		if _, err := io.ReadFull(buffered, head[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		to := stdout
		if head[0] == 2 {
			to = stderr
		}
		if n, err := io.CopyBuffer(writerOnly{to}, &io.LimitedReader{R: readerOnly{buffered}, N: int64(binary.BigEndian.Uint32(head[4:]))}, buf); err != nil {
			return fmt.Errorf("after %d bytes: %w", n, err)
		}
	}
}

// They hide methods by which io.CopyBuffer would do without its buffer.
type (
	writerOnly struct{ io.Writer }
	readerOnly struct{ io.Reader }
)
