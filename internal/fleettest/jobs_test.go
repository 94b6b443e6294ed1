package fleettest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/hub/policy"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

// order gives a device its desired set, as its hub would, with the scripts of its jobs.
func (d *Device) order(scripts map[protocol.Hash][]byte, set ...protocol.Entry) {
	d.fleet.t.Helper()
	mark := d.State.Orders().Mark
	mark.Seq++
	for hash, script := range scripts {
		if err := d.State.PutBlob(hash, script); err != nil {
			d.fleet.t.Fatal(err)
		}
	}
	if err := d.State.AcceptOrders(state.Accept{Mark: mark, Desired: &set}); err != nil {
		d.fleet.t.Fatal(err)
	}
	d.Reboot() // nobody has told the agent
}

// jobEntry is a job with a script of these lines.
func jobEntry(id, version uint64, job protocol.Job, lines ...string) (protocol.Entry, map[protocol.Hash][]byte) {
	script := []byte("#!/bin/sh\n" + strings.Join(lines, "\n") + "\n")
	hash := protocol.HashOf(script)
	return protocol.Entry{
		EntryKey: protocol.EntryKey{Kind: protocol.EntryJob, ID: id}, Version: version, Name: fmt.Sprintf("job-%d", id), Job: &job,
		Files: []protocol.File{{Path: protocol.JobScript, Hash: hash, Size: int64(len(script)), Mode: 0o700}},
	}, map[protocol.Hash][]byte{hash: script}
}

// told is what waits in the device's outbox about runs: the last word on each, and bytes of output by run.
func (d *Device) told() (runs []protocol.JobRun, output map[uint64]int) {
	d.fleet.t.Helper()
	output = map[uint64]int{}
	for _, it := range d.State.Outbox(1 << 30) {
		var err error
		switch it.Kind {
		case protocol.KindJobRun:
			var r protocol.JobRun
			err = protocol.Unmarshal(it.Body, &r)
			runs = append(runs, r)
		case protocol.KindJobOutput:
			var p protocol.JobOutput
			err = protocol.Unmarshal(it.Body, &p)
			output[p.Run] += len(p.Data)
		}
		if err != nil {
			d.fleet.t.Fatal(err)
		}
	}
	return runs, output
}

// For two days without its hub a device runs its jobs, while it is switched off, restarted and loses its power. Each time
// at which a job was due is accounted for once, nothing was begun twice, and all of it reaches the hub, which then has
// taken the jobs away: nothing of them is left.
func TestJobsWithoutTheHub(t *testing.T) {
	for seed := range uint64(seeds) {
		sea(t, func(t *testing.T, f *Fleet, carrier protocol.Carrier) {
			d := f.Device(DeviceSpec{Seed: 1 + seed, Carrier: carrier, Mode: protocol.ModeStandard, Containers: 1})
			f.Settle(10 * time.Minute)
			d.Disconnect()
			often, a := jobEntry(9, 1, protocol.Job{Schedule: protocol.JobSchedule{Cron: "*/15 * * * *", Zone: "UTC"}}, "#: takes 4m", "#: exits 0")
			fails, b := jobEntry(10, 1, protocol.Job{Schedule: protocol.JobSchedule{Cron: "30 * * * *", Zone: "UTC"}, Missed: 2}, "#: exits 3", "#: says 1000")
			once, c := jobEntry(11, 1, protocol.Job{Schedule: protocol.JobSchedule{At: time.Now().Unix()}, Missed: 1, Output: protocol.OutputAlways}, "#: takes 2s")
			scripts := map[protocol.Hash][]byte{}
			for _, more := range []map[protocol.Hash][]byte{a, b, c} {
				for hash, script := range more {
					scripts[hash] = script
				}
			}
			began := time.Now()
			d.order(scripts, often, fails, once)
			time.Sleep(time.Minute)

			rng := rand.New(rand.NewPCG(seed, 11))
			for time.Since(began) < 48*time.Hour {
				time.Sleep(time.Duration(rng.Int64N(int64(3 * time.Hour))))
				switch rng.IntN(3) {
				case 0:
					d.Reboot()
				case 1:
					d.PowerCut()
					time.Sleep(time.Duration(rng.Int64N(int64(90 * time.Minute))))
					d.Link = f.Network.NewLink()
					d.Disconnect()
					d.Start()
				case 2:
					d.Stop()
					time.Sleep(time.Duration(rng.Int64N(int64(3 * time.Hour))))
					d.PowerOn()
				}
			}
			time.Sleep(10*time.Minute - time.Duration(time.Now().UnixNano())%(5*time.Minute))
			ended := time.Now()

			runs, output := d.told()
			first := map[uint64]int{}
			for _, b := range d.Jobs.Begun() {
				if b.Number == 1 {
					first[b.Run]++
				}
				if first[b.Run] > 1 {
					t.Errorf("run %d was begun twice", b.Run)
				}
			}
			if len(first) < 50 {
				t.Errorf("only %d runs were begun in two days", len(first))
			}
			accounted := map[uint64]map[int64]int{9: {}, 10: {}, 11: {}}
			step := map[uint64]int64{9: 900, 10: 3600}
			for _, r := range runs {
				if began := first[r.ID] > 0; began != (r.Started != 0) && r.State != protocol.JobInterrupted {
					t.Errorf("run %d is told as %s, begun: %t", r.ID, r.State, began)
				}
				last, n := max(r.Due, r.Until), uint64(0)
				for due := r.Due; due <= last; due += max(step[r.Job], 1) {
					accounted[r.Job][due]++
					n++
				}
				if n != max(r.Count, 1) {
					t.Errorf("run %d stands for %d, from %d to %d there are %d", r.ID, r.Count, r.Due, r.Until, n)
				}
				if want := r.Job == 10 && r.State == protocol.JobFailed || r.Job == 11 && r.State == protocol.JobDone; want != (output[r.ID] > 0) && r.State != protocol.JobInterrupted {
					t.Errorf("run %d of job %d ended as %s, and %d bytes of its output follow", r.ID, r.Job, r.State, output[r.ID])
				}
			}
			for job, every := range step {
				for due := began.Unix() + 1; due <= ended.Add(-5*time.Minute).Unix(); due++ {
					if (due-step[job]/2*int64(job-9))%every == 0 && accounted[job][due] != 1 {
						t.Errorf("job %d was due at %s, which is accounted for %d times", job, time.Unix(due, 0).UTC(), accounted[job][due])
					}
				}
			}
			if len(accounted[11]) != 1 {
				t.Errorf("what was to run once is told %d times", len(accounted[11]))
			}

			d.Reconnect()
			f.Settle(time.Hour) // the hub wants no jobs
			book := d.State.Jobs()
			if n := d.Jobs.Live(); n+len(book.Cursors)+len(book.Runs) > 0 {
				t.Errorf("%d runs are alive, in the journal are %d jobs and %d runs of jobs that were removed", n, len(book.Cursors), len(book.Runs))
			}
			for hash := range scripts {
				if d.State.HasBlob(hash) {
					t.Error("the script of a job that was removed is still there")
				}
			}
			for id := range first {
				if out, _ := d.Outputs.Sizes(id); out.Size > 0 {
					t.Errorf("output of run %d of a job that was removed is still there", id)
				}
			}
		})
	}
}

// A policy that comes to forbid scripts on the host takes their jobs from devices at once, and gives them back when it goes.
func TestAPolicyTakesJobsFromDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(t)
		d := f.Device(DeviceSpec{Seed: 1, Mode: protocol.ModeStandard})
		if _, _, err := f.Hub().Jobs.Put(dispatch.Spec{
			Name: "nightly", Script: []byte("#!/bin/sh\n"), Job: protocol.Job{Schedule: protocol.JobSchedule{Cron: "0 2 * * *"}},
		}); err != nil {
			t.Fatal(err)
		}
		f.Settle(10 * time.Minute)
		for _, p := range []policy.Policy{{Forbid: []stacks.Rule{stacks.RuleHostScripts}}, {}} {
			if err := f.Hub().API.Policies.Put(p, nil); err != nil {
				t.Fatal(err)
			}
			want := 1 - len(p.Forbid)
			f.Until(fmt.Sprintf("the device has %d jobs", want), time.Minute, func() bool { return len(d.State.Jobs().Cursors) == want })
		}
	})
}

// A device with a job of which nothing is due says nothing and writes nothing because of it.
func TestJobsThatAreNotDueCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(t)
		d := f.Device(DeviceSpec{Seed: 1, Mode: protocol.ModeStandard})
		f.Settle(10 * time.Minute)
		d.Disconnect()
		e, script := jobEntry(9, 1, protocol.Job{Schedule: protocol.JobSchedule{Cron: "0 0 1 1 *", Zone: "UTC"}})
		d.order(script, e)
		time.Sleep(time.Minute)
		before, _ := d.State.Pending()
		book := fmt.Sprint(d.State.Jobs())
		time.Sleep(24 * time.Hour)
		if after, _ := d.State.Pending(); after != before || fmt.Sprint(d.State.Jobs()) != book || len(d.Jobs.Begun()) > 0 {
			t.Errorf("%d items wait for the hub, before %d; the journal was %s, is %+v", after, before, book, d.State.Jobs())
		}
	})
}
