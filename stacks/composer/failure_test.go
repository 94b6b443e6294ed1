package composer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

func TestAnImageThatCannotBeHadLeavesThePreviousVersionRunning(t *testing.T) {
	s := newStack(t)
	s.put(threeServices())
	s.up()
	before := s.running()
	broken := with(threeServices(), "site.conf", "two")
	broken["compose.yml"] = strings.Replace(broken["compose.yml"], "  worker:", "  extra: {image: '127.0.0.1:1/none:1'}\n  worker:", 1)
	s.put(broken)
	s.upFails(ipc.CodeImageUnavailable, "extra", "127.0.0.1:1/none:1")
	wantTouched(t, before, s.running())
	if got := s.sh("web", "cat /etc/site.conf"); got != "one" {
		t.Errorf("web reads %q", got)
	}
	s.req.Pull = ipc.PullNever
	s.upFails(ipc.CodeImageUnavailable, "extra", "pulling is off")
	wantTouched(t, before, s.running())
}

func TestImagesArePulledFromARegistry(t *testing.T) {
	s := newStack(t)
	registry := testengine.Registry(t)
	ref := registry.Push(t, testengine.Busybox(t), "app:1")
	s.put(map[string]string{"compose.yml": "services: {a: {image: '" + ref + "'}}"})
	done := s.up()
	if got := done.Services[0]; got.State != "running" || got.Image != ref {
		t.Errorf("state %+v", got)
	}
}

func TestFailuresNameTheThing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())

	const image = `image: "farshore-test/busybox:1", stop_grace_period: 1s`
	for _, c := range []struct {
		name, compose, code, service, log string
		words                             []string
	}{
		{
			name: "ends at once", code: ipc.CodeExited, service: "a", log: "no such thing",
			compose: `services: {a: {` + image + `, command: [sh, -c, "echo no such thing >&2; exit 3"]}}`, words: []string{"a", "3"},
		},
		{
			name: "ends in a loop", code: ipc.CodeExited, service: "a", log: "again",
			compose: `services: {a: {` + image + `, restart: always, command: [sh, -c, "echo again; exit 4"]}, b: {` + image + `}}`, words: []string{"a", "4"},
		},
		{
			name: "is unhealthy", code: ipc.CodeUnhealthy, service: "a", log: "serving",
			compose: `services: {a: {` + image + `, command: [sh, -c, "echo serving; exec sleep 100"], healthcheck: {test: [CMD-SHELL, "echo broken pump; false"], interval: 200ms, retries: 2}}}`,
			words:   []string{"a", "broken pump"},
		},
		{
			name: "is not healthy in time", code: ipc.CodeUnhealthy, service: "a",
			compose: `services: {a: {` + image + `, healthcheck: {test: [CMD, "false"], interval: 200ms, start_period: 100s}}, b: {` + image + `, depends_on: {a: {condition: service_healthy}}}}`,
			words:   []string{"a", "4 s"},
		},
		{
			name: "dependency is unhealthy", code: ipc.CodeUnhealthy, service: "a",
			compose: `services: {a: {` + image + `, healthcheck: {test: [CMD, "false"], interval: 200ms, retries: 2}}, b: {` + image + `, depends_on: {a: {condition: service_healthy}}}}`,
			words:   []string{"a"},
		},
		{
			name: "dependency ends", code: ipc.CodeExited, service: "a", log: "bad schema",
			compose: `services: {a: {` + image + `, command: [sh, -c, "echo bad schema; exit 7"]}, b: {` + image + `, depends_on: {a: {condition: service_completed_successfully}}}}`,
			words:   []string{"a", "7"},
		},
		{
			name: "no such program", code: ipc.CodeExited, service: "a",
			compose: `services: {a: {` + image + `, command: [nonsense]}}`, words: []string{"a", "nonsense"},
		},
		{
			name: "port of a program", code: ipc.CodePortInUse, service: "a",
			compose: `services: {a: {` + image + `, ports: ["` + port + `:80"]}}`, words: []string{"a", port},
		},
		{
			name: "external network", code: ipc.CodeComposeInvalid,
			compose: `{services: {a: {` + image + `, networks: [n]}}, networks: {n: {external: true, name: no-such-network}}}`, words: []string{"no-such-network"},
		},
		{
			name: "mounted host file", code: ipc.CodeMissingFile,
			compose: `services: {a: {` + image + `, volumes: [{type: bind, source: /no/such/file, target: /x, bind: {create_host_path: false}}]}}`, words: []string{"/no/such/file"},
		},
		{
			name: "unknown key", code: ipc.CodeComposeUnknownKey,
			compose: "services:\n  a: {" + image + ", comand: x}", words: []string{"compose.yml", "line 2", "comand"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStack(t)
			s.req.WaitSeconds = 4
			s.put(map[string]string{"compose.yml": c.compose})
			e := s.upFails(c.code, c.words...)
			if e.Service != c.service || !strings.Contains(e.Log, c.log) || len(e.Log) > ipc.MaxLog {
				t.Errorf("service %q, log %q", e.Service, e.Log)
			}
		})
	}
}

func TestNamesAndPortsOfOtherContainersAreRespected(t *testing.T) {
	other := newStack(t)
	name := other.req.Project + "-taken"
	other.put(map[string]string{"compose.yml": `services: {a: {image: "farshore-test/busybox:1", container_name: ` + name + `, ports: ["127.0.0.1:0:80"]}}`})
	other.up()
	info, err := other.engine.ContainerInspect(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	port := info.NetworkSettings.Ports["80/tcp"][0].HostPort

	s := newStack(t)
	s.put(map[string]string{"compose.yml": `services: {a: {image: "farshore-test/busybox:1"}}`})
	s.up()
	before := s.running()
	s.put(map[string]string{"compose.yml": `services: {a: {image: "farshore-test/busybox:1", container_name: ` + name + `}}`})
	s.upFails(ipc.CodeNameInUse, name, other.req.Project)
	s.put(map[string]string{"compose.yml": `services: {a: {image: "farshore-test/busybox:1", ports: ["127.0.0.1:` + port + `:80"]}}`})
	s.upFails(ipc.CodePortInUse, port, name)
	// The engine would notice this one only after it has stopped the container.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	s.put(map[string]string{"compose.yml": `services: {a: {image: "farshore-test/busybox:1", ports: ["` + port + `:80"]}}`})
	s.upFails(ipc.CodePortInUse, port, "program")
	wantTouched(t, before, s.running())
}

func TestAMissingEngineIsSaidWithinSeconds(t *testing.T) {
	dir := t.TempDir()
	mute, err := net.Listen("unix", filepath.Join(dir, "mute.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	for _, socket := range []string{"none.sock", "mute.sock"} {
		s := &stack{t: t, req: ipc.Request{Project: "p", Dir: filepath.Join(dir, "v1"), Host: "unix://" + filepath.Join(dir, socket)}}
		began := time.Now()
		e := s.do(context.Background(), ipc.ActionDown)
		if e.Code != ipc.CodeEngineUnreachable || !strings.Contains(e.Detail, socket) {
			t.Errorf("%s: %s: %s", socket, e.Code, e.Detail)
		}
		if took := time.Since(began); took > pingTimeout+2*time.Second {
			t.Errorf("%s: took %s", socket, took)
		}
	}
}

func TestAnEngineThatGoesAwayIsSaidSo(t *testing.T) {
	private := testengine.Start(t)
	if err := testengine.MakeImage(t.Context(), testengine.BusyboxImage, testengine.ImageConfig{Host: private.Host()}); err != nil {
		t.Fatal(err)
	}
	s := newStack(t)
	shared := s.req.Host
	s.req.Host = private.Host()
	s.put(map[string]string{"compose.yml": `services: {a: {image: "farshore-test/busybox:1", healthcheck: {test: [CMD, "false"], start_period: 100s}}}`})
	cmd, out := s.process(ipc.ActionUp)
	final, err := ipc.ReadEvents(out, func(e ipc.Event) {
		if e.Text == "started" {
			if err := private.Kill(); err != nil {
				t.Error(err)
			}
		}
	})
	_ = cmd.Wait()
	s.req.Host = shared
	if err != nil || final.Code != ipc.CodeEngineUnreachable {
		t.Errorf("got %s: %s (%v)", final.Code, final.Detail, err)
	}
}

func TestBadRequests(t *testing.T) {
	for what, req := range map[string]ipc.Request{
		"action":       {Action: "fly", Project: "p", Dir: "/x"},
		"project":      {Action: ipc.ActionUp, Project: "../p", Dir: "/x"},
		"dir":          {Action: ipc.ActionUp, Project: "p", Dir: "x"},
		"no dir":       {Action: ipc.ActionUp, Project: "p"},
		"pull":         {Action: ipc.ActionUp, Project: "p", Dir: "/x", Pull: "sometimes"},
		"wait_seconds": {Action: ipc.ActionUp, Project: "p", Dir: "/x", WaitSeconds: -1},
	} {
		var out strings.Builder
		if code := Run(t.Context(), Config{Request: req, Events: &out}); code != ipc.ExitBadRequest || !strings.Contains(out.String(), what) {
			t.Errorf("%s: exit code %d, %s", what, code, out.String())
		}
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	s := newStack(t)
	s.req.Env = map[string]string{"PASSWORD": "hunter2-hunter2"}
	s.put(map[string]string{"compose.yml": `services: {a: {image: "farshore-test/busybox:1", command: ["${PASSWORD}"]}}`})
	e := s.upFails(ipc.CodeExited, "***")
	if strings.Contains(e.Detail, "hunter2") {
		t.Errorf("the sentence shows it: %s", e.Detail)
	}
}

// What cannot be brought about on a test machine, in the words of the engine.
func TestTheEnginesWordsAreUnderstood(t *testing.T) {
	for code, words := range map[string][]string{
		ipc.CodeDiskFull: {
			"write /var/lib/docker/tmp/GetImageBlob1: no space left on device",
			"failed to register layer: ApplyLayer exit status 1 stdout:  stderr: mkdir /x: disk quota exceeded",
		},
		ipc.CodePortInUse: {
			"driver failed programming external connectivity on endpoint p-a-1: Bind for 0.0.0.0:8080 failed: port is already allocated",
			"failed to bind host port for 0.0.0.0:8080:172.17.0.2:80/tcp: address already in use",
		},
		ipc.CodeNameInUse: {
			`Conflict. The container name "/x8080" is already in use by container "abc". You have to remove (or rename) that container to be able to reuse that name.`,
		},
		ipc.CodeImageUnavailable: {"No such image: example.org/a:8080"},
		ipc.CodeInternal:         {"error 8080 that nobody has seen"},
	} {
		for _, text := range words {
			f := (&run{}).classify(t.Context(), errors.New(text))
			if f.Code != code || (code != ipc.CodeDiskFull && !strings.Contains(f.Detail, "8080")) {
				t.Errorf("%q: %s: %s", text, f.Code, f.Detail)
			}
		}
	}
}

func TestAFullDiskOfOursIsSaidSo(t *testing.T) {
	f := (&run{}).classify(t.Context(), fmt.Errorf("config: %w", &os.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC}))
	if f.Code != ipc.CodeDiskFull {
		t.Errorf("%s: %s", f.Code, f.Detail)
	}
}

// Names are joined by _, so that the volume of one stack can be called as another's would be: nobody gets at it by that.
func TestAVolumeOfAnotherStackIsNotTaken(t *testing.T) {
	other, s := newStack(t), newStack(t)
	other.req.Project = s.req.Project + "_db"
	bundle := func(volume, more string) map[string]string {
		return map[string]string{"compose.yml": `services: {a: {image: "farshore-test/busybox:1", volumes: ["` + volume + `:/x"]}}` + "\nvolumes: {" + volume + ": {" + more + "}}\n"}
	}
	other.put(bundle("data", ""))
	other.up()
	other.sh("a", "echo theirs > /x/file")
	s.put(bundle("db_data", ""))
	s.upFails(ipc.CodeNameInUse, "db_data", other.req.Project)
	s.put(bundle("shared", "external: true, name: "+other.req.Project+"_data"))
	s.up()
	if got := s.sh("a", "cat /x/file"); got != "theirs" {
		t.Errorf("a volume that is shared on purpose has %q", got)
	}
	s.put(bundle("own", "")) // or the other one could not be removed
	s.up()
}

// A project that somebody runs by hand is neither taken over nor removed by a stack of its name.
func TestAProjectOfSomebodyElseIsLeftAlone(t *testing.T) {
	hand, s := newStack(t), newStack(t)
	hand.req.Project = s.req.Project
	bundle := map[string]string{"compose.yml": `services: {db: {image: "farshore-test/busybox:1", command: [sleep, "1000"]}}`}
	hand.put(bundle)
	hand.req.Labels = nil
	hand.up()
	before, made := hand.running(), hand.containers()
	t.Cleanup(func() {
		for _, c := range made {
			_ = hand.engine.ContainerRemove(context.Background(), c.ID, container.RemoveOptions{Force: true})
		}
	})
	s.put(map[string]string{"compose.yml": `services: {web: {image: "farshore-test/busybox:1", command: [sleep, "1000"]}}`})
	s.upFails(ipc.CodeNameInUse, s.req.Project, "another name")
	if e := s.do(t.Context(), ipc.ActionDown); e.Kind != ipc.KindDone {
		t.Errorf("removing the stack: %s: %s", e.Code, e.Detail)
	}
	wantTouched(t, before, hand.running())
}
