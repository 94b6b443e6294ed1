package composer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/cli/cli/command"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/pkg/jsonmessage"

	"github.com/farshore/farshore/stacks/composer/ipc"
)

// reAway matches what the engine says when a registry cannot be reached, or has no time: it may pass by itself.
var reAway = regexp.MustCompile(`dial tcp|no such host|i/o timeout|TLS handshake timeout|connection (?:refused|reset)|` +
	`Client\.Timeout|deadline exceeded|request canceled|\bEOF\b|network is unreachable|no route to host|toomanyrequests|` +
	`HTTP status: (?:5\d\d|429)`)

// pullReport is how often progress is reported at most.
const pullReport = time.Second

// pull asks the engine to get an image of its registry.
func (r *run) pull(ctx context.Context, n need) error {
	auth, err := r.auth(n.ref)
	if err != nil {
		return err
	}
	stream, err := r.eng.ImagePull(ctx, n.ref, image.PullOptions{RegistryAuth: auth, Platform: n.platform})
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }()
	dec := json.NewDecoder(stream)
	tally := pullTally{}
	for {
		var msg jsonmessage.JSONMessage
		err := dec.Decode(&msg)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if msg.Error != nil {
			return errors.New(msg.Error.Message)
		}
		if tally.add(msg) {
			e := ipc.Event{Kind: ipc.KindStep, Service: n.service, Text: "pulling image " + n.ref}
			e.Done, e.Total = tally.sum()
			r.out.emit(e)
		}
	}
	// An engine that ran out of space may end the stream without a word.
	_, err = r.eng.ImageInspect(ctx, n.ref)
	return err
}

// auth is what the engine shows to the registry of an image: what the request has for it, or else Docker's own tools.
func (r *run) auth(ref string) (string, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return "", fmt.Errorf("image name %q cannot be read: %w", ref, err)
	}
	for _, a := range r.req.Registries {
		if registryOf(a.Registry) == registryOf(reference.Domain(named)) {
			return registry.EncodeAuthConfig(registry.AuthConfig{
				Username: a.User, Password: a.Password, ServerAddress: a.Registry,
			})
		}
	}
	return command.RetrieveAuthTokenFromImage(r.eng.cli.ConfigFile(), ref)
}

// registryOf gives the several names of Docker Hub the one that is in image names.
func registryOf(host string) string {
	switch host {
	case "index.docker.io", "registry-1.docker.io":
		return "docker.io"
	}
	return host
}

// pullTally counts what is known of the layers of one image.
type pullTally struct {
	layers map[string]layer
	told   time.Time
}

type layer struct{ done, total int64 }

// add takes one line of the engine and reports whether it is time to tell. The engine says how much of a layer has come
// while it comes; of one that was there it says nothing.
func (t *pullTally) add(msg jsonmessage.JSONMessage) (tell bool) {
	if t.layers == nil {
		t.layers = map[string]layer{}
	}
	switch l := t.layers[msg.ID]; {
	case msg.Status == "Downloading" && msg.Progress != nil && msg.Progress.Total > 0:
		t.layers[msg.ID] = layer{msg.Progress.Current, msg.Progress.Total}
	case msg.Status == "Download complete" && l.total > 0:
		t.layers[msg.ID] = layer{l.total, l.total}
	}
	if time.Since(t.told) < pullReport {
		return false
	}
	t.told = time.Now()
	return true
}

func (t *pullTally) sum() (done, total int64) {
	for _, l := range t.layers {
		done += l.done
		total += l.total
	}
	return done, total
}
