package composer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/docker/compose/v2/pkg/api"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/stacks/staging"
)

// envProcess makes the test binary be the composer process.
const envProcess = "FARSHORE_TEST_COMPOSER_PROCESS"

func TestMain(m *testing.M) {
	if os.Getenv(envProcess) != "" {
		os.Exit(Main(os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// stack is one project on the test engine, and its folder.
type stack struct {
	t       *testing.T
	engine  client.APIClient
	store   *staging.Store
	req     ipc.Request
	version int
}

var projects atomic.Int32

func newStack(t *testing.T) *stack {
	t.Helper()
	return newStackOn(t, testengine.Host(t))
}

func newStackOn(t *testing.T, host string) *stack {
	t.Helper()
	testengine.Image(t, testengine.BusyboxImage, testengine.ImageConfig{Host: host})
	engine, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "stack")
	store, err := staging.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{t: t, engine: engine, store: store, req: ipc.Request{
		Project: fmt.Sprintf("composer-%d-%d", os.Getpid(), projects.Add(1)),
		Root:    root, Host: host, WaitSeconds: 30,
	}}
	t.Cleanup(func() {
		s.req.Volumes = ipc.VolumesRemove
		s.do(context.Background(), ipc.ActionDown)
		_ = engine.Close()
	})
	return s
}

// put makes files the next version of the bundle, in a folder of its own.
func (s *stack) put(files map[string]string) {
	s.t.Helper()
	s.version++
	bundle := map[string][]byte{}
	for name, text := range files {
		bundle[name] = []byte(text)
	}
	version := fmt.Sprintf("v%d", s.version)
	dir, err := s.store.PutBundle(version, bundle)
	if err != nil {
		s.t.Fatal(err)
	}
	s.req.Dir = dir
	s.req.Labels = map[string]string{"farshore.io/stack": "test", "farshore.io/version": version}
}

// do runs an action and returns its final event.
func (s *stack) do(ctx context.Context, action string) ipc.Event {
	s.t.Helper()
	s.req.Action = action
	var out bytes.Buffer
	code := Run(ctx, Config{Request: s.req, Events: &out})
	final, err := ipc.ReadEvents(&out, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if want := map[string]int{ipc.KindDone: ipc.ExitDone, ipc.KindFailed: ipc.ExitFailed}[final.Kind]; code != want {
		s.t.Errorf("exit code %d with final event %q", code, final.Kind)
	}
	return final
}

// up applies the bundle and fails the test if that fails.
func (s *stack) up() ipc.Event {
	s.t.Helper()
	e := s.do(s.t.Context(), ipc.ActionUp)
	if e.Kind != ipc.KindDone {
		s.t.Fatalf("up failed: %s: %s\n%s", e.Code, e.Detail, e.Log)
	}
	return e
}

// upFails applies the bundle and fails the test unless that fails with code, a sentence with all words in it.
func (s *stack) upFails(code string, words ...string) ipc.Event {
	s.t.Helper()
	e := s.do(s.t.Context(), ipc.ActionUp)
	if e.Kind != ipc.KindFailed || e.Code != code {
		s.t.Fatalf("got %s %s: %s; want it to fail with %s", e.Kind, e.Code, e.Detail, code)
	}
	for _, w := range words {
		if !strings.Contains(e.Detail, w) {
			s.t.Errorf("the sentence %q does not name %q", e.Detail, w)
		}
	}
	return e
}

// running is what tells whether a container was touched: its id and when it was started, by service.
func (s *stack) running() map[string]string {
	s.t.Helper()
	ids := map[string]string{}
	for _, c := range s.containers() {
		info, err := s.engine.ContainerInspect(s.t.Context(), c.ID)
		if err != nil {
			s.t.Fatal(err)
		}
		ids[c.Labels[api.ServiceLabel]] = info.State.Status + " " + c.ID + " " + info.State.StartedAt
	}
	return ids
}

func (s *stack) containers() []container.Summary {
	s.t.Helper()
	e := &engine{APIClient: s.engine}
	all, err := e.containers(context.Background(), s.req.Project)
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// wantTouched fails the test unless exactly these services have other containers than before.
func wantTouched(t *testing.T, before, after map[string]string, services ...string) {
	t.Helper()
	var touched []string
	for _, service := range slices.Sorted(maps.Keys(after)) {
		if before[service] != after[service] {
			touched = append(touched, service)
		}
	}
	slices.Sort(services)
	if !slices.Equal(touched, services) {
		t.Errorf("touched %q, want %q", touched, services)
	}
}

// sh runs a shell command in a service's container and returns its output.
func (s *stack) sh(service, command string) string {
	s.t.Helper()
	for _, c := range s.containers() {
		if c.Labels[api.ServiceLabel] != service {
			continue
		}
		ctx := s.t.Context()
		exec, err := s.engine.ContainerExecCreate(ctx, c.ID, container.ExecOptions{Cmd: []string{"sh", "-c", command}, AttachStdout: true, AttachStderr: true})
		if err != nil {
			s.t.Fatal(err)
		}
		conn, err := s.engine.ContainerExecAttach(ctx, exec.ID, container.ExecAttachOptions{})
		if err != nil {
			s.t.Fatal(err)
		}
		defer conn.Close()
		var out bytes.Buffer
		if _, err := stdcopy.StdCopy(&out, &out, conn.Reader); err != nil {
			s.t.Fatal(err)
		}
		return strings.TrimSpace(out.String())
	}
	s.t.Fatalf("no container of service %s", service)
	return ""
}

// process starts the composer as a process of its own.
func (s *stack) process(action string) (*exec.Cmd, io.Reader) {
	s.t.Helper()
	s.req.Action = action
	request, err := json.Marshal(s.req)
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envProcess+"=1")
	cmd.Stdin = bytes.NewReader(request)
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	return cmd, out
}
