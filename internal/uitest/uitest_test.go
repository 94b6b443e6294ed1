package uitest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farshore/farshore/internal/testengine"
)

const (
	// envBin names the folder with the programs; the scenarios read it too.
	envBin = "FARSHORE_E2E_BIN"
	// ui is the console's source.
	ui = "../../web/ui"
)

// programs are the folders below cmd/ and the programs they make.
var programs = [...]struct{ folder, name string }{
	{"hub", "farshore-hub"},
	{"edgeagent", "farshore-agent"},
	{"composer", "farshore-composer"},
	{"fleetsim", "fleetsim"},
	{"farshore", "farshore"},
}

// needsEngine are the scenarios with a real agent.
var needsEngine = map[string]bool{"journey": true}

func TestConsole(t *testing.T) {
	needBrowser(t)
	bin := os.Getenv(envBin)
	if bin == "" {
		bin = t.TempDir()
		build(t, bin)
	}
	files, err := filepath.Glob(filepath.Join(ui, "e2e", "*.e2e.mjs"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no scenarios in web/ui/e2e (%v)", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".e2e.mjs")
		t.Run(name, func(t *testing.T) {
			env := append(os.Environ(), envBin+"="+bin)
			if !needsEngine[name] {
				t.Parallel() // after those with an engine, see settle
			} else {
				e := testengine.Start(t)
				settle(t)
				image := testengine.Image(t, testengine.BusyboxImage, testengine.ImageConfig{Host: e.Host()})
				env = append(env, testengine.EnvHost+"="+e.Host(), "FARSHORE_TEST_IMAGE="+image)
			}
			run(t, env, filepath.Base(file))
		})
	}
}

// settle waits until the interfaces of a new engine have their addresses: a browser that is open while one gets its own
// breaks off what it is loading.
func settle(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		out, err := exec.Command("ip", "-6", "address", "show", "tentative").CombinedOutput()
		if err != nil {
			t.Fatalf("look at the addresses of this machine: %v\n%s", err, out)
		}
		if len(bytes.TrimSpace(out)) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("addresses do not settle:\n%s", out)
		}
	}
}

// needBrowser skips the test where the console is left out on purpose, and fails it where something is missing.
func needBrowser(t *testing.T) {
	t.Helper()
	optional := os.Getenv(testengine.EnvSkip) != ""
	lacking := func(what, remedy string) {
		t.Helper()
		if optional {
			t.Skipf("%s is missing, and %s is set", what, testengine.EnvSkip)
		}
		t.Fatalf("%s is missing: %s; or leave out what needs it with %s=1", what, remedy, testengine.EnvSkip)
	}
	if os.Getenv("SKIP_CONSOLE") != "" {
		t.Skip("SKIP_CONSOLE is set")
	}
	if _, err := exec.LookPath("node"); err != nil {
		optional = optional || os.Getenv("FARSHORE_REQUIRE_NODE") == ""
		lacking("Node", "install Node 20.19 or newer")
	}
	if _, err := exec.LookPath("chromium"); err != nil && os.Getenv("FARSHORE_CHROMIUM") == "" {
		lacking("Chromium", "install it (Debian: apt-get install chromium), or name it in FARSHORE_CHROMIUM")
	}
	if _, err := exec.LookPath("nginx"); err != nil {
		if _, err := os.Stat("/usr/sbin/nginx"); err != nil {
			lacking("nginx", "install it (Debian: apt-get install nginx-light)")
		}
	}
	if _, err := os.Stat(filepath.Join(ui, "node_modules", "playwright-core")); err != nil {
		lacking("a package of the console's tests", "run `make console`")
	}
	if _, err := os.Stat("../../web/dist/index.html"); err != nil && os.Getenv(envBin) == "" {
		lacking("the built console", "run `make console`")
	}
}

func build(t *testing.T, dir string) {
	t.Helper()
	for _, p := range programs {
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w",
			"-o", filepath.Join(dir, p.name), "../../cmd/"+p.folder)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", p.name, err, out)
		}
	}
}

// run runs the scenarios of a file. They, and what they start, are one process group, of which nothing stays.
func run(t *testing.T, env []string, file string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", "--test", "--test-force-exit", "--test-reporter", "spec", file)
	cmd.Dir = filepath.Join(ui, "e2e")
	cmd.Env = env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if cmd.Process != nil {
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Errorf("end what %s started: %v", file, err)
		}
	}
	if err != nil {
		t.Errorf("%s: %v\n%s", file, err, out.String())
	} else {
		t.Logf("%s", out.String())
	}
}
