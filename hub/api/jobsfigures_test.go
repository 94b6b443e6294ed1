//go:build bench

package api_test

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/api"
	"github.com/farshore/farshore/hub/fleet"
	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
)

var (
	figuresOut = flag.String("out", "", "file whose section about the hub is written anew, in Markdown; empty: standard output")
	crowdJobs  = flag.Int("jobs", 1000, "how many jobs there are")
	crowdSize  = flag.Int("devices", 10_000, "how many devices there are")
)

const onTheHub = "## On the hub"

// jobFigures gathers rows.
type jobFigures struct {
	t    *testing.T
	rows strings.Builder
}

func (f *jobFigures) row(what, target, got string, good bool) {
	f.t.Helper()
	f.t.Logf("%s: %s", what, got)
	verdict := ""
	switch {
	case target == "":
	case good:
		verdict = "reached"
	default:
		verdict = "**missed**"
		f.t.Errorf("%s: %s, but the target is %s", what, got, target)
	}
	fmt.Fprintf(&f.rows, "| %s | %s | %s | %s |\n", what, target, got, verdict)
}

// TestJobFigures measures a hub with many jobs, devices and runs.
func TestJobFigures(t *testing.T) {
	w, f := newWorld(t), &jobFigures{t: t}
	devices := make([]fleet.Device, *crowdSize)
	for n := range devices {
		devices[n] = planted(n, fmt.Sprintf("country-%d/site-%d", n%20, n%400))
	}
	if err := w.Hub().Fleet.AddAll(devices); err != nil {
		t.Fatal(err)
	}
	before := living()
	ids := make([]uint64, *crowdJobs)
	began := time.Now()
	for n := range ids {
		rec, _, err := w.Hub().Jobs.Put(dispatch.Spec{
			Name: fmt.Sprintf("job-%04d", n), Script: fmt.Appendf(nil, "#!/bin/sh\nexec check %d\n", n), Zone: jobs.ZoneDevice,
			Job: protocol.Job{Schedule: protocol.JobSchedule{Cron: fmt.Sprintf("%d %d * * *", n%60, n/60%24), Jitter: 600}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ids[n] = rec.ID
	}
	t.Logf("%d jobs are put in %s", len(ids), time.Since(began))
	f.row(fmt.Sprintf("memory of %d jobs that all of %d devices have", len(ids), len(devices)), "", megabytes(living()-before), true)

	began = time.Now()
	if err := w.Hub().Jobs.DeviceChanged(devices[0].ID); err != nil {
		t.Fatal(err)
	}
	f.row("a device changes: its jobs are worked out", "", millis(time.Since(began)), true)
	began = time.Now()
	if got := w.Hub().Jobs.Desired(devices[1].ID); len(got) != len(ids) {
		t.Fatalf("a device has %d jobs", len(got))
	}
	f.row(fmt.Sprintf("what a device of %d jobs shall have", len(ids)), "", millis(time.Since(began)), true)

	began = time.Now()
	runs := plantRuns(w, ids, devices)
	f.row(fmt.Sprintf("%d runs are told by %d devices", runs, len(devices)), "", fmt.Sprintf("%.0f in a second", float64(runs)/time.Since(began).Seconds()), true)
	f.answers(w, ids, devices)

	w.StopHub()
	before = living()
	began = time.Now()
	w.StartHub()
	took := time.Since(began)
	f.row(fmt.Sprintf("the hub starts, with %d run records", runs), "≤ 10 s", fmt.Sprintf("%.1f s", took.Seconds()), took <= 10*time.Second)
	f.row("memory of it then", "", megabytes(living()-before), true)
	if kept, err := w.Hub().Jobs.Runs(dispatch.Filter{Job: "job-0000"}); err != nil || len(kept) != dispatch.DefaultLimit {
		t.Errorf("after the start %d runs, %v", len(kept), err)
	}
	f.write()
}

// plantRuns has each device tell of 50 runs of the first job, and of 50 others.
func plantRuns(w *world, ids []uint64, devices []fleet.Device) (total int) {
	now := time.Now().Unix()
	next := make(chan int)
	var wait sync.WaitGroup
	for range 256 { // so that they share transactions
		wait.Go(func() {
			for n := range next {
				for k := range 2 * dispatch.KeepRuns {
					job, due := ids[0], now-int64(2*dispatch.KeepRuns-k)*86400/2
					if k%2 == 1 {
						job = ids[(n*7+k*19)%len(ids)]
					}
					run := protocol.JobRun{
						ID: uint64(k + 1), Job: job, Version: 1, Due: due, State: protocol.JobDone, Started: due * 1000, Took: 1500,
						Stdout: &protocol.JobStream{Size: 900, Kept: 900},
					}
					if (n+k)%23 == 0 {
						run.State, run.Code = protocol.JobFailed, 1
					}
					if err := w.Hub().Jobs.Run(devices[n].ID, run); err != nil {
						w.t.Error(err)
					}
				}
			}
		})
	}
	for n := range devices {
		next <- n
	}
	close(next)
	wait.Wait()
	return len(devices) * 2 * dispatch.KeepRuns
}

// answers measures requests to the last byte of the answer.
func (f *jobFigures) answers(w *world, ids []uint64, devices []fleet.Device) {
	handler, err := api.New(w.config)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, path := range []string{
		"/jobs", "/jobs/job-0000", "/jobs/job-0000/devices", "/jobs/job-0000/devices?state=failed",
		"/jobs/job-0000/runs", "/jobs/job-0000/runs?state=failed", "/jobs/job-0000/runs?device=" + string(devices[7].ID),
		"/devices/" + string(devices[7].ID) + "/jobs",
	} {
		var took []time.Duration
		size := 0
		for range 40 {
			r := httptest.NewRequest(http.MethodGet, api.Base+path, nil)
			r.Header.Set("Authorization", "Bearer "+w.token)
			rec := httptest.NewRecorder()
			began := time.Now()
			handler.ServeHTTP(rec, r)
			took = append(took, time.Since(began))
			if size = rec.Body.Len(); rec.Code != http.StatusOK || size < 10 {
				f.t.Fatalf("%s: %d %.200s", path, rec.Code, rec.Body)
			}
		}
		slices.Sort(took)
		p95 := took[len(took)*95/100]
		shown := strings.ReplaceAll(path, string(devices[7].ID), "DEVICE")
		f.row(fmt.Sprintf("`GET %s`, %d kB, p95", shown, size/1000), "≤ 50 ms", millis(p95), p95 <= 50*time.Millisecond)
	}
}

func living() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func megabytes(n uint64) string { return fmt.Sprintf("%.0f MB", float64(n)/1e6) }

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

// write writes the section anew, and leaves what is above it.
func (f *jobFigures) write() {
	load, _ := os.ReadFile("/proc/loadavg")
	text := fmt.Sprintf(`%s

Made on %s with %s on %d × %s, load %s at the end. The real hub in one process with %d devices that need no agent, %d
jobs that all of them have, and the answers of its API from the request to the last byte. Of the first job each device has
told %d runs.

| what | target | measured | |
|---|---|---|---|
%s`, onTheHub, time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), runtime.GOARCH,
		strings.Fields(string(load) + " -")[0], *crowdSize, *crowdJobs, dispatch.KeepRuns, f.rows.String())
	if *figuresOut == "" {
		fmt.Print(text)
		return
	}
	raw, err := os.ReadFile(*figuresOut)
	if err != nil {
		f.t.Fatal(err)
	}
	above, _, _ := strings.Cut(string(raw), onTheHub)
	if err := os.WriteFile(*figuresOut, []byte(strings.TrimRight(above, "\n")+"\n\n"+text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}
