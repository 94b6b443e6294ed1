package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/jobs/dispatch"
	"github.com/farshore/farshore/protocol"
)

func (a *app) jobsCommand() *cobra.Command {
	c := parent("jobs", "scripts that run on devices by a schedule",
		a.listJobsCommand(), a.showJobCommand(), a.jobStatusCommand(), a.applyJobsCommand(), a.runJobCommand(), a.runsCommand(), a.jobOutputCommand(),
		a.cancelRunCommand(), a.pauseJobCommand("pause", "take a job off its devices until it is resumed", "%s is paused: it is taken off its devices."),
		a.pauseJobCommand("resume", "give a paused job back to its devices", "%s goes on."), a.removeJobCommand(), a.jobVersionsCommand())
	c.Long = `A job is a script with a schedule. Devices run it by themselves, whether or not they are in contact, and tell afterwards what
came of it. docs/jobs.md has examples.`
	c.Example = "  farshore jobs apply backup.yml\n  farshore jobs ls\n  farshore jobs runs backup --state failed\n  farshore jobs output backup --device crane-1"
	return c
}

func jobPath(name string) string { return "/jobs/" + seg(name) }

func runPath(job string, r *resource.JobRun) string {
	return fmt.Sprintf("%s/runs/%s/%d", jobPath(job), seg(string(r.Device)), r.Run)
}

func (a *app) completeJobs(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	var all resource.List[resource.JobRow]
	if err := a.get(cmd.Context(), "/jobs", nil, &all); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, j := range all.Items {
		names = append(names, j.Name)
	}
	return fitting(names, begun)
}

// deviceFlag is --device of a command about a job.
func (a *app) deviceFlag(cmd *cobra.Command, to *string, says string) {
	cmd.Flags().StringVar(to, "device", "", says)
	must(cmd.RegisterFlagCompletionFunc("device", a.completeDevices))
}

func (a *app) listJobsCommand() *cobra.Command {
	var owner, device string
	var once bool
	cmd := &cobra.Command{
		Use: "ls", Short: "list jobs, with what came of their latest runs", Args: cobra.NoArgs,
		Long: `Lists jobs. The strip has the latest due times, the newest last: . done on all devices, x not well on one or more, - skipped,
missed or cancelled, > under way. LAST counts devices by their latest run.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if device != "" {
				if owner != "" || once {
					return usage(cmd, fmt.Errorf("--device lists all jobs of one device: leave --owner and --once out"))
				}
				return a.listJobsOf(cmd.Context(), device)
			}
			q := url.Values{}
			if owner != "" {
				q.Set("owner", owner)
			}
			if once {
				q.Set("one_shot", "true")
			}
			var all resource.List[resource.JobRow]
			if err := a.get(cmd.Context(), "/jobs", q, &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table {
				t := &table{head: []string{"NAME", "WHEN", "NEXT", "DEVICES", "LAST", "STRIP"}}
				for _, j := range all.Items {
					t.add(cut(j.Name, 20), cut(j.Words, 30), nextOf(&j.JobState), devicesOf(&j.JobState), lastOf(j.Last), beats(j.Strip))
				}
				return t
			})
		},
	}
	cmd.Flags().StringVar(&owner, "owner", "", "only those of mine, public, administrators, user:NAME or team:NAME")
	cmd.Flags().BoolVar(&once, "once", false, "scripts that `farshore script` ran, the latest first, in place of jobs")
	a.deviceFlag(cmd, &device, "the jobs of this device, with what came of them there")
	return cmd
}

func (a *app) listJobsOf(ctx context.Context, device string) error {
	var all resource.List[resource.JobDevice]
	if err := a.get(ctx, "/devices/"+seg(device)+"/jobs", nil, &all); err != nil {
		return err
	}
	return a.print(all.Items, func() *table {
		t := &table{head: []string{"NAME", "WHEN", "NEXT", "LAST", "STRIP", "SAYS"}}
		for i := range all.Items {
			d := &all.Items[i]
			t.add(cut(d.Job, 20), cut(d.Words, 30), nextThere(d), stateThere(d), marks(d.Strip), cut(saysThere(d), 40))
		}
		return t
	})
}

// stripShown is how many of the latest are shown: a row fits a terminal.
const stripShown = 10

// beats shows what became of due times on all devices.
func beats(strip []dispatch.Beat) string {
	var s strings.Builder
	for _, b := range strip[max(0, len(strip)-stripShown):] {
		switch {
		case b.Failed > 0:
			s.WriteByte('x')
		case b.Other > 0:
			s.WriteByte('-')
		case b.Done > 0:
			s.WriteByte('.')
		default:
			s.WriteByte('>')
		}
	}
	return dash(s.String())
}

// marks shows the runs of one device.
func marks(strip []dispatch.Mark) string {
	var s strings.Builder
	for _, m := range strip[max(0, len(strip)-stripShown):] {
		switch m.State {
		case protocol.JobDone:
			s.WriteByte('.')
		case protocol.JobRunning:
			s.WriteByte('>')
		case protocol.JobSkipped, protocol.JobMissed, protocol.JobCancelled:
			s.WriteByte('-')
		default:
			s.WriteByte('x')
		}
	}
	return dash(s.String())
}

func nextOf(j *resource.JobState) string {
	switch {
	case j.IsPaused:
		return "paused"
	case j.Next.IsZero():
		return "-"
	}
	return ago(j.Next)
}

// devicesOf says how many devices are given a job, and of how many where some are not.
func devicesOf(j *resource.JobState) string {
	if j.Withheld > 0 {
		return fmt.Sprintf("%d of %d", j.Assigned-j.Withheld, j.Assigned)
	}
	return fmt.Sprint(j.Assigned)
}

// lastOf is what most needs to be known of the latest runs.
func lastOf(c dispatch.Counts) string {
	switch {
	case c.Failed > 0:
		return fmt.Sprintf("%d failed", c.Failed)
	case c.Running > 0:
		return fmt.Sprintf("%d running", c.Running)
	case c.Done > 0:
		return fmt.Sprintf("%d done", c.Done)
	case c.Other > 0:
		return fmt.Sprintf("%d not run", c.Other)
	}
	return "-"
}

func nextThere(d *resource.JobDevice) string {
	switch {
	case d.Paused:
		return "paused"
	case len(d.Next) == 0:
		return "-"
	}
	return ago(d.Next[0])
}

// stateThere is what came of the latest run on a device.
func stateThere(d *resource.JobDevice) string {
	switch {
	case d.Last == nil && d.Withheld != nil:
		return "withheld"
	case d.Last == nil:
		return "-"
	}
	return ended(d.Last)
}

func saysThere(d *resource.JobDevice) string {
	switch {
	case d.Withheld != nil:
		return d.Withheld.Text
	case d.Last != nil:
		return dash(d.Last.Text)
	}
	return "-"
}

// ended says how a run ended, or that it has not.
func ended(r *resource.JobRun) string {
	switch {
	case r.Signal != "":
		return r.State.String() + ", " + r.Signal
	case r.Code != 0:
		return fmt.Sprintf("%s, exit code %d", r.State, r.Code)
	}
	return r.State.String()
}

func took(r *resource.JobRun) string {
	if r.Started.IsZero() || !r.Final {
		return "-"
	}
	d := time.Duration(r.TookMS) * time.Millisecond
	if d < 10*time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return span(d)
}

func (a *app) pauseJobCommand(word, short, says string) *cobra.Command {
	return &cobra.Command{
		Use: word + " NAME", Short: short, Args: cobra.ExactArgs(1), ValidArgsFunction: atFirst(a.completeJobs),
		RunE: func(cmd *cobra.Command, args []string) error {
			var j resource.Job
			if err := a.call(cmd.Context(), http.MethodPost, jobPath(args[0])+"/"+word, nil, &j); err != nil {
				return err
			}
			if a.format != formatTable {
				return a.print(j, nil)
			}
			a.done(says, j.Name)
			return nil
		},
	}
}

func (a *app) removeJobCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "rm NAME --yes", Short: "remove a job from all devices, with its history", Args: cobra.ExactArgs(1), ValidArgsFunction: atFirst(a.completeJobs),
		Long: "Removes a job from all devices, also those that are away now, with its runs and their output. A run that is under way is ended.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes {
				if err := a.sure("Remove the job " + args[0] + " from all its devices, with its history?"); err != nil {
					return err
				}
			}
			if err := a.call(cmd.Context(), http.MethodDelete, jobPath(args[0]), nil, nil); err != nil {
				return err
			}
			a.done("%s is removed; devices that are away give it up when they come back.", args[0])
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (a *app) jobVersionsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "versions NAME", Short: "list the versions of a job that are kept", Args: cobra.ExactArgs(1), ValidArgsFunction: atFirst(a.completeJobs),
		RunE: func(cmd *cobra.Command, args []string) error {
			var all resource.List[resource.JobVersion]
			if err := a.get(cmd.Context(), jobPath(args[0])+"/versions", nil, &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table {
				t := &table{head: []string{"VERSION", "WHEN", "SCRIPT", "SHA-256", "CREATED", "BY", "MESSAGE"}}
				for _, v := range all.Items {
					script := "-"
					if v.ScriptSize > 0 {
						script = size(uint64(v.ScriptSize))
					}
					t.add(fmt.Sprint(v.Number), v.Words, script, dash(cut(v.ScriptHash, 13)), ago(v.Created), dash(v.Author), dash(v.Message))
				}
				return t
			})
		},
	}
}
