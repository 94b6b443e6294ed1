package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
)

// wait is how long to wait for what was begun.
type wait struct {
	on      bool
	timeout time.Duration
}

func (w *wait) flags(cmd *cobra.Command, what string) {
	cmd.Flags().BoolVar(&w.on, "wait", false, "wait until "+what)
	w.timeoutFlag(cmd, 10*time.Minute, "how long to wait; the work goes on all the same")
}

func (w *wait) timeoutFlag(cmd *cobra.Command, unless time.Duration, says string) {
	w.timeout = unless
	cmd.Flags().Var((*patience)(&w.timeout), "wait-timeout", says)
}

// patience is the value of a flag: a duration of more than nothing.
type patience time.Duration

// String implements pflag.Value.
func (s *patience) String() string { return time.Duration(*s).String() }

// Type implements pflag.Value.
func (s *patience) Type() string { return "duration" }

// Set implements pflag.Value.
func (s *patience) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return errors.New("want a duration such as 90s, 10m or 2h")
	}
	*s = patience(d)
	return nil
}

// until asks until done says so. Errors of done end it; a hub that is away for a while does not.
func (w *wait) until(ctx context.Context, what string, done func(context.Context) (bool, error)) error {
	late := fmt.Errorf("%w: %s has not come to its end within %s", errOutcome, what, w.timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, w.timeout, late)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		ok, err := done(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case ok:
			return nil
		case err != nil && exitCode(ctx, err) != exitUnreachable:
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// waitForStack waits for the rollout that brings what was applied, or else for the devices.
func (a *app) waitForStack(ctx context.Context, w wait, s *resource.Stack) error {
	var err error
	rollouts := []*resource.Rollout{s.NextRollout, s.Rollout}
	if i := slices.IndexFunc(rollouts, func(r *resource.Rollout) bool {
		return r != nil && r.Version == s.Version && r.Ended.IsZero()
	}); i >= 0 {
		err = a.followRollout(ctx, w, rollouts[i])
	} else {
		err = a.waitForDevices(ctx, w, s.Name, s.Version)
	}
	// What is printed is how it stands at the end; that it cannot be asked for changes nothing about that.
	var now resource.Stack
	if a.get(ctx, "/stacks/"+seg(s.Name), nil, &now) == nil {
		*s = now
	}
	return err
}

// waitForDevices waits until a version runs, or cannot, on each device that shall have it, and fails when one of them
// could not. Devices that only have to give the stack up are not waited for.
func (a *app) waitForDevices(ctx context.Context, w wait, name string, version uint64) error {
	shall, bad := 0, 0
	err := w.until(ctx, "stack "+name, func(ctx context.Context) (bool, error) {
		var all resource.List[resource.DeviceStack]
		if err := a.get(ctx, "/stacks/"+seg(name)+"/devices", nil, &all); err != nil {
			return false, err
		}
		working := 0
		shall, bad = 0, 0
		for _, d := range all.Items {
			switch {
			case d.Version == 0:
				continue
			case d.Version != version:
				return false, fmt.Errorf("%w: version %d of stack %s was replaced by version %d meanwhile", errOutcome, version, name, d.Version)
			case d.State == "failed", d.State == "degraded", d.State == "rolled-back":
				bad++
			case d.State != "running":
				working++
			}
			shall++
		}
		return working == 0, nil
	})
	if err != nil {
		return fmt.Errorf("%w: `farshore stacks status %s` says where it stands", err, name)
	}
	if bad > 0 {
		return fmt.Errorf("%w: stack %s does not run on %d of %d devices: `farshore stacks status %s` says why", errOutcome, name, bad, shall, name)
	}
	return nil
}
