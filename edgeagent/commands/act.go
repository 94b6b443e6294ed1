package commands

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

// outcome is what came of a command.
type outcome struct {
	result protocol.CommandResult
	output []byte
	err    error
}

var reSignal = regexp.MustCompile(`^(SIG)?[A-Z0-9+-]{1,12}$`)

// refuse says why the device will not try a command; "" when it will.
func (r *Runner) refuse(c protocol.Command) string {
	switch {
	case c.Kind < protocol.CommandContainerStart || c.Kind > protocol.CommandJobOutput:
		return fmt.Sprintf("this agent does not know %s: update it", c.Kind)
	case c.Kind == protocol.CommandUpdate && r.cfg.Updates == nil:
		return "this agent cannot update itself"
	case c.Kind == protocol.CommandUpdate:
		return ""
	case c.Kind == protocol.CommandSnapshot:
		return ""
	case aboutJobs(c.Kind) && r.cfg.Jobs == nil:
		return "this agent runs no jobs"
	case aboutJobs(c.Kind) && c.Job == nil:
		return fmt.Sprintf("%s names no job and no run", c.Kind)
	case aboutJobs(c.Kind):
		return ""
	case c.Target == "":
		return fmt.Sprintf("%s names no target: give the name or id of what is meant", c.Kind)
	case c.Kind == protocol.CommandStackRedeploy && stackID(c.Target) == 0:
		return fmt.Sprintf("stack %.40q: want the stack's number", c.Target)
	case c.Kind == protocol.CommandContainerKill && c.Signal != "" && !reSignal.MatchString(c.Signal):
		return fmt.Sprintf("signal %.40q: want a name such as SIGHUP, or a number", c.Signal)
	}
	return ""
}

// aboutJobs reports whether a command is about a job.
func aboutJobs(k protocol.CommandKind) bool {
	return k == protocol.CommandJobRun || k == protocol.CommandJobCancel || k == protocol.CommandJobOutput
}

func stackID(target string) uint64 {
	id, err := strconv.ParseUint(target, 10, 64)
	if err != nil {
		return 0
	}
	return id
}

// stopTime is how long a stop may take before the engine kills.
func stopTime(c protocol.Command) time.Duration {
	if c.Timeout != 0 {
		return time.Duration(c.Timeout) * time.Second
	}
	return stopDefault
}

// act has the command's effect.
func (r *Runner) act(ctx context.Context, c protocol.Command) (out outcome) {
	e := r.cfg.Engine
	timeout := time.Duration(c.Timeout) * time.Second
	force := snapshot.Force(c.Force)
	switch c.Kind {
	case protocol.CommandContainerStart:
		if out.err = e.ContainerStart(ctx, c.Target); out.err == nil {
			r.cfg.Stacks.Started(c.Target)
		}
	case protocol.CommandContainerStop:
		if out.err = e.ContainerStop(ctx, c.Target, timeout); out.err == nil {
			r.cfg.Stacks.Stopped(c.Target)
		}
	case protocol.CommandContainerRestart:
		if out.err = e.ContainerRestart(ctx, c.Target, timeout); out.err == nil {
			r.cfg.Stacks.Started(c.Target)
		}
	case protocol.CommandContainerKill:
		signal := c.Signal
		if signal == "" {
			signal = "SIGKILL"
		}
		if out.err = e.ContainerKill(ctx, c.Target, signal); out.err == nil && ends(signal) {
			r.cfg.Stacks.Stopped(c.Target)
		}
	case protocol.CommandContainerRemove:
		out.err = e.ContainerRemove(ctx, c.Target, force)
	case protocol.CommandContainerLogs:
		tail := int(min(c.Tail, MaxTail))
		if tail == 0 {
			tail = DefaultTail
		}
		out.output, out.result.OutputDropped, out.err = e.ContainerLogs(ctx, c.Target, tail, protocol.MaxOutput)
	case protocol.CommandStackRedeploy:
		out.err = r.cfg.Stacks.Redeploy(ctx, stackID(c.Target))
	case protocol.CommandImageRemove:
		out.err = e.ImageRemove(ctx, c.Target, force)
	case protocol.CommandVolumeRemove:
		out.err = e.VolumeRemove(ctx, c.Target, force)
	case protocol.CommandSnapshot:
		out.err = r.cfg.Snapshot(ctx)
	case protocol.CommandJobRun:
		var run uint64
		if run, out.err = r.cfg.Jobs.RunNow(c.Job.Job, c.ID); out.err == nil {
			out.result.Text = fmt.Sprintf("It is run %d.", run)
		}
	case protocol.CommandJobCancel:
		if c.Job.Run == 0 {
			var n int
			if n, out.err = r.cfg.Jobs.CancelAll(c.Job.Job); out.err == nil {
				out.result.Text = fmt.Sprintf("%d runs were under way or waited.", n)
			}
			break
		}
		var state protocol.JobState
		if state, out.err = r.cfg.Jobs.Cancel(c.Job.Run); out.err == nil && state != protocol.JobCancelled {
			out.result.Text = fmt.Sprintf("It was over before: %s.", state)
		}
	case protocol.CommandJobOutput:
		var n uint64
		if n, out.err = r.cfg.Jobs.Output(*c.Job); out.err == nil {
			out.result.Text = fmt.Sprintf("%d bytes of output follow.", n)
		}
	}
	return out
}

// ends reports whether a signal is one that is meant to end a container for good.
func ends(signal string) bool {
	switch signal {
	case "SIGKILL", "KILL", "9", "SIGTERM", "TERM", "15", "SIGINT", "INT", "2", "SIGQUIT", "QUIT", "3":
		return true
	}
	return false
}
