//go:build bench && linux

package benchwire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/hub"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/internal/fleettest"
	"github.com/farshore/farshore/internal/fleettest/fakeengine"
	"github.com/farshore/farshore/internal/wirelab"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/waitingroom"
	"github.com/farshore/farshore/waitingroom/admission"
)

// Ports of the hub, as in the field.
const (
	publicPort = 9443
	mqttPort   = 8883
)

// site is a lab with a hub.
type site struct {
	*lab
	t       *testing.T
	data    string
	log     *slog.Logger
	hub     *hub.Hub
	stop    func()
	codec   *protocol.Codec
	patcher *snapshot.Patcher
}

// newSite starts a hub in the lab. It ends with the test.
func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{lab: newLab(t), t: t, data: t.TempDir(), log: logger(), codec: protocol.NewCodec(), patcher: snapshot.NewPatcher()}
	s.startHub(t)
	t.Cleanup(func() { s.stop() })
	return s
}

// logger tells what went wrong, or everything where FARSHORE_BENCH_DEBUG is set.
func logger() *slog.Logger {
	level := slog.LevelError
	if os.Getenv("FARSHORE_BENCH_DEBUG") != "" {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

func (s *site) startHub(t *testing.T) {
	t.Helper()
	h, err := hub.New(hub.Config{
		Data: s.data, Listen: fmt.Sprintf("%s:%d", wirelab.HubAddress, publicPort), MQTTListen: fmt.Sprintf("%s:%d", wirelab.HubAddress, mqttPort),
		Log: s.log, Version: "bench", ListenFunc: s.Hub.Listen,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.hub = h
	stop := run(t, "hub", h.Run)
	s.stop = sync.OnceFunc(stop)
}

// run runs a part until the function it returns is called, which waits for its end.
func run(t testing.TB, what string, part func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- part(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func (s *site) edgeKey(t *testing.T, spec admission.KeySpec) string {
	t.Helper()
	_, key, err := s.hub.Services().Waiting.CreateKey(spec)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// storage is where a device keeps its state.
type storage int

const (
	inMemory storage = iota
	onDisk           // as a real device
)

// deviceSpec describes a device.
type deviceSpec struct {
	seed       uint64
	carrier    protocol.Carrier
	profile    string
	settings   protocol.Settings // over those of the profile
	containers int
	// engineHost is a real engine's address. Empty: a fake engine with as many containers.
	engineHost string
	storage    storage
	// hostname that the edge key names in place of the hub's address.
	hostname string
}

// device is one agent in the lab.
type device struct {
	site   *site
	id     protocol.DeviceID
	engine *fakeengine.Engine
	state  *state.Store
	cfg    edgeagent.Config
	stop   func()

	mu    sync.Mutex
	conns []*net.TCPConn // as dialled
}

// device starts an agent that is let in at once, in a group of its own that has the settings of the spec from the
// beginning. It ends with the test.
func (s *site) device(t *testing.T, spec deviceSpec) *device {
	t.Helper()
	group := fmt.Sprintf("group-%d", spec.seed)
	services := s.hub.Services()
	if err := services.Fleet.EnsureGroup(group); err != nil {
		t.Fatal(err)
	}
	if _, err := services.Fleet.UpdateGroup(group, func(g *fleet.Group) error {
		g.Profile, g.Settings = spec.profile, spec.settings
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	key := s.edgeKey(t, admission.KeySpec{Name: group, Group: group, AutoApprove: &waitingroom.Rule{}})
	if spec.hostname != "" {
		k, err := waitingroom.Parse(key)
		if err != nil {
			t.Fatal(err)
		}
		k.HTTPS, k.MQTT = fmt.Sprintf("https://%s:%d", spec.hostname, publicPort), fmt.Sprintf("mqtts://%s:%d", spec.hostname, mqttPort)
		if key, err = k.Encode(); err != nil {
			t.Fatal(err)
		}
	}
	d := &device{site: s}
	d.cfg = edgeagent.Config{
		EdgeKey: key, Carrier: spec.carrier, Log: s.log.With("agent", spec.seed), DialContext: d.dial, Codec: s.codec,
		Patcher: s.patcher, Data: t.TempDir(), EngineHost: spec.engineHost, Version: "1.0.0",
		Facts: func() protocol.Facts { return fleettest.FactsOf(spec.seed) },
	}
	if spec.storage == inMemory {
		d.state = state.NewMemory(spec.seed)
	}
	if spec.engineHost == "" {
		d.engine = fakeengine.New(fakeengine.Config{Seed: spec.seed})
		d.engine.Populate(spec.containers)
		t.Cleanup(func() { _ = d.engine.Close() })
		d.cfg.Engine = d.engine
		d.cfg.RunComposer = fakeengine.NewComposer(fakeengine.ComposerConfig{Engine: d.engine})
		d.cfg.Host = func() protocol.Host { return fleettest.HostOf(spec.seed) }
	}
	d.start(t)
	t.Cleanup(func() { d.stop() })
	return d
}

func (d *device) start(t *testing.T) {
	t.Helper()
	d.cfg.State = d.state
	agent, err := edgeagent.New(d.cfg)
	if err != nil {
		t.Fatal(err)
	}
	d.id = agent.ID()
	d.stop = sync.OnceFunc(run(t, "agent", agent.Run))
}

// restart stops the agent and starts it again with what it has kept.
func (d *device) restart(t *testing.T) {
	t.Helper()
	d.stop()
	if d.state != nil {
		d.state = d.state.Reboot()
	}
	d.start(t)
}

// dial is the agent's way to the hub. A host name leads there too.
func (d *device) dial(ctx context.Context, network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	c, err := d.site.Device.Dial(ctx, network, net.JoinHostPort(wirelab.HubAddress, port))
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns = append(d.conns, c.(*net.TCPConn))
	return c, nil
}

// flows are the connections the device has made, oldest first.
func (d *device) flows() (out []wirelab.Flow) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.conns {
		out = append(out, wirelab.Flow{
			Device: uint16(c.LocalAddr().(*net.TCPAddr).Port), Hub: uint16(c.RemoteAddr().(*net.TCPAddr).Port),
		})
	}
	return out
}

// last is the device's latest connection.
func (d *device) last() wirelab.Flow {
	all := d.flows()
	return all[len(all)-1]
}

// cut ends the device's connections without a word, as a lost link does; the agent notices at once.
func (d *device) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.conns {
		_ = c.Close()
	}
}

// until waits for a condition.
func (s *site) until(t *testing.T, what string, limit time.Duration, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, limit)
		}
	}
}

// snapshot is the last snapshot the hub has of the device.
func (d *device) snapshot() (protocol.Snapshot, bool) {
	st, err := d.site.hub.Services().Snapshots.Latest(d.id)
	if err != nil {
		return protocol.Snapshot{}, false
	}
	s, err := st.Snapshot()
	return s, err == nil
}

// settled waits until the hub has a snapshot of the device with so many containers.
func (d *device) settled(t *testing.T, containers int) {
	t.Helper()
	d.site.until(t, fmt.Sprintf("the hub has a snapshot with %d containers", containers), time.Minute, func() bool {
		s, ok := d.snapshot()
		return ok && len(s.Containers) == containers
	})
}
