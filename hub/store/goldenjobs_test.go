package store

import (
	"testing"

	"github.com/farshore/farshore/jobs"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
)

func TestStoredJobsAreReadForEver(t *testing.T) {
	const dev = "qz3x4y5w6v7u2t3s"
	golden(t, jobAt(7), "job", jobs.Job{
		ID: 7, Name: "nightly", Reach: jobs.Reach{
			Group: "norway", Selector: "site=oslo", Include: []uint64{1}, Exclude: []uint64{2}, Devices: []protocol.DeviceID{dev},
		},
		Owner: protocol.Owner{Visibility: protocol.ForTeam, Team: "oslo"}, Latest: 3, OneShot: true, Created: 1_760_000_000,
		Updated: 1_760_000_001, Paused: true,
	})
	golden(t, jobVersionAt(7, 3), "job-version", jobs.Version{
		Job: 7, Number: 3, Script: protocol.File{Path: protocol.JobScript, Hash: protocol.Hash{1, 31: 2}, Size: 99, Mode: 0o700},
		Spec: protocol.Job{
			Schedule: protocol.JobSchedule{Cron: "0 2 * * *", Jitter: 600, Start: 1_760_000_000, End: 1_770_000_000},
			Container: &protocol.JobContainer{
				Image: "acme/pump:2", Pull: protocol.PullAlways, Mounts: []protocol.JobMount{{Source: "/etc", Target: "/host", ReadOnly: true}},
				Network: "none", CPUs: 500, Memory: 64 << 20,
			},
			Args: []string{"-v"}, Dir: "/srv", User: "nobody", Timeout: 60, Retries: 2, RetryDelay: 30, Overlap: protocol.OverlapKill, Missed: 1,
			Output: protocol.OutputAlways, OutputCap: 4096,
		},
		Zone: jobs.ZoneDevice, SealedEnv: []byte("sealed"), Secret: []string{"TOKEN"}, Author: "anna", Message: "first", Created: 1_760_000_002, Exempt: true,
	})
	golden(t, jobRunAt(dispatch.RunKey{Job: 7, Device: dev, Run: 41}), "job-run", jobs.RunRecord{
		JobRun: protocol.JobRun{
			ID: 41, Job: 7, Version: 3, Due: 1_760_000_100, State: protocol.JobFailed, Attempt: 2, Code: 3, Signal: "SIGKILL", Started: 1_760_000_101_000,
			Took: 1500, Text: "disk full", Stdout: &protocol.JobStream{Size: 9000, Kept: 9000, Follow: 4096}, Stderr: &protocol.JobStream{Size: 12, Kept: 12},
			Command: 77, Until: 1_760_000_200, Count: 3, Clock: true,
		},
		Device: dev, Told: 1_760_000_300, Stdout: jobs.Have{From: 4904, To: 9000}, Stderr: jobs.Have{To: 12, Lost: true}, By: "anna", OutputAttempt: 2,
	})
	golden(t, jobOutputAt(dispatch.RunKey{Job: 7, Device: dev, Run: 41}), "job-output", []byte("no space left on device\n"))
	golden(t, jobStreamAt(dispatch.RunKey{Job: 7, Device: dev, Run: 41}, 1), "job-output", []byte("no space left on device\n"))
}
