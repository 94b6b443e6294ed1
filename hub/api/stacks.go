package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/gitsource"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
)

// StackRef is the part of a path that names a stack. It is exported because only exported fields are filled.
type StackRef struct {
	Stack string `path:"stack" doc:"Name" maxLength:"63"`
}

type applyInput struct {
	StackRef
	Expect
	Body resource.Apply
}

type listStacksInput struct {
	Owner string `query:"owner" doc:"Only stacks of this owner: mine, public, administrators, user:NAME or team:NAME"`
}

type bundleInput struct {
	StackRef
	Version uint64 `path:"version" doc:"Number; 0: the latest"`
}

type stackStatusInput struct {
	StackRef
	State []string `query:"state" doc:"Only devices in one of these states"`
}

// Bounds of a request that carries a bundle: base64 and JSON around protocol.MaxBundle, over a slow link.
const (
	maxApplyBody = protocol.MaxBundle/3*4 + 2<<20
	applyTimeout = 10 * time.Minute
)

var pullWords = [...]string{protocol.PullMissing: "missing", protocol.PullAlways: "always", protocol.PullNever: "never"}

func (s *server) stackRoutes() {
	const tag = "Stacks"
	add(s, route[listStacksInput, reply[resource.List[resource.Stack]]]{
		Method: http.MethodGet, Path: "/stacks", ID: "list-stacks", Tag: tag, Summary: "List stacks",
		Does: access.StacksRead, On: onAny[listStacksInput]("stack"), Run: s.listStacks,
	})
	add(s, route[StackRef, reply[resource.Stack]]{
		Method: http.MethodGet, Path: "/stacks/{stack}", ID: "get-stack", Tag: tag, Summary: "Look at a stack",
		Does: access.StacksRead, On: s.onStack,
		Run: func(_ context.Context, c *call, _ *StackRef) (*reply[resource.Stack], error) {
			return s.getStack(c, c.on.ID)
		},
	})
	add(s, route[applyInput, reply[resource.Stack]]{
		Method: http.MethodPut, Path: "/stacks/{stack}", ID: "apply-stack", Tag: tag, Summary: "Make a stack what it shall be",
		Description: "Files are all of the bundle, at most 32 MiB together, 8 MiB each; without files, the latest version stays, and what is said of the " +
			"stack changes. The same content makes no new version. A new version is rolled out as the plan says. " +
			"Devices that are away get it when they come back; the previous version keeps running where the new one cannot be had.",
		Does: access.StacksApply, On: func(c *call, in *applyInput) (access.Resource, error) { return s.onApply(c, &in.StackRef, &in.Body) },
		MaxBytes: maxApplyBody, BodyTimeout: applyTimeout, Plain: true, Run: s.applyStack,
	})
	add(s, route[StackRef, none]{
		Method: http.MethodDelete, Path: "/stacks/{stack}", ID: "remove-stack", Tag: tag, Status: http.StatusNoContent,
		Summary:     "Remove a stack from all devices",
		Description: "It is listed until the last device, also one that is away now, has said that it is gone.",
		Does:        access.StacksRemove, On: s.onStack,
		Run: func(_ context.Context, c *call, _ *StackRef) (*none, error) {
			return nil, s.StackDesk.Remove(c.on.ID, c.by())
		},
	})
	s.stackPartRoutes(tag)
	s.stackLookRoutes(tag)
	s.rolloutRoutes()
}

func (s *server) stackPartRoutes(tag string) {
	add(s, route[StackRef, reply[resource.List[resource.Version]]]{
		Method: http.MethodGet, Path: "/stacks/{stack}/versions", ID: "list-versions", Tag: tag, Summary: "List the versions that are kept, the latest first",
		Does: access.StacksRead, On: s.onStack,
		Run: func(_ context.Context, c *call, _ *StackRef) (*reply[resource.List[resource.Version]], error) {
			versions, err := s.Stacks.Versions(c.on.ID)
			return list(versions, version), err
		},
	})
	add(s, route[bundleInput, reply[resource.Bundle]]{
		Method: http.MethodGet, Path: "/stacks/{stack}/versions/{version}/files", ID: "get-bundle", Tag: tag, Summary: "Get the files of a version",
		Description: "Who may not see secrets gets environment, credentials and the like masked, line by line.",
		Does:        access.StacksRead, On: func(c *call, in *bundleInput) (access.Resource, error) { return s.onStack(c, &in.StackRef) },
		Run: func(_ context.Context, c *call, in *bundleInput) (*reply[resource.Bundle], error) {
			return s.bundle(c, in.Version)
		},
	})
	add(s, route[stackStatusInput, reply[resource.List[resource.DeviceStack]]]{
		Method: http.MethodGet, Path: "/stacks/{stack}/devices", ID: "stack-status", Tag: tag, Summary: "See where a stack stands on each of its devices",
		Does: access.StacksRead, On: func(c *call, in *stackStatusInput) (access.Resource, error) { return s.onStack(c, &in.StackRef) },
		Run: s.stackStatus,
	})
}

func noStack(name string) error { return fmt.Errorf("%w: %.80q", stacks.ErrNotFound, name) }

func (s *server) onStack(c *call, in *StackRef) (access.Resource, error) {
	rec, ok := s.Stacks.Named(in.Stack)
	if !ok || !c.eyes().stack(&rec) {
		return access.Resource{Kind: "stack", ID: in.Stack}, noStack(in.Stack)
	}
	return onStack(&rec), nil
}

func (s *server) listStacks(_ context.Context, c *call, in *listStacksInput) (*reply[resource.List[resource.Stack]], error) {
	wanted, err := ownedBy(c, in.Owner)
	if err != nil {
		return nil, err
	}
	out := []resource.Stack{}
	for _, o := range s.Stacks.List() {
		if c.eyes().stack(&o.Stack) && wanted(o.Owner) {
			out = append(out, s.stack(c, o))
		}
	}
	return replyWith(resource.List[resource.Stack]{Items: out}), nil
}

func (s *server) getStack(c *call, name string) (*reply[resource.Stack], error) {
	o, err := s.Stacks.Get(name)
	if err != nil {
		return nil, err
	}
	return replyWith(s.stack(c, o)), nil
}

func (s *server) applyStack(_ context.Context, c *call, in *applyInput) (*reply[resource.Stack], error) {
	if src, has := s.Sources.Get(in.Stack); has && in.Body.Files != nil {
		return nil, fromGit(&src.Source)
	}
	spec, err := s.applySpec(c, in.Stack, &in.Body)
	if err != nil {
		return nil, err
	}
	want, same := s.expect(in.Expect, c.on), spec.Expect
	spec.Expect = func(now *stacks.Stack) error {
		if now != nil && !c.eyes().stack(now) {
			return nameTaken(in.Stack)
		}
		if err := want.meets(stackEtag(now, s.manner(now))); err != nil {
			return err
		}
		return same(now)
	}
	_, v, err := s.StackDesk.Apply(spec)
	if err != nil {
		return nil, err
	}
	c.detail = fmt.Sprintf("version %d", v.Number)
	return s.getStack(c, in.Stack)
}

func fromGit(src *gitsource.Source) error {
	return fmt.Errorf("stack %q %w (%s), and the next commit would undo this: commit it there, change the source, or remove the source first", src.Stack, gitsource.ErrFromGit, src.URL)
}

func (s *server) stackStatus(_ context.Context, c *call, in *stackStatusInput) (*reply[resource.List[resource.DeviceStack]], error) {
	wanted := map[protocol.StackState]bool{}
	for _, word := range in.State {
		var state protocol.StackState
		if err := state.UnmarshalText([]byte(word)); err != nil {
			return nil, invalid("query.state", "%v", err)
		}
		wanted[state] = true
	}
	all, err := s.statuses(c, c.on.ID)
	if err != nil {
		return nil, err
	}
	out := make([]resource.DeviceStack, 0, len(all))
	for _, st := range all {
		if len(wanted) == 0 || wanted[st.State] {
			out = append(out, s.deviceStack(st))
		}
	}
	return replyWith(resource.List[resource.DeviceStack]{Items: out}), nil
}

func (s *server) deviceStack(st planner.DeviceStatus) resource.DeviceStack {
	d, _ := s.Devices.Device(st.Device)
	return resource.DeviceStack{
		Device: st.Device, DeviceName: d.Name, Stack: st.Name, State: st.State.String(), Version: st.Version, Running: st.Running,
		Code: st.Code, Detail: st.Detail, At: at(st.At), DoneBytes: st.Done, TotalBytes: st.Total, Hold: st.Hold.String(), HeldBy: st.HeldBy,
	}
}

// statuses are where a stack stands on the devices that the caller sees.
func (s *server) statuses(c *call, name string) ([]planner.DeviceStatus, error) {
	rec, ok := s.Stacks.Named(name)
	if !ok {
		return nil, noStack(name)
	}
	all, err := s.Stacks.Statuses(name)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(st planner.DeviceStatus) bool {
		d, ok := s.Devices.Device(st.Device)
		return !ok || !c.eyes().device(&d) || !c.eyes().stackOn(&d, rec.Owner)
	})
	if len(all) == 0 && !c.eyes().stack(&rec) {
		return nil, noStack(name)
	}
	return all, nil
}

// stack shows a stack, with those of its devices counted that the caller sees.
func (s *server) stack(c *call, o planner.Overview) resource.Stack {
	if !c.eyes().allDevices {
		o.Devices, o.States = 0, map[protocol.StackState]int{}
		if all, err := s.statuses(c, o.Name); err == nil {
			o.Devices = len(all)
			for _, st := range all {
				o.States[st.State]++
			}
		}
	}
	out := resource.Stack{
		ID: o.ID, Name: o.Name, Selector: o.Selector, Group: o.Group, Owner: ownerShown(o.Owner), Version: o.Latest, Current: version(o.Current), RemoveVolumes: o.RemoveVolumes,
		Devices: o.Devices, States: make(map[string]int, len(o.States)), Created: at(o.Created), Updated: at(o.Updated),
		Removed: at(o.Removed), RemovedBy: o.RemovedBy, Etag: stackEtag(&o.Stack, o.Manner),
		Deployed: o.Deployed(), Change: o.Change, Plan: planOut(o.Manner.Plan, o.Manner.Order), Words: o.Manner.Plan.Words(),
	}
	if out.Deployed == stacks.None {
		out.Deployed = 0
	}
	s.nameEdgeGroups(c, &o.Stack, &out)
	if o.Rollout != nil {
		out.Rollout = new(s.rollout(c, &o.Stack, o.Rollout))
	}
	if o.Next != nil {
		out.NextRollout = new(s.rollout(c, &o.Stack, o.Next))
	}
	_, out.FromGit = s.Sources.Get(o.Name)
	for state, n := range o.States {
		out.States[state.String()] = n
	}
	return out
}

func version(v stacks.Version) resource.Version {
	return resource.Version{
		Number: v.Number, Files: v.Files, Env: v.EnvNames(), Pull: pullWords[min(int(v.Pull), len(pullWords)-1)],
		Author: v.Author, Message: v.Message, Created: at(v.Created), Secret: v.Secret, Health: v.Health, Source: v.Source, Images: v.Images,
	}
}
