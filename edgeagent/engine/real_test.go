package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/client"

	"github.com/farshore/farshore/edgeagent/engine"
	"github.com/farshore/farshore/internal/fleettest/enginetest"
	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/snapshot/capture"
)

// docker is the raw client, to make what the adapter never makes.
func docker(t testing.TB, host string) *client.Client {
	t.Helper()
	api, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Close() })
	return api
}

// commands are what the behaviours of the suite mean in a shell.
func commands() map[enginetest.Behaviour]string {
	run := "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"
	return map[enginetest.Behaviour]string{
		enginetest.Runs: run, enginetest.Healthy: run, enginetest.Unhealthy: run,
		enginetest.Exits:    "exit 3",
		enginetest.Crashes:  "sleep 0.1; exit 1",
		enginetest.Chatters: "i=0; while [ $i -lt 10 ]; do i=$((i+1)); echo line $i >&2; done; sleep 1; while [ $i -lt 100 ]; do i=$((i+1)); echo line $i; done; " + run,
	}
}

// create makes a container on a real engine as the suite wants it.
func create(t testing.TB, host string, spec enginetest.Spec) {
	t.Helper()
	ctx := context.Background()
	api := docker(t, host)
	testengine.Image(t, spec.Image, testengine.ImageConfig{Host: host, Files: map[string]string{"/image": spec.Image}})
	cfg := &container.Config{
		Image: spec.Image, Labels: spec.Labels, Env: []string{"SETTING=" + enginetest.SecretEnv},
		Cmd: []string{"/bin/sh", "-c", commands()[spec.Behaviour], enginetest.SecretArgument},
	}
	hostCfg := &container.HostConfig{}
	switch spec.Behaviour {
	case enginetest.Healthy, enginetest.Unhealthy:
		test := map[enginetest.Behaviour]string{enginetest.Healthy: "true", enginetest.Unhealthy: "false"}[spec.Behaviour]
		cfg.Healthcheck = &container.HealthConfig{Test: []string{"CMD", test}, Interval: time.Second, Retries: 1}
	case enginetest.Crashes:
		hostCfg.RestartPolicy.Name = container.RestartPolicyAlways
	}
	if spec.Volume != "" {
		hostCfg.Mounts = []mount.Mount{{Type: mount.TypeVolume, Source: spec.Volume, Target: "/data"}}
	}
	if _, err := api.ContainerCreate(ctx, cfg, hostCfg, nil, nil, spec.Name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = api.ContainerRemove(ctx, spec.Name, container.RemoveOptions{Force: true})
		if spec.Volume != "" {
			_ = api.VolumeRemove(ctx, spec.Volume, true)
		}
	})
}

func newEngine(t testing.TB, host string) *engine.Engine {
	t.Helper()
	e := engine.New(engine.Config{Host: host})
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func TestConformance(t *testing.T) {
	conform(t, testengine.Host(t), enginetest.Subject{})
}

// TestConformanceOfPodman holds the list of gaps in docs/engines.md. There is no systemd where tests run, whose timers
// Podman has health checks run by.
func TestConformanceOfPodman(t *testing.T) {
	conform(t, testengine.StartPodman(t), enginetest.Subject{Kind: "podman", Gaps: []enginetest.Gap{enginetest.GapHealth}})
}

func conform(t *testing.T, host string, about enginetest.Subject) {
	enginetest.Run(t, enginetest.Subject{
		Kind: about.Kind, Gaps: about.Gaps,
		Engine: newEngine(t, host), Prefix: fmt.Sprintf("conform-%d-", os.Getpid()),
		Create: func(t *testing.T, spec enginetest.Spec) { create(t, host, spec) },
		Tag: func(t *testing.T, image, tag string) {
			if err := docker(t, host).ImageTag(t.Context(), image, tag); err != nil {
				t.Fatal(err)
			}
		},
	})
}

// TestIdleEngineIsNotInspected counts requests: while the event stream vouches for what is known, containers are not
// inspected again, and after a change only the one concerned is. The engine is shared, so only ours are counted.
func TestIdleEngineIsNotInspected(t *testing.T) {
	host := testengine.Host(t)
	api := docker(t, host)
	prefix := fmt.Sprintf("idle-%d-", os.Getpid())
	const n = 5
	var mu sync.Mutex
	inspections := map[string]int{} // by id; ours only
	for i := range n {
		name := fmt.Sprintf("%s%d", prefix, i)
		create(t, host, enginetest.Spec{Name: name, Image: testengine.BusyboxImage, Behaviour: enginetest.Runs})
		if err := api.ContainerStart(t.Context(), name, container.StartOptions{}); err != nil {
			t.Fatal(err)
		}
		about, err := api.ContainerInspect(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		inspections[about.ID] = 0
	}
	counted := proxy(t, host, func(r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		id, ok := strings.CutSuffix(r.URL.Path, "/json")
		id = id[strings.LastIndexByte(id, '/')+1:]
		if _, ours := inspections[id]; ok && ours {
			inspections[id]++
		}
	})
	count := func() (times, containers int) {
		mu.Lock()
		defer mu.Unlock()
		for id, made := range inspections {
			times += made
			if made > 0 {
				containers++
			}
			inspections[id] = 0
		}
		return times, containers
	}
	e := newEngine(t, counted)
	changed := make(chan struct{}, 1000)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- e.Watch(ctx, func() { changed <- struct{}{} }) }()
	defer func() { cancel(); <-ended }()
	<-changed
	started := func(name string) int64 {
		obs, err := e.Observe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range obs.Containers {
			if c.Name == name {
				return c.Started
			}
		}
		return 0
	}
	if started(prefix+"0") == 0 {
		t.Fatal("a container is not seen")
	}
	if times, _ := count(); times != n {
		t.Fatalf("the first observation made %d inspections of %d containers", times, n)
	}
	before := started(prefix + "2")
	if times, _ := count(); times != 0 {
		t.Errorf("an observation of an idle engine made %d inspections", times)
	}
	for time.Now().Unix() == before { // so that the restart shows, times being in seconds
		time.Sleep(10 * time.Millisecond)
	}
	if err := e.ContainerRestart(t.Context(), prefix+"2", time.Second); err != nil {
		t.Fatal(err)
	}
	for limit := time.After(10 * time.Second); started(prefix+"2") == before; {
		select {
		case <-changed:
		case <-limit:
			t.Fatal("the restart is not seen")
		}
	}
	if times, containers := count(); times == 0 || containers != 1 {
		t.Errorf("after one restart %d inspections of %d containers were made", times, containers)
	}
}

// TestEngineRestart has a whole engine stopped, killed and started again under a running capture.
func TestEngineRestart(t *testing.T) {
	private := testengine.Start(t)
	host := private.Host()
	name := "survivor"
	testengine.Image(t, testengine.BusyboxImage, testengine.ImageConfig{Host: host})
	api := docker(t, host)
	create(t, host, enginetest.Spec{Name: name, Image: testengine.BusyboxImage, Behaviour: enginetest.Runs})
	if err := api.ContainerStart(t.Context(), name, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}

	changed := make(chan struct{}, 1)
	c := capture.New(capture.Config{
		Engine: newEngine(t, host), Host: capture.HostFacts(t.TempDir()),
		Changed: func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	until := func(what string, ok func(capture.Capture) bool) capture.Capture {
		t.Helper()
		limit := time.After(60 * time.Second)
		for {
			if latest := c.Latest(); latest.OK && ok(latest) {
				return latest
			}
			select {
			case <-changed:
			case <-limit:
				t.Fatalf("the capture never was %s: %+v", what, c.Latest().Snapshot.Engine)
			}
		}
	}
	state := func(want protocol.EngineState, containerState protocol.ContainerState) func(capture.Capture) bool {
		return func(l capture.Capture) bool {
			s := l.Snapshot
			return s.Engine.State == want && len(s.Containers) == 1 && s.Containers[0].State == containerState
		}
	}
	until("running", state(protocol.EngineRunning, protocol.ContainerRunning))
	if err := private.Kill(); err != nil {
		t.Fatal(err)
	}
	l := until("absent", state(protocol.EngineAbsent, protocol.ContainerRunning))
	if l.Snapshot.Engine.Reason == "" || l.Snapshot.Engine.Version == "" {
		t.Errorf("absent: %+v", l.Snapshot.Engine)
	}
	if err := c.Now(t.Context()); !errors.Is(err, snapshot.ErrEngineAbsent) {
		t.Errorf("capture at once: %v", err)
	}
	if err := private.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	l = until("back", func(l capture.Capture) bool { return l.Snapshot.Engine.State == protocol.EngineRunning })
	if l.Snapshot.Engine.Reason != "" {
		t.Errorf("back: %+v", l.Snapshot.Engine)
	}
	// Events are heard again: what happens now is captured long before the next interval.
	if err := api.ContainerRemove(t.Context(), name, container.RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	until("empty", func(l capture.Capture) bool { return len(l.Snapshot.Containers) == 0 })
}

func TestAbsentSaysWhy(t *testing.T) {
	dir := t.TempDir()
	for host, want := range map[string]string{
		"unix://" + dir + "/none.sock": "there is no socket " + dir + "/none.sock",
		"tcp://127.0.0.1:1":            "nobody answers at tcp://127.0.0.1:1",
		"nonsense":                     "is not an engine's address",
	} {
		e := newEngine(t, host)
		_, err := e.Observe(t.Context())
		if !errors.Is(err, snapshot.ErrEngineAbsent) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: observe: %v", host, err)
		}
		if err := e.ContainerStart(t.Context(), "x"); !errors.Is(err, snapshot.ErrEngineAbsent) {
			t.Errorf("%s: start: %v", host, err)
		}
		if err := e.Watch(t.Context(), func() {}); !errors.Is(err, snapshot.ErrEngineAbsent) {
			t.Errorf("%s: watch: %v", host, err)
		}
	}
}

// TestRunsOfJobsAreNoChange: while a job runs in a container with a volume of no name, and after it, the snapshot is the same.
// The engine is the test's own: nothing else happens on it.
func TestRunsOfJobsAreNoChange(t *testing.T) {
	host := testengine.Start(t).Host()
	testengine.Image(t, testengine.BusyboxImage, testengine.ImageConfig{Host: host})
	e := newEngine(t, host)
	state := func() protocol.ShortHash {
		obs, err := e.Observe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, hash := snapshot.Canonical(protocol.Snapshot{
			Engine: obs.Engine, Images: obs.Images, Containers: obs.Containers, Volumes: obs.Volumes, Networks: obs.Networks,
		})
		return hash
	}
	before := state()
	var during protocol.ShortHash
	exit, _, _, err := runJob(t, t.Context(), host, "#!/bin/sh\ntouch /v/a && echo ready\nsleep 1\n", func(a *runner.Attempt) {
		a.Spec.Container.Mounts = []protocol.JobMount{{Target: "/v"}}
		a.Stdout = jobReady(func() { during = state() })
	})
	if err != nil || exit != (runner.Exit{}) {
		t.Fatal(exit, err)
	}
	if during != before || state() != before {
		t.Errorf("the snapshot was %s, is %s while a job runs, and %s after it", before, during, state())
	}
}
