package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/stacks/rollout"
)

// planFlags say in which steps devices change.
type planFlags struct {
	plan                       rollout.Plan
	soak                       time.Duration
	batch, failures, onFailure string
	orderLabel                 string
}

// planNames are the flags of planFlags.
var planNames = [...]string{"batch", "double", "soak", "success", "failures", "on-failure", "per-group", "order-label"}

func (p *planFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&p.batch, "batch", "", "devices in a batch: a number, or a share such as 10% (default: all)")
	f.BoolVar(&p.plan.Doubling, "double", false, "each batch is twice as large as the one before")
	f.DurationVar(&p.soak, "soak", 0, "how long a batch is watched before the next one begins")
	f.Uint8Var(&p.plan.Success, "success", 0, "devices of a batch that must succeed, of a hundred (default: all but --failures)")
	f.StringVar(&p.failures, "failures", "", "devices of a batch that may fail: a number, or a share such as 5% (default: none)")
	f.StringVar(&p.onFailure, "on-failure", "", "when more fail: pause, continue, roll-back-batch or roll-back-all (default pause)")
	f.Uint32Var(&p.plan.PerGroup, "per-group", 0, "devices of one group that may be under way at once (default: any number)")
	f.StringVar(&p.orderLabel, "order-label", "", "label by which devices go, in batches of their own: a number, the lowest first")
}

// read gives the plan that the flags say.
func (p *planFlags) read(cmd *cobra.Command) (rollout.Plan, error) {
	out := p.plan
	if p.soak < 0 || p.soak > rollout.MaxSoak*time.Second {
		return out, usage(cmd, fmt.Errorf("--soak %s: want at most 30 days (720h), and no less than 0s", p.soak))
	}
	out.Soak, out.ByOrder = uint32(p.soak.Seconds()), p.orderLabel != ""
	for _, x := range []struct {
		flag, text string
		into       interface{ UnmarshalText([]byte) error }
	}{{"batch", p.batch, &out.Batch}, {"failures", p.failures, &out.Failures}, {"on-failure", p.onFailure, &out.OnFailure}} {
		if x.text == "" {
			continue
		}
		if err := x.into.UnmarshalText([]byte(x.text)); err != nil {
			return out, usage(cmd, fmt.Errorf("--%s: %w", x.flag, err))
		}
	}
	if p.batch != "" && out.Batch.IsZero() {
		return out, usage(cmd, fmt.Errorf("--batch %s: want a number from 1, or a share such as 10%%", p.batch))
	}
	return out, usage(cmd, out.Check())
}

// anyChanged reports whether one of the flags was given.
func anyChanged(cmd *cobra.Command, names ...string) bool {
	for _, name := range names {
		if cmd.Flags().Changed(name) {
			return true
		}
	}
	return false
}

// parseBegin reads --begin. "": the zero time.
func parseBegin(cmd *cobra.Command, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, usage(cmd, fmt.Errorf("--begin %q: want a time such as 2026-12-01T02:00:00Z", text))
	}
	return at, nil
}

// howFlags say how a version of a stack is rolled out.
type howFlags struct {
	planFlags
	orderValues            []string
	atOnce, replace, queue bool
	begin                  string
}

func (h *howFlags) flags(cmd *cobra.Command) {
	h.planFlags.flags(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&h.orderValues, "order-values", nil, "values of --order-label, those that go first in front, such as canary,early")
	f.BoolVar(&h.atOnce, "at-once", false, "all devices at once, in place of the plan that there is")
	f.BoolVar(&h.replace, "replace", false, "a rollout that is under way ends where it is")
	f.BoolVar(&h.queue, "queue", false, "wait for a rollout that is under way")
	f.StringVar(&h.begin, "begin", "", "when the first batch may start, RFC 3339 (default: now)")
	cmd.MarkFlagsMutuallyExclusive("replace", "queue")
	for _, name := range append(planNames[:], "order-values") {
		cmd.MarkFlagsMutuallyExclusive("at-once", name)
	}
}

// read gives what the flags say. A nil plan: they say nothing about it.
func (h *howFlags) read(cmd *cobra.Command) (how resource.How, plan *resource.RolloutPlan, err error) {
	if h.replace {
		how.During = "replace"
	} else if h.queue {
		how.During = "queue"
	}
	if how.Begin, err = parseBegin(cmd, h.begin); err != nil {
		return how, nil, err
	}
	if h.atOnce {
		return how, &resource.RolloutPlan{}, nil
	}
	if len(h.orderValues) > 0 && h.orderLabel == "" {
		return how, nil, usage(cmd, errors.New("--order-values needs --order-label: name the label that has them"))
	}
	if !anyChanged(cmd, planNames[:]...) {
		return how, nil, nil
	}
	p, err := h.planFlags.read(cmd)
	plan = &resource.RolloutPlan{Plan: p}
	if h.orderLabel != "" {
		plan.Order = &resource.RolloutOrder{Label: h.orderLabel, Values: h.orderValues}
	}
	return how, plan, err
}
