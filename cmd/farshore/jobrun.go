package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
)

func (a *app) runJobCommand() *cobra.Command {
	var ask resource.RunJob
	var ttl time.Duration
	var w wait
	cmd := &cobra.Command{
		Use: "run NAME (--device DEVICE… | --selector S | --all)", Short: "run a job now, beside its schedule", Args: cobra.ExactArgs(1), ValidArgsFunction: atFirst(a.completeJobs),
		Long: `Has devices run a job as soon as they hear of it; the job's overlap rule counts. With --wait the exit code is 6 when it did not go
well on one of them.`,
		Example: "  farshore jobs run backup --device crane-1 --wait\n  farshore jobs run backup --selector site=oslo --ttl 1h",
		RunE: func(cmd *cobra.Command, args []string) error {
			if ttl < time.Second || ttl > 400*24*time.Hour {
				return usage(cmd, errors.New("--ttl must be from 1s to 9600h"))
			}
			ask.TTLSeconds = uint32(ttl.Seconds())
			began := time.Now()
			var asked resource.JobAsked
			if err := a.call(cmd.Context(), http.MethodPost, jobPath(args[0])+"/run", ask, &asked); err != nil {
				return err
			}
			a.sayLeftOut(&asked)
			switch {
			case asked.Given == 0 && len(asked.Skipped) == 0:
				return fmt.Errorf("%w: the job is meant for no such device", errOutcome)
			case asked.Given == 0:
				return fmt.Errorf("%w: no device was asked", errOutcome)
			case w.on:
				return a.waitForRuns(cmd.Context(), w, awaited{job: args[0], began: began, asked: &asked})
			case a.format != formatTable:
				return a.print(asked, nil)
			}
			a.done("%s asked. `farshore jobs runs %s` says what comes of it.", counted(asked.Given, "device"), args[0])
			return nil
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&ask.Devices, "device", nil, "on this device; can be repeated")
	f.StringVar(&ask.Selector, "selector", "", "on those of its devices with such labels")
	f.BoolVar(&ask.All, "all", false, "on all of its devices")
	f.DurationVar(&ttl, "ttl", 24*time.Hour, "how long a device may take to hear of it")
	f.StringVar(&ask.Note, "note", "", "why, for the audit trail")
	cmd.MarkFlagsOneRequired("device", "selector", "all")
	cmd.MarkFlagsMutuallyExclusive("device", "selector", "all")
	must(cmd.RegisterFlagCompletionFunc("device", a.completeDevices))
	w.flags(cmd, "all of them have run it, and say how it went")
	return cmd
}

// sayLeftOut names devices that were not asked.
func (a *app) sayLeftOut(asked *resource.JobAsked) {
	if a.format != formatTable {
		return
	}
	for _, s := range asked.Skipped {
		say(a.errOut, "farshore: %s was not asked: %s\n", plain(string(s.Device)), plain(s.Why))
	}
}

// awaited are runs that are waited for.
type awaited struct {
	job   string
	began time.Time
	asked *resource.JobAsked
}

// maxLookedUp is how many commands are looked up at a time.
const maxLookedUp = 50

// waitForRuns says of each run that was asked for how it ended, as that is known.
func (a *app) waitForRuns(ctx context.Context, w wait, x awaited) error {
	open := map[protocol.CommandID]protocol.DeviceID{}
	for _, c := range x.asked.Commands {
		open[c.Command] = c.Device
	}
	ended := []resource.JobRun{}
	bad := len(x.asked.Skipped)
	over := func(r resource.JobRun) {
		delete(open, r.Command)
		ended = append(ended, r)
		if r.State != protocol.JobDone {
			bad++
		}
		a.sayRun(&r)
	}
	err := w.until(ctx, "a run of "+x.job, func(ctx context.Context) (bool, error) {
		runs, err := a.runsSince(ctx, x)
		if err != nil {
			return false, err
		}
		for _, r := range runs {
			if _, waits := open[r.Command]; waits && r.Final {
				over(r)
			}
		}
		// Where a device refuses, or never hears of it, there is no run.
		looked := 0
		for id, dev := range open {
			if slices.ContainsFunc(runs, func(r resource.JobRun) bool { return r.Command == id }) {
				continue
			}
			if looked++; looked > maxLookedUp {
				break
			}
			var c resource.Command
			if err := a.get(ctx, "/commands/"+id.String(), nil, &c); err != nil {
				return false, err
			}
			if c.Final && c.State != "done" {
				over(resource.JobRun{Device: dev, Name: c.DeviceName, Command: id, State: protocol.JobRefused, Final: true, Text: or(c.Text, "the command is "+c.State)})
			}
		}
		return len(open) == 0, nil
	})
	if a.format != formatTable {
		err = errors.Join(a.print(ended, nil), err)
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w: `farshore jobs runs %s` says how it goes on", err, x.job)
	case bad > 0:
		return fmt.Errorf("%w: %s did not run well on %d of %s", errOutcome, x.job, bad, counted(len(ended)+len(x.asked.Skipped), "device"))
	case x.asked.Given > len(x.asked.Commands):
		say(a.errOut, "farshore: only the first %d devices were waited for\n", len(x.asked.Commands))
	}
	return nil
}

// sayRun gives a line about a run that is over.
func (a *app) sayRun(r *resource.JobRun) {
	line := fmt.Sprintf("%s  %s", or(r.Name, string(r.Device)), ended(r))
	if d := took(r); d != "-" {
		line += " in " + d
	}
	if r.Text != "" {
		line += ": " + r.Text
	}
	a.done("%s", line)
}

// clocksApart is how far the clocks of devices may be behind for their runs to be found.
const clocksApart = time.Hour

// runsSince are the runs of a job that may be among those that are waited for.
func (a *app) runsSince(ctx context.Context, x awaited) (runs []resource.JobRun, err error) {
	q := url.Values{"limit": {"1000"}}
	if devices := x.asked.Commands; len(devices) == 1 {
		q.Set("device", string(devices[0].Device))
	}
	for {
		var page resource.JobRuns
		if err := a.get(ctx, jobPath(x.job)+"/runs", q, &page); err != nil {
			return nil, err
		}
		runs = append(runs, page.Items...)
		if page.Next == "" || runs[len(runs)-1].Due.Before(x.began.Add(-clocksApart)) {
			return runs, nil
		}
		q.Set("before", page.Next)
	}
}

// whichRun is a run as it is named on the command line.
type whichRun struct {
	device string
	run    uint64
}

func (w *whichRun) flags(cmd *cobra.Command, a *app, unless string) {
	a.deviceFlag(cmd, &w.device, "the device of the run")
	cmd.Flags().Uint64Var(&w.run, "run", 0, "its number on the device, as `jobs runs` lists it (default: "+unless+")")
	must(cmd.MarkFlagRequired("device"))
}

// one is the run of that number, or else the latest one that is right; nil: there is none.
func (w *whichRun) one(ctx context.Context, a *app, job string, right func(*resource.JobRun) bool) (*resource.JobRun, error) {
	if w.run != 0 {
		var r resource.JobRun
		err := a.get(ctx, fmt.Sprintf("%s/runs/%s/%d", jobPath(job), seg(w.device), w.run), nil, &r)
		return &r, err
	}
	var page resource.JobRuns
	if err := a.get(ctx, jobPath(job)+"/runs", url.Values{"device": {w.device}, "limit": {"1000"}}, &page); err != nil {
		return nil, err
	}
	for i := range page.Items {
		if right(&page.Items[i]) {
			return &page.Items[i], nil
		}
	}
	return nil, nil
}

func (a *app) cancelRunCommand() *cobra.Command {
	var ask resource.RunJob
	var run uint64
	cmd := &cobra.Command{
		Use: "cancel NAME (--device DEVICE… [--run N] | --selector S | --all)", Short: "end what is under way of a job", Args: cobra.ExactArgs(1), ValidArgsFunction: atFirst(a.completeJobs),
		Long: `Asks devices to end what is under way of a job, and to forget what waits: processes get SIGTERM, and SIGKILL ten seconds later. With --run
only that run is ended.`,
		Example: "  farshore jobs cancel backup --device crane-1\n  farshore jobs cancel backup --all",
		RunE: func(cmd *cobra.Command, args []string) error {
			if run != 0 {
				if len(ask.Devices) != 1 {
					return usage(cmd, errors.New("--run goes with one --device"))
				}
				return a.cancelRun(cmd.Context(), args[0], ask.Devices[0], run)
			}
			var asked resource.JobAsked
			if err := a.call(cmd.Context(), http.MethodPost, jobPath(args[0])+"/cancel", ask, &asked); err != nil {
				return err
			}
			a.sayLeftOut(&asked)
			switch {
			case asked.Given == 0:
				return fmt.Errorf("%w: no device was asked", errOutcome)
			case a.format != formatTable:
				return a.print(asked, nil)
			}
			a.done("%s asked to end what is under way of %s. `farshore jobs runs %s` says what comes of it.", counted(asked.Given, "device"), args[0], args[0])
			return nil
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&ask.Devices, "device", nil, "on this device; can be repeated")
	f.Uint64Var(&run, "run", 0, "only the run of that number on the device, as `jobs runs` lists it")
	f.StringVar(&ask.Selector, "selector", "", "on those of its devices with such labels")
	f.BoolVar(&ask.All, "all", false, "on all of its devices")
	f.StringVar(&ask.Note, "note", "", "why, for the audit trail")
	cmd.MarkFlagsOneRequired("device", "selector", "all")
	cmd.MarkFlagsMutuallyExclusive("device", "selector", "all")
	must(cmd.RegisterFlagCompletionFunc("device", a.completeDevices))
	return cmd
}

func (a *app) cancelRun(ctx context.Context, job, device string, run uint64) error {
	var c resource.JobCommand
	if err := a.call(ctx, http.MethodPost, fmt.Sprintf("%s/runs/%s/%d/cancel", jobPath(job), seg(device), run), nil, &c); err != nil {
		return err
	}
	if a.format != formatTable {
		return a.print(c, nil)
	}
	a.done("%s is asked to end run %d of %s. `farshore command show %s` says whether it has heard of it.", device, run, job, c.Command)
	return nil
}
