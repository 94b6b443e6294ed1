package fakeengine_test

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farshore/farshore/internal/fleettest/fakeengine"
	"github.com/farshore/farshore/protocol"
	"github.com/farshore/farshore/snapshot"
	"github.com/farshore/farshore/stacks/composer/ipc"
)

const shop = `
services:
  web:
    image: nginx:${TAG:-1.27}
    ports: ["8080:80"]
    healthcheck: {test: ["CMD", "true"]}
    configs: [{source: site}]
  db:
    image: postgres:16
    volumes: ["data:/var/lib/postgresql/data"]
    environment: {PASSWORD: "$${secret}"}
configs:
  site: {file: site.conf}
volumes:
  data:
`

// bundle is a folder of files in memory.
type bundle map[string]string

func (b bundle) read(path string) ([]byte, error) {
	if text, ok := b[filepath.Base(path)]; ok {
		return []byte(text), nil
	}
	return nil, fs.ErrNotExist
}

// compose runs tests in a bubble, on an empty engine.
func compose(t *testing.T, files bundle, test func(t *testing.T, e *fakeengine.Engine, run func(ipc.Request) ipc.Event)) {
	synctest.Test(t, func(t *testing.T) {
		e := fakeengine.New(fakeengine.Config{Seed: 3})
		defer e.Close()
		c := fakeengine.NewComposer(fakeengine.ComposerConfig{Engine: e, ReadFile: files.read})
		test(t, e, func(req ipc.Request) ipc.Event {
			req.Project, req.Dir, req.WaitSeconds = "shop", "/stacks/1", 60
			req.Labels = map[string]string{snapshot.LabelStack: "7"}
			final, err := c.Run(t.Context(), req, nil)
			if err != nil {
				t.Fatal(err)
			}
			return final
		})
	})
}

func observe(t *testing.T, e *fakeengine.Engine) map[string]protocol.Container {
	t.Helper()
	obs, err := e.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]protocol.Container{}
	for _, c := range obs.Containers {
		out[c.Name] = c
	}
	return out
}

func actions(e ipc.Event) map[string]string {
	out := map[string]string{}
	for _, s := range e.Services {
		out[s.Service] = s.Action
	}
	return out
}

func TestComposerKeepsWhatDidNotChange(t *testing.T) {
	files := bundle{"compose.yml": shop, "site.conf": "one"}
	compose(t, files, func(t *testing.T, e *fakeengine.Engine, run func(ipc.Request) ipc.Event) {
		up := ipc.Request{Action: ipc.ActionUp}
		check := func(what string, got ipc.Event, web, db string) {
			t.Helper()
			if want := map[string]string{"web": web, "db": db}; got.Kind != ipc.KindDone || !maps.Equal(actions(got), want) {
				t.Errorf("%s: %+v, want %v", what, got, want)
			}
		}
		check("plan", run(ipc.Request{Action: ipc.ActionPlan}), ipc.ServiceCreated, ipc.ServiceCreated)
		if n := len(observe(t, e)); n != 0 {
			t.Fatalf("a plan made %d containers", n)
		}
		check("first up", run(up), ipc.ServiceCreated, ipc.ServiceCreated)
		first := observe(t, e)
		web := first["shop-web-1"]
		if web.Health != protocol.HealthHealthy || web.Stack != 7 || web.Project != "shop" || web.ImageRef != "nginx:1.27" || web.Ports[0].Public != 8080 {
			t.Errorf("web: %+v", web)
		}
		check("up again", run(up), ipc.ServiceUnchanged, ipc.ServiceUnchanged)
		if again := observe(t, e); again["shop-web-1"].ID != web.ID {
			t.Error("an unchanged service was recreated")
		}
		files["site.conf"] = "two"
		check("changed file", run(up), ipc.ServiceRecreated, ipc.ServiceUnchanged)
		now := observe(t, e)
		if now["shop-web-1"].ID == web.ID || now["shop-db-1"].ID != first["shop-db-1"].ID {
			t.Error("a changed file recreated the wrong service")
		}
		check("changed variable", run(ipc.Request{Action: ipc.ActionUp, Env: map[string]string{"TAG": "1.28"}}), ipc.ServiceRecreated, ipc.ServiceUnchanged)
		if err := e.ContainerStop(t.Context(), "shop-db-1", 0); err != nil {
			t.Fatal(err)
		}
		check("stopped", run(ipc.Request{Action: ipc.ActionUp, Env: map[string]string{"TAG": "1.28"}}), ipc.ServiceUnchanged, ipc.ServiceStarted)
		files["compose.yml"] = "services: {web: {image: 'nginx:1.28'}}"
		check("orphan", run(up), ipc.ServiceRecreated, ipc.ServiceRemoved)
		if _, there := observe(t, e)["shop-db-1"]; there {
			t.Error("a service that is no longer in the bundle still runs")
		}
		clear(files) // down needs no bundle
		for range 2 {
			if final := run(ipc.Request{Action: ipc.ActionDown, Volumes: ipc.VolumesRemove}); final.Kind != ipc.KindDone {
				t.Errorf("down: %+v", final)
			}
		}
		obs, _ := e.Observe(t.Context())
		if len(obs.Containers) != 0 || len(obs.Volumes) != 0 || len(obs.Networks) != 2 {
			t.Errorf("down left %+v, %+v, %+v", obs.Containers, obs.Volumes, obs.Networks)
		}
	})
}

func TestComposerFailures(t *testing.T) {
	service := func(extra string) string {
		return "services:\n  web:\n    image: nginx:1\n" + extra
	}
	for name, tc := range map[string]struct {
		file string
		code string
	}{
		"syntax":       {"services: [", ipc.CodeComposeSyntax},
		"no services":  {"services: {}", ipc.CodeComposeInvalid},
		"no image":     {"services: {web: {}}", ipc.CodeComposeInvalid},
		"missing file": {service("    volumes: ['./none.conf:/etc/x']"), ipc.CodeMissingFile},
		"variable":     {service("    command: ${NAME:?give a name}"), ipc.CodeComposeInvalid},
		"pull":         {service("    labels: {farshore.test/fail: pull}"), ipc.CodeImageUnavailable},
		"exit":         {service("    labels: ['farshore.test/fail=exit']"), ipc.CodeExited},
		"unhealthy":    {service("    labels: {farshore.test/fail: unhealthy}"), ipc.CodeUnhealthy},
		"port":         {service("    ports: ['80:80']\n  zoo:\n    image: nginx:1\n    ports: ['80:8080']"), ipc.CodePortInUse},
		"name":         {service("    container_name: taken"), ipc.CodeNameInUse},
	} {
		compose(t, bundle{"compose.yml": tc.file}, func(t *testing.T, e *fakeengine.Engine, run func(ipc.Request) ipc.Event) {
			if _, err := e.Create(fakeengine.Spec{Name: "taken", Image: "other:1"}); err != nil {
				t.Fatal(err)
			}
			final := run(ipc.Request{Action: ipc.ActionUp})
			if final.Kind != ipc.KindFailed || final.Code != tc.code || len(final.Detail) < 20 {
				t.Errorf("%s: got %+v, want %s", name, final, tc.code)
			}
			if tc.code == ipc.CodeImageUnavailable && len(observe(t, e)) != 1 {
				t.Errorf("%s: something was changed", name)
			}
		})
	}
	compose(t, bundle{"compose.yml": service("")}, func(t *testing.T, e *fakeengine.Engine, run func(ipc.Request) ipc.Event) {
		e.FailAt(fakeengine.OpCompose, 2, errors.New("boom"))
		if final := run(ipc.Request{Action: ipc.ActionUp}); final.Code != ipc.CodeInternal {
			t.Errorf("failure at step 2: %+v", final)
		}
		if final := run(ipc.Request{Action: ipc.ActionUp}); final.Kind != ipc.KindDone {
			t.Errorf("the next run: %+v", final)
		}
		e.SetPresence(fakeengine.Absent)
		if final := run(ipc.Request{Action: ipc.ActionDown}); final.Code != ipc.CodeEngineUnreachable {
			t.Errorf("absent: %+v", final)
		}
	})
}

func TestComposerIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := fakeengine.New(fakeengine.Config{})
		defer e.Close()
		files := bundle{"compose.yml": "services: {a: {image: 'a:1'}, b: {image: 'b:1', labels: {farshore.test/delay: 1h}}}"}
		c := fakeengine.NewComposer(fakeengine.ComposerConfig{Engine: e, ReadFile: files.read})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		final, err := c.Run(ctx, ipc.Request{Action: ipc.ActionUp, Project: "p", Dir: "/d"}, nil)
		if !errors.Is(err, context.DeadlineExceeded) || final.Code != ipc.CodeCancelled {
			t.Errorf("got %+v, %v", final, err)
		}
		if have := observe(t, e); len(have) != 1 {
			t.Errorf("there are %d containers, want the first", len(have))
		}
	})
}
