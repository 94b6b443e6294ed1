package runner_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
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

// An image that has to wait for the link's budget times no run out, however long that takes: the run is queued, those that
// are due meanwhile go by the overlap rule, and who asked for one is told that it waits. A power cut costs nothing then.
func TestAnImageThatWaitsForTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		allowed, changed := true, make(chan struct{}, 1)
		fetches := 0
		g := newRig(t, job(1, every5(protocol.Job{Timeout: 30, Container: &protocol.JobContainer{Image: "a"}})))
		g.fetch = func(ctx context.Context, _ *protocol.Entry) error {
			mu.Lock()
			fetches++
			may := allowed
			mu.Unlock()
			if may {
				return nil
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-changed:
				return nil
			}
		}
		g.with(func() { g.hands.takes = 20 * time.Second })
		g.start()
		time.Sleep(6 * time.Minute)
		g.want("done")
		mu.Lock()
		allowed = false
		mu.Unlock()
		time.Sleep(15 * time.Minute) // due at 10, 15 and 20
		g.want("done", "skipped x2")
		if n := len(g.began()); n != 1 {
			t.Errorf("%d runs began", n)
		}
		g.cut()
		g.start()
		time.Sleep(time.Minute)
		changed <- struct{}{}
		mu.Lock()
		allowed = true
		mu.Unlock()
		time.Sleep(time.Minute)
		g.want("done", "done", "skipped x2")
		if r := g.disk.told()[1]; r.Took != 20_000 || r.Started/1000-r.Due < 12*60 {
			t.Errorf("it took %d ms, and began %d s after it was due", r.Took, r.Started/1000-r.Due)
		}

		mu.Lock()
		allowed = false
		mu.Unlock()
		id, err := g.r.RunNow(1, 77)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if r := g.disk.told()[3]; r.ID != id || r.State != protocol.JobRunning || r.Started != 0 || !strings.Contains(r.Text, "waits") {
			t.Errorf("who asked is told %+v", r)
		}
		if state, err := g.r.Cancel(id); err != nil || state != protocol.JobCancelled {
			t.Errorf("cancelled: %s, %v", state, err)
		}
		g.want("done", "done", "skipped x2", "cancelled")
		g.stop()
	})
}

// What cannot be fetched is why a run fails, which is tried again like any other; the next one asks anew.
func TestWhatCannotBeFetchedFailsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fails atomic.Int32
		fails.Store(1 << 20)
		g := newRig(t, job(1, every5(protocol.Job{Container: &protocol.JobContainer{Image: "a"}, Retries: 1})))
		g.fetch = func(context.Context, *protocol.Entry) error {
			if fails.Add(-1) >= 0 {
				return errors.New("the registry says no")
			}
			return nil
		}
		g.start()
		time.Sleep(7 * time.Minute)
		g.want("failed")
		if r := g.disk.told()[0]; r.Attempt != 2 || r.Text != "the registry says no" || len(g.began()) != 0 {
			t.Errorf("%+v, began %v", r, g.began())
		}
		fails.Store(0)
		time.Sleep(4 * time.Minute)
		g.want("failed", "done")
		fails.Store(1) // once, before the run; the second attempt has it
		time.Sleep(5 * time.Minute)
		g.want("failed", "done", "done")
		if r := g.disk.told()[2]; r.Attempt != 2 {
			t.Errorf("%+v", r)
		}
		g.stop()
	})
}
