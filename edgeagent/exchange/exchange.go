// Package exchange is the agent's end of a session with the hub: it decides what is said, when, and in which frames,
// on whichever carrier the link offers, and takes over what the hub says.
//
// It owns the session's numbers (protocol/window), the ticks of the ping, snapshot and command frequencies, the order
// in which a thin link is served, the verification of orders, the device's idea of the hub's time, and the fetching
// of blobs. It makes nothing durable itself: orders, results, status and transfers are kept by the state it is given,
// before they are acknowledged. See DESIGN.md for what happens when either side stops in the middle.
//
// One goroutine, that of Run, owns the session; the other methods only leave word for it and may be called from
// anywhere.
package exchange

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/protocol/window"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/snapshot/capture"
)

// Transport is one carrier's connection to the hub.
type Transport interface {
	Name() protocol.Carrier
	// Send hands over one frame. On a carrier that cannot push it returns after the answer was handed over.
	Send(ctx context.Context, frame []byte) error
	// Ping shows that the device lives and finds out whether the hub does.
	Ping(ctx context.Context) error
	// Push reports whether the hub can send by itself.
	Push() bool
	Close() error
}

// Inbox is where a transport puts what it receives. All functions return soon and may be called from any goroutine.
type Inbox struct {
	Frame func(frame []byte)
	Down  func(err error)
	// Connected is called when a connection was made and nothing said on it yet.
	Connected func()
}

// errNotKept is wrapped where this side is at fault: the connection works, but what the hub says cannot be made durable
// or does not fit. Trying again at once would help nobody.
var errNotKept = errors.New("what the hub sent could not be taken over")

// settled is how long a connection must have lasted for its loss to count as new trouble, not as more of the old.
const settled = time.Minute

// maxFlapping bounds the back-off of a link on which the hub can be reached, but not for long.
const maxFlapping = 4

// ErrReconnect ends a connection for which a better one can be made at once: for other settings, or on a better carrier.
var ErrReconnect = errors.New("connecting anew")

// Config is what an Exchange needs. All fields but Wishes, Arch and the callbacks are required.
type Config struct {
	State   *state.Store
	HubKey  ed25519.PublicKey
	Codec   *protocol.Codec
	Patcher *snapshot.Patcher
	// Latest gives the latest capture.
	Latest func() capture.Capture
	// Connect makes a connection by the effective settings, on the carrier that is next in turn. A refusal by the hub
	// is a *protocol.Error.
	Connect func(ctx context.Context, s protocol.Settings, in Inbox) (Transport, error)
	Mode    protocol.Mode
	Version string
	Arch    string
	Wishes  map[string]string
	Log     *slog.Logger
	// OnCommands is called after commands were accepted, OnDesired after the desired set changed, OnSettings after the
	// settings changed. Nil: nobody is told.
	OnCommands, OnDesired func()
	OnSettings            func(protocol.Settings)
	// OnTunnel is called when the hub asks for a tunnel. Nil: nobody is told.
	OnTunnel func(protocol.TunnelAsk)
	// OnSession is called when the hub has taken the agent into a session. Nil: nobody is told.
	OnSession func()
	// Programs gives what the hello says of the agent's programs. Nil: it says nothing.
	Programs func() (programs []protocol.ProgramFact, cannot string)
	// Economy says what the link may carry, and when. Nil: everything, at any time.
	Economy Economy
	// Rand decides jitter. Nil: a random one.
	Rand *rand.Rand
}

// Exchange is the agent's end of the session.
type Exchange struct {
	cfg   Config
	log   *slog.Logger
	wake  chan struct{} // something may be due
	clock Clock
	blobs *fetcher

	// Owned by Run's goroutine.
	win      *window.Window // nil: a session must be opened
	sessions uint64         // how many sessions this process has opened
	onAck    map[uint64]func() error
	inFlight map[uint64]bool // outbox items under way
	bulk     int             // bytes of output under way
	heard    time.Time       // when the hub was last heard
	misfits  int             // sessions opened in a row because orders did not fit
	sending  bool            // a snapshot is under way
	fullDue  bool            // the hub wants the whole snapshot
	// unsendable is the snapshot that was found to fit no frame.
	unsendable protocol.ShortHash
	heavy      heavy
	snapSize   int           // bytes of the snapshot that is under way
	snapLeft   time.Duration // that there was for it
	overdue    bool          // the hub was told that captures are overdue
	spread     time.Duration
	slot       time.Duration
	repeats    int
	reopen     bool // the session is of no use any more: open a new one
	agreed     uint // capability of both sides, by the last session
	telling    bool // usage is under way
	awaited    awaited
	within     bool // the opening in which the last connection was begun has an end
	path       path
	rhythm     rhythm // of brief connections

	mu     sync.Mutex // guards status
	status Status
}

// Status is how the exchange stands, for the agent's status report.
type Status struct {
	Carrier     protocol.Carrier `json:"carrier,omitempty"`
	Connected   bool             `json:"connected"`
	LastContact time.Time        `json:"last_contact,omitzero"`
	LastError   string           `json:"last_error,omitempty"`
	NextTry     time.Time        `json:"next_try,omitzero"`
	// Waiting says why there is no connection although nothing has failed. Empty: there is one, or it has.
	Waiting string `json:"waiting,omitempty"`
	// Capability is what both hub and agent understand of the protocol, by the last session. 0: there was none yet.
	Capability uint `json:"capability,omitempty"`
}

// New returns an Exchange that does nothing before Run.
func New(cfg Config) *Exchange {
	if cfg.Rand == nil {
		cfg.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	e := &Exchange{
		cfg:  cfg,
		log:  cfg.Log,
		wake: make(chan struct{}, 1),
	}
	e.blobs = newFetcher(cfg.State, e.Wake)
	cfg.State.OnOutbox(e.Wake)
	e.rules(e.ordered())
	return e
}

// Wake says that something to send may have come up: a changed snapshot, a result.
func (e *Exchange) Wake() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Clock is the device's best idea of the hub's time.
func (e *Exchange) Clock() *Clock { return &e.clock }

// Status tells how the exchange stands.
func (e *Exchange) Status() Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.status
}

// Settings are the settings in force.
func (e *Exchange) Settings() protocol.Settings { return Effective(e.cfg.State, e.cfg.Mode) }

// Effective returns the settings in force for a state: those last ordered, or the defaults of the mode.
func Effective(s *state.Store, mode protocol.Mode) protocol.Settings {
	if got := s.Orders().Settings; got != nil {
		return *got
	}
	return protocol.DefaultSettings(mode)
}

// Run keeps a session with the hub until ctx ends, or the hub says that the device is not, or no longer, admitted;
// then it returns that *protocol.Error.
func (e *Exchange) Run(ctx context.Context) error {
	defer e.setStatus(func(s *Status) { s.Connected = false })
	failures := 0
	e.rhythm = rhythm{}
	for {
		end := e.connectAndServe(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var refused *protocol.Error
		if errors.As(end.err, &refused) && (refused.Code == protocol.CodeRevoked || refused.Code == protocol.CodeUnknown) {
			return end.err
		}
		if errors.Is(end.err, errDone) {
			if err := e.rest(ctx); err != nil {
				return err
			}
		}
		if errors.Is(end.err, ErrReconnect) || errors.Is(end.err, errOver) || errors.Is(end.err, errDone) {
			failures = 0
			continue
		}
		wait := e.pause(end, &failures)
		if refused != nil && refused.RetryAfter > 0 {
			wait = max(wait, time.Duration(refused.RetryAfter)*time.Second)
		}
		e.log.Info("hub is out of reach", "error", end.err, "retry_in", wait.Round(time.Millisecond))
		e.setStatus(func(s *Status) {
			s.Connected, s.LastError, s.NextTry, s.Waiting = false, end.err.Error(), time.Now().Add(wait), ""
		})
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// ending is how the use of a connection ended.
type ending struct {
	contact bool // the hub answered on it
	lasted  time.Duration
	err     error
}

// pause is how long to wait before the next connection. A fleet that has lost its hub spreads itself; what fails again
// and again, refusals and faults of this side included, backs off.
func (e *Exchange) pause(end ending, failures *int) time.Duration {
	var refused *protocol.Error
	lost := end.contact && !errors.As(end.err, &refused) && !errors.Is(end.err, errNotKept)
	if lost && end.lasted >= settled {
		*failures = 0
		return time.Duration(e.cfg.Rand.Int64N(int64(max(e.spread, time.Second))))
	}
	*failures++
	if lost {
		*failures = min(*failures, maxFlapping)
	}
	most := 10 * time.Minute
	if e.within {
		most = retryWithin
	}
	return backOff(e.cfg.Rand, *failures, most)
}

// backOff is exponential with full jitter, from 1 s to most.
func backOff(r *rand.Rand, failures int, most time.Duration) time.Duration {
	ceiling := min(time.Second<<min(failures, 20), most)
	return max(time.Duration(r.Int64N(int64(ceiling))), 100*time.Millisecond)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (e *Exchange) setStatus(fn func(*Status)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fn(&e.status)
}

// connectAndServe makes one connection, when there may be one, and uses it until it is lost or has to end.
func (e *Exchange) connectAndServe(outer context.Context) ending {
	until, err := e.admitted(outer)
	if err != nil {
		return ending{err: err}
	}
	ctx, cancelAll := until.limit(outer)
	defer cancelAll()
	s := e.ordered()
	e.within = until.bounded
	in := make(chan arrival, 4*window.MaxUnacked)
	down := make(chan error, 1)
	dialCtx, cancel := context.WithTimeout(ctx, connectTimeout(s))
	defer cancel()
	started := time.Now()
	tr, err := e.cfg.Connect(dialCtx, s, Inbox{
		Connected: e.passed,
		Frame: func(b []byte) {
			a := e.read(b)
			select {
			case in <- a:
			default: // the window bounds what may be under way; what is beyond is repeated
			}
		},
		Down: func(err error) {
			select {
			case down <- err:
			default:
			}
		},
	})
	e.passed()
	if err != nil {
		return ending{err: over(ctx, err)}
	}
	c := &connection{Exchange: e, tr: tr, in: in, down: down, settings: e.inForce(), base: s, until: until, quiet: started}
	err = c.serve(outer)
	if closeErr := tr.Close(); closeErr != nil && ctx.Err() == nil {
		e.log.Debug("close connection", "carrier", tr.Name(), "error", closeErr)
	}
	e.passed()
	if c.contact {
		e.log.Info("connection ended", "carrier", tr.Name(), "after", time.Since(started).Round(time.Second), "error", err)
	}
	return ending{contact: c.contact, lasted: time.Since(started), err: err}
}

// over tells what failed because the time of contact was over from what failed by itself.
func over(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errOver) && !errors.Is(err, errOver) {
		return fmt.Errorf("%w: %w", errOver, err)
	}
	return err
}

func connectTimeout(s protocol.Settings) time.Duration {
	if s.ConnectTimeout > 0 {
		return time.Duration(s.ConnectTimeout) * time.Second
	}
	return protocol.DefaultConnectTimeout
}

func exchangeTimeout(s protocol.Settings) time.Duration {
	if s.ExchangeTimeout > 0 {
		return time.Duration(s.ExchangeTimeout) * time.Second
	}
	return protocol.DefaultExchangeTimeout
}
