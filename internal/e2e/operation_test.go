package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// runProgram runs one of the programs to its end.
func runProgram(t *testing.T, name string, args ...string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd := exec.Command(program(name), args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = bareEnv(), &out, &errOut
	code := exitCode(cmd.Run())
	return result{code: code, out: out.String(), err: errOut.String()}
}

// TestHealthAndLogLevel asks running programs, and programs that are gone, how they do, and has them write more.
func TestHealthAndLogLevel(t *testing.T) {
	t.Parallel()
	h := newHub(t, hubConfig{})
	a := newAgent(t, "https", nil)
	a.join(h.key("field"))

	if r := runProgram(t, "farshore-hub", "health", "--data", h.data); r.code != exitOK || r.out != "ready\n" {
		t.Errorf("a hub that runs: %s", r)
	}
	a.waits("waiting")
	if r := runProgram(t, "farshore-agent", "health", "--data", a.data); r.code != exitOK || r.out != "running, waiting to be approved\n" {
		t.Errorf("an agent that runs: %s", r)
	}

	if r := runProgram(t, "farshore-agent", "log-level", "--data", a.data, "loud"); r.code == exitOK || !strings.Contains(r.err, `log level "loud": want debug, info, warn or error`) {
		t.Errorf("a level that is none: %s", r)
	}
	quiet := a.log.text()
	if r := runProgram(t, "farshore-agent", "log-level", "--data", a.data, "debug"); r.code != exitOK || r.out != "debug\n" {
		t.Errorf("debug: %s", r)
	}
	if strings.Contains(quiet, "level=DEBUG") {
		t.Error("the agent wrote details before it was told to")
	}
	a.stop()
	says(t, runProgram(t, "farshore-agent", "health", "--data", a.data).err, "no agent is running")
	a.start() // as by its own setting
	until(t, "the agent answers", func() error {
		return wanted("level", runProgram(t, "farshore-agent", "log-level", "--data", a.data).out, "info\n")
	})

	says(t, h.cli("log-level"), "info")
	says(t, h.cli("log-level", "debug"), "debug")
	says(t, h.cli("audit", "ls", "--limit", "5"), "log level debug")
	if r := h.try("log-level", "loud"); r.code == exitOK {
		t.Errorf("a level that is none: %s", r)
	}
	h.kill()
	if r := runProgram(t, "farshore-hub", "health", "--data", h.data); r.code != exitFailed || !strings.Contains(r.err, "no hub is running") {
		t.Errorf("a hub that was killed: %s", r)
	}
}

// TestHubInAContainer has the compose file of deploy applied by the composer. The container gets healthy by itself, has
// no rights, and its volume is the hub: with it, another container is the same hub.
func TestHubInAContainer(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	image := workDir(t)
	copyFile(t, program("farshore-hub"), filepath.Join(image, "farshore-hub"))
	if err := exec.Command("mkdir", filepath.Join(image, "data")).Run(); err != nil {
		t.Fatal(err)
	}
	docker(t, e, "build", "--quiet", "-f", "../../deploy/hub.Dockerfile", "-t", "farshore/hub:e2e", image)

	port := freePort(t)
	bundle := workDir(t)
	copyFile(t, "../../deploy/compose.yaml", filepath.Join(bundle, "compose.yaml"))
	compose := func(action string) {
		t.Helper()
		request, err := json.Marshal(map[string]any{
			"action": action, "project": "farshore", "dir": bundle, "root": filepath.Dir(bundle), "files": []string{"compose.yaml"},
			"host": e.Host(), "wait_seconds": 120, "env": map[string]string{
				"FARSHORE_HUB_IMAGE": "farshore/hub:e2e", "FARSHORE_HUB_PORT": fmt.Sprint(port), "FARSHORE_HUB_MQTT_PORT": fmt.Sprint(freePort(t)),
				"FARSHORE_HUB_PUBLIC_URL": "https://" + address(port),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program("farshore-composer"))
		cmd.Env, cmd.Stdin = bareEnv(), bytes.NewReader(request)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", action, err, out)
		}
	}
	fingerprint := func() (text string) {
		t.Helper()
		until(t, "the container is healthy", func() error {
			return wanted("health", strings.TrimSpace(docker(t, e, "inspect", "-f", "{{.State.Health.Status}}", "farshore-hub-1")), "healthy")
		})
		text = field(docker(t, e, "logs", "farshore-hub-1"), "fingerprint")
		r := runCLI(t, []string{"FARSHORE_URL=https://" + address(port), "FARSHORE_FINGERPRINT=" + text, "FARSHORE_TOKEN=fst_none"}, "whoami")
		if r.code != exitNotAllowed { // it is reached, and trusted
			t.Errorf("the hub in the container: %s", r)
		}
		return text
	}
	compose("up")
	first := fingerprint()
	if got := docker(t, e, "inspect", "-f", "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}", "farshore-hub-1"); got != "65532:65532 true [ALL]\n" {
		t.Errorf("the container has rights: %s", got)
	}
	says(t, docker(t, e, "exec", "farshore-hub-1", "farshore-hub", "health"), "ready")
	docker(t, e, "rm", "-f", "farshore-hub-1")
	compose("up")
	if again := fingerprint(); again != first {
		t.Errorf("the fingerprint was %s, and is %s", first, again)
	}
	docker(t, e, "rm", "-f", "farshore-hub-1")
}
