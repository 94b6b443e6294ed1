package fakeengine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

// Fate is what a container does once it is started.
type Fate uint8

// Fates.
const (
	Runs      Fate = iota // until it is stopped
	Exits                 // at once, with Spec.ExitCode
	Crashes               // again and again, each time after Spec.After, with exit code 1
	Healthy               // runs, and its health check says so after a while
	Unhealthy             // runs, and its health check fails
)

// Spec describes a container.
type Spec struct {
	// Name must be free. Image is made present where it is not.
	Name, Image string
	// Labels as an engine has them, those of Compose and Farshore included.
	Labels map[string]string
	Fate   Fate
	// ExitCode is for Exits.
	ExitCode int32
	// After is the time between start and crash for Crashes. 0: 1 s.
	After time.Duration
	// Log is what the container has written when it was started.
	Log string
	// Volumes are named volumes by path in the container; they are made where missing.
	Volumes map[string]string
	// Networks are names of networks; they are made where missing. None: bridge.
	Networks []string
	Ports    []protocol.Port
	// Config tells containers of different definitions apart, for the Composer.
	Config string
}

// maxLog is the most a container's log holds.
const maxLog = 64 << 10

// box is one container.
type box struct {
	protocol.Container // Image is unused, see image
	full               [32]byte
	image              protocol.Hash
	fate               Fate
	exitCode           int32
	after              time.Duration
	line               string // what each start writes
	log                []byte
	config             string
	timer              *time.Timer
	extra              bool   // Live added it
	ofRun              bool   // of a job: no snapshot shows it
	run                uint64 // counts starts, so that a timer of an earlier one does nothing
}

func (b *box) stopTimer() {
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
}

// Create makes a container that was never started, and returns its full id.
func (e *Engine) Create(spec Spec) (string, error) {
	e.mu.Lock()
	b, err := e.create(spec)
	e.mu.Unlock()
	if err != nil {
		return "", err
	}
	e.notify()
	return idString(b.full), nil
}

func (e *Engine) create(spec Spec) (*box, error) {
	if e.find(spec.Name) != nil {
		return nil, fmt.Errorf("create container %q: %w: the name is taken", spec.Name, snapshot.ErrInUse)
	}
	labels := snapshot.SplitLabels(spec.Labels)
	b := &box{
		full: e.newID(), fate: spec.Fate, exitCode: spec.ExitCode, after: spec.After, line: spec.Log, config: spec.Config,
		ofRun: snapshot.OfRun(spec.Labels),
		Container: protocol.Container{
			Name: spec.Name, ImageRef: spec.Image, State: protocol.ContainerCreated, Created: time.Now().Unix(),
			Labels: labels.Labels, Project: labels.Project, Service: labels.Service, Stack: labels.Stack,
			Ports: slices.Clone(spec.Ports),
		},
	}
	b.ID = protocol.ShortHash(b.full[:8])
	b.image, _ = e.imageFor(spec.Image, canPull)
	for path, name := range spec.Volumes {
		e.makeVolume(name, labels.Project)
		b.Mounts = append(b.Mounts, protocol.Mount{Type: "volume", Source: name, Target: path})
	}
	networks := spec.Networks
	if len(networks) == 0 {
		networks = []string{"bridge"}
	}
	for _, name := range networks {
		e.makeNetwork(name, labels.Project)
		b.Networks = append(b.Networks, protocol.Endpoint{Network: name})
	}
	e.containers = append(e.containers, b)
	return b, nil
}

func (e *Engine) makeVolume(name, project string) {
	if !slices.ContainsFunc(e.volumes, func(v protocol.Volume) bool { return v.Name == name }) {
		e.volumes = append(e.volumes, protocol.Volume{Name: name, Driver: "local", Created: time.Now().Unix(), Project: project})
	}
}

func (e *Engine) makeNetwork(name, project string) {
	if !slices.ContainsFunc(e.networks, func(n protocol.Network) bool { return n.Name == name }) {
		e.networks = append(e.networks, e.newNetwork(name, project))
	}
}

// find returns the container of a name, or of an id or its beginning.
func (e *Engine) find(target string) *box {
	for _, b := range e.containers {
		if b.Name == target {
			return b
		}
	}
	if len(target) < 4 {
		return nil
	}
	for _, b := range e.containers {
		if strings.HasPrefix(idString(b.full), target) {
			return b
		}
	}
	return nil
}

// with finds a container and does something to it.
func (e *Engine) with(ctx context.Context, op Op, target string, do func(*box) error) error {
	return e.change(ctx, op, func() error {
		b := e.find(target)
		if b == nil {
			return fmt.Errorf("%s container %.80q: %w: see the device's latest snapshot for what is there", op, target, snapshot.ErrNoSuch)
		}
		return do(b)
	})
}

func (b *box) running() bool {
	return b.State == protocol.ContainerRunning || b.State == protocol.ContainerPaused || b.State == protocol.ContainerRestarting
}

// start runs a container and sets what its fate has in store.
func (e *Engine) start(b *box) {
	if b.State == protocol.ContainerRunning {
		return
	}
	b.run++
	b.State, b.ExitCode, b.Finished = protocol.ContainerRunning, 0, 0
	b.Started = time.Now().Unix()
	b.Networks = slices.Clone(b.Networks)
	for i := range b.Networks {
		b.Networks[i].IP = e.address(b.Networks[i].Network)
	}
	if b.line != "" {
		b.log = append(b.log, b.line...)
		b.log = b.log[max(len(b.log)-maxLog, 0):]
	}
	switch b.fate {
	case Exits:
		e.end(b, b.exitCode)
	case Crashes:
		e.later(b, max(b.after, 1), e.crash)
	case Healthy, Unhealthy:
		b.Health = protocol.HealthStarting
		e.later(b, e.cfg.HealthDelay, func(b *box) {
			b.Health = protocol.HealthHealthy
			if b.fate == Unhealthy {
				b.Health = protocol.HealthUnhealthy
			}
		})
	}
}

// crash ends a container and starts it again, as a restart policy does.
func (e *Engine) crash(b *box) {
	e.end(b, 1)
	b.Restarts++
	e.start(b)
}

// end is what happens when a container's program ends.
func (e *Engine) end(b *box, code int32) {
	b.stopTimer()
	b.run++
	b.State, b.ExitCode, b.Finished = protocol.ContainerExited, code, time.Now().Unix()
	b.Networks = slices.Clone(b.Networks)
	for i := range b.Networks {
		b.Networks[i].IP = ""
	}
	if b.Health != protocol.HealthNone {
		b.Health = protocol.HealthUnhealthy
	}
}

// later does something to a container that then still is in the same run.
func (e *Engine) later(b *box, after time.Duration, do func(*box)) {
	if e.closed {
		return
	}
	run := b.run
	b.timer = time.AfterFunc(after, func() {
		e.mu.Lock()
		same := b.run == run && !e.closed
		if same {
			do(b)
		}
		e.mu.Unlock()
		if same {
			e.notify()
		}
	})
}

// ContainerStart starts a container; one that runs is no error.
func (e *Engine) ContainerStart(ctx context.Context, target string) error {
	return e.with(ctx, OpStart, target, func(b *box) error { e.start(b); return nil })
}

// ContainerStop ends a container, with exit code 0 and at once. One that does not run is no error.
func (e *Engine) ContainerStop(ctx context.Context, target string, _ time.Duration) error {
	return e.with(ctx, OpStop, target, func(b *box) error {
		if b.running() {
			e.end(b, 0)
		}
		return nil
	})
}

// ContainerRestart stops and starts a container.
func (e *Engine) ContainerRestart(ctx context.Context, target string, _ time.Duration) error {
	return e.with(ctx, OpRestart, target, func(b *box) error {
		if b.running() {
			e.end(b, 0)
		}
		e.start(b)
		return nil
	})
}

// ContainerKill ends a container with exit code 137 whatever the signal is, except for those that programs live through.
func (e *Engine) ContainerKill(ctx context.Context, target, signal string) error {
	return e.with(ctx, OpKill, target, func(b *box) error {
		if !b.running() {
			return fmt.Errorf("kill container %.80q: %w: it does not run", target, snapshot.ErrRefused)
		}
		switch name := strings.TrimPrefix(signal, "SIG"); name {
		case "HUP", "USR1", "USR2", "WINCH":
		case "", "KILL", "TERM", "INT", "QUIT", "9", "15", "2", "3":
			e.end(b, 137)
		default:
			return fmt.Errorf("kill container %.80q: %w: there is no signal %.20q", target, snapshot.ErrRefused, signal)
		}
		return nil
	})
}

// ContainerRemove removes a container, Forcibly also one that runs.
func (e *Engine) ContainerRemove(ctx context.Context, target string, force snapshot.Force) error {
	return e.with(ctx, OpRemove, target, func(b *box) error {
		if b.running() && force != snapshot.Forcibly {
			return fmt.Errorf("remove container %.80q: %w: it runs: stop it before, or use force", target, snapshot.ErrInUse)
		}
		e.remove(b)
		return nil
	})
}

func (e *Engine) remove(b *box) {
	b.stopTimer()
	b.run++
	e.containers = slices.DeleteFunc(e.containers, func(other *box) bool { return other == b })
}

// ContainerLogs returns the last tail lines (0: all), of more than limit bytes the last (0: protocol.MaxOutput), and how
// many bytes were cut.
func (e *Engine) ContainerLogs(ctx context.Context, target string, tail, limit int) (out []byte, dropped uint64, err error) {
	if err := e.enter(ctx, OpLogs); err != nil {
		return nil, 0, err
	}
	if limit <= 0 {
		limit = protocol.MaxOutput
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	b := e.find(target)
	if b == nil {
		return nil, 0, fmt.Errorf("read logs of container %.80q: %w: see the device's latest snapshot for what is there", target, snapshot.ErrNoSuch)
	}
	from := 0
	if tail > 0 {
		text := strings.TrimSuffix(string(b.log), "\n")
		for from = len(text); from > 0 && tail > 0; tail-- {
			from = strings.LastIndexByte(text[:from], '\n')
		}
		from = max(from+1, 0)
		if tail > 0 {
			from = 0
		}
	}
	text := b.log[from:]
	over := max(len(text)-limit, 0)
	return slices.Clone(text[over:]), uint64(over), nil
}
