package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/farshore/farshore/economy/spending"
	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/internal/program"
	"github.com/farshore/farshore/protocol"
)

func showUsage(ctx context.Context, args []string, out io.Writer) error {
	fs := newFlags("usage")
	data := fs.String("data", defaultData(), "data folder of the running agent")
	asJSON := fs.Bool("json", false, "write JSON")
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE"}); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%w: unexpected %q", program.ErrUsage, fs.Arg(0))
	}
	r, err := edgeagent.AskUsage(ctx, *data)
	if err != nil {
		return err
	}
	if *asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	return printUsage(out, r)
}

const minute = "2006-01-02 15:04 MST"

func printUsage(out io.Writer, r spending.Report) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	line("cycle", "%s to %s", r.CycleStart.Format(minute), r.CycleEnd.Format(minute))
	line("stage", "%s", r.Stage)
	line("spent", "%s", program.Size(r.Spent))
	if r.Soft != 0 {
		line("soft cap", "%s", program.Size(r.Soft))
	}
	if r.Hard != 0 {
		line("hard cap", "%s, the last %s for urgent work", program.Size(r.Hard), program.Size(r.Reserve))
	}
	switch {
	case !r.Local.IsZero():
		line("contact", "open until %s, by somebody at the device", r.Local.Format(minute))
	case r.Opening == nil && r.Open:
		line("contact", "at any time")
	case r.Opening == nil:
		line("contact", "none any more: `farshore-agent contact` opens it")
	case r.Open:
		line("contact", "open until %s", r.Opening.End.Format(minute))
	default:
		line("contact", "closed until %s", r.Opening.Start.Format(minute))
	}
	if r.Rate != 0 {
		line("rate", "%s a second downwards, lately", program.Size(uint64(r.Rate)))
	}
	if r.Unkept != "" {
		line("not kept", "%s", r.Unkept)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	fmt.Fprintf(w, "CLASS\t%8s\t%8s\t%10s\t%10s\n", "UP", "DOWN", "UP TODAY", "DOWN TODAY")
	today := map[string]spending.ClassSpent{}
	for _, c := range r.Today {
		today[c.Class] = c
	}
	for _, c := range r.Cycle {
		t := today[c.Class]
		fmt.Fprintf(w, "%s\t%8s\t%8s\t%10s\t%10s\n", c.Class, program.Size(c.Up), program.Size(c.Down), program.Size(t.Up), program.Size(t.Down))
	}
	return w.Flush()
}

func openContact(ctx context.Context, args []string, out io.Writer) error {
	fs := newFlags("contact")
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), "farshore-agent contact: be in contact with the hub now, whatever the windows say, but within the budget\n")
		fs.PrintDefaults()
	}
	data := fs.String("data", defaultData(), "data folder of the running agent")
	long := fs.Duration("for", 5*time.Minute, "how long, up to 24h; 0 ends it")
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE"}); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%w: unexpected %q: say how long with --for, such as --for 5m", program.ErrUsage, fs.Arg(0))
	}
	if err := edgeagent.OpenContact(ctx, *data, *long, os.Getenv("SUDO_USER")); err != nil {
		return err
	}
	if *long == 0 {
		_, err := fmt.Fprintln(out, "Contact is as the windows say again.")
		return err
	}
	fmt.Fprintf(out, "Contact is open for %s. `farshore-agent status` shows whether the hub is reached.\n", *long)
	r, err := edgeagent.AskUsage(ctx, *data)
	if err == nil && r.Stage == protocol.SpendingSilent {
		fmt.Fprintf(out, "But the budget is spent, %s of %s: nothing more is sent before the billing cycle ends at %s, but for a ping a day where the link profile allows it.\n", program.Size(r.Spent), program.Size(r.Hard), r.CycleEnd.Format(minute))
	}
	return err
}
