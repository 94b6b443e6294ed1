package capture_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/internal/fleettest/fakeengine"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/snapshot/capture"
)

// rig is a Capturer on a fake engine in a bubble of virtual time.
type rig struct {
	t       *testing.T
	engine  *fakeengine.Engine
	c       *capture.Capturer
	changes atomic.Int32
	reads   atomic.Int32
}

// counting counts observations.
type counting struct {
	*fakeengine.Engine
	reads *atomic.Int32
}

func (c counting) Observe(ctx context.Context) (snapshot.Observation, error) {
	c.reads.Add(1)
	return c.Engine.Observe(ctx)
}

func inBubble(t *testing.T, interval time.Duration, test func(*rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, engine: fakeengine.New(fakeengine.Config{Seed: 1, Containers: 4})}
		r.c = capture.New(capture.Config{
			Engine: counting{r.engine, &r.reads}, Host: func() protocol.Host { return protocol.Host{Name: "gateway"} },
			Interval: func() time.Duration { return interval }, Changed: func() { r.changes.Add(1) },
			Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.c.Run(ctx) }()
		r.after(2 * time.Second) // the engine's health checks have decided
		r.after(2 * time.Second)
		test(r)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = r.engine.Close()
	})
}

func (r *rig) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) state(want protocol.EngineState) protocol.Engine {
	r.t.Helper()
	l := r.c.Latest()
	if !l.OK || l.Snapshot.Engine.State != want || len(l.Snapshot.Containers) != 4 || l.Hash != protocol.HashOf(l.Canonical).Short() {
		r.t.Errorf("engine %+v, %d containers", l.Snapshot.Engine, len(l.Snapshot.Containers))
	}
	return l.Snapshot.Engine
}

func TestEventsAreCapturedSoonAndTogether(t *testing.T) {
	inBubble(t, 0, func(r *rig) {
		r.state(protocol.EngineRunning)
		r.changes.Store(0)
		r.reads.Store(0)
		began := time.Now()
		for range 10 { // what a compose project does in one go
			if err := r.engine.ContainerRestart(r.t.Context(), "metrics-store-1", 0); err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
		}
		r.after(time.Second)
		if l := r.c.Latest(); l.At.Before(began) || l.At.Sub(began) > 1100*time.Millisecond || r.changes.Load() != 1 {
			t.Errorf("captured %s after the first event, %d changes", l.At.Sub(began), r.changes.Load())
		}
		if n := r.reads.Load(); n > 2 {
			t.Errorf("the engine was read %d times for one burst", n)
		}

		r.reads.Store(0)
		for range 600 { // an engine that never pauses, for a minute
			_ = r.engine.ContainerRestart(r.t.Context(), "metrics-store-1", 0)
			time.Sleep(100 * time.Millisecond)
		}
		if n := r.reads.Load(); n < 25 || n > 65 {
			t.Errorf("an engine that never pauses was read %d times in a minute", n)
		}
	})
}

func TestIdleIsReadInIntervalsAndSaysNothing(t *testing.T) {
	for _, tc := range []struct{ interval, every time.Duration }{
		{time.Minute, time.Minute},
		{time.Hour, capture.MaxInterval},
		{0, capture.MaxInterval},
		{time.Millisecond, capture.MinInterval},
	} {
		inBubble(t, tc.interval, func(r *rig) {
			r.changes.Store(0)
			r.reads.Store(0)
			r.after(time.Hour)
			if got, want := int(r.reads.Load()), int(time.Hour/tc.every); got < want-1 || got > want+1 {
				t.Errorf("interval %s: read %d times in an hour, want %d", tc.interval, got, want)
			}
			if r.changes.Load() != 0 {
				t.Errorf("interval %s: %d changes of an idle engine", tc.interval, r.changes.Load())
			}
			l := r.c.Latest()
			if time.Since(l.At) > tc.every+time.Second || !l.OverdueSince.IsZero() {
				t.Errorf("interval %s: last captured %s ago, overdue since %s", tc.interval, time.Since(l.At), l.OverdueSince)
			}
		})
	}
}

func TestAbsentEngineIsAState(t *testing.T) {
	inBubble(t, time.Minute, func(r *rig) {
		r.changes.Store(0)
		r.engine.SetPresence(fakeengine.Absent)
		r.after(100 * time.Millisecond)
		e := r.state(protocol.EngineAbsent)
		if !strings.Contains(e.Reason, "make it present") || e.Version == "" {
			t.Errorf("absent: %+v", e)
		}
		if err := r.c.Now(r.t.Context()); !errors.Is(err, snapshot.ErrEngineAbsent) {
			t.Errorf("capture at once: %v", err)
		}
		r.reads.Store(0)
		r.after(time.Hour)
		if n := r.reads.Load(); n < 110 || n > 130 {
			t.Errorf("an absent engine was tried %d times in an hour, want about one in 30 s", n)
		}
		if r.changes.Load() != 1 {
			t.Errorf("%d changes while it stayed absent", r.changes.Load())
		}
		if l := r.c.Latest(); time.Since(l.At) > 31*time.Second || !l.OverdueSince.IsZero() {
			t.Errorf("the absence was last seen %s ago", time.Since(l.At))
		}
		r.engine.SetPresence(fakeengine.Present)
		r.after(31 * time.Second)
		if e := r.state(protocol.EngineRunning); e.Reason != "" || r.changes.Load() != 2 {
			t.Errorf("back: %+v, %d changes", e, r.changes.Load())
		}
		// Its events are heard again.
		_ = r.engine.ContainerStop(r.t.Context(), "metrics-store-1", 0)
		r.after(1500 * time.Millisecond)
		if r.changes.Load() != 3 {
			t.Error("a change after the return was not captured")
		}
	})
}

func TestFailingEngine(t *testing.T) {
	inBubble(t, time.Minute, func(r *rig) {
		r.changes.Store(0)
		boom := errors.New("storage driver: boom")
		r.engine.FailAt(fakeengine.OpObserve, 1, boom)
		if err := r.c.Now(r.t.Context()); !errors.Is(err, boom) {
			t.Errorf("got %v", err)
		}
		r.after(5 * time.Second)
		r.state(protocol.EngineRunning)
		if r.changes.Load() != 0 {
			t.Error("a single failure was told")
		}
		for n := 1; n <= 5; n++ {
			r.engine.FailAt(fakeengine.OpObserve, n, boom)
		}
		_ = r.c.Now(r.t.Context())
		r.after(4 * time.Second)
		if e := r.state(protocol.EngineFailing); !strings.Contains(e.Reason, "boom") {
			t.Errorf("failing: %+v", e)
		}
		r.after(time.Minute)
		r.state(protocol.EngineRunning)
	})
}

// TestHangingEngine has an engine that takes for ever: it is given up, and said so.
func TestHangingEngine(t *testing.T) {
	inBubble(t, time.Minute, func(r *rig) {
		r.engine.SetLatency(time.Hour)
		r.after(5 * time.Minute)
		if e := r.state(protocol.EngineFailing); !strings.Contains(e.Reason, "did not answer") {
			t.Errorf("hanging: %+v", e)
		}
		r.engine.SetLatency(10 * time.Millisecond)
		r.after(2 * time.Minute)
		r.state(protocol.EngineRunning)
	})
}

// TestOverdue has a host whose facts cannot be read, as when its disk does not answer.
func TestOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := fakeengine.New(fakeengine.Config{})
		defer e.Close()
		var hang atomic.Bool
		c := capture.New(capture.Config{Engine: e, Interval: func() time.Duration { return time.Minute }, Host: func() protocol.Host {
			for hang.Load() {
				time.Sleep(time.Second)
			}
			return protocol.Host{}
		}})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = c.Run(ctx) }()
		if c.Latest().OK {
			t.Error("there is a capture before the first")
		}
		time.Sleep(10 * time.Minute)
		hang.Store(true)
		time.Sleep(30 * time.Minute)
		l := c.Latest()
		if l.OverdueSince.IsZero() || time.Since(l.OverdueSince) < 29*time.Minute || l.Reason == "" {
			t.Errorf("overdue since %s: %q", l.OverdueSince, l.Reason)
		}
		hang.Store(false)
		time.Sleep(2 * time.Minute)
		if l := c.Latest(); !l.OverdueSince.IsZero() {
			t.Errorf("still overdue since %s", l.OverdueSince)
		}
		cancel()
		synctest.Wait()
	})
}

func TestHostFacts(t *testing.T) {
	read := capture.HostFacts(t.TempDir())
	h := read()
	name, _ := os.Hostname()
	if h.Name != name || h.CPUs != uint32(runtime.NumCPU()) || h.OS == "" || h.Arch == "" {
		t.Errorf("got %+v", h)
	}
	if runtime.GOOS == "linux" {
		if h.Memory < 1<<20 || h.DiskTotal < 1<<20 || h.DiskUsed > 100 || h.Kernel == "" {
			t.Errorf("got %+v", h)
		}
		if up := time.Now().Unix() - h.Booted; up < 0 || up > 10*365*24*3600 {
			t.Errorf("up for %d s", up)
		}
	}
	if again := read(); again.Booted != h.Booted {
		t.Error("the time of boot moved")
	}
}

func TestIntervalThatGetsShorter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := fakeengine.New(fakeengine.Config{})
		defer e.Close()
		var interval atomic.Int64
		interval.Store(int64(5 * time.Minute))
		c := capture.New(capture.Config{
			Engine: e, Interval: func() time.Duration { return time.Duration(interval.Load()) },
			Host: func() protocol.Host { return protocol.Host{} },
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = c.Run(ctx) }()
		time.Sleep(2 * time.Minute)
		interval.Store(int64(10 * time.Second))
		c.IntervalChanged()
		for range 300 {
			if l := c.Latest(); !l.OverdueSince.IsZero() {
				t.Fatalf("overdue since %s, though nothing is amiss", l.OverdueSince)
			}
			time.Sleep(time.Second)
			if l := c.Latest(); time.Since(l.At) > 12*time.Second {
				t.Fatalf("last captured %s ago with an interval of 10 s", time.Since(l.At))
			}
		}
		cancel()
		synctest.Wait()
	})
}
