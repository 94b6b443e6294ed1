// Command farshore is the operator's command line: it signs in to a hub and works with devices, stacks and commands
// through the hub's API. It keeps the address and the session in one file, and nothing else.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/farshore/farshore/internal/apiclient"
	"github.com/farshore/farshore/internal/program"
)

// Exit codes. They are documented in the help and never change.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitNotAllowed  = 4
	exitUnreachable = 5
	exitOutcome     = 6
)

var (
	// errUsage is wrapped by mistakes in the command line.
	errUsage = errors.New("usage")
	// errOutcome is wrapped where what was waited for ended otherwise than wanted.
	errOutcome = errors.New("it did not end well")
	// errNotSignedIn says that there is no hub to speak to.
	errNotSignedIn = errors.New("not signed in: run `farshore login URL --username NAME --fingerprint SHA256:…`, or set FARSHORE_URL and FARSHORE_TOKEN")
	// errNotFound is wrapped where something is not in a list of the hub.
	errNotFound = errors.New("not found")
)

func main() {
	ctx, stop := program.Context()
	code := run(ctx, &app{in: os.Stdin, out: os.Stdout, errOut: os.Stderr, getenv: os.Getenv}, os.Args[1:])
	stop()
	os.Exit(code)
}

// run runs one command line and gives its exit code.
func run(ctx context.Context, a *app, args []string) int {
	root := newRoot(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code := exitCode(ctx, err)
	var ended *exitWith
	if errors.As(err, &ended) && ended.err == nil {
		return code
	}
	if code == exitUsage {
		var u *usageError
		if errors.As(err, &u) {
			say(a.errOut, "farshore: %s\nSee `%s --help`.\n", plainLines(u.err.Error()), u.command)
			return code
		}
	}
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) && ended == nil {
		err = errors.New("interrupted")
	}
	say(a.errOut, "farshore: %s\n", plainLines(err.Error()))
	return code
}

func exitCode(ctx context.Context, err error) int {
	var p *apiclient.Problem
	var ended *exitWith
	switch {
	case errors.As(err, &ended):
		return ended.code
	case ctx.Err() != nil:
		return exitFailed
	case errors.Is(err, errUsage), errors.Is(err, apiclient.ErrConfig):
		return exitUsage
	case errors.Is(err, errOutcome):
		return exitOutcome
	case errors.Is(err, errNotSignedIn):
		return exitNotAllowed
	case errors.Is(err, errNotFound):
		return exitNotFound
	case errors.Is(err, apiclient.ErrUnreachable), errors.Is(err, apiclient.ErrUntrusted):
		return exitUnreachable
	case errors.As(err, &p) && p.Status == http.StatusServiceUnavailable: // it is stopping, or too busy
		return exitUnreachable
	case errors.As(err, &p) && p.Status == http.StatusNotFound:
		return exitNotFound
	case errors.As(err, &p) && (p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden):
		return exitNotAllowed
	}
	return exitFailed
}

// exitWith ends the program with a code of its own.
type exitWith struct {
	code int
	err  error // nil: nothing is said
}

func (e *exitWith) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitWith) Unwrap() error { return e.err }

// usageError is a mistake in the command line of one command.
type usageError struct {
	command string
	err     error
}

func (e *usageError) Error() string        { return e.err.Error() }
func (e *usageError) Is(target error) bool { return target == errUsage }

// say writes to a person; one who has gone hears nothing.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
