package fakeengine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/internal/fleettest/enginetest"
	"github.com/farshore/farshore/internal/fleettest/fakeengine"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

func TestConformance(t *testing.T) {
	e := fakeengine.New(fakeengine.Config{Seed: 1, HealthDelay: 20 * time.Millisecond})
	t.Cleanup(func() { _ = e.Close() })
	fates := map[enginetest.Behaviour]fakeengine.Fate{
		enginetest.Exits: fakeengine.Exits, enginetest.Crashes: fakeengine.Crashes,
		enginetest.Healthy: fakeengine.Healthy, enginetest.Unhealthy: fakeengine.Unhealthy,
	}
	var lines strings.Builder
	for i := 1; i <= 100; i++ {
		fmt.Fprintf(&lines, "line %d\n", i)
	}
	enginetest.Run(t, enginetest.Subject{
		Engine: e, Prefix: "conform-",
		Create: func(t *testing.T, in enginetest.Spec) {
			spec := fakeengine.Spec{
				Name: in.Name, Image: in.Image, Labels: in.Labels, Fate: fates[in.Behaviour], ExitCode: 3,
				After: 20 * time.Millisecond,
			}
			if in.Volume != "" {
				spec.Volumes = map[string]string{"/data": in.Volume}
			}
			if in.Behaviour == enginetest.Chatters {
				spec.Log = lines.String()
			}
			if _, err := e.Create(spec); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = e.ContainerRemove(context.Background(), in.Name, snapshot.Forcibly) })
		},
		Tag: func(_ *testing.T, image, tag string) { e.AddImage(image, tag) },
	})
}

func canonical(t *testing.T, e *fakeengine.Engine) string {
	t.Helper()
	obs, err := e.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, _ := snapshot.Canonical(protocol.Snapshot{
		Engine: obs.Engine, Images: obs.Images, Containers: obs.Containers, Volumes: obs.Volumes, Networks: obs.Networks,
	})
	return string(b)
}

// TestSameSeedSameLife lets three engines live for a day of virtual time.
func TestSameSeedSameLife(t *testing.T) {
	live := func(seed uint64) (out string, n int32) {
		var changes atomic.Int32
		synctest.Test(t, func(t *testing.T) {
			e := fakeengine.New(fakeengine.Config{Seed: seed, Containers: 12})
			ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
			defer cancel()
			go func() { _ = e.Watch(ctx, func() { changes.Add(1) }) }()
			synctest.Wait()
			if err := e.Live(ctx); err != nil {
				t.Error(err)
			}
			_ = e.Close()
			out = canonical(t, e)
		})
		return out, changes.Load()
	}
	a, n := live(7)
	if b, m := live(7); a != b || n != m {
		t.Errorf("one seed, two lives: %d and %d changes", n, m)
	}
	if b, _ := live(8); a == b {
		t.Error("two seeds, one life")
	}
	if n < 50 || n > 500 {
		t.Errorf("%d changes in a day, want about 144", n)
	}
}

func TestKnobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := fakeengine.New(fakeengine.Config{Containers: 1, Latency: time.Second})
		defer e.Close()
		began := time.Now()
		if _, err := e.Observe(t.Context()); err != nil || time.Since(began) != time.Second {
			t.Errorf("a call took %s, %v", time.Since(began), err)
		}
		e.SetLatency(0)
		boom := errors.New("boom")
		e.FailAt(fakeengine.OpStart, 2, boom)
		for i, want := range []error{nil, boom, nil} {
			if err := e.ContainerStart(t.Context(), "gateway-modbus-1"); !errors.Is(err, want) {
				t.Errorf("start %d: got %v, want %v", i+1, err, want)
			}
		}
		watch := make(chan error, 1)
		go func() { watch <- e.Watch(t.Context(), func() {}) }()
		synctest.Wait()
		e.SetPresence(fakeengine.Absent)
		if err := <-watch; !errors.Is(err, snapshot.ErrEngineAbsent) {
			t.Errorf("the stream ended with %v", err)
		}
		if _, err := e.Observe(t.Context()); !errors.Is(err, snapshot.ErrEngineAbsent) {
			t.Errorf("got %v", err)
		}
		e.SetPresence(fakeengine.Present)
		if _, err := e.Observe(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
