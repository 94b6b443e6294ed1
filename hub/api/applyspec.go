package api

import (
	"fmt"
	"slices"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/edgegroups"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/stacks/rollout"
)

// What a request to apply a stack says, as the planner is told it.

func (s *server) applySpec(c *call, name string, b *resource.Apply) (planner.ApplySpec, error) {
	if err := unmasked(b); err != nil {
		return planner.ApplySpec{}, err
	}
	spec := planner.ApplySpec{
		Name: name, Selector: b.Selector, Files: b.Files, Env: b.Env, RemoveVolumes: b.RemoveVolumes, Change: b.Change,
		During: planner.During(b.During), Begin: b.Begin, Author: c.by(), Message: b.Message, Sees: s.seesDevice(c.eyes()),
	}
	if err := s.home(c, name, b, &spec); err != nil {
		return spec, err
	}
	if b.KeepEnv != nil {
		spec.Keep = planner.KeptEnv(*b.KeepEnv)
	}
	if b.Plan != nil {
		spec.Manner = new(mannerOf(b.Plan))
	}
	var err error
	if spec.Include, err = s.edgeGroupIDs(c, name, "body.include", b.Include); err != nil {
		return spec, err
	}
	if spec.Exclude, err = s.edgeGroupIDs(c, name, "body.exclude", b.Exclude); err != nil {
		return spec, err
	}
	return spec, s.content(&spec, b)
}

// content reads what a version is made of, and takes from the latest one what is not said.
func (s *server) content(spec *planner.ApplySpec, b *resource.Apply) error {
	var latest *stacks.Version
	if o, err := s.Stacks.Get(spec.Name); err == nil {
		latest = &o.Current
	}
	if b.Files == nil {
		return s.sameContent(spec, b, latest)
	}
	spec.Pull = protocol.PullMissing
	if b.Pull != "" {
		var err error
		if spec.Pull, err = parsePull(b.Pull); err != nil {
			return err
		}
	}
	spec.Health = b.Health
	switch {
	case b.Secret != nil:
		spec.Secret = *b.Secret
	case latest != nil:
		spec.Secret = slices.DeleteFunc(slices.Clone(latest.Secret), func(name string) bool { _, anew := b.Env[name]; return !anew })
	}
	return nil
}

// sameContent has the latest version stay as it is.
func (s *server) sameContent(spec *planner.ApplySpec, b *resource.Apply, latest *stacks.Version) error {
	switch {
	case latest == nil:
		return invalid("body.files", "there is no stack %q yet: give its files", spec.Name)
	case len(b.Env) > 0 || b.KeepEnv != nil || b.Secret != nil || b.Pull != "" || b.Health != nil:
		return invalid("body.files", "variables, pull policy and health are of a version: give the files with them")
	}
	files, err := s.Stacks.Bundle(spec.Name, latest.Number)
	if err != nil {
		return err
	}
	spec.Files, spec.Pull, spec.Exempt = files, latest.Pull, spec.Exempt && latest.Exempt
	spec.Keep = planner.KeptEnv{Version: latest.Number, Names: latest.EnvNames()}
	before := spec.Expect
	spec.Expect = func(now *stacks.Stack) error {
		if now == nil || now.Latest != latest.Number {
			return fmt.Errorf("stack %q %w: it has another version: look at it again", spec.Name, errChanged)
		}
		return before(now)
	}
	return nil
}

func parsePull(word string) (protocol.PullPolicy, error) {
	for p, w := range pullWords {
		if w == word {
			return protocol.PullPolicy(p), nil
		}
	}
	return 0, invalid("body.pull", "pull policy %.40q: want missing, always or never", word)
}

func mannerOf(p *resource.RolloutPlan) planner.Manner {
	m := planner.Manner{Plan: p.Plan}
	if p.Order != nil {
		m.Plan.ByOrder = true
		m.Order = planner.Order{Label: p.Order.Label, Values: p.Order.Values}
	}
	return m
}

func planOut(p rollout.Plan, o planner.Order) resource.RolloutPlan {
	out := resource.RolloutPlan{Plan: p}
	if !o.IsZero() {
		out.Order = &resource.RolloutOrder{Label: o.Label, Values: o.Values}
	}
	return out
}

// manner is how a stack is rolled out; the zero one where there is no stack.
func (s *server) manner(rec *stacks.Stack) planner.Manner {
	if rec == nil {
		return planner.Manner{}
	}
	o, err := s.Stacks.Get(rec.Name)
	if err != nil {
		return planner.Manner{}
	}
	return o.Manner
}

// edgeGroupIDs reads names of edge groups. Those that the stack has, and that the caller does not see, stay. Nil: nothing
// was said.
func (s *server) edgeGroupIDs(c *call, stack, field string, names *[]string) (*[]uint64, error) {
	if names == nil {
		return nil, nil
	}
	ids := []uint64{}
	for _, name := range *names {
		g, ok := s.EdgeGroups.Named(name)
		if !ok || !c.eyes().edgeGroup(&g) {
			return nil, inField(field, fmt.Errorf("%w: `edge-groups` lists those that there are", edgegroups.NotFound(name)))
		}
		ids = append(ids, g.ID)
	}
	if rec, ok := s.Stacks.Named(stack); ok {
		has := rec.Include
		if field == "body.exclude" {
			has = rec.Exclude
		}
		seen := s.edgeGroupsByID(c, has)
		for _, id := range has {
			if !slices.ContainsFunc(seen, func(g edgegroups.Group) bool { return g.ID == id }) {
				ids = append(ids, id)
			}
		}
	}
	return &ids, nil
}

// edgeGroupsByID are those of some edge groups that the caller sees, by name.
func (s *server) edgeGroupsByID(c *call, ids []uint64) (out []edgegroups.Group) {
	if len(ids) == 0 {
		return nil
	}
	for _, g := range s.EdgeGroups.List() {
		if slices.Contains(ids, g.ID) && c.eyes().edgeGroup(&g) {
			out = append(out, g)
		}
	}
	return out
}

// nameEdgeGroups names the edge groups of a stack.
func (s *server) nameEdgeGroups(c *call, rec *stacks.Stack, out *resource.Stack) {
	names := func(ids []uint64) []string {
		names := []string{}
		for _, g := range s.edgeGroupsByID(c, ids) {
			names = append(names, g.Name)
		}
		out.Unseen += len(ids) - len(names)
		return names
	}
	out.Include, out.Exclude = names(rec.Include), names(rec.Exclude)
}

// mayAbroad reports whether registries that are not in the hub's book may be asked for the caller about a stack: who
// can have the hub reach any repository for it anyway, and see what it keeps secret.
func (s *server) mayAbroad(c *call, on access.Resource) bool {
	return s.Accounts.Authorize(c.who, access.StacksSource, on) == nil && s.Accounts.Authorize(c.who, access.SecretsRead, on) == nil
}

// mayApply asks for the right to apply the stack that a call is about.
func (s *server) mayApply(c *call) error {
	return s.Accounts.Authorize(c.who, access.StacksApply, c.on)
}
