package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
)

// verb is one kind of command as it is typed.
type verb struct {
	use, short string
	kind       protocol.CommandKind
	target     string // what is named beside the device; "": nothing
	// Options that it knows.
	tail, signal, timeout, force bool
}

var verbs = [...]verb{
	{use: "container-start", kind: protocol.CommandContainerStart, target: "CONTAINER", short: "start a container"},
	{use: "container-stop", kind: protocol.CommandContainerStop, target: "CONTAINER", short: "stop a container", timeout: true},
	{use: "container-restart", kind: protocol.CommandContainerRestart, target: "CONTAINER", short: "restart a container", timeout: true},
	{use: "container-kill", kind: protocol.CommandContainerKill, target: "CONTAINER", short: "send a signal to a container", signal: true},
	{use: "container-rm", kind: protocol.CommandContainerRemove, target: "CONTAINER", short: "remove a container", force: true},
	{use: "container-logs", kind: protocol.CommandContainerLogs, target: "CONTAINER", short: "fetch the end of a container's log; with --wait print it", tail: true},
	{use: "image-rm", kind: protocol.CommandImageRemove, target: "IMAGE", short: "remove an image", force: true},
	{use: "volume-rm", kind: protocol.CommandVolumeRemove, target: "VOLUME", short: "remove a volume", force: true},
	{use: "stack-redeploy", kind: protocol.CommandStackRedeploy, target: "STACK", short: "apply a stack again on this device"},
	{use: "snapshot", kind: protocol.CommandSnapshot, short: "look at itself now"},
}

func (a *app) commandCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "command", Short: "ask something of a device",
		Long: `Asks something of a device. A command is queued until the device collects it, has its effect at most once, and always gets a
result. It is not started any more when --ttl has passed.`,
		Example: "  farshore command container-restart crane-1 web-1 --wait\n  farshore command container-logs crane-1 web-1 --tail 50 --wait",
	}
	for _, v := range verbs {
		c.AddCommand(a.verbCommand(v))
	}
	c.AddCommand(a.listCommandsCommand(), a.showCommandCommand(), a.withdrawCommand())
	return c
}

func (a *app) verbCommand(v verb) *cobra.Command {
	n := resource.NewCommand{Kind: v.kind}
	var ttl, stop time.Duration
	var w wait
	use, args := v.use+" DEVICE", 1
	if v.target != "" {
		use, args = use+" "+v.target, 2
	}
	cmd := &cobra.Command{
		Use: use, Short: v.short, Args: cobra.ExactArgs(args), ValidArgsFunction: a.completeTarget(v),
		RunE: func(cmd *cobra.Command, args []string) error {
			if v.target != "" {
				n.Target = args[1]
			}
			if ttl < 0 || ttl > 400*24*time.Hour || stop < 0 || stop > 24*time.Hour {
				return usage(cmd, errors.New("--ttl must be at most 9600h, --timeout at most 24h"))
			}
			n.TTLSeconds, n.TimeoutSeconds = uint32(ttl.Seconds()), uint32(stop.Seconds())
			var c resource.Command
			if err := a.call(cmd.Context(), http.MethodPost, "/devices/"+seg(args[0])+"/commands", n, &c); err != nil {
				return err
			}
			if !w.on {
				return a.printCommand(c)
			}
			return a.waitForCommand(cmd.Context(), w, c)
		},
	}
	f := cmd.Flags()
	f.DurationVar(&ttl, "ttl", 24*time.Hour, "how long it may wait for the device")
	f.BoolVar(&n.Urgent, "urgent", false, "before all others, and near a hard cap too, out of the reserve")
	if v.tail {
		f.Uint32Var(&n.Tail, "tail", 100, "lines from the end of the log")
	}
	if v.signal {
		f.StringVar(&n.Signal, "signal", "", "signal (default SIGKILL)")
	}
	if v.timeout {
		f.DurationVar(&stop, "timeout", 0, "how long the container may take to stop before it is killed (default: its own)")
	}
	if v.force {
		f.BoolVar(&n.Force, "force", false, "also where it is in use")
	}
	w.flags(cmd, "it has ended, and fail when it was not done")
	return cmd
}

// waitForCommand waits for the end and the output.
func (a *app) waitForCommand(ctx context.Context, w wait, c resource.Command) error {
	err := w.until(ctx, "command "+c.ID.String(), func(ctx context.Context) (bool, error) {
		var now resource.Command
		if err := a.get(ctx, "/commands/"+c.ID.String(), nil, &now); err != nil {
			return false, err
		}
		c = now
		return c.Final && (c.OutputLost || uint64(len(c.Output)) >= c.OutputBytes), nil
	})
	if err != nil {
		return fmt.Errorf("%w: `farshore command show %s` says how it goes on", err, c.ID)
	}
	if err := a.printCommand(c); err != nil {
		return err
	}
	if c.State != "done" {
		return fmt.Errorf("%w: command %s is %s: %s", errOutcome, c.ID, c.State, dash(c.Text))
	}
	return nil
}

func (a *app) printCommand(c resource.Command) error {
	if a.format == formatTable && c.Output != "" {
		say(a.out, "%s", plainLines(c.Output))
		if c.OutputDropped > 0 || c.OutputLost {
			say(a.errOut, "farshore: the beginning of the log was left out, or pieces were lost on the way\n")
		}
		return nil
	}
	return a.print(c, func() *table {
		t := &table{}
		t.add("command", c.ID.String())
		t.add("device", or(c.DeviceName, string(c.Device))+" ("+string(c.Device)+")")
		t.add("asks for", c.Kind+" "+c.Target)
		t.add("state", c.State+map[bool]string{true: ", being withdrawn"}[c.Withdrawing])
		if c.Text != "" {
			t.add("says", c.Text)
		}
		t.add("given", exact(c.Given)+" by "+c.By)
		if c.Final {
			t.add("ended", exact(c.Ended))
		} else {
			t.add("expires", exact(c.Expires))
		}
		return t
	})
}

func (a *app) listCommandsCommand() *cobra.Command {
	var state, device string
	var limit int
	cmd := &cobra.Command{
		Use: "ls [DEVICE]", Short: "list commands, the latest first", Args: cobra.MaximumNArgs(1), ValidArgsFunction: atFirst(a.completeDevices),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := url.Values{"limit": {fmt.Sprint(limit)}}
			switch {
			case len(args) == 1 && device != "":
				return usage(cmd, errors.New("give the device once"))
			case len(args) == 1:
				device = args[0]
			}
			if device != "" {
				q.Set("device", device)
			}
			if state != "" {
				q.Set("state", state)
			}
			var all resource.List[resource.Command]
			if err := a.get(cmd.Context(), "/commands", q, &all); err != nil {
				return err
			}
			return a.print(all.Items, func() *table {
				t := &table{head: []string{"ID", "DEVICE", "KIND", "TARGET", "STATE", "GIVEN", "BY", "SAYS"}}
				for _, c := range all.Items {
					t.add(c.ID.String(), or(c.DeviceName, string(c.Device)), c.Kind, dash(c.Target), c.State, ago(c.Given), c.By, dash(c.Text))
				}
				return t
			})
		},
	}
	cmd.Flags().StringVar(&device, "device", "", "only those for this device")
	cmd.Flags().StringVar(&state, "state", "", "only those queued, sent, done, failed, expired, interrupted, refused, withdrawn or waiting")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many, up to 1000")
	return cmd
}

func (a *app) showCommandCommand() *cobra.Command {
	var w wait
	cmd := &cobra.Command{
		Use: "show ID", Short: "show a command with its result and output", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var c resource.Command
			if err := a.get(cmd.Context(), "/commands/"+seg(args[0]), nil, &c); err != nil {
				return err
			}
			if w.on {
				return a.waitForCommand(cmd.Context(), w, c)
			}
			return a.printCommand(c)
		},
	}
	w.flags(cmd, "it has ended, and fail when it was not done")
	return cmd
}

func (a *app) withdrawCommand() *cobra.Command {
	return &cobra.Command{
		Use: "withdraw ID", Short: "take a command back that the device has not started", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var c resource.Command
			if err := a.call(cmd.Context(), http.MethodDelete, "/commands/"+seg(args[0]), nil, &c); err != nil {
				return err
			}
			return a.printCommand(c)
		},
	}
}
