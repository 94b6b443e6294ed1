package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/internal/program"
	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
)

func listJobs(ctx context.Context, args []string, out io.Writer) error {
	fs := newFlags("jobs")
	data := fs.String("data", defaultData(), "data folder of the running agent")
	asJSON := fs.Bool("json", false, "write JSON")
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE"}); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%w: unexpected %q", program.ErrUsage, fs.Arg(0))
	}
	list, err := edgeagent.AskJobs(ctx, *data)
	if err != nil {
		return err
	}
	if *asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	}
	return printJobs(out, list)
}

func printJobs(out io.Writer, list []runner.Local) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "This device has no jobs.")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "JOB\tVERSION\tNEXT\tNOW\tLAST RUN\tDUE\tENDED AS\tTOOK\tSAYS")
	for _, j := range list {
		next, now := "-", "-"
		if len(j.Next) > 0 {
			next = j.Next[0].Local().Format(minute)
		}
		if j.Active != nil {
			now = fmt.Sprintf("run %d", j.Active.ID)
		}
		if j.Waiting > 0 {
			now += fmt.Sprintf(", %d wait", j.Waiting)
		}
		last := "-\t-\t-\t-\t" + cmp.Or(firstLine(j.Problem), "-")
		if len(j.Runs) > 0 {
			last = runRow(j.Runs[0])
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", j.Name, j.Version, next, now, last)
	}
	return w.Flush()
}

// runRow is a run that is over, in the columns of the table.
func runRow(r protocol.JobRun) string {
	ended, took := r.State.String(), "-"
	switch {
	case r.Signal != "":
		ended += " by " + r.Signal
	case r.Code != 0:
		ended += fmt.Sprintf(" with code %d", r.Code)
	case r.Count > 1:
		ended += fmt.Sprintf(", %d times", r.Count)
	}
	if r.Started != 0 {
		took = (time.Duration(r.Took) * time.Millisecond).String()
	}
	return fmt.Sprintf("%d\t%s\t%s\t%s\t%s", r.ID, time.Unix(r.Due, 0).Format(minute), ended, took, cmp.Or(firstLine(r.Text), "-"))
}
