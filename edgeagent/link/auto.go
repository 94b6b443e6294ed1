package link

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/farshore/farshore/protocol"
)

// ErrTryBetter ends a connection of a carrier that was only second choice, so that the first is tried again.
var ErrTryBetter = errors.New("trying the preferred carrier again")

// Timing of Auto.
const (
	// fallbackAfter is how often a carrier fails in a row until the next one is tried; a connection that times out counts as
	// often, because what drops packets silently will do so again.
	fallbackAfter = 2
	// betterAfter is when a better carrier is tried again for the first time; each further time takes four times as long, up to
	// betterAtMost.
	betterAfter  = 2 * time.Minute
	betterAtMost = 3 * time.Hour
)

// Kind is a way to connect.
type Kind int

// The kinds, best first.
const (
	KindMQTT Kind = iota
	KindMQTTWebSocket
	KindHTTPS
)

// String names the kind for people.
func (k Kind) String() string {
	return [...]string{"MQTT", "MQTT over WebSocket", "HTTPS"}[k]
}

// AutoConfig of an Auto. Config must be filled in but for KeepAlive, KeyExchange, timeouts, OnFrame and OnDown.
type AutoConfig struct {
	Config Config
	// Carrier chosen by the operator. Empty: auto. mqtt allows both ways of MQTT.
	Carrier protocol.Carrier
	// New makes a transport. Unset: a real one.
	New func(Kind, Config) Transport
	// Blameless errors say nothing about the carrier they were met on, such as that the link may not be used now. Unset:
	// there are none.
	Blameless func(error) bool
}

// Auto chooses the carrier: MQTT first, then MQTT in a WebSocket, then HTTPS, each after repeated failure of the one before, and
// round again; a connection of a lesser kind is given up after some time to try the better ones. It does not wait between
// failures: its caller backs off. It is safe for concurrent use, one Connect at a time.
type Auto struct {
	cfg   AutoConfig
	kinds []Kind

	connecting sync.Mutex

	mu       sync.Mutex
	current  int // index into kinds
	failures int // of current in a row
	betterAt time.Time
	wait     time.Duration
}

// NewAuto returns an Auto, or an error when no way is left to connect by.
func NewAuto(cfg AutoConfig) (*Auto, error) {
	if cfg.New == nil {
		cfg.New = newTransport
	}
	if cfg.Blameless == nil {
		cfg.Blameless = func(error) bool { return false }
	}
	a := &Auto{cfg: cfg, wait: betterAfter}
	mqtt := []Kind{KindMQTTWebSocket}
	if cfg.Config.EdgeKey.MQTT != "" {
		mqtt = []Kind{KindMQTT, KindMQTTWebSocket}
	}
	switch cmp.Or(cfg.Carrier, protocol.CarrierAuto) {
	case protocol.CarrierAuto:
		a.kinds = append(mqtt, KindHTTPS)
	case protocol.CarrierMQTT:
		a.kinds = mqtt
	case protocol.CarrierHTTPS:
		a.kinds = []Kind{KindHTTPS}
	default:
		return nil, fmt.Errorf("carrier %.40q: want auto, mqtt or https", cfg.Carrier)
	}
	return a, nil
}

func newTransport(k Kind, cfg Config) Transport {
	switch k {
	case KindMQTT:
		return NewMQTT(cfg)
	case KindMQTTWebSocket:
		return NewMQTTWebSocket(cfg)
	default:
		return NewHTTPS(cfg)
	}
}

// Wanted is what a connection is made for.
type Wanted struct {
	// Settings in force.
	Settings protocol.Settings
	// OnFrame and OnDown as in Config. OnDown may also be called with ErrTryBetter, and then also for HTTPS.
	OnFrame func(frame []byte)
	OnDown  func(error)
	// OnConnect as in Config.
	OnConnect func()
}

// Connect makes one connection by the kind that is next in turn. A refusal by the hub is a *protocol.Error and says nothing about
// the carrier; other errors wrap ErrUnreachable or ErrWrongHub, and the next call may try another kind.
// When ctx ends for a cause of its own, that says nothing about the carrier either.
func (a *Auto) Connect(ctx context.Context, w Wanted) (Transport, error) {
	a.connecting.Lock()
	defer a.connecting.Unlock()
	if t, err := a.better(ctx, w); t != nil || err != nil {
		return t, err
	}
	a.mu.Lock()
	at := a.current
	a.mu.Unlock()
	t, err := a.dial(ctx, at, w)
	if err != nil {
		if cause := context.Cause(ctx); cause == nil || errors.Is(cause, context.DeadlineExceeded) {
			a.failed(at, err)
		}
		return nil, err
	}
	return t, nil
}

// better tries the kinds that are better than the current one, if it is time. Without success and refusal it returns nil, nil.
func (a *Auto) better(ctx context.Context, w Wanted) (Transport, error) {
	a.mu.Lock()
	n, due := a.current, a.current > 0 && !time.Now().Before(a.betterAt)
	a.mu.Unlock()
	if !due {
		return nil, nil
	}
	for at := range n {
		t, err := a.dial(ctx, at, w)
		if t != nil || isRefusal(err) {
			return t, err
		}
		a.cfg.Config.Log.Debug("better carrier does not work yet", "carrier", a.kinds[at].String(), "error", err)
	}
	a.mu.Lock()
	a.wait = min(4*a.wait, betterAtMost)
	a.betterAt = time.Now().Add(a.wait)
	a.mu.Unlock()
	return nil, ctx.Err()
}

func isRefusal(err error) bool {
	var refusal *protocol.Error
	return errors.As(err, &refusal)
}

// dial makes a connection of the kind at index at, and notes success.
func (a *Auto) dial(ctx context.Context, at int, w Wanted) (Transport, error) {
	watched := &watchedTransport{}
	cfg := a.config(w)
	cfg.OnDown = func(err error) { watched.down(err, w.OnDown) }
	watched.Transport = a.cfg.New(a.kinds[at], cfg)
	if err := watched.Connect(ctx); err != nil {
		return nil, errors.Join(err, watched.Transport.Close())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current, a.failures = at, 0
	if at == 0 {
		a.wait = betterAfter
		return watched, nil
	}
	if a.betterAt.IsZero() || !time.Now().Before(a.betterAt) {
		a.betterAt = time.Now().Add(a.wait)
	}
	watched.limit(time.Until(a.betterAt), w.OnDown)
	return watched, nil
}

func (a *Auto) failed(at int, err error) {
	if isRefusal(err) || errors.Is(err, context.Canceled) || a.cfg.Blameless(err) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failures++
	if errors.Is(err, context.DeadlineExceeded) {
		a.failures = fallbackAfter
	}
	if a.failures < fallbackAfter || len(a.kinds) == 1 {
		return
	}
	a.current, a.failures = (at+1)%len(a.kinds), 0
	if at == 0 {
		a.betterAt = time.Now().Add(a.wait)
	}
	a.cfg.Config.Log.Info("hub is not reached on this carrier, trying another", "carrier", a.kinds[at].String(), "next", a.kinds[a.current].String(), "error", err)
}

// config is the base with what the settings say.
func (a *Auto) config(w Wanted) Config {
	cfg, s := a.cfg.Config, w.Settings
	cfg.OnFrame, cfg.OnConnect, cfg.KeyExchange = w.OnFrame, w.OnConnect, s.KeyExchange
	cfg.ConnectTimeout = time.Duration(s.ConnectTimeout) * time.Second
	cfg.ExchangeTimeout = time.Duration(s.ExchangeTimeout) * time.Second
	cfg.KeepAlive, _ = s.Ping.Duration()
	cfg.Contacts = cfg.KeepAlive
	for _, f := range []protocol.Frequency{s.Snapshot, s.Command} {
		if d, ok := f.Duration(); ok && (cfg.Contacts == 0 || d < cfg.Contacts) {
			cfg.Contacts = d
		}
	}
	if s.Link != nil {
		cfg.Abrupt = s.Link.Contact != nil || s.Link.Budget != nil
		if s.Link.Budget != nil {
			cfg.KeepAlive = 0 // a device that saves pings less often, on the connection there is
		}
	}
	return cfg
}

// watchedTransport tells its loss once, be it real or for the sake of a better one.
type watchedTransport struct {
	Transport
	told sync.Once

	mu     sync.Mutex
	timer  *time.Timer
	closed bool
}

func (t *watchedTransport) down(err error, tell func(error)) {
	t.told.Do(func() { tell(err) })
}

func (t *watchedTransport) limit(d time.Duration, tell func(error)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer = time.AfterFunc(d, func() {
		t.mu.Lock()
		closed := t.closed
		t.mu.Unlock()
		if !closed {
			t.down(ErrTryBetter, tell)
		}
	})
}

// Close ends the connection without OnDown.
func (t *watchedTransport) Close() error {
	t.mu.Lock()
	t.closed = true
	if t.timer != nil {
		t.timer.Stop()
	}
	t.mu.Unlock()
	return t.Transport.Close()
}
