//go:build !linux

package update

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
)

// LaunchConfig is as on Linux.
type LaunchConfig struct {
	Data, Self string
	Args       []string
	Output     io.Writer
	Signals    <-chan os.Signal
	Log        *slog.Logger
}

// ErrSelf: the installed program itself is to run.
var ErrSelf = errors.New("the installed program runs")

// ExitError is the exit code of a program that has ended.
type ExitError struct{ Code int }

// Error implements error.
func (e *ExitError) Error() string { return fmt.Sprintf("the agent ended with code %d", e.Code) }

// Launch runs the installed program: an agent updates itself on Linux alone.
func Launch(context.Context, LaunchConfig) error { return ErrSelf }

// Relaunch is not needed where nothing is updated.
func Relaunch([]string) error { return errors.New("an agent updates itself on Linux alone") }

func cannot(*Config) string { return "An agent updates itself on Linux alone." }

func freeBytes(string) (uint64, error) { return 0, errors.ErrUnsupported }
