package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/updates"
	"github.com/farshore/farshore/stacks/rollout"
)

// Updates bring releases to devices; *updates.Desk is one.
type Updates interface {
	Start(s updates.Spec, by string) (updates.View, error)
	Preview(updates.Spec) (updates.Estimate, error)
	Do(id string, a rollout.Action, by string) (updates.View, error)
	List() []updates.View
	Get(id string) (updates.View, error)
	Devices(id string) ([]updates.Status, error)
	Counts() map[rollout.Status]int
}

// UpdateRef is the part of a path that names an update. It is exported because only exported fields are filled.
type UpdateRef struct {
	Update string `path:"update" maxLength:"40" doc:"Id"`
}

type updateInput struct{ Body resource.UpdateSpec }

type updateDevicesInput struct {
	UpdateRef
	State []string `query:"state" doc:"Only devices in one of these states"`
}

func (s *server) updateRoutes() {
	const tag = "Updates"
	add(s, route[struct{}, reply[resource.List[resource.Update]]]{
		Method: http.MethodGet, Path: "/updates", ID: "list-updates", Tag: tag, Summary: "List updates of devices, the latest first",
		Does: access.UpdatesRead, On: onAny[struct{}]("update"),
		Run: func(_ context.Context, c *call, _ *struct{}) (*reply[resource.List[resource.Update]], error) {
			seen := c.scope()
			return list(slices.DeleteFunc(s.Updates.List(), func(v updates.View) bool { return !seen.Covers(onUpdate(&v)) }), updateOut), nil
		},
	})
	add(s, route[updateInput, reply[resource.Update]]{
		Method: http.MethodPost, Path: "/updates", ID: "start-update", Tag: tag, Status: http.StatusCreated,
		Summary: "Bring a release to devices",
		Description: "Devices change in batches, as the plan says. A new agent that is not in session with the hub in time gives way to the old one. " +
			"Devices that are away are deferred, and those that come to match while it runs join.",
		Does: access.UpdatesStart, On: s.onNewUpdate,
		Run: func(_ context.Context, c *call, in *updateInput) (*reply[resource.Update], error) {
			v, err := s.Updates.Start(updateSpec(&in.Body), c.by())
			if err != nil {
				return nil, err
			}
			c.detail = "update " + v.ID + " to " + v.Release
			return replyWith(updateOut(v)), nil
		},
	})
	add(s, route[updateInput, reply[resource.UpdateEstimate]]{
		Method: http.MethodPost, Path: "/updates/preview", ID: "preview-update", Tag: tag, Summary: "See what an update would be: devices, and bytes",
		Does: access.UpdatesStart, On: s.onNewUpdate, Looks: true, Run: s.previewUpdate,
	})
	add(s, route[UpdateRef, reply[resource.Update]]{
		Method: http.MethodGet, Path: "/updates/{update}", ID: "get-update", Tag: tag, Summary: "Look at an update",
		Does: access.UpdatesRead, On: s.onUpdateRef,
		Run: func(_ context.Context, _ *call, in *UpdateRef) (*reply[resource.Update], error) {
			v, err := s.Updates.Get(in.Update)
			return replyWith(updateOut(v)), err
		},
	})
	add(s, route[updateDevicesInput, reply[resource.List[resource.UpdateDevice]]]{
		Method: http.MethodGet, Path: "/updates/{update}/devices", ID: "update-devices", Tag: tag,
		Summary: "See where an update stands on each of its devices: first those that failed",
		Does:    access.UpdatesRead, On: func(c *call, in *updateDevicesInput) (access.Resource, error) { return s.onUpdateRef(c, &in.UpdateRef) },
		Run: s.updateDevices,
	})
	for _, a := range []struct {
		action  rollout.Action
		summary string
	}{
		{rollout.ActionPause, "Start no more devices until it is continued"},
		{rollout.ActionContinue, "Go on with a paused update; failures so far are waived"},
		{rollout.ActionAbort, "End an update; devices that have begun finish"},
		{rollout.ActionSkip, "Go on without waiting for the batch, or for devices of a lower order"},
		{rollout.ActionRetry, "Try again on devices that failed or were brought back"},
	} {
		add(s, route[UpdateRef, reply[resource.Update]]{
			Method: http.MethodPost, Path: "/updates/{update}/" + string(a.action), ID: string(a.action) + "-update", Tag: tag, Summary: a.summary,
			Does: access.UpdatesStart, On: s.onUpdateRef, Records: "updates." + string(a.action),
			Run: func(_ context.Context, c *call, in *UpdateRef) (*reply[resource.Update], error) {
				v, err := s.Updates.Do(in.Update, a.action, c.by())
				return replyWith(updateOut(v)), err
			},
		})
	}
}

// onNewUpdate is the group whose devices are meant.
func (s *server) onNewUpdate(_ *call, in *updateInput) (access.Resource, error) {
	on, err := s.onGroup(in.Body.Group)
	on.Kind = "update"
	if on.ID == "/" { // all devices
		on.ID = ""
	}
	return on, err
}

func onUpdate(v *updates.View) access.Resource {
	return access.Resource{Kind: "update", ID: v.ID, Group: v.Group}
}

func (s *server) onUpdateRef(c *call, in *UpdateRef) (access.Resource, error) {
	v, err := s.Updates.Get(in.Update)
	if errors.Is(err, updates.ErrNotFound) {
		err = noUpdate(in.Update)
	}
	if err != nil {
		return access.Resource{Kind: "update", ID: in.Update}, err
	}
	if on := onUpdate(&v); s.Accounts.Scope(c.who, access.UpdatesRead).Covers(on) {
		return on, nil
	}
	return access.Resource{Kind: "update", ID: in.Update}, noUpdate(in.Update)
}

func noUpdate(id string) error { return fmt.Errorf("update %.40q: %w", id, updates.ErrNotFound) }

func updateSpec(b *resource.UpdateSpec) updates.Spec {
	s := updates.Spec{
		Release: b.Release, Selector: b.Selector, Group: strings.Trim(b.Group, "/"), Plan: b.Plan, OrderLabel: b.OrderLabel,
		Windows: b.Windows, Trial: b.TrialSeconds, Downgrade: b.Downgrade, Message: b.Message,
	}
	if !b.Begin.IsZero() {
		s.Begin = b.Begin.Unix()
	}
	return s
}

func updateOut(v updates.View) resource.Update {
	out := resource.Update{
		ID: v.ID, Phase: v.Rollout.Phase.String(), Why: v.Why, Words: v.Plan.Words(), By: v.By, Created: at(v.Created), Ended: at(v.Ended),
		Next: v.Next.UTC(), Devices: statusWords(v.Counts), Batch: v.Rollout.Batch, Batches: []resource.UpdateBatch{}, Bytes: v.Bytes,
		UpdateSpec: resource.UpdateSpec{
			Release: v.Release, Selector: v.Selector, Group: v.Group, Plan: v.Plan, OrderLabel: v.OrderLabel, Begin: at(v.Begin),
			TrialSeconds: v.Trial, Downgrade: v.Downgrade, Message: v.Message,
		},
	}
	if out.Why == "" {
		out.Why = v.Rollout.Reason
	}
	if v.Next.IsZero() {
		out.Next = time.Time{}
	}
	out.Windows = v.Windows
	first := int(v.Rollout.Batch) - len(v.Batches)
	for i, b := range v.Batches {
		out.Batches = append(out.Batches, resource.UpdateBatch{Number: uint32(first + i + 1), Devices: statusWords(b)})
	}
	return out
}

func statusWords(counts map[rollout.Status]int) map[string]int {
	out := make(map[string]int, len(counts))
	for s, n := range counts {
		out[s.String()] = n
	}
	return out
}

func (s *server) updateDevices(_ context.Context, c *call, in *updateDevicesInput) (*reply[resource.List[resource.UpdateDevice]], error) {
	all, err := s.Updates.Devices(in.Update)
	if err != nil {
		return nil, err
	}
	out := []resource.UpdateDevice{}
	for _, st := range all {
		d, ok := s.Devices.Device(st.Device)
		state := st.Rollout.Status.String()
		if ok && !c.eyes().device(&d) || len(in.State) > 0 && !slices.Contains(in.State, state) {
			continue
		}
		out = append(out, resource.UpdateDevice{
			Device: st.Device, DeviceName: d.Name, State: state, Batch: st.Rollout.Batch, Version: d.Version, From: st.Job.From,
			Code: st.Code, Text: st.Job.Text, Next: st.Next.UTC(), Command: st.Job.Command, Bytes: st.Job.Bytes, Patch: st.Job.Patch,
			Ended: at(st.Job.Ended),
		})
		if st.Next.IsZero() {
			out[len(out)-1].Next = time.Time{}
		}
		if out[len(out)-1].Text == "" && st.Code == updates.CodeUnable {
			out[len(out)-1].Text = d.Build.NoUpdate
		}
	}
	return replyWith(resource.List[resource.UpdateDevice]{Items: out}), nil
}

// maxEstimated is how many devices an estimate names.
const maxEstimated = 500

func (s *server) previewUpdate(_ context.Context, c *call, in *updateInput) (*reply[resource.UpdateEstimate], error) {
	spec := updateSpec(&in.Body)
	e, err := s.Updates.Preview(spec)
	if err != nil {
		return nil, err
	}
	out := resource.UpdateEstimate{
		Words: spec.Plan.Words(), Devices: len(e.Devices), Codes: map[string]int{}, Bytes: e.Bytes, Preparing: e.Preparing,
		Items: []resource.UpdateEstimated{},
	}
	for i := range e.Devices {
		x := &e.Devices[i]
		if x.Code != "" {
			out.Codes[x.Code]++
		}
		if d, ok := s.Devices.Device(x.ID); ok && len(out.Items) < maxEstimated && c.eyes().device(&d) {
			out.Items = append(out.Items, resource.UpdateEstimated{
				Device: x.ID, Name: x.Name, Version: x.Version, Code: x.Code, Bytes: x.Bytes, Patch: x.Patch, Ready: x.Ready,
			})
		}
	}
	return replyWith(out), nil
}

// updateStates are all states of a device in an update, so that none is missing where it is counted.
func updateStates(counts map[rollout.Status]int) map[string]int {
	out := map[string]int{}
	for s := rollout.StatusWaiting; s <= rollout.StatusStuck; s++ {
		out[s.String()] = counts[s]
	}
	return out
}
