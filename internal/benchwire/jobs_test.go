//go:build bench && linux

package benchwire

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/hub/commands"
	"github.com/farshore/farshore/internal/fleettest/fakeengine"
	"github.com/farshore/farshore/internal/wirelab"
	"github.com/farshore/farshore/protocol"
)

// nightRuns is how many runs are measured, a minute apart; the largest counts.
const nightRuns = 3

// TestJobs measures what the runs of a job cost, and writes it down.
func TestJobs(t *testing.T) {
	r := &report{load: load()}
	nightRows(t, r)
	if *out == "" {
		return
	}
	var b strings.Builder
	b.WriteString("# Jobs\n\nMade by `scripts/bench.sh jobs`; do not edit. How each is measured is in [README.md](README.md).\n\n")
	r.made(&b)
	b.WriteString("*Wire* is IP packets in both directions, headers included; *frame* is what the carrier is handed.\n\n")
	table(&b, r.rows)
	b.WriteString("\n" + r.details.String())
	if err := os.WriteFile(*out, []byte(strings.TrimRight(b.String(), "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// nightRows measures a device that says nothing but what came of a job, which succeeds each time.
func nightRows(t *testing.T, r *report) {
	s := newSite(t)
	jobs := &fakeengine.Jobs{Seed: 40}
	d := s.device(t, deviceSpec{seed: 40, carrier: protocol.CarrierMQTT, containers: 5, settings: protocol.Settings{Ping: protocol.FrequencyOff, Snapshot: 2, Command: 1}})
	d.stop()
	d.state = d.state.Reboot()
	d.cfg.HostJobs = jobs
	d.start(t)
	t.Cleanup(func() { d.stop() })
	d.settled(t, 5)
	s.Wire.Quiet(t, 3*time.Second)
	d.order(t, protocol.Job{Schedule: protocol.JobSchedule{Cron: "* * * * *", Zone: "Europe/Oslo"}})

	var night wirelab.Traffic
	most := 0
	var ups, downs []int
	for n := range nightRuns + 1 { // the first is not counted: the command that woke the agent may still be told of
		mark := s.Wire.Mark()
		s.until(t, "the job runs", 70*time.Second, func() bool { return len(jobs.Begun()) == n+1 })
		s.until(t, "the run is reported", time.Minute, func() bool {
			items, _ := d.state.Pending()
			runs := d.state.Jobs().Runs
			return items == 0 && len(runs) == n+1 && runs[n].State == protocol.JobDone
		})
		s.Wire.Quiet(t, 3*time.Second)
		tr := s.Wire.Since(mark).On(d.last())
		up, down := frames(tr)
		if total := sum(up) + sum(down); n > 0 && total > most {
			night, most, ups, downs = tr, total, up, down
		}
	}
	r.add(t, row{
		what: "a nightly job that succeeds, output policy `on-failure`: one night", where: "frame", target: "≤ 120 B", got: fmt.Sprintf("%d B", most), verdict: atMost(most, 120),
		how: fmt.Sprintf("the largest of %d runs of a job that runs each minute, so that nobody waits for nights; frames up %v, down %v: the run with version, times and size of its output, and acknowledgements. "+
			"Of a device that has run thousands of jobs the run is up to 6 B longer", nightRuns, ups, downs),
	})
	r.add(t, row{what: "the same", where: "wire", got: fmt.Sprintf("%d B", night.Bytes()), how: "all packets; a night's report that goes with a ping or snapshot shares them"})
	r.detail("One night", night.String())
}

// order gives the device a job as its hub would, and wakes its agent by a command.
func (d *device) order(t *testing.T, job protocol.Job) {
	t.Helper()
	script := []byte("#!/bin/sh\n#: takes 12s\n#: exits 0\n#: says 2000\n")
	hash := protocol.HashOf(script)
	if err := d.state.PutBlob(hash, script); err != nil {
		t.Fatal(err)
	}
	mark := d.state.Orders().Mark
	mark.Seq++ // older than anything that the hub will order
	set := []protocol.Entry{{
		EntryKey: protocol.EntryKey{Kind: protocol.EntryJob, ID: 4711}, Version: 12, Name: "nightly", Job: &job,
		Files: []protocol.File{{Path: protocol.JobScript, Hash: hash, Size: int64(len(script)), Mode: 0o700}},
	}}
	if err := d.state.AcceptOrders(state.Accept{Mark: mark, Desired: &set}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.site.hub.Services().Commands.Give(commands.Spec{Device: d.id, Command: protocol.Command{Kind: protocol.CommandSnapshot}, By: "bench"}); err != nil {
		t.Fatal(err)
	}
}
