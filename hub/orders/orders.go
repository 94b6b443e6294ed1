// Package orders makes the signed orders of each device: what it has to be told to hold the settings, the desired set
// and the commands that it shall hold.
//
// It works by comparison, not by history: it knows what a device has (from its hello, and from what it was told
// since), asks its Sources what it shall have, and puts the difference into an order. A device that has everything is
// told nothing; one that was away for a year gets one difference. The set a device is known to hold is kept through
// restarts of the hub, so that a difference is enough then too.
//
// It never sends anything, and never decides what a device shall have.
//
// A Desk is safe for concurrent use; calls for one device are made one after another by its session.
package orders

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Bounds of one order, so that its frame stays below protocol.MaxFrame. What does not fit goes into a further order.
const (
	maxBody     = 160 << 10
	maxCommands = 64
)

// ErrTooLarge is wrapped when a single entry, or a whole set to a device whose set is not known, does not fit an
// order.
var ErrTooLarge = errors.New("does not fit an order")

// Sources say what a device shall have.
type Sources interface {
	// Settings are the effective settings.
	Settings(protocol.DeviceID) protocol.Settings
	// Desired is the whole desired set; the caller does not change it.
	Desired(protocol.DeviceID) []protocol.Entry
	// Pending are the commands that the device has to be told, urgent first; those it has been told stay in the list
	// until they have their result.
	Pending(dev protocol.DeviceID, now time.Time) []protocol.Command
	// Repealed are commands that were sent and then withdrawn, without a result yet.
	Repealed(protocol.DeviceID) []protocol.CommandID
	// Tunnel is the tunnel that the device has to be asked for; nil: none.
	Tunnel(protocol.DeviceID) *protocol.TunnelAsk
	// Sent says that the device has accepted commands.
	Sent(protocol.DeviceID, []protocol.CommandID) error
	// NotTaken says that commands which were on their way have not arrived, and will not.
	NotTaken(protocol.DeviceID, []protocol.CommandID)
}

// Store keeps the desired set that a device is known to hold.
type Store interface {
	// AcceptedSet returns the set that was put last; nil: none.
	AcceptedSet(protocol.DeviceID) ([]protocol.Entry, error)
	// PutAcceptedSet replaces it.
	PutAcceptedSet(protocol.DeviceID, []protocol.Entry) error
}

// Config of a Desk.
type Config struct {
	// Key is the hub key.
	Key ed25519.PrivateKey
	// Epoch of the hub's identity; it grows when a hub is restored from a backup. 0 counts as 1.
	Epoch   uint64
	Sources Sources
	// Store keeps accepted sets through restarts. nil: they are forgotten, and a device whose set differs after a
	// restart of the hub is told its whole set.
	Store Store
	Log   *slog.Logger
}

// Desk makes orders.
type Desk struct {
	c Config

	mu      sync.Mutex
	devices map[protocol.DeviceID]*holding
}

// holding is what a device has, in so far as it is known.
type holding struct {
	mu sync.Mutex

	settings protocol.ShortHash
	agent    uint             // what the agent understands of the protocol, as its hello says
	set      []protocol.Entry // nil: not known
	mark     protocol.OrderMark
	epoch    uint64                      // of the last order that the device has, or is being told; 0: it has none
	told     map[protocol.CommandID]bool // commands of this session
	repealed map[protocol.CommandID]bool // withdrawals of this session
	tunnel   protocol.TunnelID           // that it was asked for last, in this session
	under    []order                     // made, not yet accepted; oldest first
	accepted []protocol.Entry            // what the device has accepted for sure
	loaded   bool                        // accepted was read from the store
}

// order is what has to be remembered of an order until the device has accepted it.
type order struct {
	mark     protocol.OrderMark
	desired  bool
	set      []protocol.Entry // that results; only if desired
	commands []protocol.CommandID
}

// New returns a Desk.
func New(c Config) *Desk {
	c.Epoch = max(c.Epoch, 1)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Desk{c: c, devices: map[protocol.DeviceID]*holding{}}
}

func (k *Desk) holding(dev protocol.DeviceID) *holding {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := k.devices[dev]
	if h == nil {
		h = &holding{}
		k.devices[dev] = h
	}
	return h
}

// Settings are the effective settings of the device.
func (k *Desk) Settings(dev protocol.DeviceID) protocol.Settings { return k.c.Sources.Settings(dev) }

// Forget drops what is known of a device that is not one any more.
func (k *Desk) Forget(dev protocol.DeviceID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.devices, dev)
}

// Begin takes over what the device has, as its hello says. Orders that were under way have arrived or are lost: the
// mark of the last that it accepted tells which.
func (k *Desk) Begin(dev protocol.DeviceID, hello *protocol.Hello) {
	h := k.holding(dev)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.load(k, dev)
	h.settings, h.agent = hello.Settings, hello.Capability
	h.set = h.recognise(hello.Desired, k.c.Sources.Desired(dev))
	mark := protocol.OrderMark{Epoch: hello.OrderEpoch, Seq: hello.OrderSeq}
	h.epoch = hello.OrderEpoch
	if h.mark.Before(mark) {
		h.mark = mark
	}
	for _, o := range h.under {
		switch {
		case len(o.commands) == 0:
		case mark.Before(o.mark):
			k.c.Sources.NotTaken(dev, o.commands)
		default:
			h.sent(k, dev, o.commands)
		}
	}
	h.told, h.repealed, h.under, h.tunnel = nil, nil, nil, protocol.TunnelID{}
	if h.set != nil {
		h.accept(k, dev, h.set)
	}
}

// recognise finds the set that has this hash among those the device may hold; nil: none of them.
func (h *holding) recognise(hash protocol.ShortHash, wanted []protocol.Entry) []protocol.Entry {
	if hash.IsZero() {
		return []protocol.Entry{}
	}
	candidates := [][]protocol.Entry{wanted, h.accepted}
	for _, o := range h.under { // an acknowledgement may have been lost with the session
		if o.desired {
			candidates = append(candidates, o.set)
		}
	}
	for _, set := range candidates {
		if protocol.DesiredHash(set) == hash {
			return set
		}
	}
	return nil
}

func (h *holding) load(k *Desk, dev protocol.DeviceID) {
	if h.loaded || k.c.Store == nil {
		return
	}
	set, err := k.c.Store.AcceptedSet(dev)
	if err != nil {
		k.c.Log.Warn("the set a device holds could not be read, it will be told its whole set", "device", dev, "error", err)
	}
	h.accepted, h.loaded = set, true
}

// accept remembers the set that the device holds for sure.
func (h *holding) accept(k *Desk, dev protocol.DeviceID, set []protocol.Entry) {
	if protocol.DesiredHash(h.accepted) == protocol.DesiredHash(set) {
		return
	}
	h.accepted = set
	if k.c.Store == nil {
		return
	}
	if err := k.c.Store.PutAcceptedSet(dev, set); err != nil {
		k.c.Log.Warn("the set a device holds could not be kept, it may be told its whole set again", "device", dev, "error", err)
	}
}

// Acked says that the device has accepted the orders up to mark.
func (k *Desk) Acked(dev protocol.DeviceID, mark protocol.OrderMark) {
	h := k.holding(dev)
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.under) > 0 && !mark.Before(h.under[0].mark) {
		o := h.under[0]
		h.under = h.under[1:]
		if o.desired {
			h.accept(k, dev, o.set)
		}
		if len(o.commands) > 0 {
			h.sent(k, dev, o.commands)
		}
	}
}

func (h *holding) sent(k *Desk, dev protocol.DeviceID, ids []protocol.CommandID) {
	if err := k.c.Sources.Sent(dev, ids); err != nil {
		k.c.Log.Warn("commands could not be marked as sent", "device", dev, "error", err)
	}
}

// Next returns what the device has to be told beyond what it has been told since Begin; nil: nothing.
func (k *Desk) Next(dev protocol.DeviceID) (*protocol.Orders, error) {
	h := k.holding(dev)
	h.mu.Lock()
	defer h.mu.Unlock()
	var (
		body protocol.OrderBody
		o    order
	)
	settings := k.c.Sources.Settings(dev).For(h.agent)
	if settings.Hash() != h.settings {
		body.Settings = &settings
	}
	if err := h.desired(k.c.Sources.Desired(dev), &body, &o); err != nil {
		return nil, fmt.Errorf("orders for device %s: %w", dev, err)
	}
	h.commands(k.c.Sources, dev, &body, &o)
	if ask := k.c.Sources.Tunnel(dev); ask != nil && ask.Session != h.tunnel {
		body.Tunnel = ask
	}
	// An order of a new epoch, be it empty, makes the device say again what this hub may have lost.
	entered := h.epoch == 0 || h.epoch >= k.c.Epoch
	if entered && body.Settings == nil && body.Desired == nil && len(body.Commands) == 0 && len(body.Repeal) == 0 && body.Tunnel == nil {
		return nil, nil
	}
	o.mark = k.nextMark(h.mark)
	signed, err := protocol.SignOrders(k.c.Key, dev, o.mark, &body)
	if err != nil {
		return nil, fmt.Errorf("sign orders for device %s: %w", dev, err)
	}
	h.tell(&body, o)
	return signed, nil
}

// nextMark follows last: this hub's epoch or the device's, whichever is later, and the clock in microseconds, or one
// more than the last where the clock stood or went back.
func (k *Desk) nextMark(last protocol.OrderMark) protocol.OrderMark {
	mark := protocol.OrderMark{Epoch: max(k.c.Epoch, last.Epoch), Seq: uint64(max(time.Now().UnixMicro(), 1))}
	if mark.Epoch == last.Epoch {
		mark.Seq = max(mark.Seq, last.Seq+1)
	}
	return mark
}

// tell takes over that the device is being told body.
func (h *holding) tell(body *protocol.OrderBody, o order) {
	h.mark, h.epoch = o.mark, o.mark.Epoch
	if body.Settings != nil {
		h.settings = body.Settings.Hash()
	}
	if o.desired {
		h.set = o.set
	}
	if body.Tunnel != nil {
		h.tunnel = body.Tunnel.Session
	}
	for _, c := range body.Commands {
		if h.told == nil {
			h.told = map[protocol.CommandID]bool{}
		}
		h.told[c.ID] = true
		o.commands = append(o.commands, c.ID)
	}
	for _, id := range body.Repeal {
		if h.repealed == nil {
			h.repealed = map[protocol.CommandID]bool{}
		}
		h.repealed[id] = true
	}
	h.under = append(h.under, o)
}

// commands puts into body what the device has not been told in this session, and forgets about those that are over.
func (h *holding) commands(from Sources, dev protocol.DeviceID, body *protocol.OrderBody, o *order) {
	pending := from.Pending(dev, time.Now())
	still := make(map[protocol.CommandID]bool, len(pending))
	for _, c := range pending {
		still[c.ID] = true
		if !h.told[c.ID] && len(body.Commands) < maxCommands {
			body.Commands = append(body.Commands, c)
		}
	}
	for id := range h.told {
		if !still[id] {
			delete(h.told, id)
		}
	}
	withdrawn := from.Repealed(dev)
	still = make(map[protocol.CommandID]bool, len(withdrawn))
	for _, id := range withdrawn {
		still[id] = true
		if !h.repealed[id] && len(body.Repeal) < maxCommands {
			body.Repeal = append(body.Repeal, id)
		}
	}
	for id := range h.repealed {
		if !still[id] {
			delete(h.repealed, id)
		}
	}
}
