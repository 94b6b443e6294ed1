package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/farshore/farshore/protocol"
)

// permission under which the session of a login is kept.
const permission = "session"

// admit decides about a login: the user is a session that is wanted, and the key is that device's.
func (k *Keeper) admit(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	session, err := protocol.ParseTunnelID(c.User())
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	id, wanted := k.asked[session]
	k.mu.Unlock()
	if !wanted {
		return nil, errors.New("no such session is wanted")
	}
	x, ok := k.c.Device(id)
	own, err := ssh.NewPublicKey(x.Key)
	if !ok || err != nil || string(own.Marshal()) != string(key.Marshal()) {
		return nil, errors.New("the key is not the device's")
	}
	return &ssh.Permissions{Extensions: map[string]string{permission: session.String()}}, nil
}

// Stream is a connection on which a device is about to log in.
type Stream struct {
	Conn net.Conn
	// Known is called when it is known whose it is, before anything else is said on it; what it returns is called at the
	// end. Nil: nobody needs to know.
	Known func(protocol.DeviceID) (ended func())
}

// Serve lets a device log in and keeps its tunnel to the end. It closes the connection.
func (k *Keeper) Serve(ctx context.Context, s Stream) error {
	counted := &counter{Conn: s.Conn, most: k.c.Bytes}
	defer s.Conn.Close()
	undo := context.AfterFunc(ctx, func() { _ = s.Conn.Close() })
	defer undo()
	timer := time.AfterFunc(loginTimeout, func() { _ = s.Conn.Close() })
	conn, channels, requests, err := ssh.NewServerConn(counted, k.server)
	if !timer.Stop() && err == nil {
		_ = conn.Close()
		err = errors.New("it took too long")
	}
	if err != nil {
		return fmt.Errorf("log in to a tunnel: %w", err)
	}
	l := &line{k: k, conn: conn, count: counted, opened: time.Now(), done: make(chan struct{}), activity: make(chan struct{}, 1)}
	if err := k.begin(l, conn.Permissions.Extensions[permission]); err != nil {
		_ = conn.Close()
		return err
	}
	ended := func() {}
	if s.Known != nil {
		ended = s.Known(l.id)
	}
	k.c.Opened(l.session())
	k.c.Log.Info("tunnel opened", "device", l.id, "by", l.by)
	var work sync.WaitGroup
	work.Go(func() {
		for c := range channels {
			_ = c.Reject(ssh.Prohibited, "devices open no channels")
		}
	})
	work.Go(func() { ssh.DiscardRequests(requests) })
	work.Go(l.watch)
	_ = conn.Wait() // however it ends
	close(l.done)
	work.Wait()
	k.ended(l)
	ended()
	l.say("the connection was lost")
	last := l.session()
	last.Ended = time.Now()
	k.c.Ended(last)
	k.c.Log.Info("tunnel closed", "device", l.id, "why", last.Why, "up", last.Up, "down", last.Down)
	return nil
}

// begin makes a login the tunnel of its device. A tunnel that was there before ends.
func (k *Keeper) begin(l *line, user string) error {
	session, err := protocol.ParseTunnelID(user)
	if err != nil {
		return err
	}
	k.mu.Lock()
	id, wanted := k.asked[session]
	delete(k.asked, session)
	d := k.devices[id]
	if !wanted || d == nil || d.ask == nil || d.ask.Session != session {
		k.mu.Unlock()
		return errors.New("the session of a tunnel was used before")
	}
	before := d.now
	l.id, l.by = id, d.by
	d.settle(l, nil)
	k.mu.Unlock()
	if before != nil {
		before.end("a new one took its place", false)
	}
	return nil
}

func (k *Keeper) ended(l *line) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if d := k.devices[l.id]; d != nil && d.now == l {
		d.now = nil
		k.clear(d)
	}
}

// line is a tunnel that is open.
type line struct {
	k        *Keeper
	id       protocol.DeviceID
	by       string
	conn     *ssh.ServerConn
	count    *counter
	opened   time.Time
	done     chan struct{} // closed when the connection has ended
	activity chan struct{} // a channel was opened or closed

	channels, served atomic.Int64
	mu               sync.Mutex
	why              string // guarded by mu: why it ends
	ending           bool   // guarded by mu
}

func (l *line) session() Session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Session{
		Device: l.id, Opened: l.opened, By: l.by, Why: l.why, Up: l.count.up.Load(), Down: l.count.down.Load(),
		Channels: int(l.channels.Load()), Served: int(l.served.Load()),
	}
}

// say keeps the first reason for the end.
func (l *line) say(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == "" {
		l.why = why
	}
}

// end closes the tunnel; gently: the device takes a snapshot first.
func (l *line) end(why string, gently bool) {
	l.say(why)
	l.mu.Lock()
	was := l.ending
	l.ending = true
	l.mu.Unlock()
	if !gently {
		_ = l.conn.Close()
		return
	}
	if was {
		return
	}
	go func() { // ends with the connection, at the latest
		late := time.AfterFunc(closingWithin, func() { _ = l.conn.Close() })
		defer late.Stop()
		_, _, _ = l.conn.SendRequest(protocol.TunnelClosing, true, nil) // it ends in any case
		_ = l.conn.Close()
	}()
}

// watch asks for signs of life, and ends a tunnel that idles, lasts too long or carries too much.
func (l *line) watch() {
	alive := time.NewTicker(aliveEvery)
	defer alive.Stop()
	idle := time.NewTimer(l.k.c.Idle)
	defer idle.Stop()
	long := time.NewTimer(l.k.c.Long)
	defer long.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-l.activity:
			idle.Reset(l.k.c.Idle)
		case <-idle.C:
			if l.channels.Load() == 0 {
				l.end(fmt.Sprintf("nothing was open on it for %s", l.k.c.Idle), true)
				continue
			}
			idle.Reset(l.k.c.Idle)
		case <-long.C:
			l.end(fmt.Sprintf("it was open for %s", l.k.c.Long), true)
		case <-alive.C:
			late := time.AfterFunc(aliveWithin, func() { l.end("the device did not answer any more", false) })
			_, _, err := l.conn.SendRequest(protocol.TunnelAlive, true, nil)
			late.Stop()
			if err != nil {
				return
			}
		}
	}
}

// open opens a channel. Its errors wrap ErrClosed, ErrRefused or that of ctx.
func (l *line) open(ctx context.Context, kind string) (net.Conn, error) {
	type answer struct {
		ch  ssh.Channel
		req <-chan *ssh.Request
		err error
	}
	l.mu.Lock()
	ending := l.ending
	l.mu.Unlock()
	if ending {
		return nil, ErrClosed
	}
	answered := make(chan answer, 1)
	go func() { // ends when the device answers, or with the connection
		ch, req, err := l.conn.OpenChannel(kind, nil)
		answered <- answer{ch, req, err}
	}()
	select {
	case a := <-answered:
		if refusal, ok := errors.AsType[*ssh.OpenChannelError](a.err); ok {
			return nil, fmt.Errorf("%w: %s", ErrRefused, protocol.Printable(refusal.Message, protocol.MaxText))
		}
		if a.err != nil {
			return nil, fmt.Errorf("%w: %w", ErrClosed, a.err)
		}
		go ssh.DiscardRequests(a.req) // ends with the channel
		l.channels.Add(1)
		l.served.Add(1)
		l.touch()
		return &channel{Channel: a.ch, l: l}, nil
	case <-ctx.Done():
		go func() {
			if a := <-answered; a.err == nil {
				_ = a.ch.Close()
				ssh.DiscardRequests(a.req)
			}
		}()
		return nil, fmt.Errorf("%w: the tunnel is there, and the device does not answer on it: %w", ErrNoAnswer, ctx.Err())
	}
}

func (l *line) touch() {
	select {
	case l.activity <- struct{}{}:
	default:
	}
}

// channel is a channel as a net.Conn. Deadlines are kept by closing it.
type channel struct {
	ssh.Channel
	l     *line
	once  sync.Once
	mu    sync.Mutex
	timer *time.Timer
}

// Close implements net.Conn.
func (c *channel) Close() error {
	err := c.Channel.Close()
	c.once.Do(func() { c.l.channels.Add(-1); c.l.touch() })
	if errors.Is(err, io.EOF) {
		err = nil // the other side was first
	}
	return err
}

// LocalAddr and RemoteAddr implement net.Conn.
func (c *channel) LocalAddr() net.Addr  { return address(c.l.id) }
func (c *channel) RemoteAddr() net.Addr { return address(c.l.id) }

type address protocol.DeviceID

func (address) Network() string  { return "tunnel" }
func (a address) String() string { return string(a) }

// SetDeadline closes the channel at t; zero: never.
func (c *channel) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if !t.IsZero() {
		c.timer = time.AfterFunc(time.Until(t), func() { _ = c.Close() })
	}
	return nil
}

// SetReadDeadline and SetWriteDeadline are as SetDeadline.
func (c *channel) SetReadDeadline(t time.Time) error  { return c.SetDeadline(t) }
func (c *channel) SetWriteDeadline(t time.Time) error { return c.SetDeadline(t) }

// counter counts what a connection carries, and ends it when that is too much.
type counter struct {
	net.Conn
	most     uint64
	up, down atomic.Uint64
}

var errBytes = errors.New("the tunnel has carried as much as it may")

// Read implements net.Conn.
func (c *counter) Read(b []byte) (int, error) {
	if c.up.Load()+c.down.Load() > c.most {
		return 0, errBytes
	}
	n, err := c.Conn.Read(b)
	c.up.Add(uint64(n))
	return n, err
}

// Write implements net.Conn.
func (c *counter) Write(b []byte) (int, error) {
	if c.up.Load()+c.down.Load() > c.most {
		return 0, errBytes
	}
	n, err := c.Conn.Write(b)
	c.down.Add(uint64(n))
	return n, err
}
