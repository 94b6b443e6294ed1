package exchange

import (
	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// Economy says what the link may carry. All methods are safe for concurrent use and touch no disk, except Reported.
type Economy interface {
	// Rules takes new rules into force; nil: none. It is called by New, and with each order of settings.
	Rules(*protocol.LinkRules)
	// Stage of spending.
	Stage() protocol.Spending
	// Opening gives the time of contact of now or else the next one. !ok: there is none any more.
	Opening() (o economy.Opening, ok bool)
	// May reports whether n more bytes may be spent on the class now, by stage and by opening.
	May(class protocol.Class, n uint64, urgent bool) bool
	// Sent says what class that was for which has gathered upwards on the hub's connection, Received the same downwards.
	// Both return how many bytes that were on the wire.
	Sent(class protocol.Class) uint64
	Received(class protocol.Class) uint64
	// ReceivedAtMost is Received for at most n bytes: what is beyond is of a frame that has not come whole.
	ReceivedAtMost(class protocol.Class, n uint64) uint64
	// Usage is what should go with the next frame that is sent anyway. !ok: nothing new.
	Usage() (u protocol.Usage, ok bool)
	// Reported says that the hub has acknowledged it.
	Reported(u protocol.Usage) error
	// Changed receives when stage, rules or opening have changed.
	Changed() <-chan struct{}
}

// urgency of what is to be spent.
type urgency bool

const (
	urgent urgency = true
	usual  urgency = false
)

// may reports whether n more bytes may be spent on the class now.
func (e *Exchange) may(class protocol.Class, n uint64, u urgency) bool {
	return e.cfg.Economy == nil || e.cfg.Economy.May(class, n, bool(u))
}

// changes receives when the economy has changed; never without one.
func (e *Exchange) changes() <-chan struct{} {
	if e.cfg.Economy == nil {
		return nil
	}
	return e.cfg.Economy.Changed()
}

// rules takes what settings say of the link into force.
func (e *Exchange) rules(s protocol.Settings) {
	if e.cfg.Economy != nil {
		e.cfg.Economy.Rules(s.Link)
	}
}

// ordered are the settings as the hub has ordered them, inForce those that the device goes by at its stage of spending.
func (e *Exchange) ordered() protocol.Settings { return Effective(e.cfg.State, e.cfg.Mode) }

func (e *Exchange) inForce() protocol.Settings {
	if e.cfg.Economy == nil {
		return e.ordered()
	}
	return economy.At(e.ordered(), e.cfg.Economy.Stage())
}

// sent and received say what class the bytes were for that have passed, and return how many.
func (e *Exchange) sent(class protocol.Class) uint64 {
	if e.cfg.Economy == nil {
		return 0
	}
	return e.cfg.Economy.Sent(class)
}

func (e *Exchange) received(class protocol.Class) uint64 {
	if e.cfg.Economy == nil {
		return 0
	}
	return e.cfg.Economy.Received(class)
}

// receivedFrame is received for a frame of so many bytes: what has come with it is of the next one.
func (e *Exchange) receivedFrame(class protocol.Class, size int) uint64 {
	if e.cfg.Economy == nil {
		return 0
	}
	return e.cfg.Economy.ReceivedAtMost(class, uint64(size+size/8)+envelope)
}

// envelope is how many bytes a frame may have around it, with acknowledgements of what was sent meanwhile. The headers of
// its segments and of TLS are less than an eighth of it.
const envelope = 400

// passed says that what has passed in both directions was for the session itself.
func (e *Exchange) passed() {
	e.sent(protocol.ClassSession)
	e.received(protocol.ClassSession)
}

// usage gives the message that tells the hub what was spent, and what is to be done when the hub has it. A frame that is
// sent anyway may carry it. ok is false while there is nothing new, or the hub would not understand it.
func (c *connection) usage() (m protocol.Message, onAck func() error, ok bool) {
	if c.cfg.Economy == nil || c.agreed < 4 || c.telling {
		return m, nil, false
	}
	u, ok := c.cfg.Economy.Usage()
	if !ok {
		return m, nil, false
	}
	m, err := protocol.NewMessage(protocol.KindUsage, u)
	if err != nil {
		c.log.Error("usage could not be encoded", "error", err)
		return m, nil, false
	}
	c.telling = true
	return m, func() error {
		c.telling = false
		return c.cfg.Economy.Reported(u)
	}, true
}
