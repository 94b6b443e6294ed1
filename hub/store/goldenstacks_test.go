package store

import (
	"testing"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/planner"
	"github.com/farshore/farshore/stacks/rollout"
)

func TestStoredRolloutsAreReadForEver(t *testing.T) {
	const dev = "qz3x4y5w6v7u2t3s"
	windows := []protocol.ChangeWindow{{Start: "0 2 * * 6", Minutes: 120, Zone: "Europe/Oslo"}}
	golden(t, stackAt(7), "stack-targeted", stacks.Stack{
		ID: 7, Name: "pump", Selector: "site=oslo", Latest: 3, Nonce: 64, RemoveVolumes: true, Removed: 1_760_000_003, RemovedBy: "bo",
		Created: 1_760_000_000, Updated: 1_760_000_001, Group: "norway", Owner: protocol.Owner{Visibility: protocol.ForTeam, Team: "oslo"},
		Include: []uint64{1, 2}, Exclude: []uint64{3}, Current: 2, Rollouts: 4, Settled: 3,
		Change: stacks.ChangeRule{Windows: windows, Approve: true, FetchLate: true},
	})
	golden(t, versionAt(7, 3), "stack-version-judged", stacks.Version{
		Stack: 7, Number: 3, Files: []protocol.File{{Path: "compose.yml", Hash: protocol.Hash{1, 31: 2}, Size: 4096, Mode: 0o600}},
		SealedEnv: []byte("sealed"), Pull: protocol.PullAlways, Mentions: []string{"FARSHORE_DEVICE_NAME", "PORT"}, Author: "anna",
		Message: "new valve", Created: 1_760_000_002, Exempt: true, Secret: []string{"TOKEN"},
		Asks:   []stacks.Asks{{Service: "web", Image: "acme/pump:2", Wants: []stacks.Want{{Rule: stacks.RuleBindMounts, What: "/etc"}}}},
		Health: stacks.Health{Watch: 60, Retries: 2, Stay: true}, Source: "git 1a2b3c main",
		Takes:   []stacks.Take{{Service: "web", Port: 8000, Last: 8003, Protocol: "tcp", Address: "127.0.0.1"}, {Service: "web", Container: "pump"}},
		Varying: []string{"PORT"}, Images: []string{"acme/pump:2"},
	})
	golden(t, stackDeviceAt(7, dev), "stack-device-held", stacks.DeviceRecord{
		Stack: 7, Device: dev, First: 2, Status: protocol.StackStatus{
			Stack: 7, Version: 3, State: protocol.StackRolledBack, Rev: 9, Code: "unhealthy", Detail: "web is unhealthy", Running: 2,
			At: 1_760_000_004, Nonce: 64, Hold: protocol.HoldKept, HeldBy: "kari",
		},
	})
	golden(t, mannerAt(7), "stack-manner", planner.Manner{
		Stack: 7, Plan: rollout.Plan{Batch: rollout.Amount{Percent: 10}, Doubling: true, ByOrder: true, Soak: 600, OnFailure: rollout.RollBackAll, PerGroup: 2},
		Order: planner.Order{Label: "ring", Values: []string{"canary", "rest"}},
	})
	golden(t, rolloutAt(7, 4), "stack-rollout", planner.Rollout{
		Stack: 7, Number: 4, Version: 3, Force: true, Plan: rollout.Plan{Batch: rollout.Amount{Count: 5}, Success: 90, Failures: rollout.Amount{Count: 1}},
		Order: planner.Order{Label: "ring"}, By: "anna", Message: "now", Created: 1_760_000_002, Begun: 1_760_000_003, Ended: 1_760_000_009,
		Approved: 1_760_000_004, ApprovedBy: "bo", Approve: true, Tries: 1,
		State: rollout.State{
			Plan: rollout.Plan{Batch: rollout.Amount{Count: 5}}, Phase: rollout.Soaking, Begin: 1_760_000_003, Reason: "why", Batch: 2, SoakUntil: 1_760_000_008,
			Waived: 1, Skipped: true, Floor: 1, Held: 2, Undo: rollout.RollBackBatch, Resume: rollout.Running,
			Devices: map[protocol.DeviceID]rollout.Device{dev: {Status: rollout.StatusFailed, Batch: 1, Attempt: 2, Code: "unhealthy"}},
		},
	})
	golden(t, stackGrantAt(7, dev), "stack-grant", stacks.Grant{
		Stack: 7, Device: dev, Rollout: 4, Attempt: 2, Version: 3, Nonce: 258, Before: stacks.None, BeforeNonce: 64,
	})
}
