package planner

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/protocol/sealed"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/compose"
)

// Needs is what devices need to have a version of a stack.
type Needs struct {
	// Stack's name, and the number of the version; one that is new has the number that it would get.
	Stack   string
	Version uint64
	Devices []Need
	// Content gives a file of the version, or an earlier one that a device has.
	Content func(protocol.Hash) ([]byte, error)
	// Alike: there are too many kinds of devices to look at the images of each, so that some count as using all images
	// that the version is known to use.
	Alike bool
	// Shown is the name of an image as whoever asks may see it: without values that they did not give.
	Shown func(image string) string
	// Secret reports whether an image's name has the value of a secret variable of a group or device in it.
	Secret func(image string) bool
}

// Need is what one device needs.
type Need struct {
	Device protocol.DeviceID
	Group  string
	// Entry is about what it would be given. What is sealed in it has the right length, and no content.
	Entry protocol.Entry
	// Lacks are the files that it would ask for.
	Lacks []Lack
	// Images that its services use, sorted.
	Images []string
}

// Lack is a file that a device lacks.
type Lack struct {
	Blob protocol.Hash
	// Base is an earlier file of the same path that it has. Zero: none.
	Base protocol.Hash
}

// Needs says what devices would need if the spec was applied, and changes nothing. Errors are those of Preview. Devices
// that have the version already are left out.
func (p *Planner) Needs(spec ApplySpec) (Needs, error) {
	v, _, err := p.prepare(spec)
	if err != nil {
		return Needs{}, err
	}
	p.change.Lock()
	s, c := p.plan(spec, v)
	if c.Version == nil {
		v = s.latest()
	}
	wanted, err := p.matching(&c.Stack)
	if err == nil {
		err = p.judge(&c.Stack, v, wanted, spec.Sees)
	}
	var kinds []*kind
	out := Needs{Stack: spec.Name, Version: v.Number}
	if err == nil {
		out.Devices, kinds = p.needs(s, &c.Stack, v, wanted)
	}
	p.change.Unlock()
	if err != nil {
		return Needs{}, err
	}
	given := make(map[protocol.Hash][]byte, len(v.Files))
	for _, f := range v.Files {
		if b, ok := spec.Files[f.Path]; ok {
			given[f.Hash] = b
		}
	}
	out.Content = func(h protocol.Hash) ([]byte, error) {
		if b, ok := given[h]; ok {
			return b, nil
		}
		return p.cfg.Store.Blob(h)
	}
	hidden := secretsOf(spec, v, nil)
	hideMore(hidden, kinds)
	out.Shown = hiding(hidden)
	return p.withImages(out, kinds)
}

// hideMore adds the secret variables of devices to what is hidden.
func hideMore(hidden map[string]string, kinds []*kind) {
	for _, k := range kinds {
		for name, value := range k.secret {
			if len(value) > 1 {
				hidden[value] = name
			}
		}
	}
}

// NeedsOf says what devices would need if a kept version of a stack was deployed; 0 is as in DeploySpec. Errors wrap
// stacks.ErrNotFound or ErrRemoving.
func (p *Planner) NeedsOf(name string, version uint64) (Needs, error) {
	out, kinds, err := p.needsOf(name, version)
	if err != nil {
		return Needs{}, err
	}
	hidden := map[string]string{}
	for _, k := range kinds {
		for name, value := range k.env {
			if len(value) > 1 {
				hidden[value] = name
			}
		}
	}
	out.Shown = hiding(hidden)
	return p.withImages(out, kinds)
}

func (p *Planner) needsOf(name string, version uint64) (Needs, []*kind, error) {
	p.change.Lock()
	defer p.change.Unlock()
	s, err := p.standing(name)
	if err != nil {
		return Needs{}, nil, err
	}
	if version == 0 {
		if version = s.rec.Deployed(); version == stacks.None {
			version = s.rec.Latest
		}
	}
	v := s.version(version)
	if v == nil {
		return Needs{}, nil, fmt.Errorf("%w: version %d of %q is not kept; the latest is %d", stacks.ErrNotFound, version, name, s.rec.Latest)
	}
	wanted, err := p.matching(&s.rec)
	if err != nil {
		return Needs{}, nil, err
	}
	out := Needs{Stack: name, Version: version, Content: p.cfg.Store.Blob}
	var kinds []*kind
	out.Devices, kinds = p.needs(s, &s.rec, v, wanted)
	return out, kinds, nil
}

// kind are devices whose bundle is the same as far as images go.
type kind struct {
	files   []protocol.File
	env     map[string]string
	secret  map[string]string // those of env that are secret
	known   []string          // images of the version, as far as they are known without looking
	devices []int             // places in Needs.Devices
}

// needs works out what devices lack of a version; the stack is nil where it is new. The caller holds change.
func (p *Planner) needs(s *stack, rec *stacks.Stack, v *stacks.Version, wanted map[protocol.DeviceID]bool) ([]Need, []*kind) {
	sample := p.sample(rec.Reach(), v)
	var out []Need
	var kinds []*kind
	byKey := map[string]*kind{}
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, dev := range slices.Sorted(maps.Keys(wanted)) {
		target, there := p.cfg.Fleet.Target(dev)
		if !there || s != nil && s.hasAll(dev, v.Number) {
			continue
		}
		plain, secret, _ := p.variables(v, dev, target)
		n := Need{Device: dev, Group: target.Group, Entry: rec.Entry(v, stacks.FilesOf(v.Files, dev, target), plain)}
		p.fill(&n, v, secret, target)
		n.Lacks = p.lacks(s, dev, target, n.Entry.Files)
		env := maps.Clone(sample)
		maps.Copy(env, plain)
		maps.Copy(env, secret)
		key := kindKey(n.Entry.Files, v, env)
		k := byKey[key]
		if k == nil {
			k = &kind{files: n.Entry.Files, env: env, secret: secret, known: v.Images}
			byKey[key], kinds = k, append(kinds, k)
		}
		k.devices = append(k.devices, len(out))
		out = append(out, n)
	}
	return out, kinds
}

// hasAll reports whether a device has a version, as it said last. The caller holds mu.
func (s *stack) hasAll(dev protocol.DeviceID, version uint64) bool {
	a := s.devices[dev]
	if a == nil || !a.known || a.status.Version != version {
		return false
	}
	switch a.status.State {
	case protocol.StackRunning, protocol.StackDegraded, protocol.StackVerify, protocol.StackFetched, protocol.StackWindow:
		return true
	}
	return false
}

// fill puts into an entry what has the length of what would be sealed.
func (p *Planner) fill(n *Need, v *stacks.Version, secret map[string]string, target stacks.Target) {
	put := func(to *[]byte, x any) {
		if b, err := protocol.Marshal(x); err == nil {
			*to = noise(string(n.Device), len(b)+sealed.Overhead)
		}
	}
	if len(secret) > 0 {
		put(&n.Entry.Sealed, protocol.Secrets{Env: secret})
	}
	if list := p.cfg.Credentials(target.Group, v.Images); len(list) > 0 && target.Confirmed {
		put(&n.Entry.Access, protocol.RegistryAccess{Registries: list})
	}
}

// noise is n bytes that cannot be compressed.
func noise(seed string, n int) []byte {
	out := make([]byte, 0, n+sha256.Size)
	for at := sha256.Sum256([]byte(seed)); len(out) < n; at = sha256.Sum256(at[:]) {
		out = append(out, at[:]...)
	}
	return out[:n]
}

// lacks are the files that a device does not have. The caller holds mu.
func (p *Planner) lacks(s *stack, dev protocol.DeviceID, target stacks.Target, files []protocol.File) (out []Lack) {
	has, paths := map[protocol.Hash]bool{}, map[string]protocol.Hash{}
	for of, a := range p.byDevice[dev] {
		for _, number := range of.holds(a) {
			v := of.version(number)
			if v == nil {
				continue
			}
			for _, f := range stacks.FilesOf(v.Files, dev, target) {
				has[f.Hash] = true
				if _, before := paths[f.Path]; of == s && !before {
					paths[f.Path] = f.Hash
				}
			}
		}
	}
	for _, f := range files {
		if !has[f.Hash] {
			has[f.Hash] = true // it is asked for once
			out = append(out, Lack{f.Hash, paths[f.Path]})
		}
	}
	return out
}

// holds are the versions of which a device has the files, as it said last, the one that runs in front. The caller holds mu.
func (s *stack) holds(a *assigned) (versions []uint64) {
	if running, _ := s.has(a); running != 0 {
		versions = append(versions, running)
	}
	switch a.status.State {
	case protocol.StackApplying, protocol.StackVerify, protocol.StackFetched, protocol.StackWindow, protocol.StackRolledBack:
		versions = append(versions, a.status.Version)
	}
	return versions
}

func kindKey(files []protocol.File, v *stacks.Version, env map[string]string) string {
	var b strings.Builder
	for _, f := range files {
		b.WriteString(f.Path + "\x00")
		b.Write(f.Hash[:])
	}
	for _, name := range append([]string{"COMPOSE_PROFILES"}, v.Varying...) {
		fmt.Fprintf(&b, "\x00%s=%d:%s", name, len(env[name]), env[name])
	}
	return b.String()
}

// maxKinds is how many kinds of devices are looked at one by one: each takes some milliseconds.
const maxKinds = 100

// withImages says which images each device needs. No lock is needed.
func (p *Planner) withImages(n Needs, kinds []*kind) (Needs, error) {
	secrets := map[string]string{}
	hideMore(secrets, kinds)
	n.Secret = func(image string) bool {
		for value := range secrets {
			if strings.Contains(image, value) {
				return true
			}
		}
		return false
	}
	for i, k := range kinds {
		images := k.known
		if i < maxKinds {
			sum, err := p.imagesOf(n.Content, k)
			switch {
			case err != nil:
				return n, err
			case len(sum.Services) > 0:
				images = sum.Images()
			}
		} else {
			n.Alike = true
		}
		for _, at := range k.devices {
			n.Devices[at].Images = images
		}
	}
	return n, nil
}

// imagesOf looks at a bundle as a kind of device has it. One that cannot be accepted there asks for nothing.
func (p *Planner) imagesOf(content func(protocol.Hash) ([]byte, error), k *kind) (compose.Summary, error) {
	bundle := make(map[string][]byte, len(k.files))
	for _, f := range k.files {
		b, err := content(f.Hash)
		if err != nil {
			return compose.Summary{}, fmt.Errorf("read file %q: %w", f.Path, err)
		}
		bundle[f.Path] = b
	}
	sum, err := p.cfg.Validate(bundle, k.env)
	if err != nil {
		p.cfg.Log.Debug("a bundle would not be accepted on some devices", "error", err)
		return compose.Summary{}, nil
	}
	return sum, nil
}
