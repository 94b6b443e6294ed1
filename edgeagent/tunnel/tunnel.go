// Package tunnel is the device's end of the tunnel: asked by the hub, it dials it, logs in by SSH, and serves the channels
// that the hub opens.
//
// It never listens, opens no channel of its own, and reaches nothing but what its Config names. A device in async mode
// refuses, whatever the hub says. There is one tunnel at a time: a new one takes over from the one before it.
//
// A Keeper is safe for concurrent use. Run owns all goroutines.
package tunnel

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/farshore/farshore/internal/splice"
	"github.com/farshore/farshore/protocol"
)

// Bounds.
const (
	// MaxChannels is how many channels may be open at once.
	MaxChannels = 128
	// DefaultDial is how long making a tunnel may take.
	DefaultDial = time.Minute
	// silence is how long the hub may say nothing; it asks for a sign of life more often.
	silence = 3 * time.Minute
	// closing is how long the last snapshot may take.
	closing = 15 * time.Second
)

// Config of a Keeper. What has no comment is required.
type Config struct {
	Mode protocol.Mode
	// Key is the device key, HubKey that of the hub.
	Key    ed25519.PrivateKey
	HubKey ed25519.PublicKey
	// Dial connects to the hub's tunnel address: a stream that SSH can be spoken on.
	Dial func(context.Context) (net.Conn, error)
	// Docker connects to the engine.
	Docker func(context.Context) (splice.Stream, error)
	// Closing is called before the hub ends a tunnel: it captures what was changed. Nil: nothing is done.
	Closing func(context.Context)
	// Refuse tells the hub why there is no tunnel.
	Refuse func(protocol.TunnelRefusal)
	// Timeout of making a tunnel. 0: DefaultDial.
	Timeout time.Duration
	// Now is the hub's time, as far as it is known. Nil: the clock.
	Now func() time.Time
	Log *slog.Logger
}

// Keeper keeps the device's end of tunnels.
type Keeper struct {
	c     Config
	asked chan protocol.TunnelAsk

	mu     sync.Mutex
	status Status
}

// Status is how the tunnel stands.
type Status struct {
	// Since is when it was opened. Zero: there is none.
	Since time.Time `json:"since,omitzero"`
	// Channels are open now, and Served were in all.
	Channels int `json:"channels"`
	Served   int `json:"served"`
	// Refused says why the last one that was asked for was not made. "": it was, or none was.
	Refused string `json:"refused,omitempty"`
}

// New returns a Keeper. It starts nothing.
func New(c Config) *Keeper {
	c.Timeout = cmp.Or(c.Timeout, DefaultDial)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Closing == nil {
		c.Closing = func(context.Context) {}
	}
	return &Keeper{c: c, asked: make(chan protocol.TunnelAsk, 1)}
}

// Status tells how the tunnel stands.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.status
}

func (k *Keeper) set(fn func(*Status)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	fn(&k.status)
}

// Asked takes the hub's wish for a tunnel. It does not wait; of several wishes the last counts.
func (k *Keeper) Asked(ask protocol.TunnelAsk) {
	for {
		select {
		case k.asked <- ask:
			return
		default:
		}
		select {
		case <-k.asked:
		default:
		}
	}
}

// Run makes tunnels as they are asked for, until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	var work sync.WaitGroup
	defer work.Wait()
	stop := func() {}
	defer func() { stop() }()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case ask := <-k.asked:
			one, cancel := context.WithCancel(ctx)
			before := stop
			stop = cancel
			work.Go(func() {
				defer cancel()
				k.serve(one, ask, before)
			})
		}
	}
}

// serve makes one tunnel and serves it to its end. The tunnel before it ends when this one is there, or was refused.
func (k *Keeper) serve(ctx context.Context, ask protocol.TunnelAsk, before func()) {
	t, err := k.open(ctx, ask)
	before()
	if err != nil {
		k.set(func(s *Status) { s.Refused = err.Error() })
		if ctx.Err() == nil {
			k.c.Log.Warn("no tunnel was opened", "error", err)
			k.c.Refuse(protocol.TunnelRefusal{Session: ask.Session, Text: protocol.Printable(err.Error(), protocol.MaxText)})
		}
		return
	}
	k.c.Log.Info("tunnel opened: the hub may work on this device until it is closed")
	k.set(func(s *Status) { s.Since, s.Refused = time.Now(), "" })
	err = t.run(ctx)
	k.set(func(s *Status) { s.Since, s.Channels = time.Time{}, 0 })
	k.c.Log.Info("tunnel closed", "error", err)
}

// Why a tunnel is not opened.
var (
	errAsync = errors.New("the device is in async mode and opens no tunnel: queue commands, or start its agent with --mode standard")
	errLate  = errors.New("the device heard of it too late: ask again")
)

func (k *Keeper) open(ctx context.Context, ask protocol.TunnelAsk) (*tunnel, error) {
	switch {
	case k.c.Mode != protocol.ModeStandard:
		return nil, errAsync
	case k.c.Now().Unix() > ask.NotAfter:
		return nil, errLate
	}
	ctx, cancel := context.WithTimeout(ctx, k.c.Timeout)
	defer cancel()
	conn, err := k.c.Dial(ctx)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromSigner(k.c.Key)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("device key for SSH: %w", err), conn.Close())
	}
	host, err := ssh.NewPublicKey(k.c.HubKey)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("hub key for SSH: %w", err), conn.Close())
	}
	undo := context.AfterFunc(ctx, func() { _ = conn.Close() })
	client, channels, requests, err := ssh.NewClientConn(conn, "hub", &ssh.ClientConfig{
		User: ask.Session.String(), Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(host),
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519}, ClientVersion: "SSH-2.0-Farshore",
	})
	if err == nil && !undo() {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("log in to the hub's end of the tunnel: %w", err)
	}
	return &tunnel{k: k, conn: client, channels: channels, requests: requests, alive: make(chan struct{}, 1)}, nil
}

// tunnel is one that is open.
type tunnel struct {
	k        *Keeper
	conn     ssh.Conn
	channels <-chan ssh.NewChannel
	requests <-chan *ssh.Request
	alive    chan struct{}
}

// run serves channels until the tunnel ends.
func (t *tunnel) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer t.conn.Close()
	defer cancel()
	work.Go(func() { t.answer(ctx) })
	work.Go(func() { t.watch(ctx) })
	places := make(chan struct{}, MaxChannels)
	for asked := range t.channels {
		select {
		case places <- struct{}{}:
			work.Go(func() {
				defer func() { <-places }()
				t.channel(ctx, asked)
			})
		default:
			_ = asked.Reject(ssh.ResourceShortage, fmt.Sprintf("%d channels are open on the device already: close some", MaxChannels))
		}
	}
	err := t.conn.Wait()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return err
}

// answer answers requests for the whole tunnel.
func (t *tunnel) answer(ctx context.Context) {
	for r := range t.requests {
		select {
		case t.alive <- struct{}{}:
		default:
		}
		if r.Type == protocol.TunnelClosing {
			within, cancel := context.WithTimeout(ctx, closing)
			t.k.c.Closing(within)
			cancel()
		}
		if r.WantReply {
			_ = r.Reply(r.Type == protocol.TunnelAlive || r.Type == protocol.TunnelClosing, nil) // the end of the tunnel is seen elsewhere
		}
	}
}

// watch ends a tunnel whose hub says nothing any more, or that another one takes the place of.
func (t *tunnel) watch(ctx context.Context) {
	timer := time.NewTimer(silence)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			_ = t.conn.Close()
			return
		case <-timer.C:
			t.k.c.Log.Warn("the hub says nothing any more: the tunnel is closed", "after", silence)
			_ = t.conn.Close()
			return
		case <-t.alive:
			timer.Reset(silence)
		}
	}
}

// channel connects a channel with what it is for.
func (t *tunnel) channel(ctx context.Context, asked ssh.NewChannel) {
	if asked.ChannelType() != protocol.TunnelDocker {
		_ = asked.Reject(ssh.UnknownChannelType, "the device has no such channel: update its agent")
		return
	}
	target, err := t.k.c.Docker(ctx)
	if err != nil {
		_ = asked.Reject(ssh.ConnectionFailed, protocol.Printable("the container engine of the device does not answer: "+err.Error(), protocol.MaxText))
		return
	}
	ch, requests, err := asked.Accept()
	if err != nil {
		_ = target.Close()
		return
	}
	t.k.set(func(s *Status) { s.Channels++; s.Served++ })
	defer t.k.set(func(s *Status) { s.Channels = max(0, s.Channels-1) })
	go ssh.DiscardRequests(requests) // ends with the channel
	defer context.AfterFunc(ctx, func() { _ = target.Close(); _ = ch.Close() })()
	if err := splice.Join(ch, target); err != nil {
		t.k.c.Log.Debug("channel ended", "error", err)
	}
}
