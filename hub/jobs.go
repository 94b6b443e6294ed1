package hub

import (
	"maps"
	"regexp"
	"slices"

	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/hub/policy"
	"github.com/farshore/farshore/hub/session"
	"github.com/farshore/farshore/hub/timeline"
	"github.com/farshore/farshore/internal/zones"
	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

// openJobs makes what dispatches jobs. It comes after the fleet and the secrets, and before whoever asks for desired sets.
func (h *Hub) openJobs() (err error) {
	view := newFleetView(h.fleet, h.sets)
	h.jobs, err = dispatch.New(dispatch.Config{
		Store: h.store, Fleet: jobFleet{view}, Vault: h.vault, Seal: deviceSealer{h.fleet, h.sealer}, Log: h.log, Zone: h.cfg.Zone,
		Allows: func(group string, v *jobs.Version) error {
			return h.policies.Allows(group, []stacks.Asks{jobAsks(v)})
		},
		Variables:   h.jobVariables,
		Credentials: h.registries.For,
		Give:        h.giveJobCommand,
		By: func(id protocol.DeviceID, command protocol.CommandID) string {
			if r, err := h.book.Get(command); err == nil && r.Device == id {
				return r.By
			}
			return ""
		},
		Holds: func(id protocol.DeviceID, key protocol.EntryKey) bool {
			set, err := acceptedSets{store: h.store, vault: h.vault}.AcceptedSet(id)
			return err == nil && slices.ContainsFunc(set, func(e protocol.Entry) bool { return e.EntryKey == key })
		},
		Notify: h.notify,
		Events: h.jobNotice,
	})
	return err
}

// volumeName is what an engine takes for the name of a volume, not for a path of the host.
var volumeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// jobAsks is what a version asks for, in the words of policies.
func jobAsks(v *jobs.Version) stacks.Asks {
	c := v.Spec.Container
	if c == nil {
		a := stacks.Asks{Service: "the script"}
		a.Add(stacks.RuleHostScripts, "")
		return a
	}
	a := stacks.Asks{Service: "the job's container", Image: c.Image}
	a.AddMode(stacks.RuleHostNetwork, c.Network)
	for _, m := range c.Mounts {
		if !volumeName.MatchString(m.Source) {
			a.Add(stacks.RuleBindMounts, m.Source)
		}
	}
	return a
}

func (h *Hub) jobVariables(id protocol.DeviceID, group string) map[string]dispatch.Variable {
	all := h.variables.Of(id, group)
	if len(all) == 0 {
		return nil
	}
	out := make(map[string]dispatch.Variable, len(all))
	for name, v := range all {
		out[name] = dispatch.Variable{Text: v.Text, Secret: v.Secret, Lost: v.Lost}
	}
	return out
}

func (h *Hub) giveJobCommand(a dispatch.Ask) (protocol.CommandID, error) {
	r, err := h.book.Give(commands.Spec{
		Device: a.Device, Command: protocol.Command{Kind: a.Kind, Job: &a.Job}, By: a.By, Owner: a.Owner, TTL: a.TTL,
	})
	return r.ID, err
}

// jobsFollow has jobs that name a device whose place this one took mean this one.
func (h *Hub) jobsFollow(id protocol.DeviceID) {
	d, ok := h.fleet.Device(id)
	if !ok || d.Revoked != 0 {
		return
	}
	for _, former := range d.Former {
		if old, there := h.fleet.Device(former); there && old.Revoked == 0 { // it was let in again since
			continue
		}
		h.report(id, "work out the jobs of the device that it replaced", h.jobs.Replaced(former, id))
	}
}

// policyBook is the policies as people change them: what they allow is worked out anew.
type policyBook struct {
	*policy.Book
	h *Hub
}

// Put implements api.Policies.
func (b policyBook) Put(p policy.Policy, expect func(policy.Policy) error) error {
	err := b.Book.Put(p, expect)
	if err == nil {
		b.h.planner.PolicyChanged()
		b.h.jobs.PolicyChanged()
	}
	return err
}

// jobNotice tells of jobs: in the stream of events and, where it is about a device, in its timeline. Where many devices
// have the same to tell, that is for their timelines only.
func (h *Hub) jobNotice(n dispatch.Notice) {
	e := events.Event{Kind: n.Kind, Device: n.Device, Group: n.Group, Owner: n.Owner, Text: n.Text, Data: map[string]any{
		"job": n.Job, "version": n.Version, "by": n.By,
	}}
	if n.Device == "" {
		h.events.Publish(e)
		return
	}
	text := "job " + n.Job + ": recovered"
	if n.Kind == dispatch.KindFailed {
		text = "job " + n.Job + ": " + n.Text
	}
	h.timeline.Note(n.Device, timeline.Entry{Kind: timeline.KindJob, Text: text, State: n.Kind, Job: n.Job, Version: n.Version})
	if n.Quiet {
		e.Passing = true
	}
	e.Text = text
	h.publishSaid(e)
}

func (h *Hub) onJobRun(p *session.Peer, r protocol.JobRun) ([]protocol.Message, error) {
	return nil, h.jobs.Run(p.ID, r)
}

func (h *Hub) onJobOutput(p *session.Peer, o protocol.JobOutput) ([]protocol.Message, error) {
	return nil, h.jobs.Output(p.ID, o)
}

// jobFleet is the fleet as jobs see it.
type jobFleet struct{ view *fleetView }

// Check implements dispatch.Fleet.
func (f jobFleet) Check(selector string) error { return f.view.Check(selector) }

// stackReach is the reach without the devices that are meant by name.
func stackReach(r jobs.Reach) stacks.Reach {
	return stacks.Reach{Selector: r.Selector, Group: r.Group, Include: r.Include, Exclude: r.Exclude}
}

// Matching implements dispatch.Fleet.
func (f jobFleet) Matching(r jobs.Reach) ([]protocol.DeviceID, error) {
	meant := map[protocol.DeviceID]bool{}
	if !r.ByNameOnly() {
		list, err := f.view.Matching(stackReach(r))
		if err != nil {
			return nil, err
		}
		for _, id := range list {
			meant[id] = true
		}
	}
	for _, id := range r.Devices {
		if f.named(r, id) {
			meant[id] = true
		}
	}
	return slices.Collect(maps.Keys(meant)), nil
}

// named reports whether a device that is meant by name is there.
func (f jobFleet) named(r jobs.Reach, id protocol.DeviceID) bool {
	is, err := f.view.Matches(stacks.Reach{Group: r.Group, Exclude: r.Exclude}, id)
	return err == nil && is
}

// Matches implements dispatch.Fleet.
func (f jobFleet) Matches(r jobs.Reach, id protocol.DeviceID) (bool, error) {
	if slices.Contains(r.Devices, id) && f.named(r, id) {
		return true, nil
	}
	if r.ByNameOnly() {
		return false, nil
	}
	return f.view.Matches(stackReach(r), id)
}

// Device implements dispatch.Fleet.
func (f jobFleet) Device(id protocol.DeviceID) (dispatch.Device, bool) {
	t, ok := f.view.Target(id)
	return dispatch.Device{Name: t.Name, Group: t.Group, Zone: zones.Of(t.Labels), Confirmed: t.Confirmed, Capability: t.Capability}, ok
}
