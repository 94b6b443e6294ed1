package hub

import (
	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/economy/ledger"
	"github.com/farshore/farshore/hub/access"
	"github.com/farshore/farshore/hub/audit"
	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/hub/session"
	"github.com/farshore/farshore/hub/timeline"
	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
)

func (h *Hub) openLedger() (err error) {
	h.ledger, err = ledger.New(ledger.Config{
		Store:   h.store,
		Link:    h.linkOf,
		Spent:   func(fn func(protocol.DeviceID, meter.Counts)) { h.sessions.SpentByEach(fn) },
		SpentBy: func(id protocol.DeviceID) meter.Counts { return h.sessions.Spent(id) },
		Stage:   h.fleet.InferStage,
		Tell:    h.usageNotice,
		Log:     h.log,
	})
	return err
}

// linkOf is what a device's settings say of its link.
func (h *Hub) linkOf(id protocol.DeviceID) (ledger.Link, bool) {
	e, ok := h.fleet.Effective(id)
	return ledger.Link{Rules: e.Settings.Link, Tariff: e.Tariff, Profile: e.Settings.Profile, Connect: economy.Connect(e.Settings)}, ok
}

func (h *Hub) onUsage(p *session.Peer, u protocol.Usage) ([]protocol.Message, error) {
	r := ledger.Report{Device: p.ID, At: p.At, Usage: u}
	copy(r.Boot[:], p.Hello.BootID)
	if err := h.ledger.Report(r); err != nil {
		return nil, err
	}
	f, _ := h.ledger.Figures(p.ID)
	h.fleet.SetStage(p.ID, f.Stage)
	return nil, nil
}

// usageNotice tells of what devices spend: in the stream of events and the device's timeline and, where it is an alert, in
// the audit trail, which is forwarded, so that webhooks and logs elsewhere get it. Of alerts there is one in a cycle, or one
// in a day for each class; a device may change its stage as it likes, so that is no entry of the trail.
func (h *Hub) usageNotice(n ledger.Notice) {
	e := events.Event{Kind: "usage." + string(n.Kind), Device: n.Device, Text: n.Text}
	if n.Kind != ledger.Staged {
		h.recordAlert(n)
	}
	if n.Device == "" {
		h.events.Publish(e)
		return
	}
	h.timeline.Note(n.Device, timeline.Entry{Kind: timeline.KindUsage, Text: n.Text, State: string(n.Kind)})
	h.publishSaid(e)
}

func (h *Hub) recordAlert(n ledger.Notice) {
	e := audit.Entry{
		Principal: access.System().String(), Operation: "usage." + string(n.Kind), Result: audit.ResultDone, Detail: n.Text,
	}
	if n.Device != "" {
		e.Resource, e.Group = "device "+string(n.Device), h.groupOf(n.Device)
	}
	if err := h.audit.Record(e); err != nil {
		h.log.Error("write audit trail", "error", err)
	}
}
