// Package fakeengine is a container engine that behaves and has no containers: what it is told to start runs, gets
// healthy, writes logs, ends or crashes as its specification says, and events tell of it. It passes the same
// conformance suite (internal/fleettest/enginetest) as the real one. Knobs make it slow, absent or failing at a chosen
// step; a seed makes all of it repeatable. Its Composer "runs" compose files on it.
//
// It knows nothing of hub, agent or network. It takes its time from package time only, so it lives in virtual time in a
// synctest bubble, and it is light: ten thousand of them fit into one process.
//
// An Engine is safe for concurrent use. Timers of its containers run until Close.
package fakeengine

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

// DefaultHealthDelay is how long a health check takes to decide.
const DefaultHealthDelay = time.Second

// Config of an Engine. The zero value is an empty engine that answers at once.
type Config struct {
	// Seed of everything random. Engines of one seed and one history are equal, but for times.
	Seed uint64
	// Latency of each call.
	Latency time.Duration
	// Containers is how many containers run at the start; see Populate.
	Containers int
	// HealthDelay is how long a health check takes to decide. 0: DefaultHealthDelay.
	HealthDelay time.Duration
	// Churn is the mean time between two things that happen by themselves in Live. 0: DefaultChurn.
	Churn time.Duration
}

// Op is a kind of call, for FailAt.
type Op string

// The calls.
const (
	OpAny     Op = ""
	OpObserve Op = "observe"
	OpWatch   Op = "watch"
	OpStart   Op = "start"
	OpStop    Op = "stop"
	OpRestart Op = "restart"
	OpKill    Op = "kill"
	OpRemove  Op = "remove" // of a container
	OpLogs    Op = "logs"
	OpImage   Op = "image-remove"
	OpVolume  Op = "volume-remove"
	OpCompose Op = "compose" // each step of the Composer
)

// Presence is whether the engine answers.
type Presence bool

// The two.
const (
	Absent  Presence = false
	Present Presence = true
)

// Engine is a fake container engine.
type Engine struct {
	cfg Config

	// mu guards the rest. Watchers are called without it.
	mu         sync.Mutex
	rnd        *rand.Rand
	latency    time.Duration
	presence   Presence
	gone       chan struct{} // closed when the engine goes absent
	failures   []failure
	containers []*box // in the order of their creation
	images     []protocol.Image
	volumes    []protocol.Volume
	networks   []protocol.Network
	watchers   map[*watcher]struct{}
	addresses  uint32
	closed     bool
}

type watcher struct{ changed func() }

// failure is armed by FailAt.
type failure struct {
	op   Op
	left int
	err  error
}

// New returns an engine that is present.
func New(cfg Config) *Engine {
	cfg.HealthDelay = cmp.Or(cfg.HealthDelay, DefaultHealthDelay)
	cfg.Churn = cmp.Or(cfg.Churn, DefaultChurn)
	e := &Engine{
		cfg: cfg, rnd: rand.New(rand.NewPCG(cfg.Seed, 0x66616b65)), latency: cfg.Latency,
		presence: Present, gone: make(chan struct{}),
	}
	for _, name := range []string{"bridge", "host"} {
		e.networks = append(e.networks, e.newNetwork(name, ""))
	}
	e.networks[1].Driver, e.networks[1].Subnets = "host", nil
	e.Populate(cfg.Containers)
	return e
}

// Close stops the timers of all containers. It may be called twice.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for _, b := range e.containers {
		b.stopTimer()
	}
	return nil
}

// SetLatency changes how long each call takes from now on.
func (e *Engine) SetLatency(d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.latency = d
}

// SetPresence makes the engine absent, which ends its event streams, or present again. Containers stay as they are, as
// with an engine that is restarted with live restore.
func (e *Engine) SetPresence(p Presence) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.presence == p {
		return
	}
	e.presence = p
	if p == Absent {
		close(e.gone)
	} else {
		e.gone = make(chan struct{})
	}
}

// FailAt makes the n-th call of op from now, counted from 1, fail once with err, before it did anything.
func (e *Engine) FailAt(op Op, n int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failures = append(e.failures, failure{op, n, err})
}

// enter is the beginning of each call: it takes its time, and fails where it is to.
func (e *Engine) enter(ctx context.Context, op Op) error {
	e.mu.Lock()
	latency := e.latency
	e.mu.Unlock()
	if latency > 0 {
		timer := time.NewTimer(latency)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", op, ctx.Err())
		case <-timer.C:
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if e.presence == Absent {
		return fmt.Errorf("%s: %w: nobody answers at the fake engine: make it present", op, snapshot.ErrEngineAbsent)
	}
	var hit error
	e.failures = slices.DeleteFunc(e.failures, func(f failure) bool { return f.left <= 0 })
	for i := range e.failures {
		if f := &e.failures[i]; f.op == op || f.op == OpAny {
			if f.left--; f.left == 0 && hit == nil {
				hit = f.err
			}
		}
	}
	return hit
}

// notify tells all watchers. Callers must not hold mu.
func (e *Engine) notify() {
	e.mu.Lock()
	watchers := make([]*watcher, 0, len(e.watchers))
	for w := range e.watchers {
		watchers = append(watchers, w)
	}
	e.mu.Unlock()
	for _, w := range watchers {
		w.changed()
	}
}

// change does something to the engine under mu and tells the watchers if it succeeded.
func (e *Engine) change(ctx context.Context, op Op, do func() error) error {
	if err := e.enter(ctx, op); err != nil {
		return err
	}
	e.mu.Lock()
	err := do()
	e.mu.Unlock()
	if err == nil {
		e.notify()
	}
	return err
}

// Observe returns the whole state.
func (e *Engine) Observe(ctx context.Context) (snapshot.Observation, error) {
	if err := e.enter(ctx, OpObserve); err != nil {
		return snapshot.Observation{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	obs := snapshot.Observation{
		Engine:   protocol.Engine{Kind: "docker", Version: "28.5.2", API: "1.51", Storage: "overlay2", Cgroup: "systemd/2"},
		Images:   slices.Clone(e.images),
		Volumes:  slices.Clone(e.volumes),
		Networks: slices.Clone(e.networks),
	}
	place := make(map[protocol.Hash]uint32, len(e.images))
	for i := range e.images {
		place[e.images[i].ID] = uint32(i + 1)
	}
	for _, b := range e.containers {
		if b.ofRun {
			continue
		}
		c := b.Container
		c.Image = place[b.image]
		obs.Containers = append(obs.Containers, c)
	}
	return obs, nil
}

// Watch calls changed once, then after each change, until ctx is done or the engine goes absent. changed may be called
// from several goroutines at once.
func (e *Engine) Watch(ctx context.Context, changed func()) error {
	if err := e.enter(ctx, OpWatch); err != nil {
		return err
	}
	w := &watcher{changed}
	e.mu.Lock()
	gone := e.gone
	if e.watchers == nil {
		e.watchers = map[*watcher]struct{}{}
	}
	e.watchers[w] = struct{}{}
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.watchers, w)
		e.mu.Unlock()
	}()
	changed()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-gone:
		return fmt.Errorf("events of the engine: %w: the fake engine went away", snapshot.ErrEngineAbsent)
	}
}

func (e *Engine) newID() (id [32]byte) {
	for i := 0; i < len(id); i += 8 {
		binary.BigEndian.PutUint64(id[i:], e.rnd.Uint64())
	}
	return id
}

func (e *Engine) newNetwork(name, project string) protocol.Network {
	id := e.newID()
	return protocol.Network{
		ID: protocol.ShortHash(id[:8]), Name: name, Driver: "bridge", Project: project,
		Subnets: []string{fmt.Sprintf("172.%d.0.0/16", 17+len(e.networks)%14)},
	}
}

// address gives the next free address of a network, and never gives it again.
func (e *Engine) address(network string) string {
	for i := range e.networks {
		if n := &e.networks[i]; n.Name == network && len(n.Subnets) > 0 {
			e.addresses++
			return fmt.Sprintf("%s.%d.%d", strings.TrimSuffix(n.Subnets[0], ".0.0/16"), e.addresses>>8&0xff, e.addresses&0xff)
		}
	}
	return ""
}

// imageFor returns the image of a reference. pull makes it be there where it is not.
func (e *Engine) imageFor(ref string, pull pulling) (protocol.Hash, bool) {
	full := ref
	if !strings.Contains(ref[strings.LastIndexByte(ref, '/')+1:], ":") {
		full += ":latest"
	}
	for i := range e.images {
		if slices.Contains(e.images[i].Tags, full) || e.images[i].ID.String() == strings.TrimPrefix(ref, "sha256:") {
			return e.images[i].ID, true
		}
	}
	if pull == noPull {
		return protocol.Hash{}, false
	}
	id := protocol.HashOf([]byte("image " + full))
	n := binary.BigEndian.Uint64(id[:8])
	e.images = append(e.images, protocol.Image{
		ID: id, Tags: []string{full}, Size: 2<<20 + n%(200<<20), Created: 1_700_000_000 + int64(n>>32%(50<<20)),
	})
	return id, true
}

// pulling is whether an image that is missing may be had from a registry.
type pulling bool

const (
	noPull  pulling = false
	canPull pulling = true
)

func idString(id [32]byte) string { return hex.EncodeToString(id[:]) }
