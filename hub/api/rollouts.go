package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/stacks/rollout"
)

// RolloutRef is the part of a path that names a rollout. It is exported because only exported fields are filled.
type RolloutRef struct {
	StackRef
	Number uint64 `path:"rollout" doc:"Number; 0: the latest that was begun"`
}

type deployInput struct {
	StackRef
	Body resource.Deploy
}

type rolloutDevicesInput struct {
	RolloutRef
	State  []string `query:"state" doc:"Only devices in one of these states: waiting, chosen, started, succeeded, failed, returning, returned, stuck"`
	Batch  uint32   `query:"batch" doc:"Only devices of this batch"`
	Limit  int      `query:"limit" minimum:"1" maximum:"5000" default:"500"`
	Offset int      `query:"offset" minimum:"0" doc:"How many to leave out"`
}

func (s *server) rolloutRoutes() {
	const tag = "Rollouts"
	add(s, route[struct{}, reply[resource.List[resource.Rollout]]]{
		Method: http.MethodGet, Path: "/rollouts", ID: "list-rollouts", Tag: tag, Summary: "List the rollouts of all stacks that are under way, or wait for one that is",
		Does: access.StacksRead, On: onAny[struct{}]("stack"),
		Run: func(_ context.Context, c *call, _ *struct{}) (*reply[resource.List[resource.Rollout]], error) {
			return s.listRollouts(c)
		},
	})
	add(s, route[StackRef, reply[resource.List[resource.Rollout]]]{
		Method: http.MethodGet, Path: "/stacks/{stack}/rollouts", ID: "list-stack-rollouts", Tag: tag, Summary: "List the rollouts of a stack that are kept, the latest first",
		Does: access.StacksRead, On: s.onStack,
		Run: func(_ context.Context, c *call, in *StackRef) (*reply[resource.List[resource.Rollout]], error) {
			rec, ok := s.Stacks.Named(in.Stack)
			if !ok {
				return nil, noStack(in.Stack)
			}
			all, err := s.Stacks.Rollouts(in.Stack)
			return list(all, func(v planner.RolloutView) resource.Rollout { return s.rollout(c, &rec, &v) }), err
		},
	})
	add(s, route[RolloutRef, reply[resource.Rollout]]{
		Method: http.MethodGet, Path: "/stacks/{stack}/rollouts/{rollout}", ID: "get-rollout", Tag: tag, Summary: "Look at a rollout",
		Does: access.StacksRead, On: s.onRollout, Run: s.getRollout,
	})
	add(s, route[rolloutDevicesInput, reply[resource.RolloutDevices]]{
		Method: http.MethodGet, Path: "/stacks/{stack}/rollouts/{rollout}/devices", ID: "rollout-devices", Tag: tag,
		Summary: "See where a rollout stands on each of its devices",
		Does:    access.StacksRead, On: func(c *call, in *rolloutDevicesInput) (access.Resource, error) { return s.onRollout(c, &in.RolloutRef) },
		Run: s.rolloutDevices,
	})
	add(s, route[deployInput, reply[resource.Rollout]]{
		Method: http.MethodPost, Path: "/stacks/{stack}/deploy", ID: "deploy-stack", Tag: tag, Status: http.StatusCreated,
		Summary: "Bring a version that is kept to the devices of a stack",
		Description: "Any version can be deployed again. With force, devices that have the version apply it again. " +
			"While a rollout of the stack is under way it has to be said whether to replace it, or to queue.",
		Does: access.StacksOperate, On: func(c *call, in *deployInput) (access.Resource, error) { return s.onStack(c, &in.StackRef) },
		Run: s.deploy,
	})
	for _, a := range []struct {
		action  rollout.Action
		summary string
		does    access.Operation
	}{
		{rollout.ActionPause, "Start no more devices until it is continued", access.StacksOperate},
		{rollout.ActionContinue, "Go on with a paused rollout; failures so far are waived", access.StacksOperate},
		{rollout.ActionAbort, "End a rollout where it is; devices that have begun finish", access.StacksOperate},
		{rollout.ActionSkip, "Go on without waiting for the batch, or for devices of a lower order", access.StacksOperate},
		{rollout.ActionRetry, "Try again on devices that failed or were brought back", access.StacksOperate},
		{planner.ActionApprove, "Let devices apply what they have fetched", access.RolloutsApprove},
	} {
		add(s, route[RolloutRef, reply[resource.Rollout]]{
			Method: http.MethodPost, Path: "/stacks/{stack}/rollouts/{rollout}/" + string(a.action), ID: string(a.action) + "-rollout", Tag: tag, Summary: a.summary,
			Does: a.does, On: s.onRollout, Records: "rollouts." + string(a.action),
			Run: func(ctx context.Context, c *call, in *RolloutRef) (*reply[resource.Rollout], error) {
				v, err := s.Stacks.Rollout(in.Stack, in.Number)
				if err != nil {
					return nil, err
				}
				in.Number = v.Number
				c.detail = fmt.Sprintf("rollout %d to version %d", v.Number, v.Version)
				if err := s.StackDesk.Act(in.Stack, in.Number, a.action, c.by()); err != nil {
					return nil, err
				}
				return s.getRollout(ctx, c, in)
			},
		})
	}
}

// onRollout is the stack of a rollout: rights over rollouts are rights over their stacks.
func (s *server) onRollout(c *call, in *RolloutRef) (access.Resource, error) {
	return s.onStack(c, &in.StackRef)
}

func (s *server) getRollout(_ context.Context, c *call, in *RolloutRef) (*reply[resource.Rollout], error) {
	rec, ok := s.Stacks.Named(in.Stack)
	if !ok {
		return nil, noStack(in.Stack)
	}
	v, err := s.Stacks.Rollout(in.Stack, in.Number)
	if err != nil {
		return nil, err
	}
	return replyWith(s.rollout(c, &rec, &v)), nil
}

func (s *server) listRollouts(c *call) (*reply[resource.List[resource.Rollout]], error) {
	out := []resource.Rollout{}
	for _, o := range s.Stacks.List() {
		if !c.eyes().stack(&o.Stack) {
			continue
		}
		for _, v := range []*planner.RolloutView{o.Rollout, o.Next} {
			if v != nil && (!v.State.Phase.Over() || v.Unapproved()) {
				out = append(out, s.rollout(c, &o.Stack, v))
			}
		}
	}
	return replyWith(resource.List[resource.Rollout]{Items: out}), nil
}

func (s *server) deploy(_ context.Context, c *call, in *deployInput) (*reply[resource.Rollout], error) {
	b := in.Body
	spec := planner.DeploySpec{
		Stack: c.on.ID, Version: b.Version, Force: b.Force, During: planner.During(b.During), Begin: b.Begin, By: c.by(), Message: b.Message,
		Sees: s.seesDevice(c.eyes()), Abroad: s.mayAbroad(c, c.on),
		Exempt: s.Accounts.Authorize(c.who, access.PolicyExempt, access.Resource{Kind: "group", ID: "/" + c.on.Group, Group: c.on.Group}) == nil,
	}
	if b.Plan != nil { // the stack's own plan binds who may only operate it
		if err := s.mayApply(c); err != nil {
			return nil, err
		}
		spec.Manner = new(mannerOf(b.Plan))
	}
	number, err := s.StackDesk.Deploy(spec)
	if err != nil {
		return nil, err
	}
	rec, ok := s.Stacks.Named(c.on.ID)
	if !ok {
		return nil, noStack(c.on.ID)
	}
	v, err := s.Stacks.Rollout(c.on.ID, number)
	if err != nil {
		return nil, err
	}
	c.detail = fmt.Sprintf("rollout %d to version %d", v.Number, v.Version)
	return replyWith(s.rollout(c, &rec, &v)), nil
}

// rollout shows a rollout, with those of its devices counted that the caller sees.
func (s *server) rollout(c *call, rec *stacks.Stack, v *planner.RolloutView) resource.Rollout {
	out := resource.Rollout{
		Stack: v.Name, Number: v.Number, Version: v.Version, Force: v.Force, Phase: v.State.Phase.String(), Why: v.Why, Next: v.Next.UTC(), Queued: v.Queued,
		Plan: planOut(v.Plan, v.Order), Words: v.Plan.Words(), Devices: statusWords(v.Counts), Batch: v.State.Batch, Batches: batchesOut(v.Batches),
		By: v.By, Message: v.Message, Created: at(v.Created), Begin: at(v.State.Begin), Begun: at(v.Begun), Ended: at(v.Ended),
		Approve: v.Approve, Approved: at(v.Approved), ApprovedBy: v.ApprovedBy,
	}
	if v.Next.IsZero() {
		out.Next = time.Time{}
	}
	if c.eyes().allDevices {
		if v.Estimated+v.Reported > 0 {
			out.Data = &resource.RolloutData{Estimate: v.Estimate, Estimated: int(v.Estimated), Actual: v.Spent, Reported: int(v.Reported)}
		}
		return out
	}
	// A sentence that counts devices would tell of those that are not seen.
	out.Partial, out.Why, out.Devices, out.Batches = true, "", map[string]int{}, []resource.UpdateBatch{}
	all, err := s.Stacks.RolloutDevices(v.Name, v.Number)
	if err != nil {
		return out // it was removed just now
	}
	counts, batches := map[rollout.Status]int{}, map[uint32]map[rollout.Status]int{}
	for _, x := range s.seenOf(c, rec, all) {
		counts[x.State.Status]++
		if n := x.State.Batch; n != 0 {
			if batches[n] == nil {
				batches[n] = map[rollout.Status]int{}
			}
			batches[n][x.State.Status]++
		}
	}
	views := make([]planner.BatchView, 0, len(batches))
	for n, of := range batches {
		views = append(views, planner.BatchView{Number: n, Counts: of})
	}
	slices.SortFunc(views, func(a, b planner.BatchView) int { return cmp.Compare(a.Number, b.Number) })
	out.Devices, out.Batches = statusWords(counts), batchesOut(views)
	return out
}

func batchesOut(batches []planner.BatchView) []resource.UpdateBatch {
	out := make([]resource.UpdateBatch, len(batches))
	for i, b := range batches {
		out[i] = resource.UpdateBatch{Number: b.Number, Devices: statusWords(b.Counts)}
	}
	return out
}

// seenOf are the devices of a rollout that the caller sees.
func (s *server) seenOf(c *call, rec *stacks.Stack, all []planner.RolloutDevice) []planner.RolloutDevice {
	return slices.DeleteFunc(all, func(x planner.RolloutDevice) bool { return !s.seesStackOn(c, rec, x.Device) })
}

// seesStackOn reports whether the caller sees a stack's state on a device.
func (s *server) seesStackOn(c *call, rec *stacks.Stack, id protocol.DeviceID) bool {
	d, ok := s.Devices.Device(id)
	return ok && c.eyes().device(&d) && c.eyes().stackOn(&d, rec.Owner)
}

func (s *server) rolloutDevices(_ context.Context, c *call, in *rolloutDevicesInput) (*reply[resource.RolloutDevices], error) {
	for _, word := range in.State {
		if !knownStatus(word) {
			return nil, invalid("query.state", "state %.40q: want waiting, chosen, started, succeeded, failed, returning, returned or stuck", word)
		}
	}
	rec, ok := s.Stacks.Named(in.Stack)
	if !ok {
		return nil, noStack(in.Stack)
	}
	all, err := s.Stacks.RolloutDevices(in.Stack, in.Number)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(s.seenOf(c, &rec, all), func(x planner.RolloutDevice) bool {
		return in.Batch != 0 && x.State.Batch != in.Batch || len(in.State) > 0 && !slices.Contains(in.State, x.State.Status.String())
	})
	out := resource.RolloutDevices{Total: len(all), Items: []resource.RolloutDevice{}}
	all = all[min(in.Offset, len(all)):]
	for _, x := range all[:min(in.Limit, len(all))] {
		out.Items = append(out.Items, s.rolloutDevice(x))
	}
	return replyWith(out), nil
}

func knownStatus(word string) bool {
	for st := rollout.StatusWaiting; st <= rollout.StatusStuck; st++ {
		if st.String() == word {
			return true
		}
	}
	return false
}

func (s *server) rolloutDevice(x planner.RolloutDevice) resource.RolloutDevice {
	d, _ := s.Devices.Device(x.Device)
	out := resource.RolloutDevice{
		Device: x.Device, DeviceName: d.Name, Group: d.Group, State: x.State.Status.String(), Batch: x.State.Batch, Attempt: x.State.Attempt,
		Code: cmp.Or(x.State.Code, x.Why), Now: s.deviceStack(x.Stack),
	}
	if !x.Next.IsZero() {
		out.Next = x.Next.UTC()
	}
	return out
}
