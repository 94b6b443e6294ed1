package composer

import (
	"bytes"
	"context"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/docker/docker/api/types/image"

	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// door stands before a registry: it lets in who has the password, and counts who comes.
type door struct {
	asked atomic.Int64
	addr  string
}

const doorPassword = "opensesame-7731"

func newDoor(t *testing.T, r *testengine.RegistryServer) *door {
	to := &url.URL{Scheme: "http", Host: r.Addr}
	d := &door{}
	proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(to)
		p.Out.Host = p.In.Host
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		d.asked.Add(1)
		if user, password, _ := req.BasicAuth(); user != "edge" || password != doorPassword {
			w.Header().Set("WWW-Authenticate", `Basic realm="door"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		proxy.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	d.addr = strings.TrimPrefix(server.URL, "http://")
	return d
}

// raw runs an action and returns its final event, and all that it wrote.
func (s *stack) raw(action string) (final ipc.Event, steps []ipc.Event, all string) {
	s.t.Helper()
	s.req.Action = action
	var out, noise bytes.Buffer
	Run(s.t.Context(), Config{Request: s.req, Events: &out, Noise: &noise})
	all = out.String() + noise.String()
	final, err := ipc.ReadEvents(&out, func(e ipc.Event) { steps = append(steps, e) })
	if err != nil {
		s.t.Fatal(err)
	}
	return final, steps, all
}

func (s *stack) dropImage(ref string) {
	s.t.Helper()
	if _, err := s.engine.ImageRemove(context.Background(), ref, image.RemoveOptions{Force: true}); err != nil {
		s.t.Fatal(err)
	}
}

// An image is asked of its registry when it is missing, and when that is demanded; never else.
func TestFetchAsksARegistryOnlyForWhatIsMissing(t *testing.T) {
	registry := testengine.Registry(t)
	d := newDoor(t, registry)
	s := newStack(t)
	registry.Push(t, testengine.BusyboxImage, "app:1")
	ref := d.addr + "/app:1"
	s.put(map[string]string{"compose.yml": "services: {a: {image: " + ref + "}}"})
	s.req.Registries = []ipc.Auth{{Registry: "elsewhere:5000", User: "x", Password: "y"}, {Registry: d.addr, User: "edge", Password: doorPassword}}
	t.Cleanup(func() { s.dropImage(ref) })

	final, steps, _ := s.raw(ipc.ActionFetch)
	if final.Kind != ipc.KindDone || len(s.containers()) != 0 || d.asked.Load() == 0 {
		t.Fatalf("fetch: %+v, %d containers, %d requests", final, len(s.containers()), d.asked.Load())
	}
	if len(steps) == 0 {
		t.Error("fetching told nothing of its progress")
	}
	for _, step := range []struct {
		name, action, pull string
		asks               bool
	}{
		{"fetched again", ipc.ActionFetch, "", false},
		{"applied", ipc.ActionUp, ipc.PullFetched, false},
		{"applied by itself", ipc.ActionUp, ipc.PullMissing, false},
		{"pulling demanded", ipc.ActionFetch, ipc.PullAlways, true},
		{"demanded and fetched", ipc.ActionUp, ipc.PullFetched, false},
	} {
		before := d.asked.Load()
		s.req.Pull = step.pull
		if final, _, _ := s.raw(step.action); final.Kind != ipc.KindDone {
			t.Fatalf("%s: %s: %s", step.name, final.Code, final.Detail)
		}
		if asked := d.asked.Load() > before; asked != step.asks {
			t.Errorf("%s: the registry was asked: %v, want %v", step.name, asked, step.asks)
		}
	}
	s.put(map[string]string{"compose.yml": "services: {a: {image: " + ref + ", pull_policy: always}}"})
	before := d.asked.Load()
	s.req.Pull = ipc.PullFetched
	s.up()
	if d.asked.Load() != before {
		t.Error("what was fetched was asked for once more, as the bundle pulls always")
	}
	s.req.Pull = ""
	if final, _, _ := s.raw(ipc.ActionFetch); final.Kind != ipc.KindDone || d.asked.Load() == before {
		t.Errorf("a bundle that pulls always was not asked for: %+v", final)
	}
}

func TestFetchThatFailsSaysWhetherItMayPass(t *testing.T) {
	registry := testengine.Registry(t)
	d := newDoor(t, registry)
	s := newStack(t)
	s.put(map[string]string{"compose.yml": "services: {a: {image: " + d.addr + "/app:1}}"})
	s.req.Secrets = map[string]string{"NOT_USED": "very-secret"}
	cases := []struct {
		name string
		auth ipc.Auth
		away bool
		prep func()
	}{
		{"wrong password", ipc.Auth{Registry: d.addr, User: "edge", Password: "wrong-password"}, false, func() {}},
		{"no such image", ipc.Auth{Registry: d.addr, User: "edge", Password: doorPassword}, false, func() {}},
		{"registry is down", ipc.Auth{Registry: d.addr, User: "edge", Password: doorPassword}, true, registry.Stop},
	}
	for _, c := range cases {
		c.prep()
		s.req.Registries = []ipc.Auth{c.auth}
		final, _, all := s.raw(ipc.ActionFetch)
		if final.Code != ipc.CodeImageUnavailable || final.Away != c.away || !final.Unchanged {
			t.Errorf("%s: %+v", c.name, final)
		}
		if strings.Contains(all, c.auth.Password) {
			t.Errorf("%s: the password is in what the composer says: %s", c.name, all)
		}
	}
}

func TestImageThatWentAfterItWasFetchedIsNotPulledByUp(t *testing.T) {
	s := newStack(t)
	s.put(map[string]string{"compose.yml": "services: {a: {image: 127.0.0.1:1/gone:1}}"})
	s.req.Pull = ipc.PullFetched
	if e := s.upFails(ipc.CodeImageUnavailable, "a", "gone:1"); !e.Unchanged || e.Away {
		t.Errorf("got %+v", e)
	}
}

// The values of secrets show nowhere: not in a sentence, nor in the log of a container that prints them.
func TestSecretsAreInNothingThatIsSaid(t *testing.T) {
	s := newStack(t)
	s.put(map[string]string{"compose.yml": `
services:
  a:
    image: farshore-test/busybox:1
    command: [sh, -c, 'echo "token is $$TOKEN"; exit 3']
    environment: {TOKEN: "$TOKEN"}
`})
	s.req.Env = map[string]string{"TOKEN": "plain"}
	s.req.Secrets = map[string]string{"TOKEN": "hunter2-hunter2"}
	final, _, all := s.raw(ipc.ActionUp)
	if final.Code != ipc.CodeExited || !strings.Contains(final.Log, "token is ***") || final.Unchanged {
		t.Errorf("got %+v", final)
	}
	if strings.Contains(all, "hunter2") {
		t.Errorf("a secret is in what the composer says: %s", all)
	}
	err := filepath.WalkDir(s.req.Root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if b, err := os.ReadFile(path); err != nil || bytes.Contains(b, []byte("hunter2")) {
			t.Errorf("%s has a secret in clear, or cannot be read: %v", path, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestStopStopsAndUpStartsAgain(t *testing.T) {
	s := newStack(t)
	s.put(map[string]string{"compose.yml": "services: {a: {image: farshore-test/busybox:1, restart: always, stop_grace_period: 1s}}"})
	s.up()
	if final, _, _ := s.raw(ipc.ActionStop); final.Kind != ipc.KindDone || len(final.Services) != 1 || final.Services[0].State != "exited" {
		t.Fatalf("stop: %+v", final)
	}
	s.up()
	if final, _, _ := s.raw(ipc.ActionPlan); final.Services[0].Action != ipc.ServiceUnchanged {
		t.Errorf("after up: %+v", final.Services)
	}
}

// Which images a bundle needs is known without an engine: with variables filled in, each once.
func TestImagesOfABundle(t *testing.T) {
	s := newStack(t)
	s.req.Host, s.req.Env, s.req.Secrets = "unix:///nobody/here", map[string]string{"TAG": "7"}, map[string]string{"REGISTRY": "r.example"}
	s.put(map[string]string{"compose.yml": `services:
  a: {image: "${REGISTRY}/app:${TAG}", platform: linux/arm64}
  b: {image: "${REGISTRY}/app:${TAG}", platform: linux/arm64}
  c: {image: db, pull_policy: always}
  d: {image: idle, scale: 0}
`})
	final, _, _ := s.raw(ipc.ActionImages)
	s.req.Host = testengine.Host(t)
	want := []ipc.Image{
		{Ref: "r.example/app:7", Platform: "linux/arm64", Policy: ipc.PullMissing, Service: "a"},
		{Ref: "db", Policy: ipc.PullAlways, Service: "c"},
	}
	if final.Kind != ipc.KindDone || !slices.Equal(final.Images, want) {
		t.Errorf("got %+v", final)
	}
}

// An image that is named by a digest is used under the tag that stands for it, and nothing else can have that tag.
func TestPinnedImages(t *testing.T) {
	s := newStack(t)
	hex := strings.Repeat("0123456789abcdef", 4)
	tagged := "farshore-test/pinned:sha256-" + hex
	if err := s.engine.ImageTag(t.Context(), testengine.BusyboxImage, tagged); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.dropImage(tagged) })
	s.put(map[string]string{"compose.yml": "services: {a: {image: farshore-test/pinned:1@sha256:" + hex + "}}"})
	s.req.Pull = ipc.PullFetched
	s.up()
	if again := s.up(); again.Text != "nothing to do" {
		t.Errorf("up again: %s %+v", again.Text, again.Services)
	}
	s.put(map[string]string{"compose.yml": "services: {a: {image: " + tagged + "}}"})
	if e := s.upFails(ipc.CodeImageUnavailable, "a", "kept for"); !e.Unchanged {
		t.Errorf("got %+v", e)
	}
}
