package composer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/docker/cli/cli/command"
	"github.com/docker/cli/cli/flags"
	"github.com/docker/compose/v2/pkg/api"
	libcompose "github.com/docker/compose/v2/pkg/compose"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"github.com/farshore/farshore/stacks/composer/ipc"
)

// pingTimeout bounds how long an engine may take to answer its first request.
const pingTimeout = 5 * time.Second

// engine is the connection to a Docker Engine and the Compose library on it.
type engine struct {
	client.APIClient
	cli     command.Cli
	compose api.Compose
	host    string
}

// connect reaches the engine or fails within pingTimeout, and settles on an API version that both sides speak.
func connect(ctx context.Context, host string, out *output) (*engine, error) {
	if host == "" {
		host = client.DefaultDockerHost
	}
	cl, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, unreachable(host, err)
	}
	ping, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	version, err := cl.Ping(ping)
	if err != nil {
		_ = cl.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, unreachable(host, err)
	}
	cl.NegotiateAPIVersionPing(version)

	cli, err := command.NewDockerCli(
		command.WithAPIClient(anyEngine{cl}),
		command.WithInputStream(io.NopCloser(strings.NewReader(""))),
		command.WithOutputStream(out.noise),
		command.WithErrorStream(out),
	)
	if err != nil {
		_ = cl.Close()
		return nil, fmt.Errorf("set up the Compose library: %w", err)
	}
	if err := cli.Initialize(&flags.ClientOptions{Hosts: []string{host}, LogLevel: "error"}); err != nil {
		_ = cl.Close()
		return nil, fmt.Errorf("set up the Compose library: %w", err)
	}
	// Compose asks before it destroys a volume whose definition changed. Nobody is there to say yes.
	refuse := libcompose.WithPrompt(func(string, bool) (bool, error) { return false, nil })
	return &engine{APIClient: anyEngine{cl}, cli: cli, compose: libcompose.NewComposeService(cli, refuse), host: host}, nil
}

func (e *engine) close() { _ = e.Close() }

func unreachable(host string, err error) error {
	return &Failure{
		Code:   ipc.CodeEngineUnreachable,
		Detail: fmt.Sprintf("no Docker Engine answers at %s (%s); start it, or correct the engine's address in the agent's settings", host, brief(err)),
	}
}

// containers are all containers of a project, running or not, without those of one-off commands.
func (e *engine) containers(ctx context.Context, project string) ([]container.Summary, error) {
	all, err := e.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(
		filters.Arg("label", api.ProjectLabel+"="+project))})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	kept := all[:0]
	for _, c := range all {
		if c.Labels[api.OneoffLabel] != "True" {
			kept = append(kept, c)
		}
	}
	return kept, nil
}

// nameOf is a container's name without the slash; links to it are not names.
func nameOf(c container.Summary) string {
	for _, n := range c.Names {
		if strings.LastIndexByte(n, '/') == 0 {
			return n[1:]
		}
	}
	return c.ID
}

// Failure is an error that knows what to tell a person. The composer reports it as it is.
type Failure struct {
	// Code is one of the codes of package ipc.
	Code string
	// Service and Container are what it is about, where known.
	Service, Container string
	// Detail names the thing and the remedy in one sentence.
	Detail string
	// Log is the end of the container's log, for CodeUnhealthy and CodeExited.
	Log string
	// Away: a registry did not answer.
	Away bool
}

// Error is Detail.
func (f *Failure) Error() string { return f.Detail }

// brief is the innermost message of an error, on one line and cut to a readable length.
func brief(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			break
		}
		err = inner
	}
	return oneLine(err.Error())
}

// maxSentence bounds what is quoted from the engine or a library, in bytes.
const maxSentence = 300

func oneLine(text string) string {
	text = strings.TrimRight(strings.Join(strings.Fields(text), " "), ".")
	if len(text) > maxSentence {
		text = strings.ToValidUTF8(text[:maxSentence], "") + "…"
	}
	return text
}
