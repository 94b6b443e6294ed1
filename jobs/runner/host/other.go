//go:build !linux

package host

import (
	"context"
	"fmt"
	"runtime"

	"github.com/farshore/farshore/jobs/runner"
)

// Run implements runner.Executor.
func (x *Executor) Run(context.Context, runner.Attempt) (runner.Exit, error) {
	return runner.Exit{}, fmt.Errorf("%w: agents on %s run no scripts on the host", runner.ErrNever, runtime.GOOS)
}

// Clear implements runner.Executor.
func (x *Executor) Clear(context.Context, uint64) error { return nil }
