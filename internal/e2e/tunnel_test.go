package e2e

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farshore/farshore/internal/testengine"
)

// The docker CLI works on a device through the tunnel as on the engine itself, and afterwards nothing is left open.
func TestDockerThroughTheTunnel(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	h := newHub(t, hubConfig{})
	a := newAgent(t, "mqtt", e)
	a.more = []string{"--mode", "standard"}
	a.join(h.key("field"))
	device := h.admit(a, "crane")
	h.connected(device, "mqtt")
	docker := func(args ...string) result {
		t.Helper()
		return runToEnd(t, command{name: "farshore", args: append([]string{"docker", "crane", "--"}, args...), env: h.configEnv()})
	}
	must := func(args ...string) string {
		t.Helper()
		r := docker(args...)
		if r.code != 0 {
			t.Fatalf("docker %v: %s", args, r)
		}
		return r.out
	}
	name := "tunnel-" + strings.ToLower(t.Name()[4:10])
	t.Cleanup(func() { _ = e.ask(http.MethodDelete, "/containers/"+name+"?force=true", nil) }) // where the test did not come to its end

	must("run", "-d", "--name", name, testengine.BusyboxImage, "sh", "-c", "i=0; while [ $i -lt 5 ]; do echo line $i; i=$((i+1)); done; sleep 1000")
	if out := must("ps", "--format", "{{.Names}}"); !strings.Contains(out, name+"\n") {
		t.Errorf("ps says %q", out)
	}
	until(t, "logs come", func() error { return wanted("logs", must("logs", name), "line 0\nline 1\nline 2\nline 3\nline 4\n") })
	if out := must("exec", name, "sh", "-c", "echo out; echo problem >&2; cat /etc/hostname"); !strings.HasPrefix(out, "out\n") {
		t.Errorf("exec says %q", out)
	}
	if r := docker("exec", name, "sh", "-c", "exit 7"); r.code != 7 {
		t.Errorf("an exec that ends with 7 ends with %s", r)
	}
	// What is typed goes in, and its end too (an upgraded connection, half closed).
	r := runToEnd(t, command{name: "farshore", args: []string{"docker", "crane", "--", "exec", "-i", name, "cat"}, env: h.configEnv(), stdin: strings.Repeat("typed\n", 20_000)})
	if r.code != 0 || r.out != strings.Repeat("typed\n", 20_000) {
		t.Errorf("what was typed came back as %d bytes, code %d %s", len(r.out), r.code, r.err)
	}
	// Files, both ways.
	dir := workDir(t)
	content := make([]byte, 3<<20) // that cannot be compressed
	_, _ = rand.Read(content)
	if err := os.WriteFile(filepath.Join(dir, "there"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	must("cp", filepath.Join(dir, "there"), name+":/tmp/there")
	must("cp", name+":/tmp/there", filepath.Join(dir, "back"))
	if back, err := os.ReadFile(filepath.Join(dir, "back")); err != nil || !bytes.Equal(back, content) {
		t.Errorf("%d bytes came back of %d: %v", len(back), len(content), err)
	}
	write(t, filepath.Join(dir, "Dockerfile"), "FROM "+testengine.BusyboxImage+"\nCOPY there /there\nRUN test -s /there\n")
	image := name + ":test"
	must("build", "-q", "-t", image, dir)
	must("image", "rm", image)
	if out := must("stats", "--no-stream", "--format", "{{.Name}}", name); out != name+"\n" {
		t.Errorf("stats says %q", out)
	}
	must("rm", "-f", name)
	if r := docker("inspect", name); r.code != 1 || !strings.Contains(r.err, "No such object") {
		t.Errorf("inspect of what is not there: %s", r)
	}
	if r := runToEnd(t, command{name: "farshore", args: []string{"docker", "nowhere", "--", "ps"}, env: h.configEnv()}); r.code != 3 {
		t.Errorf("a device that is not there: %s", r)
	}
	// The recorded calls are answered the same as by the engine itself.
	token := h.token()
	through := func(path string) string {
		req, err := http.NewRequest(http.MethodGet, h.url()+"/api/v1/devices/crane/docker/v1.41"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := insecure().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Content-Type"), " ", string(b), err)
	}
	direct := func(path string) string {
		resp, err := e.http.Get("http://engine/v1.41" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Content-Type"), " ", string(b), err)
	}
	for _, path := range []string{
		"/_ping", "/version", "/images/json", "/networks?filters=%7B%22name%22%3A%5B%22bridge%22%5D%7D", "/containers/no%2Fsuch/json", "/volumes",
		"/images/" + strings.ReplaceAll(testengine.BusyboxImage, "/", "%2F") + "/json", "/no/such/call",
	} {
		if got, want := through(path), direct(path); got != want {
			t.Errorf("%s: through the tunnel %.300q, directly %.300q", path, got, want)
		}
	}
	var tunnel struct {
		State  string
		Served int
		Up     uint64 `json:"up_bytes"`
	}
	w := &working{t: t, h: h, token: token, http: insecure()}
	decode(t, string(w.must(http.MethodGet, "/devices/crane/tunnel", nil)), &tunnel)
	if tunnel.State != "active" || tunnel.Served < 20 || tunnel.Up < uint64(len(content)) {
		t.Errorf("the tunnel is %+v", tunnel)
	}
	w.must(http.MethodDelete, "/devices/crane/tunnel", nil)
	until(t, "the tunnel is closed", func() error {
		decode(t, string(w.must(http.MethodGet, "/devices/crane/tunnel", nil)), &tunnel)
		return wanted("state", tunnel.State, "idle")
	})
	if out := h.cli("audit", "ls", "--limit", "200"); !strings.Contains(out, "live.engine") || !strings.Contains(out, "live.close") {
		t.Errorf("the audit trail has no word of it: %s", out)
	}

	// An agent in async mode is asked in vain, at once.
	a.stop()
	a.more = nil
	a.start()
	h.connected(device, "mqtt")
	until(t, "its mode is known", func() error {
		if r := docker("ps"); !strings.Contains(r.err, "--mode standard") {
			return fmt.Errorf("docker ps: %s", r)
		}
		return nil
	})
}
