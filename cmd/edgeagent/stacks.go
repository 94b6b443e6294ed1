package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/internal/program"
	"github.com/farshore/farshore/stacks/reconciler"
)

func listStacks(ctx context.Context, args []string, out io.Writer) error {
	fs := newFlags("stacks")
	data := fs.String("data", defaultData(), "data folder of the running agent")
	asJSON := fs.Bool("json", false, "write JSON")
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE"}); err != nil {
		return err
	}
	list, err := edgeagent.AskStacks(ctx, *data)
	if err != nil {
		return err
	}
	if *asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	}
	return printStacks(out, list)
}

func printStacks(out io.Writer, list []reconciler.Local) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "This device has no stacks.")
		return err
	}
	version := func(v uint64) string {
		if v == 0 {
			return "-"
		}
		return fmt.Sprint(v)
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "STACK\tWANTED\tRUNNING\tKEPT\tSTATE\tHOLD\tSINCE\tREASON")
	for _, l := range list {
		since, hold, reason := "-", "-", firstLine(l.Detail)
		at := l.Since
		if l.Hold != 0 {
			at, reason = l.HeldAt, firstLine(l.Reason)
			hold = l.Hold.String()
			if l.HeldBy != "" {
				hold += " by " + l.HeldBy
			}
		}
		if at != 0 {
			since = time.Unix(at, 0).Format("2006-01-02 15:04")
		}
		var kept []string
		for _, v := range l.Kept {
			kept = append(kept, version(v))
		}
		state := "-"
		if l.State != 0 {
			state = l.State.String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Name, version(l.Wanted), version(l.Running),
			cmp.Or(strings.Join(kept, ","), "-"), state, hold, since, cmp.Or(reason, "-"))
	}
	return w.Flush()
}

// maxCell is how much of a sentence is in a table.
const maxCell = 100

func firstLine(text string) string {
	line, _, more := strings.Cut(text, "\n")
	if len(line) > maxCell {
		line, more = strings.ToValidUTF8(line[:maxCell], ""), true
	}
	if more {
		line += "…"
	}
	return line
}

func decide(ctx context.Context, out io.Writer, deed reconciler.Deed, args []string) error {
	fs := newFlags(string(deed))
	does := map[reconciler.Deed]string{
		reconciler.DeedHold:     "farshore-agent hold NAME: keep a stack as it is, whatever the hub wants, until it is resumed\n",
		reconciler.DeedStop:     "farshore-agent stop NAME: stop a stack's containers, and keep it so until it is resumed\n",
		reconciler.DeedRollback: "farshore-agent rollback NAME: go back to an earlier version of a stack that is kept on the device, and stay there until it is resumed\n",
		reconciler.DeedResume:   "farshore-agent resume NAME: release a stack: back to what the hub wants, which is also tried anew if it had failed\n",
	}[deed]
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), does+"NAME is that of `farshore-agent stacks`, or the stack's number.\n")
		fs.PrintDefaults()
	}
	data := fs.String("data", defaultData(), "data folder of the running agent")
	d := reconciler.Decision{Deed: deed, By: os.Getenv("SUDO_USER")}
	if deed != reconciler.DeedResume {
		fs.StringVar(&d.Reason, "reason", "", "why, for those who look at the hub")
	}
	if deed == reconciler.DeedRollback {
		fs.Uint64Var(&d.Version, "to", 0, "version to go back to (default: the last good one before the one that runs)")
	}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") { // NAME --reason TEXT, as well as --reason TEXT NAME
		d.Stack, args = args[0], args[1:]
	}
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE"}); err != nil {
		return err
	}
	rest := fs.Args()
	if d.Stack == "" && len(rest) > 0 {
		d.Stack, rest = rest[0], rest[1:]
	}
	if d.Stack == "" || len(rest) > 0 {
		return fmt.Errorf("%w: want the name of one stack: farshore-agent %s NAME", program.ErrUsage, deed)
	}
	if err := edgeagent.Decide(ctx, *data, d); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "Stack %s %s. `farshore-agent stacks` shows how it stands.\n", d.Stack, map[reconciler.Deed]string{
		reconciler.DeedHold:     "is held as it is, until it is resumed",
		reconciler.DeedStop:     "is being stopped, and stays so until it is resumed",
		reconciler.DeedRollback: "goes back to an earlier version, and stays there until it is resumed",
		reconciler.DeedResume:   "is released: it goes on as the hub wants it",
	}[deed])
	return err
}
