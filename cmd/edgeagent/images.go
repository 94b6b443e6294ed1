package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/internal/program"
)

func listImages(ctx context.Context, args []string, out io.Writer) error {
	fs := newFlags("images")
	data := fs.String("data", defaultData(), "data folder of the running agent")
	asJSON := fs.Bool("json", false, "write JSON")
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE"}); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%w: unexpected %q", program.ErrUsage, fs.Arg(0))
	}
	list, err := edgeagent.AskImages(ctx, *data)
	if err != nil {
		return err
	}
	if *asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	}
	return printImages(out, list)
}

// shortDigest is how much of a layer's digest is in a table.
const shortDigest = len("sha256:") + 12

func printImages(out io.Writer, list []edgeagent.ImageReport) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "No images come through the agent on this device: its link profile leaves them to the engine, or no stack needs any.")
		return err
	}
	for i, r := range list {
		if i > 0 {
			fmt.Fprintln(out)
		}
		state := r.State
		if r.For != "" {
			state += " for the " + r.For
		}
		if !r.Until.IsZero() {
			state += " until " + r.Until.Local().Format(minute)
		}
		what := "stack"
		if r.Job {
			what = "job"
		}
		fmt.Fprintf(out, "%s, of %s %s version %d: %s\n", r.Image, what, cmp.Or(r.Name, fmt.Sprint(r.Stack)), r.Version, state)
		if len(r.Layers) == 0 {
			continue
		}
		w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "LAYER\tSIZE\tHERE\tFETCHED\tAGAIN\tON THE LINK\tREQUESTS")
		for _, l := range r.Layers {
			note := ""
			if l.Had {
				note = "\tthe engine had it"
			}
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d%s\n", l.Digest[:min(len(l.Digest), shortDigest)], l.Size, l.Here, l.Fetched, l.Again, l.Spent, l.Requests, note)
		}
		fmt.Fprintf(w, "in all\t%d\t\t%d\t%d\t%d\t%d\n", r.Size, r.Fetched, r.Again, r.Spent, r.Requests)
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}
