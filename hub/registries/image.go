package registries

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/farshore/farshore/internal/oci"
	"github.com/farshore/farshore/protocol"
)

// Image is what a registry says of an image for one platform (OCI image specification, and Docker's schema 2).
type Image struct {
	// Config is the digest of its configuration, by which most engines call it; Manifest that of its manifest, and Index
	// that of the index which led there, by which others do. A zero Index: there is none.
	Config, Manifest, Index protocol.Hash
	// Documents are the bytes of index, manifest and configuration.
	Documents uint64
	// Layers as they travel, the lowest first.
	Layers []Layer
}

// Layer is one layer of an image.
type Layer struct {
	Digest protocol.Hash
	// Size as it travels, mostly compressed.
	Size uint64
}

// Bounds of what a registry says.
const (
	maxManifest = 4 << 20
	maxLayer    = 1 << 40 // of one, and of all of an image
)

// The media types that are asked for.
const accepted = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, " +
	"application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"

type descriptor struct {
	Digest   string        `json:"digest"`
	Size     int64         `json:"size"`
	Platform *oci.Platform `json:"platform"`
}

// document is an index or a manifest.
type document struct {
	Schema    int         `json:"schemaVersion"`
	Manifests descriptors `json:"manifests"`
	Config    *descriptor `json:"config"`
	Layers    descriptors `json:"layers"`
}

// descriptors is a list that is read to its bound.
type descriptors []descriptor

// UnmarshalJSON implements json.Unmarshaler.
func (l *descriptors) UnmarshalJSON(b []byte) (err error) {
	*l, err = oci.List[descriptor](b, oci.MaxEntries)
	return err
}

func parseDocument(b []byte) (document, error) {
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		return d, fmt.Errorf("its manifest cannot be read: %w", err)
	}
	switch {
	case d.Schema != 2:
		return d, errors.New("its manifest is of a form that is not known here: push the image again with a newer program")
	case len(d.Manifests) == 0 && d.Config == nil:
		return d, errors.New("its manifest names neither images nor a configuration: is it an image?")
	}
	return d, nil
}

// choose gives the manifest of an index for a platform such as linux/arm/v7: the very one that devices choose.
func (d *document) choose(platform string) (protocol.Hash, error) {
	want, err := oci.ReadPlatform(platform)
	if err != nil {
		return protocol.Hash{}, err
	}
	platforms := make([]*oci.Platform, len(d.Manifests))
	for i, m := range d.Manifests {
		platforms[i] = m.Platform
	}
	at, err := oci.Choose(platforms, want)
	if err != nil {
		return protocol.Hash{}, err
	}
	return parseDigest(d.Manifests[at].Digest)
}

// image reads a manifest.
func (d *document) image() (Image, error) {
	if d.Config == nil {
		return Image{}, errors.New("its manifest names no configuration: is it an image?")
	}
	var out Image
	var err error
	if out.Config, err = parseDigest(d.Config.Digest); err != nil {
		return out, err
	}
	out.Documents = uint64(min(max(d.Config.Size, 0), maxManifest))
	all := uint64(0)
	for _, l := range d.Layers {
		digest, err := parseDigest(l.Digest)
		if err != nil {
			return out, err
		}
		if l.Size < 0 || l.Size > maxLayer {
			return out, fmt.Errorf("its manifest has a layer of %d bytes, which cannot be", l.Size)
		}
		if all += uint64(l.Size); all > maxLayer {
			return out, fmt.Errorf("its manifest has layers of more than %d bytes together, which cannot be", uint64(maxLayer))
		}
		out.Layers = append(out.Layers, Layer{digest, uint64(l.Size)})
	}
	return out, nil
}

func parseDigest(text string) (h protocol.Hash, err error) {
	digits, ok := strings.CutPrefix(text, "sha256:")
	b, err := hex.DecodeString(digits)
	if !ok || err != nil || len(b) != len(h) {
		return h, fmt.Errorf("its manifest has the digest %.80q: want sha256: and 64 digits", text)
	}
	copy(h[:], b)
	return h, nil
}
