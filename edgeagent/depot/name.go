package depot

import (
	"fmt"
	"net"
	"regexp"
	"strings"

	"github.com/distribution/reference"

	"github.com/farshore/farshore/stacks/composer/ipc"
)

// name is an image's name in all its parts.
type name struct {
	host   string // docker.io for Docker Hub
	repo   string
	tag    string // "" with a digest
	digest string // "" without
	local  string // what it is called on the engine
	key    string // the name with the platform, by which it is remembered
}

var reDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// parse reads a name as Compose and engines do.
func parse(image ipc.Image) (name, error) {
	named, err := reference.ParseNormalizedNamed(image.Ref)
	if err != nil {
		return name{}, fmt.Errorf("image name %q cannot be read: %w", image.Ref, err)
	}
	n := name{host: reference.Domain(named), repo: reference.Path(named), local: image.Ref}
	if d, ok := named.(reference.Digested); ok {
		n.digest = d.Digest().String()
		if !reDigest.MatchString(n.digest) {
			return name{}, fmt.Errorf("image name %q has a digest that is not sha256", image.Ref)
		}
		n.local, _ = ipc.Pinned(image.Ref)
		named = reference.TrimNamed(named)
		n.key = named.String() + "@" + n.digest
	} else {
		named = reference.TagNameOnly(named)
		n.tag = named.(reference.Tagged).Tag()
		n.key = named.String()
	}
	if image.Platform != "" {
		n.key += " " + image.Platform
	}
	return n, nil
}

// registryOf gives the several names of Docker Hub the one that is in image names.
func registryOf(host string) string {
	switch host = strings.ToLower(host); host {
	case "index.docker.io", "registry-1.docker.io", "https://index.docker.io/v1/":
		return "docker.io"
	}
	return host
}

// baseOf is where a registry is reached. Those on loopback speak plain HTTP, as engines take it.
func baseOf(host string) (scheme, address string) {
	if host == "docker.io" {
		return "https", "registry-1.docker.io"
	}
	if isLoopback(host) {
		return "http", host
	}
	return "https", host
}

func isLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
