package testengine

import (
	"bufio"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// podmanScript is process 1 of a Podman's namespaces.
//
//go:embed podman.sh
var podmanScript string

// StartPodman runs a private Podman for this test and returns the address of its Docker API; it ends with the test.
// Its network is its own too, so published ports are not reached from outside. Where none can be run it skips the
// test, or fails it where an engine is required.
func StartPodman(t testing.TB) (host string) {
	t.Helper()
	honourSkip(t)
	for _, program := range []string{"podman", "conmon", "runc", "iptables"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program+" is not installed (Debian: apt-get install podman iptables)")
		}
	}
	if os.Geteuid() != 0 {
		missing(t, "a private Podman needs root rights")
	}
	dir, err := os.MkdirTemp("", "farshore-podman-")
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := isolatedCommand("/bin/bash", "-c", podmanScript, "podman-init")
	if err != nil {
		t.Fatal(err)
	}
	ownNetwork(cmd)
	cmd.Env = append(os.Environ(), "ENGINE_DIR="+dir)
	cmd.Dir, cmd.Stderr = "/", os.Stderr
	orders, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start a private Podman: %v", err)
	}
	t.Cleanup(func() {
		_ = orders.Close() // tells process 1 to clear up and exit
		if err := cmd.Wait(); err != nil {
			t.Errorf("end the private Podman in %q: %v", dir, err)
		}
	})
	e := &Engine{answer: bufio.NewReader(answer)}
	if err := e.readAnswer(); err != nil {
		t.Fatal(fmt.Errorf("start a private Podman: %w", err))
	}
	return "unix://" + filepath.Join(dir, "d.sock")
}
