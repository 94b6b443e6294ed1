package snapshot

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/farshore/farshore/protocol"
)

// Bounds of what a snapshot holds. What is beyond them is cut; a cut list is told in Engine.Reason.
const (
	MaxItems      = 8192 // of each list of the snapshot
	MaxParts      = 128  // ports, networks and mounts of a container, tags of an image, subnets of a network
	MaxLabels     = 32   // of a container
	MaxLabelKey   = 128  // bytes
	MaxLabelValue = 256  // bytes
	maxString     = 1024 // bytes of any other text
)

// Canonical returns the one encoding of a state, at most protocol.MaxSnapshot bytes, and its short hash. Lists are
// sorted (images by id, containers, volumes and networks by name), texts are valid UTF-8 and cut to their bounds, and
// what can be derived is left out. What does not fit is left out too, labels first, and Engine.Reason says so. s is
// not changed.
func Canonical(s protocol.Snapshot) ([]byte, protocol.ShortHash) {
	c := canonical{s: s}
	c.host()
	c.engine()
	c.images()
	c.containers()
	c.volumes()
	c.networks()
	compact(&c.s)
	for _, shrink := range []func(){func() {}, c.dropLabels, c.dropDetails, c.halve} {
		shrink()
		if b := c.encode(); len(b) <= protocol.MaxSnapshot {
			return b, protocol.HashOf(b).Short()
		}
	}
	for { // each turn halves the lists, so this ends
		c.halve()
		if b := c.encode(); len(b) <= protocol.MaxSnapshot {
			return b, protocol.HashOf(b).Short()
		}
	}
}

// Decode reads what Canonical gives, and whatever a hostile device gives in its place. Errors wrap
// protocol.ErrTooLarge or protocol.ErrMalformed.
func Decode(b []byte) (protocol.Snapshot, error) {
	var s protocol.Snapshot
	if len(b) > protocol.MaxSnapshot {
		return s, fmt.Errorf("snapshot: %w: %d bytes, at most %d", protocol.ErrTooLarge, len(b), protocol.MaxSnapshot)
	}
	if err := protocol.Unmarshal(b, &s); err != nil {
		return protocol.Snapshot{}, fmt.Errorf("snapshot: %w", err)
	}
	for i := range s.Containers {
		if int64(s.Containers[i].Image) > int64(len(s.Images)) {
			return protocol.Snapshot{}, fmt.Errorf("snapshot: %w: container %.80q is of image %d of %d",
				protocol.ErrMalformed, s.Containers[i].Name, s.Containers[i].Image, len(s.Images))
		}
	}
	expand(&s)
	return s, nil
}

// canonical is a snapshot on its way to its canonical form. Slices of s are replaced before they are changed.
type canonical struct {
	s      protocol.Snapshot
	noted  bool
	places []uint32 // 1 + new place of an image by its old place; 0: it was cut
}

// text makes t valid UTF-8 of at most limit bytes.
func text(t string, limit int) string {
	return strings.ToValidUTF8(protocol.Cut(t, limit), "\uFFFD")
}

func short(fields ...*string) {
	for _, f := range fields {
		*f = text(*f, maxString)
	}
}

// note says once in Engine.Reason that something was left out.
func (c *canonical) note(what string) {
	if c.noted {
		return
	}
	c.noted = true
	c.s.Engine.Reason = text(strings.TrimPrefix(c.s.Engine.Reason+"; ", "; ")+
		"there is more on this device than a snapshot can hold: "+what+" left out", protocol.MaxText)
}

// list copies, bounds and sorts a list.
func list[T any](c *canonical, items []T, order func(a, b T) int) []T {
	out := slices.Clone(items)
	slices.SortFunc(out, order)
	if len(out) > MaxItems {
		c.note("some items were")
		out = out[:MaxItems]
	}
	return out
}

// parts copies, sorts and bounds a list inside an item, without what is there twice; nil where it is empty.
func parts[T any](items []T, order func(a, b T) int) []T {
	if len(items) == 0 {
		return nil
	}
	out := slices.Clone(items)
	slices.SortFunc(out, order)
	out = slices.CompactFunc(out, func(a, b T) bool { return order(a, b) == 0 })
	return out[:min(len(out), MaxParts)]
}

func cleanAll(items []string) []string {
	out := make([]string, len(items))
	for i, t := range items {
		out[i] = text(t, maxString)
	}
	return parts(out, strings.Compare)
}

func (c *canonical) host() {
	h := &c.s.Host
	short(&h.Name, &h.OS, &h.Kernel, &h.Arch)
}

func (c *canonical) engine() {
	e := &c.s.Engine
	short(&e.Kind, &e.Version, &e.API, &e.Storage, &e.Cgroup)
	e.Reason = text(e.Reason, protocol.MaxText)
}

func (c *canonical) images() {
	old := c.s.Images
	c.s.Images = list(c, old, func(a, b protocol.Image) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	place := make(map[protocol.Hash]uint32, len(c.s.Images))
	for i := range c.s.Images {
		c.s.Images[i].Tags = cleanAll(c.s.Images[i].Tags)
		place[c.s.Images[i].ID] = uint32(i + 1)
	}
	c.places = make([]uint32, len(old)+1)
	for i := range old {
		c.places[i+1] = place[old[i].ID]
	}
}

func (c *canonical) containers() {
	c.s.Containers = list(c, c.s.Containers, func(a, b protocol.Container) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), bytes.Compare(a.ID[:], b.ID[:]))
	})
	for i := range c.s.Containers {
		c.container(&c.s.Containers[i])
	}
}

func (c *canonical) container(k *protocol.Container) {
	if int64(k.Image) < int64(len(c.places)) {
		k.Image = c.places[k.Image]
	} else {
		k.Image = 0
	}
	short(&k.Name, &k.ImageRef, &k.Project, &k.Service)
	if k.Image > 0 {
		if tags := c.s.Images[k.Image-1].Tags; len(tags) > 0 && tags[0] == fullRef(k.ImageRef) {
			k.ImageRef = ""
		}
	}
	if k.State == protocol.ContainerRunning || k.State == protocol.ContainerPaused {
		k.ExitCode, k.Finished = 0, 0
	}
	k.Ports = slices.Clone(k.Ports)
	for i := range k.Ports {
		short(&k.Ports[i].Proto, &k.Ports[i].IP)
		if k.Ports[i].Proto == "tcp" {
			k.Ports[i].Proto = ""
		}
	}
	k.Ports = parts(k.Ports, func(a, b protocol.Port) int {
		return cmp.Or(cmp.Compare(a.Private, b.Private), strings.Compare(a.Proto, b.Proto),
			cmp.Compare(a.Public, b.Public), strings.Compare(a.IP, b.IP))
	})
	k.Labels = cleanLabels(k.Labels)
	k.Networks = slices.Clone(k.Networks)
	for i := range k.Networks {
		short(&k.Networks[i].Network, &k.Networks[i].IP)
	}
	k.Networks = parts(k.Networks, func(a, b protocol.Endpoint) int {
		return cmp.Or(strings.Compare(a.Network, b.Network), strings.Compare(a.IP, b.IP))
	})
	k.Mounts = slices.Clone(k.Mounts)
	for i := range k.Mounts {
		short(&k.Mounts[i].Type, &k.Mounts[i].Source, &k.Mounts[i].Target)
		if k.Mounts[i].Type == "volume" {
			k.Mounts[i].Type = ""
		}
	}
	k.Mounts = parts(k.Mounts, func(a, b protocol.Mount) int {
		return cmp.Or(strings.Compare(a.Target, b.Target), strings.Compare(a.Source, b.Source),
			strings.Compare(a.Type, b.Type))
	})
}

// fullRef gives an image reference the form that image lists use: with a tag, without the default registry.
func fullRef(ref string) string {
	ref = strings.TrimPrefix(strings.TrimPrefix(ref, "docker.io/"), "library/")
	if ref == "" || strings.Contains(ref, "@") || strings.Contains(ref[strings.LastIndexByte(ref, '/')+1:], ":") {
		return ref
	}
	return ref + ":latest"
}

// cleanLabels bounds labels; of too many, the first in order of their keys stay.
func cleanLabels(labels map[string]string) map[string]string {
	if len(labels) == 0 {
		return nil
	}
	out := make(map[string]string, min(len(labels), MaxLabels))
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if len(out) == MaxLabels {
			break
		}
		out[text(key, MaxLabelKey)] = text(labels[key], MaxLabelValue)
	}
	return out
}

func (c *canonical) volumes() {
	c.s.Volumes = list(c, c.s.Volumes, func(a, b protocol.Volume) int { return strings.Compare(a.Name, b.Name) })
	for i := range c.s.Volumes {
		v := &c.s.Volumes[i]
		short(&v.Name, &v.Driver, &v.Project)
		if v.Driver == "local" {
			v.Driver = ""
		}
	}
}

func (c *canonical) networks() {
	c.s.Networks = list(c, c.s.Networks, func(a, b protocol.Network) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), bytes.Compare(a.ID[:], b.ID[:]))
	})
	for i := range c.s.Networks {
		n := &c.s.Networks[i]
		short(&n.Name, &n.Driver, &n.Project)
		n.Subnets = cleanAll(n.Subnets)
		if n.Name == "host" || n.Name == "none" { // every engine's own; nothing is ever done to them by id
			n.ID = protocol.ShortHash{}
		}
	}
}

func (c *canonical) dropLabels() {
	c.note("labels are")
	for i := range c.s.Containers {
		c.s.Containers[i].Labels = nil
	}
}

func (c *canonical) dropDetails() {
	for i := range c.s.Containers {
		c.s.Containers[i].Ports, c.s.Containers[i].Networks, c.s.Containers[i].Mounts = nil, nil, nil
	}
}

// halve leaves out the second half of each list but that of images, which containers refer to: their tags go.
func (c *canonical) halve() {
	for i := range c.s.Images {
		c.s.Images[i].Tags = nil
	}
	c.s.Containers = c.s.Containers[:len(c.s.Containers)/2]
	c.s.Volumes = c.s.Volumes[:len(c.s.Volumes)/2]
	c.s.Networks = c.s.Networks[:len(c.s.Networks)/2]
}

func (c *canonical) encode() []byte {
	b, err := protocol.Marshal(c.s)
	if err != nil {
		panic(err) // no field of a snapshot can fail to encode; tests encode all of them
	}
	return b
}
