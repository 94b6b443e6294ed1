package exchange

import (
	"sync"
	"time"
)

// Clock is the device's best idea of the hub's time: what the hub last said, carried on by the monotonic clock, and by
// what that leaves out while the device is suspended. The device's own wall clock is only used until the hub was heard
// for the first time. The zero value is ready for use and safe for concurrent use.
type Clock struct {
	// suspended is how long the device has been suspended since it was started. Nil: as the system says.
	suspended func() time.Duration

	mu     sync.Mutex
	hub    time.Time     // what the hub said
	at     time.Time     // when it was heard, with its monotonic reading
	before time.Duration // how long the device had been suspended then
}

// leastSuspended is from when on the difference of two clocks, which cannot be read at the same moment, is a suspension.
const leastSuspended = time.Second

// Now returns the best time known, and whether the hub has vouched for it since the agent started.
func (c *Clock) Now() (t time.Time, vouched bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hub.IsZero() {
		return time.Now().Round(0), false
	}
	return c.hub.Add(time.Since(c.at) + c.suspendedSince()), true
}

// suspendedSince is how long the device has been suspended since the hub was heard. It needs mu.
func (c *Clock) suspendedSince() time.Duration {
	if d := c.read() - c.before; d >= leastSuspended {
		return d
	}
	return 0
}

func (c *Clock) read() time.Duration {
	if c.suspended != nil {
		return c.suspended()
	}
	return suspended()
}

// Offset is how far the device's wall clock is from the hub's: positive when the device is ahead.
func (c *Clock) Offset() time.Duration {
	now, vouched := c.Now()
	if !vouched {
		return 0
	}
	return time.Now().Round(0).Sub(now)
}

func (c *Clock) set(hub time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hub, c.at, c.before = hub.Round(0), time.Now(), c.read()
}
