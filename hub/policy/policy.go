// Package policy says what stacks and live calls may ask of the engines of a group's devices: what groups forbid, what
// follows for the groups below them, and whether what is asked for is allowed.
//
// What a group forbids is forbidden in every group below it as well: a policy can be made stricter further down, never
// looser. Who is exempt is not decided here (access.PolicyExempt).
//
// A Book is safe for concurrent use. Asking takes no lock and touches no disk.
package policy

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/distribution/reference"

	"github.com/farshore/farshore/stacks"
)

// Errors that callers tell apart.
var (
	// ErrRefused: a policy forbids it. The sentence names the rule and the group.
	ErrRefused = errors.New("the policy does not allow it")
	ErrInvalid = errors.New("not valid")
)

// Bounds of one policy.
const (
	maxImages = 200
	maxImage  = 512
	maxNote   = 1024
)

// Policy is what one group forbids, in addition to the groups above it. The zero value forbids nothing.
type Policy struct {
	// Group is a path; "" is the root.
	Group string `cbor:"1,keyasint,omitempty" json:"group"`
	// Forbid are the rules whose things may not be asked for, sorted.
	Forbid []stacks.Rule `cbor:"2,keyasint,omitempty" json:"forbid"`
	// Images that may be used: references without tag in which * stands for any text within one part of the path, and
	// ** for any text, such as registry.example.com/plant/**. Empty: any.
	Images []string `cbor:"3,keyasint,omitempty" json:"images"`
	// Note says why, for people who run into it.
	Note string `cbor:"4,keyasint,omitempty" json:"note,omitempty"`
}

// Empty: it forbids nothing.
func (p Policy) Empty() bool { return len(p.Forbid) == 0 && len(p.Images) == 0 && p.Note == "" }

// Check says what is wrong with a policy. Errors wrap ErrInvalid.
func (p Policy) Check() error {
	for _, r := range p.Forbid {
		if !slices.Contains(stacks.Rules(), r) {
			return fmt.Errorf("policy of /%s: rule %.40q: %w: want one of %v", p.Group, string(r), ErrInvalid, stacks.Rules())
		}
	}
	if len(p.Images) > maxImages || len(p.Note) > maxNote {
		return fmt.Errorf("policy of /%s: %w: at most %d images and a note of %d bytes", p.Group, ErrInvalid, maxImages, maxNote)
	}
	for _, image := range p.Images {
		if image == "" || len(image) > maxImage || strings.ContainsAny(image, " \t\n\\[]?") || strings.Count(image, "**") > 2 {
			return fmt.Errorf("policy of /%s: image %.80q: %w: want a reference without tag, with * or ** for what may vary, such as registry.example.com/plant/**",
				p.Group, image, ErrInvalid)
		}
	}
	return nil
}

// allows reports whether the policy lets an image be used. Names are compared in full, docker.io and library included.
func (p Policy) allows(image string) bool {
	if len(p.Images) == 0 {
		return true
	}
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(p.Images, func(pattern string) bool { return matches(full(pattern), named.Name()) })
}

// full writes out what a pattern leaves out, as an engine does for an image's name.
func full(pattern string) string {
	first, _, more := strings.Cut(pattern, "/")
	switch {
	case strings.HasPrefix(pattern, "**"), more && (strings.ContainsAny(first, ".:*") || first == "localhost"):
		return pattern
	case more:
		return "docker.io/" + pattern
	}
	return "docker.io/library/" + pattern
}

// matches compares part by part; "**" takes any number of them.
func matches(pattern, name string) bool {
	return matchParts(strings.Split(pattern, "/"), strings.Split(name, "/"))
}

func matchParts(pattern, name []string) bool {
	if len(pattern) == 0 {
		return len(name) == 0
	}
	if pattern[0] == "**" {
		return matchParts(pattern[1:], name) || len(name) > 0 && matchParts(pattern, name[1:])
	}
	if len(name) == 0 {
		return false
	}
	ok, err := path.Match(pattern[0], name[0])
	return err == nil && ok && matchParts(pattern[1:], name[1:])
}

// Store keeps policies. Each method is one transaction.
type Store interface {
	LoadPolicies() ([]Policy, error)
	PutPolicy(Policy) error
	RemovePolicy(group string) error
}

// Book knows the policies of all groups. Create it with New.
type Book struct {
	store Store
	write sync.Mutex // held while a change is made
	now   atomic.Pointer[map[string]Policy]
}

// New loads what is stored. It starts nothing.
func New(store Store) (*Book, error) {
	all, err := store.LoadPolicies()
	if err != nil {
		return nil, fmt.Errorf("load policies: %w", err)
	}
	b := &Book{store: store}
	m := map[string]Policy{}
	for _, p := range all {
		m[p.Group] = p
	}
	b.now.Store(&m)
	return b, nil
}

// Of gives what the group itself forbids.
func (b *Book) Of(group string) Policy {
	p := (*b.now.Load())[group]
	p.Group = group
	return p
}

// Holding gives the policies that hold in a group, the root's first: those of the group and of all above it that
// forbid something.
func (b *Book) Holding(group string) []Policy {
	m := *b.now.Load()
	var out []Policy
	for _, g := range chain(group) {
		if p, ok := m[g]; ok && !p.Empty() {
			out = append(out, p)
		}
	}
	return out
}

// All gives all policies by group.
func (b *Book) All() []Policy {
	m := *b.now.Load()
	var out []Policy
	for _, g := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[g])
	}
	return out
}

// Put makes p the policy of its group; an empty one removes it. expect looks at the policy as it is before anything is
// changed, and may end it. Errors wrap ErrInvalid, or are those of expect.
func (b *Book) Put(p Policy, expect func(Policy) error) error {
	p.Forbid, p.Images = slices.Clone(p.Forbid), slices.Clone(p.Images)
	slices.Sort(p.Forbid)
	p.Forbid = slices.Compact(p.Forbid)
	if err := p.Check(); err != nil {
		return err
	}
	b.write.Lock()
	defer b.write.Unlock()
	if expect != nil {
		if err := expect(b.Of(p.Group)); err != nil {
			return err
		}
	}
	m := maps.Clone(*b.now.Load())
	var err error
	if p.Empty() {
		delete(m, p.Group)
		err = b.store.RemovePolicy(p.Group)
	} else {
		m[p.Group] = p
		err = b.store.PutPolicy(p)
	}
	if err != nil {
		return fmt.Errorf("save the policy of /%s: %w", p.Group, err)
	}
	b.now.Store(&m)
	return nil
}

// Allows says whether all of it may be asked for on devices of a group. The error wraps ErrRefused and names the first
// thing that may not be, the rule, and the group whose rule it is.
func (b *Book) Allows(group string, asks []stacks.Asks) error {
	for _, p := range b.Holding(group) {
		for _, a := range asks {
			if err := p.refuses(a); err != nil {
				return err
			}
		}
	}
	return nil
}

// Loosens gives the first policy that holds in one group and forbids something that none does in another.
func (b *Book) Loosens(from, to string) (Policy, bool) {
	there := b.Holding(to)
	for _, p := range b.Holding(from) {
		held := func(is func(Policy) bool) bool { return slices.ContainsFunc(there, is) }
		for _, r := range p.Forbid {
			if !held(func(t Policy) bool { return slices.Contains(t.Forbid, r) }) {
				return p, true
			}
		}
		if len(p.Images) > 0 && !held(func(t Policy) bool { return slices.Equal(t.Images, p.Images) }) {
			return p, true
		}
	}
	return Policy{}, false
}

func (p Policy) refuses(a stacks.Asks) error {
	note := ""
	if p.Note != "" {
		note = " (" + p.Note + ")"
	}
	for _, w := range a.Wants {
		if w.Rule == stacks.RuleVariables && len(p.Forbid)+len(p.Images) > 0 {
			return fmt.Errorf("%s holds a variable, and the bundle uses what differs from device to device, so that nobody can say what it asks for: %w: policy of group /%s%s: write the value there, or ask who administers these devices",
				a.Service, ErrRefused, p.Group, note)
		}
		if slices.Contains(p.Forbid, w.Rule) {
			what := ""
			if w.What != "" {
				what = " " + w.What
			}
			return fmt.Errorf("%s asks for %s%s: %w: rule %s of group /%s%s: leave it out, or ask who administers these devices",
				a.Service, w.Rule, what, ErrRefused, w.Rule, p.Group, note)
		}
	}
	if a.Image != "" && !p.allows(a.Image) {
		return fmt.Errorf("%s uses image %.200q: %w: rule images of group /%s allows %s%s: use one of these, or ask who administers these devices",
			a.Service, a.Image, ErrRefused, p.Group, strings.Join(p.Images, ", "), note)
	}
	return nil
}

// chain gives the groups from the root down to group.
func chain(group string) []string {
	out := []string{""}
	if group == "" {
		return out
	}
	for i, c := range group {
		if c == '/' {
			out = append(out, group[:i])
		}
	}
	return append(out, group)
}
