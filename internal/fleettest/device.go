package fleettest

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/edgeagent/link"
	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/internal/faultnet"
	"github.com/farshore/farshore/internal/fleettest/fakeengine"
	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/waitingroom/admission"
)

// DeviceSpec describes a device. Zero fields have defaults.
type DeviceSpec struct {
	// EdgeKey it joins with. "": the hub knows the device from the beginning, and it has the fleet's own edge key.
	EdgeKey string
	// Seed of key, engine and jitter. Devices need different ones.
	Seed    uint64
	Mode    protocol.Mode
	Carrier protocol.Carrier
	Labels  map[string]string
	// Settings of its own, where the hub knows it from the beginning.
	Settings protocol.Settings
	// Profile is its link profile, where the hub knows it from the beginning. "": none of its own.
	Profile string
	// Containers that run from the beginning.
	Containers int
	// Facts that it says when it knocks. Zero: FactsOf(Seed).
	Facts protocol.Facts
	// DialEngine connects to an engine for live calls. Nil: there is none.
	DialEngine func(context.Context) (net.Conn, error)
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
	// Jobs runs the device's jobs, Outputs has what they wrote.
	Jobs    *fakeengine.Jobs
	Outputs *runner.Memory

	fleet   *Fleet
	stager  *MemoryStager
	counted *countingEngine
	agent   *running[*edgeagent.Agent]
	rand    *rand.Rand
	gone    bool // Settle does not look at it

	mu     sync.Mutex
	closed map[link.Kind]bool // guarded by mu: carriers that do not work
}

// Device makes a device and starts its agent. It ends with the test.
func (f *Fleet) Device(spec DeviceSpec) *Device {
	f.t.Helper()
	d := f.newDevice(spec)
	d.Start()
	return d
}

func (f *Fleet) newDevice(spec DeviceSpec) *Device {
	f.t.Helper()
	d := &Device{
		Spec: spec, Link: f.Network.NewLink(), fleet: f, stager: NewMemoryStager(),
		Jobs: &fakeengine.Jobs{Seed: spec.Seed}, Outputs: &runner.Memory{},
		Engine: fakeengine.New(fakeengine.Config{Seed: spec.Seed}), rand: rand.New(rand.NewPCG(spec.Seed, 7)),
	}
	d.counted = newCountingEngine(d.Engine)
	d.Engine.Populate(spec.Containers)
	d.openState()
	d.ID = d.State.Identity().ID
	if spec.EdgeKey == "" {
		f.introduce(d)
	}
	f.devices = append(f.devices, d)
	f.t.Cleanup(func() {
		if d.agent != nil {
			d.Stop()
		}
		if err := d.Engine.Close(); err != nil {
			f.t.Errorf("close engine: %v", err)
		}
	})
	return d
}

func (d *Device) openState() {
	if d.Spec.Data == "" {
		d.State = state.NewMemory(d.Spec.Seed)
		return
	}
	s, err := state.OpenDisk(d.Spec.Data)
	if err != nil {
		d.fleet.t.Fatal(err)
	}
	d.State = s
}

// introduce makes hub and device know each other, as if the device had been approved.
func (f *Fleet) introduce(d *Device) {
	f.t.Helper()
	if f.edgeKey == "" {
		f.edgeKey = f.EdgeKey(admission.KeySpec{})
	}
	d.Spec.EdgeKey = f.edgeKey
	now := time.Now().Unix()
	err := errors.Join(d.State.SetEdgeKey(f.edgeKey), d.State.SetApproved(state.Approved), f.Hub().Fleet.Add(fleet.Device{
		ID: d.ID, Key: d.State.Identity().Key.Public().(ed25519.PublicKey), Name: HostOf(d.Spec.Seed).Name,
		Facts: FactsOf(d.Spec.Seed), Mode: max(d.Spec.Mode, protocol.ModeAsync), Settings: d.Spec.Settings, Profile: d.Spec.Profile,
		Labels: d.Spec.Labels, Confirmed: true, ApprovedBy: "test", Approved: now, Created: now,
	}))
	if err != nil {
		f.t.Fatal(err)
	}
}

// Start starts the agent.
func (d *Device) Start() {
	t := d.fleet.t
	t.Helper()
	a, err := edgeagent.New(edgeagent.Config{
		EdgeKey: d.Spec.EdgeKey, Mode: d.Spec.Mode, Carrier: d.Spec.Carrier, Labels: d.Spec.Labels,
		Log: d.fleet.log.With("agent", d.Spec.Seed), State: d.State, Engine: d.counted, Stager: d.stager,
		RunComposer: fakeengine.NewComposer(fakeengine.ComposerConfig{Engine: d.Engine, ReadFile: d.stager.ReadFile}),
		HostJobs:    d.Jobs, ContainerJobs: d.Jobs, JobOutputs: d.Outputs,
		Host:        func() protocol.Host { return HostOf(d.Spec.Seed) },
		Facts:       func() protocol.Facts { return cmp.Or(d.Spec.Facts, FactsOf(d.Spec.Seed)) },
		DialEngine:  d.dialEngine,
		DialContext: d.Link.DialContext, Codec: d.fleet.codec, Patcher: d.fleet.patcher, Rand: d.rand, NewTransport: d.transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	d.agent = start(a)
}

func (d *Device) dialEngine(ctx context.Context) (net.Conn, error) {
	if d.Spec.DialEngine == nil {
		return nil, errors.New("there is no engine to be called")
	}
	return d.Spec.DialEngine(ctx)
}

// Stop stops the agent, as for a shutdown of the device. A second time does nothing.
func (d *Device) Stop() {
	d.fleet.t.Helper()
	if err := d.agent.end(); err != nil {
		d.fleet.t.Errorf("agent %d: %v", d.Spec.Seed, err)
	}
	d.closeState()
}

func (d *Device) closeState() {
	if d.Spec.Data == "" {
		return
	}
	if err := d.State.Close(); err != nil {
		d.fleet.t.Errorf("agent %d: %v", d.Spec.Seed, err)
	}
}

// PowerOn starts the agent again with what it has kept.
func (d *Device) PowerOn() {
	d.fleet.t.Helper()
	if d.Spec.Data == "" {
		d.State = d.State.Reboot()
	} else {
		d.openState()
	}
	d.Start()
}

// Reboot stops the agent and starts it again with what it has kept.
func (d *Device) Reboot() {
	d.fleet.t.Helper()
	d.Stop()
	d.PowerOn()
}

// PowerCut takes the power from the device: what it was about to write is not written, the hub hears nothing of it.
// It needs a state in memory. PowerBack starts the agent again.
func (d *Device) PowerCut() {
	d.fleet.t.Helper()
	knobs := faultnet.Knobs{Silent: true}
	d.Link.Set(knobs)
	d.State = d.State.Reboot() // the running agent's state is closed: nothing it does is kept
	d.agent.stop()
	<-d.agent.done // what it complains of is of no interest
	d.agent.done <- nil
}

// PowerBack ends a PowerCut. The hub's end of the old connection stays as it was: nobody has told it.
func (d *Device) PowerBack() {
	d.fleet.t.Helper()
	d.Link = d.fleet.Network.NewLink()
	d.Start()
}

// Clone copies the device with its state, as an image of its disk would. The copy has no agent yet; it needs a state
// on disk.
func (d *Device) Clone(folder string) *Device {
	t := d.fleet.t
	t.Helper()
	copyFolder(t, d.Spec.Data, folder)
	spec := d.Spec
	spec.Data = folder
	c := &Device{
		Spec: spec, ID: d.ID, Link: d.fleet.Network.NewLink(), fleet: d.fleet, stager: NewMemoryStager(),
		Jobs: &fakeengine.Jobs{Seed: spec.Seed + 1000}, Outputs: &runner.Memory{},
		Engine: fakeengine.New(fakeengine.Config{Seed: spec.Seed + 1000}), rand: rand.New(rand.NewPCG(spec.Seed, 8)),
	}
	c.counted = newCountingEngine(c.Engine)
	t.Cleanup(func() {
		if c.agent != nil {
			c.Stop()
		}
		if err := c.Engine.Close(); err != nil {
			t.Errorf("close engine: %v", err)
		}
	})
	return c
}

// Works says whether a kind of carrier works for the device, as with a proxy that lets some through and others not.
type Works bool

// The two.
const (
	Working Works = true
	Broken  Works = false
)

// Carry lets the kinds of carriers work, or ends what uses them and lets no more through.
func (d *Device) Carry(w Works, kinds ...link.Kind) {
	d.mu.Lock()
	if d.closed == nil {
		d.closed = map[link.Kind]bool{}
	}
	for _, k := range kinds {
		d.closed[k] = w == Broken
	}
	d.mu.Unlock()
	if w == Broken {
		d.Link.Cut()
	}
}

// brokenTransport cannot connect.
type brokenTransport struct{ link.Transport }

// Connect implements link.Transport.
func (brokenTransport) Connect(context.Context) error {
	return fmt.Errorf("%w: this carrier is broken", link.ErrUnreachable)
}

func (d *Device) transport(k link.Kind, cfg link.Config) link.Transport {
	d.mu.Lock()
	broken := d.closed[k]
	d.mu.Unlock()
	var t link.Transport
	switch k {
	case link.KindMQTT:
		t = link.NewMQTT(cfg)
	case link.KindMQTTWebSocket:
		t = link.NewMQTTWebSocket(cfg)
	default:
		t = link.NewHTTPS(cfg)
	}
	if broken {
		return brokenTransport{t}
	}
	return t
}

// Status is the agent's own.
func (d *Device) Status() edgeagent.Status { return d.agent.part.Status() }

// Calls is how often an operation (start, stop, restart, kill, remove) on a container has reached the engine.
func (d *Device) Calls(op, container string) int { return d.counted.count(op, container) }

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

// HostOf is a made-up machine.
func HostOf(seed uint64) protocol.Host {
	return protocol.Host{
		Name: fmt.Sprintf("gw-%04d", seed), OS: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.1.0-18-arm64", Arch: "arm64",
		CPUs: 4, Memory: 4 << 30, DiskTotal: 32 << 30, DiskUsed: uint8(20 + seed%60), Booted: 1_790_000_000 + int64(seed%1_000_000),
	}
}

// FactsOf are what such a machine says of itself.
func FactsOf(seed uint64) protocol.Facts {
	h := HostOf(seed)
	return protocol.Facts{Hostname: h.Name, OS: h.OS, Arch: h.Arch, Serial: fmt.Sprintf("SIM%08d", seed)}
}

type fatal interface {
	Helper()
	Fatal(args ...any)
}

func copyFolder(t fatal, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	// CopyFS gives the source's permissions and what the umask leaves; keys must stay private.
	err := filepath.WalkDir(to, func(name string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			err = os.Chmod(name, 0o600)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
