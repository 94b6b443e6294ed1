package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAgentInAContainer makes the agent's image, starts it by the command that the hub gives, and has it run a stack
// that mounts a file. The command differs from the one an operator pastes in the engine's socket and the agent's
// folder, so that the test leaves the machine's own alone.
func TestAgentInAContainer(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	const image = "farshore/agent:e2e"
	buildImage(t, e, image)
	h := newHub(t, hubConfig{args: []string{"--agent-image", image}})
	var made struct {
		RunCommands struct{ Container string } `json:"run_commands"`
	}
	h.get(&made, "keys", "create", "--name", "field")
	data := filepath.Join(workDir(t), "agent")
	shell := exec.Command("sh")
	shell.Stdin = strings.NewReader(strings.NewReplacer(
		"/var/run/docker.sock:", strings.TrimPrefix(e.Host(), "unix://")+":",
		"/var/lib/farshore-agent", data,
		"--network host", "--network host -e FARSHORE_DATA="+data,
	).Replace(made.RunCommands.Container))
	shell.Env = append(bareEnv(), "DOCKER_HOST="+e.Host())
	if text, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("the command to run the agent in a container: %v\n%s", err, text)
	}

	var box waitingShown
	until(t, "the device is in the waiting room", func() error {
		var list []waitingShown
		if err := h.ask(&list, "waiting", "ls"); err != nil {
			return err
		}
		if len(list) != 1 {
			return fmt.Errorf("the waiting room has %+v; the container says:\n%s", list, docker(t, e, "logs", "farshore-agent"))
		}
		box = list[0]
		return nil
	})
	hostname, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	release, err := os.ReadFile("/etc/os-release")
	if err != nil || box.Facts.Hostname != hostname || box.Facts.OS == "" || !bytes.Contains(release, []byte(`"`+box.Facts.OS+`"`)) {
		t.Errorf("the device says of itself %+v, want the name %s and the system of %s (%v)", box.Facts, hostname, release, err)
	}
	says(t, docker(t, e, "exec", "farshore-agent", "farshore-agent", "status", "--qr"), box.PairingCode, h.url()+"/waiting?code=")

	h.cli("waiting", "approve", "--code", box.PairingCode)
	h.connected(box.ID, "")
	s := newShop(t, h, e)
	s.apply(box.ID, "open")
	h.runs(s.name, box.ID, 1)
	s.shows("open")
	s.remove()
	until(t, "the containers are gone", func() error { return e.gone(s.name) })
	docker(t, e, "rm", "-f", "farshore-agent")
}

// waitingShown is a device in the waiting room as scripts see it.
type waitingShown struct {
	ID          string `json:"id"`
	PairingCode string `json:"pairing_code"`
	Facts       struct {
		Hostname string `json:"hostname"`
		OS       string `json:"os"`
	} `json:"facts"`
}

// buildImage makes the agent's image of the programs under test, as `make images` does.
func buildImage(t *testing.T, e *engine, name string) {
	t.Helper()
	dir := workDir(t)
	for _, p := range []string{"farshore-agent", "farshore-composer"} {
		copyFile(t, program(p), filepath.Join(dir, p))
	}
	docker(t, e, "build", "--quiet", "-f", "../../deploy/agent.Dockerfile", "-t", name, dir)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// docker runs Docker's own command line on a device's engine.
func docker(t *testing.T, e *engine, args ...string) string {
	t.Helper()
	cmd := exec.Command("docker", args...)
	cmd.Env = append(bareEnv(), "DOCKER_HOST="+e.Host())
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("docker %v: %v\n%s", args, err, text)
	}
	return string(text)
}
