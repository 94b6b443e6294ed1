package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/client"

	"github.com/farshore/farshore/internal/script"
	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

// Labels of a run's container.
const (
	LabelRun    = snapshot.LabelRun
	LabelJob    = "farshore.job"
	LabelDevice = "farshore.device"
)

// How long things may take at the end of a run, and the engine be away in the middle of it.
const (
	jobGentle   = 10 * time.Second
	jobCleaning = 60 * time.Second
	jobPatience = time.Minute
)

// scriptPath is where a run's script is in its container. It is copied in: neither the agent nor the engine need see the
// other's files.
const scriptPath = "/farshore-script"

// JobExecutor runs jobs in containers: one for each attempt, removed with its anonymous volumes when it is over. It
// implements runner.Executor, and is safe for concurrent use. A device has one.
type JobExecutor struct {
	e      *Engine
	device protocol.DeviceID

	mu     sync.Mutex
	active map[uint64]bool // runs that have a container by right
}

// JobExecutor returns what runs jobs on this engine.
func (e *Engine) JobExecutor(device protocol.DeviceID) *JobExecutor {
	return &JobExecutor{e: e, device: device, active: map[uint64]bool{}}
}

// Run implements runner.Executor.
func (x *JobExecutor) Run(ctx context.Context, a runner.Attempt) (exit runner.Exit, err error) {
	spec := a.Spec.Container
	if spec == nil {
		return exit, fmt.Errorf("%w: it names no container", runner.ErrNever)
	}
	var line script.Line
	if a.Script != nil {
		if line, err = script.Read(a.Script); err != nil {
			return exit, fmt.Errorf("%w: its script is no good: %w", runner.ErrNever, err)
		}
	}
	x.hold(a.Run, true)
	defer x.hold(a.Run, false)
	api, err := x.e.connect()
	if err != nil {
		return exit, err
	}
	if _, err := x.sweep(ctx, api, a.Run); err != nil {
		return exit, x.fail(api, err, "remove the containers of earlier runs")
	}
	if err := x.e.jobImage(ctx, api, spec, a.Access); err != nil {
		return exit, err
	}
	created, err := api.ContainerCreate(ctx, x.config(a), hostConfig(spec), nil, nil, fmt.Sprintf("farshore-run-%s-%d-%d", x.device, a.Run, a.Number))
	if err != nil {
		_ = x.Clear(context.WithoutCancel(ctx), a.Run) // it may have been made all the same
		return exit, x.fail(api, err, "make its container")
	}
	defer func() {
		cleaning, cancel := context.WithTimeout(context.WithoutCancel(ctx), jobCleaning)
		defer cancel()
		if removing := removeRun(cleaning, api, created.ID); removing != nil {
			x.e.cfg.Log.Warn("the container of a run cannot be removed, the next run does", "run", a.Run, "error", removing)
		}
	}()
	if a.Script != nil {
		if _, err := api.ContainerStatPath(ctx, created.ID, line.Program); errdefs.IsNotFound(err) {
			return exit, fmt.Errorf("%w: its interpreter %s is not in the image %s: name another in the script's first line, or another image",
				runner.ErrNever, line.Program, spec.Image)
		}
		if err := api.CopyToContainer(ctx, created.ID, "/", archived(a.Script), container.CopyToContainerOptions{}); err != nil {
			return exit, x.fail(api, err, "copy its script into the container")
		}
	}
	return x.see(ctx, api, created.ID, a)
}

// see starts a container and stays with it to its end.
func (x *JobExecutor) see(ctx context.Context, api *client.Client, id string, a runner.Attempt) (exit runner.Exit, err error) {
	attached, err := api.ContainerAttach(ctx, id, container.AttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return exit, x.fail(api, err, "read the output of its container")
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		if err := apart(a.Stdout, a.Stderr, attached.Reader); err != nil && ctx.Err() == nil {
			x.e.cfg.Log.Warn("the output of a run was not read to its end", "run", a.Run, "error", err)
		}
	}()
	defer func() {
		attached.Close()
		<-copied
	}()
	if err := api.ContainerStart(ctx, id, container.StartOptions{}); err != nil {
		return exit, x.fail(api, err, "start its container")
	}
	err = x.await(ctx, api, id)
	if err != nil && ctx.Err() != nil {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), jobGentle+jobCleaning)
		defer cancel()
		if err := api.ContainerStop(stopping, id, stopOptions(jobGentle)); err != nil && !errdefs.IsNotFound(err) {
			x.e.cfg.Log.Warn("the container of a run cannot be stopped", "run", a.Run, "error", err)
		}
		drain(copied)
		return exit, fmt.Errorf("it was killed: %w", ctx.Err())
	}
	if err != nil {
		return exit, x.fail(api, err, "wait for the end of its container")
	}
	drain(copied)
	about, err := api.ContainerInspect(context.WithoutCancel(ctx), id)
	if err != nil {
		return exit, x.fail(api, err, "see how its container ended")
	}
	exit.Code = int32(about.State.ExitCode)
	if about.State.OOMKilled && exit.Code != 0 {
		return exit, fmt.Errorf("it was killed as it needed more memory than it may have (OOM)%s", memoryWords(a.Spec.Container.Memory))
	}
	return exit, nil
}

func memoryWords(limit uint64) string {
	if limit == 0 {
		return ""
	}
	return fmt.Sprintf(": its limit is %d bytes", limit)
}

// drain waits for output that is on its way.
func drain(copied <-chan struct{}) {
	timer := time.NewTimer(jobGentle)
	defer timer.Stop()
	select {
	case <-copied:
	case <-timer.C:
	}
}

// await returns when a container does not run any more. An engine that goes away may come back with it.
func (x *JobExecutor) await(ctx context.Context, api *client.Client, id string) error {
	var away time.Time
	for {
		ended, failed := api.ContainerWait(ctx, id, container.WaitConditionNotRunning)
		var err error
		select {
		case r := <-ended:
			if r.Error == nil {
				return nil
			}
			err = errors.New(r.Error.Message)
		case err = <-failed:
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case !lost(err) && !errdefs.IsInternal(err) && !errdefs.IsUnavailable(err):
			return err
		case away.IsZero():
			away = time.Now()
		case time.Since(away) > jobPatience:
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
		if _, err := api.Ping(ctx); err == nil {
			away = time.Time{}
		}
	}
}

// config is what runs in a run's container.
func (x *JobExecutor) config(a runner.Attempt) *container.Config {
	c := &container.Config{
		Image: a.Spec.Container.Image, Cmd: a.Spec.Args, User: a.Spec.User, WorkingDir: a.Spec.Dir,
		Env:          append(append([]string{}, a.Env...), "FARSHORE_DEVICE="+string(x.device)),
		AttachStdout: true, AttachStderr: true,
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
		Labels: map[string]string{
			LabelRun: strconv.FormatUint(a.Run, 10), LabelJob: strconv.FormatUint(a.Job, 10), LabelDevice: string(x.device),
		},
	}
	if a.Script != nil {
		c.Entrypoint = []string{scriptPath}
	}
	return c
}

// hostConfig is what a run's container may have of the device. The engine keeps no log of it: its output is read as it
// comes, and bounded by the agent.
func hostConfig(spec *protocol.JobContainer) *container.HostConfig {
	c := &container.HostConfig{
		LogConfig: container.LogConfig{Type: "none"}, NetworkMode: container.NetworkMode(spec.Network),
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
	}
	c.NanoCPUs = int64(spec.CPUs) * 1e6
	c.Memory, c.MemorySwap = int64(spec.Memory), int64(spec.Memory)
	for _, m := range spec.Mounts {
		kind := mount.TypeVolume
		if strings.HasPrefix(m.Source, "/") {
			kind = mount.TypeBind
		}
		c.Mounts = append(c.Mounts, mount.Mount{Type: kind, Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly})
	}
	return c
}

// archived is the script as an archive that is unpacked at the root. Any user of the image may run it.
func archived(text []byte) *bytes.Buffer {
	var out bytes.Buffer
	w := tar.NewWriter(&out) // into memory nothing fails
	_ = w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(scriptPath, "/"), Mode: 0o555, Size: int64(len(text)), Format: tar.FormatPAX})
	_, _ = w.Write(text)
	_ = w.Close()
	return &out
}

func (x *JobExecutor) hold(run uint64, held bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if held {
		x.active[run] = true
	} else {
		delete(x.active, run)
	}
}

// sweep removes containers of this device's runs that are over: that was not possible when they were. So does the run's own
// of an earlier attempt.
func (x *JobExecutor) sweep(ctx context.Context, api *client.Client, own uint64) (removed int, err error) {
	return x.remove(ctx, api, func(run uint64) bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		return run == own || !x.active[run]
	})
}

// remove removes the containers of runs, and returns how many.
func (x *JobExecutor) remove(ctx context.Context, api *client.Client, which func(run uint64) bool) (removed int, err error) {
	mine := filters.NewArgs(filters.Arg("label", LabelDevice+"="+string(x.device)))
	list, err := api.ContainerList(ctx, container.ListOptions{All: true, Filters: mine})
	if err != nil {
		return removed, err
	}
	for _, c := range list {
		run, err := strconv.ParseUint(c.Labels[LabelRun], 10, 64)
		if err != nil || !which(run) {
			continue
		}
		if err := removeRun(ctx, api, c.ID); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// removeRun kills and removes a container, with its anonymous volumes.
func removeRun(ctx context.Context, api *client.Client, id string) error {
	err := api.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	for errdefs.IsConflict(err) && ctx.Err() == nil { // it is being removed, or is about to start
		time.Sleep(100 * time.Millisecond)
		err = api.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	}
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// Clear implements runner.Executor. Where there is no engine there is nothing that runs; what it still has when it is back
// goes before the next run.
func (x *JobExecutor) Clear(ctx context.Context, run uint64) error {
	_, err := x.clear(ctx, fmt.Sprintf("remove the container of run %d", run), func(of uint64) bool { return of == run })
	return err
}

// ClearAll kills and removes the containers of all runs of the device, of which none is under way, and returns how many. Where
// there is no engine there are none.
func (x *JobExecutor) ClearAll(ctx context.Context) (int, error) {
	return x.clear(ctx, "remove the containers of jobs", func(uint64) bool { return true })
}

func (x *JobExecutor) clear(ctx context.Context, what string, which func(run uint64) bool) (int, error) {
	api, err := x.e.connect()
	if err != nil {
		return 0, nil
	}
	clearing, cancel := context.WithTimeout(ctx, jobCleaning)
	defer cancel()
	removed, err := x.remove(clearing, api, which)
	if err == nil {
		return removed, nil
	}
	if err = x.fail(api, err, what); errors.Is(err, snapshot.ErrEngineAbsent) {
		return removed, nil
	}
	return removed, err
}

// fail words what the engine refused.
func (x *JobExecutor) fail(api *client.Client, err error, what string) error {
	if errdefs.IsNotFound(err) { // of a network, a volume or a folder: the engine says which
		return fmt.Errorf("%s: %s", what, said(err))
	}
	return x.e.fail(api, err, what, conflict(snapshot.ErrRefused))
}
