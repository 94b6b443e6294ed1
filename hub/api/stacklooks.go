package api

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/compose"
	"github.com/farshore/farshore/stacks/planner"
)

// What of a stack can be looked at beside its versions: their differences, what one device is given, and its groups.

type diffInput struct {
	StackRef
	Version uint64 `path:"version" doc:"Number"`
	Other   uint64 `path:"other" doc:"Number of the version to compare it with"`
}

type deviceBundleInput struct {
	StackRef
	Device  string `path:"device" doc:"Id, name, or the beginning of either"`
	Version uint64 `query:"version" doc:"Number; absent: the one that the device shall have"`
}

func (s *server) stackLookRoutes(tag string) {
	add(s, route[diffInput, reply[resource.VersionDiff]]{
		Method: http.MethodGet, Path: "/stacks/{stack}/versions/{version}/diff/{other}", ID: "diff-versions", Tag: tag, Summary: "See what differs between two versions",
		Description: "Files are compared line by line. Who may not see secrets gets environment, credentials and the like masked.",
		Does:        access.StacksRead, On: func(c *call, in *diffInput) (access.Resource, error) { return s.onStack(c, &in.StackRef) },
		Run: s.diffVersions,
	})
	add(s, route[deviceBundleInput, reply[resource.DeviceBundle]]{
		Method: http.MethodGet, Path: "/stacks/{stack}/devices/{device}/bundle", ID: "device-bundle", Tag: tag, Summary: "See what one device is given of a stack, file by file",
		Does: access.StacksRead, On: func(c *call, in *deviceBundleInput) (access.Resource, error) { return s.onStack(c, &in.StackRef) },
		Run: s.deviceBundle,
	})
	add(s, route[StackRef, reply[resource.List[resource.StackGroup]]]{
		Method: http.MethodGet, Path: "/stacks/{stack}/groups", ID: "stack-groups", Tag: tag, Summary: "See where a stack stands in each group of devices",
		Does: access.StacksRead, On: s.onStack,
		Run: func(_ context.Context, c *call, in *StackRef) (*reply[resource.List[resource.StackGroup]], error) {
			return s.stackGroups(c, in.Stack)
		},
	})
}

func (s *server) diffVersions(_ context.Context, c *call, in *diffInput) (*reply[resource.VersionDiff], error) {
	versions, err := s.Stacks.Versions(in.Stack)
	if err != nil {
		return nil, err
	}
	var sides [2]*stacks.Version
	var files [2]map[string][]byte
	for i, number := range []uint64{in.Version, in.Other} {
		at := slices.IndexFunc(versions, func(v stacks.Version) bool { return v.Number == number })
		if at < 0 {
			return nil, fmt.Errorf("%w: version %d of %q is not kept; the latest is %d", stacks.ErrNotFound, number, in.Stack, versions[0].Number)
		}
		sides[i] = &versions[at]
		if files[i], err = s.Stacks.Bundle(in.Stack, number); err != nil {
			return nil, err
		}
	}
	from, to := sides[0], sides[1]
	out := resource.VersionDiff{From: from.Number, To: to.Number, Env: envDiff(from, to), Options: optionDiff(from, to)}
	secret := false
	for _, of := range files {
		_, masked := compose.Mask(of)
		secret = secret || masked
	}
	if c.maySeeSecrets(c.on) {
		if secret {
			if err := s.recordSecrets(c, c.on, "files of two versions, compared"); err != nil {
				return nil, err
			}
		}
		out.Files = stacks.Diff(files[0], files[1])
	} else {
		out.Files, out.Masked = compose.MaskedDiff(files[0], files[1]), secret
	}
	out.Files = append([]stacks.FileDiff{}, out.Files...)
	out.Same = len(out.Files)+len(out.Env)+len(out.Options) == 0
	return replyWith(out), nil
}

// envDiff names the variables that differ, and says nothing of their values.
func envDiff(from, to *stacks.Version) []resource.NameDiff {
	out := []resource.NameDiff{}
	both := maps.Clone(from.Env)
	if both == nil {
		both = map[string]string{}
	}
	maps.Copy(both, to.Env)
	for _, name := range slices.Sorted(maps.Keys(both)) {
		was, had := from.Env[name]
		is, has := to.Env[name]
		d := resource.NameDiff{Name: name, Change: stacks.FileChanged}
		switch {
		case !had:
			d.Change = stacks.FileAdded
		case !has:
			d.Change = stacks.FileRemoved
		case was == is:
			continue
		}
		out = append(out, d)
	}
	return out
}

func optionDiff(from, to *stacks.Version) []resource.OptionDiff {
	out := []resource.OptionDiff{}
	add := func(name string, was, is any) {
		if a, b := fmt.Sprint(was), fmt.Sprint(is); a != b {
			out = append(out, resource.OptionDiff{Name: name, From: a, To: b})
		}
	}
	add("pull", version(*from).Pull, version(*to).Pull)
	add("secret", strings.Join(from.Secret, ", "), strings.Join(to.Secret, ", "))
	add("watch_seconds", from.Health.Watch, to.Health.Watch)
	add("retries", cmp.Or(from.Health.Retries, protocol.DefaultRetries), cmp.Or(to.Health.Retries, protocol.DefaultRetries))
	add("stay", from.Health.Stay, to.Health.Stay)
	return out
}

func (s *server) deviceBundle(_ context.Context, c *call, in *deviceBundleInput) (*reply[resource.DeviceBundle], error) {
	rec, ok := s.Stacks.Named(in.Stack)
	if !ok {
		return nil, noStack(in.Stack)
	}
	d, err := s.Devices.Find(in.Device, c.eyes().device)
	if err != nil {
		return nil, err
	}
	on := ownedOn(&d, rec.Owner)
	if !c.eyes().stackOn(&d, rec.Owner) {
		return nil, fmt.Errorf("stack %q on device %.80q: %w", in.Stack, in.Device, errNotFound)
	}
	b, err := s.Stacks.DeviceBundle(in.Stack, in.Version, d.ID)
	if err != nil {
		return nil, err
	}
	out := resource.DeviceBundle{
		Version: b.Version, Files: b.Files, Env: b.Env, Secret: append([]string{}, b.Secret...), Code: b.Code, Why: b.Why,
		Meant: slices.ContainsFunc(s.Stacks.DeviceStacks(d.ID), func(st planner.DeviceStatus) bool { return st.Stack == rec.ID && st.Version != 0 }),
	}
	if out.Env == nil {
		out.Env = map[string]string{}
	}
	shown, secret := compose.Mask(b.Files)
	env := maps.Clone(out.Env)
	for name := range env {
		if !strings.HasPrefix(name, stacks.ReservedEnv) { // those say what the device is
			env[name], secret = compose.Masked, true
		}
	}
	switch {
	case !secret:
	case !c.maySeeSecrets(c.on) || !c.maySeeSecrets(on):
		out.Files, out.Env, out.Masked = shown, env, true
	default:
		if err := s.recordSecrets(c, on, fmt.Sprintf("files and variables of stack %s, as the device is given them", rec.Name)); err != nil {
			return nil, err
		}
	}
	return replyWith(out), nil
}

// stackGroups are the groups of a stack's devices, as far as the caller sees them, by path.
func (s *server) stackGroups(c *call, name string) (*reply[resource.List[resource.StackGroup]], error) {
	counts, err := s.Stacks.GroupCounts(name)
	if err != nil {
		return nil, err
	}
	if !c.eyes().allDevices {
		if counts, err = s.seenGroups(c, name); err != nil {
			return nil, err
		}
	}
	out := []resource.StackGroup{}
	for _, group := range slices.Sorted(maps.Keys(counts)) {
		g := resource.StackGroup{Group: group, States: map[string]int{}}
		for state, n := range counts[group] {
			g.Devices += n
			g.States[state.String()] = n
		}
		if g.Devices > 0 {
			out = append(out, g)
		}
	}
	return replyWith(resource.List[resource.StackGroup]{Items: out}), nil
}

// seenGroups counts the devices of a stack that the caller sees.
func (s *server) seenGroups(c *call, name string) (map[string]map[protocol.StackState]int, error) {
	all, err := s.statuses(c, name)
	if err != nil {
		return nil, err
	}
	counts := map[string]map[protocol.StackState]int{}
	for _, st := range all {
		d, _ := s.Devices.Device(st.Device)
		if counts[d.Group] == nil {
			counts[d.Group] = map[protocol.StackState]int{}
		}
		counts[d.Group][st.State]++
	}
	return counts, nil
}
