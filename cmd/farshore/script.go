package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/protocol"
)

// Exit codes of `script`, beside those of scripts.
const (
	exitNotRun      = 125 // it did not run, or nobody knows how it ended
	exitSignalled   = 128 // and the signal's number
	exitInterrupted = exitSignalled + int(unix.SIGINT)
)

// oneLiner runs its arguments.
const oneLiner = "#!/bin/sh\nexec \"$@\"\n"

// scriptFlags say what runs.
type scriptFlags struct {
	run              resource.RunScript
	container        resource.JobContainer
	file             string
	env, secret      []string
	timeout, howLong time.Duration
}

func (a *app) scriptCommand() *cobra.Command {
	var s scriptFlags
	cmd := &cobra.Command{
		Use: "script DEVICE [-f FILE] [-- COMMAND…]", Short: "run a script once on a device, and show what it writes", Args: cobra.MinimumNArgs(1), ValidArgsFunction: atFirst(a.completeDevices),
		Long: `Runs a script once on a device, on the host or in a container of --image, and shows what it writes as it comes. After -- comes a
command with its arguments, or, with -f, the arguments of the script. A device that is away runs it when it comes back within --wait.

The exit code is the script's own; 128 and the number of the signal that ended it; 125 where it did not run, or nothing is known
of its end. Ctrl-C leaves it running, and says how it is cancelled. The audit trail has size and hash of the script, not its text.`,
		Example: `  farshore script crane-1 -- df -h /
  farshore script crane-1 -f check.sh --timeout 5m -- --verbose
  farshore script crane-1 --image alpine:3.22 --env A=b -- sh -c 'echo $A'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			dash := cmd.ArgsLenAtDash()
			if dash < 0 {
				dash = len(args)
			}
			if dash != 1 {
				return usage(cmd, errors.New("want one device, and what it runs after --: farshore script DEVICE -- COMMAND"))
			}
			if err := s.read(cmd, a, args[1:]); err != nil {
				return err
			}
			return notOwn(cmd.Context(), a.runScript(cmd.Context(), args[0], &s.run))
		},
	}
	f := cmd.Flags()
	f.StringVarP(&s.file, "file", "f", "", "the script; - is standard input")
	f.DurationVar(&s.timeout, "timeout", time.Hour, "how long it may take before it is killed")
	f.DurationVar(&s.howLong, "wait", 15*time.Minute, "how long the device may take to hear of it")
	f.StringVar(&s.run.User, "user", "", "that it runs as (default: on the host the agent's, in a container the image's)")
	f.StringVar(&s.run.Dir, "dir", "", "working folder (default: on the host one of its own, in a container the image's)")
	f.StringVar(&s.container.Image, "image", "", "in a container of this image; without a command and -f its own program is run (default: on the host)")
	f.StringArrayVar(&s.env, "env", nil, "variable, NAME=VALUE; can be repeated")
	f.StringArrayVar(&s.secret, "secret-env", nil, "secret variable: NAME=FILE has its value (- is standard input), NAME takes it from the environment; can be repeated")
	return cmd
}

// read reads what runs; args follow the --.
func (s *scriptFlags) read(cmd *cobra.Command, a *app, args []string) (err error) {
	if s.timeout < time.Second || s.timeout > 30*24*time.Hour || s.howLong < time.Second || s.howLong > 400*24*time.Hour {
		return usage(cmd, errors.New("--timeout must be from 1s to 720h, --wait from 1s to 9600h"))
	}
	s.run.TimeoutSeconds, s.run.WaitSeconds = uint32(s.timeout.Seconds()), uint32(s.howLong.Seconds())
	s.run.Args = args
	switch {
	case s.file == "-":
		raw, err := a.readAll("-", protocol.MaxScript)
		if err != nil {
			return fmt.Errorf("read script: %w", err)
		}
		if s.run.Script, err = scriptText("standard input", raw); err != nil {
			return err
		}
	case s.file != "":
		if s.run.Script, err = readScript(s.file); err != nil {
			return err
		}
	case len(args) > 0:
		s.run.Script = oneLiner
	case s.container.Image == "":
		return usage(cmd, errors.New("nothing to run: give a command after --, or a script with -f"))
	}
	if s.container.Image != "" {
		s.run.Container = &s.container
	}
	if s.run.Env, err = readEnv(cmd, "", s.env); err != nil {
		return err
	}
	s.run.Env, s.run.Secret, err = a.secretEnv(cmd, s.secret, s.run.Env, nil)
	return err
}

// notOwn gives what is not the script's own end the code that says so.
func notOwn(ctx context.Context, err error) error {
	var ended *exitWith
	switch {
	case err == nil || errors.As(err, &ended) || errors.Is(err, errUsage):
		return err
	case ctx.Err() != nil:
		return &exitWith{exitInterrupted, err}
	}
	return &exitWith{exitNotRun, err}
}

func (a *app) runScript(ctx context.Context, device string, run *resource.RunScript) error {
	var d resource.Device
	if err := a.get(ctx, "/devices/"+seg(device), nil, &d); err != nil {
		return err
	}
	var made resource.ScriptRun
	if err := a.call(ctx, http.MethodPost, "/devices/"+seg(string(d.ID))+"/script", run, &made); err != nil {
		return err
	}
	if !d.Liveness.Connected {
		when := "when it is in contact"
		if d.Liveness.NextContact.After(time.Now()) {
			when += ", expected " + ago(d.Liveness.NextContact)
		}
		say(a.errOut, "farshore: %s is not connected: it hears of this %s, and does not begin after %s\n", plain(d.Name), when, exact(made.Expires))
	}
	r, err := a.awaitScript(ctx, &made)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("it may still run, as %s: `farshore jobs rm %s --yes` takes it back, `farshore jobs output %s --device %s -f` shows what it writes", made.Job, made.Job, made.Job, device)
		}
		return err
	}
	f := follower{a: a, job: made.Job, run: r, stdout: tap{name: "stdout", to: a.out}, stderr: tap{name: "stderr", to: a.errOut}}
	if a.format != formatTable {
		f.stdout.to, f.stderr.to = nil, nil
	}
	if err := f.follow(ctx); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("it goes on, as %s: `farshore jobs cancel %s --device %s` ends it, `farshore jobs output %s --device %s -f` shows what it writes", made.Job, made.Job, device, made.Job, device)
		}
		return fmt.Errorf("%w: it goes on: `farshore jobs runs %s` says what comes of it", err, made.Job)
	}
	if a.format != formatTable {
		if err := a.printOutput(ctx, made.Job, f.run); err != nil {
			return err
		}
	}
	return scriptEnd(f.run)
}

// slowToTell is how long a device that began in time may take to tell.
const slowToTell = 5 * time.Second

// awaitScript waits until the device has begun, or never will.
func (a *app) awaitScript(ctx context.Context, made *resource.ScriptRun) (r *resource.JobRun, err error) {
	w := wait{timeout: time.Until(made.Expires) + slowToTell}
	err = w.until(ctx, "script "+made.Job, func(ctx context.Context) (bool, error) {
		var page resource.JobRuns
		if err := a.get(ctx, jobPath(made.Job)+"/runs", url.Values{"limit": {"1"}}, &page); err != nil {
			return false, err
		}
		if len(page.Items) == 0 {
			return false, nil
		}
		r = &page.Items[0]
		return true, nil
	})
	if errors.Is(err, errOutcome) {
		err = fmt.Errorf("the device did not hear of it in time, or has not told of it yet: `farshore jobs runs %s` says when it does", made.Job)
	}
	return r, err
}

// scriptEnd is what a script's run gives as the end of this program.
func scriptEnd(r *resource.JobRun) error {
	switch number := int(unix.SignalNum(r.Signal)); {
	case r.State == protocol.JobDone:
		return nil
	case r.Signal != "" && number > 0:
		return &exitWith{exitSignalled + number, errors.New(strings.TrimSpace(ended(r) + ". " + r.Text))}
	case r.State == protocol.JobFailed && r.Code > 0 && r.Code < 256:
		return &exitWith{int(r.Code), nil}
	}
	return &exitWith{exitNotRun, fmt.Errorf("the script came to no end of its own: %s: %s", ended(r), dash(r.Text))}
}
