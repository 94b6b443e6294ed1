package estimate

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/distribution/reference"
	"golang.org/x/sync/errgroup"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// Bounds of what registries are asked for one estimate.
const (
	readsAtOnce = 8
	// maxWanted and maxHad are how many images are read about that devices would need, and that they have.
	maxWanted = 256
	maxHad    = 32
)

// errTooMany says that there are more images than are asked for.
var errTooMany = fmt.Errorf("more than %d images are needed: estimate for fewer devices", maxWanted)

// wanted is an image as devices of a group and platform would get it.
type wanted struct{ group, platform, image string }

type answer struct {
	image Image
	err   error
}

// errSecret says that a registry would learn a secret: who has a change estimated chooses the registry, and leaves no trace.
var errSecret = errors.New("its name has a secret variable in it, which the hub tells no registry")

// pantry is what is known of images in one estimate.
type pantry struct {
	desk   *Desk
	images Images
	names  map[string]string // references in their one form

	mu    sync.Mutex
	reads map[wanted]answer // guarded by mu

	onDisk map[diskKey]uint64 // the largest size on the disk of some device
}

type diskKey struct{ platform, name string }

func newPantry(d *Desk, images Images) *pantry {
	if images == nil {
		images = d.cfg.Images
	}
	return &pantry{desk: d, images: images, names: map[string]string{}, reads: map[wanted]answer{}, onDisk: map[diskKey]uint64{}}
}

// name gives a reference in its one form: with registry and tag. What is none stays as it is.
func (p *pantry) name(image string) string {
	if n, ok := p.names[image]; ok {
		return n
	}
	n := image
	if named, err := reference.ParseNormalizedNamed(image); err == nil {
		n = reference.TagNameOnly(named).String()
	}
	p.names[image] = n
	return n
}

// pinned is the digest by which a reference in its one form names an image.
func pinned(name string) (h protocol.Hash, ok bool) {
	_, digits, found := strings.Cut(name, "@sha256:")
	b, err := hex.DecodeString(digits)
	if !found || err != nil || len(b) != len(h) {
		return h, false
	}
	return protocol.Hash(b), true
}

// there reports whether a device has an image already, so that it asks no registry, as far as can be told without one.
func (p *pantry) there(d *Device, image string) bool {
	if d.Pull == protocol.PullNever {
		return true
	}
	if d.Pull == protocol.PullAlways {
		return false
	}
	name := p.name(image)
	digest, isPinned := pinned(name)
	return slices.ContainsFunc(d.Has, func(h Has) bool {
		if isPinned {
			return h.ID == digest
		}
		return slices.ContainsFunc(h.Tags, func(t string) bool { return p.name(t) == name })
	})
}

// gather reads about all images that some device needs, and then about those that they have, as far as it is of use.
func (p *pantry) gather(ctx context.Context, ask Ask) error {
	devices := ask.Devices
	need := map[wanted]bool{}
	for i := range devices {
		d := &devices[i]
		for _, h := range d.Has {
			for _, t := range h.Tags {
				key := diskKey{d.Platform, p.name(t)}
				p.onDisk[key] = max(p.onDisk[key], h.Size)
			}
		}
		for _, image := range d.Images {
			w := wanted{d.Group, d.Platform, p.name(image)}
			switch {
			case p.there(d, image):
			case ask.Secret != nil && ask.Secret(image):
				p.reads[w] = answer{err: errSecret}
			default:
				need[w] = true
			}
		}
	}
	list := sorted(need)
	for _, w := range list[min(len(list), maxWanted):] {
		p.reads[w] = answer{err: errTooMany}
	}
	if err := p.read(ctx, list[:min(len(list), maxWanted)]); err != nil || len(list) == 0 {
		return err
	}
	return p.read(ctx, slices.DeleteFunc(p.unknown(devices, list), func(w wanted) bool { return ask.Secret != nil && ask.Secret(w.image) }))
}

func sorted(set map[wanted]bool) []wanted {
	out := make([]wanted, 0, len(set))
	for w := range set {
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b wanted) int {
		return cmp.Or(cmp.Compare(a.image, b.image), cmp.Compare(a.platform, b.platform), cmp.Compare(a.group, b.group))
	})
	return out
}

// unknown are images on devices whose layers nobody knows yet and that may share some with what is wanted: those of the
// same repositories in front, then those of the same registries that most devices have. Docker Hub, which counts how often
// it is asked, is asked for the former alone.
func (p *pantry) unknown(devices []Device, list []wanted) []wanted {
	repositories, hosts := map[string]bool{}, map[string]bool{}
	for _, w := range list {
		repositories[repository(w.image)], hosts[host(w.image)] = true, true
	}
	delete(hosts, "docker.io")
	count, of := map[protocol.Hash]int{}, map[protocol.Hash]wanted{}
	for i := range devices {
		d := &devices[i]
		for _, h := range d.Has {
			if count[h.ID]++; count[h.ID] > 1 || len(h.Tags) == 0 {
				continue
			}
			if _, ok := p.desk.known.of(h.ID); ok {
				continue
			}
			w := wanted{d.Group, d.Platform, p.name(h.Tags[0])}
			for _, t := range h.Tags {
				if repositories[repository(p.name(t))] {
					w.image = p.name(t)
				}
			}
			if repositories[repository(w.image)] || hosts[host(w.image)] {
				of[h.ID] = w
			}
		}
	}
	type one struct {
		wanted
		rank int
	}
	var all []one
	for id, w := range of {
		rank := count[id]
		if repositories[repository(w.image)] {
			rank += 1 << 30
		}
		all = append(all, one{w, rank})
	}
	slices.SortFunc(all, func(a, b one) int { return cmp.Or(b.rank-a.rank, cmp.Compare(a.image, b.image)) })
	var out []wanted
	for _, x := range all[:min(len(all), maxHad)] {
		out = append(out, x.wanted)
	}
	return out
}

func host(name string) string {
	host, _, _ := strings.Cut(name, "/")
	return host
}

func repository(name string) string {
	name, _, _ = strings.Cut(name, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name = name[:i]
	}
	return name
}

// read asks registries, several at once. Its error is that of ctx.
func (p *pantry) read(ctx context.Context, list []wanted) error {
	var group errgroup.Group
	group.SetLimit(readsAtOnce)
	for _, w := range list {
		p.mu.Lock()
		_, done := p.reads[w]
		p.mu.Unlock()
		if done {
			continue
		}
		group.Go(func() error {
			image, err := p.images.Image(ctx, w.group, w.image, w.platform)
			if err == nil {
				p.desk.known.put(&image)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			p.reads[w] = answer{image, err}
			return nil
		})
	}
	_ = group.Wait() // none fails
	if err := ctx.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// load is what a device would fetch of images.
type load struct {
	bytes, adds uint64
	unknown     int
	atMost      bool
	used        []wanted
}

// of says what a device would fetch of the images that it needs.
func (p *pantry) of(d *Device) (l load) {
	owned, ids := map[protocol.Hash]bool{}, map[protocol.Hash]bool{}
	for _, h := range d.Has {
		ids[h.ID] = true
		layers, _ := p.desk.known.of(h.ID)
		for _, x := range layers {
			owned[x.Digest] = true
		}
	}
	for _, image := range d.Images {
		if p.there(d, image) {
			continue
		}
		w := wanted{d.Group, d.Platform, p.name(image)}
		l.used = append(l.used, w)
		got := p.reads[w]
		if got.err != nil {
			if size := p.onDisk[diskKey{w.platform, w.image}]; size > 0 {
				l.bytes, l.adds, l.atMost = l.bytes+size, l.adds+carryCost(size), true
			} else {
				l.unknown++
			}
			continue
		}
		has := slices.ContainsFunc(got.image.IDs, func(id protocol.Hash) bool { return ids[id] })
		if _, byDigest := pinned(w.image); has && byDigest && d.Pull == protocol.PullMissing {
			continue
		}
		requests := uint64(2) // manifest, and index or token
		l.bytes += got.image.Documents
		for _, x := range got.image.Layers {
			if has || owned[x.Digest] {
				continue
			}
			owned[x.Digest] = true
			requests += asks(d.Settings.Link, x.Size)
			l.bytes += x.Size
			l.adds += carryCost(x.Size)
		}
		l.adds += carryCost(got.image.Documents) + requests*requestCost + registryCost
	}
	return l
}

// asks is how many requests a layer takes: the agent asks for it slice by slice, an engine at once.
func asks(rules *protocol.LinkRules, size uint64) uint64 {
	if slice := uint64(economy.PullSlice(rules)); economy.ByAgent(rules) && size > slice {
		return (size + slice - 1) / slice
	}
	return 1
}

// describe says what is known of an image.
func (p *pantry) describe(w wanted, shown func(string) string) ImageEstimate {
	out := ImageEstimate{Image: shown(familiar(w.image)), Platform: w.platform, Source: SourceRegistry}
	got := p.reads[w]
	if got.err == nil {
		out.Bytes, out.Layers = got.image.Documents, len(got.image.Layers)
		for _, x := range got.image.Layers {
			out.Bytes += x.Size
		}
		return out
	}
	out.Why, out.Source = shown(got.err.Error()), SourceUnknown
	if size := p.onDisk[diskKey{w.platform, w.image}]; size > 0 {
		out.Bytes, out.Source = size, SourceDevices
	}
	return out
}

// familiar is a reference as people write it.
func familiar(name string) string {
	if named, err := reference.ParseNormalizedNamed(name); err == nil {
		return reference.FamiliarString(named)
	}
	return name
}
