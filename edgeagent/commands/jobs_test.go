package commands_test

import (
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent/commands"
	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
)

// someJobs are job 9 with run 41, which goes on, and run 40, which is over.
type someJobs struct{ *fake }

func (j someJobs) RunNow(job uint64, id protocol.CommandID) (uint64, error) {
	if job != 9 {
		return 0, runner.ErrUnknown
	}
	j.note("run for command " + id.String())
	return 41, nil
}

func (j someJobs) Cancel(run uint64) (protocol.JobState, error) {
	switch run {
	case 40:
		return protocol.JobDone, nil
	case 41:
		j.note("cancel")
		return protocol.JobCancelled, nil
	}
	return 0, runner.ErrUnknown
}

func (j someJobs) CancelAll(job uint64) (int, error) {
	if job != 9 {
		return 0, runner.ErrUnknown
	}
	j.note("cancel all")
	return 2, nil
}

func (someJobs) Output(ask protocol.JobAsk) (uint64, error) { return 100 + uint64(ask.Max), nil }

func TestCommandsAboutJobs(t *testing.T) {
	device(t, func(r *rig) {
		r.stop()
		r.jobs = someJobs{r.fake}
		r.boot(r.store)
		list := []protocol.Command{
			{Kind: protocol.CommandJobRun, Job: &protocol.JobAsk{Job: 9}},
			{Kind: protocol.CommandJobRun, Job: &protocol.JobAsk{Job: 8}},
			{Kind: protocol.CommandJobCancel, Job: &protocol.JobAsk{Run: 41}},
			{Kind: protocol.CommandJobCancel, Job: &protocol.JobAsk{Run: 40}},
			{Kind: protocol.CommandJobCancel, Job: &protocol.JobAsk{Run: 7}},
			{Kind: protocol.CommandJobOutput, Job: &protocol.JobAsk{Run: 40, Max: 5}},
			{Kind: protocol.CommandJobOutput},
			{Kind: protocol.CommandJobCancel, Job: &protocol.JobAsk{Job: 9}},
		}
		r.give(list...)
		pass(time.Minute)
		const done, failed = protocol.CommandDone, protocol.CommandFailed
		r.expectStates(done, failed, done, done, failed, done, protocol.CommandRefused, done)
		r.expectTexts("run 41", "not on this device", "", "over before: done", "not on this device", "105 bytes", "names no job", "2 runs")
		r.expectCalls("run for command "+protocol.CommandID(1).String(), "cancel", "cancel all")
	})
}

// An agent without jobs says so.
func TestCommandsAboutJobsAreRefusedWhereThereAreNone(t *testing.T) {
	device(t, func(r *rig) {
		r.give(protocol.Command{Kind: protocol.CommandJobRun, Job: &protocol.JobAsk{Job: 9}})
		pass(time.Minute)
		r.expectStates(protocol.CommandRefused)
		r.expectTexts("runs no jobs")
	})
}

func (r *rig) expectTexts(want ...string) {
	r.t.Helper()
	res := r.results()
	for i, w := range want {
		if got := res[protocol.CommandID(i+1)].Text; !strings.Contains(got, w) {
			r.t.Errorf("command %d says %q, want %q", i+1, got, w)
		}
	}
}

var _ commands.Jobs = someJobs{}
