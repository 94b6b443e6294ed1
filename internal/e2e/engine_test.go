package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/internal/wirelab"
)

// engine is a device's own Docker Engine, asked by its own API.
type engine struct {
	*testengine.Engine
	t    *testing.T
	http *http.Client
}

func newEngine(t *testing.T) *engine {
	t.Helper()
	return newEngineIn(t, nil)
}

// newEngineIn is newEngine for one whose network is a lab's.
func newEngineIn(t *testing.T, in *wirelab.Namespace) *engine {
	t.Helper()
	e := &engine{Engine: testengine.StartWith(t, testengine.Config{In: in.Do}), t: t}
	socket := strings.TrimPrefix(e.Host(), "unix://")
	e.http = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true, // the engine comes and goes
	}}
	testengine.Image(t, testengine.BusyboxImage, testengine.ImageConfig{Host: e.Host()})
	return e
}

// ask makes a request, and decodes a JSON answer into out unless that is nil.
func (e *engine) ask(method, path string, out any) error {
	req, err := http.NewRequestWithContext(e.t.Context(), method, "http://engine/v1.41"+path, nil)
	if err != nil {
		return err
	}
	resp, err := e.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, body)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(body, out)
}

// inspection is what the engine says of a container.
type inspection struct {
	ID           string `json:"Id"`
	Name         string
	Created      string
	Image        string
	RestartCount int
	State        struct {
		Status, StartedAt, FinishedAt string
		ExitCode                      int
		Health                        *struct{ Status string }
	}
	Config struct {
		Image  string
		Labels map[string]string
	}
	NetworkSettings struct {
		Ports    map[string][]struct{ HostIp, HostPort string }
		Networks map[string]struct{ IPAddress string }
	}
	Mounts []struct {
		Type, Name, Source, Destination string
		RW                              bool
	}
}

// run is what stays the same as long as a container is left alone.
type run struct{ ID, StartedAt string }

// containers are all containers of the engine by name.
func (e *engine) containers() (map[string]inspection, error) {
	var list []struct {
		ID string `json:"Id"`
	}
	if err := e.ask("GET", "/containers/json?all=1", &list); err != nil {
		return nil, err
	}
	all := map[string]inspection{}
	for _, item := range list {
		var in inspection
		if err := e.ask("GET", "/containers/"+item.ID+"/json", &in); err != nil {
			return nil, err
		}
		all[strings.TrimPrefix(in.Name, "/")] = in
	}
	return all, nil
}

// runs are the containers of a project by service.
func (e *engine) runs(project string) (map[string]run, error) {
	all, err := e.containers()
	if err != nil {
		return nil, err
	}
	out := map[string]run{}
	for _, c := range all {
		if c.Config.Labels["com.docker.compose.project"] == project {
			out[c.Config.Labels["com.docker.compose.service"]] = run{c.ID, c.State.StartedAt}
		}
	}
	return out, nil
}

// mustRuns is runs where the engine must answer.
func (e *engine) mustRuns(project string) map[string]run {
	e.t.Helper()
	out, err := e.runs(project)
	if err != nil {
		e.t.Fatal(err)
	}
	return out
}

// gone says what there still is of a project: containers and networks.
func (e *engine) gone(project string) error {
	left, err := e.runs(project)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("containers are still there: %v", left)
	}
	var networks []struct{ Name string }
	if err := e.ask("GET", "/networks?filters="+labelFilter(project), &networks); err != nil {
		return err
	}
	if len(networks) > 0 {
		return fmt.Errorf("networks are still there: %v", networks)
	}
	return nil
}

func labelFilter(project string) string {
	return url.QueryEscape(`{"label":["com.docker.compose.project=` + project + `"]}`)
}

// starts counts how often the container of a service, which prints "start" as its first act, was started.
func (e *engine) starts(project, service string) (int, error) {
	runs, err := e.runs(project)
	if err != nil {
		return 0, err
	}
	id := runs[service].ID
	if id == "" {
		return 0, fmt.Errorf("service %s of %s has no container", service, project)
	}
	resp, err := e.http.Get("http://engine/v1.41/containers/" + id + "/logs?stdout=1")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return strings.Count(string(text), "start"), err
}
