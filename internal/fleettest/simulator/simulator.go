// Package simulator runs many devices in one process: the real agent with fake engines, over real connections to a real
// hub. It is the logic of cmd/fleetsim.
//
// A Simulator belongs to the goroutine of Run, which owns one goroutine for each device.
package simulator

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/internal/fleettest"
	"github.com/farshore/farshore/internal/fleettest/fakeengine"
	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/waitingroom"
)

// Config of a Simulator.
type Config struct {
	// EdgeKey of the hub. Required.
	EdgeKey string
	// Devices to run. Required.
	Devices int
	// Name begins the devices' host names. Empty: "sim".
	Name string
	// Seed makes devices the same in every fleet; 0: they are others for each hub and edge key.
	Seed uint64
	// Data keeps the devices' state in this folder, so that they are the same devices the next time. Empty: in memory; the
	// hub then sees devices that were reset.
	Data    string
	Carrier protocol.Carrier
	// Mode of all devices; 0: every third is a standard one.
	Mode protocol.Mode
	// Containers of each device, about. 0: 2 to 9.
	Containers int
	// Ramp is the time over which the devices are started.
	Ramp time.Duration
	// Life lets things happen to the containers.
	Life bool
	// Trouble lets some devices lose their engine, and some be switched off for a while.
	Trouble bool
	Version string
	Log     *slog.Logger
}

// Simulator runs simulated devices.
type Simulator struct {
	cfg     Config
	key     waitingroom.EdgeKey
	codec   *protocol.Codec
	patcher *snapshot.Patcher
	dialed  atomic.Uint32
}

// New checks the configuration. It starts nothing.
func New(cfg Config) (*Simulator, error) {
	key, err := waitingroom.Parse(cfg.EdgeKey)
	if err != nil {
		return nil, err
	}
	if cfg.Devices < 1 || cfg.Devices > 20_000 {
		return nil, fmt.Errorf("%d devices: want 1 to 20000", cfg.Devices)
	}
	if cfg.Name == "" {
		cfg.Name = "sim"
	}
	return &Simulator{cfg: cfg, key: key, codec: protocol.NewCodec(), patcher: snapshot.NewPatcher()}, nil
}

// Run runs the devices until ctx ends. A device that cannot be run ends them all.
func (s *Simulator) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for i := range s.cfg.Devices {
		g.Go(func() error {
			if err := pause(ctx, s.cfg.Ramp*time.Duration(i)/time.Duration(s.cfg.Devices)); err != nil {
				return nil
			}
			if err := s.device(ctx, i); err != nil && ctx.Err() == nil {
				return fmt.Errorf("device %d: %w", i, err)
			}
			return nil
		})
	}
	return g.Wait()
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// seed tells devices apart: by Seed, or else hub and edge key, and by name and number. The same device has the same seed
// the next time.
func (s *Simulator) seed(i int) uint64 {
	fleet := fmt.Sprintf("%x %s", s.key.HubKey, s.key.KeyID)
	if s.cfg.Seed != 0 {
		fleet = fmt.Sprint(s.cfg.Seed)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", fleet, s.cfg.Name, i))
	return binary.BigEndian.Uint64(sum[:8])
}

// device runs one device; a troubled one is switched off now and then.
func (s *Simulator) device(ctx context.Context, i int) error {
	seed := s.seed(i)
	r := rand.New(rand.NewPCG(seed, 1))
	engine := fakeengine.New(fakeengine.Config{Seed: seed, Latency: 2 * time.Millisecond})
	containers := s.cfg.Containers
	if containers == 0 {
		containers = 2 + r.IntN(8)
	}
	engine.Populate(containers)
	stager := fleettest.NewMemoryStager()
	jobs, outputs := &fakeengine.Jobs{Seed: seed}, &runner.Memory{}
	var memory *state.Store
	if s.cfg.Data == "" {
		memory = state.NewMemory(seed)
	}
	g, ctx := errgroup.WithContext(ctx)
	if s.cfg.Life {
		g.Go(func() error { return ended(ctx, engine.Live(ctx)) })
	}
	if s.cfg.Trouble && i%8 == 5 {
		g.Go(func() error { return flicker(ctx, r.Uint64(), engine) })
	}
	g.Go(func() error {
		for run := 0; ; run++ {
			if memory != nil && run > 0 {
				memory = memory.Reboot()
			}
			on := 1000 * time.Hour
			if s.cfg.Trouble && i%8 == 3 {
				on = 3*time.Minute + time.Duration(r.Int64N(int64(20*time.Minute)))
			}
			runCtx, stop := context.WithTimeout(ctx, on)
			err := s.agent(runCtx, i, agentParts{engine, stager, memory, jobs, outputs})
			stop()
			if ctx.Err() != nil || err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return ended(ctx, err)
			}
			if err := pause(ctx, 5*time.Minute+time.Duration(r.Int64N(int64(30*time.Minute)))); err != nil {
				return nil
			}
		}
	})
	return errors.Join(g.Wait(), engine.Close())
}

// flicker takes the engine away now and then.
func flicker(ctx context.Context, seed uint64, engine *fakeengine.Engine) error {
	r := rand.New(rand.NewPCG(seed, 2))
	for {
		engine.SetPresence(fakeengine.Absent)
		if err := pause(ctx, time.Minute+time.Duration(r.Int64N(int64(5*time.Minute)))); err != nil {
			return nil
		}
		engine.SetPresence(fakeengine.Present)
		if err := pause(ctx, time.Minute+time.Duration(r.Int64N(int64(20*time.Minute)))); err != nil {
			return nil
		}
	}
}

// ended is err, unless ctx has ended.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

type agentParts struct {
	engine  *fakeengine.Engine
	stager  *fleettest.MemoryStager
	memory  *state.Store
	jobs    *fakeengine.Jobs
	outputs *runner.Memory
}

// agent runs the agent of a device, from power-up to power-down.
func (s *Simulator) agent(ctx context.Context, i int, parts agentParts) error {
	store := parts.memory
	if store == nil {
		disk, err := state.OpenDisk(filepath.Join(s.cfg.Data, fmt.Sprintf("%s-%04d", s.cfg.Name, i)))
		if err != nil {
			return err
		}
		defer disk.Close()
		store = disk
	}
	mode := s.cfg.Mode
	if mode == 0 {
		mode = protocol.ModeAsync
		if i%3 == 0 {
			mode = protocol.ModeStandard
		}
	}
	host := fleettest.HostOf(s.seed(i))
	host.Name = fmt.Sprintf("%s-%04d", s.cfg.Name, i)
	facts := fleettest.FactsOf(s.seed(i))
	facts.Hostname = host.Name
	a, err := edgeagent.New(edgeagent.Config{
		EdgeKey: s.cfg.EdgeKey, Carrier: s.cfg.Carrier, Mode: mode, Version: s.cfg.Version,
		Log: s.cfg.Log.With("device", host.Name), State: store, Engine: parts.engine, Stager: parts.stager,
		RunComposer: fakeengine.NewComposer(fakeengine.ComposerConfig{Engine: parts.engine, ReadFile: parts.stager.ReadFile}),
		Host:        func() protocol.Host { return host }, Facts: func() protocol.Facts { return facts },
		HostJobs: parts.jobs, ContainerJobs: parts.jobs, JobOutputs: parts.outputs,
		DialContext: s.dial, Codec: s.codec, Patcher: s.patcher,
	})
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

// dial connects from addresses spread over 127.0.0.0/8 where the hub is on loopback, so that ports do not run out.
func (s *Simulator) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{KeepAlive: -1}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() && ip.To4() != nil {
		n := s.dialed.Add(1)
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, byte(1+n/8192%200), byte(n/64%128), byte(1+n%64))}
	}
	return d.DialContext(ctx, network, address)
}
