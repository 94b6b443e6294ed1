package reconciler_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/farshore/farshore/stacks/reconciler"
)

// carrier brings images as it is told: "gone", "away" or nothing amiss, and after some time.
type carrier struct {
	mu     sync.Mutex
	fails  error
	takes  time.Duration
	orders []reconciler.ImageOrder
	kept   []uint64
}

func (c *carrier) Bring(ctx context.Context, o reconciler.ImageOrder) (int64, error) {
	c.mu.Lock()
	c.orders = append(c.orders, o)
	fails, takes := c.fails, c.takes
	c.mu.Unlock()
	for i := range int64(4) {
		o.Progress(i*250, 1000, i*260)
		select {
		case <-time.After(takes / 4):
		case <-ctx.Done():
			return i * 260, ctx.Err()
		}
	}
	return 1100, fails
}

func (c *carrier) Keep(stacks []uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = stacks
	return nil
}

func (c *carrier) set(fails error, takes time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fails, c.takes = fails, takes
}

func TestImagesThroughTheAgent(t *testing.T) {
	device(t, func(r *rig) {
		c := &carrier{}
		byAgent := true
		r.cfg = func(cfg *reconciler.Config) { cfg.Images, cfg.ImagesByAgent = c, func() bool { return byAgent } }
		r.boot()
		r.desire(r.entry(1, 1, "web good"))
		pass(10 * time.Second)
		r.expect(1, "running v1 running:0")
		if st := r.store.Statuses()[0]; st.Spent != 1100+uint64(len(r.asked))*fileCost || r.engine.fetches != 0 {
			t.Errorf("the status says %d bytes; the engine fetched %d times", st.Spent, r.engine.fetches)
		}
		r.expectCalls("images s1", "up s1")

		// It may take days, for as long as there is no contact: others go on, and it is no standstill.
		c.set(nil, 72*time.Hour)
		r.desire(r.entry(1, 2, "web good\ndb good"), r.entry(2, 1, "web good"), r.entry(3, 1, "web good"))
		pass(36 * time.Hour)
		r.expect(1, "fetching v2 running:1")
		r.expect(3, "fetching v1 running:0")
		if st := r.store.Statuses()[0]; st.Done == 0 || st.Total != 1000 {
			t.Errorf("after half of it the status says %d of %d", st.Done, st.Total)
		}
		c.set(nil, 0)
		r.desire(r.entry(1, 3, "web good"), r.entry(2, 1, "web good"))
		pass(time.Minute)
		r.expect(1, "running v3 running:0")
		c.mu.Lock()
		kept := slices.Clone(c.kept)
		c.mu.Unlock()
		if slices.Contains(kept, 3) {
			t.Errorf("kept for %v, of which 3 is gone", kept)
		}
		pass(48 * time.Hour)
		r.expect(2, "running v1 running:0")

		for _, way := range []struct {
			err  error
			want string
		}{
			{&reconciler.ImageFailure{Code: "image-unavailable", Detail: "no such image"}, "failed v4 running:3 image-unavailable"},
			{&reconciler.ImageFailure{Code: "image-unavailable", Detail: "nobody answers", Passing: true}, "failed v5 running:3 image-unavailable"},
			{&reconciler.ImageFailure{Code: "disk-full", Detail: "the disk is full"}, "waiting v6 running:3 disk-full"},
			{errors.New("no such folder"), "waiting v7 running:3 retrying"},
		} {
			c.set(way.err, 0)
			version := uint64(way.want[len("failed v")] - '0')
			if way.want[0] == 'w' {
				version = uint64(way.want[len("waiting v")] - '0')
			}
			r.desire(r.entry(1, version, "web good\ndb good"), r.entry(2, 1, "web good"))
			pass(10 * time.Second)
			r.expect(1, way.want)
		}
		byAgent = false
		r.desire(r.entry(1, 8, "web good"), r.entry(2, 1, "web good"))
		pass(10 * time.Second)
		r.expect(1, "running v8 running:0")
		if r.engine.fetches != 1 {
			t.Errorf("the engine fetched %d times", r.engine.fetches)
		}
	})
}
