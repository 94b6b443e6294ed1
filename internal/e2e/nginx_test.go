package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/farshore/farshore/internal/certtest"
)

// nginxModules is where Debian has nginx's modules.
const nginxModules = "/usr/lib/nginx/modules"

// TestBehindNginx runs the recipe of docs/proxies.md: people and both carriers through one nginx, which has a certificate
// of its own, serves people at its root and below a path, and tells the hub where everybody comes from.
func TestBehindNginx(t *testing.T) {
	t.Parallel()
	const front = "::1" // so that who comes through nginx is told from nginx
	if l, err := net.Listen("tcp", net.JoinHostPort(front, "0")); err != nil {
		t.Skip("this machine has no IPv6 loopback address")
	} else {
		l.Close()
	}
	ports := map[string]int{}
	for _, name := range []string{"443", "8883", "8443", "9443", "9883"} {
		ports[name] = freePort(t)
	}
	at := func(port string) string { return net.JoinHostPort(front, strconv.Itoa(ports[port])) }
	h := newHub(t, hubConfig{port: ports["9443"], mqtt: ports["9883"], args: []string{
		"--public-url", "https://" + at("443"),
		"--public-mqtt-url", "mqtts://" + at("8883"),
	}})
	h.cli("settings", "protection", "--trusted-proxies", "127.0.0.1")
	root := certtest.New(t, "root")
	ca := filepath.Join(h.dir, "root.pem")
	write(t, ca, string(root.PEM))
	startNginx(t, h, nginxConfig{at: at, ports: ports, pair: root.Server([]string{"::1"})})

	seen := map[string]*output{} // events as they came through nginx
	for place, path := range map[string]string{"root": "", "path": "/ops/farshore"} {
		env := []string{"FARSHORE_CONFIG=" + filepath.Join(h.dir, "cli-"+place, "config")}
		through := func(args ...string) string {
			t.Helper()
			r := runCLI(t, env, args...)
			if r.code != exitOK {
				t.Fatalf("through nginx, %s: farshore %v: %v", place, args, r)
			}
			return r.out
		}
		through("login", "https://"+at("443")+path, "--username", "admin", "--password-file", h.passwordFile(), "--ca-file", ca)
		says(t, through("settings", "protection"), "your address", "::1")
		seen[place] = newOutput(t, "events-"+place)
		start(t, seen[place], command{name: "farshore", args: []string{"events", "--follow", "-o", "json"}, env: env})
	}

	for _, carrier := range []string{"mqtt", "https"} {
		a := newAgent(t, carrier, nil)
		a.join(h.key("behind-nginx-" + carrier))
		a.waits("waiting")
		says(t, h.cli("waiting", "ls", "-o", "json"), `"::1"`)
		device := h.admit(a, "box-"+carrier)
		h.connected(device, carrier)
		for place, events := range seen {
			until(t, "its events come through nginx, "+place+", as they happen", func() error {
				if !strings.Contains(events.text(), device) {
					return errors.New(events.text())
				}
				return nil
			})
		}
	}

	h.cli("settings", "protection", "--devices", "192.0.2.0/24")
	until(t, "devices that come through nginx from outside of the list are gone", func() error {
		for _, name := range []string{"box-mqtt", "box-https"} {
			if d, err := h.device(name); err != nil || d.Liveness.State == "on-time" {
				return fmt.Errorf("%s: %+v, %w", name, d, err)
			}
		}
		return nil
	})
	h.cli("settings", "protection", "--devices", "::1")
	h.connected("box-mqtt", "mqtt")
	h.connected("box-https", "https")
}

type nginxConfig struct {
	at    func(port string) string // of the proxy
	ports map[string]int
	pair  certtest.Pair
}

// startNginx runs Debian's nginx with the recipe of docs/proxies.md, with other addresses, and a path beside the root.
func startNginx(t *testing.T, h *hub, c nginxConfig) {
	t.Helper()
	path := findNginx(t)
	dir := workDir(t)
	write(t, filepath.Join(dir, "fullchain.pem"), string(c.pair.Chain))
	write(t, filepath.Join(dir, "privkey.pem"), string(c.pair.Key))
	doc, err := os.ReadFile("../../docs/proxies.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```nginx\n(.*?)```").FindAllStringSubmatch(string(doc), -1)
	if len(blocks) != 2 {
		t.Fatalf("docs/proxies.md has %d recipes for nginx, want 2", len(blocks))
	}
	stream, server := blocks[0][1], blocks[1][1]
	location := regexp.MustCompile(`(?s)    location / \{.*?\n    \}\n`).FindString(server)
	server = strings.Replace(server, location, location+strings.Replace(location, "location / ", "location /ops/farshore/ ", 1), 1)
	recipe := stream + "http {\n" + server + "}\n"
	for _, r := range [][2]string{
		{"127.0.0.1:9443", address(c.ports["9443"])},
		{"127.0.0.1:9883", address(c.ports["9883"])},
		{"127.0.0.1:8443", address(c.ports["8443"])},
		{"listen 443;", "listen " + c.at("443") + ";"},
		{"listen 8883;", "listen " + c.at("8883") + ";"},
		{"/etc/ssl/hub.example/", dir + "/"},
		{"/var/lib/farshore-hub/", h.data + "/"},
	} {
		if !strings.Contains(recipe, r[0]) {
			t.Fatalf("the recipe in docs/proxies.md has no %q", r[0])
		}
		recipe = strings.ReplaceAll(recipe, r[0], r[1])
	}
	temporary := ""
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temporary += fmt.Sprintf("%s_temp_path %s/%s;\n", what, dir, what)
	}
	recipe = strings.Replace(recipe, "http {\n", "http {\naccess_log off;\n"+temporary, 1)
	config := filepath.Join(dir, "nginx.conf")
	write(t, config, fmt.Sprintf("load_module %s/ngx_stream_module.so;\ndaemon off;\nmaster_process off;\nuser root;\npid %s/pid;\nerror_log stderr warn;\nevents {}\n%s",
		nginxModules, dir, recipe))
	log := newOutput(t, "nginx")
	p := start(t, log, command{name: "nginx", path: path, args: []string{"-e", "stderr", "-p", dir, "-c", config}})
	until(t, "nginx listens", func() error {
		if !p.running() {
			t.Fatalf("nginx ended:\n%s", log.text())
		}
		conn, err := net.Dial("tcp", c.at("443"))
		if err == nil {
			conn.Close()
		}
		return err
	})
}

func findNginx(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = "/usr/sbin/nginx"
	}
	for _, needed := range []string{path, filepath.Join(nginxModules, "ngx_stream_module.so")} {
		if _, err := os.Stat(needed); err == nil {
			continue
		}
		if os.Getenv("SKIP_ENGINE") != "" {
			t.Skip("nginx is not installed, and SKIP_ENGINE is set")
		}
		t.Fatalf("%s is not there (Debian: apt-get install nginx-light libnginx-mod-stream)", needed)
	}
	return path
}
