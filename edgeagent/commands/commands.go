// Package commands runs the commands that the hub gives to a device: one after the other, in the order in which they
// were given, urgent ones first. Redeploys of stacks, which may take long, and updates of the agent have lanes of their own.
//
// It owns the rule "at most once in effect": a command is journaled as started before it acts and as finished with its
// result before anybody is told; expired ones are never run. It never talks to the hub: results go into the outbox of
// the state. A Runner's methods may be called from anywhere; Run is called once.
package commands

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/farshore/farshore/edgeagent/update"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

// Journal is where commands and their results are made durable.
type Journal interface {
	// PendingCommands are those that were accepted and not started, in the order in which they are to run.
	PendingCommands() []protocol.Command
	StartCommand(protocol.CommandID) error
	// DelayCommand tells the hub that a command waits for what code says.
	DelayCommand(id protocol.CommandID, code string) error
	FinishCommand(r protocol.CommandResult, output []byte) error
	// StartedCommands are updates that an earlier process has begun.
	StartedCommands() []protocol.Command
}

// Updates replaces the agent's own programs.
type Updates interface {
	// Update brings an update as far as this process can, from wherever it stood; false: it goes on in the next.
	Update(ctx context.Context, c protocol.Command) (update.Outcome, bool)
}

// Containers is what is done to containers.
type Containers interface {
	ContainerStart(ctx context.Context, target string) error
	ContainerStop(ctx context.Context, target string, timeout time.Duration) error
	ContainerRestart(ctx context.Context, target string, timeout time.Duration) error
	ContainerKill(ctx context.Context, target, signal string) error
	ContainerRemove(ctx context.Context, target string, force snapshot.Force) error
	ContainerLogs(ctx context.Context, target string, tail, limit int) (out []byte, dropped uint64, err error)
}

// Stores is what is done to images and volumes.
type Stores interface {
	ImageRemove(ctx context.Context, target string, force snapshot.Force) error
	VolumeRemove(ctx context.Context, target string, force snapshot.Force) error
}

// Engine is the container engine.
type Engine interface {
	Containers
	Stores
}

// Stacks is the reconciler.
type Stacks interface {
	Redeploy(ctx context.Context, id uint64) error
	// Stopped and Started tell that a command stopped or started a container, so that it stays so.
	Stopped(target string)
	Started(target string)
}

// Jobs runs jobs.
type Jobs interface {
	// RunNow makes a job run as soon as it may, and returns the run's ID.
	RunNow(job uint64, command protocol.CommandID) (run uint64, err error)
	// Cancel ends a run, and returns its state.
	Cancel(run uint64) (protocol.JobState, error)
	// CancelAll ends what is under way of a job or waits, and returns how many runs that are.
	CancelAll(job uint64) (int, error)
	// Output queues output of a run for the hub, and returns how many bytes that is.
	Output(protocol.JobAsk) (uint64, error)
}

// Limits of a command.
const (
	// DefaultTimeout bounds what an engine takes for one command, beside the time that a stop may take.
	DefaultTimeout = 2 * time.Minute
	// DefaultRedeployTimeout bounds a redeploy, images included.
	DefaultRedeployTimeout = 2 * time.Hour
	// DefaultTail and MaxTail are how many lines of log are wanted when the command does not say, and at most.
	DefaultTail = 100
	MaxTail     = 10_000
	// storeAgain is the pause after the journal could not be written.
	storeAgain = 10 * time.Second
	// stopDefault is the longest that a container's own stop timeout is waited for.
	stopDefault = time.Minute
)

// Config is what New needs. Journal, Engine, Stacks, Snapshot, HubTime and Log are required.
type Config struct {
	Journal Journal
	Engine  Engine
	Stacks  Stacks
	// Snapshot captures the device's state at once.
	Snapshot func(ctx context.Context) error
	// HubTime is the time by the hub's clock; false while it is not known, as after a reboot without contact. A
	// command waits until it is known that it has not expired.
	HubTime func() (time.Time, bool)
	// Holds reports whether only urgent commands are started now; changed is closed when that may be otherwise. Nil: never.
	Holds func() (holds bool, changed <-chan struct{})
	// Updates replaces the agent's own programs. Nil: updates are refused.
	Updates Updates
	// Jobs runs jobs. Nil: commands about them are refused.
	Jobs Jobs
	// Gate is passed for each command but redeploys and updates. Nil: there is none.
	Gate *update.Gate
	// Timeout and RedeployTimeout; 0: the defaults.
	Timeout, RedeployTimeout time.Duration
	Log                      *slog.Logger
}

// Runner runs commands.
type Runner struct {
	cfg   Config
	lanes [3]lane
}

// lane is one sequence of commands.
type lane struct {
	wake chan struct{}
	mine func(protocol.CommandKind) bool
	told map[protocol.CommandID]bool // the hub was told that they wait; owned by serve
}

// New returns a Runner; Run starts it.
func New(cfg Config) *Runner {
	cfg.Timeout = cmp.Or(cfg.Timeout, DefaultTimeout)
	cfg.RedeployTimeout = cmp.Or(cfg.RedeployTimeout, DefaultRedeployTimeout)
	long := func(k protocol.CommandKind) bool { return k == protocol.CommandStackRedeploy }
	updates := func(k protocol.CommandKind) bool { return k == protocol.CommandUpdate }
	short := func(k protocol.CommandKind) bool { return !long(k) && !updates(k) }
	return &Runner{cfg: cfg, lanes: [3]lane{
		newLane(short), newLane(long), newLane(updates),
	}}
}

func newLane(mine func(protocol.CommandKind) bool) lane {
	return lane{wake: make(chan struct{}, 1), mine: mine, told: map[protocol.CommandID]bool{}}
}

// Wake tells that there may be new commands, or that the hub's time has become known.
func (r *Runner) Wake() {
	for _, l := range r.lanes {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// Run runs commands until ctx is done. A command that is running then is finished as interrupted.
func (r *Runner) Run(ctx context.Context) error {
	var wait sync.WaitGroup
	for _, l := range r.lanes {
		wait.Go(func() { r.serve(ctx, l) })
	}
	wait.Wait()
	return nil
}

func (r *Runner) serve(ctx context.Context, l lane) {
	if l.mine(protocol.CommandUpdate) && r.cfg.Updates != nil {
		for _, c := range r.cfg.Journal.StartedCommands() {
			r.update(ctx, c)
		}
	}
	for ctx.Err() == nil {
		c, ok, held := r.next(l)
		if !ok {
			held.wait(ctx, l)
			continue
		}
		if !r.handle(ctx, c) {
			select {
			case <-ctx.Done():
			case <-time.After(storeAgain):
			}
		}
	}
}

// next is the lane's first command that can be decided: without the hub's time none can. Where it is none, held says what
// is waited for besides a wake.
func (r *Runner) next(l lane) (c protocol.Command, ok bool, held held) {
	now, known := r.cfg.HubTime()
	if !known {
		return c, false, held
	}
	holds := false
	if r.cfg.Holds != nil {
		holds, held.changed = r.cfg.Holds()
	}
	if !holds {
		clear(l.told)
	}
	for _, c := range r.cfg.Journal.PendingCommands() {
		if !l.mine(c.Kind) {
			continue
		}
		expires := time.Unix(c.NotAfter+1, 0).Sub(now)
		if !holds || c.Urgent || expires <= 0 {
			return c, true, held
		}
		held.add(expires)
		r.delay(l, c)
	}
	return c, false, held
}

// handle brings one command to its result. False: the journal could not be written, and nothing was done.
func (r *Runner) handle(ctx context.Context, c protocol.Command) bool {
	log := r.cfg.Log.With("command", c.ID.String(), "kind", c.Kind.String())
	now, known := r.cfg.HubTime()
	if !known {
		return true // asked again at the next wake
	}
	if now.Unix() > c.NotAfter {
		log.Info("command expired before it was started")
		return r.finish(ctx, log, outcome{result: protocol.CommandResult{ID: c.ID, State: protocol.CommandExpired}})
	}
	if text := r.refuse(c); text != "" {
		log.Warn("command refused", "reason", text)
		return r.finish(ctx, log, outcome{result: protocol.CommandResult{ID: c.ID, State: protocol.CommandRefused, Text: text}})
	}
	if r.cfg.Gate != nil && c.Kind != protocol.CommandStackRedeploy && c.Kind != protocol.CommandUpdate {
		leave, err := r.cfg.Gate.Enter(ctx)
		if err != nil {
			return true
		}
		defer leave()
	}
	if err := r.cfg.Journal.StartCommand(c.ID); err != nil {
		log.Warn("command is not started, as that could not be journaled", "error", err)
		return false
	}
	if c.Kind == protocol.CommandUpdate {
		r.update(ctx, c)
		return true
	}
	limit := r.cfg.Timeout + stopTime(c)
	if c.Kind == protocol.CommandStackRedeploy {
		limit = r.cfg.RedeployTimeout
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out := r.act(limited, c)
	out.result.ID = c.ID
	switch {
	case out.err == nil:
		out.result.State = protocol.CommandDone
	case ctx.Err() != nil:
		out.result.State = protocol.CommandInterrupted
		out.result.Text = "the agent was stopped while the command ran: it may or may not have had its effect"
	case errors.Is(out.err, context.DeadlineExceeded):
		out.result.State = protocol.CommandInterrupted
		out.result.Text = "it took longer than " + limit.String() + " and was given up: it may or may not have had its effect"
	default:
		out.result.State, out.result.Text = protocol.CommandFailed, out.err.Error()
	}
	log.Info("command ended", "state", out.result.State.String(), "text", out.result.Text)
	r.finish(ctx, log, out)
	return true
}

// update brings an update as far as this process can.
func (r *Runner) update(ctx context.Context, c protocol.Command) {
	log := r.cfg.Log.With("command", c.ID.String(), "kind", c.Kind.String())
	out, ended := r.cfg.Updates.Update(ctx, c)
	if !ended {
		return
	}
	log.Info("command ended", "state", out.Result.State.String(), "text", out.Result.Text)
	r.finish(ctx, log, outcome{result: out.Result, output: out.Output})
}

// finish journals a result until that works. When ctx ends first, a started command gets the result "interrupted" at
// the next start of the agent, and one that was not started is decided again.
func (r *Runner) finish(ctx context.Context, log *slog.Logger, out outcome) bool {
	for {
		err := r.cfg.Journal.FinishCommand(out.result, out.output)
		if err == nil {
			return true
		}
		log.Error("the result of a command cannot be journaled", "error", err)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(storeAgain):
		}
	}
}
