package composer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"

	"github.com/farshore/farshore/stacks/composer/ipc"
)

// threeServices is a bundle that uses a health check, a dependency, a config file, mounted files, a folder for data and
// a volume.
func threeServices() map[string]string {
	return map[string]string{
		"compose.yml": `
x-base: &base {image: farshore-test/busybox:1, stop_grace_period: 1s}
services:
  db:
    <<: *base
    healthcheck: {test: [CMD, test, -d, /data], interval: 500ms, retries: 10}
    volumes: [data:/data]
  web:
    <<: *base
    depends_on: {db: {condition: service_healthy}}
    configs: [{source: site, target: /etc/site.conf}]
    volumes: [./html:/srv:ro, ./state:/state]
  worker:
    <<: *base
    env_file: worker.env
    environment: {PASSWORD: "${PASSWORD:-none}"}
    secrets: [token]
volumes: {data: {}}
configs: {site: {file: site.conf}}
secrets: {token: {environment: TOKEN}}
`,
		"site.conf":       "one",
		"html/index.html": "hello",
		"worker.env":      "A=1\n",
		".env":            "TOKEN=first\n",
	}
}

func with(files map[string]string, name, text string) map[string]string {
	files[name] = text
	return files
}

func TestUpRunsABundleAndThenHasNothingToDo(t *testing.T) {
	s := newStack(t)
	s.put(threeServices())
	first := s.up()
	for _, svc := range first.Services {
		if svc.State != "running" || svc.Action != ipc.ServiceCreated {
			t.Errorf("service %s is %q, %q", svc.Service, svc.State, svc.Action)
		}
	}
	if len(first.Services) != 3 || first.Services[0].Health != "healthy" {
		t.Errorf("states: %+v", first.Services)
	}
	if got := s.sh("web", "cat /etc/site.conf /srv/index.html"); got != "onehello" {
		t.Errorf("web reads %q", got)
	}
	if got := s.sh("worker", "echo $A $PASSWORD; cat /run/secrets/token"); got != "1 none\nfirst" {
		t.Errorf("worker reads %q", got)
	}

	before := s.running()
	for range 2 {
		s.put(threeServices()) // another version's folder and labels, the same content
		if again := s.up(); again.Text != "nothing to do" {
			t.Errorf("up again: %s %+v", again.Text, again.Services)
		}
	}
	wantTouched(t, before, s.running())
}

func TestAChangeUpdatesOnlyTheServicesConcerned(t *testing.T) {
	s := newStack(t)
	s.req.Env, s.req.WaitSeconds = map[string]string{}, 0
	s.put(threeServices())
	s.up()
	if got := s.sh("web", "echo kept > /state/x; cat /state/x"); got != "kept" {
		t.Fatalf("web cannot write to its data folder: %q", got)
	}
	var files map[string]string
	steps := []struct {
		what, service, command, want string
		change                       func()
	}{
		{"config file", "web", "cat /etc/site.conf", "two", func() { files["site.conf"] = "two" }},
		{"mounted folder", "web", "cat /srv/index.html", "bye", func() { files["html/index.html"] = "bye" }},
		{"env file", "worker", "echo $A", "2", func() { files["worker.env"] = "A=2\n" }},
		{"variable of the request", "worker", "echo $PASSWORD", "pw", func() { s.req.Env["PASSWORD"] = "pw" }},
		{"secret from a variable", "worker", "cat /run/secrets/token", "second", func() { files[".env"] = "TOKEN=second\n" }},
		{"definition", "db", "echo $B", "1", func() {
			files["compose.yml"] = strings.Replace(files["compose.yml"], "volumes: [data:/data]", "volumes: [data:/data]\n    environment: {B: 1}", 1)
		}},
	}
	files = threeServices()
	for _, step := range steps {
		before := s.running()
		step.change()
		s.put(files)
		plan := s.do(t.Context(), ipc.ActionPlan)
		for _, svc := range plan.Services {
			if want := svc.Service == step.service; (svc.Action == ipc.ServiceRecreated) != want {
				t.Errorf("%s: the plan for %s is %s (%s)", step.what, svc.Service, svc.Action, svc.Reason)
			}
		}
		wantTouched(t, before, s.running())
		s.up()
		wantTouched(t, before, s.running(), step.service)
		if got := s.sh(step.service, step.command); got != step.want {
			t.Errorf("%s: %s reads %q, want %q", step.what, step.service, got, step.want)
		}
	}
	if got := s.sh("web", "cat /state/x"); got != "kept" {
		t.Errorf("what web wrote to its data folder is %q after new versions", got)
	}
	entries, err := os.ReadDir(filepath.Join(s.req.Root, "content"))
	if err != nil || len(entries) != 2 {
		t.Errorf("the stack's folder holds %d staged copies, %v; two are mounted", len(entries), err)
	}
}

func TestWhatIsNoLongerInTheBundleIsRemoved(t *testing.T) {
	s := newStack(t)
	s.put(map[string]string{"compose.yml": `
services:
  a: {image: "farshore-test/busybox:1", networks: [front]}
  b: {image: "farshore-test/busybox:1", networks: [back]}
networks: {front: {}, back: {}}
`})
	s.up()
	before := s.running()
	s.put(map[string]string{"compose.yml": `
services:
  a: {image: "farshore-test/busybox:1", networks: [front]}
networks: {front: {}}
`})
	done := s.up()
	if after := s.running(); len(after) != 1 || after["a"] != before["a"] {
		t.Errorf("containers %v, before %v", after, before)
	}
	if last := done.Services[len(done.Services)-1]; last.Service != "b" || last.Action != ipc.ServiceRemoved {
		t.Errorf("states: %+v", done.Services)
	}
	if got := s.networks(); got != 1 {
		t.Errorf("%d networks are left, want 1", got)
	}
}

func (s *stack) networks() int {
	list, err := s.engine.NetworkList(s.t.Context(), network.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "com.docker.compose.project="+s.req.Project))})
	if err != nil {
		s.t.Fatal(err)
	}
	return len(list)
}

func TestWorkThatIsDoneIsNotRepeated(t *testing.T) {
	s := newStack(t)
	s.put(map[string]string{"compose.yml": `
services:
  migrate: {image: "farshore-test/busybox:1", command: [sh, -c, "echo run >> /log/runs"], volumes: [./log:/log]}
  app:
    image: farshore-test/busybox:1
    volumes: [./log:/log]
    depends_on: {migrate: {condition: service_completed_successfully}}
`})
	s.up()
	s.up()
	if got := s.sh("app", "cat /log/runs"); got != "run" {
		t.Errorf("the migration's log is %q, want one run", got)
	}
}

func TestAStoppedContainerIsStartedNotRecreated(t *testing.T) {
	s := newStack(t)
	s.put(map[string]string{"compose.yml": `services: {a: {image: "farshore-test/busybox:1", command: [sh, -c, "trap 'exit 3' TERM; while :; do sleep 1; done"]}}`})
	s.up()
	id := s.containers()[0].ID
	if err := s.engine.ContainerKill(t.Context(), id, "KILL"); err != nil {
		t.Fatal(err)
	}
	done := s.up()
	if got := done.Services[0]; got.ID != id || got.State != "running" || got.Action != ipc.ServiceStarted {
		t.Errorf("state %+v", got)
	}
}
