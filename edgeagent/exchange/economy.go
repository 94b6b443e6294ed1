package exchange

import (
	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/protocol"
)

// Economy says what the link may carry. All methods are safe for concurrent use and touch no disk, except Reported.
type Economy interface {
	// Rules takes new rules into force; nil: none. It is called when the exchange is made, and with each order of settings.
	Rules(*protocol.LinkRules)
	// Stage of spending.
	Stage() protocol.Spending
	// Opening gives the time of contact of now or else the next one. !ok: there is none any more.
	Opening() (o economy.Opening, ok bool)
	// May reports whether n more bytes may be spent on the class now, by stage and by opening.
	May(class protocol.Class, n uint64, urgent bool) bool
	// Sent says what class that was for which has gathered upwards on the hub's connection, Received the same downwards.
	Sent(class protocol.Class)
	Received(class protocol.Class)
	// Usage is what should go with the next frame that is sent anyway. !ok: nothing new.
	Usage() (u protocol.Usage, ok bool)
	// Reported says that the hub has acknowledged it.
	Reported(u protocol.Usage) error
	// Changed receives when stage, rules or opening have changed.
	Changed() <-chan struct{}
}
