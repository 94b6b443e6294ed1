package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/farshore/farshore/economy/spending"
	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/internal/program"
	"github.com/farshore/farshore/protocol"
)

func status(ctx context.Context, args []string, out io.Writer) error {
	fs := newFlags("status")
	data := fs.String("data", defaultData(), "data folder of the running agent")
	format := fs.String("o", "text", "text or json")
	scan := fs.Bool("qr", false, "show the pairing code in large letters, and a QR code that opens the hub's page to approve the device")
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE"}); err != nil {
		return err
	}
	s, err := edgeagent.AskStatus(ctx, *data)
	if err != nil {
		return err
	}
	switch {
	case *scan && *format == "text":
		return printQR(out, s)
	case *scan:
		return fmt.Errorf("%w: --qr has no other form: -o json gives its address as approve_url", program.ErrUsage)
	}
	switch *format {
	case "json":
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(s)
	case "text":
		return printStatus(out, s)
	}
	return fmt.Errorf("%w: output %q: want text or json", program.ErrUsage, *format)
}

func printStatus(out io.Writer, s edgeagent.Status) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	line("pairing code", "%s", s.PairingCode)
	line("device", "%s", s.ID)
	if s.NoEdgeKey {
		line("state", "%s", noEdgeKey(s))
		line("agent", "%s, started %s", s.Version, ago(s.Started))
		return w.Flush()
	}
	line("hub", "%s", s.Hub)
	switch {
	case s.Waiting != nil:
		line("state", "%s", s.Waiting.State)
		if s.Waiting.Reason != "" {
			line("why", "%s", s.Waiting.Reason)
		}
		if !s.Waiting.Next.IsZero() {
			line("next knock", "%s", ago(s.Waiting.Next))
		}
	case s.Session.Connected:
		line("state", "in session over %s, last contact %s", s.Session.Carrier, ago(s.Session.LastContact))
	case s.Session.Waiting != "":
		line("state", "approved, and not in contact: %s", s.Session.Waiting)
		if !s.Session.NextTry.IsZero() {
			line("until", "%s", s.Session.NextTry.Format(minute))
		}
	default:
		line("state", "approved, hub out of reach: %s", s.Session.LastError)
		if !s.Session.NextTry.IsZero() {
			line("next try", "%s", ago(s.Session.NextTry))
		}
	}
	line("mode", "%s; ping %s, snapshot %s, commands %s", s.Mode, s.Settings.Ping, s.Settings.Snapshot, s.Settings.Command)
	if s.Engine.State == protocol.EngineRunning {
		line("engine", "%s %s, %d containers", s.Engine.Kind, s.Engine.Version, s.Containers)
	} else {
		line("engine", "%s: %s", s.Engine.State, s.Engine.Reason)
	}
	if s.Overdue != "" {
		line("capture", "overdue: %s", s.Overdue)
	}
	for _, st := range s.Stacks {
		text := fmt.Sprintf("version %d %s", st.Version, st.State)
		if st.Detail != "" {
			text += ": " + st.Detail
		}
		line(fmt.Sprintf("stack %d", st.Stack), "%s", text)
	}
	if s.Spending != nil {
		line("spending", "%s", spent(s.Spending))
	}
	if s.OutboxItems > 0 {
		line("to be sent", "%d items, %s", s.OutboxItems, program.Size(uint64(s.OutboxBytes)))
	}
	line("agent", "%s, started %s", s.Version, ago(s.Started))
	return w.Flush()
}

// spent says in a line how far the device is through its budget, and when it may use the link.
func spent(r *spending.Report) string {
	text := fmt.Sprintf("%s, %s", r.Stage, program.Size(r.Spent))
	if r.Hard != 0 {
		text += " of " + program.Size(r.Hard)
	}
	text += " until " + r.CycleEnd.Format(minute)
	switch {
	case r.Open:
	case r.Opening == nil:
		text += "; no contact any more"
	default:
		text += "; no contact until " + r.Opening.Start.Format(minute)
	}
	return text
}

// noEdgeKey says what to do for a device that was never given an edge key.
func noEdgeKey(s edgeagent.Status) string {
	if s.KeyPage != "" {
		return "no edge key yet: open " + s.KeyPage + " and enter the PIN from the agent's log, or start the agent with --edge-key-file"
	}
	return "no edge key yet: restart the agent, whose log then says where to enter one, or start it with --edge-key-file"
}

// ago gives a time relative to now.
func ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := time.Since(t).Round(time.Second)
	if d < 0 {
		return "in " + (-d).String()
	}
	return d.String() + " ago"
}
