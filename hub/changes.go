package hub

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/audit"
	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/timeline"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/waitingroom/admission"
)

// sweepEvery is how often commands that can no longer start are ended.
const sweepEvery = 10 * time.Second

// changes holds the fleet's changes until runChanges has passed them on. The fleet tells of them while it holds locks
// that a session may wait for, so nothing is done on the spot. It is safe for concurrent use.
type changes struct {
	mu    sync.Mutex
	queue []fleet.Change
	ready chan struct{}
}

func newChanges() *changes { return &changes{ready: make(chan struct{}, 1)} }

func (c *changes) add(change fleet.Change) {
	c.mu.Lock()
	c.queue = append(c.queue, change)
	c.mu.Unlock()
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

func (c *changes) take() []fleet.Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.queue
	c.queue = nil
	return out
}

// runChanges passes changes of devices on to the parts that go by them.
func (h *Hub) runChanges(ctx context.Context) error {
	for {
		for _, c := range h.changes.take() {
			h.deviceChanged(c)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-h.changes.ready:
		}
	}
}

func (h *Hub) deviceChanged(c fleet.Change) {
	id := c.Device
	switch c.Kind {
	case fleet.ChangeRevoked, fleet.ChangeRemoved:
		h.sessions.Kick(id, revoked())
		h.orders.Forget(id)
		h.tunnels.Drop(id)
		h.report(id, "end its commands", h.book.DeviceGone(id))
		if c.Kind == fleet.ChangeRemoved {
			h.told.forget(id)
			h.forget(id)
			h.report(id, "take it off edge groups", h.sets.DeviceRemoved(id))
		}
	}
	if c.Labels || c.Kind != fleet.ChangeLiveness {
		h.report(id, "work out its edge groups", h.sets.DeviceChanged(id)) // before whoever goes by them
		h.report(id, "work out its stacks", h.planner.DeviceChanged(id))
		h.jobsFollow(id)
		h.report(id, "work out its jobs", h.jobs.DeviceChanged(id))
	}
	if c.Settings {
		h.sessions.Notify(id)
	}
	h.updates.Nudge()
	h.noteChange(c)
	e := events.Event{Kind: "device." + string(c.Kind), Device: id, Group: c.Group, Text: c.Text}
	if c.Kind == fleet.ChangeLiveness {
		e.Text = fmt.Sprintf("%s, was %s", c.Liveness.State, c.Was)
		e.Data = c.Liveness
		e.Passing = c.Routine()
	}
	if c.Kind == fleet.ChangeLiveness || c.Kind == fleet.ChangeUpdated { // a device can bring these about as it likes
		h.publishSaid(e)
		return
	}
	h.events.Publish(e)
}

// tableNotice tells people that a table of passes ends, by an event, in the device's timeline and in the audit trail. The
// fleet tells of each end once.
func (h *Hub) tableNotice(n fleet.TableNotice) {
	whose, kind := "device", "passes-end-soon"
	if n.Is == fleet.TableEnded {
		kind = "passes-ended"
	}
	if n.Device == "" {
		whose = "group"
	} else {
		h.timeline.Note(n.Device, timeline.Entry{Kind: timeline.KindChange, Text: n.Text})
	}
	h.events.Publish(events.Event{Kind: whose + "." + kind, Device: n.Device, Group: n.Group, Text: n.Text})
	entry := audit.Entry{Principal: access.System().String(), Operation: whose + "." + kind, Resource: "group /" + n.Group, Group: n.Group, Result: audit.ResultDone, Detail: n.Text}
	if n.Device != "" {
		entry.Resource = "device " + string(n.Device)
	}
	if err := h.audit.Record(entry); err != nil {
		h.log.Error("write audit trail", "error", err)
	}
}

// forget drops what is stored of a device that was removed.
func (h *Hub) forget(id protocol.DeviceID) {
	h.report(id, "forget its snapshots", h.fold.Forget(id))
	h.report(id, "forget what happened to it", h.timeline.Forget(id))
	h.report(id, "forget what it has spent", h.ledger.Forget(id))
	h.report(id, "forget runs of its jobs", h.jobs.Forget(id))
	h.report(id, "forget what it holds", h.store.PutAcceptedSet(id, nil))
}

// catchUp does what follows the end of a device, for those of which the hub died before it was done.
func (h *Hub) catchUp() {
	for _, id := range h.book.Devices() {
		if h.acceptsCommands(id) != nil {
			h.report(id, "end its commands", h.book.DeviceGone(id))
		}
	}
	strays, err := h.store.Strays(func(id protocol.DeviceID) bool { _, ok := h.fleet.Device(id); return ok })
	if err != nil {
		h.log.Error("look for what is left of removed devices", "error", err)
	}
	for _, id := range strays {
		h.forget(id)
	}
	for _, id := range h.jobs.Known() {
		if _, there := h.fleet.Device(id); !there {
			h.report(id, "forget runs of its jobs", h.jobs.Forget(id))
		}
	}
	for _, d := range h.fleet.Devices() {
		h.jobsFollow(d.ID)
	}
}

func (h *Hub) report(id protocol.DeviceID, doing string, err error) {
	if err != nil {
		h.log.Error("device changed: "+doing, "device", id, "error", err)
	}
}

// sweep ends commands that can no longer start.
func (h *Hub) sweep(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if err := h.book.Sweep(now); err != nil {
				h.log.Error("end expired commands", "error", err)
			}
		}
	}
}

// notify says that the orders of a device may have changed.
func (h *Hub) notify(id protocol.DeviceID) {
	if h.sessions != nil { // parts may tell of what they found when they were opened
		h.sessions.Notify(id)
	}
}

func (h *Hub) acceptsCommands(id protocol.DeviceID) error {
	_, err := sessionDevices{fleet: h.fleet}.Key(id)
	return err
}

func (h *Hub) stackNotice(n planner.Notice) {
	e := events.Event{Kind: n.Kind, Stack: n.Stack, Device: n.Device, Text: n.Text, Group: n.Group, Owner: n.Owner}
	if n.Device != "" {
		e.Group = h.groupOf(n.Device)
	}
	if n.Version != 0 || n.By != "" {
		e.Data = map[string]any{"version": n.Version, "by": n.By}
	}
	if n.Device != "" {
		h.noteStack(n)
	}
	if n.Device != "" && n.By == "" {
		h.publishSaid(e)
		return
	}
	h.events.Publish(e)
	if n.Kind == planner.KindRemoved {
		h.sourceGone(n.Stack)
	}
}

func (h *Hub) commandNotice(n commands.Notice) {
	r := n.Record
	if n.Kind == commands.KindEnded && h.updates != nil { // not yet while the hub is being assembled
		h.updates.Ended(r)
	}
	h.noteCommand(n)
	h.events.Publish(events.Event{
		Kind: n.Kind, Device: r.Device, Group: h.groupOf(r.Device), Owner: r.Owner, Text: fmt.Sprintf("%s %s: %s", r.Kind, r.Target, r.State),
		Data: map[string]any{"command": r.ID, "state": r.State, "by": r.By},
	})
}

func (h *Hub) waitingNote(n admission.Note) {
	h.events.Publish(events.Event{Kind: n.Kind, Device: n.Device, Group: n.Group, Text: n.Text})
}

func (h *Hub) deviceNote(id protocol.DeviceID, kind, text string) {
	h.timeline.Note(id, timeline.Entry{Kind: timeline.KindIdentity, Text: text, State: kind})
	h.publishSaid(events.Event{Kind: kind, Device: id, Text: text})
}

// groupOf is the group of a device now; "" where it is not there.
func (h *Hub) groupOf(id protocol.DeviceID) string {
	d, _ := h.fleet.Device(id)
	return d.Group
}

func (h *Hub) settings(id protocol.DeviceID) protocol.Settings {
	e, _ := h.fleet.Effective(id)
	return e.Settings
}
