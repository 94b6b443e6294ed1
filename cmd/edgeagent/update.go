package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/edgeagent/update"
	"github.com/farshore/farshore/internal/program"
)

// updateStatus shows which programs run and how the last update ended. The record is there without an agent, too.
func updateStatus(ctx context.Context, args []string, out io.Writer) error {
	fs := newFlags("update-status")
	data := fs.String("data", defaultData(), "data folder of the agent")
	format := fs.String("o", "text", "text or json")
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE"}); err != nil {
		return err
	}
	s, version, err := updatesOf(ctx, *data)
	if err != nil {
		return err
	}
	switch *format {
	case "json":
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(s)
	case "text":
		return printUpdates(out, s, version)
	}
	return fmt.Errorf("%w: output %q: want text or json", program.ErrUsage, *format)
}

func updatesOf(ctx context.Context, data string) (s update.Status, version string, err error) {
	running, err := edgeagent.AskStatus(ctx, data)
	switch {
	case err == nil && running.Update != nil:
		return *running.Update, running.Version, nil
	case err != nil && !errors.Is(err, edgeagent.ErrNotRunning):
		return s, "", err
	}
	s.Record, err = update.In(data).Read()
	return s, "", err
}

func printUpdates(out io.Writer, s update.Status, version string) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	r := &s.Record
	if s.Runs != "" {
		line("runs", "%s, %s", version, s.Runs)
	} else {
		line("next start", "%s, %s", r.Version(r.Current), r.Current)
	}
	for _, slot := range []update.Place{update.SlotA, update.SlotB} {
		if have, ok := r.Slots[slot]; ok {
			line("slot "+string(slot), "%s", have.Version)
		}
	}
	if r.Previous != "" {
		line("before", "%s, %s; farshore-agent rollback-update goes back to it", r.Version(r.Previous), r.Previous)
	}
	if t := r.Trial; t != nil {
		line("on trial", "%s, attempt %d, %d s to be in session with the hub", t.To, t.Attempts, t.Seconds)
	}
	switch e := r.Ended; {
	case e == nil:
		line("last update", "none")
	case e.Reason == "":
		line("last update", "%s → %s, %s", e.From, e.To, ago(e.At))
	default:
		line("last update", "%s → %s, and back, %s: %s", e.From, e.To, ago(e.At), e.Reason)
		for said := range strings.Lines(strings.TrimSpace(e.Output)) {
			line("", "%s", strings.TrimSpace(said))
		}
	}
	if s.Cannot != "" {
		line("cannot update", "%s", s.Cannot)
	}
	return w.Flush()
}

// rollBack goes back to the programs that ran before the last update.
func rollBack(ctx context.Context, args []string, out io.Writer) error {
	fs := newFlags("rollback-update")
	data := fs.String("data", defaultData(), "data folder of the agent")
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE"}); err != nil {
		return err
	}
	r, running, err := edgeagent.AskToRollBack(ctx, *data)
	if err != nil {
		return err
	}
	when := "runs from the next start"
	if running {
		when = "starts now"
	}
	fmt.Fprintf(out, "%s (%s) %s; farshore-agent rollback-update undoes this.\n", r.Version(r.Current), r.Current, when)
	return nil
}
