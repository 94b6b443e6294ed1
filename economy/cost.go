package economy

import (
	"math"
	"math/bits"
	"time"

	"github.com/farshore/farshore/protocol"
)

// What contact costs on the wire, measured by `make bench` (docs/bench/data.md).
const (
	// ConnectCost is to connect, authenticate, subscribe and ping over MQTT with X25519, closing included.
	ConnectCost = 1_916
	// HybridCost is what the hybrid key exchange adds.
	HybridCost = 2_528
	// SessionCost is what a new session adds: hello, welcome and their acknowledgements.
	SessionCost = 535
	// PingCost is one MQTT ping with its answer and acknowledgement.
	PingCost = 204
	// PollCost is one exchange over HTTPS with nothing to say.
	PollCost = 296
)

// Connect is what one connection costs by the settings.
func Connect(s protocol.Settings) uint64 {
	if s.KeyExchange == protocol.KeyExchangeClassic {
		return ConnectCost
	}
	return ConnectCost + HybridCost
}

// IdleDay is what a device costs in a day in which nothing happens, over MQTT: one connection that the path holds for the
// whole day, and its pings.
func IdleDay(s protocol.Settings) uint64 {
	every, ok := s.Ping.Duration()
	if s.Link != nil && s.Link.Contact != nil {
		if contact := NewContact(s.Link.Contact); !contact.Always() {
			return idleWindows(s, &contact)
		}
	}
	if !ok {
		every = 12 * time.Hour // MQTT's longest keep-alive
	}
	pings := uint64((24*time.Hour + every - 1) / every)
	if s.Link != nil && s.Link.Connection == protocol.ConnectionBrief {
		return pings * Connect(s)
	}
	return Connect(s) + pings*PingCost
}

// idleWindows counts a connection for each opening, and pings while it lasts, over the fortnight after a fixed day.
func idleWindows(s protocol.Settings, c *Contact) uint64 {
	const days = 14
	from := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	if len(c.passes) > 0 {
		from = c.passes[0].Start
	}
	every, pings := s.Ping.Duration()
	total, now := uint64(0), from
	for range days * 24 * 60 {
		o, ok := c.Next(now)
		if !ok || o.Start.Sub(from) >= days*24*time.Hour {
			break
		}
		total += Connect(s)
		if pings {
			total += uint64(o.End.Sub(o.Start)/every) * PingCost
		}
		now = o.End
	}
	return total / days
}

// Tariff is what a link costs its owner.
type Tariff struct {
	// PerMB is the price of a megabyte (1,000,000 bytes) in millionths of Currency.
	PerMB uint64 `cbor:"1,keyasint,omitempty" json:"price_per_mb_micros,omitempty"`
	// Currency, such as EUR.
	Currency string `cbor:"2,keyasint,omitempty" json:"currency,omitempty"`
	// Included bytes of each cycle cost nothing.
	Included uint64 `cbor:"3,keyasint,omitempty" json:"included,omitempty"`
}

// Price is what spending n more bytes costs in millionths of the currency, with so many spent in the cycle before.
func (t Tariff) Price(before, n uint64) uint64 {
	paid := func(total uint64) uint64 { return total - min(total, t.Included) }
	more := paid(Sum(before, n)) - paid(before)
	high, low := bits.Mul64(more, t.PerMB)
	if high >= 1_000_000 {
		return math.MaxUint64
	}
	price, _ := bits.Div64(high, low, 1_000_000)
	return price
}

// Month is how many days a month has on the average, in hundredths.
const month = 3044

// IdleMonth is what an idle device costs in an average month.
func IdleMonth(s protocol.Settings) uint64 { return IdleDay(s) * month / 100 }
