// Package commands keeps the book of commands: what operators have asked of devices, what has been handed over, and
// what became of it. A command is delivered at least once and has its effect at most once; its result is the device's
// word, and where the hub had to end it without one it says so and takes the device's word when it comes.
//
// It never talks to a device and knows no carrier: the session asks for what is pending and reports what was taken.
// Open commands are kept in memory, finished ones only in the store. A Book is safe for concurrent use; what concerns
// one device is done in order, and the store is written before memory is, so that whatever was acknowledged is kept.
package commands

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/farshore/farshore/internal/keylock"
	"github.com/farshore/farshore/protocol"
)

// Errors that callers tell apart.
var (
	// ErrInvalid is wrapped where a command cannot be accepted as it is.
	ErrInvalid = errors.New("command cannot be accepted")
	// ErrNotFound is wrapped where a command is not known (any more).
	ErrNotFound = errors.New("no such command")
	// ErrTooMany is wrapped where a device has MaxOpen open commands.
	ErrTooMany = errors.New("too many open commands")
	// ErrEnded is wrapped where a command has ended already.
	ErrEnded = errors.New("command has ended")
)

// Bounds for each device.
const (
	// MaxOpen is the most commands that are not final.
	MaxOpen = 256
	// DefaultKeep is how many final commands are kept, the latest.
	DefaultKeep = 200
	// SilentAfter is how long after its NotAfter a command that was sent waits for the device's word, before the hub
	// ends it as interrupted.
	SilentAfter = 90 * 24 * time.Hour
)

// Kinds of Notice.
const (
	KindGiven = "command.given"
	KindEnded = "command.ended"
	KindWaits = "command.waits"
)

// Notice is something worth telling.
type Notice struct {
	// Kind is KindGiven, KindWaits or KindEnded.
	Kind string
	// Record is the command's record as it is now.
	Record Record
}

// Config is what a Book is made of.
type Config struct {
	Store Store
	// Accepts returns nil when the device can be given commands, else a sentence. Nil: all devices.
	Accepts func(protocol.DeviceID) error
	// Notify is told of devices for which Pending or Repealed may have changed. Nil: nobody.
	Notify func(protocol.DeviceID)
	// Events is told of what is worth telling. Nil: nobody.
	Events func(Notice)
	// Keep is how many final commands are kept for each device. 0: DefaultKeep.
	Keep int
	// Log must be set.
	Log *slog.Logger
}

// Book is the book of commands.
//
// Lock order: the device's lock in devices, then mu. Store and callbacks are called without mu.
type Book struct {
	cfg     Config // immutable
	devices *keylock.Locks

	mu     sync.Mutex
	open   map[protocol.DeviceID]map[protocol.CommandID]*open // guarded by mu
	giving map[protocol.DeviceID]int                          // guarded by mu: commands that are being stored
	last   protocol.CommandID                                 // guarded by mu: given last
}

// open is a command that is not final.
type open struct {
	rec    Record // as stored
	handed bool   // may be on its way: Pending has returned it since the start of the hub, or it is repealed
}

// New returns a Book with the open commands of the store.
func New(cfg Config) (*Book, error) {
	if cfg.Notify == nil {
		cfg.Notify = func(protocol.DeviceID) {}
	}
	if cfg.Events == nil {
		cfg.Events = func(Notice) {}
	}
	if cfg.Accepts == nil {
		cfg.Accepts = func(protocol.DeviceID) error { return nil }
	}
	if cfg.Keep == 0 {
		cfg.Keep = DefaultKeep
	}
	records, err := cfg.Store.OpenCommands()
	if err != nil {
		return nil, fmt.Errorf("read open commands: %w", err)
	}
	b := &Book{
		cfg: cfg, devices: keylock.New(),
		open: map[protocol.DeviceID]map[protocol.CommandID]*open{}, giving: map[protocol.DeviceID]int{},
	}
	for _, r := range records {
		b.remember(r)
	}
	return b, nil
}

// remember keeps the record in memory as it was stored. The caller holds mu, or the Book is new.
func (b *Book) remember(r Record) {
	of := b.open[r.Device]
	if r.State.Final() {
		delete(of, r.ID)
		if len(of) == 0 {
			delete(b.open, r.Device)
		}
		return
	}
	if of == nil {
		of = map[protocol.CommandID]*open{}
		b.open[r.Device] = of
	}
	if of[r.ID] == nil {
		of[r.ID] = &open{handed: r.Repealed}
	}
	of[r.ID].rec = r
}

// save stores the record, then remembers it. The caller holds the device's lock.
func (b *Book) save(r Record) error {
	if err := b.cfg.Store.PutCommand(r, b.cfg.Keep); err != nil {
		return fmt.Errorf("store command %s: %w", r.ID, err)
	}
	b.mu.Lock()
	b.remember(r)
	b.mu.Unlock()
	return nil
}

// find returns a copy of an open command.
func (b *Book) find(dev protocol.DeviceID, id protocol.CommandID) (open, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o := b.open[dev][id]; o != nil {
		return *o, true
	}
	return open{}, false
}

// Give queues a command. Errors wrap ErrInvalid or ErrTooMany, or are those of Config.Accepts.
func (b *Book) Give(s Spec) (Record, error) {
	if s.TTL == 0 {
		s.TTL = DefaultTTL
	}
	if s.TTL < time.Second || s.TTL > MaxTTL {
		return Record{}, fmt.Errorf("%w: it may wait %s: want 1s to %s", ErrInvalid, s.TTL, MaxTTL)
	}
	if err := check(s.Command); err != nil {
		return Record{}, err
	}
	if err := b.cfg.Accepts(s.Device); err != nil {
		return Record{}, err
	}
	r, err := b.give(s)
	if err != nil {
		return Record{}, err
	}
	b.cfg.Notify(r.Device)
	b.cfg.Events(Notice{Kind: KindGiven, Record: r})
	return r, nil
}

func (b *Book) give(s Spec) (Record, error) {
	if !b.reserve(s.Device) {
		return Record{}, fmt.Errorf("%w: device %s has %d: withdraw some, or wait until it has taken them", ErrTooMany,
			s.Device, MaxOpen)
	}
	now := time.Now()
	r := Record{Command: s.Command, Device: s.Device, By: s.By, Owner: s.Owner, Given: now.Unix(), State: protocol.CommandQueued}
	r.ID = b.nextID(now)
	r.NotAfter = now.Add(s.TTL + time.Second - 1).Unix()
	err := b.cfg.Store.PutCommand(r, b.cfg.Keep)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unreserve(s.Device) // in one step: else it would count twice for a moment
	if err != nil {
		return Record{}, fmt.Errorf("store command %s: %w", r.ID, err)
	}
	b.remember(r)
	return r, nil
}

// nextID makes an id. Those of one millisecond follow each other too, since devices run commands in the order of ids.
func (b *Book) nextID(now time.Time) protocol.CommandID {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = max(protocol.NewCommandID(now), b.last+1)
	return b.last
}

// reserve counts a command that is being given; nobody else knows it yet, so the device's lock is not needed.
func (b *Book) reserve(dev protocol.DeviceID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.open[dev])+b.giving[dev] >= MaxOpen {
		return false
	}
	b.giving[dev]++
	return true
}

// unreserve ends a reservation. The caller holds mu.
func (b *Book) unreserve(dev protocol.DeviceID) {
	if b.giving[dev]--; b.giving[dev] == 0 {
		delete(b.giving, dev)
	}
}

// Pending returns the commands that the device has not taken and may still start at now, urgent ones first, then in
// the order given. What is returned counts as being on its way.
func (b *Book) Pending(dev protocol.DeviceID, now time.Time) []protocol.Command {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []protocol.Command
	for _, o := range b.open[dev] {
		if o.rec.State == protocol.CommandQueued && !o.rec.Repealed && o.rec.NotAfter >= now.Unix() {
			o.handed = true
			out = append(out, o.rec.Command)
		}
	}
	slices.SortFunc(out, func(x, y protocol.Command) int {
		if x.Urgent != y.Urgent {
			if x.Urgent {
				return -1
			}
			return 1
		}
		return cmp.Compare(x.ID, y.ID)
	})
	return out
}

// Repealed returns the commands that the device may have and shall not start any more.
func (b *Book) Repealed(dev protocol.DeviceID) []protocol.CommandID {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []protocol.CommandID
	for id, o := range b.open[dev] {
		if o.rec.Repealed {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// Sent notes that the device has taken the commands: they are in its journal.
func (b *Book) Sent(dev protocol.DeviceID, ids []protocol.CommandID) error {
	defer b.devices.Lock(string(dev))()
	for _, id := range ids {
		o, ok := b.find(dev, id)
		if !ok || o.rec.State != protocol.CommandQueued {
			continue // its result was faster, or it was taken before
		}
		o.rec.State, o.rec.SentAt = protocol.CommandSent, time.Now().Unix()
		if err := b.save(o.rec); err != nil {
			return err
		}
	}
	return nil
}

// NotTaken notes that commands which were on their way never reached the device, and cannot reach it any more.
func (b *Book) NotTaken(dev protocol.DeviceID, ids []protocol.CommandID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		if o := b.open[dev][id]; o != nil && o.rec.State == protocol.CommandQueued && !o.rec.Repealed {
			o.handed = false
		}
	}
}

// Result takes the device's word on a command: that it waits there, or how it ended. The first of each stays; one that is not of this device, or not known any
// more, is logged and dropped. An error means that it was not kept, or, wrapping protocol.ErrMalformed, that it is
// nonsense.
func (b *Book) Result(dev protocol.DeviceID, res protocol.CommandResult) error {
	if res.State < protocol.CommandDone || res.State > protocol.CommandWaiting {
		return fmt.Errorf("%w: result of command %s: state %s is no result", protocol.ErrMalformed, res.ID, res.State)
	}
	res.Text, res.Code = protocol.Printable(res.Text, protocol.MaxText), protocol.Printable(res.Code, protocol.MaxName)
	r, news, err := b.result(dev, res)
	if err == nil && news {
		kind := KindEnded
		if !r.State.Final() {
			kind = KindWaits
		}
		b.cfg.Events(Notice{Kind: kind, Record: r})
	}
	return err
}

// waitText says why a device does not start a command that it has.
func waitText(code string) string {
	if code == protocol.WaitsForBudget {
		return "the device is near its hard cap and does urgent work only: it starts this when the billing cycle ends or the cap is lifted, if that is before it expires"
	}
	return "the device has it and does not start it yet"
}

func (b *Book) result(dev protocol.DeviceID, res protocol.CommandResult) (Record, bool, error) {
	defer b.devices.Lock(string(dev))()
	r, err := b.record(dev, res.ID)
	if errors.Is(err, ErrNotFound) {
		b.cfg.Log.Info("result of a command that is not in the book is dropped", "device", dev, "command", res.ID.String())
		return Record{}, false, nil
	}
	if err != nil {
		return Record{}, false, err
	}
	if r.State.Final() && !r.HubsWord {
		return Record{}, false, nil
	}
	now := time.Now().Unix()
	if res.State == protocol.CommandWaiting {
		if r.State.Final() || r.State == protocol.CommandWaiting {
			return Record{}, false, nil
		}
		res = protocol.CommandResult{ID: res.ID, State: res.State, Code: res.Code, Text: waitText(res.Code)}
		r.State, r.Result, r.SentAt = res.State, res, cmp.Or(r.SentAt, now)
		return r, true, b.save(r)
	}
	r.State, r.Result, r.HubsWord, r.Ended = res.State, res, false, now
	return r, true, b.save(r)
}

// record returns the record of a device's command; ErrNotFound when it is another device's.
func (b *Book) record(dev protocol.DeviceID, id protocol.CommandID) (Record, error) {
	if o, ok := b.find(dev, id); ok {
		return o.rec, nil
	}
	r, err := b.cfg.Store.Command(id)
	if err != nil {
		return Record{}, err
	}
	if r.Device != dev {
		return Record{}, fmt.Errorf("command %s of device %s: %w", id, dev, ErrNotFound)
	}
	return r, nil
}
