package runner_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
)

const device = protocol.DeviceID("k3x9aaaaaaaaaaaa")

var errPower = errors.New("the power is gone")

// disk is what is durable on a device. It is safe for concurrent use.
type disk struct {
	mu      sync.Mutex
	desired []protocol.Entry
	cursors map[uint64]runner.Cursor
	runs    map[uint64]runner.Run
	last    uint64
	reports []protocol.JobRun
	output  []protocol.JobOutput
	off     bool // nothing is written any more
	writes  int
}

func newDisk(entries ...protocol.Entry) *disk {
	return &disk{desired: entries, cursors: map[uint64]runner.Cursor{}, runs: map[uint64]runner.Run{}}
}

func (d *disk) Desired() []protocol.Entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.desired)
}

func (d *disk) Blob(protocol.Hash) ([]byte, error) { return []byte("#!/bin/sh\n"), nil }

func (d *disk) Jobs() runner.Book {
	d.mu.Lock()
	defer d.mu.Unlock()
	book := runner.Book{Last: d.last}
	for _, id := range slices.Sorted(maps.Keys(d.cursors)) {
		book.Cursors = append(book.Cursors, d.cursors[id])
	}
	for _, id := range slices.Sorted(maps.Keys(d.runs)) {
		book.Runs = append(book.Runs, d.runs[id])
	}
	return book
}

func (d *disk) PutJobs(c runner.Change) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return errPower
	}
	d.writes++
	for _, cursor := range c.Cursors {
		d.cursors[cursor.Job] = cursor
	}
	for _, id := range c.DropCursors {
		delete(d.cursors, id)
	}
	for _, run := range c.Runs {
		d.runs[run.ID] = run
		d.last = max(d.last, run.ID)
	}
	for _, id := range c.DropRuns {
		delete(d.runs, id)
	}
	d.reports = append(d.reports, c.Reports...)
	d.output = append(d.output, c.Output...)
	return nil
}

// told is the last word on each run, by due time.
func (d *disk) told() []protocol.JobRun {
	d.mu.Lock()
	defer d.mu.Unlock()
	byID := map[uint64]protocol.JobRun{}
	for _, r := range d.reports {
		byID[r.ID] = r
	}
	out := slices.Collect(maps.Values(byID))
	slices.SortFunc(out, func(a, b protocol.JobRun) int { return int(int64(a.ID) - int64(b.ID)) })
	return out
}

// hands runs attempts as it is told.
type hands struct {
	mu    sync.Mutex
	takes time.Duration
	do    func(a runner.Attempt) (runner.Exit, error) // nil: all is well
	began []uint64
}

func (h *hands) Run(ctx context.Context, a runner.Attempt) (runner.Exit, error) {
	h.mu.Lock()
	h.began = append(h.began, a.Run)
	takes, do := h.takes, h.do
	h.mu.Unlock()
	select {
	case <-ctx.Done():
		return runner.Exit{Signal: "SIGTERM"}, ctx.Err()
	case <-time.After(takes):
	}
	fmt.Fprintf(a.Stdout, "run %d attempt %d\n", a.Run, a.Number)
	if do != nil {
		return do(a)
	}
	return runner.Exit{}, nil
}

func (h *hands) Clear(context.Context, uint64) error { return nil }

func job(id uint64, spec protocol.Job) protocol.Entry {
	return protocol.Entry{
		EntryKey: protocol.EntryKey{Kind: protocol.EntryJob, ID: id}, Version: 1, Name: fmt.Sprintf("job-%d", id), Job: &spec,
		Files: []protocol.File{{Path: protocol.JobScript, Hash: protocol.HashOf([]byte("x"))}},
	}
}

// rig is a device in a bubble.
type rig struct {
	t     *testing.T
	disk  *disk
	hands *hands
	r     *runner.Runner
	stop  func()
	fetch func(context.Context, *protocol.Entry) error
	mu    sync.Mutex // of clock, and of what it goes by
	clock func() (time.Time, bool)
}

// with does something while nothing else reads or changes what the test does.
func (g *rig) with(do func()) {
	for _, mu := range []*sync.Mutex{&g.mu, &g.disk.mu, &g.hands.mu} {
		mu.Lock()
		defer mu.Unlock()
	}
	do()
}

func newRig(t *testing.T, entries ...protocol.Entry) *rig {
	return &rig{t: t, disk: newDisk(entries...), hands: &hands{}, clock: func() (time.Time, bool) { return time.Now().Round(0), true }}
}

func (g *rig) now() (time.Time, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.clock()
}

// start starts the agent.
func (g *rig) start() {
	g.r = runner.New(runner.Config{
		State: g.disk, Device: device, Host: g.hands, Container: g.hands, Outputs: &runner.Memory{},
		Now: g.now, Fetch: g.fetch, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(g.t.Context())
	done := make(chan error)
	go func() { done <- g.r.Run(ctx) }()
	g.stop = func() {
		cancel()
		if err := <-done; err != nil {
			g.t.Error(err)
		}
	}
	synctest.Wait()
}

// cut cuts the power: what the agent still does leaves no trace.
func (g *rig) cut() {
	g.with(func() { g.disk.off = true })
	g.stop()
	g.disk.off = false
}

// put changes the desired set.
func (g *rig) put(entries ...protocol.Entry) {
	g.with(func() { g.disk.desired = entries })
	g.r.Wake()
	synctest.Wait()
}

// began are the runs of which attempts began.
func (g *rig) began() (ids []uint64) {
	g.with(func() { ids = slices.Clone(g.hands.began) })
	return ids
}

// states are the words of all runs by ID.
func (g *rig) states() (out []string) {
	for _, r := range g.disk.told() {
		word := r.State.String()
		if r.Count > 1 {
			word += fmt.Sprintf(" x%d", r.Count)
		}
		out = append(out, word)
	}
	return out
}

func (g *rig) want(want ...string) {
	g.t.Helper()
	synctest.Wait()
	if got := g.states(); fmt.Sprint(got) != fmt.Sprint(want) {
		g.t.Errorf("runs %v, want %v", got, want)
	}
}

func every5(spec protocol.Job) protocol.Job {
	spec.Schedule = protocol.JobSchedule{Cron: "*/5 * * * *", Zone: "UTC"}
	return spec
}

func TestRules(t *testing.T) {
	for _, c := range []struct {
		name string
		spec protocol.Job
		do   func(g *rig)
		want []string
	}{
		{"each due time runs once", every5(protocol.Job{}), func(*rig) { time.Sleep(16 * time.Minute) }, []string{"done", "done", "done"}},
		{"skip, told as one", every5(protocol.Job{}), func(g *rig) {
			g.with(func() { g.hands.takes = 17 * time.Minute })
			time.Sleep(23 * time.Minute)
		}, []string{"done", "skipped x3"}},
		{"queue", every5(protocol.Job{Overlap: protocol.OverlapQueue}), func(g *rig) {
			g.with(func() { g.hands.takes = 7 * time.Minute })
			time.Sleep(27 * time.Minute)
		}, []string{"done", "done", "done"}},
		{"kill", every5(protocol.Job{Overlap: protocol.OverlapKill}), func(g *rig) {
			g.with(func() { g.hands.takes = 7 * time.Minute })
			time.Sleep(18 * time.Minute)
		}, []string{"cancelled", "cancelled"}},
		{"timeout, and tried again", every5(protocol.Job{Timeout: 30, Retries: 2, RetryDelay: 10}), func(g *rig) {
			g.with(func() { g.hands.takes = time.Minute })
			time.Sleep(8 * time.Minute)
			if r := g.disk.told()[0]; r.Attempt != 3 || r.Took != 110_000 {
				g.t.Errorf("attempt %d, took %d ms", r.Attempt, r.Took)
			}
		}, []string{"timed-out"}},
		{"missed: none is made up for", every5(protocol.Job{}), func(g *rig) {
			g.cut()
			time.Sleep(62 * time.Minute)
			g.start()
			time.Sleep(4 * time.Minute)
		}, []string{"missed x12", "done"}},
		{"missed: the last one is made up for", every5(protocol.Job{Missed: 1}), func(g *rig) {
			g.cut()
			time.Sleep(62 * time.Minute)
			g.start()
			time.Sleep(time.Minute)
		}, []string{"missed x11", "done"}},
		{"missed: up to 3", every5(protocol.Job{Missed: 3}), func(g *rig) {
			g.with(func() { g.hands.takes = time.Second })
			g.cut()
			time.Sleep(62 * time.Minute)
			g.start()
			time.Sleep(time.Minute)
		}, []string{"missed x9", "done", "done", "done"}},
		{"interrupted by a power cut", every5(protocol.Job{}), func(g *rig) {
			g.with(func() { g.hands.takes = time.Minute })
			time.Sleep(5*time.Minute + 30*time.Second)
			g.cut()
			g.start()
			time.Sleep(4*time.Minute + 20*time.Second)
		}, []string{"interrupted"}},
		{"interrupted by the agent's end", every5(protocol.Job{}), func(g *rig) {
			g.with(func() { g.hands.takes = time.Minute })
			time.Sleep(5*time.Minute + 30*time.Second)
			g.stop()
			g.start()
		}, []string{"interrupted"}},
		{"a removed job leaves nothing", every5(protocol.Job{}), func(g *rig) {
			g.with(func() { g.hands.takes = time.Minute })
			time.Sleep(5*time.Minute + 30*time.Second)
			g.put()
			if len(g.disk.runs) > 0 || len(g.disk.cursors) > 0 {
				g.t.Errorf("left: %v %v", g.disk.runs, g.disk.cursors)
			}
		}, []string{"cancelled"}},
		{"now, on a device that gets it later", protocol.Job{Schedule: protocol.JobSchedule{At: 1}, Missed: 1}, func(g *rig) { time.Sleep(time.Second) }, []string{"done"}},
		{"once, and not again", protocol.Job{Schedule: protocol.JobSchedule{At: 1}, Missed: 1}, func(g *rig) {
			time.Sleep(time.Second)
			g.cut()
			g.start()
			time.Sleep(time.Hour)
		}, []string{"done"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, job(1, c.spec))
				g.start()
				c.do(g)
				g.want(c.want...)
				g.stop()
			})
		})
	}
}

// A clock that jumps forward a year and back again does not stop a job, and no due time runs twice.
func TestAClockThatJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ahead time.Duration
		vouched := false
		g := newRig(t, job(1, every5(protocol.Job{})))
		g.clock = func() (time.Time, bool) { return time.Now().Round(0).Add(ahead), vouched }
		g.start()
		time.Sleep(12 * time.Minute) // 2 runs
		g.with(func() { ahead = 365 * 24 * time.Hour })
		time.Sleep(10 * time.Minute) // missed, and 2 runs a year on
		g.with(func() { ahead, vouched = 0, true })
		time.Sleep(10 * time.Minute)
		ran := map[int64]int{}
		done := 0
		for _, r := range g.disk.told() {
			if r.State == protocol.JobDone {
				ran[r.Due]++
				done++
			}
		}
		for due, n := range ran {
			if n != 1 {
				t.Errorf("%v ran %d times", time.Unix(due, 0), n)
			}
		}
		if done != 6 {
			t.Errorf("%d runs in 32 minutes, want 6: %v", done, g.states())
		}
		g.stop()
	})
}
