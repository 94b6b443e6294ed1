package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farshore/farshore/internal/testengine"
)

// box runs a command of the agent at the device, as somebody who became root by sudo.
func (a *agent) box(args ...string) (string, error) {
	cmd := exec.Command(program("farshore-agent"), append(args, "--data", a.data)...)
	cmd.Env = append(bareEnv(), "SUDO_USER=kim")
	text, err := cmd.CombinedOutput()
	if err != nil {
		return string(text), fmt.Errorf("farshore-agent %v: %w: %s", args, err, text)
	}
	return string(text), nil
}

func (a *agent) mustBox(args ...string) string {
	a.t.Helper()
	text, err := a.box(args...)
	if err != nil {
		a.t.Fatal(err)
	}
	return text
}

// commandOf is what the containers of a project run, and their state.
func (e *engine) commandOf(project string) string {
	e.t.Helper()
	all, err := e.containers()
	if err != nil {
		e.t.Fatal(err)
	}
	out := "nothing"
	for _, c := range all {
		if c.Config.Labels["com.docker.compose.project"] == project {
			out = c.Config.Labels["version"] + " " + c.State.Status
		}
	}
	return out
}

// A technician at the box takes a stack in hand while no hub can be reached; the hub hears of it afterwards. Before that,
// a version that ends gives way to the one before it, on a real engine.
func TestStacksAtTheBox(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	h := newHub(t, hubConfig{})
	a := newAgent(t, "mqtt", e)
	a.join(h.key("field"))
	device := h.admit(a, "crane")
	dir := filepath.Join(h.dir, "bundle")
	version := func(label, command string) {
		write(t, filepath.Join(dir, "compose.yml"), fmt.Sprintf(
			"services: {web: {image: %q, labels: {version: %s}, command: [sh, -c, %q], stop_grace_period: 1s}}\n",
			testengine.BusyboxImage, label, command))
		h.cli("stacks", "apply", "--name", "pumps", "-f", dir, "--select", "farshore.io/id="+device)
	}
	version("one", "exec sleep 3600")
	h.runs("pumps", device, 1)
	version("two", "exec sleep 3601")
	h.runs("pumps", device, 2)
	version("bad", "echo no pump on line 4; exit 3")
	until(t, "the bad version has given way", func() error {
		s, err := h.stackOn("pumps", device)
		if err == nil && (s.State != "rolled-back" || s.Version != 3 || s.Running != 2 || !strings.Contains(s.Detail, "no pump on line 4")) {
			err = fmt.Errorf("it is %+v", s)
		}
		return err
	})
	if got := e.commandOf("pumps"); got != "two running" {
		t.Errorf("%s", got)
	}

	h.stop()
	says(t, a.mustBox("stacks"), "pumps", "rolled-back", "2,1")
	a.mustBox("rollback", "pumps", "--to", "1", "--reason", "two leaks")
	if got := e.commandOf("pumps"); got != "one running" {
		t.Errorf("after the rollback: %s", got)
	}
	a.kill()
	a.start()
	until(t, "the agent is back", func() error { _, err := a.status(); return err })
	a.mustBox("stop", "pumps", "--reason", "hands in the machine")
	if got := e.commandOf("pumps"); got != "one exited" {
		t.Errorf("after the stop: %s", got)
	}
	if text, err := a.box("hold", "no-such"); err == nil || !strings.Contains(text, "farshore-agent stacks") {
		t.Errorf("a stack that is not here is held: %v %s", err, text)
	}
	var list []struct {
		Name, Hold, Reason string
		HeldBy             string `json:"held_by"`
		Running            uint64
	}
	if err := json.Unmarshal([]byte(a.mustBox("stacks", "--json")), &list); err != nil || len(list) != 1 ||
		list[0].Hold != "stopped" || list[0].HeldBy != "kim" || list[0].Reason != "hands in the machine" {
		t.Errorf("at the box: %+v, %v", list, err)
	}
	h.start()
	until(t, "the hub knows who stopped it", func() error {
		s, err := h.stackOn("pumps", device)
		if err == nil && (s.Code != "held" || !strings.Contains(s.Detail, "by kim") || !strings.Contains(s.Detail, "hands in the machine")) {
			err = fmt.Errorf("it is %+v", s)
		}
		return err
	})
	version("four", "trap 'exit 0' TERM; sleep 3604 & wait") // when it is stopped it looks as if its work were done
	a.mustBox("resume", "pumps")
	h.runs("pumps", device, 4)
	if got := e.commandOf("pumps"); got != "four running" {
		t.Errorf("after resuming: %s", got)
	}

	// With the engine away, what was decided is noted and done later.
	if err := e.Stop(); err != nil {
		t.Fatal(err)
	}
	until(t, "the agent knows that its engine is away", func() error {
		s, err := a.status()
		if err == nil && s.Engine.State == "running" {
			err = fmt.Errorf("it says %+v", s.Engine)
		}
		return err
	})
	text, err := a.box("stop", "pumps")
	if err == nil || !strings.Contains(text, "noted, but not done yet: the container engine does not answer") {
		t.Errorf("without an engine: %v %s", err, text)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "it is stopped", func() error { return wanted("the stack", e.commandOf("pumps"), "four exited") })
	a.mustBox("resume", "pumps")
	until(t, "it runs again", func() error { return wanted("the stack", e.commandOf("pumps"), "four running") })
}
