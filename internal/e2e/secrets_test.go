package e2e

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/internal/certtest"
	"github.com/farshore/farshore/internal/testengine"
)

const (
	tokenSecret    = "tok-6b1f0d2c9e"
	registrySecret = "pull-77c0ab13f4"
)

// A stack from a registry that asks for a password, with a secret variable: the device gets both when it is confirmed and
// not before, nothing on its disk or in its process list has them in clear, and a restored hub still has them.
func TestSecretsReachTheirDevice(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	authority := certtest.New(t, "plant")
	pair := authority.Server([]string{"127.0.0.1"})
	registry := testengine.RegistryWith(t, testengine.RegistrySpec{Chain: pair.Chain, Key: pair.Key, User: "fleet", Password: registrySecret})
	image := registry.PushFrom(t, e.Host(), testengine.BusyboxImage, "plant/app:1")

	h := newHub(t, hubConfig{})
	a := newAgent(t, "mqtt", e)
	a.join(h.key("field"))
	s := a.waits("waiting")
	h.cli("waiting", "approve", s.ID, "--name", "crane") // nobody compares the code
	h.connected(s.ID, "mqtt")

	secret := func(text string) string {
		file := filepath.Join(h.dir, "secret")
		write(t, file, text+"\n")
		return file
	}
	h.cli("variables", "set", "TOKEN", "--secret", "--device", "crane", "--from-file", secret(tokenSecret))
	h.cli("registries", "add", registry.Addr, "--name", "plant", "--user", "fleet", "--password-file", secret(registrySecret))
	dir := filepath.Join(h.dir, "app")
	write(t, filepath.Join(dir, "compose.yml"), fmt.Sprintf(
		"services: {app: {image: %q, environment: {TOKEN: '${TOKEN}'}, command: [sleep, '3600'], stop_grace_period: 1s}}\n", image))
	h.cli("stacks", "apply", "--name", "app", "-f", dir, "--select", "farshore.io/id="+s.ID)
	until(t, "the stack waits for the device to be confirmed", func() error {
		st, err := h.stackOn("app", s.ID)
		if err == nil && st.Code != "unconfirmed" {
			err = fmt.Errorf("it is %+v", st)
		}
		return err
	})

	watched := watchProcesses(t)
	h.cli("devices", "set", "crane", "--code", s.PairingCode)
	h.runs("app", s.ID, 1)
	if env := e.environment("app"); !slices.Contains(env, "TOKEN="+tokenSecret) {
		t.Errorf("the container has not got its secret: %d variables", len(env))
	}
	for _, found := range watched() {
		t.Errorf("a process has a secret in its arguments or environment: %s", found)
	}
	for _, place := range []string{a.data, h.data, filepath.Dir(a.data)} {
		for _, file := range filesWith(t, place, tokenSecret, registrySecret) {
			t.Errorf("a secret is in clear in %s", file)
		}
	}
	for _, text := range []string{a.log.text(), h.log.text(), h.cli("variables", "ls", "--device", "crane"), h.cli("registries", "ls"), h.cli("audit", "ls")} {
		if strings.Contains(text, tokenSecret) || strings.Contains(text, registrySecret) {
			t.Error("a secret is in a log, or in what the hub answers")
		}
	}

	// A restored hub has both, and seals them alike: what runs is left alone.
	before := e.mustRuns("app")
	backup := h.backup()
	h.kill()
	h.data = filepath.Join(workDir(t), "hub")
	if r := h.onMachine(h.restoreArgs(backup, h.data)...); r.code != exitOK {
		t.Fatalf("restore: %v", r)
	}
	h.start()
	h.login()
	h.connected(s.ID, "mqtt")
	h.cli("variables", "set", "OTHER", "x", "--device", "crane")
	h.heard(s.ID)
	if now := e.mustRuns("app"); now["app"] != before["app"] {
		t.Errorf("the container was %v and is %v", before["app"], now["app"])
	}
	h.cli("variables", "set", "TOKEN", "--secret", "--device", "crane", "--from-file", secret("another-token"))
	until(t, "the container has the new secret", func() error {
		if env := e.environment("app"); !slices.Contains(env, "TOKEN=another-token") {
			return fmt.Errorf("it has %d variables, and another value", len(env))
		}
		return nil
	})
}

// environment is that of the one container of a project.
func (e *engine) environment(project string) []string {
	e.t.Helper()
	all, err := e.containers()
	if err != nil {
		return nil
	}
	for _, c := range all {
		if c.Config.Labels["com.docker.compose.project"] != project {
			continue
		}
		var in struct{ Config struct{ Env []string } }
		if err := e.ask("GET", "/containers/"+c.ID+"/json", &in); err == nil {
			return in.Config.Env
		}
	}
	return nil
}

// filesWith are the files below a folder that have one of these texts.
func filesWith(t *testing.T, dir string, texts ...string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // the agent removes files meanwhile
		}
		raw, err := os.ReadFile(path)
		for _, text := range texts {
			if err == nil && strings.Contains(string(raw), text) {
				found = append(found, path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// watchProcesses looks at all processes until the function that it returns is called, which says what was found: secrets in
// arguments, or in the environment of a program of ours.
func watchProcesses(t *testing.T) func() []string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	found, ended := map[string]bool{}, make(chan struct{})
	look := func(path string) {
		raw, _ := os.ReadFile(path) // it may have ended
		for _, text := range []string{tokenSecret, registrySecret} {
			if strings.Contains(string(raw), text) {
				found[path] = true
			}
		}
	}
	go func() {
		defer close(ended)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, path := range all {
				look(path)
				if exe, _ := os.Readlink(filepath.Join(filepath.Dir(path), "exe")); strings.HasPrefix(filepath.Base(exe), "farshore-") {
					look(filepath.Join(filepath.Dir(path), "environ"))
				}
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	stop := func() []string {
		cancel()
		<-ended
		var out []string
		for path := range found {
			out = append(out, path)
		}
		return out
	}
	t.Cleanup(func() { stop() })
	return stop
}
