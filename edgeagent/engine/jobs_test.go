package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"

	"github.com/farshore/farshore/edgeagent/engine"
	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/jobs/runner"
	"github.com/farshore/farshore/jobs/runner/outputs"
	"github.com/farshore/farshore/protocol"
)

var _ runner.Executor = (*engine.JobExecutor)(nil)

// jobBuffer is written by an executor and read by a test.
type jobBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *jobBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *jobBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func jobDevice(t *testing.T) protocol.DeviceID {
	return protocol.DeviceID(fmt.Sprintf("%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), os.Getpid()))
}

// left are the containers of a device's runs.
func left(t *testing.T, host string, device protocol.DeviceID) []container.Summary {
	t.Helper()
	list, err := docker(t, host).ContainerList(context.Background(), container.ListOptions{
		All: true, Filters: filters.NewArgs(filters.Arg("label", engine.LabelDevice+"="+string(device))),
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// runJob runs an attempt on an engine, and sees to it that no container is left.
func runJob(t *testing.T, ctx context.Context, host, text string, change func(*runner.Attempt)) (exit runner.Exit, out, errs string, err error) {
	t.Helper()
	var stdout, stderr jobBuffer
	a := runner.Attempt{
		Run: 7, Job: 3, Number: 1, Name: "test", Spec: protocol.Job{Container: &protocol.JobContainer{Image: testengine.BusyboxImage}},
		Stdout: &stdout, Stderr: &stderr, Env: []string{"FARSHORE_RUN=7", "LINES=one\ntwo"},
	}
	if text != "" {
		a.Script = []byte(text)
	}
	if change != nil {
		change(&a)
	}
	exit, err = newEngine(t, host).JobExecutor(jobDevice(t)).Run(ctx, a)
	if l := left(t, host, jobDevice(t)); len(l) > 0 {
		t.Errorf("containers are left: %v", l)
	}
	return exit, stdout.String(), stderr.String(), err
}

func TestJobsRunInContainers(t *testing.T) {
	host := testengine.Host(t)
	testengine.Busybox(t)
	folder := t.TempDir()
	for name, c := range map[string]struct {
		text   string
		change func(*runner.Attempt)
		exit   runner.Exit
		out    string
		err    string
	}{
		"output apart":    {"#!/bin/sh\necho out\necho err >&2\nexit 42\n", nil, runner.Exit{Code: 42}, "out\n", "err\n"},
		"arguments":       {"#!/bin/sh\nfor a; do printf '<%s>' \"$a\"; done\n", func(a *runner.Attempt) { a.Spec.Args = []string{"two words", "'\"", ""} }, runner.Exit{}, "<two words><'\"><>", ""},
		"variables":       {"#!/bin/sh\necho \"$LINES $FARSHORE_RUN $FARSHORE_DEVICE\"\n", nil, runner.Exit{}, fmt.Sprintf("one\ntwo 7 %s/variables-%d\n", strings.ReplaceAll(t.Name(), "/", "-"), os.Getpid()), ""},
		"user":            {"#!/bin/sh\nid -u; id -g\n", func(a *runner.Attempt) { a.Spec.User = "123:45" }, runner.Exit{}, "123\n45\n", ""},
		"folder":          {"#!/bin/sh\npwd\n", func(a *runner.Attempt) { a.Spec.Dir = "/data" }, runner.Exit{}, "/data\n", ""},
		"not UTF-8":       {"#!/bin/sh\nprintf '\\377\\000x'; cat\n", nil, runner.Exit{}, "\xff\x00x", ""},
		"no network":      {"#!/bin/sh\nls /sys/class/net\n", func(a *runner.Attempt) { a.Spec.Container.Network = "none" }, runner.Exit{}, "lo\n", ""},
		"its own program": {"", func(a *runner.Attempt) { a.Spec.Args = []string{"echo", "hello"} }, runner.Exit{}, "hello\n", ""},
		"read-only mount": {"#!/bin/sh\ntouch /mnt/a 2>/dev/null || echo no\ntouch /own/b && echo yes\n", func(a *runner.Attempt) {
			a.Spec.Container.Mounts = []protocol.JobMount{{Source: folder, Target: "/mnt", ReadOnly: true}, {Source: folder, Target: "/own"}}
		}, runner.Exit{}, "no\nyes\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "variables" {
				c.out = fmt.Sprintf("one\ntwo 7 %s\n", jobDevice(t))
			}
			exit, out, errs, err := runJob(t, t.Context(), host, c.text, c.change)
			if err != nil || exit != c.exit || out != c.out || errs != c.err {
				t.Errorf("got %+v, %q, %q, %v", exit, out, errs, err)
			}
		})
	}
}

func TestJobsThatCannotRunSayWhy(t *testing.T) {
	host := testengine.Host(t)
	testengine.Busybox(t)
	const script = "#!/bin/sh\n"
	for name, c := range map[string]struct {
		text   string
		change func(*protocol.JobContainer)
		says   string
		never  bool
	}{
		"image never pulled":  {script, func(c *protocol.JobContainer) { c.Image, c.Pull = "farshore-test/none:1", protocol.PullNever }, "its image farshore-test/none:1 is not on this device", false},
		"image not there":     {script, func(c *protocol.JobContainer) { c.Image = "127.0.0.1:9/none:1" }, "its image 127.0.0.1:9/none:1 is not on this device", false},
		"no image's name":     {script, func(c *protocol.JobContainer) { c.Image = "NO image" }, "is no name of an image", true},
		"no interpreter line": {"echo\n", nil, "no interpreter line", true},
		"interpreter missing": {"#!/usr/bin/python9\n", nil, "its interpreter /usr/bin/python9 is not in the image", true},
		"no such network":     {script, func(c *protocol.JobContainer) { c.Network = "farshore-none" }, "farshore-none", false},
		"no such folder": {script, func(c *protocol.JobContainer) {
			c.Mounts = []protocol.JobMount{{Source: "/farshore-none", Target: "/mnt"}}
		}, "/farshore-none", false},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, err := runJob(t, t.Context(), host, c.text, func(a *runner.Attempt) {
				if c.change != nil {
					c.change(a.Spec.Container)
				}
			})
			if err == nil || !strings.Contains(err.Error(), c.says) || errors.Is(err, runner.ErrNever) != c.never {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestLimitsOfJobsHold(t *testing.T) {
	host := testengine.Host(t)
	testengine.Busybox(t)
	exit, _, _, err := runJob(t, t.Context(), host, "#!/bin/sh\nexec dd if=/dev/zero of=/dev/null bs=256M count=1\n", func(a *runner.Attempt) { a.Spec.Container.Memory = 16 << 20 })
	if err == nil || !strings.Contains(err.Error(), "OOM") || exit.Code == 0 {
		t.Errorf("memory: %+v, %v", exit, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var nano, memory int64
	_, _, _, err = runJob(t, ctx, host, "#!/bin/sh\ntrap 'exit 0' TERM\necho ready\nsleep 1000 & wait\n", func(a *runner.Attempt) {
		a.Spec.Container.CPUs, a.Spec.Container.Memory = 250, 32<<20
		a.Stdout = jobReady(func() {
			about, err := docker(t, host).ContainerInspect(context.Background(), left(t, host, jobDevice(t))[0].ID)
			if err == nil {
				nano, memory = about.HostConfig.NanoCPUs, about.HostConfig.Memory
			}
			cancel()
		})
	})
	if nano != 25e7 || memory != 32<<20 || !errors.Is(err, context.Canceled) {
		t.Errorf("cpus %d, memory %d, %v", nano, memory, err)
	}
}

type jobReady func()

func (f jobReady) Write(p []byte) (int, error) { f(); return len(p), nil }

func TestTimeoutKillsTheContainer(t *testing.T) {
	host := testengine.Host(t)
	testengine.Busybox(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, _, _, err := runJob(t, ctx, host, "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n", nil)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestGigabyteFromAContainerIsBounded(t *testing.T) {
	host := testengine.Host(t)
	testengine.Busybox(t)
	dir := t.TempDir()
	o, err := outputs.New(outputs.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	exit, _, _, err := runJob(t, ctx, host, "#!/bin/sh\ndd if=/dev/zero bs=1M count=1024 2>/dev/null\necho the end\n", func(a *runner.Attempt) {
		a.Stdout, a.Stderr, _ = o.Begin(7)
	})
	s, _ := o.Sizes(7)
	end := make([]byte, 8)
	_, _ = o.ReadAt(7, 0, end, s.Size-8)
	if err != nil || exit.Code != 0 || s.Size != 1<<30+8 || s.Kept > outputs.MaxStream || string(end) != "the end\n" {
		t.Errorf("%+v, %v, %+v, %q", exit, err, s, end)
	}
}

func TestAnonymousVolumesGoNamedOnesStay(t *testing.T) {
	host := testengine.Host(t)
	testengine.Busybox(t)
	api := docker(t, host)
	name := fmt.Sprintf("jobs-%d", os.Getpid())
	t.Cleanup(func() { _ = api.VolumeRemove(context.Background(), name, true) })
	_, out, _, err := runJob(t, t.Context(), host, "#!/bin/sh\ntouch /v/a && ls /v\n", func(a *runner.Attempt) {
		a.Spec.Container.Mounts = []protocol.JobMount{{Source: name, Target: "/v"}}
	})
	if err != nil || out != "a\n" {
		t.Errorf("%q, %v", out, err)
	}
	if list, err := api.VolumeList(context.Background(), volume.ListOptions{Filters: filters.NewArgs(filters.Arg("name", name))}); err != nil || len(list.Volumes) != 1 {
		t.Errorf("%v, %v", list.Volumes, err)
	}
}

// TestJobAgentThatIsKilled is no test: it is the agent of TestClearRemovesTheContainerOfAKilledAgent.
func TestJobAgentThatIsKilled(t *testing.T) {
	device := os.Getenv("ENGINE_TEST_DEVICE")
	if device == "" {
		t.Skip("run by another test")
	}
	_, _ = newEngine(t, testengine.Host(t)).JobExecutor(protocol.DeviceID(device)).Run(context.Background(), runner.Attempt{
		Run: 9, Job: 1, Number: 1, Script: []byte("#!/bin/sh\necho ready\nsleep 1000\n"), Stdout: os.Stdout, Stderr: io.Discard,
		Spec: protocol.Job{Container: &protocol.JobContainer{Image: testengine.BusyboxImage}},
	})
}

func TestClearRemovesTheContainerOfAKilledAgent(t *testing.T) {
	host := testengine.Host(t)
	testengine.Busybox(t)
	for _, way := range []string{"clear", "clear all", "next run"} {
		t.Run(way, func(t *testing.T) {
			device := jobDevice(t)
			agent := exec.Command(os.Args[0], "-test.run=^TestJobAgentThatIsKilled$")
			agent.Env = append(os.Environ(), "ENGINE_TEST_DEVICE="+string(device))
			out, err := agent.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := agent.Start(); err != nil {
				t.Fatal(err)
			}
			said := make([]byte, 6)
			if _, err := io.ReadFull(out, said); err != nil || string(said) != "ready\n" {
				t.Fatalf("the agent said %q, %v", said, err)
			}
			for { // its first words may come before the engine has answered that it runs
				if l := left(t, host, device); len(l) == 1 && l[0].State == container.StateRunning {
					break
				}
				if t.Context().Err() != nil {
					t.Fatal("it does not run")
				}
				time.Sleep(10 * time.Millisecond)
			}
			_ = agent.Process.Kill()
			_ = agent.Wait()
			if l := left(t, host, device); len(l) != 1 || l[0].State != container.StateRunning || l[0].Labels[engine.LabelRun] != "9" {
				t.Fatalf("after the kill there is %v", l)
			}
			if way == "next run" {
				if exit, _, _, err := runJob(t, t.Context(), host, "#!/bin/sh\n", nil); err != nil || exit.Code != 0 {
					t.Error(exit, err)
				}
				return
			}
			x := newEngine(t, host).JobExecutor(device)
			if way == "clear all" {
				n, err := x.ClearAll(t.Context())
				if rest := left(t, host, device); n != 1 || err != nil || len(rest) != 0 {
					t.Errorf("removed %d, %v, left %v", n, err, rest)
				}
				return
			}
			if err := x.Clear(t.Context(), 8); err != nil || len(left(t, host, device)) != 1 {
				t.Errorf("clearing another run: %v", err)
			}
			if err := x.Clear(t.Context(), 9); err != nil || len(left(t, host, device)) != 0 {
				t.Errorf("%v, left %v", err, left(t, host, device))
			}
		})
	}
}

func TestWithoutAnEngineNothingIsLeft(t *testing.T) {
	x := newEngine(t, "unix:///nonexistent/engine.sock").JobExecutor("d")
	if err := x.Clear(t.Context(), 1); err != nil {
		t.Error(err)
	}
	_, err := x.Run(t.Context(), runner.Attempt{Run: 1, Spec: protocol.Job{Container: &protocol.JobContainer{Image: "a"}}})
	if err == nil || !strings.Contains(err.Error(), "start the engine") {
		t.Error(err)
	}
}

func TestJobsRunOnPodman(t *testing.T) {
	host := testengine.StartPodman(t)
	testengine.Image(t, testengine.BusyboxImage, testengine.ImageConfig{Host: host})
	exit, out, errs, err := runJob(t, t.Context(), host, "#!/bin/sh\necho out $1\necho err >&2\nexit 42\n", func(a *runner.Attempt) {
		a.Spec.Args, a.Spec.Container.Network = []string{"put"}, "none"
	})
	if err != nil || exit.Code != 42 || out != "out put\n" || errs != "err\n" {
		t.Errorf("got %+v, %q, %q, %v", exit, out, errs, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, _, _, err = runJob(t, ctx, host, "#!/bin/sh\necho ready\nsleep 1000\n", func(a *runner.Attempt) { a.Stdout = jobReady(cancel) })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
