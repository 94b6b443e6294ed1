package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/stacks"
)

// ruleFlags say when devices may change, and when a version counts as good. What is not given stays as it is.
type ruleFlags struct {
	windows            []string
	zone               string
	approve, fetchLate bool
	watch              time.Duration
	retries            uint32
	stay               bool
}

func (r *ruleFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&r.windows, "window", nil, "when devices may change: five fields of cron, and how long, such as '0 2 * * 6,7 for 2h'; may be repeated; none: at any time")
	f.StringVar(&r.zone, "zone", "", "time zone of the windows (default: that of the device's label timezone, such as Europe.Oslo, else UTC)")
	f.BoolVar(&r.approve, "approve", false, "devices fetch a version, and apply it when somebody approves the rollout")
	f.BoolVar(&r.fetchLate, "fetch-late", false, "files and images are fetched in the change window only")
	f.DurationVar(&r.watch, "watch", 0, "for how long a version is watched on a device before it counts as good")
	f.Uint32Var(&r.retries, "retries", 0, "how often a device tries again (default 5)")
	f.BoolVar(&r.stay, "stay", false, "a version that fails stays as it is; else the last good one is brought back")
}

// put adds what the flags say to what is applied.
func (r *ruleFlags) put(cmd *cobra.Command, now func(context.Context) (resource.Stack, error), apply *resource.Apply) error {
	changes, judges := anyChanged(cmd, "window", "zone", "approve", "fetch-late"), anyChanged(cmd, "watch", "retries", "stay")
	if !changes && !judges {
		return nil
	}
	s, err := now(cmd.Context())
	if err != nil {
		return err
	}
	if changes {
		rule := s.Change
		if anyChanged(cmd, "window", "zone") {
			if rule.Windows, err = r.readWindows(cmd); err != nil {
				return err
			}
		}
		if cmd.Flags().Changed("approve") {
			rule.Approve = r.approve
		}
		if cmd.Flags().Changed("fetch-late") {
			rule.FetchLate = r.fetchLate
		}
		apply.Change = &rule
	}
	if judges {
		health := s.Current.Health
		set := func(name string, do func()) {
			if cmd.Flags().Changed(name) {
				do()
			}
		}
		if r.watch < 0 || r.watch > 24*time.Hour {
			return usage(cmd, errors.New("--watch must be at most 24h"))
		}
		set("watch", func() { health.Watch = uint32(r.watch.Seconds()) })
		set("retries", func() { health.Retries = r.retries })
		set("stay", func() { health.Stay = r.stay })
		apply.Health = &health
	}
	return nil
}

func (r *ruleFlags) readWindows(cmd *cobra.Command) (out []protocol.ChangeWindow, err error) {
	if len(r.windows) == 0 {
		return nil, usage(cmd, errors.New("--zone needs --window: give the windows that it is for"))
	}
	if len(r.windows) == 1 && r.windows[0] == "none" {
		return nil, nil
	}
	for _, text := range r.windows {
		x, err := parseWindow(text, r.zone)
		if err != nil {
			return nil, usage(cmd, err)
		}
		out = append(out, x)
	}
	return out, usage(cmd, stacks.CheckWindows(out))
}
