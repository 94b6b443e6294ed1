package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farshore/farshore/hub/api"
	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/internal/apiclient"
	"github.com/farshore/farshore/internal/fleettest"
)

const password = "correct horse battery"

// desk is somebody with the command line, before a real hub.
type desk struct {
	*fleettest.Fleet
	t      *testing.T
	server *httptest.Server
	down   atomic.Bool
	before func(*http.Request) // nil: nothing is done before a request
	env    map[string]string
	dir    string
}

func newDesk(t *testing.T) *desk {
	d := &desk{Fleet: fleettest.New(t), t: t, dir: t.TempDir()}
	s := d.Hub()
	if err := s.Access.SetAdmin("admin", password); err != nil {
		t.Fatal(err)
	}
	c := s.API
	c.Hub = resource.Hub{URL: "https://hub.example"}
	handler, err := api.New(c)
	if err != nil {
		t.Fatal(err)
	}
	guarded := s.Gate.People(handler)
	d.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.before != nil {
			d.before(r)
		}
		if d.down.Load() {
			panic(http.ErrAbortHandler)
		}
		guarded.ServeHTTP(w, r)
	}))
	t.Cleanup(d.server.Close)
	d.env = map[string]string{"FARSHORE_CONFIG": filepath.Join(d.dir, "conf", "config")}
	d.write("password", password+"\n")
	return d
}

func (d *desk) fingerprint() string { return apiclient.FingerprintOf(d.server.Certificate().Raw) }

func (d *desk) write(name, content string) string {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path
}

// run runs one command line.
func (d *desk) run(args ...string) (code int, out, errOut string) {
	var o, e bytes.Buffer
	a := &app{in: strings.NewReader(""), out: &o, errOut: &e, getenv: func(k string) string { return d.env[k] }}
	code = run(d.t.Context(), a, args)
	return code, o.String(), e.String()
}

// ok runs what has to work.
func (d *desk) ok(args ...string) string {
	d.t.Helper()
	code, out, errOut := d.run(args...)
	if code != exitOK {
		d.t.Fatalf("farshore %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errOut)
	}
	return out
}

// read runs what has to work, and reads its JSON.
func (d *desk) read(to any, args ...string) {
	d.t.Helper()
	out := d.ok(append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(out), to); err != nil {
		d.t.Fatalf("farshore %s: %v in\n%s", strings.Join(args, " "), err, out)
	}
}

// fails runs what must not work: with this exit code, and a sentence that has says in it.
func (d *desk) fails(code int, says string, args ...string) {
	d.t.Helper()
	got, out, errOut := d.run(args...)
	if got != code || !strings.Contains(errOut, says) {
		d.t.Errorf("farshore %s: exit %d, want %d with %q\n%s%s", strings.Join(args, " "), got, code, says, out, errOut)
	}
}

func (d *desk) login() {
	d.t.Helper()
	d.ok("login", d.server.URL, "--username", "admin", "--password-file", filepath.Join(d.dir, "password"), "--fingerprint", d.fingerprint())
}

func TestSigningIn(t *testing.T) {
	d := newDesk(t)
	wrong := d.write("wrong", "wrong wrong wrong")
	right := filepath.Join(d.dir, "password")
	d.fails(exitNotAllowed, "not signed in", "devices", "ls")
	d.fails(exitUnreachable, "--fingerprint", "login", d.server.URL, "--username", "admin", "--password-file", right)
	d.fails(exitUnreachable, d.fingerprint(), "login", d.server.URL, "--username", "admin", "--password-file", right, "--fingerprint", "SHA256:"+strings.Repeat("A", 43))
	d.fails(exitUsage, "SHA256:", "login", d.server.URL, "--username", "admin", "--password-file", right, "--fingerprint", "AB:CD")
	d.fails(exitUsage, "https://", "login", "http://hub", "--username", "admin", "--password-file", right)
	d.fails(exitUsage, "--password-file", "login", d.server.URL, "--username", "admin", "--fingerprint", d.fingerprint())
	d.fails(exitNotAllowed, "name or password", "login", d.server.URL, "--username", "admin", "--password-file", wrong, "--fingerprint", d.fingerprint())
	if _, err := os.Stat(d.env["FARSHORE_CONFIG"]); err == nil {
		t.Error("a failed sign-in left a configuration")
	}
	d.login()
	info, err := os.Stat(d.env["FARSHORE_CONFIG"])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("configuration: %v, %v", info, err)
	}
	var me resource.Session
	d.read(&me, "whoami")
	if me.Name != "admin" || !me.Admin {
		t.Errorf("who am i: %+v", me)
	}
	secret := strings.TrimSpace(d.ok("tokens", "create", "--name", "ci", "--expires", "1h"))
	d.ok("logout")
	d.fails(exitNotAllowed, "not signed in", "whoami")

	// Programs need no file.
	d.env["FARSHORE_CONFIG"] = filepath.Join(d.dir, "none")
	d.env["FARSHORE_URL"], d.env["FARSHORE_TOKEN"], d.env["FARSHORE_FINGERPRINT"] = d.server.URL, secret, d.fingerprint()
	d.read(&me, "whoami")
	if me.Name != "ci" || me.Kind != "token" {
		t.Errorf("who is the token: %+v", me)
	}
	d.ok("tokens", "rm", "ci")
	d.fails(exitNotAllowed, "token", "devices", "ls")
	d.down.Store(true)
	d.fails(exitUnreachable, "cannot be reached", "devices", "ls")
}

func TestTrustByAuthority(t *testing.T) {
	d := newDesk(t)
	ca := d.write("ca.pem", pemOf(d.server.Certificate().Raw))
	d.ok("login", d.server.URL, "--username", "admin", "--password-file", filepath.Join(d.dir, "password"), "--ca-file", ca)
	d.ok("whoami")
	d.fails(exitUsage, "PEM", "login", d.server.URL, "--username", "admin", "--ca-file", filepath.Join(d.dir, "password"))
}

const compose = "services:\n  web:\n    image: acme/web:1\n"

// A whole working day: a key, a device, a stack, a command, in the forms that people and scripts use.
func TestWorkingDay(t *testing.T) {
	d := newDesk(t)
	d.login()
	d.ok("groups", "set", "/", "--profile", "lan")
	var key resource.Key
	d.read(&key, "keys", "create", "--name", "first", "--uses", "2", "--expires", "30d", "--group", "norway/oslo", "--label", "site=oslo")
	if !strings.Contains(key.RunCommand, key.EdgeKey) {
		t.Errorf("key %+v", key)
	}
	shown := d.ok("keys", "create", "--name", "second", "--install", "service")
	var all []resource.Key
	d.read(&all, "keys", "ls")
	if !strings.Contains(shown, "\n[Service]\n") || !strings.Contains(shown, "systemctl") || len(all) != 2 {
		t.Errorf("the commands for a service came as\n%s", shown)
	}
	d.fails(exitUsage, "container or service", "keys", "create", "--name", "third", "--install", "snap")
	d.ok("keys", "rm", "second")
	inside := d.ok("keys", "inspect", key.EdgeKey)
	if !strings.Contains(inside, key.ID) || strings.Contains(inside, key.EdgeKey) {
		t.Errorf("inside the edge key:\n%s", inside)
	}
	d.fails(exitFailed, "cut off", "keys", "inspect", key.EdgeKey[:40])
	if out := d.ok("keys", "ls"); !strings.Contains(out, "0 of 2") || !strings.Contains(out, "by hand") || strings.Contains(out, "fsk1_") {
		t.Errorf("keys:\n%s", out)
	}

	dev := d.Device(fleettest.DeviceSpec{EdgeKey: key.EdgeKey, Seed: 1, Containers: 2})
	var waiting []resource.Waiting
	d.Until("the device waits", 30*time.Second, func() bool {
		d.read(&waiting, "waiting", "ls")
		return len(waiting) == 1
	})
	d.fails(exitFailed, "another one", "waiting", "approve", string(dev.ID), "--code", "0000-0000")
	d.fails(exitNotFound, "waiting ls", "waiting", "approve", "nobody")
	d.ok("waiting", "approve", string(dev.ID[:5]), "--code", strings.ToLower(waiting[0].PairingCode), "--name", "crane-1", "--label", "line=3")
	var devices []resource.Device
	d.Until("its snapshot arrives", 30*time.Second, func() bool {
		d.read(&devices, "devices", "ls", "--select", "site=oslo,line=3")
		return len(devices) == 1 && devices[0].Containers != nil
	})
	if devices[0].ID != dev.ID || devices[0].Name != "crane-1" || devices[0].Group != "norway/oslo" || !devices[0].Confirmed {
		t.Errorf("device %+v", devices[0])
	}
	if out := d.ok("snapshot", "show", "crane"); !strings.Contains(out, "CONTAINER") || !strings.Contains(out, "gw-0001") {
		t.Errorf("snapshot:\n%s", out)
	}
	d.fails(exitNotFound, "oldest", "snapshot", "show", "crane-1", "--as-of", "3d")

	d.stackAndCommands()

	d.ok("devices", "set", "crane-1", "--name", "crane 9", "--label", "line-", "--ping", "45s")
	if out := d.ok("devices", "show", "crane 9"); strings.Contains(out, "line=3") || !strings.Contains(out, "45s (device)") {
		t.Errorf("device:\n%s", out)
	}
	if out := d.ok("devices", "show", "crane 9", "-o", "yaml"); !strings.HasPrefix(out, "id: "+string(dev.ID)+"\n") {
		t.Errorf("device in YAML:\n%s", out)
	}
	d.fails(exitUsage, "60s", "devices", "set", "crane 9", "--ping", "soon")
	d.fails(exitUsage, "--yes", "devices", "rm", "crane 9")
	d.ok("devices", "rm", "crane 9", "--yes")
	d.fails(exitNotFound, "no device", "devices", "show", "crane 9")
	if out := d.ok("audit", "ls", "--limit", "1"); !strings.Contains(out, "devices.revoke") {
		t.Errorf("audit:\n%s", out)
	}
}

func (d *desk) stackAndCommands() {
	t := d.t
	t.Helper()
	file := d.write("stack/compose.yml", compose)
	d.write("stack/conf/app.conf", "x=1")
	d.write("stack/.git/config", "not part of it")
	var s resource.Stack
	d.read(&s, "stacks", "apply", "--name", "web", "-f", filepath.Dir(file), "--select", "farshore.io/id="+d.firstDevice(), "--env", "A=1", "--wait")
	if s.States["running"] != 1 || len(s.Current.Files) != 2 {
		t.Errorf("stack %+v", s)
	}
	d.fails(exitFailed, "compose.yml", "stacks", "apply", "--name", "web", "-f", d.write("bad.yml", "services: ["))
	d.fails(exitFailed, "no such file", "stacks", "apply", "--name", "web", "-f", filepath.Join(d.dir, "missing"))
	if out := d.ok("stacks", "status", "web"); !strings.Contains(out, "running") || !strings.Contains(out, "crane-1") {
		t.Errorf("status:\n%s", out)
	}
	if out := d.ok("stacks", "show", "web"); !strings.Contains(out, "VERSION") {
		t.Errorf("stack:\n%s", out)
	}
	if out := d.ok("command", "container-logs", "crane-1", "web-web-1", "--wait"); out != "service web started\n" {
		t.Errorf("log %q", out)
	}
	d.fails(exitOutcome, "failed", "command", "container-restart", "crane-1", "nothing-1", "--wait")
	var commands []resource.Command
	d.read(&commands, "command", "ls", "crane-1")
	if len(commands) != 2 || commands[0].State != "failed" || commands[1].State != "done" {
		t.Errorf("commands %+v", commands)
	}
	d.ok("command", "show", commands[0].ID.String())
	d.read(&commands, "command", "ls", "--device", "crane-1", "--state", "failed")
	if len(commands) != 1 {
		t.Errorf("commands that failed: %+v", commands)
	}
	var events []resource.Event
	d.read(&events, "events", "--stack", "web")
	if len(events) == 0 || events[0].Kind != "stack.applied" {
		t.Errorf("events %+v", events)
	}
	d.fails(exitOutcome, "stacks status web", "stacks", "apply", "--name", "web", "-f", d.write("gone.yml", "services: {web: {image: \"acme/web:2\", labels: {farshore.test/fail: pull}}}"), "--wait", "--wait-timeout", "20s")
	if out := d.ok("stacks", "apply", "--name", "idle", "-f", file, "--select", "site=nowhere", "--wait"); !strings.Contains(out, "no device fits") {
		t.Errorf("a stack for nobody:\n%s", out)
	}
	d.fails(exitUsage, "--yes", "stacks", "rm", "web")
	d.ok("stacks", "rm", "web", "--yes", "--wait")
	d.fails(exitNotFound, "web", "stacks", "show", "web")
}

func (d *desk) firstDevice() string {
	var devices []resource.Device
	d.read(&devices, "devices", "ls")
	return string(devices[0].ID)
}

// A stream that breaks is taken up where it was.
func TestFollowingOutlivesTheConnection(t *testing.T) {
	d := newDesk(t)
	d.login()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out := &lines{want: make(chan string, 100)}
	a := &app{in: strings.NewReader(""), out: out, errOut: out, getenv: func(k string) string { return d.env[k] }}
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, a, []string{"events", "--follow", "--since", "1m", "-o", "json"}) }()
	arrives := func(seed uint64) {
		t.Helper()
		d.Device(fleettest.DeviceSpec{EdgeKey: d.edgeKey(), Seed: seed})
		for line := range out.want {
			if strings.Contains(line, `"kind":"waiting.arrived"`) {
				return
			}
		}
	}
	arrives(1)
	d.server.CloseClientConnections()
	arrives(2)
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("following ended with exit %d", code)
	}
}

func (d *desk) edgeKey() string {
	var k resource.Key
	d.read(&k, "keys", "create", "--name", "k")
	return k.EdgeKey
}

// lines hands on what is written, line by line.
type lines struct{ want chan string }

func (l *lines) Write(p []byte) (int, error) {
	l.want <- string(p)
	return len(p), nil
}

// Whatever is typed wrong gets exit 2 and says where help is.
func TestMistakesOfTheCommandLine(t *testing.T) {
	d := newDesk(t)
	for _, line := range []string{
		"bogus", "devices", "devices bogus", "devices ls --colour", "devices show", "devices ls -o xml", "keys create",
		"keys create --name x --label nonsense", "keys create --name x --expires soon", "stacks apply -f x", "waiting approve",
		"command container-stop onlydevice", "login", "devices set", "groups set a --ping often",
	} {
		if code, out, errOut := d.run(strings.Fields(line)...); code != exitUsage || !strings.Contains(errOut, "--help") {
			t.Errorf("farshore %s: exit %d\n%s%s", line, code, out, errOut)
		}
	}
	for _, line := range []string{"help", "devices --help", "completion bash", "--version"} {
		if code, out, errOut := d.run(strings.Fields(line)...); code != exitOK || out == "" {
			t.Errorf("farshore %s: exit %d\n%s%s", line, code, out, errOut)
		}
	}
}
