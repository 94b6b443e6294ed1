package engine_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
)

// recorded is an engine that answers with the files of a folder, and speaks one API version.
type recorded struct {
	dir string

	mu       sync.Mutex
	version  string
	oldest   string
	requests []string
	streams  chan struct{} // each value lets one event stream end
}

func (r *recorded) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	version, oldest := r.version, r.oldest
	r.requests = append(r.requests, req.URL.Path)
	r.mu.Unlock()
	w.Header().Set("Api-Version", version)
	if req.URL.Path == "/_ping" {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	asked, path, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/v"), "/")
	if asked > version || asked < oldest {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"message":"client version `+asked+` is not supported"}`)
		return
	}
	name := ""
	switch {
	case path == "events":
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.streams:
		case <-req.Context().Done():
		}
		return
	case path == "containers/json":
		name = "containers.json"
	case path == "images/json":
		name = "images.json"
	case strings.HasPrefix(path, "containers/") && strings.HasSuffix(path, "/json"):
		name = "inspect-" + path[len("containers/"):][:16] + ".json"
	default:
		name = path + ".json"
	}
	text, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"message":"No such container"}`)
		return
	}
	_, _ = w.Write(text)
}

func serve(t *testing.T, r *recorded) string {
	t.Helper()
	r.streams = make(chan struct{})
	server := httptest.NewServer(r)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return strings.Replace(server.URL, "http://", "tcp://", 1)
}

func digest(last byte) (h protocol.Hash) { h[31] = last; return h }

func eight(b byte) (h protocol.ShortHash) {
	for i := range h {
		h[i] = b
	}
	return h
}

// TestNewerDocker reads recorded answers of an engine with the containerd image store and API 1.47.
func TestNewerDocker(t *testing.T) {
	r := &recorded{dir: "testdata/docker-1.47", version: "1.47"}
	obs, err := newEngine(t, serve(t, r)).Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := snapshot.Canonical(protocol.Snapshot{
		Engine: obs.Engine, Images: obs.Images, Containers: obs.Containers, Volumes: obs.Volumes, Networks: obs.Networks,
	})
	if strings.Contains(string(raw), "secret-") {
		t.Error("a secret is in the snapshot")
	}
	got, err := snapshot.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	want := protocol.Snapshot{
		Engine: protocol.Engine{Kind: "docker", Version: "27.5.1", API: "1.47", Storage: "overlayfs", Cgroup: "systemd/2"},
		Images: []protocol.Image{
			{ID: digest(0xa1), Tags: []string{"shop/web:1.4", "shop/web:latest"}, Size: 52428800, Created: 1763700000},
			{ID: digest(0xa2), Size: 1000, Created: 1763600000},
		},
		Containers: []protocol.Container{
			{
				ID: eight(0x22), Name: "shop-job-1", ImageRef: "shop/job:0.9", State: protocol.ContainerExited, ExitCode: 3,
				Created: 1763800001, Started: 1763800002, Finished: 1763800003, Networks: []protocol.Endpoint{{Network: "host"}},
			},
			{
				ID: eight(0x11), Name: "shop-web-1", Image: 1, Health: protocol.HealthHealthy, Restarts: 2,
				Created: 1763800000, Started: 1763800001, Project: "shop", Service: "web", Labels: map[string]string{"team": "plant"},
				Ports: []protocol.Port{{Private: 53, Proto: "udp", Public: 5353, IP: "127.0.0.1"}, {Private: 80, Public: 8080}, {Private: 443}},
				Networks: []protocol.Endpoint{
					{Network: "shop_default", IP: "172.19.0.2"},
					{Network: "v6only", IP: "fd00::2"},
				},
				Mounts: []protocol.Mount{{Source: "shop_data", Target: "/data"}, {Type: "bind", Source: "/etc/shop", Target: "/etc/shop", ReadOnly: true}},
			},
		},
		Volumes: []protocol.Volume{{Name: "shop_data", Created: 1763798400, Project: "shop"}},
		Networks: []protocol.Network{
			{Name: "none", Driver: "null"},
			{ID: eight(0x44), Name: "shop_default", Driver: "bridge", Subnets: []string{"172.19.0.0/16", "fd00::/64"}, Project: "shop"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestPodman(t *testing.T) {
	r := &recorded{dir: "testdata/podman", version: "1.41"}
	obs, err := newEngine(t, serve(t, r)).Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if obs.Engine.Kind != "podman" || obs.Engine.Version != "5.4.2" || obs.Engine.API != "1.41" {
		t.Errorf("engine: %+v", obs.Engine)
	}
	c := obs.Containers[0]
	if c.Image != 1 || c.Started != 1763796401 || c.Health != protocol.HealthNone {
		t.Errorf("container: %+v", c)
	}
}

// TestEngineUpgrade has the engine replaced by one that does not speak the old version any more.
func TestEngineUpgrade(t *testing.T) {
	r := &recorded{dir: "testdata/docker-1.47", version: "1.41"}
	e := newEngine(t, serve(t, r))
	watch := func() (established chan struct{}, ended chan error) {
		established, ended = make(chan struct{}, 1), make(chan error, 1)
		go func() { ended <- e.Watch(t.Context(), func() { established <- struct{}{} }) }()
		return established, ended
	}
	established, ended := watch()
	<-established
	obs, err := e.Observe(t.Context())
	if err != nil || obs.Engine.API != "1.41" {
		t.Fatalf("before: %+v, %v", obs.Engine, err)
	}
	r.mu.Lock()
	r.version, r.oldest = "1.51", "1.44"
	r.mu.Unlock()
	r.streams <- struct{}{} // the engine restarts
	if err := <-ended; !errors.Is(err, snapshot.ErrEngineAbsent) {
		t.Errorf("the stream ended with %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if obs, err = e.Observe(ctx); err != nil || obs.Engine.API != "1.51" {
		t.Errorf("after: %+v, %v", obs.Engine, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.requests, "/v1.51/info") {
		t.Errorf("requests: %v", r.requests)
	}
}
