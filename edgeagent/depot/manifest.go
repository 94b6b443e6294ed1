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
	MediaType string        `json:"mediaType"`
	Digest    string        `json:"digest"`
	Size      int64         `json:"size"`
	URLs      []string      `json:"urls"`
	Platform  *oci.Platform `json:"platform"`
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
	*l, err = oci.List[descriptor](b, oci.MaxEntries)
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

// choose picks the manifest of an index for a platform.
func (m manifest) choose(want oci.Platform) (descriptor, error) {
	platforms := make([]*oci.Platform, len(m.Manifests))
	for i, c := range m.Manifests {
		platforms[i] = c.Platform
	}
	at, err := oci.Choose(platforms, want)
	if err != nil {
		return descriptor{}, err
	}
	return m.Manifests[at], m.Manifests[at].check()
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
