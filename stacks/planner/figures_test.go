//go:build bench

package planner_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/stacks/rollout"
)

var out = flag.String("out", "", "file for the figures, in Markdown; empty: standard output")

const crowd = 5000 // devices

// TestFigures measures what stacks and rollouts cost a hub with thousands of devices, on a real store on disk.
func TestFigures(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, `# Stacks and rollouts of %d devices

Made by %s on %s, %d × %s, load LOAD at the end: the machine was busy with other
things, so times are upper bounds. The planner is measured with the real store on this machine's disk, every write
durable; devices are those of the test, which say what agents say. Bytes are those that the process wrote.

| what | target | figure |
|---|---|---|
`, crowd, "`scripts/bench.sh stacks`", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOARCH)
	figures := &figures{t: t, rows: &b}
	figures.plan()
	figures.statuses()
	figures.many()
	load, _ := os.ReadFile("/proc/loadavg")
	text := strings.Replace(b.String(), "LOAD", strings.Join(strings.Fields(string(load))[:1], ""), 1)
	if *out == "" {
		fmt.Print(text)
	} else if err := os.WriteFile(*out, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

type figures struct {
	t    *testing.T
	rows *strings.Builder
}

func (f *figures) row(what, target, format string, args ...any) {
	fmt.Fprintf(f.rows, "| %s | %s | %s |\n", what, target, fmt.Sprintf(format, args...))
}

// within is a row with a time, and fails when that is over the target.
func (f *figures) within(what string, target, took time.Duration) {
	f.row(what, fmt.Sprintf("≤ %s", target), "%s", round(took))
	if took > target {
		f.t.Errorf("%s took %s", what, took)
	}
}

func round(d time.Duration) time.Duration {
	switch {
	case d > 100*time.Millisecond:
		return d.Round(10 * time.Millisecond)
	case d > time.Millisecond:
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(100 * time.Nanosecond)
}

// fleet starts a hub with n devices, a tenth of them canaries.
func (f *figures) fleet(n int) (*hub, []*device) {
	labels := map[protocol.DeviceID]map[string]string{}
	var devices []*device
	for i := range n {
		id := protocol.DeviceID(fmt.Sprintf("device%010d", i))
		labels[id] = map[string]string{"group": fmt.Sprintf("site%d", i%50)}
		if i%10 == 0 {
			labels[id]["ring"] = "canary"
		}
		devices = append(devices, newDevice(id))
	}
	return start(f.t, labels), devices
}

// each does something with every device, many at a time, each device in order, as sessions do.
func each(devices []*device, do func(*device)) time.Duration {
	began := time.Now()
	var wait sync.WaitGroup
	for part := range slices.Chunk(devices, max(1, len(devices)/500)) {
		wait.Go(func() {
			for _, d := range part {
				do(d)
			}
		})
	}
	wait.Wait()
	return time.Since(began)
}

func composeOf(i int) planner.ApplySpec {
	spec := planner.ApplySpec{Name: "web", Files: bundle(fmt.Sprintf("services:\n  web:\n    image: acme/web:%d\n", i)), Author: "ada"}
	return spec
}

func timed(do func()) time.Duration {
	began := time.Now()
	do()
	return time.Since(began)
}

func (f *figures) plan() {
	h, devices := f.fleet(crowd)
	orders := func() time.Duration { return each(devices, func(d *device) { d.accept(h.Desired(d.id)) }) }
	f.row("a stack that is new is stored, for all", "", "%s", round(timed(func() { h.apply(composeOf(1)) })))
	f.row("all are told of it: each is on record before, durably", "", "%s", round(orders()))
	apply := timed(func() { h.apply(composeOf(2)) })
	told := orders()
	f.within("a new version for all at once: stored, planned, and every device's desired set worked out", 5*time.Second, apply+told)
	f.row("… of that, storing and planning", "", "%s", round(apply))
	each(devices, func(d *device) { d.work(running); d.report(h, func() bool { return false }) })
	spec := composeOf(3)
	spec.Manner = &planner.Manner{Plan: rollout.Plan{Batch: rollout.Amount{Percent: 10}, PerGroup: 200, Soak: 60}}
	now := time.Now()
	apply = timed(func() { h.apply(spec) })
	first := timed(func() { h.Look(now) })
	f.within("a new version by a plan: stored and planned, its first batch of 500 begun", 5*time.Second, apply+first)
	f.row("… of that, beginning the batch: 500 grants and the state of 5,000 devices, durably", "", "%s", round(first))
	f.row("a look at that rollout when nothing has happened", "", "%s", round(timed(func() { h.Look(now.Add(time.Second)) })))
	orders()
	wrote := written()
	folded := each(devices, func(d *device) { d.work(running); d.report(h, func() bool { return false }) })
	look := timed(func() { h.Look(now.Add(2 * time.Second)) })
	f.row("a look that finds that 500 have succeeded", "", "%s, %d kB written with the 500 statuses, which took %s", round(look), (written()-wrote)/1000, round(folded))
}

// statuses measures what devices say on their way to a new version: fetching, applying, being watched, running.
func (f *figures) statuses() {
	words := []protocol.StackState{protocol.StackFetching, protocol.StackApplying, protocol.StackVerify, protocol.StackRunning}
	var one time.Duration
	for _, n := range []int{100, 1000, crowd} {
		h, devices := f.fleet(n)
		h.apply(composeOf(1))
		each(devices, func(d *device) { d.accept(h.Desired(d.id)) })
		say := func(d *device) {
			for _, s := range words {
				d.say(d.set[0].ID, s, d.set[0])
				d.report(h, func() bool { return false })
			}
		}
		wrote := written()
		lone := timed(func() {
			for _, d := range devices[:100] {
				d.say(d.set[0].ID, protocol.StackFetching, d.set[0])
				d.report(h, func() bool { return false })
			}
		}) / 100
		if one == 0 {
			one = lone
		}
		f.row(fmt.Sprintf("one status, alone, of one of %d devices", n), "the same with any number", "%s, %.2f × that of 100; %.1f kB written", round(lone),
			float64(lone)/float64(one), float64(written()-wrote)/100/1000)
		if n < crowd {
			continue
		}
		wrote = written()
		all := each(devices, say)
		f.within(fmt.Sprintf("all statuses folded: %d devices, four each, many at a time", n), 10*time.Second, all)
		f.row("… each, of those", "", "%s, %.2f kB written", round(all/time.Duration(4*n)), float64(written()-wrote)/float64(4*n)/1000)
		f.watched(h, devices, say)
	}
}

// watched measures the same while a rollout watches them, and its state is kept.
func (f *figures) watched(h *hub, devices []*device, say func(*device)) {
	spec := composeOf(2)
	spec.Manner = &planner.Manner{Plan: rollout.Plan{Soak: 1}}
	h.apply(spec)
	h.Look(time.Now())
	each(devices, func(d *device) { d.accept(h.Desired(d.id)) })
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	wrote := written()
	f.within("the same while a rollout watches all of them, a look each second", 10*time.Second, each(devices, say))
	f.row("… each, of those", "", "%.2f kB written", float64(written()-wrote)/float64(4*len(devices))/1000)
	cancel()
	h.must(<-done)
}

// many measures a hub with many stacks.
func (f *figures) many() {
	h, devices := f.fleet(crowd)
	heap := heapInUse()
	const few, lots = 10, 50
	for i := range lots {
		spec := composeOf(1)
		spec.Name = fmt.Sprintf("stack%d", i)
		h.apply(spec)
		if i == few-1 {
			each(devices, func(d *device) { d.accept(h.Desired(d.id)); d.work(running); d.report(h, func() bool { return false }) })
			f.row(fmt.Sprintf("memory of %d stacks on %d devices, all running", few, crowd), "", "%.0f MB, %.0f B for each", float64(heapInUse()-heap)/1e6,
				float64(heapInUse()-heap)/few/crowd)
			f.row(fmt.Sprintf("the hub starts with %d stacks on %d devices", few, crowd), "", "%s", round(timed(h.restart)))
		}
	}
	f.row(fmt.Sprintf("the list of %d stacks with the counts of %d devices", lots, crowd), "", "%s", round(timed(func() { h.List() })))
	f.row("one stack with its counts", "", "%s", round(timed(func() { _, _ = h.Get("stack7") })))
	f.row(fmt.Sprintf("its %d devices, one by one", crowd), "", "%s", round(timed(func() { _, _ = h.Statuses("stack7") })))
	f.row(fmt.Sprintf("a device with %d stacks has another label", lots), "", "%s", round(timed(func() { h.must(h.DeviceChanged(devices[0].id)) })))
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// written is how many bytes this process has handed to the system to write.
func written() (n int64) {
	text, _ := os.ReadFile("/proc/self/io")
	for line := range strings.Lines(string(text)) {
		_, _ = fmt.Sscanf(line, "wchar: %d", &n)
	}
	return n
}
