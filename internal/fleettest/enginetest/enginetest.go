// Package enginetest is the one conformance suite that the real container engine and the fake one both pass, so that a
// test on the fake means something. It asks for what an operator would notice: what a snapshot says after something
// was done, and what an action that cannot be done is answered.
//
// It owns the suite only. Who runs it says how containers come to be.
package enginetest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

// Engine is what the suite examines.
type Engine interface {
	Observe(ctx context.Context) (snapshot.Observation, error)
	Watch(ctx context.Context, changed func()) error
	ContainerStart(ctx context.Context, target string) error
	ContainerStop(ctx context.Context, target string, timeout time.Duration) error
	ContainerRestart(ctx context.Context, target string, timeout time.Duration) error
	ContainerKill(ctx context.Context, target, signal string) error
	ContainerRemove(ctx context.Context, target string, force snapshot.Force) error
	ContainerLogs(ctx context.Context, target string, tail, limit int) (out []byte, dropped uint64, err error)
	ImageRemove(ctx context.Context, target string, force snapshot.Force) error
	VolumeRemove(ctx context.Context, target string, force snapshot.Force) error
}

// Behaviour is what a container of the suite does.
type Behaviour string

// The behaviours.
const (
	Runs      Behaviour = "runs"      // until it is stopped, and then ends at once
	Exits     Behaviour = "exits"     // at once, with code 3
	Crashes   Behaviour = "crashes"   // again and again, restarted by the engine
	Healthy   Behaviour = "healthy"   // runs, with a health check that succeeds
	Unhealthy Behaviour = "unhealthy" // runs, with a health check that fails
	Chatters  Behaviour = "chatters"  // writes "line 1" to "line 10" to stderr, a second later "line 11" to "line 100" to stdout (an engine reads the two by themselves), and runs on
)

// Spec is a container to be made for the suite. It is not started.
type Spec struct {
	Name      string
	Image     string
	Behaviour Behaviour
	Labels    map[string]string
	// Volume is a named volume to mount at /data, to be made. Empty: none.
	Volume string
}

// Subject is an engine to be examined.
type Subject struct {
	Engine Engine
	// Prefix makes names unique on an engine that is shared.
	Prefix string
	// Create makes a container, and its image with a content of its own where it is not there; both are removed with
	// the test.
	Create func(t *testing.T, spec Spec)
	// Tag gives an image that is there a further tag.
	Tag func(t *testing.T, image, tag string)
	// Kind is what the engine says it is. Empty: docker.
	Kind string
	// Gaps are what the engine is known not to do. One that it does after all fails the suite, so that the list stays true.
	Gaps []Gap
}

// Gap is something that operators would expect of an engine.
type Gap string

// GapHealth: health checks are not run, and a container with one stays "starting".
const GapHealth Gap = "health checks are run"

// wait is how long the suite waits for what must come about.
const wait = 30 * time.Second

// suite is one run.
type suite struct {
	Subject
	t *testing.T
}

// Run examines a subject.
func Run(t *testing.T, subject Subject) {
	for name, test := range map[string]func(*suite){
		"what is there is seen":   (*suite).seen,
		"life of a container":     (*suite).life,
		"exit and crash":          (*suite).fates,
		"health":                  (*suite).health,
		"events":                  (*suite).events,
		"logs":                    (*suite).logs,
		"volumes":                 (*suite).volumes,
		"images":                  (*suite).images,
		"what is not there":       (*suite).missing,
		"cancelled calls":         (*suite).cancelled,
		"runs of jobs":            (*suite).ofJobs,
		"targets by short id":     (*suite).shortIDs,
		"secrets stay on devices": (*suite).secrets,
	} {
		t.Run(name, func(t *testing.T) { test(&suite{Subject: subject, t: t}) })
	}
}

func (s *suite) name(n string) string { return s.Prefix + n }

func (s *suite) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *suite) want(err, want error) {
	s.t.Helper()
	if !errors.Is(err, want) {
		s.t.Errorf("got error %v, want %v", err, want)
	} else if len(err.Error()) < len(want.Error())+10 {
		s.t.Errorf("the error %q does not name the thing", err)
	}
}

func (s *suite) observe() snapshot.Observation {
	s.t.Helper()
	obs, err := s.Engine.Observe(s.t.Context())
	s.must(err)
	return obs
}

func find(obs snapshot.Observation, name string) (protocol.Container, bool) {
	for _, c := range obs.Containers {
		if c.Name == name {
			return c, true
		}
	}
	return protocol.Container{}, false
}

// until observes until ok says yes to a container.
func (s *suite) until(name, what string, ok func(protocol.Container) bool) protocol.Container {
	s.t.Helper()
	var last protocol.Container
	for deadline := time.Now().Add(wait); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		last, _ = find(s.observe(), name)
		if last.Name != "" && ok(last) {
			return last
		}
	}
	s.t.Fatalf("container %s never was %s: %+v", name, what, last)
	return last
}

func (s *suite) make(name string, b Behaviour) string {
	s.t.Helper()
	full := s.name(name)
	s.Create(s.t, Spec{Name: full, Image: s.name("image") + ":1", Behaviour: b})
	return full
}

func (s *suite) seen() {
	name := s.name("seen")
	before := time.Now().Unix() - 1
	s.Create(s.t, Spec{
		Name: name, Image: s.name("image") + ":1", Behaviour: Runs, Volume: name + "-data",
		Labels: map[string]string{
			snapshot.LabelProject: "shop", snapshot.LabelService: "web", snapshot.LabelStack: "42",
			"com.docker.compose.version": "2", "team": "plant",
		},
	})
	c, _ := find(s.observe(), name)
	if c.State != protocol.ContainerCreated || c.Started != 0 || c.Created < before {
		s.t.Errorf("before the first start: %+v", c)
	}
	s.must(s.Engine.ContainerStart(s.t.Context(), name))
	obs := s.observe()
	c, _ = find(obs, name)
	switch {
	case c.State != protocol.ContainerRunning, c.Health != protocol.HealthNone, c.Started < c.Created, c.Finished != 0, c.ExitCode != 0:
		s.t.Errorf("state: %+v", c)
	case c.Project != "shop" || c.Service != "web" || c.Stack != 42:
		s.t.Errorf("compose: %+v", c)
	case c.Labels["team"] != "plant" || c.Labels["com.docker.compose.version"] != "" || c.Labels[snapshot.LabelStack] != "":
		s.t.Errorf("labels: %v", c.Labels)
	case len(c.Networks) != 1 || c.Networks[0].Network != "bridge" || c.Networks[0].IP == "":
		s.t.Errorf("networks: %+v", c.Networks)
	case len(c.Mounts) != 1 || c.Mounts[0] != protocol.Mount{Type: "volume", Source: name + "-data", Target: "/data"}:
		s.t.Errorf("mounts: %+v", c.Mounts)
	case c.ID.IsZero():
		s.t.Error("the container has no id")
	case c.Image == 0 || int(c.Image) > len(obs.Images):
		s.t.Fatalf("image %d of %d", c.Image, len(obs.Images))
	}
	img := obs.Images[c.Image-1]
	if len(img.Tags) == 0 || img.Tags[0] != s.name("image")+":1" || img.Size == 0 || img.ID == (protocol.Hash{}) {
		s.t.Errorf("image: %+v", img)
	}
	var volume, network bool
	for _, v := range obs.Volumes {
		volume = volume || v.Name == name+"-data" && v.Driver == "local" && v.Created >= before
	}
	for _, n := range obs.Networks {
		network = network || n.Name == "bridge" && n.Driver == "bridge" && !n.ID.IsZero() && len(n.Subnets) > 0
	}
	if !volume || !network {
		s.t.Errorf("volume seen: %v, network seen: %v: %+v", volume, network, obs.Networks)
	}
	e := obs.Engine
	if e.State != protocol.EngineRunning || e.Kind != cmp.Or(s.Kind, "docker") || e.Version == "" || e.API == "" || e.Storage == "" || e.Cgroup == "" {
		s.t.Errorf("engine: %+v", e)
	}
}

func (s *suite) life() {
	ctx := s.t.Context()
	name := s.make("life", Runs)
	s.must(s.Engine.ContainerStart(ctx, name))
	s.must(s.Engine.ContainerStart(ctx, name)) // running already
	first, _ := find(s.observe(), name)
	s.must(s.Engine.ContainerStop(ctx, name, 5*time.Second))
	c, _ := find(s.observe(), name)
	if c.State != protocol.ContainerExited || c.ExitCode != 0 || c.Finished < c.Started || c.Networks[0].IP != "" {
		s.t.Errorf("stopped: %+v", c)
	}
	s.must(s.Engine.ContainerStop(ctx, name, 0)) // stopped already
	s.want(s.Engine.ContainerKill(ctx, name, ""), snapshot.ErrRefused)
	s.must(s.Engine.ContainerRestart(ctx, name, 0))
	c, _ = find(s.observe(), name)
	if c.State != protocol.ContainerRunning || c.ID != first.ID || c.Created != first.Created || c.Started < first.Started || c.Restarts != 0 {
		s.t.Errorf("restarted: %+v, before %+v", c, first)
	}
	s.want(s.Engine.ContainerKill(ctx, name, "SIGNOSUCH"), snapshot.ErrRefused)
	s.must(s.Engine.ContainerKill(ctx, name, "SIGKILL"))
	c = s.until(name, "killed", func(c protocol.Container) bool { return c.State == protocol.ContainerExited })
	if c.ExitCode != 137 {
		s.t.Errorf("killed: %+v", c)
	}
	s.must(s.Engine.ContainerStart(ctx, name))
	s.want(s.Engine.ContainerRemove(ctx, name, snapshot.Gently), snapshot.ErrInUse)
	if c, _ := find(s.observe(), name); c.State != protocol.ContainerRunning {
		s.t.Errorf("after a refused removal: %+v", c)
	}
	s.must(s.Engine.ContainerRemove(ctx, name, snapshot.Forcibly))
	if _, there := find(s.observe(), name); there {
		s.t.Error("removed, and still seen")
	}
	s.want(s.Engine.ContainerStart(ctx, name), snapshot.ErrNoSuch)
}

func (s *suite) fates() {
	ctx := s.t.Context()
	names := map[Behaviour]string{}
	for _, b := range []Behaviour{Exits, Crashes} {
		names[b] = s.make(string(b), b)
		s.must(s.Engine.ContainerStart(ctx, names[b]))
	}
	c := s.until(names[Exits], "exited", func(c protocol.Container) bool { return c.State == protocol.ContainerExited })
	if c.ExitCode != 3 || c.Finished == 0 || c.Restarts != 0 {
		s.t.Errorf("exited: %+v", c)
	}
	s.until(names[Crashes], "restarted", func(c protocol.Container) bool { return c.Restarts > 0 })
	s.must(s.Engine.ContainerRemove(ctx, names[Crashes], snapshot.Forcibly))
}

// health has checks that are due each second.
func (s *suite) health() {
	names := map[Behaviour]string{}
	for _, b := range []Behaviour{Healthy, Unhealthy} {
		names[b] = s.make(string(b), b)
		s.must(s.Engine.ContainerStart(s.t.Context(), names[b]))
	}
	if slices.Contains(s.Gaps, GapHealth) {
		s.until(names[Healthy], "running for 4 s", func(c protocol.Container) bool {
			if c.Health != protocol.HealthStarting {
				s.t.Fatalf("the engine is %s now: it has no gap %q any more", c.Health, GapHealth)
			}
			return time.Now().Unix() > c.Started+4
		})
		return
	}
	s.until(names[Healthy], "healthy", func(c protocol.Container) bool { return c.Health == protocol.HealthHealthy })
	s.until(names[Unhealthy], "unhealthy", func(c protocol.Container) bool { return c.Health == protocol.HealthUnhealthy })
}

// events has a watcher that must hear of each change, and an observation after it that must show the change.
// ofJobs: containers of runs are seen by nobody; a label does not hide those of a stack.
func (s *suite) ofJobs() {
	labels := map[string]string{snapshot.LabelRun: "7"}
	hidden, shown := s.name("of-run"), s.name("of-stack")
	s.Create(s.t, Spec{Name: hidden, Image: s.name("image") + ":1", Behaviour: Runs, Labels: labels})
	s.must(s.Engine.ContainerStart(s.t.Context(), hidden))
	s.Create(s.t, Spec{Name: shown, Image: s.name("image") + ":1", Behaviour: Runs, Labels: map[string]string{snapshot.LabelRun: "7", snapshot.LabelProject: "web"}})
	obs := s.observe()
	if _, there := find(obs, hidden); there {
		s.t.Error("the container of a run is seen")
	}
	if _, there := find(obs, shown); !there {
		s.t.Error("the container of a stack is hidden by a label")
	}
}

func (s *suite) events() {
	ctx, cancel := context.WithCancel(s.t.Context())
	name := s.make("events", Runs)
	heard := make(chan struct{}, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- s.Engine.Watch(ctx, func() {
			select {
			case heard <- struct{}{}:
			default:
			}
		})
	}()
	await := func(what string, ok func(c protocol.Container, there bool) bool) {
		s.t.Helper()
		limit := time.After(wait)
		for {
			select {
			case <-heard:
			case <-limit:
				s.t.Fatalf("nothing was heard of: %s", what)
			}
			if c, there := find(s.observe(), name); ok(c, there) {
				return
			}
		}
	}
	await("the stream", func(_ protocol.Container, there bool) bool { return there })
	s.must(s.Engine.ContainerStart(ctx, name))
	await("start", func(c protocol.Container, _ bool) bool { return c.State == protocol.ContainerRunning })
	s.must(s.Engine.ContainerStop(ctx, name, time.Second))
	await("stop", func(c protocol.Container, _ bool) bool { return c.State == protocol.ContainerExited })
	s.must(s.Engine.ContainerRemove(ctx, name, snapshot.Gently))
	await("removal", func(_ protocol.Container, there bool) bool { return !there })
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			s.t.Errorf("a cancelled watch ended with %v", err)
		}
	case <-time.After(wait):
		s.t.Fatal("a cancelled watch did not end")
	}
}

func (s *suite) missing() {
	ctx := s.t.Context()
	for _, target := range []string{s.name("nobody"), "", "../x", "a/b", "..", "name with spaces", strings.Repeat("x", 400)} {
		s.want(s.Engine.ContainerStart(ctx, target), snapshot.ErrNoSuch)
		s.want(s.Engine.ContainerStop(ctx, target, 0), snapshot.ErrNoSuch)
		s.want(s.Engine.ContainerRestart(ctx, target, 0), snapshot.ErrNoSuch)
		s.want(s.Engine.ContainerKill(ctx, target, ""), snapshot.ErrNoSuch)
		s.want(s.Engine.ContainerRemove(ctx, target, snapshot.Forcibly), snapshot.ErrNoSuch)
		_, _, err := s.Engine.ContainerLogs(ctx, target, 1, 0)
		s.want(err, snapshot.ErrNoSuch)
		s.want(s.Engine.VolumeRemove(ctx, target, snapshot.Gently), snapshot.ErrNoSuch)
		if !strings.Contains(target, "/") {
			s.want(s.Engine.ImageRemove(ctx, target, snapshot.Gently), snapshot.ErrNoSuch)
		}
	}
}

func (s *suite) cancelled() {
	ctx, cancel := context.WithCancel(s.t.Context())
	cancel()
	_, observed := s.Engine.Observe(ctx)
	for _, err := range []error{observed, s.Engine.ContainerStart(ctx, s.name("nobody"))} {
		if !errors.Is(err, context.Canceled) || errors.Is(err, snapshot.ErrEngineAbsent) {
			s.t.Errorf("a cancelled call ended with %v", err)
		}
	}
}

func (s *suite) shortIDs() {
	name := s.make("short", Runs)
	c, _ := find(s.observe(), name)
	s.must(s.Engine.ContainerStart(s.t.Context(), c.ID.String()))
	if c, _ = find(s.observe(), name); c.State != protocol.ContainerRunning {
		s.t.Errorf("started by id %s: %+v", c.ID, c)
	}
}

// secrets looks for anything of a container's environment, command line or secret labels in its snapshot.
func (s *suite) secrets() {
	name := s.name("secrets")
	s.Create(s.t, Spec{Name: name, Image: s.name("image") + ":1", Behaviour: Runs, Labels: map[string]string{"db.password": "hunter2"}})
	s.must(s.Engine.ContainerStart(s.t.Context(), name))
	obs := s.observe()
	b, _ := snapshot.Canonical(protocol.Snapshot{
		Engine: obs.Engine, Images: obs.Images, Containers: obs.Containers, Volumes: obs.Volumes, Networks: obs.Networks,
	})
	for _, secret := range []string{"hunter2", SecretEnv, SecretArgument} {
		if strings.Contains(string(b), secret) {
			s.t.Errorf("the snapshot holds %q", secret)
		}
	}
	if c, _ := find(obs, name); c.Labels["db.password"] != snapshot.Masked {
		s.t.Errorf("labels: %v", c.Labels)
	}
}

// What Create must put into each container's environment and command line, where the engine has such a thing.
const (
	SecretEnv      = "environment-value-that-stays"
	SecretArgument = "argument-that-stays"
)
