package api

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/protocol"
)

// bulkAtOnce is how many devices are worked on at once: those share transactions.
const bulkAtOnce = 64

// maxOutcomes is how many outcomes are given.
const maxOutcomes = 1000

type bulkInput struct{ Body resource.Bulk }

// deed is what is done to each of many devices.
type deed struct {
	needs access.Operation
	// detail goes into the audit records and the timelines.
	detail string
	// to is the group that devices are moved to. Nil: they stay where they are.
	// place is the nearest group above it that is there, or itself.
	to    *string
	place string
	do    func(*fleet.Device) error
}

func (s *server) bulk(ctx context.Context, c *call, in *bulkInput) (*reply[resource.BulkResult], error) {
	what, err := s.deed(c, &in.Body.Do)
	if err != nil {
		return nil, err
	}
	c.op, c.detail = what.needs, what.detail
	ids, err := s.bulkDevices(c, &in.Body)
	if err != nil {
		return nil, err
	}
	outcomes := s.doAll(ctx, c, ids, what)
	out := resource.BulkResult{Items: []resource.Outcome{}}
	var done []resource.Outcome
	for i, o := range outcomes {
		c.note(o.on, o.err)
		line := resource.Outcome{ID: ids[i], Name: o.name}
		if o.err != nil {
			line.Error = s.sentence(o.err)
			out.Items = append(out.Items, line)
		} else {
			done = append(done, line)
		}
	}
	out.Failed, out.Done = len(out.Items), len(done)
	out.Items = append(out.Items, done...)
	out.Items = out.Items[:min(len(out.Items), maxOutcomes)]
	return replyWith(out), nil
}

// bulkDevices gives the devices that a request is about.
func (s *server) bulkDevices(c *call, b *resource.Bulk) ([]protocol.DeviceID, error) {
	if (b.IDs == nil) == (b.Filter == nil) {
		return nil, invalid("body", "the devices are named by ids or by a filter: give exactly one of them")
	}
	var ids []protocol.DeviceID
	if b.Filter == nil {
		ids = slices.Compact(slices.Sorted(slices.Values(b.IDs)))
	} else {
		if b.Expect == nil {
			return nil, invalid("body.expect", "a filter was given without expect: say how many devices you expect it to find")
		}
		w, err := s.wanted(c, *b.Filter, "body.filter.")
		if err != nil {
			return nil, err
		}
		for x := range s.find(w) {
			ids = append(ids, x.Device.ID)
		}
	}
	if b.Expect != nil && *b.Expect != len(ids) {
		return nil, inField("body.expect", fmt.Errorf("%w: %d devices were expected and %d are meant now: nothing was changed; look at the list again",
			errCount, *b.Expect, len(ids)))
	}
	return ids, nil
}

// done is what became of one device.
type done struct {
	on   access.Resource
	name string
	err  error
}

// doAll does it to one device after the other, some at once; results are in the order of ids. Where the caller goes
// away the rest is left as it is.
func (s *server) doAll(ctx context.Context, c *call, ids []protocol.DeviceID, what *deed) []done {
	out := make([]done, len(ids))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(bulkAtOnce, len(ids)) {
		workers.Go(func() {
			for i := range next {
				out[i] = s.doOne(ctx, c, ids[i], what)
			}
		})
	}
	for i := range ids {
		next <- i
	}
	close(next)
	workers.Wait()
	return out
}

func (s *server) doOne(ctx context.Context, c *call, id protocol.DeviceID, what *deed) (o done) {
	o.on = access.Resource{Kind: "device", ID: string(id)}
	d, ok := s.Devices.Device(id)
	ok = ok && c.eyes().device(&d)
	if ok {
		o.on, o.name = onDevice(&d), d.Name
	}
	switch o.err = c.may(o.on); {
	case o.err != nil:
	case !ok:
		o.err = fmt.Errorf("device %.40q: %w: it was removed, or never approved", id, errNotFound)
	case ctx.Err() != nil:
		o.err = fmt.Errorf("device %s was not reached before the request was given up: %w", id, context.Canceled)
	case what.to != nil:
		o.err = c.mayMove(o.on, *what.to, what.place)
	}
	if o.err == nil {
		o.err = what.do(&d)
	}
	return o
}

// deed reads what is to be done, and refuses what no device can take.
func (s *server) deed(c *call, b *resource.BulkDo) (*deed, error) {
	given := 0
	for _, is := range []bool{b.Patch != nil, b.Command != nil, b.Revoke, b.Remove, b.Confirm} {
		if is {
			given++
		}
	}
	if given != 1 {
		return nil, invalid("body.do", "%d things are to be done: give exactly one of patch, command, revoke, remove and confirm", given)
	}
	switch {
	case b.Command != nil:
		return s.commandDeed(c, b.Command)
	case b.Revoke:
		return &deed{needs: access.DevicesRevoke, detail: "revoked", do: byID(s.Changes.Revoke)}, nil
	case b.Remove:
		return &deed{needs: access.DevicesRevoke, detail: "removed", do: byID(s.Changes.Remove)}, nil
	case b.Confirm:
		yes := true
		return s.patchDeed(resource.DevicePatch{Confirm: &yes}), nil
	}
	labels := map[string]string{}
	for k, v := range b.Patch.Labels {
		if v != nil {
			labels[k] = *v
		}
	}
	if err := fleet.CheckLabels(labels); err != nil {
		return nil, inField("body.do.patch.labels", err)
	}
	return s.patchDeed(resource.DevicePatch{Group: b.Patch.Group, Profile: b.Patch.Profile, Labels: b.Patch.Labels}), nil
}

func (s *server) patchDeed(p resource.DevicePatch) *deed {
	out := &deed{needs: access.DevicesChange, detail: patchText(&p), to: p.Group, do: func(was *fleet.Device) error {
		_, err := s.Changes.Update(was.ID, func(d *fleet.Device) error {
			if d.Group != was.Group {
				return movedMeanwhile(d)
			}
			patchDevice(d, &p)
			return nil
		})
		return err
	}}
	if p.Group != nil {
		out.place = s.place(*p.Group)
	}
	return out
}

func byID(do func(protocol.DeviceID) error) func(*fleet.Device) error {
	return func(d *fleet.Device) error { return do(d.ID) }
}

func (s *server) commandDeed(c *call, b *resource.NewCommand) (*deed, error) {
	spec := s.commandSpec(c, b)
	if b.Kind == protocol.CommandStackRedeploy {
		if _, err := strconv.ParseUint(b.Target, 10, 64); err != nil {
			if _, err := s.statuses(c, b.Target); err != nil {
				return nil, inField("body.do.command.target", err)
			}
		}
	}
	return &deed{needs: rightTo(b.Kind), detail: b.Kind.String() + " " + b.Target, do: func(d *fleet.Device) error {
		spec := spec
		if err := s.mayCommand(c, d, &spec); err != nil {
			return err
		}
		_, err := s.Commands.Give(spec)
		return err
	}}, nil
}
