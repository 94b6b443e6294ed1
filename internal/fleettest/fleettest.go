// Package fleettest runs the real hub and real agents in one process, over a network in memory or over real sockets,
// with engines that are fake but behave. Tests speak in its verbs: Join, Disconnect, Reboot, Converge. It may be used
// inside testing/synctest; then a day passes in seconds.
//
// Only tests and cmd/fleetsim may import it. A Fleet belongs to one test; its methods are called from one goroutine.
package fleettest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/hub"
	"github.com/farshore/farshore/internal/faultnet"
	"github.com/farshore/farshore/internal/fleettest/fakeengine"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/waitingroom/admission"
)

// Addresses of the hub in the network in memory.
const (
	publicAddress = "127.0.0.1:9443"
	mqttAddress   = "127.0.0.1:8883"
)

// Fleet is a hub and its devices.
type Fleet struct {
	Network *faultnet.Network
	t       testing.TB
	data    string
	log     *slog.Logger
	hub     *running[*hub.Hub]
	codec   *protocol.Codec
	patcher *snapshot.Patcher
	keys    int
}

// running is a part that runs until stop.
type running[T any] struct {
	part T
	stop context.CancelFunc
	done chan error
}

func start[T interface{ Run(context.Context) error }](part T) *running[T] {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running[T]{part: part, stop: cancel, done: make(chan error, 1)}
	go func() { r.done <- part.Run(ctx) }()
	return r
}

// end stops the part and waits for it.
func (r *running[T]) end() error {
	r.stop()
	err := <-r.done
	r.done <- err // for whoever asks again
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// New starts a hub with an empty data folder. It ends with the test.
func New(t testing.TB) *Fleet {
	t.Helper()
	f := &Fleet{
		Network: &faultnet.Network{}, t: t, data: t.TempDir(), log: slog.New(slog.NewTextHandler(testWriter(t), &slog.HandlerOptions{Level: slog.LevelDebug})),
		codec: protocol.NewCodec(), patcher: snapshot.NewPatcher(),
	}
	f.StartHub()
	t.Cleanup(f.StopHub)
	return f
}

// StartHub starts the hub on its data folder.
func (f *Fleet) StartHub() {
	f.t.Helper()
	h, err := hub.New(hub.Config{
		Data: f.data, Listen: publicAddress, MQTTListen: mqttAddress, Log: f.log,
		ListenFunc: func(address string) (net.Listener, error) { return f.Network.Listen(address) },
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.hub = start(h)
}

// StopHub stops the hub. A second time does nothing.
func (f *Fleet) StopHub() {
	f.t.Helper()
	if err := f.hub.end(); err != nil {
		f.t.Errorf("hub: %v", err)
	}
}

// RestartHub stops and starts the hub.
func (f *Fleet) RestartHub() {
	f.t.Helper()
	f.StopHub()
	f.StartHub()
}

// Hub gives the parts of the running hub.
func (f *Fleet) Hub() hub.Services { return f.hub.part.Services() }

// EdgeKey makes an edge key.
func (f *Fleet) EdgeKey(spec admission.KeySpec) string {
	f.t.Helper()
	if spec.Name == "" {
		f.keys++
		spec.Name = fmt.Sprintf("key-%d", f.keys)
	}
	_, key, err := f.Hub().Waiting.CreateKey(spec)
	if err != nil {
		f.t.Fatal(err)
	}
	return key
}

// DeviceSpec describes a device. Zero fields have defaults.
type DeviceSpec struct {
	EdgeKey string
	// Seed of key, engine and jitter. Devices need different ones.
	Seed    uint64
	Mode    protocol.Mode
	Carrier protocol.Carrier
	Labels  map[string]string
	// Containers that run from the beginning.
	Containers int
	// Data keeps the device's state on disk in this folder. "": in memory.
	Data string
}

// Device is one agent with its engine and its link.
type Device struct {
	Spec   DeviceSpec
	ID     protocol.DeviceID
	Link   *faultnet.Link
	Engine *fakeengine.Engine
	State  *state.Store

	fleet  *Fleet
	stager *MemoryStager
	agent  *running[*edgeagent.Agent]
}

// Device makes a device and starts its agent. It ends with the test.
func (f *Fleet) Device(spec DeviceSpec) *Device {
	f.t.Helper()
	d := &Device{
		Spec: spec, Link: f.Network.NewLink(), fleet: f, stager: NewMemoryStager(),
		Engine: fakeengine.New(fakeengine.Config{Seed: spec.Seed}),
	}
	d.Engine.Populate(spec.Containers)
	if spec.Data == "" {
		d.State = state.NewMemory(spec.Seed)
	}
	d.Start()
	f.t.Cleanup(func() {
		d.Stop()
		if err := d.Engine.Close(); err != nil {
			f.t.Errorf("close engine: %v", err)
		}
	})
	return d
}

// Start starts the agent.
func (d *Device) Start() {
	t := d.fleet.t
	t.Helper()
	if d.Spec.Data != "" {
		s, err := state.OpenDisk(d.Spec.Data)
		if err != nil {
			t.Fatal(err)
		}
		d.State = s
	}
	a, err := edgeagent.New(edgeagent.Config{
		EdgeKey: d.Spec.EdgeKey, Mode: d.Spec.Mode, Carrier: d.Spec.Carrier, Labels: d.Spec.Labels,
		Log: d.fleet.log.With("agent", d.Spec.Seed), State: d.State, Engine: d.Engine, Stager: d.stager,
		RunComposer: fakeengine.NewComposer(fakeengine.ComposerConfig{Engine: d.Engine, ReadFile: d.stager.ReadFile}),
		Host:        func() protocol.Host { return HostOf(d.Spec.Seed) },
		Facts:       func() protocol.Facts { return FactsOf(d.Spec.Seed) },
		DialContext: d.Link.DialContext, Codec: d.fleet.codec, Patcher: d.fleet.patcher,
	})
	if err != nil {
		t.Fatal(err)
	}
	d.ID = a.ID()
	d.agent = start(a)
}

// Stop stops the agent, as for a shutdown of the device. A second time does nothing.
func (d *Device) Stop() {
	d.fleet.t.Helper()
	if err := d.agent.end(); err != nil {
		d.fleet.t.Errorf("agent %d: %v", d.Spec.Seed, err)
	}
	if d.Spec.Data != "" {
		if err := d.State.Close(); err != nil {
			d.fleet.t.Errorf("agent %d: %v", d.Spec.Seed, err)
		}
	}
}

// Reboot stops the agent and starts it again with what it has kept.
func (d *Device) Reboot() {
	d.fleet.t.Helper()
	d.Stop()
	if d.Spec.Data == "" {
		d.State = d.State.Reboot()
	}
	d.Start()
}

// Status is the agent's own.
func (d *Device) Status() edgeagent.Status { return d.agent.part.Status() }

// Disconnect cuts the link and keeps it down.
func (d *Device) Disconnect() {
	d.Link.Set(faultnet.Knobs{Down: true})
	d.Link.Cut()
}

// Reconnect makes the link a perfect one again.
func (d *Device) Reconnect() { d.Link.Set(faultnet.Knobs{}) }

// Approve lets a waiting device in, unconfirmed.
func (f *Fleet) Approve(d *Device) {
	f.t.Helper()
	_, err := f.Hub().Waiting.Approve(context.Background(), admission.Approval{ID: d.ID, By: "test"})
	if err != nil {
		f.t.Fatal(err)
	}
}

// Until waits until cond holds, looking every step, and fails the test when it does not within limit.
func (f *Fleet) Until(what string, limit time.Duration, cond func() bool) {
	f.t.Helper()
	step := max(limit/2000, 5*time.Millisecond)
	deadline := time.Now().Add(limit)
	for !cond() {
		if time.Now().After(deadline) {
			f.t.Fatalf("%s: not within %s", what, limit)
		}
		time.Sleep(step)
	}
}

// HostOf is a made-up machine.
func HostOf(seed uint64) protocol.Host {
	return protocol.Host{
		Name: fmt.Sprintf("gw-%04d", seed), OS: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.1.0-18-arm64", Arch: "arm64",
		CPUs: 4, Memory: 4 << 30, DiskTotal: 32 << 30, DiskUsed: uint8(20 + seed%60), Booted: 1_790_000_000 + int64(seed),
	}
}

// FactsOf are what such a machine says of itself.
func FactsOf(seed uint64) protocol.Facts {
	h := HostOf(seed)
	return protocol.Facts{Hostname: h.Name, OS: h.OS, Arch: h.Arch, Serial: fmt.Sprintf("SIM%08d", seed)}
}

// testWriter logs to the test, and drops what is logged after it has ended.
func testWriter(t testing.TB) io.Writer {
	w := &logWriter{t: t}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.t = nil
	})
	return w
}

type logWriter struct {
	mu sync.Mutex
	t  testing.TB
}

// Write implements io.Writer.
func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.t != nil {
		w.t.Logf("%s", p[:max(len(p)-1, 0)])
	}
	return len(p), nil
}
