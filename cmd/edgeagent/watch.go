package main

import (
	"context"
	"fmt"
	"io"

	"github.com/farshore/farshore/edgeagent"
	"github.com/farshore/farshore/internal/program"
)

// health is for supervisors of containers. An agent that answers is well: that its hub, its engine or an edge key is
// missing is not mended by starting it again.
func health(ctx context.Context, args []string, out io.Writer) error {
	fs := newFlags("health")
	data := fs.String("data", defaultData(), "data folder of the running agent")
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE"}); err != nil {
		return err
	}
	s, err := edgeagent.AskStatus(ctx, *data)
	if err != nil {
		return err
	}
	state := "hub out of reach"
	switch {
	case s.NoEdgeKey:
		state = "no edge key yet"
	case s.Waiting != nil:
		state = "waiting to be approved"
	case s.Session.Connected:
		state = "in session"
	case s.Session.Waiting != "":
		state = "not in contact: " + s.Session.Waiting
	}
	_, err = fmt.Fprintf(out, "running, %s\n", state)
	return err
}

func logLevel(ctx context.Context, args []string, out io.Writer) error {
	fs := newFlags("log-level")
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), "farshore-agent log-level [LEVEL]: show or change the level, debug, info, warn or error, until the agent is started again\n")
		fs.PrintDefaults()
	}
	data := fs.String("data", defaultData(), "data folder of the running agent")
	if err := program.Parse(fs, args, program.Source{Prefix: "FARSHORE"}); err != nil {
		return err
	}
	if fs.NArg() > 1 {
		return fmt.Errorf("%w: unexpected %q: --data goes before the level", program.ErrUsage, fs.Arg(1))
	}
	now, err := edgeagent.AskLogLevel(ctx, *data, fs.Arg(0))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, now)
	return err
}
