package composer

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/compose/v2/pkg/api"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"

	"github.com/farshore/farshore/stacks/composer/ipc"
	"github.com/farshore/farshore/stacks/staging"
)

// twoServices is a bundle whose every version recreates both services; one has two networks and a volume without a
// name, and keeps in that a file from its first start.
func twoServices(version int) map[string]string {
	return map[string]string{"compose.yml": fmt.Sprintf(`
services:
  a:
    image: farshore-test/busybox:1
    environment: {V: %d}
    networks: [front, back]
    volumes: [/keep]
    command: [sh, -c, "[ -e /keep/born ] || echo $$V > /keep/born; trap 'exit 0' TERM; while :; do sleep 1000 & wait $$!; done"]
  b:
    image: farshore-test/busybox:1
    environment: {V: %d}
    networks: [back]
    depends_on: [a]
networks: {front: {}, back: {}}
`, version, version)}
}

// Killed at any step, the composer leaves something that the next up turns into exactly what was asked for, and what
// a container kept is not lost.
func TestKilledAtEveryStepTheNextUpConverges(t *testing.T) {
	s := newStack(t)
	s.req.WaitSeconds = 0
	version := 1
	s.put(twoServices(version))
	s.up()
	for step := 1; ; step++ {
		version++
		s.put(twoServices(version))
		cmd, out := s.process(ipc.ActionUp)
		seen := 0
		final, err := ipc.ReadEvents(out, func(ipc.Event) {
			if seen++; seen == step {
				_ = cmd.Process.Signal(syscall.SIGKILL)
			}
		})
		_ = cmd.Wait()
		if err == nil {
			if final.Kind != ipc.KindDone {
				t.Errorf("step %d: %s: %s", step, final.Code, final.Detail)
			}
			if step < 5 {
				t.Errorf("only %d steps were seen", step)
			}
			break
		}
		s.up()
		s.wantExactly(step, version)
	}
	s.wantExactly(0, version)
}

func (s *stack) wantExactly(step, version int) {
	s.t.Helper()
	all := s.containers()
	if len(all) != 2 {
		s.t.Errorf("killed at step %d: %d containers, want 2", step, len(all))
	}
	for _, c := range all {
		if want := s.req.Project + "-" + c.Labels[api.ServiceLabel] + "-1"; nameOf(c) != want || c.State != "running" {
			s.t.Errorf("killed at step %d: container %s is %s, want %s running", step, nameOf(c), c.State, want)
		}
	}
	if got, want := s.sh("a", "echo $V; cat /keep/born; ip -o link | grep -c eth"), fmt.Sprintf("%d\n1\n2", version); got != want {
		s.t.Errorf("killed at step %d: version, first version and networks are %q, want %q", step, got, want)
	}
}

func TestSIGTERMCancels(t *testing.T) {
	s := newStack(t)
	s.put(map[string]string{"compose.yml": `services: {a: {image: "farshore-test/busybox:1", healthcheck: {test: [CMD, "false"], start_period: 100s}}}`})
	cmd, out := s.process(ipc.ActionUp)
	final, err := ipc.ReadEvents(out, func(e ipc.Event) {
		if e.Text == "started" {
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	})
	if err != nil || final.Code != ipc.CodeCancelled {
		t.Errorf("got %s: %s (%v)", final.Code, final.Detail, err)
	}
	_ = cmd.Wait()
	if cmd.ProcessState.ExitCode() != ipc.ExitFailed {
		t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
	}
}

func TestOneComposerAtATime(t *testing.T) {
	s := newStack(t)
	s.put(map[string]string{"compose.yml": `services: {a: {image: "farshore-test/busybox:1"}}`})
	release, err := lock(t.Context(), s.req.Root+"/"+staging.LockName)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if e := s.do(ctx, ipc.ActionUp); e.Code != ipc.CodeCancelled || len(s.containers()) != 0 {
		t.Errorf("got %s %s: %s", e.Kind, e.Code, e.Detail)
	}
	release()
	s.up()
}

func TestDownNeedsNoBundle(t *testing.T) {
	s := newStack(t)
	s.req.WaitSeconds = 0
	s.put(threeServices())
	s.up()
	s.sh("web", "echo kept > /state/x")
	s.sh("db", "echo kept > /data/x")
	root := s.req.Root
	down := func() {
		t.Helper()
		if e := s.do(t.Context(), ipc.ActionDown); e.Kind != ipc.KindDone || len(s.containers()) != 0 || s.networks() != 0 {
			t.Fatalf("%s %s: %s; containers %v", e.Kind, e.Code, e.Detail, s.containers())
		}
	}
	dir := s.req.Dir
	s.req.Dir = ""
	down()
	down()

	s.req.Dir = dir
	s.up()
	if got := s.sh("web", "cat /state/x") + s.sh("db", "cat /data/x"); got != "keptkept" {
		t.Errorf("after down and up the containers read %q", got)
	}

	s.req.Dir, s.req.Root, s.req.Volumes = "", "", ipc.VolumesRemove
	down()
	list, err := s.engine.VolumeList(t.Context(), volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "com.docker.compose.project="+s.req.Project))})
	if err != nil || len(list.Volumes) != 0 {
		t.Errorf("volumes left: %v, %v", list.Volumes, err)
	}
	s.req.Root = root
	down()
	s.req.Dir = dir
	s.up()
	if got := s.sh("web", "cat /state/x"); !strings.Contains(got, "No such file") {
		t.Errorf("data that was removed reads %q", got)
	}
}

func TestDownNamesWhatStillHoldsOn(t *testing.T) {
	s := newStack(t)
	s.put(map[string]string{"compose.yml": `services: {a: {image: "farshore-test/busybox:1"}}`})
	s.up()
	guest := newStack(t)
	guest.put(map[string]string{"compose.yml": `{services: {g: {image: "farshore-test/busybox:1", networks: [n]}}, networks: {n: {external: true, name: ` + s.req.Project + `_default}}}`})
	guest.up()
	e := s.do(t.Context(), ipc.ActionDown)
	if e.Kind != ipc.KindFailed || !strings.Contains(e.Detail, s.req.Project+"_default") || len(s.containers()) != 0 {
		t.Errorf("got %s: %s", e.Kind, e.Detail)
	}
	guest.do(t.Context(), ipc.ActionDown)
	if e := s.do(t.Context(), ipc.ActionDown); e.Kind != ipc.KindDone {
		t.Errorf("got %s: %s", e.Code, e.Detail)
	}
}
