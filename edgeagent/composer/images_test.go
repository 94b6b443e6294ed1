package composer_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farshore/farshore/edgeagent/depot"
	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/snapshot"
)

// Where images come through the agent the engine asks no registry, whatever the bundle says: by tag, by digest, with
// pull_policy always and with build.
func TestImagesOfAStackThroughTheAgent(t *testing.T) {
	d := newReal(t)
	registry := testengine.Registry(t)
	var agents, others atomic.Int64
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: registry.Addr})
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.UserAgent() == "farshore-agent" {
			agents.Add(1)
		} else {
			others.Add(1)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(door.Close)
	at := strings.TrimPrefix(door.URL, "http://")
	for _, name := range []string{"one", "two"} {
		made := testengine.Image(t, fmt.Sprintf("farshore-test/through-%s-%d:1", name, time.Now().UnixNano()), testengine.ImageConfig{Files: map[string]string{"/name": name + d.project}})
		registry.Push(t, made, name+":1")
		if err := d.engine.ImageRemove(t.Context(), made, snapshot.Forcibly); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, "http://"+registry.Addr+"/v2/two/manifests/1", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/vnd.docker.distribution.manifest.v2+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	one, two := at+"/one:1", at+"/two@"+resp.Header.Get("Docker-Content-Digest")
	t.Cleanup(func() {
		for _, name := range []string{one, strings.Replace(two, "@sha256:", ":sha256-", 1)} {
			_ = d.engine.ImageRemove(t.Context(), name, snapshot.Forcibly)
		}
	})

	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	images, err := depot.New(depot.Config{Dir: filepath.Join(d.dir, "depot"), Engine: d.engine, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	d.images = images
	d.boot()
	defer func() { d.stop() }()
	bundle := func(one string) map[string]string {
		return map[string]string{"web.conf": "x", "compose.yml": `services:
  web: {image: "` + one + `", pull_policy: always, build: .}
  db: {image: "` + two + `"}
`}
	}
	d.order(1, bundle(one))
	d.status("running v1")
	first := d.containers()
	spent := d.store.Statuses()[0].Spent
	if len(first) != 2 || spent < 1<<20 || agents.Load() == 0 {
		t.Errorf("%d containers run, the images have cost %d bytes, and the agent asked %d times", len(first), spent, agents.Load())
	}
	d.order(2, bundle(one+"-not-there"))
	d.status("failed v2 image-unavailable")
	d.order(3, bundle(one))
	d.status("running v3")
	if now := d.containers(); fmt.Sprint(now) != fmt.Sprint(first) {
		t.Errorf("nothing has changed, and %v became %v", first, now)
	}
	if st := d.store.Statuses()[0]; st.Spent > spent/10 {
		t.Errorf("nothing has changed, and it has cost %d bytes", st.Spent)
	}
	if n := others.Load(); n != 0 {
		t.Errorf("somebody else than the agent asked the registry %d times", n)
	}
	d.order(0, nil)
	d.status("removed v3")
}
