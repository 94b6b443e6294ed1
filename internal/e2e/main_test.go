package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// envBin names the folder with the programs. TestMain sets it where nobody has.
const envBin = "FARSHORE_E2E_BIN"

// programs are the folders below cmd/ and the programs they make.
var programs = [...]struct{ folder, name string }{
	{"hub", "farshore-hub"},
	{"edgeagent", "farshore-agent"},
	{"composer", "farshore-composer"},
	{"farshore", "farshore"},
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(runTests(m))
}

// scenariosAtOnce is how many scenarios run at a time for each processor, unless -parallel says otherwise: mostly they
// wait.
const scenariosAtOnce = 2

func shareOut() error {
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if chosen {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(scenariosAtOnce*runtime.GOMAXPROCS(0)))
}

func runTests(m *testing.M) int {
	if err := shareOut(); err != nil {
		fmt.Fprintln(os.Stderr, "choose how many scenarios run at once:", err)
		return 1
	}
	if os.Getenv(envBin) == "" {
		dir, err := os.MkdirTemp("", "farshore-e2e-bin-")
		if err == nil {
			defer os.RemoveAll(dir)
			err = build(dir)
		}
		if err == nil {
			err = os.Setenv(envBin, dir)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "build the programs under test:", err)
			return 1
		}
	}
	return m.Run()
}

// build makes the programs as `make build` does, but for their version.
func build(dir string) error {
	for _, p := range programs {
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w",
			"-o", filepath.Join(dir, p.name), "../../cmd/"+p.folder)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func program(name string) string { return filepath.Join(os.Getenv(envBin), name) }
