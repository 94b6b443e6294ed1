// Command withengine runs a command with a private Docker Engine: it starts one, names it in FARSHORE_TEST_ENGINE, runs
// the command, and removes the engine however that ends. `make test` and `make soak` use it.
//
// It owns the lifetime of that one engine and never starts anything else. It is one goroutine beside the signal
// handling of the standard library; an interrupt is passed on to the command, and the engine outlives it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/farshore/farshore/internal/testengine"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: withengine COMMAND [ARGUMENT…]")
		os.Exit(2)
	}
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "withengine:", err)
	}
	os.Exit(code)
}

// run returns the command's exit code, or 1 and what went wrong with the engine.
func run(command []string) (code int, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	began := time.Now()
	engine := testengine.New(testengine.Config{})
	defer func() {
		if closeErr := engine.Close(); closeErr != nil {
			code, err = 1, errors.Join(err, closeErr)
		}
	}()
	if err := engine.Start(ctx); err != nil {
		return 1, err
	}
	busybox := testengine.ImageConfig{Host: engine.Host()}
	if err := testengine.MakeImage(ctx, testengine.BusyboxImage, busybox); err != nil {
		return 1, fmt.Errorf("make the image %s: %w", testengine.BusyboxImage, err)
	}
	fmt.Printf("private Docker Engine at %s, ready in %.1f s\n", engine.Host(), time.Since(began).Seconds())

	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), testengine.EnvHost+"="+engine.Host(), testengine.EnvRequire+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	// Its own group, so that an interrupt reaches all of it once, and the engine stays until it has ended. A group that
	// is not the terminal's may not read from it: there is no standard input.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	return exitCode(cmd.Run())
}

// exitCode tells a command that failed, which has said why itself, from one that could not be run.
func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode(), nil
	default:
		return 1, err
	}
}
