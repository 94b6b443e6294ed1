// Package capture is the agent's half of snapshots: it reads engine and host into the canonical form of package
// snapshot, after each event of the engine that matters and at least once in an interval, and keeps the last capture.
//
// It never sends anything, and never acts on the engine. An engine that is absent or fails is a state like any other:
// the snapshot then says so, with the lists of the last complete capture, and capture tries again, at first after 1 s
// and later every 30 s.
//
// A Capturer belongs to one Run; its other methods are safe for concurrent use.
package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

// Timing of captures.
const (
	// MaxInterval is the longest time between two captures, however long the snapshot interval is: reading the
	// engine costs no bytes on the link, and heals a lost event.
	MaxInterval = 5 * time.Minute
	// MinInterval is the shortest time between captures that nothing asked for.
	MinInterval = 5 * time.Second
	// settle is how long the engine must say nothing before it is read; settleMost is how long that is waited for.
	settle     = 200 * time.Millisecond
	settleMost = time.Second
	// spacing is the time between two captures that events ask for.
	spacing = time.Second
	// attemptTimeout is how long an engine may take to say everything.
	attemptTimeout = 60 * time.Second
	// overdueGrace is added to the interval before a missing capture is called overdue.
	overdueGrace = 15 * time.Second
	// failuresTold is how many times in a row an engine must fail before the snapshot says so. One that is absent
	// is told at once.
	failuresTold = 3
	backoffFirst = time.Second
	backoffMost  = 30 * time.Second
)

// Engine is what is captured. It is implemented by edgeagent/engine and by a fake.
type Engine interface {
	// Observe returns the whole state or an error.
	Observe(ctx context.Context) (snapshot.Observation, error)
	// Watch calls changed when the event stream is established and for each event that can alter a snapshot. It
	// blocks until ctx is done or the stream ends, and says why.
	Watch(ctx context.Context, changed func()) error
}

// Config of a Capturer. Engine and Host are required.
type Config struct {
	Engine Engine
	// Host returns facts of the machine, see HostFacts.
	Host func() protocol.Host
	// Interval returns the snapshot interval in effect. Nil or 0: on change only, which is MaxInterval here.
	Interval func() time.Duration
	// Log gets what the snapshot cannot say. Nil: slog.Default.
	Log *slog.Logger
	// Changed is called from Run after the state changed, and must not block. Nil: nobody is told.
	Changed func()
}

// Capture is what is known of the device.
type Capture struct {
	// OK is false before the first capture; the other fields are then zero.
	OK bool
	// Canonical is the encoding of Snapshot. Both are shared: do not change them.
	Canonical []byte
	Hash      protocol.ShortHash
	Snapshot  protocol.Snapshot
	// At is when engine and host were last found in this state.
	At time.Time
	// OverdueSince is At where captures are missing since. Zero: they are on time.
	OverdueSince time.Time
	// Reason says why captures are overdue.
	Reason string
}

// Capturer captures one engine.
type Capturer struct {
	cfg      Config
	pokes    chan struct{}
	requests chan chan error

	// mu guards the rest.
	mu       sync.Mutex
	latest   Capture
	complete snapshot.Observation // of the last complete capture
	ended    time.Time            // when the last attempt ended that led to a snapshot
	next     time.Duration        // after which time another one was to follow it
	failures int                  // in a row
	lastErr  string
}

// New returns a Capturer. It reads nothing before Run.
func New(cfg Config) *Capturer {
	if cfg.Interval == nil {
		cfg.Interval = func() time.Duration { return 0 }
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Changed == nil {
		cfg.Changed = func() {}
	}
	return &Capturer{cfg: cfg, pokes: make(chan struct{}, 1), requests: make(chan chan error)}
}

// Latest returns the last capture.
func (c *Capturer) Latest() Capture {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.latest
	if out.OK && time.Since(c.ended) > c.next+attemptTimeout+overdueGrace {
		out.OverdueSince = out.At
		out.Reason = "the engine and the host could not be read since: is the device suspended or its disk not answering?"
		if c.lastErr != "" {
			out.Reason = "the engine and the host could not be read since: " + c.lastErr
		}
	}
	return out
}

// Now captures at once and returns when that is done, with the reason where the engine could not be read. Run must be
// running; else Now waits for it as long as ctx allows.
func (c *Capturer) Now(ctx context.Context) error {
	done := make(chan error, 1)
	select {
	case c.requests <- done:
	case <-ctx.Done():
		return fmt.Errorf("capture a snapshot: %w", ctx.Err())
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("capture a snapshot: %w", ctx.Err())
	}
}

// IntervalChanged says that Config.Interval gives something else now. The next capture is made at once, and those after
// it by the new interval. It never blocks.
func (c *Capturer) IntervalChanged() { c.poke() }

// poke asks for a capture soon. It never blocks.
func (c *Capturer) poke() {
	select {
	case c.pokes <- struct{}{}:
	default:
	}
}

func (c *Capturer) interval() time.Duration {
	every := c.cfg.Interval()
	if every <= 0 {
		return MaxInterval
	}
	return min(max(every, MinInterval), MaxInterval)
}

// capture reads engine and host once. The error says why the engine could not be read; the state is then that of the
// last complete capture, with the engine absent or failing.
func (c *Capturer) capture(ctx context.Context) error {
	attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	obs, err := c.cfg.Engine.Observe(attempt)
	if ctx.Err() != nil {
		return ctx.Err() // stopping is not a fault of the engine
	}
	if err != nil && attempt.Err() != nil {
		err = fmt.Errorf("the engine did not answer within %s: restart it", attemptTimeout)
	}
	host := c.cfg.Host()

	c.mu.Lock()
	changed := c.fold(obs, err, host)
	c.mu.Unlock()
	if changed {
		c.cfg.Changed()
	}
	return err
}

// fold makes the new state of what was observed. Callers hold mu.
func (c *Capturer) fold(obs snapshot.Observation, err error, host protocol.Host) (changed bool) {
	now := time.Now()
	switch {
	case err == nil:
		if c.failures > 0 {
			c.cfg.Log.Info("the engine can be read again")
		}
		c.failures, c.lastErr, c.complete = 0, "", obs
	default:
		if c.failures == 0 {
			c.cfg.Log.Warn("the engine cannot be read", "err", err)
		}
		c.failures++
		c.lastErr = reason(err)
		obs = c.complete
		switch {
		case errors.Is(err, snapshot.ErrEngineAbsent):
			obs.Engine.State, obs.Engine.Reason = protocol.EngineAbsent, c.lastErr
		case c.failures >= failuresTold || !c.latest.OK || c.latest.Snapshot.Engine.State != protocol.EngineRunning:
			obs.Engine.State, obs.Engine.Reason = protocol.EngineFailing, c.lastErr
		default:
			return false
		}
	}
	canonical, hash := snapshot.Canonical(protocol.Snapshot{
		Host: host, Engine: obs.Engine, Images: obs.Images, Containers: obs.Containers, Volumes: obs.Volumes, Networks: obs.Networks,
	})
	c.ended, c.next = now, c.interval()
	if c.latest.OK && c.latest.Hash == hash {
		c.latest.At = now
		return false
	}
	decoded, err := snapshot.Decode(canonical)
	if err != nil {
		c.cfg.Log.Error("the canonical form of a capture cannot be read", "err", err)
		return false
	}
	c.latest = Capture{OK: true, Canonical: canonical, Hash: hash, Snapshot: decoded, At: now}
	return true
}

// reason is err as a snapshot tells it: without what only the log needs.
func reason(err error) string {
	text := err.Error()
	if errors.Is(err, snapshot.ErrEngineAbsent) {
		if _, after, ok := strings.Cut(text, snapshot.ErrEngineAbsent.Error()+": "); ok {
			return after
		}
	}
	return text
}
