package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/farshore/farshore/hub/api/resource"
)

func (a *app) dockerCommand() *cobra.Command {
	var socket string
	var wait time.Duration
	c := &cobra.Command{
		Use: "docker DEVICE [--socket PATH | -- ARGS...]", Short: "work with the engine of a device in standard mode, through a tunnel",
		Long: "Runs the docker CLI of this machine against the engine of a device, or serves the engine's API on a local socket for any other tool until it is interrupted. " +
			"The device opens a tunnel when it is asked to; it needs standard mode. All changes are in the audit trail.",
		Example: "  farshore docker crane-1 -- ps\n  farshore docker crane-1 -- exec -it web sh\n  farshore docker crane-1 --socket /tmp/crane.sock",
		Args:    cobra.MinimumNArgs(1), ValidArgsFunction: atFirst(a.completeDevices),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (socket == "") == (len(args) == 1) {
				return usage(cmd, errors.New("give either --socket PATH, or -- and what docker is to do"))
			}
			return a.docker(cmd.Context(), dockerCall{device: args[0], args: args[1:], socket: socket, wait: wait})
		},
	}
	c.Flags().StringVar(&socket, "socket", "", "serve the engine's API on this Unix socket, for you alone")
	c.Flags().DurationVar(&wait, "wait", 30*time.Second, "how long the device may take to open a tunnel")
	return c
}

// dockerCall is what is wanted of a device's engine.
type dockerCall struct {
	device string
	args   []string
	socket string
	wait   time.Duration
}

func (a *app) docker(ctx context.Context, c dockerCall) error {
	h, err := a.hub()
	if err != nil {
		return err
	}
	var found resource.Tunnel // so that a name that is wrong is told before docker begins
	if err := a.get(ctx, "/devices/"+seg(c.device)+"/tunnel", nil, &found); err != nil {
		return err
	}
	pass, err := h.Pass("/devices/"+seg(c.device)+"/docker", http.Header{
		"X-Farshore-Timeout": {strconv.Itoa(int(max(1, min(c.wait/time.Second, 600))))},
	})
	if err != nil {
		return err
	}
	path := c.socket
	if path == "" {
		dir, err := os.MkdirTemp("", "farshore-")
		if err != nil {
			return fmt.Errorf("make a folder for the socket: %w", err)
		}
		defer os.RemoveAll(dir)
		path = filepath.Join(dir, "docker.sock")
	}
	l, err := listenForMyself(path)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: pass, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() {
		_ = server.Close()
		<-served
	}()
	if c.socket != "" {
		fmt.Fprintf(a.errOut, "The engine of %s is at unix://%s until you press Ctrl-C.\n", c.device, path)
		<-ctx.Done()
		return nil
	}
	return a.runDocker(path, c.args)
}

// listenForMyself listens on a socket that nobody else may use.
func listenForMyself(path string) (net.Listener, error) {
	before := syscall.Umask(0o177)
	l, err := net.Listen("unix", path)
	syscall.Umask(before)
	if err != nil {
		return nil, fmt.Errorf("socket %q: %w: choose another path, or remove what is there", path, err)
	}
	return l, nil
}

// runDocker runs the docker CLI, and ends with its code. Signals are its own to answer: it shares the terminal.
func (a *app) runDocker(socket string, args []string) error {
	program, err := exec.LookPath("docker")
	if err != nil {
		return fmt.Errorf("the docker CLI is not on this machine: install it (package docker-cli or docker.io), or serve a socket with --socket: %w", err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	defer signal.Stop(signals)
	cmd := exec.Command(program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, a.out, a.errOut
	cmd.Env = append(os.Environ(), "DOCKER_HOST=unix://"+socket, "DOCKER_CONTEXT=", "DOCKER_TLS_VERIFY=")
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return &exitWith{code: exit.ExitCode()}
	}
	if err != nil {
		return fmt.Errorf("run docker: %w", err)
	}
	return nil
}
