package api

import (
	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/hub/edgegroups"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/waitingroom"
)

// Where things are, for access.Authorize. What is on a device, such as a stack's state there, a container or a command,
// is where the device is, and has the owner of its stack.

func onDevice(d *fleet.Device) access.Resource {
	return access.Resource{Kind: "device", ID: string(d.ID), Group: d.Group, Device: string(d.ID)}
}

// ownedOn is something of an owner's on a device.
func ownedOn(d *fleet.Device, owner protocol.Owner) access.Resource {
	on := onDevice(d)
	on.Owner = &owner
	return on
}

func onStack(s *stacks.Stack) access.Resource {
	return access.Resource{Kind: "stack", ID: s.Name, Group: s.Group, Owner: &s.Owner}
}

func onJob(j *jobs.Job) access.Resource {
	return access.Resource{Kind: "job", ID: j.Name, Group: j.Reach.Group, Owner: &j.Owner}
}

func onEdgeGroup(g *edgegroups.Group) access.Resource {
	return access.Resource{Kind: "edge-group", ID: g.Name, Group: g.Home, Owner: &g.Owner}
}

func onWaiting(w *waitingroom.Waiting, groups map[string]string) access.Resource {
	return access.Resource{Kind: "device", ID: string(w.ID), Group: groups[w.EnrolmentKey]}
}

// eyes are what one caller may see, as of when the request began. Lists are looked through with them, and so is what
// stands in an answer beside the thing that the right was asked for. For who may see all they cost next to nothing.
type eyes struct {
	s                                                 *server
	devices, stacks, snapshots, ofCommand, edgeGroups access.Scope
	jobs                                              access.Scope
	allDevices, allParts                              bool
}

// eyes are made once for a request, whichever of its goroutines asks first.
func (c *call) eyes() *eyes {
	c.looks.Do(func() { c.sees = c.s.eyesOf(c.who) })
	return c.sees
}

func (s *server) eyesOf(who access.Principal) *eyes {
	y := &eyes{
		s: s, devices: s.Accounts.Scope(who, access.DevicesRead), stacks: s.Accounts.Scope(who, access.StacksRead),
		snapshots: s.Accounts.Scope(who, access.SnapshotsRead), ofCommand: s.Accounts.Scope(who, access.CommandsRead),
		edgeGroups: s.Accounts.Scope(who, access.EdgeGroupsRead), jobs: s.Accounts.Scope(who, access.JobsRead),
	}
	y.allDevices = y.devices.All()
	y.allParts = y.stacks.All() && y.snapshots.All() && y.ofCommand.All() && y.jobs.All()
	return y
}

func (y *eyes) device(d *fleet.Device) bool { return y.allDevices || y.devices.Covers(onDevice(d)) }

func (y *eyes) stack(rec *stacks.Stack) bool { return y.allParts || y.stacks.Covers(onStack(rec)) }

func (y *eyes) job(rec *jobs.Job) bool { return y.allParts || y.jobs.Covers(onJob(rec)) }

// jobOn: a job's runs on a device are seen by who sees the device and reaches its owner's things there.
func (y *eyes) jobOn(d *fleet.Device, owner protocol.Owner) bool {
	return y.allParts || y.jobs.Covers(ownedOn(d, owner))
}

func (y *eyes) edgeGroup(g *edgegroups.Group) bool { return y.edgeGroups.Covers(onEdgeGroup(g)) }

// stackOn: a stack's state on a device is seen by who sees the device and reaches its owner's things there.
func (y *eyes) stackOn(d *fleet.Device, owner protocol.Owner) bool {
	return y.allParts || y.stacks.Covers(ownedOn(d, owner))
}

func (y *eyes) command(d *fleet.Device, r *commands.Record) bool {
	return y.allParts || y.ofCommand.Covers(ownedOn(d, r.Owner))
}

// whole reports whether all of a device's snapshot is seen, whosever it is.
func (y *eyes) whole(d *fleet.Device) bool {
	return y.allParts || y.snapshots.Covers(ownedOn(d, protocol.Owner{}))
}

// lore is what is seen of a device's last snapshot, where known is remembered of all of it. Nil: nothing.
func (y *eyes) lore(d *fleet.Device, known *snapshotLore) *snapshotLore {
	if y.whole(d) {
		return y.s.lore.snapshot(y.s.Snapshots, d.ID, known)
	}
	if !y.snapshots.Covers(onDevice(d)) {
		return nil
	}
	// What is seen differs with the caller, so that it is not remembered.
	state, err := y.s.Snapshots.Latest(d.ID)
	if err != nil {
		return nil
	}
	snap, err := state.Snapshot()
	if err != nil {
		return nil
	}
	y.reduce(d, &snap)
	return newSnapshotLore(&snap)
}

// tally counts the stacks of a device that are seen.
func (y *eyes) tally(d *fleet.Device) (n resource.StackCounts) {
	if y.allParts || y.stackOn(d, protocol.Owner{}) {
		t := y.s.Stacks.Tally(d.ID)
		return resource.StackCounts{All: t.All, OK: t.Running, Failed: t.Failed}
	}
	for _, st := range y.s.Stacks.DeviceStacks(d.ID) {
		if rec, ok := y.s.Stacks.Record(st.Stack); !ok || !y.stackOn(d, rec.Owner) {
			continue
		}
		n.All++
		switch st.State {
		case protocol.StackRunning:
			n.OK++
		case protocol.StackFailed, protocol.StackDegraded:
			n.Failed++
		}
	}
	return n
}

// openOn counts the open commands of a device that are seen.
func (y *eyes) openOn(d *fleet.Device) int {
	if y.allParts || y.ofCommand.Covers(ownedOn(d, protocol.Owner{})) {
		return y.s.Commands.Open(d.ID)
	}
	n := 0
	for _, state := range []protocol.CommandState{protocol.CommandQueued, protocol.CommandSent, protocol.CommandWaiting} {
		records, err := y.s.Commands.List(commands.Filter{Device: d.ID, State: state, Limit: commands.MaxOpen})
		if err != nil {
			return 0
		}
		for i := range records {
			if y.command(d, &records[i]) {
				n++
			}
		}
	}
	return n
}
