package spending

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/farshore/farshore/economy"
	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/protocol"
)

// ErrNotNow is wrapped by the errors of connections that would spend what may not be spent now.
var ErrNotNow = errors.New("the link may not be used for this now")

// ErrNotKept is wrapped where the device's disk does not take what must be written before bytes are spent.
var ErrNotKept = errors.New("spending cannot be written down")

// Store keeps the record and says events to the hub. Its methods make durable what they are given before they return.
type Store interface {
	// Spending gives the record of last time, the zero Record if there is none.
	Spending() Record
	PutSpending(Record) error
	PutEvent(kind, text string) error
}

// Config of a Keeper. Store and Log must be set.
type Config struct {
	Store Store
	// Clock gives the best time known, and whether the hub has vouched for it since the start. Nil: the machine's,
	// vouched for.
	Clock func() (now time.Time, vouched bool)
	// Connect gives what one connection to the hub costs by the settings in force. Nil: as with the dearest settings.
	Connect func() uint64
	Log     *slog.Logger
}

// Keeper counts what is spent, and keeps the device within its rules.
type Keeper struct {
	cfg     Config
	started time.Time
	// hub counts the hub's connections, of which others say what they are for.
	hub     meter.Tally
	changed chan struct{} // has room for one
	kick    chan struct{} // has room for one: Run shall look

	writing sync.Mutex // held while the record is written; taken before mu

	mu      sync.Mutex                     // guards what follows
	by      [protocol.Classes]*meter.Tally // count connections of one class each; nil: there were none
	rules   protocol.LinkRules
	ruled   bool   // the times of contact in rules could be read
	refused string // why those given last could not
	contact economy.Contact
	opening economy.Opening // cached: that of now, or the next one
	local   time.Time       // until when somebody at the device has opened contact
	parked  []*conn         // to be closed when there is an opening
	waiters chan struct{}   // closed and made anew when something has changed
	closed  bool

	// The calendar.
	day      uint32    // 0: not known yet
	dayStart time.Time // bounds of the day, by the clock
	dayEnd   time.Time
	vouched  bool
	cycle    economy.Cycle

	// The count. What was spent on the present day is its line in days, if there is one, and what was counted since base.
	days   []Day
	base   meter.Counts
	before uint64    // of the cycle, by days
	held   uint64    // may be spent by reads and writes that are under way
	upTo   uint64    // how much may be counted since the start before the record must be written anew
	slice  uint64    // how much is reserved at a time
	wrote  time.Time // when it was
	broken error     // why it could not be
	again  time.Time // when that is tried again
	dirty  bool      // the days have changed without bytes: the hub has acknowledged some

	// The stage that was reached in a cycle, with the caps for which it holds. Within those it never goes back.
	reached   protocol.Spending
	reachedIn uint32
	reachedAt economy.Caps
	said      Record // what of it was announced
	ping      ping
	told      told
	rate      rate
	seen      seen
	connect   uint64 // what a connection costs
}

// New returns a Keeper that goes on from the record in the store, without rules. What had been reserved then counts as
// spent.
func New(cfg Config) *Keeper {
	if cfg.Clock == nil {
		cfg.Clock = func() (time.Time, bool) { return time.Now(), true }
	}
	if cfg.Connect == nil {
		cfg.Connect = func() uint64 { return economy.ConnectCost + economy.HybridCost }
	}
	k := &Keeper{
		cfg: cfg, started: time.Now(), changed: make(chan struct{}, 1), kick: make(chan struct{}, 1), waiters: make(chan struct{}),
		contact: economy.NewContact(nil), connect: cfg.Connect(),
	}
	r := cfg.Store.Spending()
	k.days = r.Days
	k.day = r.Day
	if r.Reserved > 0 && k.day != 0 {
		var lost meter.Counts
		lost[protocol.ClassOther].Up = r.Reserved
		k.add(k.day, lost)
	}
	k.said = Record{Stage: r.Stage, Cycle: r.Cycle, Soft: r.Soft, Hard: r.Hard}
	k.reached, k.reachedIn, k.reachedAt = r.Stage, r.Cycle, economy.Caps{Soft: r.Soft, Hard: r.Hard}
	k.ping.day, k.ping.at = r.Pinged, k.started
	k.turnTo(k.day)
	return k
}

// Rules takes new rules into force; nil: none. Times of contact that cannot be read are not: those before them stay, as far as
// there were any since the start, and the hub is told.
func (k *Keeper) Rules(r *protocol.LinkRules) {
	if r == nil {
		r = &protocol.LinkRules{}
	}
	rules := *r
	err := economy.Unreadable(rules.Contact)
	if told := k.govern(rules, err); err == nil || told {
		return
	}
	text := "The times of contact that the hub has given are not taken into force: " + err.Error() +
		". Those before them hold, or else what of these can be read, at the least five minutes each hour: mend the profile."
	k.cfg.Log.Error(text)
	k.announce("contact-refused", text)
}

// govern puts rules into force, of whose times of contact err says why they cannot be read. It reports whether that was so with
// the rules before.
func (k *Keeper) govern(rules protocol.LinkRules, err error) (told bool) {
	connect := k.cfg.Connect()
	k.mu.Lock()
	defer k.mu.Unlock()
	refused := ""
	if err != nil {
		refused = err.Error()
		if k.ruled {
			rules.Contact = k.rules.Contact
		}
	}
	told = k.refused == refused
	k.refused, k.ruled = refused, k.ruled || err == nil
	k.rules = rules
	k.connect, k.contact = connect, economy.NewContact(k.rules.Contact)
	k.opening = economy.Opening{}
	k.dayEnd = time.Time{} // the zone may be another
	k.turn()
	k.turnTo(k.day) // or the cycle
	k.notify()
	return told
}

// Stage of spending.
func (k *Keeper) Stage() protocol.Spending {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.turn()
	return k.stage()
}

// Opening gives the time of contact of now or else the next one, and false where there is none any more.
func (k *Keeper) Opening() (economy.Opening, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.openingAt(k.turn())
}

// May reports whether n more bytes may be spent on a class now.
func (k *Keeper) May(class protocol.Class, n uint64, urgent bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.may(class, n, urgent)
}

func (k *Keeper) may(class protocol.Class, n uint64, urgent bool) bool {
	now := k.turn()
	if !k.isOpen(now) || k.closed {
		return false
	}
	stage := k.stage()
	if stage == protocol.SpendingSilent {
		return class == protocol.ClassSession && k.mayPing(now, n)
	}
	if !urgent && economy.Waits(class, stage) {
		return false
	}
	left, bounded := k.effective().Left(k.spent(), class, urgent)
	if bounded && n > left && class == protocol.ClassSession {
		k.reach(protocol.SpendingSilent) // it could not even connect any more
		return k.mayPing(now, n)
	}
	return !bounded || n <= left
}

// Sent says what class that was for which has gathered upwards on the hub's connections.
func (k *Keeper) Sent(class protocol.Class) uint64 { return k.hub.Up(uint8(class)) }

// Received says what class that was for which has gathered downwards on the hub's connections.
func (k *Keeper) Received(class protocol.Class) uint64 { return k.hub.Down(uint8(class)) }

// ReceivedAtMost is Received for at most n bytes.
func (k *Keeper) ReceivedAtMost(class protocol.Class, n uint64) uint64 {
	return k.hub.DownAtMost(uint8(class), n)
}

// Changed receives when stage, rules or opening have changed.
func (k *Keeper) Changed() <-chan struct{} { return k.changed }

// Local opens contact outside of its times, but within the caps, until a moment; one that is past ends it. by names who
// did; it is told to the hub.
func (k *Keeper) Local(until time.Time, by string) error {
	k.mu.Lock()
	k.local = until
	now := k.turn()
	k.notify()
	k.mu.Unlock()
	if time.Until(until) <= 0 {
		return nil
	}
	return k.cfg.Store.PutEvent("contact-opened", "Somebody at the device"+named(by)+" opened contact for "+
		time.Until(until).Round(time.Second).String()+", from "+now.UTC().Format("2006-01-02 15:04 MST")+" on.")
}

func named(by string) string {
	if by == "" {
		return ""
	}
	return " (" + by + ")"
}

// tally counts what is of one class.
func (k *Keeper) tally(class protocol.Class) *meter.Tally {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.by[class] == nil {
		k.by[class] = new(meter.Tally)
	}
	return k.by[class]
}

// notify tells all who wait that something has changed. The caller holds mu.
func (k *Keeper) notify() {
	signal(k.changed)
	signal(k.kick)
	close(k.waiters)
	k.waiters = make(chan struct{})
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
