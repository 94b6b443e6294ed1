// Package session is the hub's half of the sync protocol's machinery: who is connected by which carrier, the
// numbered frames of each device, what is handed to the handlers of the message kinds, and when orders go out.
//
// It never decides what a device shall do (Orders does), never keeps anything through a restart (handlers and
// Devices do), and knows no carrier's workings: a carrier gives it connections (Attach) or exchanges (Exchange).
// DESIGN.md has the rules for copies, ticks and repeats.
//
// A Manager is safe for concurrent use. Frames of one device are processed one after another under that device's
// lock; different devices do not wait for each other. Handlers run under the device's lock and may call Notify and
// Kick, which never wait, but not Attach or Exchange.
package session

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"sync"
	"time"

	"github.com/farshore/farshore/protocol"
)

// Defaults and bounds.
const (
	// DefaultProbe is how long a live session may take to show that it lives when a copy knocks.
	DefaultProbe = 5 * time.Second
	// DefaultRate and DefaultBurst bound the frames of one device a second, and at once.
	DefaultRate  = 50
	DefaultBurst = 250
	// MaxPending is the most bytes of messages that may wait for one device, sent and unsent.
	MaxPending = 1 << 20
	// helloWait is how long a new agent process may take to say hello before it is asked to.
	helloWait = 10 * time.Second
	// frameBudget is the most bytes of messages that are put into one frame, so that it stays below MaxFrame even
	// when nothing can be compressed.
	frameBudget = protocol.MaxFrame - 16<<10
	// frameTarget is the most bytes of several messages that share a frame, so that on a thin link a frame and its
	// acknowledgement take less than the exchange timeout.
	frameTarget = 32 << 10
	// maxUnderWay is how many bytes may be unacknowledged before only orders go out: what is handed to a carrier
	// cannot be overtaken any more.
	maxUnderWay = 2 * frameTarget
	// repeatEvery is how often a device may ask for what it has not acknowledged; agents ask once a second.
	repeatEvery = 500 * time.Millisecond
	// forgetAfter is how long the session of a device that is away is kept at least.
	forgetAfter = time.Hour
	// forgetWindowed is the same for a device that has times of contact.
	forgetWindowed = 2 * 24 * time.Hour
)

// ErrStopped is returned when the manager has ended or is ending.
var ErrStopped = errors.New("the hub is stopping")

// Devices is what the manager has to know of the fleet, and what it tells it.
type Devices interface {
	// Key returns the device's public key, or a *protocol.Error of CodeUnknown or CodeRevoked.
	Key(protocol.DeviceID) (ed25519.PublicKey, error)
	// Boot returns the last run of the agent that said hello; zero: none yet. It survives restarts of the hub.
	Boot(protocol.DeviceID) protocol.Boot
	// Hello makes durable what the device said of itself.
	Hello(protocol.DeviceID, *protocol.Hello) error
	// Contact notes that the device was heard of, in memory.
	Contact(protocol.DeviceID, time.Time, protocol.Carrier)
}

// Orders makes the signed orders of each device. It is called under the device's lock.
type Orders interface {
	// Begin takes over what the device has, as its hello says.
	Begin(protocol.DeviceID, *protocol.Hello)
	// Next returns what the device has to be told beyond what was returned since Begin; nil: nothing.
	Next(protocol.DeviceID) (*protocol.Orders, error)
	// Acked says that the device has accepted orders up to this mark.
	Acked(protocol.DeviceID, protocol.OrderMark)
	// Settings are the effective settings.
	Settings(protocol.DeviceID) protocol.Settings
}

// Peer is the device a message came from.
type Peer struct {
	ID protocol.DeviceID
	// Hello that opened the session.
	Hello   protocol.Hello
	Carrier protocol.Carrier
	// At is when the frame arrived.
	At time.Time
}

// Handler processes one message. What it returns is sent to the device. It must have made durable what it got before
// it returns nil, and must stand getting the same message again. A *protocol.Error refuses the message for good and
// is told to the device; after any other error the device sends the message again.
type Handler func(ctx context.Context, from *Peer, m protocol.Message) ([]protocol.Message, error)

// Event kinds that a manager raises.
const (
	// EventCopy: a second live agent with the identity of this device was refused, or an earlier run came back.
	EventCopy = "copy"
	// EventBootWentBack: the counter of starts went back: the device was restored from an image, or copied.
	EventBootWentBack = "boot-went-back"
)

// Config of a Manager.
type Config struct {
	Codec   *protocol.Codec
	Devices Devices
	Orders  Orders
	// Handlers by message kind; kinds without one are skipped and counted. KindHello and KindError are the manager's.
	Handlers map[protocol.Kind]Handler
	// Snapshot returns the hash of the last state that is known of a device; zero: none. nil: never any.
	Snapshot func(protocol.DeviceID) protocol.ShortHash
	// Fleet returns how many devices may connect, by which they spread themselves when they all come back at once. nil:
	// those heard of since the start, which right after it are few.
	Fleet func() int
	// Event is told what a person should see. nil: nobody is told.
	Event func(dev protocol.DeviceID, kind, text string)
	// Came is told that a device has connected, or, over a carrier that stays not connected, that it has begun a session
	// or is back after it was away; Went that its connection has ended. They must not wait. nil: nobody is told.
	Came func(protocol.DeviceID, protocol.Carrier)
	Went func(protocol.DeviceID)
	// Version of this build, for people.
	Version string
	// Probe, Rate and Burst: zero means the default.
	Probe time.Duration
	Rate  int
	Burst int
	Log   *slog.Logger
}

// Manager keeps the sessions of all devices.
type Manager struct {
	c   Config
	ctx context.Context // of handlers; ends with Run
	end context.CancelCauseFunc

	mu      sync.Mutex
	devices map[protocol.DeviceID]*device
	stopped bool
	wg      sync.WaitGroup // everything spawned
	skipped uint64         // messages of unknown kind
}

// New returns a Manager. It starts nothing.
func New(c Config) *Manager {
	c.Probe = cmp.Or(c.Probe, DefaultProbe)
	c.Rate = cmp.Or(c.Rate, DefaultRate)
	c.Burst = cmp.Or(c.Burst, DefaultBurst)
	if c.Codec == nil {
		c.Codec = protocol.NewCodec()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Event == nil {
		c.Event = func(protocol.DeviceID, string, string) {}
	}
	if c.Came == nil {
		c.Came = func(protocol.DeviceID, protocol.Carrier) {}
	}
	if c.Went == nil {
		c.Went = func(protocol.DeviceID) {}
	}
	if c.Snapshot == nil {
		c.Snapshot = func(protocol.DeviceID) protocol.ShortHash { return protocol.ShortHash{} }
	}
	m := &Manager{c: c, devices: map[protocol.DeviceID]*device{}}
	m.ctx, m.end = context.WithCancelCause(context.Background())
	if m.c.Fleet == nil {
		m.c.Fleet = m.heardOf
	}
	return m
}

// heardOf counts the devices that were heard of since the start.
func (m *Manager) heardOf() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.devices)
}

// Run forgets sessions of devices that stay away, until ctx is done. Then it closes every link and waits for
// whatever is under way.
func (m *Manager) Run(ctx context.Context) error {
	t := time.NewTicker(10 * time.Minute)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			m.forget(now)
		case <-ctx.Done():
			m.stop()
			return nil
		}
	}
}

func (m *Manager) stop() {
	m.mu.Lock()
	m.stopped = true
	all := m.all()
	m.mu.Unlock()
	for _, d := range all {
		d.disarm()
		if l := d.current(); l != nil {
			l.conn.Close(ErrStopped)
		}
	}
	m.end(ErrStopped)
	m.wg.Wait()
}

// all needs m.mu.
func (m *Manager) all() []*device {
	all := make([]*device, 0, len(m.devices))
	for _, d := range m.devices {
		all = append(all, d)
	}
	return all
}

// spawn runs f in a goroutine that Run waits for; not any more once the manager stops.
func (m *Manager) spawn(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.stopped {
		m.wg.Go(f)
	}
}

// device returns the state of one device, making it where needed.
func (m *Manager) device(id protocol.DeviceID) (*device, error) {
	if d := m.known(id); d != nil {
		return d, nil
	}
	fresh := newDevice(m, id) // asks Devices, so not under m.mu
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopped {
		return nil, ErrStopped
	}
	d := m.devices[id]
	if d == nil {
		d = fresh
		m.devices[id] = d
	}
	return d, nil
}

// known returns the state of one device if there is any.
func (m *Manager) known(id protocol.DeviceID) *device {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.devices[id]
}

// Authenticate checks the signature with which a device opens a connection: purpose as in SignConnection, exporter
// of the TLS connection it came on. The error is a *protocol.Error of CodeUnknown, CodeRevoked or CodeBadSignature,
// or says what else is wrong.
func (m *Manager) Authenticate(purpose string, proof Proof) error {
	key, err := m.c.Devices.Key(proof.Device)
	if err != nil {
		return err
	}
	if err := protocol.VerifyConnection(key, protocol.ConnectionSignature{
		Purpose: purpose, Detail: proof.Boot.String(), Exporter: proof.Exporter, Sig: proof.Signature,
	}); err != nil {
		return &protocol.Error{
			Code: protocol.CodeBadSignature,
			Text: "the signature does not fit this device and this connection: check that nothing between agent and hub ends TLS",
		}
	}
	return nil
}

// Proof is what a device shows to open a connection.
type Proof struct {
	Device    protocol.DeviceID
	Boot      protocol.Boot
	Exporter  []byte
	Signature []byte
}

// Notify says that the orders of a device may have changed. They go out as the device's command frequency says. It
// never waits.
func (m *Manager) Notify(id protocol.DeviceID) {
	if d := m.known(id); d != nil {
		d.notify()
	}
}

// Kick ends a device's link and session. reason is told to the device if it is a *protocol.Error. It never waits.
func (m *Manager) Kick(id protocol.DeviceID, reason error) {
	d := m.known(id)
	if d == nil {
		return
	}
	m.spawn(func() { d.kick(reason) })
}

// Connected counts the devices that are connected now: those with an MQTT connection, and those that exchanged over
// HTTPS within their interval.
func (m *Manager) Connected() int {
	m.mu.Lock()
	all := m.all()
	m.mu.Unlock()
	now, n := time.Now(), 0
	for _, d := range all {
		if _, ok := d.online(now); ok {
			n++
		}
	}
	return n
}

// Online tells by which carrier a device is connected now.
func (m *Manager) Online(id protocol.DeviceID) (protocol.Carrier, bool) {
	d := m.known(id)
	if d == nil {
		return "", false
	}
	return d.online(time.Now())
}

// Skipped counts messages of a kind this build does not know, since the start.
func (m *Manager) Skipped() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.skipped
}

// forget drops the frames of devices that stay away; what such a device has to know is worked out from its hello.
func (m *Manager) forget(now time.Time) {
	m.mu.Lock()
	all := m.all()
	m.mu.Unlock()
	for _, d := range all {
		d.forget(now)
	}
}

// spread is over how long a fleet of n reconnects: 2 ms for each device, at least a second.
func spread(n int) uint32 { return uint32(max(1000, min(2*n, 120_000))) }

// slotOf spreads devices over an interval of the given length, the same way each time.
func slotOf(id protocol.DeviceID, within time.Duration) time.Duration {
	if within < time.Second {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails
	return time.Duration(h.Sum64()%uint64(within.Milliseconds())) * time.Millisecond
}

func refused(code protocol.Code, format string, args ...any) *protocol.Error {
	text := fmt.Sprintf(format, args...)
	if len(text) > protocol.MaxText {
		text = text[:protocol.MaxText]
	}
	return &protocol.Error{Code: code, Text: text}
}
