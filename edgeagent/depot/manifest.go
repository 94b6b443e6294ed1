package depot

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/farshore/farshore/internal/oci"
)

// Bounds on what registries send, beside the sizes that they declare.
const (
	maxDocument = 4 << 20 // of a manifest, an index or a config
	maxLayers   = 512
	maxEntries  = 1024 // of an index
	maxLayer    = 1 << 40
)

// Media types that are asked for; what comes is told by its content.
const (
	typeManifest    = "application/vnd.oci.image.manifest.v1+json"
	acceptManifests = typeManifest + ", application/vnd.oci.image.index.v1+json, " +
		"application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json"
)

// descriptor names content.
type descriptor struct {
	MediaType string    `json:"mediaType"`
	Digest    string    `json:"digest"`
	Size      int64     `json:"size"`
	URLs      []string  `json:"urls"`
	Platform  *platform `json:"platform"`
}

func (c descriptor) check() error {
	if !reDigest.MatchString(c.Digest) {
		return fmt.Errorf("the digest %.80q is not sha256", c.Digest)
	}
	if c.Size < 0 || c.Size > maxLayer {
		return fmt.Errorf("%s has the impossible size %d", c.Digest, c.Size)
	}
	return nil
}

// manifest is an image's manifest, or an index of several.
type manifest struct {
	MediaType string      `json:"mediaType"`
	Config    descriptor  `json:"config"`
	Layers    descriptors `json:"layers"`
	Manifests descriptors `json:"manifests"`
}

// descriptors is a list that is read to its bound.
type descriptors []descriptor

// UnmarshalJSON implements json.Unmarshaler.
func (l *descriptors) UnmarshalJSON(b []byte) (err error) {
	*l, err = oci.List[descriptor](b, maxEntries)
	return err
}

// readManifest reads a document of either kind, and of Docker's and OCI's types.
func readManifest(raw []byte) (manifest, error) {
	var m manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, fmt.Errorf("its manifest cannot be read: %w", err)
	}
	if m.Manifests != nil {
		return m, nil
	}
	if m.Config.Digest == "" {
		return m, errors.New("its manifest is of a kind that is too old or unknown; push the image again with a tool of today")
	}
	if len(m.Layers) > maxLayers {
		return m, fmt.Errorf("it has %d layers, more than %d", len(m.Layers), maxLayers)
	}
	if m.Config.Size > maxDocument {
		return m, fmt.Errorf("its config has %d bytes, more than %d", m.Config.Size, maxDocument)
	}
	for _, c := range append([]descriptor{m.Config}, m.Layers...) {
		if err := c.check(); err != nil {
			return m, err
		}
		if len(c.URLs) > 0 || strings.Contains(c.MediaType, "foreign") || strings.Contains(c.MediaType, "nondistributable") {
			return m, errors.New("it has layers that are to be fetched from elsewhere than its registry")
		}
	}
	return m, nil
}

// platform is what an image runs on.
type platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant"`
}

func (p platform) String() string {
	return strings.TrimSuffix(p.OS+"/"+p.Architecture+"/"+p.Variant, "/")
}

func readPlatform(text string) (platform, error) {
	parts := strings.Split(strings.ToLower(text), "/")
	if len(parts) < 2 || len(parts) > 3 {
		return platform{}, fmt.Errorf("platform %q: want one such as linux/arm64", text)
	}
	p := platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p.normal(), nil
}

// normal gives names that mean the same the same form.
func (p platform) normal() platform {
	switch p.Architecture {
	case "x86_64", "x86-64":
		p.Architecture = "amd64"
	case "aarch64":
		p.Architecture = "arm64"
	case "armhf", "armv7l":
		p.Architecture, p.Variant = "arm", "v7"
	case "armel", "armv6l":
		p.Architecture, p.Variant = "arm", "v6"
	}
	switch {
	case p.Architecture == "arm64" && (p.Variant == "v8" || p.Variant == "8"), p.Architecture == "amd64" && p.Variant == "v1":
		p.Variant = ""
	case p.Architecture == "arm" && p.Variant == "":
		p.Variant = "v7"
	}
	return p
}

// fit says how well an image for have runs on want: 0 for not at all.
func fit(have, want platform) int {
	have = have.normal()
	if have.OS != want.OS || have.Architecture != want.Architecture {
		return 0
	}
	switch {
	case have.Variant == want.Variant:
		return 9
	case want.Architecture == "arm" && len(have.Variant) == 2 && have.Variant < want.Variant:
		return int(have.Variant[1] - '0') // an older variant runs on a newer one: v6 before v5
	case have.Variant == "":
		return 1
	}
	return 0
}

// choose picks the manifest of an index for a platform.
func (m manifest) choose(want platform) (descriptor, error) {
	var best descriptor
	score := 0
	var there []string
	for _, c := range m.Manifests {
		if c.Platform == nil || c.Platform.OS == "unknown" {
			continue
		}
		if s := fit(*c.Platform, want); s > score {
			best, score = c, s
		}
		if len(there) < 8 {
			there = append(there, c.Platform.String())
		}
	}
	if score == 0 {
		return best, fmt.Errorf("it is not there for %s, only for %.200s", want, strings.Join(there, ", "))
	}
	return best, best.check()
}

// diffs are the digests of the unpacked layers, by the image's config.
func diffs(config []byte) []string {
	var c struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if json.Unmarshal(config, &c) != nil {
		return nil // the engine will say what it thinks of it
	}
	return c.RootFS.DiffIDs
}
