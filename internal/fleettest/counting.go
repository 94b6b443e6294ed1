package fleettest

import (
	"context"
	"sync"
	"time"

	"github.com/farshore/farshore/internal/fleettest/fakeengine"
	"github.com/farshore/farshore/snapshot"
)

// countingEngine counts what reaches an engine, so that a test can tell that nothing was done twice. It is safe for
// concurrent use.
type countingEngine struct {
	*fakeengine.Engine

	mu    sync.Mutex
	calls map[string]int // by operation and target
	order []string
}

func newCountingEngine(e *fakeengine.Engine) *countingEngine {
	return &countingEngine{Engine: e, calls: map[string]int{}}
}

// note counts a call that is about to have its effect.
func (c *countingEngine) note(op, target string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[op+" "+target]++
	c.order = append(c.order, op+" "+target)
}

func (c *countingEngine) count(op, target string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[op+" "+target]
}

// log returns all calls in their order.
func (c *countingEngine) log() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.order...)
}

// ContainerStart implements commands.Containers.
func (c *countingEngine) ContainerStart(ctx context.Context, target string) error {
	c.note("start", target)
	return c.Engine.ContainerStart(ctx, target)
}

// ContainerStop implements commands.Containers.
func (c *countingEngine) ContainerStop(ctx context.Context, target string, timeout time.Duration) error {
	c.note("stop", target)
	return c.Engine.ContainerStop(ctx, target, timeout)
}

// ContainerRestart implements commands.Containers.
func (c *countingEngine) ContainerRestart(ctx context.Context, target string, timeout time.Duration) error {
	c.note("restart", target)
	return c.Engine.ContainerRestart(ctx, target, timeout)
}

// ContainerKill implements commands.Containers.
func (c *countingEngine) ContainerKill(ctx context.Context, target, signal string) error {
	c.note("kill", target)
	return c.Engine.ContainerKill(ctx, target, signal)
}

// ContainerRemove implements commands.Containers.
func (c *countingEngine) ContainerRemove(ctx context.Context, target string, force snapshot.Force) error {
	c.note("remove", target)
	return c.Engine.ContainerRemove(ctx, target, force)
}
