package economy

import (
	"fmt"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Caps are the limits of one cycle, with what was added to it. Zero: none.
type Caps struct {
	Soft, Hard uint64
	// Last is from where on only urgent work may spend: Hard less the reserve.
	Last uint64
}

// CapsOf gives the caps of the cycle that begins on day first.
func CapsOf(b *protocol.Budget, first uint32) Caps {
	if b == nil {
		return Caps{}
	}
	c := Caps{Soft: b.Soft, Hard: b.Hard}
	if c.Hard != 0 {
		reserve := b.Reserve
		if reserve == 0 {
			reserve = c.Hard / 20
		}
		c.Last = c.Hard - min(reserve, c.Hard)
	}
	if b.Lift != nil && b.Lift.Cycle == first {
		if c.Soft != 0 {
			c.Soft += b.Lift.Extra
		}
		if c.Hard != 0 {
			c.Hard += b.Lift.Extra
			c.Last += b.Lift.Extra
		}
	}
	return c
}

// Stage is how far one is through the caps with so much spent.
func (c Caps) Stage(spent uint64) protocol.Spending {
	switch {
	case c.Hard != 0 && spent >= c.Hard:
		return protocol.SpendingSilent
	case c.Hard != 0 && spent >= c.Last:
		return protocol.SpendingLast
	case c.Soft != 0 && spent >= c.Soft:
		return protocol.SpendingSaving
	}
	return protocol.SpendingFree
}

// Left is how much may be spent before the next stage forbids a class, and false where nothing bounds it. Urgent work
// may spend the reserve too.
func (c Caps) Left(spent uint64, class protocol.Class, urgent bool) (uint64, bool) {
	limit := uint64(0)
	switch {
	case c.Hard == 0 && c.Soft == 0:
		return 0, false
	case !urgent && Waits(class, protocol.SpendingSaving) && c.Soft != 0:
		limit = c.Soft
	case c.Hard == 0:
		return 0, false
	case urgent || !Waits(class, protocol.SpendingLast):
		limit = c.Hard
	default:
		limit = c.Last
	}
	return limit - min(spent, limit), true
}

// Kept are the caps that a device keeps to: below the hard cap stay a little for what is on its way when it is met, and
// what a silent device may need for the contacts given, of each bytes: one, by which it learns that the cycle has ended,
// or with a ping a day those that are left.
func (c Caps) Kept(b *protocol.Budget, contacts, each uint64) Caps {
	if c.Hard == 0 {
		return c
	}
	most := c.Hard / 16
	if b != nil && b.DailyPing {
		most = c.Hard / 4
	}
	back := min(max(c.Hard/256, 4<<10), 64<<10) + min(contacts*each, most)
	c.Hard -= min(back, c.Hard)
	c.Last -= min(back, c.Last)
	return c
}

// SilentContact is what a silent device may need for one contact, where a connection costs so much.
func SilentContact(connect uint64) uint64 { return connect + SessionCost + 1000 }

// Waits reports that bytes of a class are not spent at a stage. Orders are received as long as there is contact; what a
// device then does about them waits.
func Waits(class protocol.Class, at protocol.Spending) bool {
	switch at {
	case protocol.SpendingFree:
		return false
	case protocol.SpendingSaving:
		return class == protocol.ClassOutput
	case protocol.SpendingLast:
		return class != protocol.ClassSession && class != protocol.ClassResults && class != protocol.ClassDesired
	}
	return true
}

// stretch is how much longer intervals are while a device saves.
const stretch = 4

// At gives the settings that a device goes by at a stage: while it saves, ping, snapshot and command come a quarter as
// often; near the cap it pings at the floor interval and takes commands when it does. The rest stays.
func At(s protocol.Settings, stage protocol.Spending) protocol.Settings {
	if stage == protocol.SpendingFree {
		return s
	}
	floor := protocol.Frequency(protocol.DefaultFloor)
	if s.Link != nil && s.Link.Budget != nil && s.Link.Budget.Floor != 0 {
		floor = protocol.Frequency(s.Link.Budget.Floor)
	}
	if stage >= protocol.SpendingLast {
		if stage == protocol.SpendingSilent {
			floor = 24 * 3600
		}
		if s.Ping != protocol.FrequencyOff {
			s.Ping = max(floor, s.Ping)
		}
		s.Snapshot = protocol.FrequencyOff
		if s.Command > 0 {
			s.Command = max(floor, s.Command)
		}
		return s
	}
	slower := func(f protocol.Frequency) protocol.Frequency {
		if f <= 0 || f >= floor {
			return f
		}
		return min(f*stretch, floor)
	}
	s.Ping, s.Command = slower(s.Ping), slower(s.Command)
	if s.Snapshot == protocol.FrequencyPush {
		s.Snapshot = max(s.Ping, 60)
	} else {
		s.Snapshot = slower(s.Snapshot)
	}
	return s
}

// Slice is how many bytes are reserved at a time, before they are spent. It is what a power cut may add to the count, so
// it is small against the cap; and each is one write, so it is not tiny.
func Slice(b *protocol.Budget) uint64 {
	if b == nil || b.Hard == 0 {
		return 1 << 20
	}
	return min(max(b.Hard/512, 2<<10), 1<<20)
}

// Bounds of budgets.
const (
	minHard = 100_000
	maxHard = 1 << 50
)

// CheckBudget reports the first thing about a budget that cannot be kept with the settings that hold beside it.
func CheckBudget(s protocol.Settings) error {
	if s.Link == nil || s.Link.Budget == nil {
		return nil
	}
	b := *s.Link.Budget
	if _, err := time.LoadLocation(b.Zone); err != nil || b.Zone == "Local" {
		return fmt.Errorf("billing cycle: time zone %.60q is not known here: want a name such as Europe/Oslo", b.Zone)
	}
	switch {
	case b.Day > 31:
		return fmt.Errorf("billing cycle that begins on day %d: want 1 to 31; in a shorter month it begins on the last day", b.Day)
	case b.Hard > maxHard || b.Soft > maxHard:
		return fmt.Errorf("a cap of more than %d bytes is none: leave it out", uint64(maxHard))
	case b.Hard != 0 && b.Hard < minHard:
		return fmt.Errorf("a hard cap of %d bytes: want at least %d, or a device could not even join", b.Hard, minHard)
	case b.Hard != 0 && b.Soft > b.Hard:
		return fmt.Errorf("the soft cap (%d bytes) is above the hard cap (%d): it would never count", b.Soft, b.Hard)
	case b.Reserve > 0 && b.Hard == 0:
		return fmt.Errorf("a reserve of %d bytes without a hard cap: give the hard cap too", b.Reserve)
	case b.Reserve > b.Hard/2:
		return fmt.Errorf("a reserve of %d bytes is more than half of the hard cap (%d)", b.Reserve, b.Hard)
	case b.Floor != 0 && (b.Floor < 60 || b.Floor > 7*24*3600):
		return fmt.Errorf("a floor interval of %d s: want 60 s to 7 days", b.Floor)
	}
	lowest, name := b.Hard, "hard cap"
	if b.Soft != 0 {
		lowest, name = b.Soft, "soft cap"
	}
	if idle := IdleDay(s) * 31; lowest != 0 && idle > lowest {
		return fmt.Errorf("the %s of %d bytes is below what the device's own pings cost: %d bytes a day × 31 = %d bytes: ping less often, or raise the cap",
			name, lowest, IdleDay(s), idle)
	}
	return nil
}
