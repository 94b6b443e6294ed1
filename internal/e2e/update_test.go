package e2e

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestAgentUpdate brings a real agent other builds from its hub, while a stack runs: good ones, which stay, and broken
// ones, from which it comes back by itself. The stack's containers notice nothing.
func TestAgentUpdate(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	dir := workDir(t)
	f := &factory{t: t, dir: dir, key: filepath.Join(dir, "release.pem")}
	public := strings.TrimSpace(runCLI(t, nil, "release", "keygen", f.key).out)
	h := newHub(t, hubConfig{args: []string{"--release-key", public}})
	a := newAgent(t, "auto", e)
	a.env = []string{"FARSHORE_RELEASE_KEY=" + public}
	j := &journey{h, a, e, newShop(t, h, e), ""}
	j.join()
	j.shop.apply(j.device, "open")
	h.runs(j.shop.name, j.device, 1)
	before := j.e.mustRuns(j.shop.name)
	u := &updating{t: t, h: h, device: j.device, token: h.token(), http: &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the test's own hub, on the loopback
	}}}

	pid := a.pid()
	u.add(f.release("v1.1.0", f.agent("v1.1.0", nil)))
	u.start("v1.1.0", 60).succeeds()
	u.runs("v1.1.0")
	if a.pid() != pid {
		t.Errorf("a service manager would have seen its process %d end, and %d begin", pid, a.pid())
	}
	j.shop.untouched(before, allServices...)

	for _, broken := range []struct {
		version, says string
		agent         string
		seconds       int
	}{
		{"v1.2.0", "it ended 3 times before it was in session with the hub, the last time with code 3", f.program("exits", "println(\"nothing works\"); os.Exit(3)"), 60},
		{"v1.3.0", "it was not in session with the hub within 5 s", f.program("hangs", "time.Sleep(time.Hour)"), 5},
		{"v1.4.0", "it was not in session with the hub within 15 s", f.agent("v1.4.0", &edit{
			"protocol/auth.go", `const exporterLabel = "EXPORTER-Channel-Binding"`, `const exporterLabel = "EXPORTER-wrong"`,
		}), 15},
		{"v1.5.0", "it could not be started", f.text("not a program"), 60},
	} {
		u.add(f.dud(broken.version, broken.agent))
		u.start(broken.version, broken.seconds).fails("update-reverted", broken.says)
		u.runs("v1.1.0")
		h.connected(j.device, "")
	}
	j.shop.untouched(before, allServices...)

	// The power goes while an update is under way; what is left of it goes on by itself.
	u.add(f.release("v2.0.0", f.agent("v2.0.0", &edit{
		"edgeagent/status.go", "func (a *Agent) Status() Status {\n", "func (a *Agent) Status() Status {\n\ta.log.Debug(\"asked\")\n",
	})))
	going := u.start("v2.0.0", 60)
	until(t, "the device has begun", func() error {
		if !strings.Contains(a.log.text(), "update begins\" from=v1.1.0 to=v2.0.0") {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	a.kill()
	a.start()
	going.succeeds()
	u.runs("v2.0.0")

	// And back, at the box.
	out, err := exec.Command(program("farshore-agent"), "rollback-update", "--data", a.data).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "v1.1.0") {
		t.Errorf("rollback-update: %v: %s", err, out)
	}
	u.runs("v1.1.0")
	j.shop.untouched(before, allServices...)

	// At the end of its life the device is cleared.
	a.stop()
	out, err = exec.Command(program("farshore-agent"), "uninstall", "--root", filepath.Dir(a.data), "--data", "/"+filepath.Base(a.data),
		"--remove-stacks", "--purge", "--engine", a.engine).CombinedOutput()
	if err != nil {
		t.Errorf("uninstall: %v: %s", err, out)
	}
	if err := e.gone(j.shop.name); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(a.data); !os.IsNotExist(err) {
		t.Errorf("the data folder is left: %v", err)
	}

	// A release that somebody else has signed gets no further than the hub.
	f.key = filepath.Join(dir, "other.pem")
	runCLI(t, nil, "release", "keygen", f.key)
	if code, said := u.call(http.MethodPost, "/releases", read(t, f.dud("v3.0.0", f.text("anything"))), nil); code < 400 || !strings.Contains(said, "trust") {
		t.Errorf("a foreign release: %d %s", code, said)
	}
}

// pid is the process that was started for the agent.
func (a *agent) pid() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.proc.pid
}

// token makes an API token of the administrator's.
func (h *hub) token() string {
	h.t.Helper()
	var made struct {
		Secret string `json:"secret"`
	}
	h.get(&made, "tokens", "create", "--name", "e2e")
	return made.Secret
}

// factory makes releases.
type factory struct {
	t        *testing.T
	dir, key string
	made     int
}

// edit is a change of a source file, for one build alone.
type edit struct{ file, before, after string }

func (f *factory) path(name string) string {
	f.made++
	return filepath.Join(f.dir, fmt.Sprintf("%d-%s", f.made, name))
}

// agent builds an agent of a version.
func (f *factory) agent(version string, change *edit) string {
	f.t.Helper()
	out := f.path("agent")
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X github.com/farshore/farshore/internal/program.version=" + version, "-o", out}
	if change != nil {
		file, err := filepath.Abs(filepath.Join("..", "..", change.file))
		if err != nil {
			f.t.Fatal(err)
		}
		source := string(read(f.t, file))
		if strings.Count(source, change.before) != 1 {
			f.t.Fatalf("%s does not have %q once", change.file, change.before)
		}
		other, overlay := f.path("source.go"), f.path("overlay.json")
		write(f.t, other, strings.Replace(source, change.before, change.after, 1))
		text, err := json.Marshal(map[string]any{"Replace": map[string]string{file: other}})
		if err != nil {
			f.t.Fatal(err)
		}
		write(f.t, overlay, string(text))
		args = append(args, "-overlay", overlay)
	}
	f.build(append(args, "../../cmd/edgeagent"))
	return out
}

// program builds a program of a few words, which is no agent.
func (f *factory) program(name, does string) string {
	f.t.Helper()
	out, source := f.path(name), filepath.Join(f.dir, name, "main.go")
	write(f.t, source, "package main\n\nimport (\n\t\"os\"\n\t\"time\"\n)\n\nfunc main() {\n\t_, _ = os.Args, time.Now\n\t"+does+"\n}\n")
	f.build([]string{"build", "-trimpath", "-ldflags", "-s -w", "-o", out, source})
	return out
}

func (f *factory) text(content string) string {
	f.t.Helper()
	out := f.path("text")
	write(f.t, out, content)
	return out
}

func (f *factory) build(args []string) {
	f.t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, said)
	}
}

// release signs a release of an agent, with the composer that the device has already.
func (f *factory) release(version, agent string) (bundle string) {
	f.t.Helper()
	return f.releaseOf(version, agent, program("farshore-composer"))
}

// dud signs a release of an agent of which the device gets no further than to try it.
func (f *factory) dud(version, agent string) (bundle string) {
	f.t.Helper()
	return f.releaseOf(version, agent, f.text("the composer of "+version))
}

func (f *factory) releaseOf(version, agent, composer string) (bundle string) {
	f.t.Helper()
	programs := filepath.Join(f.dir, "release-"+version)
	platform := filepath.Join(programs, runtime.GOOS+"-"+runtime.GOARCH)
	write(f.t, filepath.Join(platform, "farshore-agent"), string(read(f.t, agent)))
	write(f.t, filepath.Join(platform, "farshore-composer"), string(read(f.t, composer)))
	bundle = f.path(version + ".release")
	if r := runCLI(f.t, nil, "release", "make", "--key", f.key, "--version", version, "--out", bundle, programs); r.code != exitOK {
		f.t.Fatal(r)
	}
	return bundle
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// updating asks the hub for updates of one device.
type updating struct {
	t             *testing.T
	h             *hub
	device, token string
	http          *http.Client
	id, version   string
}

func (u *updating) call(method, path string, body []byte, out any) (code int, said string) {
	u.t.Helper()
	req, err := http.NewRequestWithContext(u.t.Context(), method, u.h.url()+"/api/v1"+path, bytes.NewReader(body))
	if err != nil {
		u.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+u.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := u.http.Do(req)
	if err != nil {
		u.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && out != nil && resp.StatusCode < 300 {
		err = json.Unmarshal(text, out)
	}
	if err != nil {
		u.t.Fatalf("%s %s: %v\n%s", method, path, err, text)
	}
	return resp.StatusCode, string(text)
}

func (u *updating) must(method, path string, body []byte, out any) {
	u.t.Helper()
	if code, said := u.call(method, path, body, out); code >= 300 {
		u.t.Fatalf("%s %s: %d %s", method, path, code, said)
	}
}

func (u *updating) add(bundle string) {
	u.t.Helper()
	u.must(http.MethodPost, "/releases", read(u.t, bundle), nil)
}

func (u *updating) start(version string, seconds int) *updating {
	u.t.Helper()
	var made struct {
		ID string `json:"id"`
	}
	u.must(http.MethodPost, "/updates", fmt.Appendf(nil, `{"release":%q,"trial_seconds":%d}`, version, seconds), &made)
	u.id, u.version = made.ID, version
	return u
}

// updateShown is a device of an update as scripts see it.
type updateShown struct {
	State   string `json:"state"`
	Code    string `json:"code"`
	Text    string `json:"text"`
	Version string `json:"version"`
	Bytes   int    `json:"bytes"`
	Patch   bool   `json:"patch"`
}

// ends waits until the update has ended on the device.
func (u *updating) ends() (d updateShown) {
	u.t.Helper()
	wait(u.t, 3*time.Minute, "the update to "+u.version+" ends", func() error {
		var list struct {
			Items []updateShown `json:"items"`
		}
		u.must(http.MethodGet, "/updates/"+u.id+"/devices", nil, &list)
		if len(list.Items) != 1 {
			return fmt.Errorf("it has %d devices", len(list.Items))
		}
		if d = list.Items[0]; d.State != "succeeded" && d.State != "failed" {
			return fmt.Errorf("it is %+v", d)
		}
		return nil
	})
	return d
}

func (u *updating) succeeds() {
	u.t.Helper()
	d := u.ends()
	if d.State != "succeeded" {
		u.t.Fatalf("the update to %s: %+v", u.version, d)
	}
	u.t.Logf("update to %s: %d bytes, patch %v", u.version, d.Bytes, d.Patch)
}

// fails waits until the update has failed, and aborts what is left of it.
func (u *updating) fails(code, says string) {
	u.t.Helper()
	if d := u.ends(); d.State != "failed" || d.Code != code || !strings.Contains(d.Text, says) {
		u.t.Errorf("the update to %s: %+v, want %s: %s", u.version, d, code, says)
	}
	u.call(http.MethodPost, "/updates/"+u.id+"/abort", nil, nil)
}

// runs waits until the device says that it runs a version.
func (u *updating) runs(version string) {
	u.t.Helper()
	until(u.t, "the device runs "+version, func() error {
		var d struct {
			Version string `json:"version"`
		}
		u.must(http.MethodGet, "/devices/"+u.device, nil, &d)
		return wanted("the version", d.Version, version)
	})
}
