package planner

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/compose"
)

// Fate is what becomes of a part of a stack, or of the stack on a device.
type Fate string

// Fates. Services and files are changed, devices are updated.
const (
	Added   Fate = "added"
	Changed Fate = "changed"
	Updated Fate = "updated"
	Removed Fate = "removed"
	Same    Fate = "same"
)

// Preview is what Apply would change.
type Preview struct {
	// Now is the latest version that there is. 0: there is no such stack.
	Now uint64
	// Changes: anything would be another than it is.
	Changes bool
	// Services by name, and Files by path.
	Services []ServiceFate
	Files    []FileFate
	// Images are references that the latest version does not use, sorted.
	Images []string
	// Devices that have the stack or are to have it, by what becomes of it there.
	Devices map[Fate][]protocol.DeviceID
	// Rollout that would bring it to them.
	Rollout PreviewRollout
	// Warnings are sentences about what works and is perhaps not meant.
	Warnings []string
}

// ServiceFate is what becomes of a service.
type ServiceFate struct {
	Name string
	Fate Fate
	// Image as it will be, or was where the service goes; Was is the former one where that is another.
	Image, Was string
}

// FileFate is what becomes of a file.
type FileFate struct {
	Path string
	Fate Fate
}

// Preview says what Apply would change, and changes nothing. Errors are those of Apply; spec.Expect is not asked.
func (p *Planner) Preview(spec ApplySpec) (Preview, error) {
	v, asks, err := p.prepare(spec)
	if err != nil {
		return Preview{}, err
	}
	out, before, c, err := p.compare(spec, v)
	if err != nil {
		return Preview{}, err
	}
	out.Warnings = append(out.Warnings, asks.Warnings...)
	was := asks
	switch {
	case before == nil:
		was = compose.Summary{}
	case c.Version != nil:
		if was, err = p.askedBy(before, c.Stack); err != nil {
			return Preview{}, err
		}
	}
	out.Services, out.Images = serviceFates(was, asks)
	hide(&out, secretsOf(spec, v, before))
	out.Files = fileFates(before, v)
	return out, nil
}

// secretsOf are the values of variables that whoever asks did not give: kept ones, and those of the version before.
func secretsOf(spec ApplySpec, v, before *stacks.Version) map[string]string {
	out := map[string]string{}
	add := func(name, value string) {
		if spec.Env[name] != value && len(value) > 1 {
			out[value] = name
		}
	}
	for _, name := range spec.Keep.Names {
		add(name, v.Env[name])
	}
	if before != nil {
		for name, value := range before.Env {
			add(name, value)
		}
	}
	return out
}

// hiding puts the names of variables in the place of their values, the longest first.
func hiding(secrets map[string]string) func(text string) string {
	values := slices.SortedFunc(maps.Keys(secrets), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	return func(text string) string {
		for _, value := range values {
			text = strings.ReplaceAll(text, value, "${"+secrets[value]+"}")
		}
		return text
	}
}

// hide hides values of variables wherever a bundle may have put them.
func hide(p *Preview, secrets map[string]string) {
	hidden := hiding(secrets)
	for i := range p.Services {
		s := &p.Services[i]
		s.Image, s.Was = hidden(s.Image), hidden(s.Was)
	}
	for i := range p.Images {
		p.Images[i] = hidden(p.Images[i])
	}
	for i := range p.Warnings {
		p.Warnings[i] = hidden(p.Warnings[i])
	}
}

// compare works out the change and the devices that it reaches. The version is nil where there is no such stack.
func (p *Planner) compare(spec ApplySpec, v *stacks.Version) (Preview, *stacks.Version, Change, error) {
	p.change.Lock()
	defer p.change.Unlock()
	s, c := p.plan(spec, v)
	out := Preview{Changes: s == nil || c.Version != nil || !c.Stack.Equal(&s.rec)}
	after, err := p.matching(&c.Stack)
	if err == nil {
		err = p.judge(&c.Stack, v, after, spec.Sees)
	}
	if err == nil {
		out.Rollout, err = p.previewRollout(s, c, spec, after)
	}
	if err != nil {
		return out, nil, c, err
	}
	out.Changes = out.Changes || out.Rollout.Begins || spec.Manner != nil && !reflect.DeepEqual(s.manner, out.Rollout.Manner)
	var before *stacks.Version
	had := map[protocol.DeviceID]bool{}
	if s != nil {
		p.mu.RLock()
		for dev, a := range s.devices {
			if a.wanted {
				had[dev] = true
			}
		}
		p.mu.RUnlock()
		before, out.Now = s.latest(), s.rec.Latest
		if s.rec.Removed != 0 {
			out.Warnings = append(out.Warnings, "this stack is being removed: applying it takes it back")
		}
		if lost := missing(before.EnvNames(), v.EnvNames()); len(lost) > 0 {
			out.Warnings = append(out.Warnings, fmt.Sprintf("variables that version %d has are not given and go: %s", out.Now, strings.Join(lost, ", ")))
		}
	}
	both := Same
	if c.Version != nil {
		both = Updated
	}
	out.Devices = deviceFates(had, after, both)
	named := len(c.Stack.Include)+len(c.Stack.Exclude) > 0
	switch {
	case c.Stack.Reach().Everywhere():
		out.Warnings = append(out.Warnings, "there is no selector: all devices get this stack, also those that join later")
	case c.Stack.Selector == "" && !named:
		out.Warnings = append(out.Warnings, fmt.Sprintf("there is no selector: all devices of group /%s get this stack, also those that come there later", c.Stack.Group))
	case len(after) == 0 && named:
		out.Warnings = append(out.Warnings, "no device is meant now, with the edge groups and the selector that are given: those that come to fit get it")
	case len(after) == 0 && c.Stack.Group != "":
		out.Warnings = append(out.Warnings, fmt.Sprintf("no device of group /%s fits the selector %q now: those that come to fit get it", c.Stack.Group, c.Stack.Selector))
	case len(after) == 0:
		out.Warnings = append(out.Warnings, fmt.Sprintf("no device fits the selector %q now: those that come to fit get it", c.Stack.Selector))
	}
	return out, before, c, nil
}

// askedBy is what a version asks for on the devices that the stack will have. One that would not be accepted any more
// asks for nothing that could be compared.
func (p *Planner) askedBy(v *stacks.Version, rec stacks.Stack) (compose.Summary, error) {
	files, err := p.files(rec.Name, v)
	if err != nil {
		return compose.Summary{}, err
	}
	sum, err := p.cfg.Validate(files, p.sample(rec.Reach(), v))
	if err != nil {
		p.cfg.Log.Warn("version cannot be compared: it would not be accepted any more", "stack", rec.Name, "version", v.Number, "error", err)
		return compose.Summary{}, nil
	}
	return sum, nil
}

func deviceFates(had, shall map[protocol.DeviceID]bool, both Fate) map[Fate][]protocol.DeviceID {
	out := map[Fate][]protocol.DeviceID{}
	for dev := range shall {
		if had[dev] {
			out[both] = append(out[both], dev)
		} else {
			out[Added] = append(out[Added], dev)
		}
	}
	for dev := range had {
		if !shall[dev] {
			out[Removed] = append(out[Removed], dev)
		}
	}
	return out
}

func serviceFates(was, is compose.Summary) (out []ServiceFate, images []string) {
	old := map[string]compose.Service{}
	for _, s := range was.Services {
		old[s.Name] = s
	}
	for _, s := range is.Services {
		before, there := old[s.Name]
		f := ServiceFate{Name: s.Name, Fate: Same, Image: s.Image}
		switch {
		case !there:
			f.Fate = Added
		case before.Image != s.Image:
			f.Fate, f.Was = Changed, before.Image
		case before.Digest != s.Digest || before.Replicas != s.Replicas:
			f.Fate = Changed
		}
		delete(old, s.Name)
		out = append(out, f)
	}
	for _, s := range old {
		out = append(out, ServiceFate{Name: s.Name, Fate: Removed, Image: s.Image})
	}
	slices.SortFunc(out, func(a, b ServiceFate) int { return cmp.Compare(a.Name, b.Name) })
	return out, missing(is.Images(), was.Images())
}

func fileFates(was, is *stacks.Version) (out []FileFate) {
	old := map[string]protocol.Hash{}
	if was != nil {
		for _, f := range was.Files {
			old[f.Path] = f.Hash
		}
	}
	for _, f := range is.Files {
		before, there := old[f.Path]
		fate := Same
		switch {
		case !there:
			fate = Added
		case before != f.Hash:
			fate = Changed
		}
		delete(old, f.Path)
		out = append(out, FileFate{f.Path, fate})
	}
	for path := range old {
		out = append(out, FileFate{path, Removed})
	}
	slices.SortFunc(out, func(a, b FileFate) int { return cmp.Compare(a.Path, b.Path) })
	return out
}

// missing are those of a that are not in b.
func missing(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}
