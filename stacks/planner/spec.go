package planner

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/compose"
)

// ApplySpec is what an operator wants a stack to be.
type ApplySpec struct {
	// Name of the stack. One that does not exist is created; one that is being removed is taken back.
	Name string
	// Selector of the devices. Nil: as it is, and all devices for a stack that is new.
	Selector *string
	// Group is the stack's home, and Owner whose it is. Nil: as they are, and the root and administrators' for a stack
	// that is new.
	Group *string
	Owner *protocol.Owner
	// Include and Exclude are ids of edge groups; see stacks.Reach. Nil: as they are, and none for a stack that is new.
	Include, Exclude *[]uint64
	// Change says when devices may be changed. Nil: as it is, and at any time for a stack that is new.
	Change *stacks.ChangeRule
	// Manner is how this and later versions are rolled out. Nil: as before, and to all at once for a stack that is new.
	Manner *Manner
	// During says what becomes of the rollout while another is under way, and Begin when it begins; the zero time: at once.
	During During
	Begin  time.Time
	// Exempt: policies do not bind the author there.
	Exempt bool
	// Abroad: for the author any registry on the internet may be asked what images weigh. The planner asks none.
	Abroad bool
	// Files of the bundle by path, all of them.
	Files map[string][]byte
	// Env are the variables for Compose, all of them but those that are kept.
	Env map[string]string
	// Secret are names of variables whose values are sealed on their way and on the device. Those that are kept stay
	// secret.
	Secret []string
	// Keep names variables that have the value of an earlier version. What Env gives counts more.
	Keep KeptEnv
	// Pull is when images are asked of a registry.
	Pull protocol.PullPolicy
	// Health says when the version counts as good on a device. Nil: as with the version before it.
	Health *stacks.Health
	// Source says where it comes from, such as a commit. "": from Author.
	Source string
	// RemoveVolumes: named volumes go when the stack is removed. Nil: as it is, and no for a stack that is new.
	RemoveVolumes *bool
	// Author and Message are who makes the version, and why.
	Author, Message string
	// Sees reports whether the author may be told of a device. Nil: of all.
	Sees func(protocol.DeviceID) bool
	// Expect looks at the stack as it is, nil where there is none; what it returns ends Apply before anything is changed.
	// Nil: anything will do.
	Expect func(*stacks.Stack) error
}

// KeptEnv names variables of a version of the same stack.
type KeptEnv struct {
	Version uint64
	Names   []string
}

// MaxMessage is the most bytes of ApplySpec.Message.
const MaxMessage = 1 << 10

// prepare checks what can be checked without locks, makes a version without numbers of it, and says what it asks for.
func (p *Planner) prepare(spec ApplySpec) (*stacks.Version, compose.Summary, error) {
	var none compose.Summary
	if err := stacks.CheckName(spec.Name); err != nil {
		return nil, none, err
	}
	files, err := stacks.BundleFiles(spec.Files)
	if err != nil {
		return nil, none, err
	}
	given, err := p.given(spec)
	if err != nil {
		return nil, none, err
	}
	if err := stacks.CheckEnv(given); err != nil {
		return nil, none, err
	}
	if spec.Pull > protocol.PullNever {
		return nil, none, fmt.Errorf("%w: pull policy %d is not known: use missing, always or never", stacks.ErrInvalid, spec.Pull)
	}
	if len(spec.Message) > MaxMessage {
		return nil, none, fmt.Errorf("%w: the message has %d bytes, at most %d", stacks.ErrInvalid, len(spec.Message), MaxMessage)
	}
	reach := p.reach(spec)
	if err := p.cfg.Fleet.Check(reach.Selector); err != nil {
		return nil, none, fmt.Errorf("%w: %w", stacks.ErrInvalid, err)
	}
	if err := spec.checkMore(given); err != nil {
		return nil, none, err
	}
	v := &stacks.Version{
		Files: files, Env: given, Secret: p.secrets(spec, given), Pull: spec.Pull, Health: p.health(spec), Source: spec.Source,
		Mentions: stacks.Mentions(spec.Files), Author: spec.Author, Message: spec.Message, Created: time.Now().Unix(), Exempt: spec.Exempt,
	}
	asks, err := p.examine(spec, v, reach)
	if err != nil {
		return nil, none, err
	}
	return v, asks, p.seal(v)
}

// examine looks at a version as each kind of device would have it, notes what it asks for, and says what the bundle asks
// for where no overlays count.
func (p *Planner) examine(spec ApplySpec, v *stacks.Version, reach stacks.Reach) (compose.Summary, error) {
	scopes, err := stacks.Scopes(slices.Collect(maps.Keys(spec.Files)))
	if err != nil {
		return compose.Summary{}, err
	}
	env := p.sample(reach, v)
	var first compose.Summary
	for i, scope := range scopes {
		dev, target := scope.Target()
		files := stacks.FilesOf(v.Files, dev, target)
		bundle := make(map[string][]byte, len(files))
		for _, f := range files {
			bundle[f.Path] = spec.content(v, f.Hash)
		}
		sum, err := p.cfg.Validate(bundle, env)
		switch {
		case err != nil && i > 0:
			return first, fmt.Errorf("%w: with %s: %w", stacks.ErrInvalid, scope, err)
		case err != nil:
			return first, fmt.Errorf("%w: %w", stacks.ErrInvalid, err)
		case i == 0:
			first = sum
		}
		bind(v, sum)
		entry := (&stacks.Stack{Name: spec.Name}).Entry(v, files, env)
		if err := stacks.CheckEntry(&entry); err != nil {
			return first, err
		}
	}
	return first, nil
}

// content is that of the file with the hash.
func (spec *ApplySpec) content(v *stacks.Version, hash protocol.Hash) []byte {
	i := slices.IndexFunc(v.Files, func(f protocol.File) bool { return f.Hash == hash })
	return spec.Files[v.Files[i].Path]
}

// secrets are the names of secret variables, sorted: those that are called so, and those that are kept and were.
func (p *Planner) secrets(spec ApplySpec, given map[string]string) []string {
	out := slices.Clone(spec.Secret)
	if len(spec.Keep.Names) > 0 {
		p.mu.RLock()
		if s := p.byName[spec.Name]; s != nil {
			if from := s.version(spec.Keep.Version); from != nil {
				for _, name := range from.Secret {
					if _, anew := spec.Env[name]; !anew && slices.Contains(spec.Keep.Names, name) {
						out = append(out, name)
					}
				}
			}
		}
		p.mu.RUnlock()
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// health is that of the spec, or of the latest version.
func (p *Planner) health(spec ApplySpec) stacks.Health {
	if spec.Health != nil {
		return *spec.Health
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if s := p.byName[spec.Name]; s != nil {
		return s.latest().Health
	}
	return stacks.Health{}
}

// checkMore checks what is new in a spec beside its bundle.
func (spec *ApplySpec) checkMore(given map[string]string) error {
	for _, name := range spec.Secret {
		if _, ok := given[name]; !ok {
			return fmt.Errorf("%w: variable %.128q is called secret and is not given: give its value, or keep it", stacks.ErrInvalid, name)
		}
	}
	if spec.Change != nil {
		if err := stacks.CheckWindows(spec.Change.Windows); err != nil {
			return fmt.Errorf("%w: %w", stacks.ErrInvalid, err)
		}
	}
	if spec.Manner != nil {
		if err := spec.Manner.check(); err != nil {
			return err
		}
	}
	if h := spec.Health; h != nil && (h.Retries > protocol.MaxRetries || h.Watch > maxWatch) {
		return fmt.Errorf("%w: a version is tried again at most %d times, and watched for at most a day", stacks.ErrInvalid, protocol.MaxRetries)
	}
	return nil
}

const maxWatch = 24 * 3600 // seconds

// given are the variables of the spec with those that it keeps.
func (p *Planner) given(spec ApplySpec) (map[string]string, error) {
	if len(spec.Keep.Names) == 0 {
		return maps.Clone(spec.Env), nil
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	var from *stacks.Version
	if s := p.byName[spec.Name]; s != nil {
		if i := slices.IndexFunc(s.versions, func(v *stacks.Version) bool { return v.Number == spec.Keep.Version }); i >= 0 {
			from = s.versions[i]
		}
	}
	if from == nil {
		return nil, fmt.Errorf("%w: variables cannot be kept: there is no version %d of stack %q: give their values",
			stacks.ErrInvalid, spec.Keep.Version, spec.Name)
	}
	out := map[string]string{}
	for _, name := range spec.Keep.Names {
		value, ok := from.Env[name]
		if _, anew := spec.Env[name]; !ok && !anew {
			return nil, fmt.Errorf("%w: variable %.128q cannot be kept: version %d of stack %q has none of that name: give its value",
				stacks.ErrInvalid, name, from.Number, spec.Name)
		}
		out[name] = value
	}
	maps.Copy(out, spec.Env)
	return out, nil
}

// reach is the one that the stack will have.
func (p *Planner) reach(spec ApplySpec) stacks.Reach {
	p.mu.RLock()
	defer p.mu.RUnlock()
	var rec stacks.Stack
	if s := p.byName[spec.Name]; s != nil {
		rec = s.rec
	}
	spec.put(&rec)
	return rec.Reach()
}

// put makes a stack's record what the spec says of it.
func (spec *ApplySpec) put(rec *stacks.Stack) {
	set(&rec.Selector, spec.Selector)
	set(&rec.Group, spec.Group)
	set(&rec.Owner, spec.Owner)
	set(&rec.RemoveVolumes, spec.RemoveVolumes)
	setGroups(&rec.Include, spec.Include)
	setGroups(&rec.Exclude, spec.Exclude)
	set(&rec.Change, spec.Change)
	if len(rec.Change.Windows) == 0 {
		rec.Change.Windows = nil
	}
}

// setGroups puts ids of edge groups in order, so that what says the same is the same.
func setGroups(to *[]uint64, from *[]uint64) {
	if from != nil {
		*to = slices.Compact(slices.Sorted(slices.Values(*from)))
	}
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// sample are variables as some device has them, so that a bundle can be validated. What the device lacks is "1",
// which can stand for a name as well as for a number.
func (p *Planner) sample(reach stacks.Reach, v *stacks.Version) map[string]string {
	env := map[string]string{}
	for _, m := range v.Mentions {
		env[m] = "1"
	}
	maps.Copy(env, v.Env)
	if list, err := p.cfg.Fleet.Matching(reach); err == nil && len(list) > 0 {
		if target, ok := p.cfg.Fleet.Target(list[0]); ok {
			maps.Copy(env, stacks.DeviceEnv(list[0], target, v.Mentions))
			for name, x := range p.cfg.Variables(list[0], target.Group) {
				if !x.Secret { // what is wrong with a bundle is said to who may not know it
					env[name] = x.Text
				}
			}
		}
	}
	return env
}

// sealPurpose keeps sealed variables from being taken for something else.
const sealPurpose = "stack variables"

func (p *Planner) seal(v *stacks.Version) error {
	if len(v.Env) == 0 {
		return nil
	}
	b, err := protocol.Marshal(v.Env)
	if err != nil {
		return fmt.Errorf("encode variables: %w", err)
	}
	v.SealedEnv = p.cfg.Vault.Seal(sealPurpose, b)
	return nil
}

func (p *Planner) unseal(v *stacks.Version) error {
	if len(v.SealedEnv) == 0 {
		return nil
	}
	b, err := p.cfg.Vault.Open(sealPurpose, v.SealedEnv)
	if err != nil {
		return fmt.Errorf("open the variables of version %d: %w", v.Number, err)
	}
	return protocol.Unmarshal(b, &v.Env)
}
