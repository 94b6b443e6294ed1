package deploy_test

import (
	"errors"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/farshore/farshore/deploy"
)

const edgeKey = "fsk1_pgF4GGh0dHBzOi8vaHViLmV4YW1wbGU6OTQ0MwJ4GG1xdHRzOi8_-"

// shim is a program that notes how it was called, and what was in its standard input where the arguments name that.
const shim = `#!/bin/sh
{ printf '%s' "${0##*/}"; printf ' <%s>' "$@"; echo; } >>"$CALLS"
case "$*" in */dev/stdin*) cat /dev/stdin >>"$CALLS" ;; esac
`

// paste runs a command as an operator's shell would, with programs that only take notes, and returns those.
func paste(t *testing.T, shell, command string) (calls string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"docker", "systemctl"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(shim), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	notes := filepath.Join(dir, "calls")
	cmd := exec.Command(shell)
	cmd.Stdin = strings.NewReader(command)
	cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "CALLS=" + notes}
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%s: %v\n%s\nof the command:\n%s", shell, err, out, command)
	}
	got, err := os.ReadFile(notes)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func commands(t *testing.T, image string) deploy.Commands {
	t.Helper()
	c, err := deploy.For(edgeKey, image)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestContainerCommandKeepsTheKeyOutOfArguments(t *testing.T) {
	c := commands(t, "registry.example:5000/farshore/agent:1.4")
	for _, shell := range []string{"sh", "bash"} {
		called, input, _ := strings.Cut(paste(t, shell, c.Container), "\n")
		want := "docker <run> <-d> <--name> <farshore-agent> <--restart> <unless-stopped> <--network> <host> <--uts> <host> " +
			"<-v> </var/run/docker.sock:/var/run/docker.sock> <-v> </var/lib/farshore-agent:/var/lib/farshore-agent> " +
			"<-v> </etc:/host/etc:ro> <-v> </usr/lib:/host/usr/lib:ro> <-v> </sys:/host/sys:ro> " +
			"<--env-file> </dev/stdin> <registry.example:5000/farshore/agent:1.4>"
		if called != want || input != "FARSHORE_EDGE_KEY="+edgeKey+"\n" {
			t.Errorf("%s runs\n%s\nwith\n%s\nwant\n%s", shell, called, input, want)
		}
	}
}

// TestServiceCommandWritesWhatItSays runs the command with a folder in place of /etc: the text of the command differs in
// that from what an operator pastes, and in nothing else.
func TestServiceCommandWritesWhatItSays(t *testing.T) {
	c := commands(t, "farshore/agent:latest")
	unit, err := os.ReadFile("farshore-agent.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, shell := range []string{"sh", "bash"} {
		etc := filepath.Join(t.TempDir(), "etc")
		if err := os.MkdirAll(filepath.Join(etc, "systemd/system"), 0o755); err != nil {
			t.Fatal(err)
		}
		moved := func(text string) string { return strings.ReplaceAll(text, "/etc/", etc+"/") }
		calls := paste(t, shell, moved(c.Service))
		if want := "systemctl <daemon-reload>\nsystemctl <enable> <farshore-agent>\nsystemctl <restart> <farshore-agent>\n"; calls != want {
			t.Errorf("%s called:\n%s\nwant:\n%s", shell, calls, want)
		}
		wantFile(t, filepath.Join(etc, "farshore/edge.key"), edgeKey+"\n", 0o600)
		wantFile(t, filepath.Join(etc, "systemd/system/farshore-agent.service"), moved(string(unit)), 0o644)
		wantFile(t, filepath.Join(etc, "systemd/system/farshore-agent.service.d/host-scripts.conf"), moved(deploy.HostScripts), 0o644)
		if info, err := os.Stat(filepath.Join(etc, "farshore")); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("the folder of the key: %v, %v", info.Mode(), err)
		}
	}
}

func wantFile(t *testing.T, path, want string, mode os.FileMode) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Error(err)
		return
	}
	if string(got) != want || info.Mode().Perm() != mode {
		t.Errorf("%s has mode %v, want %v, and content\n%s\nwant\n%s", path, info.Mode().Perm(), mode, got, want)
	}
}

func TestNothingElseGetsIntoACommand(t *testing.T) {
	for _, key := range []string{"", "fsk1_", "hello", edgeKey + "\nKEY\nrm -rf /", edgeKey + "'", edgeKey + "$(id)", "fst_" + edgeKey} {
		if c, err := deploy.For(key, "a"); !errors.Is(err, deploy.ErrEdgeKey) || c != (deploy.Commands{}) {
			t.Errorf("edge key %q: %v", key, err)
		}
	}
	for _, image := range []string{"", "-v/:/x", "a b", "a;b", "a$(id)", "a'b", "a\nb", "A/b:", "a<b"} {
		if c, err := deploy.For(edgeKey, image); !errors.Is(err, deploy.ErrImage) || c != (deploy.Commands{}) {
			t.Errorf("image %q: %v", image, err)
		}
	}
	for version, want := range map[string]string{
		"dev": "farshore/agent:latest", "unknown": "farshore/agent:latest", "": "farshore/agent:latest",
		"v1.4.0": "farshore/agent:v1.4.0", "a83f8e6-dirty": "farshore/agent:a83f8e6-dirty", "1.0+x": "farshore/agent:latest",
	} {
		if got := deploy.Image(version); got != want || deploy.CheckImage(got) != nil {
			t.Errorf("the image of version %q is %q, want %q", version, got, want)
		}
	}
}

// TestUnitsAreRight asks systemd, where there is one, about the units as they are and as the command writes them.
func TestUnitsAreRight(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("there is no systemd-analyze to check units with")
	}
	dir := t.TempDir()
	units := []string{"farshore-agent.service", "farshore-hub.service"}
	for i, name := range units {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		// The programs are not installed where tests run.
		text = regexp.MustCompile(`(?m)^ExecStart=\S+`).ReplaceAll(text, []byte("ExecStart=/bin/sh"))
		units[i] = filepath.Join(dir, name)
		if err := os.WriteFile(units[i], text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	loose := deploy.HostScriptsFile(units[0])
	if err := errors.Join(os.Mkdir(filepath.Dir(loose), 0o755), os.WriteFile(loose, []byte(deploy.HostScripts), 0o644)); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("systemd-analyze", slices.Concat([]string{"verify", "--man=no"}, units)...).CombinedOutput()
	if err != nil || strings.Contains(string(out), dir) {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestScriptsOnTheHostAreBoundByNothing holds that what binds the agent's children is taken back for scripts, setting by
// setting, and that whoever adds one to the unit decides that too.
func TestScriptsOnTheHostAreBoundByNothing(t *testing.T) {
	// What is the same for a script: it says how the service is run, and binds no child of it.
	harmless := []string{
		"ExecStart", "Environment", "EnvironmentFile", "StateDirectory", "StateDirectoryMode", "Restart", "RestartSec", "KillMode",
		"TimeoutStopSec", "OOMScoreAdjust", "SystemCallErrorNumber",
	}
	// What takes back a setting; see systemd.exec(5).
	none := map[string]string{
		"UMask": "0022", "CapabilityBoundingSet": "~", "SystemCallFilter": "", "SystemCallArchitectures": "", "RestrictAddressFamilies": "", "ReadWritePaths": "",
	}
	unit := deploy.Unit(deploy.UnitSpec{Bin: "/opt/bin", Data: "/data", Key: "/key"}) // with a folder that the unit has to open
	_, unit, _ = strings.Cut(unit, "[Service]\n")
	unit, _, _ = strings.Cut(unit, "[Install]\n")
	_, loose, _ := strings.Cut(deploy.HostScripts, "[Service]\n")
	taken := map[string]string{}
	for name, value := range settings(loose) {
		taken[name] = value
	}
	bound := 0
	for name, value := range settings(unit) {
		if slices.Contains(harmless, name) {
			continue
		}
		bound++
		want, special := none[name]
		if !special {
			want = "no"
		}
		if got, ok := taken[name]; !ok || got != want {
			t.Errorf("scripts on the host are bound by %s=%s: host-scripts.conf has to say %s=%s", name, value, name, want)
		}
		delete(taken, name)
	}
	delete(taken, "Environment")
	if bound < 15 || len(taken) > 0 {
		t.Errorf("the unit has %d bounds; taken back is what it does not have: %v", bound, taken)
	}
}

// settings are the lines NAME=VALUE of a section.
func settings(section string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for line := range strings.Lines(section) {
			name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
			if ok && !strings.HasPrefix(name, "#") && !yield(name, value) {
				return
			}
		}
	}
}
