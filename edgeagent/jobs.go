package edgeagent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"

	"github.com/farshore/farshore/edgeagent/engine"
	"github.com/farshore/farshore/edgeagent/state"
	"github.com/farshore/farshore/edgeagent/update"
	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/jobs/runner/host"
	"github.com/farshore/farshore/jobs/runner/outputs"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/protocol/sealed"
	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/stacks/reconciler"
)

// JobKinds says which kinds of jobs a device runs.
type JobKinds string

// The kinds.
const (
	JobsAll        JobKinds = "all"
	JobsContainers JobKinds = "containers" // none on the host
	JobsOff        JobKinds = "off"
)

// ParseJobKinds reads what somebody at the device has set.
func ParseJobKinds(text string) (JobKinds, error) {
	switch k := JobKinds(text); k {
	case "":
		return JobsAll, nil
	case JobsAll, JobsContainers, JobsOff:
		return k, nil
	}
	return "", fmt.Errorf("jobs %.40q: want all, containers or off", text)
}

// assembleJobs makes what runs jobs.
func (a *Agent) assembleJobs(gate *update.Gate) error {
	cfg := &a.cfg
	if err := a.realJobs(); err != nil {
		return err
	}
	if cfg.HostJobs == nil || cfg.Jobs == JobsContainers || cfg.Jobs == JobsOff {
		cfg.HostJobs = noJobs{"on the host", cfg.HostJobs}
	}
	if cfg.ContainerJobs == nil || cfg.Jobs == JobsOff {
		cfg.ContainerJobs = noJobs{"in containers", cfg.ContainerJobs}
	}
	if cfg.JobOutputs == nil {
		cfg.JobOutputs = &runner.Memory{}
	}
	key := a.state.Identity().Key
	a.jobs = runner.New(runner.Config{
		State: newJobState(a.state, a.images, a.log), Device: a.ID(), Host: cfg.HostJobs, Container: containerJobs{cfg.ContainerJobs, a}, Outputs: cfg.JobOutputs,
		Fetch: a.fetchJob, Enter: gate.TryEnter,
		OpenSecrets: func(e *protocol.Entry) (protocol.Secrets, error) { return sealed.OpenSecrets(key, e) },
		OpenAccess:  func(e *protocol.Entry) (protocol.RegistryAccess, error) { return sealed.OpenAccess(key, e) },
		Now:         a.exchange.Clock().Now, Log: a.log,
	})
	return nil
}

// realJobs makes what runs jobs on a device, and keeps what they write, where it is not given. Without a folder there is
// nothing of it.
func (a *Agent) realJobs() error {
	cfg := &a.cfg
	if cfg.Data == "" {
		return nil
	}
	if cfg.HostJobs == nil {
		cfg.HostJobs = host.New(host.Config{Dir: filepath.Join(cfg.Data, runsFolder), Device: a.ID(), Root: cfg.HostRoot, Log: a.log})
	}
	if e, ok := cfg.Engine.(*engine.Engine); ok && cfg.ContainerJobs == nil {
		cfg.ContainerJobs = e.JobExecutor(a.ID())
	}
	if cfg.JobOutputs == nil {
		o, err := outputs.New(outputs.Config{Dir: filepath.Join(cfg.Data, outputsFolder), Log: a.log})
		if err != nil {
			return err
		}
		cfg.JobOutputs = o
	}
	return nil
}

// jobState is the state as the runner needs it: what is not needed any more after a change of jobs is removed.
type jobState struct {
	*state.Store
	images  *images
	log     *slog.Logger
	entries map[uint64]protocol.Hash // by job; the runner writes one change at a time
}

func newJobState(s *state.Store, images *images, log *slog.Logger) *jobState {
	j := &jobState{Store: s, images: images, log: log, entries: map[uint64]protocol.Hash{}}
	for _, c := range s.Jobs().Cursors {
		j.entries[c.Job] = c.Entry
	}
	return j
}

// PutJobs implements runner.State.
func (j *jobState) PutJobs(c runner.Change) error {
	if err := j.Store.PutJobs(c); err != nil {
		return err
	}
	left := len(c.DropCursors) > 0
	for _, id := range c.DropCursors {
		delete(j.entries, id)
	}
	for _, cursor := range c.Cursors {
		was, known := j.entries[cursor.Job]
		left = left || known && was != cursor.Entry
		j.entries[cursor.Job] = cursor.Entry
	}
	if !left {
		return nil
	}
	err := j.CollectBlobs()
	if j.images != nil {
		err = errors.Join(err, j.images.keep())
	}
	if err != nil {
		j.log.Warn("what a job does not need any more cannot be removed, and is the next time", "error", err)
	}
	return nil
}

// jobIDs are the jobs of the desired set.
func (a *Agent) jobIDs() (ids []uint64) {
	for _, e := range a.state.Desired() {
		if e.Kind == protocol.EntryJob {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// jobVersion is the version of a job that is desired, 0 where it is none any more.
func (a *Agent) jobVersion(id uint64) uint64 {
	for _, e := range a.state.Desired() {
		if e.Kind == protocol.EntryJob && e.ID == id {
			return e.Version
		}
	}
	return 0
}

// fetchJob brings a job's script and image to the device.
func (a *Agent) fetchJob(ctx context.Context, e *protocol.Entry) error {
	var files []reconciler.FetchFile
	for _, f := range e.Files {
		if !a.state.HasBlob(f.Hash) {
			files = append(files, reconciler.FetchFile{File: f})
		}
	}
	if len(files) > 0 {
		if err := a.exchange.Fetch(ctx, files); err != nil {
			return err
		}
	}
	puller, pulls := a.cfg.ContainerJobs.(imagePuller)
	if _, none := a.cfg.ContainerJobs.(noJobs); none || e.Job.Container == nil || !a.bringsImages() && !pulls {
		return nil
	}
	access, err := sealed.OpenAccess(a.state.Identity().Key, e)
	if err != nil {
		return fmt.Errorf("how registries let the device in cannot be read: %w", err)
	}
	if !a.bringsImages() {
		return puller.Pull(ctx, e.Job.Container, access)
	}
	return a.bringJob(ctx, jobImage{e.ID, e.Version, e.Name, e.Job.Container, access})
}

// imagePuller has an engine pull the image of a job, as its policy says.
type imagePuller interface {
	Pull(ctx context.Context, c *protocol.JobContainer, access protocol.RegistryAccess) error
}

// bringsImages reports whether the agent gets images in the engine's stead now.
func (a *Agent) bringsImages() bool { return a.depot != nil && a.imagesByAgent() }

// jobImage is the image of a job.
type jobImage struct {
	job, version uint64
	name         string
	container    *protocol.JobContainer
	access       protocol.RegistryAccess
}

// bringJob brings an image through the agent.
func (a *Agent) bringJob(ctx context.Context, i jobImage) error {
	policy := ipc.PullMissing
	switch i.container.Pull {
	case protocol.PullAlways:
		policy = ipc.PullAlways
	case protocol.PullNever:
		policy = ipc.PullNever
	}
	_, err := a.depot.Bring(ctx, reconciler.ImageOrder{
		Stack: i.job | ofJob, Version: i.version, Access: i.access,
		Images: []ipc.Image{{Ref: i.container.Image, Policy: policy, Service: i.name}},
	})
	return err
}

// containerJobs has the images of runs brought by the agent where the engine shall not ask for them itself. A run's image was
// fetched before, as its policy says: here only one that has gone since is.
type containerJobs struct {
	runner.Executor
	agent *Agent
}

// Run implements runner.Executor.
func (c containerJobs) Run(ctx context.Context, at runner.Attempt) (runner.Exit, error) {
	_, none := c.Executor.(noJobs)
	brings := !none && c.agent.bringsImages()
	if _, pulls := c.Executor.(imagePuller); at.Spec.Container != nil && at.Spec.Container.Pull == protocol.PullAlways && (brings || pulls) {
		container := *at.Spec.Container
		container.Pull, at.Spec.Container = protocol.PullMissing, &container
	}
	if brings {
		if err := c.agent.bringJob(ctx, jobImage{at.Job, c.agent.jobVersion(at.Job), at.Name, at.Spec.Container, at.Access}); err != nil {
			return runner.Exit{}, err
		}
		container := *at.Spec.Container
		if tagged, ok := ipc.Pinned(container.Image); ok {
			container.Image = tagged
		}
		container.Pull, at.Spec.Container = protocol.PullNever, &container
	}
	return c.Executor.Run(ctx, at)
}

// noJobs is the executor of a device that runs no jobs of a kind. It may have before.
type noJobs struct {
	where  string
	before runner.Executor // nil: it never could
}

// Run implements runner.Executor.
func (n noJobs) Run(context.Context, runner.Attempt) (runner.Exit, error) {
	return runner.Exit{}, fmt.Errorf("%w: its agent runs no jobs %s, as somebody at the device has set it (--jobs)", runner.ErrNever, n.where)
}

// Clear implements runner.Executor.
func (n noJobs) Clear(ctx context.Context, run uint64) error {
	if n.before == nil {
		return nil
	}
	return n.before.Clear(ctx, run)
}

// localJobs answers how the jobs of the device stand.
func (a *Agent) localJobs(w http.ResponseWriter, _ *http.Request) {
	if !a.assembled.Load() {
		http.Error(w, ErrNoEdgeKey.Error(), http.StatusConflict)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(a.jobs.List()); err != nil {
		a.log.Debug("answer was not read to the end", "error", err)
	}
}

// AskJobs asks the agent that runs with the data folder how its jobs stand. The error wraps ErrNotRunning where no agent
// answers.
func AskJobs(ctx context.Context, data string) (list []runner.Local, err error) {
	body, err := askLocal(ctx, data, http.MethodGet, "/jobs")
	if err == nil {
		err = json.Unmarshal(body, &list)
	}
	return list, refusal(err)
}
