//go:build linux

package edgeagent_test

import (
	"bufio"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
)

// What an agent that was killed has left of its jobs, a running script among it, goes when the device is cleaned up.
func TestRemoveJobs(t *testing.T) {
	data := t.TempDir()
	cfg := edgeagent.Config{Data: data, EngineHost: "unix://" + filepath.Join(t.TempDir(), "none"), Log: slog.New(slog.DiscardHandler)}
	if done, err := edgeagent.RemoveJobs(t.Context(), cfg); err != nil || done != "" {
		t.Errorf("where there are none: %q, %v", done, err)
	}
	s, err := state.OpenDisk(data)
	if err != nil {
		t.Fatal(err)
	}
	script := []byte("#!/bin/sh\n")
	hash := protocol.HashOf(script)
	desired := []protocol.Entry{{
		EntryKey: protocol.EntryKey{Kind: protocol.EntryJob, ID: 3}, Version: 1, Name: "nightly", Job: &protocol.Job{Schedule: protocol.JobSchedule{Cron: "0 2 * * *", Zone: "UTC"}},
		Files: []protocol.File{{Path: protocol.JobScript, Hash: hash, Size: int64(len(script)), Mode: 0o700}},
	}}
	mark := s.Orders().Mark
	mark.Seq++
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.PutBlob(hash, script))
	must(s.AcceptOrders(state.Accept{Mark: mark, Desired: &desired}))
	must(s.PutJobs(runner.Change{
		Cursors: []runner.Cursor{{Job: 3, Schedule: desired[0].Job.Schedule}},
		Runs: []runner.Run{
			{JobRun: protocol.JobRun{ID: 1, Job: 3, Version: 1, State: protocol.JobDone}, Stage: runner.Over},
			{JobRun: protocol.JobRun{ID: 2, Job: 3, Version: 1, State: protocol.JobRunning}, Stage: runner.Started},
		},
	}))
	device := string(s.Identity().ID)
	must(s.Close())
	for _, path := range []string{"runs/2/work", "outputs"} {
		must(os.MkdirAll(filepath.Join(data, path), 0o700))
	}
	must(os.WriteFile(filepath.Join(data, "outputs", "1.0"), []byte("x"), 0o600))
	left := exec.Command("/bin/sh", "-c", "echo ready; read forever")
	left.Env = []string{"FARSHORE_RUN=2", "FARSHORE_DEVICE=" + device}
	hold, err := left.StdinPipe()
	must(err)
	defer hold.Close()
	out, err := left.StdoutPipe()
	must(err)
	must(left.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatal(line, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- left.Wait() }()

	done, err := edgeagent.RemoveJobs(t.Context(), cfg)
	if err != nil || !strings.Contains(done, "jobs: 1, runs: 2, containers: 0") {
		t.Errorf("%q, %v", done, err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "signal") {
		t.Errorf("the script that was left ended with %v", err)
	}
	for _, name := range []string{"runs", "outputs"} {
		if _, err := os.Stat(filepath.Join(data, name)); !os.IsNotExist(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, err = state.OpenDisk(data)
	must(err)
	defer s.Close()
	if book := s.Jobs(); len(book.Cursors)+len(book.Runs)+len(s.Desired()) > 0 || s.HasBlob(hash) {
		t.Errorf("left: %+v, %v, script %t", book, s.Desired(), s.HasBlob(hash))
	}
}
