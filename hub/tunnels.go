package hub

import (
	"time"

	"github.com/farshore/farshore/hub/events"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/hub/tunnel"
	"github.com/farshore/farshore/protocol"
)

// openTunnels makes what has devices open tunnels. It comes before whoever asks for their orders.
func (h *Hub) openTunnels() (err error) {
	h.tunnels, err = tunnel.New(tunnel.Config{
		Key: h.identity.Key(), Notify: h.notify, Log: h.log,
		Device: func(id protocol.DeviceID) (tunnel.Device, bool) {
			d, ok := h.fleet.Device(id)
			if !ok || d.Revoked != 0 {
				return tunnel.Device{}, false
			}
			live := h.fleet.Liveness(id, time.Now()).State
			return tunnel.Device{
				Key: d.Key, Mode: d.Mode, Capability: d.Capability, Reachable: live == fleet.OnTime || live == fleet.Late,
			}, true
		},
		Opened: func(s tunnel.Session) { h.tunnelNote("tunnel.opened", s) },
		Ended:  func(s tunnel.Session) { h.tunnelNote("tunnel.closed", s) },
	})
	return err
}

func (h *Hub) tunnelNote(kind string, s tunnel.Session) {
	h.events.Publish(events.Event{Kind: kind, Device: s.Device, Group: h.groupOf(s.Device), Text: s.Why, Data: map[string]any{
		"by": s.By, "up": s.Up, "down": s.Down, "channels": s.Served,
	}})
}
