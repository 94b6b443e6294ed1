// Package tunnel is the hub's end of tunnels: it has devices in standard mode asked for one when somebody works on them,
// lets them log in by SSH, and opens channels to them. There is no listening port for tunnels and none for a device:
// who works on a device is given a net.Conn.
//
// It never decides who may work on what, and never looks into what is said. A device can open no channel, and make the
// hub send no request; the key that it logs in with must be its own, under the name of a session that was asked of it,
// once.
//
// A Keeper is safe for concurrent use. Each tunnel has its own goroutines, which have ended when Serve returns.
package tunnel

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/farshore/farshore/protocol"
)

// Defaults and bounds.
const (
	// DefaultIdle is how long a tunnel is kept on which nothing is open.
	DefaultIdle = 5 * time.Minute
	// DefaultLong and DefaultBytes are how long a tunnel may be open, and how many bytes it may carry.
	DefaultLong  = 12 * time.Hour
	DefaultBytes = 4 << 30
	// AskFor is how long a device may take to begin a tunnel that it was asked for.
	AskFor = 2 * time.Minute
	// MaxWaiting is how many may wait for one device's tunnel at a time.
	MaxWaiting = 64
	// loginTimeout is how long logging in may take: some round trips of a satellite link.
	loginTimeout = 30 * time.Second
	// aliveEvery is how often a sign of life is asked for, and aliveWithin how long it may take.
	aliveEvery  = 30 * time.Second
	aliveWithin = 45 * time.Second
	// closingWithin is how long a device may take for its last snapshot.
	closingWithin = 20 * time.Second
)

// Errors that callers tell apart. Each error of Dial wraps one of them, or that of its context.
var (
	// ErrMode: the device opens no tunnels.
	ErrMode = errors.New("the device opens no tunnels")
	// ErrDevice: there is no such device, or it was revoked.
	ErrDevice = errors.New("no such device")
	// ErrOffline: the device cannot be asked.
	ErrOffline = errors.New("the device cannot be reached")
	// ErrRefused: the device opens no tunnel, or not this channel of it, and says why.
	ErrRefused = errors.New("the device refuses")
	// ErrNoAnswer: the device did not open a tunnel in time.
	ErrNoAnswer = errors.New("the device did not open a tunnel in time")
	// ErrBusy: too many wait for it already.
	ErrBusy = errors.New("too many wait for the device's tunnel")
	// ErrClosed: the tunnel was closed.
	ErrClosed = errors.New("the tunnel was closed")
)

// Device is what the Keeper knows of a device.
type Device struct {
	Key        ed25519.PublicKey
	Mode       protocol.Mode
	Capability uint
	// Reachable: it is connected, or it exchanges over HTTPS every so often.
	Reachable bool
}

// Config of a Keeper. What has no comment is required.
type Config struct {
	// Key is the hub key.
	Key ed25519.PrivateKey
	// Device describes a device, and is false for one that is not there or was revoked.
	Device func(protocol.DeviceID) (Device, bool)
	// Notify has a device told what it is to be told.
	Notify func(protocol.DeviceID)
	// Opened and Ended are told of tunnels. Nil: nobody is told.
	Opened, Ended func(Session)
	// Idle, Long and Bytes bound tunnels. 0: the defaults.
	Idle, Long time.Duration
	Bytes      uint64
	Log        *slog.Logger
}

// capabilityTunnel is the lowest of an agent that opens tunnels.
const capabilityTunnel = 6

// Session is one tunnel of a device.
type Session struct {
	Device protocol.DeviceID
	// Opened is when the device logged in, and Ended when it was over. Zero: it is open.
	Opened, Ended time.Time
	// Bytes on the wire below SSH, up from the device and down to it.
	Up, Down uint64
	// Channels are open now, Served were in all.
	Channels, Served int
	// By is who it was opened for first, Why it ended.
	By, Why string
}

// State is how far a device's tunnel is.
type State string

// The states of tunnels.
const (
	StateIdle     State = "idle"
	StateRequired State = "required"
	StateActive   State = "active"
)

// Keeper keeps the hub's ends of all tunnels.
type Keeper struct {
	c      Config
	server *ssh.ServerConfig

	mu      sync.Mutex
	devices map[protocol.DeviceID]*device
	asked   map[protocol.TunnelID]protocol.DeviceID // that are wanted, and nobody has logged in for
}

// device is one with a tunnel, or for whose tunnel somebody waits. All fields are guarded by the Keeper's mu.
type device struct {
	id      protocol.DeviceID
	ask     *protocol.TunnelAsk // what the device is asked for. Nil: nothing
	by      string              // who wanted it first
	waiting int
	changed chan struct{} // closed when there is a tunnel, or a refusal
	refused error
	now     *line // nil: there is none
}

// New returns a Keeper.
func New(c Config) (*Keeper, error) {
	c.Idle, c.Long, c.Bytes = cmp.Or(c.Idle, DefaultIdle), cmp.Or(c.Long, DefaultLong), cmp.Or(c.Bytes, DefaultBytes)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	for _, told := range []*func(Session){&c.Opened, &c.Ended} {
		if *told == nil {
			*told = func(Session) {}
		}
	}
	k := &Keeper{c: c, devices: map[protocol.DeviceID]*device{}, asked: map[protocol.TunnelID]protocol.DeviceID{}}
	host, err := ssh.NewSignerFromSigner(c.Key)
	if err != nil {
		return nil, fmt.Errorf("hub key for SSH: %w", err)
	}
	k.server = &ssh.ServerConfig{PublicKeyCallback: k.admit, MaxAuthTries: 2, ServerVersion: "SSH-2.0-Farshore"}
	k.server.AddHostKey(host)
	return k, nil
}

// Wanted is what a device has to be asked for; nil: nothing.
func (k *Keeper) Wanted(id protocol.DeviceID) *protocol.TunnelAsk {
	k.mu.Lock()
	defer k.mu.Unlock()
	if d := k.devices[id]; d != nil && d.ask != nil && d.ask.NotAfter >= time.Now().Unix() {
		return new(*d.ask)
	}
	return nil
}

// State tells how far a device's tunnel is, and what there is to say of the one that is open.
func (k *Keeper) State(id protocol.DeviceID) (State, Session) {
	k.mu.Lock()
	d := k.devices[id]
	switch {
	case d == nil:
		k.mu.Unlock()
		return StateIdle, Session{Device: id}
	case d.now == nil:
		k.mu.Unlock()
		return StateRequired, Session{Device: id, By: d.by}
	}
	now := d.now
	k.mu.Unlock()
	return StateActive, now.session()
}

// Open are the tunnels that are open.
func (k *Keeper) Open() (all []Session) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, d := range k.devices {
		if d.now != nil {
			all = append(all, d.now.session())
		}
	}
	return all
}

// Ask is what somebody wants of a device.
type Ask struct {
	Device protocol.DeviceID
	// Channel that is wanted, such as protocol.TunnelDocker.
	Channel string
	// By is who wants it.
	By string
}

// Dial opens a channel to a device, and has the device open a tunnel first where there is none. It waits until ctx ends.
// What it returns must be closed.
func (k *Keeper) Dial(ctx context.Context, a Ask) (net.Conn, error) {
	for range 2 {
		l, err := k.line(ctx, a)
		if err != nil {
			return nil, err
		}
		c, err := l.open(ctx, a.Channel)
		if err == nil || ctx.Err() != nil || !errors.Is(err, ErrClosed) {
			return c, err
		}
		k.forget(l) // it was over, or half dead: a new one takes its place
	}
	return nil, fmt.Errorf("%w: try again", ErrClosed)
}

// line is the tunnel of a device, once there is one.
func (k *Keeper) line(ctx context.Context, a Ask) (*line, error) {
	x, ok := k.c.Device(a.Device)
	switch {
	case !ok:
		return nil, fmt.Errorf("%w: %.40q", ErrDevice, a.Device)
	case x.Capability != 0 && x.Capability < capabilityTunnel:
		return nil, fmt.Errorf("%w: its agent is too old for that: update it", ErrMode)
	case x.Mode != protocol.ModeStandard:
		return nil, fmt.Errorf("%w: it is in async mode: queue commands, or start its agent with --mode standard", ErrMode)
	}
	k.mu.Lock()
	d := k.devices[a.Device]
	if d != nil && d.now != nil {
		defer k.mu.Unlock()
		return d.now, nil
	}
	if !x.Reachable {
		k.mu.Unlock()
		return nil, fmt.Errorf("%w: it is not connected: queue commands, which it does when it comes back", ErrOffline)
	}
	if d == nil {
		d = &device{id: a.Device, by: a.By, changed: make(chan struct{})}
		k.devices[a.Device] = d
	}
	if d.waiting >= MaxWaiting {
		k.mu.Unlock()
		return nil, fmt.Errorf("%w: %d do: try again later", ErrBusy, d.waiting)
	}
	d.waiting++
	asks := d.ask == nil || d.ask.NotAfter < time.Now().Unix()
	if asks {
		k.ask(d)
	}
	k.mu.Unlock()
	if asks {
		k.c.Notify(a.Device)
	}
	return k.wait(ctx, d)
}

// ask makes a session that the device is asked for. The caller holds mu.
func (k *Keeper) ask(d *device) {
	if d.ask != nil {
		delete(k.asked, d.ask.Session)
	}
	d.ask = &protocol.TunnelAsk{Session: protocol.NewTunnelID(), NotAfter: time.Now().Add(AskFor).Unix()}
	k.asked[d.ask.Session] = d.id
}

// wait waits until there is a tunnel to the device, or none will be.
func (k *Keeper) wait(ctx context.Context, d *device) (*line, error) {
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if d.waiting--; d.waiting == 0 {
			k.clear(d)
		}
	}()
	for {
		k.mu.Lock()
		now, refused, changed := d.now, d.refused, d.changed
		k.mu.Unlock()
		switch {
		case now != nil:
			return now, nil
		case refused != nil:
			return nil, refused
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil, fmt.Errorf("%w: it may be away: look at its last contact, or allow more time", ErrNoAnswer)
			}
			return nil, ctx.Err()
		}
	}
}

// clear forgets a device of which nobody wants anything, and that has no tunnel. The caller holds mu.
func (k *Keeper) clear(d *device) {
	if d.waiting > 0 || d.now != nil {
		return
	}
	if d.ask != nil {
		delete(k.asked, d.ask.Session)
	}
	if k.devices[d.id] == d {
		delete(k.devices, d.id)
	}
}

// settle ends the waiting for a device. The caller holds mu.
func (d *device) settle(now *line, refused error) {
	d.now, d.refused, d.ask = now, refused, nil
	close(d.changed)
	d.changed = make(chan struct{})
}

// Refused takes what a device says of a tunnel that it does not open.
func (k *Keeper) Refused(id protocol.DeviceID, r protocol.TunnelRefusal) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.devices[id]
	if d == nil || d.ask == nil || d.ask.Session != r.Session {
		return // of an earlier one, or made up
	}
	delete(k.asked, r.Session)
	d.settle(nil, fmt.Errorf("%w: %s", ErrRefused, protocol.Printable(r.Text, protocol.MaxText)))
	delete(k.devices, id) // whoever asks anew asks the device anew
}

// Close ends the tunnel of a device, and the waiting for one. The device takes a snapshot first, unless it is gone.
func (k *Keeper) Close(id protocol.DeviceID, why string) bool {
	k.mu.Lock()
	d := k.devices[id]
	var now *line
	if d != nil {
		if now = d.now; now == nil {
			if d.ask != nil {
				delete(k.asked, d.ask.Session)
			}
			d.settle(nil, fmt.Errorf("%w: %s", ErrClosed, why))
			delete(k.devices, id)
		}
	}
	k.mu.Unlock()
	if now != nil {
		now.end(why, true)
	}
	return d != nil
}

// Drop ends the tunnel of a device that was revoked or removed, at once.
func (k *Keeper) Drop(id protocol.DeviceID) {
	k.mu.Lock()
	d := k.devices[id]
	var now *line
	if d != nil {
		if now = d.now; now == nil {
			if d.ask != nil {
				delete(k.asked, d.ask.Session)
			}
			d.settle(nil, fmt.Errorf("%w: %.40q", ErrDevice, id))
			delete(k.devices, id)
		}
	}
	k.mu.Unlock()
	if now != nil {
		now.end("the device was revoked or removed", false)
	}
}

// forget takes a tunnel that is over out of use.
func (k *Keeper) forget(l *line) {
	l.end("it did not answer any more", false)
	k.mu.Lock()
	defer k.mu.Unlock()
	if d := k.devices[l.id]; d != nil && d.now == l {
		d.now = nil
		k.clear(d)
	}
}
