package composer

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/farshore/farshore/internal/testengine"
	"github.com/farshore/farshore/stacks/compose"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

// standIn is an image that runs in the place of any other: it takes whatever arguments there are and waits, and has the
// programs that health checks of the corpus call, each of which finds all well.
func standIn(host string) testengine.ImageConfig {
	const well = "#!/bin/sh\nexit 0\n"
	return testengine.ImageConfig{
		Host: host, Entrypoint: []string{"/bin/stand-in"},
		Files: map[string]string{
			"/bin/stand-in": "#!/bin/sh\ntrap 'exit 0' TERM INT\nwhile :; do sleep 3600 & wait $!; done\n",
			"/bin/curl":     well, "/bin/pg_isready": well, "/bin/redis-cli": well,
		},
	}
}

// Those bundles of the corpus that ask for nothing that only some machines have run as they are written, and go.
func TestCorpusRuns(t *testing.T) {
	if ran := runCorpus(t, "quick"); ran < 12 {
		t.Errorf("%d bundles run, want 12 at least", ran)
	}
}

func runCorpus(t *testing.T, which string) (ran int) {
	t.Helper()
	bundles, err := filepath.Glob("../compose/testdata/corpus/*/expect.yml")
	if err != nil || len(bundles) == 0 {
		t.Fatalf("no bundles: %v", err)
	}
	for _, file := range bundles {
		dir := filepath.Dir(file)
		bundle := map[string]string{}
		err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := os.ReadFile(filepath.Join(dir, name))
			bundle[name] = string(data)
			return err
		})
		var expect struct {
			Run string
			Env map[string]string
		}
		if err == nil {
			err = yaml.Unmarshal([]byte(bundle["expect.yml"]), &expect)
		}
		if err != nil {
			t.Fatal(err)
		}
		delete(bundle, "expect.yml")
		if expect.Run == which {
			ran++
			t.Run(filepath.Base(dir), func(t *testing.T) { runOfCorpus(t, bundle, expect.Env) })
		}
	}
	return ran
}

func runOfCorpus(t *testing.T, bundle, env map[string]string) {
	s := newStack(t)
	files := map[string][]byte{}
	for name, content := range bundle {
		files[name] = []byte(content)
	}
	sum, err := compose.Validate(files, env)
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range sum.Images() {
		testengine.Image(t, image, standIn(s.req.Host))
	}
	s.req.Env = env
	s.put(bundle)
	got := map[string]ipc.ServiceState{}
	for _, svc := range s.up().Services {
		got[svc.Service] = svc
	}
	for _, want := range sum.Services {
		svc, there := got[want.Name]
		once := strings.Contains("migrate create setup", want.Name)
		switch {
		case want.Replicas == 0:
		case !there:
			t.Errorf("service %s is not there", want.Name)
		case once && svc.State != "exited":
			t.Errorf("service %s, which runs once, is %s", want.Name, svc.State)
		case !once && (svc.State != "running" || svc.Health != "" && svc.Health != "healthy"):
			t.Errorf("service %s is %s %s", want.Name, svc.State, svc.Health)
		}
	}
	if again := s.up(); again.Text != "nothing to do" {
		t.Errorf("up again: %s %+v", again.Text, again.Services)
	}
	s.req.Volumes = ipc.VolumesRemove
	if e := s.do(t.Context(), ipc.ActionDown); e.Kind != ipc.KindDone || len(s.containers()) != 0 {
		t.Errorf("down: %s %s; %d containers are left", e.Kind, e.Detail, len(s.containers()))
	}
}
