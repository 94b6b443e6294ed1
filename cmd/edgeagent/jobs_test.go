package main

import (
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
)

func TestPrintJobs(t *testing.T) {
	var out strings.Builder
	next := time.Date(2026, 12, 1, 2, 0, 0, 0, time.Local)
	err := printJobs(&out, []runner.Local{
		{
			Name: "nightly", Version: 3, Next: []time.Time{next}, Waiting: 2, Active: &protocol.JobRun{ID: 43},
			Runs: []protocol.JobRun{{ID: 42, State: protocol.JobFailed, Code: 7, Started: 1, Took: 1500, Due: next.Add(-24 * time.Hour).Unix(), Text: "a\nb"}},
		},
		{Name: "never", Version: 1, Problem: "cron: 61 is no minute"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"nightly", "2026-12-01 02:00", "run 43, 2 wait", "42", "2026-11-30 02:00", "failed with code 7", "1.5s", "a…", "cron: 61 is no minute"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := printJobs(&out, nil); err != nil || !strings.Contains(out.String(), "no jobs") {
		t.Errorf("%q, %v", out.String(), err)
	}
}
