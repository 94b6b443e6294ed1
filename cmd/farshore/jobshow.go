package main

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
)

func (a *app) showJobCommand() *cobra.Command {
	var definition bool
	cmd := &cobra.Command{
		Use: "show NAME", Short: "show a job, and when it runs next", Args: cobra.ExactArgs(1), ValidArgsFunction: atFirst(a.completeJobs),
		Example: "  farshore jobs show backup\n  farshore jobs show backup --definition > backup.yml",
		RunE: func(cmd *cobra.Command, args []string) error {
			var j resource.Job
			if err := a.get(cmd.Context(), jobPath(args[0]), nil, &j); err != nil {
				return err
			}
			if definition {
				if a.format == formatTable {
					a.format = formatYAML
				}
				return a.print(fileOf(&j), nil)
			}
			return a.print(j, func() *table { return jobTable(&j) })
		},
	}
	cmd.Flags().BoolVar(&definition, "definition", false, "as a file that `jobs apply` takes, script included; values that are hidden are kept when it is applied")
	return cmd
}

// jobFileOf is a job as a file has it.
type jobFileOf struct {
	Name string `json:"name"`
	resource.PutJob
}

func fileOf(j *resource.Job) jobFileOf {
	f := jobFileOf{Name: j.Name, PutJob: resource.PutJob{JobDefinition: j.JobDefinition}}
	if j.Masked {
		f.KeepEnv, f.Env = slices.Sorted(maps.Keys(j.Env)), nil
	}
	return f
}

func jobTable(j *resource.Job) *table {
	t := &table{}
	t.add("name", j.Name)
	t.add("when", j.Words)
	switch {
	case j.IsPaused:
		t.add("next", "paused")
	case len(j.Upcoming) == 0:
		t.add("next", "-")
	}
	for i, at := range j.Upcoming {
		t.add(map[bool]string{true: "next"}[i == 0], exact(at))
	}
	where := "the host"
	if c := j.Container; c != nil {
		where = "a container of " + c.Image
	}
	if j.User != "" {
		where += ", as " + j.User
	}
	t.add("runs on", where)
	if j.ScriptSize > 0 {
		t.add("script", size(uint64(j.ScriptSize))+", SHA-256 "+j.ScriptHash)
	}
	if len(j.Args) > 0 {
		t.add("arguments", strings.Join(j.Args, " "))
	}
	t.add("devices", devicesOf(&j.JobState))
	t.add("latest runs", countsText(j))
	t.add("strip", beats(j.Strip))
	if j.Group != nil {
		t.add("home", "/"+*j.Group)
	}
	if j.Owner != nil {
		t.add("owner", ownerText(*j.Owner))
	}
	for _, x := range []struct{ what, text string }{
		{"selector", j.Selector},
		{"include", strings.Join(j.Include, ", ")},
		{"exclude", strings.Join(j.Exclude, ", ")},
		{"listed", listed(j)},
		{"variables", strings.Join(slices.Sorted(maps.Keys(j.Env)), ", ")},
		{"secret", strings.Join(j.Secret, ", ")},
	} {
		if x.text != "" {
			t.add(x.what, x.text)
		}
	}
	t.add("limits", limitsOf(j))
	t.add("rules", "overlap "+j.Overlap.String()+", missed "+missedText(&j.JobDefinition)+", output "+j.Output.String())
	t.add("version", fmt.Sprintf("%d, %s by %s", j.Version, ago(j.Updated), dash(j.By)))
	if j.Message != "" {
		t.add("message", j.Message)
	}
	return t
}

// listed names the devices that a job names, as far as they are there.
func listed(j *resource.Job) string {
	var names []string
	for _, id := range j.Devices {
		names = append(names, or(j.DeviceNames[id], id))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func countsText(j *resource.Job) string {
	c := j.Last
	m := map[string]int{"done": c.Done, "failed": c.Failed, "running": c.Running, "skipped, missed or cancelled": c.Other, "without a run": c.Never}
	maps.DeleteFunc(m, func(_ string, n int) bool { return n == 0 })
	return counts(m)
}

func limitsOf(j *resource.Job) string {
	seconds := func(s, unless uint32) string {
		if s == 0 {
			s = unless
		}
		return exactly(time.Duration(s) * time.Second)
	}
	out := "timeout " + seconds(j.TimeoutSeconds, protocol.DefaultJobTimeout)
	if j.Retries > 0 {
		out += fmt.Sprintf(", %d retries %s apart", j.Retries, seconds(j.RetryDelaySeconds, protocol.DefaultRetryDelay))
	}
	if c := j.Container; c != nil {
		if c.MilliCPU > 0 {
			out += fmt.Sprintf(", %g CPUs", float64(c.MilliCPU)/1000)
		}
		if c.Memory > 0 {
			out += ", memory " + size(c.Memory)
		}
	}
	return out
}

func missedText(d *resource.JobDefinition) string {
	if d.Missed == "all" {
		return fmt.Sprintf("all up to %d", d.MissedLimit)
	}
	return d.Missed
}

func (a *app) jobStatusCommand() *cobra.Command {
	var state string
	var limit int
	cmd := &cobra.Command{
		Use: "status NAME", Short: "show how a job does on each of its devices", Args: cobra.ExactArgs(1), ValidArgsFunction: atFirst(a.completeJobs),
		Example: "  farshore jobs status backup --state failed\n  farshore jobs status backup --state withheld    # who is not given it, and why",
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 {
				return usage(cmd, errors.New("--limit must be at least 1"))
			}
			rows := []resource.JobDevice{}
			q := url.Values{}
			if state != "" {
				q.Set("state", state)
			}
			total := 0
			for len(rows) < limit {
				q.Set("limit", fmt.Sprint(min(limit-len(rows), 1000)))
				var page resource.JobDevices
				if err := a.get(cmd.Context(), jobPath(args[0])+"/devices", q, &page); err != nil {
					return err
				}
				rows, total = append(rows, page.Items...), page.Total
				if page.Next == "" {
					break
				}
				q.Set("after", string(page.Next))
			}
			err := a.print(rows, func() *table {
				t := &table{head: []string{"DEVICE", "NEXT", "LAST", "DUE", "TOOK", "STRIP", "SAYS"}}
				for i := range rows {
					d := &rows[i]
					due, duration := "-", "-"
					if d.Last != nil {
						due, duration = ago(d.Last.Due), took(d.Last)
					}
					t.add(or(d.Name, string(d.Device)), nextThere(d), stateThere(d), due, duration, marks(d.Strip), saysThere(d))
				}
				return t
			})
			if total > len(rows) && a.format == formatTable {
				say(a.errOut, "farshore: these are %d of %s: --limit shows more\n", len(rows), counted(total, "device"))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only devices whose latest run is done, failed, running or other, that have never had one, or are withheld the job")
	cmd.Flags().IntVar(&limit, "limit", 1000, "at most so many")
	return cmd
}

func (a *app) runsCommand() *cobra.Command {
	var device, state string
	var limit int
	cmd := &cobra.Command{
		Use: "runs NAME", Short: "list the runs of a job, the latest first", Args: cobra.ExactArgs(1), ValidArgsFunction: atFirst(a.completeJobs),
		Example: "  farshore jobs runs backup --state failed\n  farshore jobs runs backup --device crane-1 --limit 10",
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 {
				return usage(cmd, errors.New("--limit must be at least 1"))
			}
			q := url.Values{}
			if device != "" {
				q.Set("device", device)
			}
			if state != "" {
				q.Set("state", state)
			}
			runs := []resource.JobRun{}
			for len(runs) < limit {
				q.Set("limit", fmt.Sprint(min(limit-len(runs), 1000)))
				var page resource.JobRuns
				if err := a.get(cmd.Context(), jobPath(args[0])+"/runs", q, &page); err != nil {
					return err
				}
				if runs = append(runs, page.Items...); page.Next == "" {
					break
				}
				q.Set("before", page.Next)
			}
			return a.print(runs, func() *table {
				t := &table{head: []string{"DEVICE", "RUN", "DUE", "CAME TO", "TOOK", "OUTPUT", "BY", "SAYS"}}
				for i := range runs {
					r := &runs[i]
					t.add(or(r.Name, string(r.Device)), fmt.Sprint(r.Run), dueOf(r), ended(r)+times(r), took(r), outputOf(r), or(r.By, "schedule"), dash(r.Text))
				}
				return t
			})
		},
	}
	a.deviceFlag(cmd, &device, "only those of this device")
	cmd.Flags().StringVar(&state, "state", "", "only those that are running, done, failed, timed-out, cancelled, interrupted, skipped, missed or refused")
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so many")
	return cmd
}

func dueOf(r *resource.JobRun) string {
	if r.OwnClock {
		return exact(r.Due) + " by its own clock"
	}
	return exact(r.Due)
}

// times says of how many due times one line tells.
func times(r *resource.JobRun) string {
	if r.Count > 1 {
		return fmt.Sprintf(", %d times", r.Count)
	}
	return ""
}

// outputOf says how much a run wrote, and how much of that the hub has.
func outputOf(r *resource.JobRun) string {
	var wrote, have uint64
	for _, s := range []*resource.JobStream{r.Stdout, r.Stderr} {
		if s != nil {
			wrote, have = wrote+s.Size, have+s.HaveTo-s.HaveFrom
		}
	}
	switch {
	case wrote == 0:
		return "-"
	case have == wrote:
		return size(wrote)
	}
	return size(have) + " of " + size(wrote)
}
