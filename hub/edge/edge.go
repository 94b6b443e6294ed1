// Package edge is the hub's public port: one TLS listener for agents and browsers, told apart by ALPN, and the
// agents' side of HTTP: frames over HTTPS, knocks, and MQTT over WebSocket.
//
// It owns the connections up to where it is known who speaks, and the outward form of answers. It never looks into a
// frame (the session does), never decides about a knock (the waiting room does), and never tells anybody what went
// wrong inside the hub.
//
// Agents speak HTTP/1.1 with as few headers as possible. The first request on a connection authenticates it: the
// signature is bound to that connection's TLS exporter. Requests of one connection follow one another, so a visit
// belongs to its connection's goroutine; a Server is safe for concurrent use.
package edge

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/farshore/farshore/hub/broker"
	"github.com/farshore/farshore/hub/session"
	"github.com/farshore/farshore/hub/tunnel"
	"github.com/farshore/farshore/internal/doorway"
	"github.com/farshore/farshore/internal/meter"
	"github.com/farshore/farshore/internal/proxyline"
	"github.com/farshore/farshore/protocol"
)

// Defaults and bounds.
const (
	// DefaultIdle is how long an authenticated agent's connection may rest between requests.
	DefaultIdle = 35 * time.Minute
	// DefaultWeb is how many connections those who are not agents may have.
	DefaultWeb = 1024
	// maxStreams is how many requests may be under way on one connection of HTTP/2.
	maxStreams = 32
	// maxKnock is the most bytes of a knock.
	maxKnock = 32 << 10
	// maxConnections is how many connections one device may keep; the oldest makes room.
	maxConnections = 4
	// bodyTimeout is how long the body of a request may take: a frame of the largest size at 10 kbit/s.
	bodyTimeout = 4 * time.Minute
	// answerTimeout is how long writing an answer may take.
	answerTimeout = 4 * time.Minute
	// restTimeout is how long what a handler left of a request's body may still take to come.
	restTimeout = 5 * time.Second
	// stopTimeout is how long requests under way may take to end when the hub stops.
	stopTimeout = 5 * time.Second
)

// Sessions is what frames are handed to; *session.Manager is one.
type Sessions interface {
	Authenticate(purpose string, proof session.Proof) error
	Exchange(context.Context, session.Request) ([]byte, error)
	ErrorFrame(error) []byte
	Meter(protocol.DeviceID, *meter.Tally) (ended func())
	// Bound lets a connection end with the device's time of contact, until release is called.
	Bound(protocol.DeviceID, io.Closer) (release func())
}

// KnockRequest is a knock as it arrived.
type KnockRequest struct {
	Signed   protocol.SignedKnock
	Exporter []byte // of the connection it came on
	Remote   netip.Addr
}

// Knocker answers knocks: the waiting room. It authenticates them itself, may hold an answer back until ctx is done,
// and bounds how many it holds. A *protocol.Error refuses the knock; any other error is a fault of the hub.
type Knocker interface {
	Knock(context.Context, KnockRequest) (protocol.KnockAnswer, error)
}

// Streams serves MQTT streams; *broker.Broker is one.
type Streams interface {
	ServeStream(context.Context, broker.Stream)
}

// Tunnels keeps the hub's ends of tunnels; *tunnel.Keeper is one.
type Tunnels interface {
	// Serve lets a device log in on a stream, and keeps it to the end.
	Serve(context.Context, tunnel.Stream) error
}

// Gate says who may come in from where; *gate.Gate is one.
type Gate interface {
	// Arrive is asked before TLS, and may read what a proxy says first.
	Arrive(net.Conn) (*proxyline.Conn, error)
	// AdmitsPeople is asked about who is no agent, and Device about who is: its connection is closed when it may not be
	// there any more.
	AdmitsPeople(net.Addr) bool
	Device(net.Addr, io.Closer, *tls.ConnectionState) (leave func(), err error)
	HandshakeFailed(net.Addr, error)
}

// Config of a Server.
type Config struct {
	Sessions Sessions
	Knocker  Knocker
	Streams  Streams
	// Tunnels may be nil: there are none.
	Tunnels Tunnels
	// Web serves everybody who is not an agent. nil: not found.
	Web http.Handler
	// TLS of the public port; see identity.TLSConfig.
	TLS *tls.Config
	// Door bounds strangers; it may be shared with other ports. nil: one with the defaults.
	Door *doorway.Door
	// Gate of addresses.
	Gate Gate
	// Idle of authenticated connections; zero means the default.
	Idle time.Duration
	// WebConnections is how many connections those who are not agents may have; zero means the default.
	WebConnections int
	Log            *slog.Logger
}

// Server serves the public port.
type Server struct {
	c     Config
	lobby *lobby

	mu       sync.Mutex
	visits   map[protocol.DeviceID][]*visit // authenticated, oldest first
	hijacked sync.WaitGroup                 // MQTT streams
}

// New returns a Server. It starts nothing.
func New(c Config) *Server {
	c.Idle = cmp.Or(c.Idle, DefaultIdle)
	if c.Door == nil {
		c.Door = doorway.New(doorway.Config{})
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Web == nil {
		c.Web = http.NotFoundHandler()
	}
	return &Server{c: c, lobby: newLobby(cmp.Or(c.WebConnections, DefaultWeb)), visits: map[protocol.DeviceID][]*visit{}}
}

// Serve accepts connections from l until ctx is done, and waits for what is under way, 5 s at most. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	agents, web := newBranch(l.Addr()), newBranch(l.Addr())
	agentServer := &http.Server{
		Handler:           s.agentHandler(ctx),
		ReadHeaderTimeout: protocol.FirstPacketTimeout,
		IdleTimeout:       s.c.Idle,
		MaxHeaderBytes:    2 << 10,
	}
	webServer := &http.Server{
		Handler:           hurried(s.c.Web),
		ReadHeaderTimeout: protocol.FirstPacketTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
	}
	var wg sync.WaitGroup
	for srv, b := range map[*http.Server]*branch{agentServer: agents, webServer: web} {
		srv.BaseContext = func(net.Listener) context.Context { return ctx }
		srv.ConnContext = withVisit
		srv.ConnState = s.connState
		srv.ErrorLog = log.New(io.Discard, "", 0) // strangers' mistakes
		wg.Go(func() { _ = srv.Serve(b) })        // ends with ErrServerClosed
	}
	err := s.c.Door.Serve(ctx, l,
		func(c net.Conn, guest *doorway.Guest) { s.receive(ctx, c, guest, agents, web) },
		func(err error) { s.c.Log.Warn("connection could not be accepted", "error", err) })
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	for _, srv := range []*http.Server{agentServer, webServer} {
		if srv.Shutdown(grace) != nil {
			_ = srv.Close() // what is under way has had its time
		}
	}
	wg.Wait()
	s.hijacked.Wait()
	return err
}

// hurried bounds what net/http does after a handler that did not read its request to the end, such as one that refused
// it: it waits for the rest, without a limit of its own, and holds the answer back until then.
func hurried(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(restTimeout)) // one that has gone needs none
		}
	})
}

// receive does the TLS handshake and hands the connection to the server that its ALPN asks for.
func (s *Server) receive(ctx context.Context, c net.Conn, guest *doorway.Guest, agents, web *branch) {
	arrived, err := s.c.Gate.Arrive(c)
	if err == nil {
		err = s.encrypted(arrived)
	}
	if err != nil {
		s.turnAway(c, guest, err)
		return
	}
	v := &visit{tally: new(meter.Tally), guest: guest, leave: func() {}}
	v.raw = meter.Wrap(arrived, v.tally, meter.HubSide)
	t, err := s.c.Door.Handshake(ctx, &wire{Conn: v.raw, visit: v}, s.c.TLS)
	if err != nil {
		s.c.Gate.HandshakeFailed(arrived.RemoteAddr(), err)
		s.turnAway(c, guest, err)
		return
	}
	v.state = t.ConnectionState()
	to, conn := web, net.Conn(t)
	if v.state.NegotiatedProtocol == protocol.ALPN {
		to, conn = agents, &agentConn{Conn: t, visit: v}
		v.leave, err = s.c.Gate.Device(arrived.RemoteAddr(), v.raw, &v.state)
	} else if !s.c.Gate.AdmitsPeople(arrived.RemoteAddr()) {
		err = errPeople
	}
	if err == nil && !to.hand(ctx, conn) {
		err = errStopping
	}
	if err != nil {
		v.leave()
		s.turnAway(c, guest, err)
	}
}

var (
	errPeople   = errors.New("people may not come from this address")
	errStopping = errors.New("the hub is stopping")
)

// turnAway ends a connection that nobody serves.
func (s *Server) turnAway(c net.Conn, guest *doorway.Guest, err error) {
	guest.Leave()
	_ = c.Close() // nobody is left to tell
	s.c.Log.Debug("stranger gone", "remote", c.RemoteAddr(), "error", err)
}

// connState keeps the door and the list of visits.
func (s *Server) connState(c net.Conn, state http.ConnState) {
	v := visitOf(c)
	if v == nil {
		return
	}
	if v.state.NegotiatedProtocol != protocol.ALPN {
		s.lobby.note(v, state)
	}
	switch state {
	case http.StateClosed:
		v.guest.Leave()
		s.ended(v)
	case http.StateActive, http.StateIdle:
		if v.state.NegotiatedProtocol != protocol.ALPN {
			v.guest.Leave() // the lobby bounds them from here on
		}
	case http.StateNew, http.StateHijacked: // hijacked: the broker says when it is no stranger any more
	}
}
