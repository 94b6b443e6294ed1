// Package admission is the hub's half of the waiting room: it answers knocks, lets devices in by rule or by an
// operator's word, and keeps enrolment keys.
//
// It never touches devices that are in: those belong to whoever implements Devices. It never trusts what a knock claims
// beyond the signature of the device key and the proof of the enrolment key, and what it claims of serial numbers and
// machine ids can only keep a device out of automatic approval.
//
// A Desk is safe for concurrent use. The waiting room is in memory and written through; how often and when a waiting device
// last knocked is written by Run once a minute. Lock order: flushing, an entry's mu, then the Desk's mu, which is never held
// while the store, Devices or Notify is called.
package admission

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom"
)

// Errors of operators' actions.
var (
	ErrNotWaiting = errors.New("no such device in the waiting room")
	ErrWrongCode  = errors.New("the pairing code is not this device's")
	ErrKeyUnknown = errors.New("no such enrolment key")
	ErrNoUses     = errors.New("the enrolment key has no uses left")
	ErrBadSpec    = errors.New("enrolment key")
)

// Store keeps the waiting room. Each method is one transaction. Errors leave everything as it was.
type Store interface {
	// LoadWaitingRoom returns all that is stored.
	LoadWaitingRoom() ([]waitingroom.EnrolmentKey, []waitingroom.Waiting, error)
	// PutEnrolmentKey stores a key, new or changed.
	PutEnrolmentKey(waitingroom.EnrolmentKey) error
	// RemoveEnrolmentKey removes a key; one that is not there is no error.
	RemoveEnrolmentKey(id string) error
	// PutWaiting stores waiting devices, new or changed.
	PutWaiting(...waitingroom.Waiting) error
	// ChargeWaiting stores a waiting device and adds uses (1 or -1) to what its enrolment key has Used.
	ChargeWaiting(w waitingroom.Waiting, uses int) error
	// RemoveWaiting removes a device from the waiting room; one that is not there is no error.
	RemoveWaiting(protocol.DeviceID) error
}

// Vault seals the secrets of enrolment keys for the store.
type Vault interface {
	Seal(purpose string, plain []byte) []byte
	Open(purpose string, sealed []byte) ([]byte, error)
}

// Standing is what is known of a device key outside the waiting room.
type Standing uint8

// Standings.
const (
	Stranger Standing = iota // never approved
	Approved                 // in
	Revoked                  // was in, and was revoked
)

// Alike is a device that claims, or claimed, the same serial number or machine id as one that knocks.
type Alike struct {
	ID      protocol.DeviceID
	Name    string
	Revoked bool
	// Serial and Machine tell what is the same.
	Serial, Machine bool
}

// Devices are those that are in. The assembly implements it on top of the fleet.
type Devices interface {
	// Standing tells what is known of the device.
	Standing(protocol.DeviceID) Standing
	// Alike returns devices with the same serial or machine id, whatever the letter case, those included that were
	// revoked and then removed; empty values are like nothing.
	Alike(serial, machineID string) []Alike
	// Admit lets the device in. It must be durable when it returns. A device of that id which was revoked is let in anew;
	// one that is in already is no error.
	Admit(context.Context, Admitted) error
}

// Admitted is a device as it is let in.
type Admitted struct {
	ID  protocol.DeviceID
	Key ed25519.PublicKey
	// Name as given by the approver, else by the enrolment key, else the claimed host name, else the id; NameGiven tells
	// whether somebody chose it. A name that nobody chose may be changed to make it unique.
	Name      string
	NameGiven bool
	Group     string
	Profile   string
	// Labels are given by the enrolment key and the approver, Wishes and Facts are claims.
	Labels map[string]string
	Wishes map[string]string
	Facts  protocol.Facts
	// Confirmed: the pairing code was given, or the key was made for this one device.
	Confirmed bool
	// By is who approved: an operator's name, or "rule of key NAME".
	By           string
	EnrolmentKey string
}

// Note is something an operator may want to hear of.
type Note struct {
	// Kind is one of the Note constants.
	Kind   string
	Device protocol.DeviceID
	// Group of the enrolment key that it knocked with, or that it was let into.
	Group string
	// Text for people.
	Text string
}

// Kinds of notes.
const (
	NoteArrived  = "waiting.arrived"
	NoteApproved = "waiting.approved"
	NoteRejected = "waiting.rejected"
	// NoteUnknownKey: a device proves its own key, but knocks with an edge key that is not known here.
	NoteUnknownKey = "waiting.unknown-key"
)

// Defaults of Config.
const (
	DefaultHoldTime = 50 * time.Second
	DefaultMaxHeld  = 2000
	DefaultMaxQueue = 1024
)

// Config of a Desk. Fields without a default must be set.
type Config struct {
	Store   Store
	Vault   Vault
	Devices Devices
	// Hub is what every edge key says of the hub: HTTPS, MQTT, Tunnel and HubKey. The rest is filled in for each key.
	Hub waitingroom.EdgeKey
	// Notify is told what happened. It must not block. nil: nobody listens.
	Notify func(Note)
	// HoldTime is how long the answer to a knock that asks for it is held; it must be below the agents' exchange timeout.
	// 0: DefaultHoldTime.
	HoldTime time.Duration
	// MaxHeld bounds how many answers are held at once. 0: DefaultMaxHeld.
	MaxHeld int
	// MaxQueue bounds how many newcomers wait for their pairing code to be computed. 0: DefaultMaxQueue.
	MaxQueue int
	Log      *slog.Logger
}

// Desk is the hub's side of the waiting room.
type Desk struct {
	cfg     Config
	coding  chan struct{} // bounds how many pairing codes are computed at once: 16 MiB each
	queue   atomic.Int64  // those who wait for that, and those whose turn it is
	closing chan struct{}
	closed  sync.Once

	flushing sync.Mutex // one flush at a time; taken before any entry's mu

	mu      sync.Mutex
	keys    map[string]*waitingroom.EnrolmentKey // values are never changed, but replaced
	room    map[protocol.DeviceID]*entry
	codes   map[string]protocol.DeviceID
	waiting map[string]int // by enrolment key: devices in StateWaiting
	held    int
	unknown unknown
}

// entry is one device in the waiting room.
type entry struct {
	mu sync.Mutex // one decision or knock at a time; rec is read with the Desk's mu, written with both

	rec     waitingroom.Waiting
	changed chan struct{} // closed and replaced when somebody decided
	dirty   bool          // rec has counts that are not stored; guarded by the Desk's mu
	gone    bool          // no longer in the room; guarded by the Desk's mu
}

// New loads the waiting room. Run must be called for counts to be stored.
func New(cfg Config) (*Desk, error) {
	if cfg.HoldTime == 0 {
		cfg.HoldTime = DefaultHoldTime
	}
	if cfg.MaxHeld == 0 {
		cfg.MaxHeld = DefaultMaxHeld
	}
	if cfg.MaxQueue == 0 {
		cfg.MaxQueue = DefaultMaxQueue
	}
	if cfg.Notify == nil {
		cfg.Notify = func(Note) {}
	}
	keys, waiting, err := cfg.Store.LoadWaitingRoom()
	if err != nil {
		return nil, fmt.Errorf("load waiting room: %w", err)
	}
	d := &Desk{
		cfg:     cfg,
		coding:  make(chan struct{}, 2),
		closing: make(chan struct{}),
		keys:    make(map[string]*waitingroom.EnrolmentKey, len(keys)),
		room:    make(map[protocol.DeviceID]*entry, len(waiting)),
		codes:   make(map[string]protocol.DeviceID, len(waiting)),
		waiting: make(map[string]int),
	}
	for i := range keys {
		d.probe(&keys[i])
		d.keys[keys[i].ID] = &keys[i]
	}
	for _, w := range waiting {
		if w.State == waitingroom.StateWaiting && !w.Charged && d.keys[w.EnrolmentKey] == nil {
			// Its key was removed and the hub died before the device was.
			if err := cfg.Store.RemoveWaiting(w.ID); err != nil {
				return nil, fmt.Errorf("load waiting room: %w", err)
			}
			continue
		}
		d.place(&entry{rec: w, changed: make(chan struct{})})
	}
	return d, nil
}

// Run stores counts of knocks once a minute until ctx ends, then lets go of held answers and stores what is left.
func (d *Desk) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := d.flush(); err != nil {
				d.cfg.Log.Warn("counts of knocks are not stored; trying again in a minute", "error", err)
			}
		case <-ctx.Done():
			return d.Close()
		}
	}
}

// Close answers all held knocks and stores the counts. It may be called twice.
func (d *Desk) Close() error {
	d.closed.Do(func() { close(d.closing) })
	return d.flush()
}

func (d *Desk) flush() error {
	d.flushing.Lock()
	defer d.flushing.Unlock()
	d.mu.Lock()
	var dirty []*entry
	for _, e := range d.room {
		if e.dirty {
			dirty = append(dirty, e)
		}
	}
	d.mu.Unlock()

	// An entry that somebody is deciding on is stored by that, or in a minute. The others stay locked until they are
	// stored, so that an older state never replaces a newer.
	var records []waitingroom.Waiting
	for _, e := range dirty {
		if !e.mu.TryLock() {
			continue
		}
		defer e.mu.Unlock()
		if rec, ok := d.take(e); ok {
			records = append(records, rec)
		}
	}
	if len(records) == 0 {
		return nil
	}
	if err := d.cfg.Store.PutWaiting(records...); err != nil {
		d.mu.Lock()
		for _, rec := range records {
			d.room[rec.ID].dirty = true
		}
		d.mu.Unlock()
		return fmt.Errorf("store %d waiting devices: %w", len(records), err)
	}
	return nil
}

// take returns what is to be stored of e. e.mu must be held.
func (d *Desk) take(e *entry) (waitingroom.Waiting, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e.dirty = false
	return e.rec, !e.gone
}

// place puts e into the room. d.mu must be held, or d not yet shared.
func (d *Desk) place(e *entry) {
	d.room[e.rec.ID] = e
	if e.rec.PairingCode != "" {
		d.codes[e.rec.PairingCode] = e.rec.ID
	}
	if e.rec.State == waitingroom.StateWaiting {
		d.waiting[e.rec.EnrolmentKey]++
	}
}

// drop takes e out of the room. d.mu must be held.
func (d *Desk) drop(e *entry) {
	if e.gone {
		return
	}
	e.gone = true
	delete(d.room, e.rec.ID)
	if d.codes[e.rec.PairingCode] == e.rec.ID {
		delete(d.codes, e.rec.PairingCode)
	}
	d.uncount(e)
}

func (d *Desk) uncount(e *entry) {
	if e.rec.State != waitingroom.StateWaiting {
		return
	}
	if d.waiting[e.rec.EnrolmentKey]--; d.waiting[e.rec.EnrolmentKey] <= 0 {
		delete(d.waiting, e.rec.EnrolmentKey)
	}
}

// wake tells held knocks of e that something was decided. d.mu must be held.
func (e *entry) wake() {
	close(e.changed)
	e.changed = make(chan struct{})
}

// KnockRequest is a knock as it arrived.
type KnockRequest struct {
	Signed protocol.SignedKnock
	// Exporter of the connection it arrived on, see protocol.Exporter.
	Exporter []byte
	// Remote is the address the hub sees.
	Remote netip.Addr
}
