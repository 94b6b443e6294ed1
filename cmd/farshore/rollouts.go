package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
)

func (a *app) rolloutsCommand() *cobra.Command {
	ls := &cobra.Command{
		Use: "ls [STACK]", Short: "list the rollouts that are under way, or those of a stack, the latest first", Args: cobra.MaximumNArgs(1), ValidArgsFunction: atFirst(a.completeStacks),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/rollouts"
			if len(args) > 0 {
				path = "/stacks/" + seg(args[0]) + "/rollouts"
			}
			var all resource.List[resource.Rollout]
			if err := a.get(cmd.Context(), path, nil, &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table {
				t := &table{head: []string{"STACK", "ROLLOUT", "VERSION", "PHASE", "BATCH", "DEVICES", "BEGUN", "BY", "WHY"}}
				for _, r := range all.Items {
					t.add(r.Stack, fmt.Sprint(r.Number), fmt.Sprint(r.Version), phaseOf(r), batchOf(r), dash(counts(r.Devices)), ago(r.Begun), dash(r.By), dash(r.Why))
				}
				return t
			})
		},
	}
	show := &cobra.Command{
		Use: "show STACK [ROLLOUT]", Short: "show a rollout: the one that is under way, or else the latest", Args: cobra.RangeArgs(1, 2), ValidArgsFunction: atFirst(a.completeStacks),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.rollout(cmd, args)
			if err != nil {
				return err
			}
			return a.printRollout(r)
		},
	}
	w := wait{on: true}
	watch := &cobra.Command{
		Use: "watch STACK [ROLLOUT]", Short: "tell how a rollout goes on, until it is over or paused", Args: cobra.RangeArgs(1, 2), ValidArgsFunction: atFirst(a.completeStacks),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.rollout(cmd, args)
			if err != nil {
				return err
			}
			return a.waitForRollout(cmd.Context(), w, r)
		},
	}
	w.timeoutFlag(watch, 24*time.Hour, "how long to watch; the work goes on all the same")
	children := []*cobra.Command{ls, show, watch, a.rolloutDevicesCommand()}
	for _, x := range [][2]string{
		{"pause", "start no more devices until it is continued"},
		{"continue", "go on with a paused rollout; failures so far are waived"},
		{"abort", "end a rollout where it is; devices that have begun finish"},
		{"skip", "go on without waiting for the batch"},
		{"retry", "try again on devices that failed or were brought back"},
		{"approve", "let devices apply what they have fetched"},
	} {
		children = append(children, &cobra.Command{
			Use: x[0] + " STACK [ROLLOUT]", Short: x[1], Args: cobra.RangeArgs(1, 2), ValidArgsFunction: atFirst(a.completeStacks),
			RunE: func(cmd *cobra.Command, args []string) error {
				path, err := rolloutPath(cmd, args)
				if err != nil {
					return err
				}
				var r resource.Rollout
				if err := a.call(cmd.Context(), http.MethodPost, path+"/"+x[0], nil, &r); err != nil {
					return err
				}
				return a.printRollout(r)
			},
		})
	}
	return parent("rollouts", "versions of stacks on their way to devices", children...)
}

// rolloutPath is of the rollout that the arguments name.
func rolloutPath(cmd *cobra.Command, args []string) (string, error) {
	number := "0"
	if len(args) > 1 {
		number = args[1]
	}
	if _, err := strconv.ParseUint(number, 10, 64); err != nil {
		return "", usage(cmd, fmt.Errorf("rollout %q: want its number; `farshore rollouts ls %s` lists them", number, args[0]))
	}
	return "/stacks/" + seg(args[0]) + "/rollouts/" + number, nil
}

func (a *app) rollout(cmd *cobra.Command, args []string) (r resource.Rollout, err error) {
	path, err := rolloutPath(cmd, args)
	if err == nil {
		err = a.get(cmd.Context(), path, nil, &r)
	}
	return r, err
}

func phaseOf(r resource.Rollout) string {
	switch {
	case r.Queued:
		return "queued"
	case r.Approve && r.Approved.IsZero() && (r.Phase == "running" || r.Phase == "done"):
		return "unapproved"
	}
	return r.Phase
}

func batchOf(r resource.Rollout) string {
	if r.Batch == 0 {
		return "-"
	}
	return fmt.Sprint(r.Batch)
}

func (a *app) printRollout(r resource.Rollout) error {
	return a.print(r, func() *table {
		t := &table{}
		t.add("stack", r.Stack)
		t.add("rollout", fmt.Sprintf("%d to version %d%s", r.Number, r.Version, map[bool]string{true: ", applied again"}[r.Force]))
		t.add("phase", phaseOf(r))
		if r.Why != "" {
			t.add("because", r.Why)
		}
		if !r.Next.IsZero() {
			t.add("next", exact(r.Next))
		}
		t.add("plan", r.Words)
		if r.Plan.Order != nil {
			t.add("order", strings.TrimSpace(r.Plan.Order.Label+" "+strings.Join(r.Plan.Order.Values, ", ")))
		}
		if len(r.Devices) > 0 {
			t.add("devices", counts(r.Devices)+map[bool]string{true: ", of those that you see"}[r.Partial])
		}
		for _, b := range r.Batches {
			t.add(fmt.Sprintf("batch %d", b.Number), counts(b.Devices))
		}
		if r.Data != nil {
			t.add("estimate", estimateOf(*r.Data))
			t.add("actual", actualOf(*r.Data))
		}
		switch {
		case !r.Approved.IsZero():
			t.add("approved", exact(r.Approved)+" by "+r.ApprovedBy)
		case r.Approve:
			t.add("approved", "not yet")
		}
		t.add("made", exact(r.Created)+" by "+dash(r.By))
		if r.Message != "" {
			t.add("message", r.Message)
		}
		if !r.Begin.IsZero() && r.Phase == "planned" {
			t.add("begins", exact(r.Begin))
		}
		if !r.Ended.IsZero() {
			t.add("ended", exact(r.Ended))
		}
		return t
	})
}

func estimateOf(d resource.RolloutData) string {
	if d.Estimated == 0 {
		return "not known"
	}
	return fmt.Sprintf("%s for %d devices", size(d.Estimate), d.Estimated)
}

// actualOf says what devices have spent, and how that is to the estimate once all have spoken of whom it was made.
func actualOf(d resource.RolloutData) string {
	if d.Reported == 0 {
		return "no device has said yet"
	}
	out := fmt.Sprintf("%s by %d devices", size(d.Actual), d.Reported)
	if d.Estimate > 0 && d.Reported == d.Estimated {
		out += fmt.Sprintf(", %.1f %% of the estimate", 100*float64(d.Actual)/float64(d.Estimate))
	}
	return out
}

func (a *app) rolloutDevicesCommand() *cobra.Command {
	var states []string
	var batch uint32
	cmd := &cobra.Command{
		Use: "devices STACK [ROLLOUT]", Short: "show where a rollout stands on each of its devices", Args: cobra.RangeArgs(1, 2), ValidArgsFunction: atFirst(a.completeStacks),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := rolloutPath(cmd, args)
			if err != nil {
				return err
			}
			q := url.Values{"limit": {"5000"}}
			if len(states) > 0 {
				q.Set("state", strings.Join(states, ","))
			}
			if batch != 0 {
				q.Set("batch", fmt.Sprint(batch))
			}
			var all []resource.RolloutDevice
			for {
				var page resource.RolloutDevices
				q.Set("offset", fmt.Sprint(len(all)))
				if err := a.get(cmd.Context(), path+"/devices", q, &page); err != nil {
					return err
				}
				all = append(all, page.Items...)
				if len(page.Items) == 0 || len(all) >= page.Total {
					break
				}
			}
			return a.print(all, func() *table {
				t := &table{head: []string{"DEVICE", "GROUP", "BATCH", "STATE", "STACK", "RUNS VERSION", "CODE", "REASON"}}
				for _, d := range all {
					b := "-"
					if d.Batch > 0 {
						b = fmt.Sprint(d.Batch)
					}
					t.add(or(d.DeviceName, string(d.Device)), "/"+d.Group, b, d.State, stateOf(d.Now), fmt.Sprint(d.Now.Running), dash(d.Code), dash(d.Now.Detail))
				}
				return t
			})
		},
	}
	cmd.Flags().StringSliceVar(&states, "state", nil, "only devices that are waiting, chosen, started, succeeded, failed, returning, returned or stuck")
	cmd.Flags().Uint32Var(&batch, "batch", 0, "only devices of this batch")
	return cmd
}

// stateOf says where a stack stands on a device: its state, how far it has fetched, and who holds it.
func stateOf(d resource.DeviceStack) string {
	out := d.State
	if d.TotalBytes > 0 {
		out += fmt.Sprintf(" (%s of %s)", size(uint64(d.DoneBytes)), size(uint64(d.TotalBytes)))
	}
	if d.Hold != "" {
		out += ", " + d.Hold + " by " + or(d.HeldBy, "somebody at the device")
	}
	return out
}

// waitForRollout follows a rollout, and prints it as it stands then.
func (a *app) waitForRollout(ctx context.Context, w wait, r resource.Rollout) error {
	err := a.followRollout(ctx, w, &r)
	return errors.Join(a.printRollout(r), err)
}

// followRollout tells of changes until a rollout is over or paused. One that goes to all devices at once is over with
// its beginning: then the devices are waited for.
func (a *app) followRollout(ctx context.Context, w wait, r *resource.Rollout) error {
	last := ""
	err := w.until(ctx, fmt.Sprintf("rollout %d of stack %s", r.Number, r.Stack), func(ctx context.Context) (bool, error) {
		var latest resource.Rollout // a new one: decoding adds to the counts that are there
		if err := a.get(ctx, fmt.Sprintf("/stacks/%s/rollouts/%d", seg(r.Stack), r.Number), nil, &latest); err != nil {
			return false, err
		}
		*r = latest
		if now := fmt.Sprintf("%s: %s; %s", phaseOf(*r), dash(counts(r.Devices)), dash(r.Why)); now != last && a.format == formatTable {
			say(a.errOut, "%s\n", plain(now))
			last = now
		}
		return r.Phase == "paused" || !r.Ended.IsZero(), nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("%w: `farshore rollouts show %s %d` says how it goes on", err, r.Stack, r.Number)
	case r.Phase != "done":
		return fmt.Errorf("%w: rollout %d of stack %s is %s: %s", errOutcome, r.Number, r.Stack, r.Phase, dash(r.Why))
	case len(r.Devices) == 0:
		return a.waitForDevices(ctx, w, r.Stack, r.Version)
	}
	return nil
}
