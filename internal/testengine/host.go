package testengine

import (
	"context"
	"os"
	"os/exec"
	"testing"
)

const (
	// EnvHost names the environment variable with the address of the engine that all tests share.
	EnvHost = "FARSHORE_TEST_ENGINE"
	// EnvRequire names the environment variable that, when not empty, turns "skipped, no engine" into a failure.
	EnvRequire = "FARSHORE_REQUIRE_ENGINE"
	// EnvSkip names the environment variable that, when not empty, skips all tests that need an engine, also where one
	// could be had.
	EnvSkip = "SKIP_ENGINE"
)

// Host returns the address ("unix://…") of the engine that all tests share. Where there is none, it skips the test, or
// fails it where one is required.
func Host(t testing.TB) string {
	t.Helper()
	honourSkip(t)
	host := os.Getenv(EnvHost)
	if host == "" {
		missing(t, EnvHost+" is not set: run `make test`, or set it to an engine for tests (unix:///path/to/socket)")
	}
	return host
}

// Start runs a private engine for this test and returns it when it answers; it ends with the test. Where none can be
// run it skips the test, or fails it where an engine is required.
func Start(t testing.TB) *Engine {
	t.Helper()
	return StartWith(t, Config{})
}

// StartWith is Start for one that is run otherwise.
func StartWith(t testing.TB, cfg Config) *Engine {
	t.Helper()
	honourSkip(t)
	for _, program := range []string{"dockerd", "containerd", "runc"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program+" is not installed (Debian: apt-get install docker.io)")
		}
	}
	if os.Geteuid() != 0 {
		missing(t, "a private Docker Engine needs root rights")
	}
	engine := New(cfg)
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := engine.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return engine
}

func honourSkip(t testing.TB) {
	t.Helper()
	if os.Getenv(EnvSkip) != "" {
		t.Skipf("this test needs a Docker Engine, and %s is set", EnvSkip)
	}
}

func missing(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv(EnvRequire) != "" {
		t.Fatalf("this test needs a Docker Engine: %s", reason)
	}
	t.Skipf("this test needs a Docker Engine: %s", reason)
}
