package hub

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/session"
	"github.com/farshore/farshore/hub/timeline"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot/fold"
)

// handlers is the table of messages that devices send.
func (h *Hub) handlers() map[protocol.Kind]session.Handler {
	return map[protocol.Kind]session.Handler{
		protocol.KindSnapshot: handle(h.onSnapshot),
		protocol.KindOverdue:  handle(h.onOverdue),
		protocol.KindStatus: handle(func(p *session.Peer, st protocol.StackStatus) ([]protocol.Message, error) {
			return nil, h.planner.Status(p.ID, st)
		}),
		protocol.KindResult: handle(func(p *session.Peer, r protocol.CommandResult) ([]protocol.Message, error) {
			return nil, h.book.Result(p.ID, r)
		}),
		protocol.KindOutput: handle(func(p *session.Peer, o protocol.Output) ([]protocol.Message, error) {
			return nil, h.book.Output(p.ID, o)
		}),
		protocol.KindWant: handle(func(p *session.Peer, w protocol.Want) ([]protocol.Message, error) {
			return h.blobs.Answer(p.ID, w)
		}),
		protocol.KindEvent: handle(h.onEvent),
		protocol.KindUsage: handle(h.onUsage),

		protocol.KindJobRun:    handle(h.onJobRun),
		protocol.KindJobOutput: handle(h.onJobOutput),
		protocol.KindTunnel: handle(func(p *session.Peer, r protocol.TunnelRefusal) ([]protocol.Message, error) {
			h.tunnels.Refused(p.ID, r)
			return nil, nil
		}),
	}
}

// handle decodes a message for a handler. What is malformed is refused for good.
func handle[T any](fn func(*session.Peer, T) ([]protocol.Message, error)) session.Handler {
	return func(_ context.Context, from *session.Peer, m protocol.Message) ([]protocol.Message, error) {
		var body T
		if err := m.Decode(&body); err != nil {
			return nil, refuse(m.Kind, err)
		}
		answer, err := fn(from, body)
		if errors.Is(err, protocol.ErrMalformed) || errors.Is(err, protocol.ErrTooLarge) {
			return nil, refuse(m.Kind, err)
		}
		return answer, err
	}
}

func refuse(kind protocol.Kind, err error) error {
	text := err.Error()
	return &protocol.Error{Code: protocol.CodeOf(err), Kind: kind, Text: text[:min(len(text), protocol.MaxText)]}
}

func (h *Hub) onSnapshot(p *session.Peer, u protocol.SnapshotUpdate) ([]protocol.Message, error) {
	needFull, err := h.fold.Apply(p.ID, u, p.At)
	if err != nil {
		return nil, err
	}
	if needFull {
		m, err := protocol.NewMessage(protocol.KindFullWanted, struct{}{})
		return []protocol.Message{m}, err
	}
	if u.At == 0 {
		h.told.clear(p.ID)
	}
	h.noteFacts(p.ID)
	h.events.Publish(events.Event{Kind: "device.snapshot", Device: p.ID, Group: h.groupOf(p.ID), Passing: true})
	return nil, nil
}

// noteFacts keeps the labels below farshore.io/ in step with the last snapshot.
func (h *Hub) noteFacts(id protocol.DeviceID) {
	state, err := h.fold.Latest(id)
	if err == nil {
		snap, decodeErr := state.Snapshot()
		err = decodeErr
		if err == nil {
			err = h.fleet.SetFacts(id, fleet.SnapshotFacts{
				Arch: snap.Host.Arch, OS: snap.Host.OS, Engine: snap.Engine.Kind, EngineVersion: snap.Engine.Version,
			})
		}
	}
	if err != nil {
		h.log.Error("note facts of the last snapshot", "device", id, "error", err)
	}
}

func (h *Hub) onOverdue(p *session.Peer, o protocol.Overdue) ([]protocol.Message, error) {
	if o.Since == 0 {
		h.told.clear(p.ID)
		return nil, nil
	}
	o.Reason = protocol.Printable(o.Reason, protocol.MaxText)
	h.told.set(p.ID, o)
	h.publishSaid(events.Event{Kind: "device.capture-overdue", Device: p.ID, Text: o.Reason})
	return nil, nil
}

func (h *Hub) onEvent(p *session.Peer, e protocol.DeviceEvent) ([]protocol.Message, error) {
	at := p.At
	if e.At > 0 && time.Unix(e.At, 0).Before(at) {
		at = time.Unix(e.At, 0)
	}
	if !h.told.newEvent(p.ID, e.ID) {
		return nil, nil
	}
	text := protocol.Printable(e.Text, protocol.MaxText)
	h.timeline.Note(p.ID, timeline.Entry{Kind: timeline.KindTold, At: at.UnixMilli(), Text: text, State: protocol.Printable(e.Kind, maxKind)})
	h.publishSaid(events.Event{
		Kind: "device.told." + protocol.Printable(e.Kind, maxKind), Device: p.ID, At: at,
		Text: text,
	})
	return nil, nil
}

// maxKind is the most bytes of the kind of an event that a device tells.
const maxKind = 64

// publishSaid publishes an event that a device brought about, unless it brings about so many that they would push out
// those of all others.
func (h *Hub) publishSaid(e events.Event) {
	e.Group = h.groupOf(e.Device)
	switch h.told.spend(e.Device, time.Now()) {
	case inQuota:
		h.events.Publish(e)
	case exceeded:
		h.log.Warn("device brings about too many events, some are left out", "device", e.Device, "event", e.Kind)
		h.events.Publish(events.Event{
			Kind: "device.events-left-out", Device: e.Device, Group: e.Group,
			Text: "the device brings about more events than are kept of one device: some are left out",
		})
	case leftOut:
	}
}

// snapshotHash is the hash of the last state known of a device.
func (h *Hub) snapshotHash(id protocol.DeviceID) protocol.ShortHash {
	state, err := h.fold.Latest(id)
	if err != nil {
		if !errors.Is(err, fold.ErrNone) {
			h.log.Error("read last snapshot", "device", id, "error", err)
		}
		return protocol.ShortHash{}
	}
	return state.Hash
}

// told is what devices have said of late captures, and the last event each has told. It is safe for concurrent use.
type told struct {
	mu     sync.Mutex
	said   map[protocol.DeviceID]protocol.Overdue
	events map[protocol.DeviceID]uint64
	quotas map[protocol.DeviceID]quota
}

// A device may bring about eventBurst events at once, and one each eventEvery after that.
const (
	eventBurst = 500
	eventEvery = time.Second
)

// quota is how many events a device may still bring about, counted at a time.
type quota struct {
	left    int
	at      time.Time
	leaving bool // events are left out, and that was told
}

// verdict on an event that a device brings about.
type verdict int

const (
	inQuota  verdict = iota
	exceeded         // this is the first that is left out
	leftOut
)

// spend takes an event from the device's quota.
func (o *told) spend(id protocol.DeviceID, now time.Time) verdict {
	o.mu.Lock()
	defer o.mu.Unlock()
	q, ok := o.quotas[id]
	if !ok {
		q = quota{left: eventBurst, at: now}
	}
	if n := int(min(now.Sub(q.at)/eventEvery, eventBurst)); n > 0 {
		q.left, q.at = min(q.left+n, eventBurst), now
	}
	result := leftOut
	switch {
	case q.left > 0:
		result = inQuota
		q.left--
		q.leaving = q.leaving && q.left < eventBurst/2
	case !q.leaving:
		result, q.leaving = exceeded, true
	}
	o.quotas[id] = q
	return result
}

func newTold() *told {
	return &told{said: map[protocol.DeviceID]protocol.Overdue{}, events: map[protocol.DeviceID]uint64{}, quotas: map[protocol.DeviceID]quota{}}
}

func (o *told) set(id protocol.DeviceID, said protocol.Overdue) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.said[id] = said
}

func (o *told) clear(id protocol.DeviceID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.said, id)
}

func (o *told) overdue(id protocol.DeviceID) (protocol.Overdue, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	said, ok := o.said[id]
	return said, ok
}

// newEvent reports whether the event is new; one that came again after its acknowledgement was lost is not.
func (o *told) newEvent(id protocol.DeviceID, event uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.events[id] == event {
		return false
	}
	o.events[id] = event
	return true
}

func (o *told) forget(id protocol.DeviceID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.said, id)
	delete(o.events, id)
	delete(o.quotas, id)
}
