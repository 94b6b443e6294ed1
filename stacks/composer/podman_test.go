package composer

import (
	"testing"

	"github.com/docker/compose/v2/pkg/api"

	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// On Podman a stack comes up, is changed where it changed only, repairs itself and goes, with its network and volume.
func TestAStackOnPodman(t *testing.T) {
	s := newStackOn(t, testengine.StartPodman(t))
	bundle := map[string]string{
		"compose.yml": `
x-base: &base {image: farshore-test/busybox:1, stop_grace_period: 1s}
services:
  web:
    <<: *base
    configs: [{source: site, target: /etc/site.conf}]
    volumes: [./html:/srv:ro, data:/data]
    environment: {A: "${A:-none}"}
  worker:
    <<: *base
    depends_on: [web]
    secrets: [token]
volumes: {data: {}}
configs: {site: {file: site.conf}}
secrets: {token: {environment: TOKEN}}
`,
		"site.conf":       "one",
		"html/index.html": "hello",
		".env":            "TOKEN=first\n",
	}
	s.put(bundle)
	s.up()
	if got := s.sh("web", "cat /etc/site.conf /srv/index.html; echo kept >/data/x; echo $A"); got != "onehellonone" {
		t.Errorf("web reads %q", got)
	}
	if got := s.sh("worker", "cat /run/secrets/token"); got != "first" {
		t.Errorf("worker reads %q", got)
	}
	before := s.running()
	s.put(bundle)
	if again := s.up(); again.Text != "nothing to do" {
		t.Errorf("up again: %s %+v", again.Text, again.Services)
	}
	wantTouched(t, before, s.running())

	s.put(with(bundle, "site.conf", "two"))
	s.up()
	after := s.running()
	wantTouched(t, before, after, "web")
	if got := s.sh("web", "cat /etc/site.conf /data/x"); got != "twokept" {
		t.Errorf("web reads %q after the change", got)
	}
	for _, c := range s.containers() {
		if c.Labels[api.ServiceLabel] == "worker" {
			if err := s.engine.ContainerKill(t.Context(), c.ID, "KILL"); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.up()
	wantTouched(t, after, s.running(), "worker")

	s.req.Volumes = ipc.VolumesRemove
	if end := s.do(t.Context(), ipc.ActionDown); end.Kind != ipc.KindDone {
		t.Errorf("down: %+v", end)
	}
	if left := s.containers(); len(left) != 0 || s.networks() != 0 {
		t.Errorf("left behind: %v and %d networks", left, s.networks())
	}
}
