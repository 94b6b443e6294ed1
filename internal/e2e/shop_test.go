package e2e

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/internal/testengine"
)

// shop is the stack of the scenarios: three services with health checks, a file that one of them mounts as a config, a
// volume, and a port. The service "till" prints a line at each start, so that starts can be counted; "clock" prints a lot.
type shop struct {
	h      *hub
	engine *engine
	name   string
	dir    string // the bundle
	port   int    // of "web" on the device
}

// ticks is how many lines the service "clock" prints, which do not compress: more than fits one message.
const ticks = 800

const shopCompose = `
services:
  till:
    image: IMAGE
    command: ["/bin/sh", "-c", "trap 'exit 0' TERM; echo start; date >> /till/opened; while :; do sleep 3600 & wait $$!; done"]
    restart: unless-stopped
    stop_grace_period: 2s
    volumes: ["money:/till"]
    healthcheck: {test: ["CMD", "test", "-s", "/till/opened"], interval: 1s, retries: 20}
  web:
    image: IMAGE
    command: ["/bin/sh", "-c", "trap 'exit 0' TERM; httpd -f -p 8080 -h /www & wait $$!"]
    restart: unless-stopped
    stop_grace_period: 1s
    ports: ["127.0.0.1:PORT:8080"]
    configs: [{source: page, target: /www/index.html}]
    depends_on: {till: {condition: service_healthy}}
    healthcheck: {test: ["CMD-SHELL", "echo GET /index.html HTTP/1.0 | nc -w 2 127.0.0.1 8080 | grep -q 200"], interval: 1s, retries: 20}
  clock:
    image: IMAGE
    command: ["/bin/sh", "-c", "trap 'exit 0' TERM; for i in $$(seq TICKS); do echo tick $$i $$(head -c 30 /dev/urandom | base64); done; while :; do sleep 3600 & wait $$!; done"]
    restart: unless-stopped
    labels: {site.example/role: clock}
    healthcheck: {test: ["CMD", "true"], interval: 1s, retries: 20}
configs:
  page: {file: ./page.html}
volumes:
  money:
`

func newShop(t *testing.T, h *hub, e *engine) *shop {
	t.Helper()
	s := &shop{h: h, engine: e, name: "shop", dir: filepath.Join(workDir(t), "shop"), port: freePort(t)}
	text := strings.NewReplacer("IMAGE", testengine.BusyboxImage, "PORT", fmt.Sprint(s.port), "TICKS", fmt.Sprint(ticks)).Replace(shopCompose)
	write(t, filepath.Join(s.dir, "compose.yml"), text)
	return s
}

// apply gives the stack to the device, with a page that says so.
func (s *shop) apply(device, page string) {
	s.h.t.Helper()
	write(s.h.t, filepath.Join(s.dir, "page.html"), page+"\n")
	s.h.cli("stacks", "apply", "--name", s.name, "-f", s.dir, "--select", "farshore.io/id="+device)
}

// remove takes the stack from the hub.
func (s *shop) remove() {
	s.h.t.Helper()
	if r := s.h.try("stacks", "rm", s.name, "--yes"); r.code == exitUnreachable {
		// The hub may have done it and died before it answered.
		until(s.h.t, "the stack is removed at the hub", func() error {
			if r := s.h.try("stacks", "rm", s.name, "--yes"); r.code != exitOK && r.code != exitNotFound {
				return fmt.Errorf("farshore stacks rm: %v", r)
			}
			return nil
		})
	} else if r.code != exitOK {
		s.h.t.Fatalf("farshore stacks rm: %v", r)
	}
}

// shows waits until the device's web service shows the page.
func (s *shop) shows(page string) {
	s.h.t.Helper()
	until(s.h.t, "the shop shows "+page, func() error {
		client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/index.html", s.port))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		return wanted("the page", strings.TrimSpace(string(text)), page)
	})
}

// untouched checks that these services of the stack have the container, and the run of it, that they had.
func (s *shop) untouched(before map[string]run, services ...string) {
	s.h.t.Helper()
	now := s.engine.mustRuns(s.name)
	for _, service := range services {
		if before[service] != now[service] || before[service].ID == "" {
			s.h.t.Errorf("service %s was touched: it was %v and is %v", service, before[service], now[service])
		}
	}
}

var allServices = []string{"till", "web", "clock"}
