// Package program has what the mains share: settings from flags, environment and file, the build's version, exit codes,
// and the context that signals end.
//
// It keeps no state beyond the version and the release keys that the linker sets.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// version is set by the linker (see the Makefile) and never changed.
var version = "dev"

// releaseKeys are public release keys, separated by commas; set by the linker and never changed.
var releaseKeys = ""

// ReleaseKeys are the public release keys that were built in, in their text form, separated by commas; "" for none.
func ReleaseKeys() string { return releaseKeys }

// Version of the build.
func Version() string { return version }

// Exit codes of hub and agent.
const (
	ExitFailed = 1
	ExitUsage  = 2
)

// Context ends at the first SIGINT or SIGTERM; a second one kills the program.
func Context() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// Logger writes to w as text or JSON, from the given level, which can be changed.
func Logger(w io.Writer, format, level string) (*slog.Logger, *slog.LevelVar, error) {
	var from slog.LevelVar
	if err := SetLevel(&from, level); err != nil {
		return nil, nil, err
	}
	opts := &slog.HandlerOptions{Level: &from}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), &from, nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), &from, nil
	}
	return nil, nil, fmt.Errorf("%w: log format %.40q: want text or json", ErrUsage, format)
}

// SetLevel changes a log's level by its name: debug, info, warn or error. The error wraps ErrUsage.
func SetLevel(to *slog.LevelVar, name string) error {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.EqualFold(name, level.String()) {
			to.Set(level)
			return nil
		}
	}
	return fmt.Errorf("%w: log level %.40q: want debug, info, warn or error", ErrUsage, name)
}

// LevelName is the name by which SetLevel knows a level.
func LevelName(of *slog.LevelVar) string { return strings.ToLower(of.Level().String()) }

// Exit prints what went wrong to w and gives the exit code.
func Exit(w io.Writer, name string, err error) int {
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, ErrUsage):
		fmt.Fprintf(w, "%s: %v\n", name, err)
		return ExitUsage
	}
	fmt.Fprintf(w, "%s: %v\n", name, err)
	return ExitFailed
}
