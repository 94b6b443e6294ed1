package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/farshore/farshore/internal/certtest"
	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/internal/wirelab"
)

// site is a hub and a device with a wire between them on which every packet is seen. Engine, agent and the containers
// are in the device's network; the hub, and the CLI, in the hub's.
type site struct {
	*wirelab.Lab
	t      *testing.T
	hub    *hub
	agent  *agent
	engine *engine
	device string
	token  string
}

// newSite starts a hub and an agent, which joins over a carrier.
func newSite(t *testing.T, carrier string, env ...string) *site {
	t.Helper()
	s := &site{Lab: wirelab.New(t), t: t}
	s.hub = newHub(t, hubConfig{in: s.Hub, port: 9443, mqtt: 8883, args: []string{
		"--public-url", "https://" + wirelab.HubAddress + ":9443", "--public-mqtt-url", "mqtts://" + wirelab.HubAddress + ":8883",
	}})
	s.engine = newEngineIn(t, s.Device)
	s.agent = newAgent(t, carrier, s.engine)
	s.agent.in, s.agent.env = s.Device, env
	s.agent.join(s.hub.key("field"))
	s.device = s.hub.admit(s.agent, "ship")
	s.hub.connected(s.device, "")
	return s
}

// counted is what somebody counted, by class and direction.
type counted map[string]struct{ up, down int }

func (c counted) total() (n int) {
	for _, x := range c {
		n += x.up + x.down
	}
	return n
}

func (c counted) less(o counted) counted {
	out := counted{}
	for class, x := range c {
		out[class] = struct{ up, down int }{x.up - o[class].up, x.down - o[class].down}
	}
	return out
}

// client asks the hub, from the hub's network.
func (s *site) client() *http.Client {
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, // the hub is ours
		DialContext: s.Hub.Dial,
	}}
}

// hubCounts reads what the hub counted on the connections of devices.
func (s *site) hubCounts() counted {
	s.t.Helper()
	resp, err := s.client().Get(s.hub.url() + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	out := counted{}
	line := regexp.MustCompile(`^farshore_link_bytes_total\{class="(\w+)",direction="(\w+)"\} (\S+)`)
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		m := line.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		n, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			s.t.Fatal(err)
		}
		x := out[m[1]]
		if m[2] == "up" {
			x.up = int(n)
		} else {
			x.down = int(n)
		}
		out[m[1]] = x
	}
	return out
}

// usage is `farshore-agent usage --json`.
type usage struct {
	Stage   string `json:"stage"`
	Spent   int    `json:"spent"`
	Classes []struct {
		Class string `json:"class"`
		Up    int    `json:"up"`
		Down  int    `json:"down"`
	} `json:"classes"`
}

func (s *site) usage() (u usage) {
	s.t.Helper()
	decode(s.t, s.agent.mustBox("usage", "--json"), &u)
	return u
}

func (u usage) counted() counted {
	out := counted{}
	for _, c := range u.Classes {
		out[c.Class] = struct{ up, down int }{c.Up, c.Down}
	}
	return out
}

// put gives the hub's API something.
func (s *site) put(path string, body any) {
	s.t.Helper()
	if s.token == "" {
		s.token = s.hub.token()
	}
	raw, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPut, s.hub.url()+"/api/v1"+path, bytes.NewReader(raw))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode >= 300 {
		s.t.Fatalf("PUT %s: %s: %s", path, resp.Status, text)
	}
}

// bundle gives the device a version of a stack with a file of so many bytes, and waits until it runs.
func (s *site) bundle(version uint64, image, file string) {
	s.t.Helper()
	s.version(image, file)
	s.hub.runs("cargo", s.device, version)
}

// version gives the device a version of the stack, and does not wait.
func (s *site) version(image, file string) {
	s.t.Helper()
	s.hub.cli(s.versionArgs(image, file)...)
}

// versionArgs are what the CLI is told to apply the version.
func (s *site) versionArgs(image, file string) []string {
	s.t.Helper()
	dir := workDir(s.t)
	write(s.t, dir+"/data.bin", file)
	write(s.t, dir+"/compose.yml", fmt.Sprintf(`services:
  teller:
    image: %q
    command: ["/bin/sh", "-c", "trap 'exit 0' TERM; for i in $$(seq 400); do echo $$i $$(head -c 30 /dev/urandom | base64); done; while :; do sleep 3600 & wait $$!; done"]
    stop_grace_period: 1s
    configs: [{source: data, target: /data.bin}]
configs:
  data: {file: ./data.bin}
`, image))
	return []string{"stacks", "apply", "--name", "cargo", "-f", dir, "--select", "farshore.io/id=" + s.device}
}

// registry puts an image with so many bytes that do not compress into a registry beside the hub, which speaks TLS by a
// certificate of the authority, and says how it is called there.
func (s *site) registry(authority *certtest.Authority, ballast int) (image string) {
	s.t.Helper()
	name := "farshore-test/ballast:" + strings.ToLower(filepath.Base(workDir(s.t)))
	testengine.Image(s.t, name, testengine.ImageConfig{Files: map[string]string{"/ballast": noise(ballast)}})
	return s.registryOf(authority, name)[0]
}

// registryOf is registry for images of the shared engine.
func (s *site) registryOf(authority *certtest.Authority, images ...string) (names []string) {
	s.t.Helper()
	local := testengine.Registry(s.t)
	for i, image := range images {
		local.Push(s.t, image, fmt.Sprintf("ballast:%d", i+1))
	}
	local.Stop()
	pair := authority.Server([]string{wirelab.HubAddress})
	at := testengine.RegistryWith(s.t, testengine.RegistrySpec{
		Chain: pair.Chain, Key: pair.Key, Addr: fmt.Sprintf("%s:%d", wirelab.HubAddress, registryPort), In: s.Hub.Do, Holding: local,
	})
	for i := range images {
		names = append(names, fmt.Sprintf("%s/ballast:%d", at.Addr, i+1))
	}
	return names
}

// noise is text that does not compress.
func noise(n int) string {
	var b strings.Builder
	state := uint64(88172645463325252)
	for b.Len() < n {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		fmt.Fprintf(&b, "%016x\n", state)
	}
	return b.String()[:n]
}
