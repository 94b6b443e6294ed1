package edgeagent

import (
	"context"
	"fmt"

	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/protocol/sealed"
	"github.com/farshore/farshore/stacks/reconciler"
)

// assembleJobs makes what runs jobs.
func (a *Agent) assembleJobs() error {
	cfg := &a.cfg
	if cfg.HostJobs == nil {
		cfg.HostJobs = noJobs("on the host")
	}
	if cfg.ContainerJobs == nil {
		cfg.ContainerJobs = noJobs("in containers")
	}
	if cfg.JobOutputs == nil {
		cfg.JobOutputs = &runner.Memory{}
	}
	key := a.state.Identity().Key
	a.jobs = runner.New(runner.Config{
		State: a.state, Device: a.ID(), Host: cfg.HostJobs, Container: cfg.ContainerJobs, Outputs: cfg.JobOutputs,
		Fetch:       a.fetchJob,
		OpenSecrets: func(e *protocol.Entry) (protocol.Secrets, error) { return sealed.OpenSecrets(key, e) },
		OpenAccess:  func(e *protocol.Entry) (protocol.RegistryAccess, error) { return sealed.OpenAccess(key, e) },
		Now:         a.exchange.Clock().Now, Log: a.log,
	})
	return nil
}

// fetchJob brings a job's script to the device.
func (a *Agent) fetchJob(ctx context.Context, e *protocol.Entry) error {
	var files []reconciler.FetchFile
	for _, f := range e.Files {
		files = append(files, reconciler.FetchFile{File: f})
	}
	return a.exchange.Fetch(ctx, files)
}

// noJobs is the executor of a device that runs no jobs of a kind.
type noJobs string

// Run implements runner.Executor.
func (n noJobs) Run(context.Context, runner.Attempt) (runner.Exit, error) {
	return runner.Exit{}, fmt.Errorf("%w: its agent runs no jobs %s", runner.ErrNever, string(n))
}

// Clear implements runner.Executor.
func (noJobs) Clear(context.Context, uint64) error { return nil }
