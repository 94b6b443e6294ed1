package runner_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
)

// late is an executor whose engine comes up some time after the agent.
type late struct {
	hands
	up      atomic.Bool
	cleared atomic.Uint64
}

func (l *late) Clear(_ context.Context, run uint64) error {
	if !l.up.Load() {
		return errors.New("the engine is not up")
	}
	l.cleared.Store(run)
	return nil
}

// What was left of a run when the power went is removed when that can be, and what it wrote goes to the hub as that of a
// run which failed.
func TestWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, engine, outputs := newDisk(job(1, every5(protocol.Job{}))), &late{}, &runner.Memory{}
		start := func() (stop func()) {
			r := runner.New(runner.Config{
				State: disk, Device: device, Host: engine, Container: &hands{}, Outputs: outputs, Log: slog.New(slog.DiscardHandler),
				Now: func() (time.Time, bool) { return time.Now().Round(0), true },
			})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- r.Run(ctx) }()
			return func() {
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		}
		engine.takes = time.Hour
		stop := start()
		time.Sleep(6 * time.Minute)
		stdout, _, _ := outputs.Begin(1)
		_, _ = stdout.Write([]byte("half of it"))
		disk.mu.Lock()
		disk.off = true
		disk.mu.Unlock()
		stop()
		disk.mu.Lock()
		disk.off = false
		disk.mu.Unlock()

		stop = start()
		synctest.Wait()
		if r := disk.told()[0]; r.State != protocol.JobInterrupted || r.Stdout == nil || r.Stdout.Follow != 10 {
			t.Errorf("%s, %+v", r.State, r.Stdout)
		}
		disk.mu.Lock()
		if len(disk.output) != 1 || string(disk.output[0].Data) != "half of it" {
			t.Errorf("%d pieces of output", len(disk.output))
		}
		disk.mu.Unlock()
		time.Sleep(2 * time.Minute)
		if engine.cleared.Load() != 0 {
			t.Error("cleared without an engine")
		}
		engine.up.Store(true)
		time.Sleep(2 * time.Minute)
		if engine.cleared.Load() != 1 {
			t.Error("what is left of the run stays")
		}
		stop()
	})
}

// A run waits for what its job needs; where that cannot be had, the run says so.
func TestFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, hand := newDisk(job(1, every5(protocol.Job{}))), &hands{}
		r := runner.New(runner.Config{
			State: disk, Device: device, Host: hand, Container: hand, Outputs: &runner.Memory{}, Log: slog.New(slog.DiscardHandler),
			Now: func() (time.Time, bool) { return time.Now().Round(0), true },
			Fetch: func(ctx context.Context, _ *protocol.Entry) error {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(7 * time.Minute):
					return nil
				}
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if len(disk.told()) != 0 {
			t.Error("it ran before its script came")
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if told := disk.told(); len(told) != 1 || told[0].State != protocol.JobDone || told[0].Started/1000-told[0].Due != 120 {
			t.Errorf("%+v", told)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
