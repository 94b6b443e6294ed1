package composer_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent/composer"
	"github.com/farshore/farshore/stacks"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// script makes a program that stands for farshore-composer.
func script(t *testing.T, body string) *composer.Runner {
	t.Helper()
	path := filepath.Join(t.TempDir(), composer.Name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o700); err != nil {
		t.Fatal(err)
	}
	return runner(path)
}

func runner(path string) *composer.Runner {
	return composer.New(composer.Config{Path: path, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
}

func TestRequestGoesInAndEventsComeOut(t *testing.T) {
	t.Setenv("FARSHORE_EDGE_KEY", "fsk1_secret")
	out := filepath.Join(t.TempDir(), "out")
	r := script(t, `cat > `+out+`
env >> `+out+`
echo noise >&2
echo 'not an event'
echo '{"kind":"step","text":"pulling"}'
echo '{"kind":"failed","code":"port-in-use","detail":"port 80"}'
exit 1
`)
	var steps []string
	final, err := r.Run(t.Context(), ipc.Request{Action: ipc.ActionUp, Project: "web", Env: map[string]string{"A": "b"}}, func(e ipc.Event) {
		steps = append(steps, e.Text)
	})
	if err != nil || final.Code != ipc.CodePortInUse || strings.Join(steps, ",") != "pulling" {
		t.Errorf("got %+v after %q: %v", final, steps, err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(got), `"project":"web"`) || !strings.Contains(string(got), "PATH=") {
		t.Errorf("the composer was given %q", got)
	}
	if strings.Contains(string(got), "fsk1_secret") {
		t.Error("the agent's settings were handed to the composer")
	}
}

func TestComposerThatIsNotThere(t *testing.T) {
	notAProgram := filepath.Join(t.TempDir(), "farshore-composer")
	if err := os.WriteFile(notAProgram, []byte("text"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", "/nowhere/farshore-composer", notAProgram} {
		t.Setenv("PATH", t.TempDir())
		final, err := runner(path).Run(t.Context(), ipc.Request{}, nil)
		if err != nil || final.Kind != ipc.KindFailed || final.Code != stacks.CodeComposerAbsent || !strings.Contains(final.Detail, "install it") {
			t.Errorf("path %q: %+v, %v", path, final, err)
		}
	}
}

func TestComposerThatDiesIsAnError(t *testing.T) {
	r := script(t, `echo '{"kind":"step","text":"pulling"}'
kill -9 $$
`)
	if _, err := r.Run(t.Context(), ipc.Request{}, nil); !errors.Is(err, ipc.ErrNoResult) {
		t.Errorf("got %v, want ErrNoResult", err)
	}
}

func TestComposerIsToldToEnd(t *testing.T) {
	r := script(t, `trap 'echo "{\"kind\":\"failed\",\"code\":\"cancelled\"}"; exit 1' TERM
echo '{"kind":"step","text":"ready"}'
while :; do sleep 0.05; done
`)
	ctx, cancel := context.WithCancel(t.Context())
	final, err := r.Run(ctx, ipc.Request{}, func(ipc.Event) { cancel() })
	if err != nil || final.Code != ipc.CodeCancelled {
		t.Errorf("got %+v, %v", final, err)
	}
}

const childScript = "FARSHORE_COMPOSER_CHILD"

// TestAgentChild stands for an agent that is killed while a composer works.
func TestAgentChild(t *testing.T) {
	path := os.Getenv(childScript)
	if path == "" {
		t.Skip("started by TestComposerDoesNotOutliveAKilledAgent only")
	}
	_, _ = runner(path).Run(t.Context(), ipc.Request{}, nil)
}

func TestComposerDoesNotOutliveAKilledAgent(t *testing.T) {
	dir := t.TempDir()
	path, pidFile := filepath.Join(dir, "composer"), filepath.Join(dir, "pid")
	body := "#!/bin/sh\necho $$ > " + pidFile + ".new && mv " + pidFile + ".new " + pidFile + "\nexec sleep 1000\n"
	if err := os.WriteFile(path, []byte(body), 0o700); err != nil {
		t.Fatal(err)
	}
	agent := exec.Command(os.Args[0], "-test.run=^TestAgentChild$")
	agent.Env = append(os.Environ(), childScript+"="+path)
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	within(t, "the composer to start", func() bool {
		b, err := os.ReadFile(pidFile)
		if err != nil {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
		return err == nil
	})
	if err := agent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = agent.Wait() // says that it was killed
	within(t, "the composer to end", func() bool { return gone(pid) })
}

// gone reports whether a process has ended; one that only waits to be noted by its new parent has.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func within(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 10 s for %s", what)
		}
	}
}
